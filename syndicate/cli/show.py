"""How answers look: tables and lines for people, JSON for machines. Dates are shown in the newspaper's own zone."""

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

Json = Annotated[bool, typer.Option("--json", help="For machines: JSON, with dates in UTC.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change and send nothing.")]

_GAP = 2  # blanks between two columns
_FOLDED = 30  # characters, below which a folded column can't be read


def as_json(value: object) -> None:
    """One JSON document on stdout."""
    print(json.dumps(_plain(value), ensure_ascii=False, indent=2))


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table on stdout; on anything but a terminal as wide as it needs to be. `empty` is said when it has no rows.

    On a terminal that is too narrow each row becomes a block of lines.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    lines = [[_cell(value) for value in row] for row in rows]
    if not lines:
        print(empty)
        return
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 10_000, soft_wrap=False)
    if not _fits([headings, *lines], console.width):
        _blocks(headings, lines)
        return
    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    for line in lines:
        drawn.add_row(*(Text(cell) for cell in line))
    console.print(drawn)


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Lines of `name  value`; those without a value are left out."""
    shown = [(name, _cell(value)) for name, value in pairs if value not in (None, "", ())]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        print(f"{name:<{width}}  {value}")


def _fits(lines: Sequence[Sequence[str]], width: int) -> bool:
    """Whether there is room for all columns, where the widest one may be folded."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    widest = max(widths)
    return sum(widths) + _GAP * len(widths) - widest + min(widest, _FOLDED) <= width


def _blocks(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    for place, line in enumerate(lines):
        if place:
            print()
        facts(zip(headings, line, strict=True))


def moment(at: datetime | None, zone: str) -> str:
    """A time as the newspaper's clock shows it."""
    return "" if at is None else f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S %Z}"


def words(names: Iterable[str]) -> str:
    """A list in one cell."""
    return ", ".join(names)


def folded(problems: Iterable[str]) -> list[str]:
    """Problems of stories, as `ADDRESS: WORDS`, where what is said of several stories stands once."""
    alike: dict[str, list[str]] = {}
    for line in problems:
        alike.setdefault(line.partition(": ")[2] or line, []).append(line)
    return [f"{first} … and {len(more)} more" if more else first for first, *more in alike.values()]


def count(number: int, noun: str) -> str:
    """`1 story`, `2 stories`."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("y"):
        return f"{number} {noun[:-1]}ies"
    return f"{number} {noun}{'es' if noun.endswith(('sh', 'ch', 'ss', 'x')) else 's'}"


def clean(text: str) -> str:
    """Text that others wrote, without characters that would move the cursor or colour a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return clean("" if value is None else str(value)).replace("\n", " ")


def _plain(value: object) -> Any:
    """What JSON can hold. Dates stay exact and in UTC."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(map(_plain, value))
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
