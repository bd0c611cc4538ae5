"""A new source in a config file that a person wrote: at its place, and all else stays byte for byte as it was."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from syndicate.errors import ConfigError, Refused
from syndicate.settings.load import load

_HEADING = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_-]+)")


def add_source(path: Path, block: str, *, cwd: Path, environ: Mapping[str, str]) -> None:
    """Puts the table into the file, in one step and only when the whole new file loads without a fault.

    Raises ConfigError with the faults, Refused when there is no place for it or the file was changed meanwhile.
    """
    target = path.resolve()
    before = target.read_bytes()
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        _write(draft, with_source(before.decode(), block).encode(), like=target.stat())
        _judge(draft, path, cwd=cwd, environ=environ)
        if target.read_bytes() != before:
            raise Refused(f"{path} was changed just now by somebody else; nothing was written, so try again")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def with_source(text: str, block: str) -> str:
    """The file's text with a `[[sources]]` table more, which is the last of them. Raises Refused."""
    data, table = tomllib.loads(text), tomllib.loads(block)
    wanted = {**data, "sources": [*data.get("sources", []), *table["sources"]]}
    lines = text.splitlines(keepends=True)
    newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    for place in _places(lines):
        head, tail = "".join(lines[:place]), "".join(lines[place:])
        made = head + _set_apart(block, head, tail).replace("\n", newline) + tail
        with suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(made) == wanted:
                return made
    raise Refused("there is no place for another [[sources]] table in this file; write it in by hand")


def _places(lines: Sequence[str]) -> Iterator[int]:
    """Behind the sources that are there, else above the feeds; else at the end, which is right in any file."""
    headings = [(number, hit[1]) for number, line in enumerate(lines) if (hit := _HEADING.match(line))]
    last = max((number for number, name in headings if name == "sources"), default=None)
    for number, name in headings:
        if (number > last) if last is not None else (name == "feeds"):
            yield _above_comments(lines, number)
            break
    yield len(lines)


def _above_comments(lines: Sequence[str], heading: int) -> int:
    """Comments right above a heading belong to it, unless they also stand right below a key."""
    top = heading
    while top and lines[top - 1].lstrip().startswith("#"):
        top -= 1
    return top if top == 0 or not lines[top - 1].strip() else heading


def _set_apart(block: str, head: str, tail: str) -> str:
    """With an empty line above and below."""
    above = "" if not head or head.endswith(("\n\n", "\n\r\n")) else "\n" if head.endswith("\n") else "\n\n"
    return f"{above}{block.rstrip()}\n" + ("\n" if tail else "")


def _judge(draft: Path, path: Path, *, cwd: Path, environ: Mapping[str, str]) -> None:
    try:
        load(draft, cwd=cwd, environ=environ, secrets=False)
    except ConfigError as error:
        label = str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)
        raise ConfigError(*(replace(one, file=label) for one in error.problems)) from error


def _write(path: Path, body: bytes, *, like: os.stat_result) -> None:
    """On disk, with the mode and, as far as we may, the owner of the file that it is to replace."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        with suppress(PermissionError):
            os.fchown(handle, like.st_uid, like.st_gid)
        os.fchmod(handle, like.st_mode & 0o7777)
        file.write(body)
        file.flush()
        os.fsync(handle)
