"""`syndicate subscribers import|export`: lists of readers from elsewhere, and ours to take away."""

import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from syndicate.cli import show
from syndicate.cli.newsletters import newsletter_of
from syndicate.cli.opening import who_says, with_app
from syndicate.domain.lists import (
    FIELDS,
    PLAIN,
    PRESETS,
    Reading,
    Row,
    find_columns,
    guarded,
    provenance,
    read_row,
    with_columns,
)
from syndicate.errors import Refused

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.pipeline.list_file import ListFile
    from syndicate.pipeline.lists import ListReport, Refusal

_SHOWN = 5  # rows of a dry run, as understood
_MOST_REFUSALS = 1000  # in the JSON of a dry run
_DELIMITERS = {",": ",", ";": ";", "tab": "\t", "\t": "\t"}


class From(StrEnum):
    """Programs whose exports we know."""

    LISTMONK = "listmonk"
    MAILCHIMP = "mailchimp"
    GHOST = "ghost"


def bring_in(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A CSV file in UTF-8; its first line names the columns.")
    ],
    *,
    newsletters: Annotated[
        list[str], typer.Option("--newsletter", metavar="NAME", help="What they get; may be given several times.")
    ],
    consent: Annotated[
        str, typer.Option(metavar="WORDS", help="Where, when and to what these people agreed. Kept for good.")
    ],
    source: Annotated[From | None, typer.Option("--from", help="The program that wrote the file.")] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="FIELD=HEADER", help=f"Where something stands: {', '.join(FIELDS)}."),
    ] = None,
    delimiter: Annotated[str, typer.Option(help="What stands between cells: , ; or tab; else it is found.")] = "",
    left: Annotated[
        bool, typer.Option("--left", help="All in the file have left: note that, subscribe nobody.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show how rows are understood; change nothing.")] = False,
    json: show.Json = False,
) -> None:
    """Take over a list of readers.

    Suppressed addresses and people who left are never subscribed. Rows that weren't done go to FILE.rejects.csv.

    Exit code 1: rows that can't be understood were left out, or the file is none that can be read.
    """
    from syndicate.pipeline.list_file import look_over

    named = _columns(columns or ())
    preset = with_columns(PRESETS[source] if source else PLAIN, named)
    if preset.refused and file.name.casefold().startswith(preset.refused) and not left:
        raise Refused(f"{file}: these are people who never agreed to mail; they can't be subscribed")
    read = look_over(file, delimiter=_delimiter(delimiter))
    wish = _Wish(
        newsletters=list(dict.fromkeys(newsletters)),
        origin=provenance(consent),
        reading=find_columns(preset, read.header, asked=[column for _, column in named], all_left=left),
        reason=preset.reason,
    )
    done = (_rehearse if dry_run else _take_over)(context, read, wish, json=json)
    if done.rejected:
        raise typer.Exit(1)


def take_out(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; - is stdout.")] = "-",
    *,
    newsletter: Annotated[str | None, typer.Option(metavar="NAME", help="Only its subscriptions.")] = None,
    json: show.Json = False,
) -> None:
    """Write all subscriptions with their consents as CSV, those that ended too.

    Cells that a spreadsheet would take for a formula begin with an apostrophe. A new FILE is readable by you alone.
    """
    if file == "-":
        if json:
            raise typer.BadParameter("the CSV itself goes to stdout; name a FILE", param_hint="--json")
        with_app(context, lambda app: _export(app, sys.stdout, newsletter, where="stdout"))
        return
    path = Path(file)
    part = path.with_name(f".{path.name}.part")
    try:
        with _private(part) as out:
            written = with_app(context, lambda app: _export(app, out, newsletter, where=path.name))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    if json:
        show.as_json({"file": path, "subscriptions": written})
    else:
        print(f"{path}: {show.count(written, 'subscription')}.")


@dataclass(frozen=True, kw_only=True)
class _Wish:
    """What the command line says."""

    newsletters: list[str]
    origin: str
    reading: Reading
    reason: str


def _take_over(context: typer.Context, read: "ListFile", wish: _Wish, *, json: bool) -> "ListReport":
    rejects = read.path.with_name(f"{read.path.stem}.rejects.csv")
    drawn = not json and sys.stdout.isatty()
    with _rejects(rejects, read.header) as refuse:
        report = with_app(context, lambda app: _import(app, read, wish, refuse=refuse, drawn=drawn))
    _tell(report, {"rejects": rejects if rejects.exists() else None}, json=json)
    return report


def _rehearse(context: typer.Context, read: "ListFile", wish: _Wish, *, json: bool) -> "ListReport":
    """Shows the first rows as they are understood and what would not be done; writes nothing."""
    refusals = list["Refusal"]()

    def refuse(one: "Refusal") -> None:
        if not json:
            print(f"line {one.line}: {one.fate}: {show.clean(one.why)}")
        elif len(refusals) < _MOST_REFUSALS:
            refusals.append(one)

    found = (read_row(wish.reading, one.line, one.cells) for one in islice(read.records(), 100) if not one.problem)
    first = list(islice((row for row in found if isinstance(row, Row)), _SHOWN))
    if not json:
        show.table(
            ("line", "address", "name", "language", "zone", "since", "stands"),
            [(r.line, r.address, r.name, r.language, r.timezone, r.since, r.standing.name.lower()) for r in first],
            empty="None of the first rows can be understood.",
        )
    report = with_app(context, lambda app: _import(app, read, wish, refuse=refuse, dry_run=True))
    shown = [{"line": one.line, "fate": one.fate, "why": one.why} for one in refusals]
    _tell(report, {"dry_run": True, "first": first, "refusals": shown}, json=json)
    return report


def _columns(named: Iterable[str]) -> list[tuple[str, str]]:
    pairs = [(field.strip(), column.strip()) for field, _, column in (one.partition("=") for one in named)]
    for field, column in pairs:
        if field not in FIELDS or not column:
            raise typer.BadParameter(f"write FIELD=HEADER, with one of {', '.join(FIELDS)}", param_hint="--column")
    return pairs


def _delimiter(named: str) -> str:
    if named and named not in _DELIMITERS:
        raise typer.BadParameter("one of , ; tab", param_hint="--delimiter")
    return _DELIMITERS.get(named, "")


async def _import(
    app: "App",
    read: "ListFile",
    wish: _Wish,
    *,
    refuse: Callable[["Refusal"], None],
    drawn: bool = False,
    dry_run: bool = False,
) -> "ListReport":
    from syndicate.pipeline.lists import Order, import_list
    from syndicate.store.schema import is_new, migrate

    for name in wish.newsletters:
        newsletter_of(app, name)
    order = Order(
        newsletters=wish.newsletters,
        origin=wish.origin,
        reading=wish.reading,
        reason=wish.reason,
        digest=app.digest,
        language=app.site.language,
        timezone=app.site.timezone,
        journal=app.way_out.journal,
        who=who_says(),
        dry_run=dry_run,
    )
    if not dry_run and await is_new(app.db):  # readers may be there before the first start
        await migrate(app.db)
    with _progress(read.lines, shown=drawn) as went:
        return await import_list(app.db, read, order, now=app.clock.now(), refuse=refuse, went=went)


async def _export(app: "App", out: TextIO, newsletter: str | None, *, where: str) -> int:
    from syndicate.pipeline.lists import export_list

    if newsletter is not None:
        newsletter_of(app, newsletter)
    return await export_list(app.db, out, who=who_says(), where=where, now=app.clock.now(), newsletter=newsletter)


@contextmanager
def _progress(lines: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    if not shown:
        yield lambda _line: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    with Progress(TextColumn("reading"), BarColumn(), MofNCompleteColumn(), transient=True) as progress:
        bar = progress.add_task("reading", total=lines)
        yield lambda line: progress.update(bar, completed=line)


@contextmanager
def _rejects(path: Path, header: Sequence[str]) -> Iterator[Callable[["Refusal"], None]]:
    """Writes rows that weren't done beside the file; an empty list of them is taken away again."""
    written = 0
    try:
        with _private(path) as out:
            writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
            writer.writerow([guarded(cell) for cell in ("line", "fate", "why", *header)])

            def refuse(one: "Refusal") -> None:
                nonlocal written
                written += 1
                writer.writerow([guarded(cell) for cell in (str(one.line), one.fate.value, one.why, *one.cells)])

            yield refuse
    finally:
        if not written:
            path.unlink()


@contextmanager
def _private(path: Path) -> Iterator[TextIO]:
    """A file that only we may read, whoever could read one of its name before; no symbolic link is followed."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8", newline="") as file:
        os.fchmod(descriptor, 0o600)
        yield file


def _tell(report: "ListReport", extra: dict[str, Any], *, json: bool) -> None:
    counts = asdict(report)
    if json:
        show.as_json(counts | extra)
        return
    rows = counts.pop("rows")
    said = ", ".join(f"{number} {fate}" for fate, number in counts.items() if number) or "nothing in them"
    print(f"{'Would be: ' if 'dry_run' in extra else ''}{show.count(rows, 'row')}: {said}.")
    if extra.get("rejects"):
        print(f"What wasn't done, and why: {extra['rejects']}")
