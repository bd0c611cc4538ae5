"""A CSV file of readers, read line by line. It may be hostile: nothing in it makes us keep more than one row."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from syndicate.errors import Refused

LONGEST_LINE = 65_536  # bytes
MOST_COLUMNS = 500
DELIMITERS = (",", ";", "\t")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True)
class Record:
    """A row as the file has it, or why it can't be read."""

    line: int  # of the file, where it begins; the first one is 1
    cells: Sequence[str] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class ListFile:
    """A file that was looked over: all of it is text."""

    path: Path
    delimiter: str
    header: Sequence[str]
    lines: int

    def records(self) -> Iterator[Record]:
        """The rows behind the first one; empty lines are passed over."""
        with self.path.open("rb") as file:
            yield from (record for record in _Reader(file, self.delimiter) if record.line > 1)


def look_over(path: Path, *, delimiter: str = "") -> ListFile:
    """Reads the whole file once: counts its lines and finds the header. Raises Refused when it isn't UTF-8 text."""
    lines = 0
    with path.open("rb") as file:
        first = file.readline(LONGEST_LINE + 1)
        if first.startswith(_UTF16):
            raise Refused(f"{path}: this is UTF-16; {_cure(path, 'UTF-16')}")
        file.seek(0)
        for lines, raw in enumerate(_lines(file), 1):
            try:
                raw.decode()
            except UnicodeDecodeError as error:
                # A line that is too long was cut, and may have been cut inside a character.
                if len(raw) <= LONGEST_LINE:
                    raise Refused(
                        f"{path}: line {lines} is not UTF-8 (byte 0x{raw[error.start]:02x}); "
                        f"{_cure(path, 'WINDOWS-1252')}"
                    ) from None
    header = _header(path, first, delimiter)
    if len(header[1]) > MOST_COLUMNS:
        raise Refused(f"{path}: its first line has {len(header[1])} columns; {MOST_COLUMNS} are the most")
    return ListFile(path=path, delimiter=header[0], header=header[1], lines=lines)


class _Reader:
    """Rows and what is wrong with them, with the lines where they begin."""

    def __init__(self, file: BinaryIO, delimiter: str) -> None:
        self._file = file
        self._delimiter = delimiter
        self._line = 0  # the last one that was handed over
        self._flaw = ""  # of a line of the present row

    def __iter__(self) -> Iterator[Record]:
        rows = csv.reader(self._texts(), delimiter=self._delimiter, strict=True)
        while True:
            begins, self._flaw = self._line + 1, ""
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Record(line=begins, problem=self._flaw or self._words(begins, error))
                continue
            if self._flaw:
                yield Record(line=begins, problem=self._flaw)
            elif len(cells) > MOST_COLUMNS:
                yield Record(line=begins, problem=f"it has {len(cells)} columns; {MOST_COLUMNS} are the most")
            elif any(cell.strip() for cell in cells):
                yield Record(line=begins, cells=cells)

    def _texts(self) -> Iterator[str]:
        for raw in _lines(self._file):
            self._line += 1
            if len(raw) > LONGEST_LINE:
                self._flaw = f"line {self._line} is longer than {LONGEST_LINE:,} bytes"
                yield "\n"
            elif b"\0" in raw:
                self._flaw = f"line {self._line} has a NUL character"
                yield "\n"
            else:
                yield raw.removeprefix(_BOM if self._line == 1 else b"").decode()

    def _words(self, begins: int, error: csv.Error) -> str:
        if self._line > begins:
            return f"a quotation mark that isn't closed; lines {begins} to {self._line} can't be told apart"
        return f"it is no CSV: {error}"


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines. One that is too long comes cut, one byte longer than may be; the rest of it is passed over."""
    while raw := file.readline(LONGEST_LINE + 1):
        rest = raw
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE + 1)
            if not rest or len(rest) <= LONGEST_LINE:
                break
        yield raw


def _header(path: Path, first: bytes, delimiter: str) -> tuple[str, Sequence[str]]:
    """Delimiter and cells of the first line. The delimiter that makes most columns of it is the file's."""
    if len(first) > LONGEST_LINE or b"\0" in first:
        raise Refused(f"{path}: its first line is longer than {LONGEST_LINE:,} bytes, or has a NUL: no list of readers")
    text, found = first.removeprefix(_BOM).decode(), list[tuple[str, Sequence[str]]]()
    for one in (delimiter,) if delimiter else DELIMITERS:
        with suppress(csv.Error):  # by a wrong one, something stands behind a closing quotation mark
            found.append((one, next(csv.reader([text], delimiter=one, strict=True), [])))
    if not found:
        raise Refused(f"{path}: its first line is no CSV, whichever of , ; and tab stands between the cells")
    best = max(found, key=lambda pair: len(pair[1]))
    if not any(cell.strip() for cell in best[1]):
        raise Refused(f"{path}: it is empty; the first line must name the columns")
    return best


def _cure(path: Path, encoding: str) -> str:
    return (
        'save it as "CSV UTF-8", or turn it into that: '
        f"`iconv -f {encoding} -t UTF-8 {path.name} > {path.stem}-utf8.csv`"
    )
