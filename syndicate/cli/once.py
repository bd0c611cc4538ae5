"""`syndicate once`: everything that is due, and back. For those who have cron."""

import asyncio
import sys
from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from syndicate.cli import show
from syndicate.cli.opening import settings_of, trouble

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from syndicate.app import App
    from syndicate.cli.narrate import Narrator
    from syndicate.settings import Settings

_LOOK = 0.3  # seconds between two looks at the ledger for the progress bar
_R = TypeVar("_R")


def once(context: typer.Context, *, json: show.Json = False, dry_run: show.DryRun = False) -> None:
    """Do everything that is due now, say what was done, and return.

    Refused beside a running `up`, which does it all by itself.

    Exit code 1: a source could not be read or a story has a flaw, an article was left out of a feed, a mail is
    uncertain, or a person is needed.
    """
    settings = settings_of(context, prepare=not dry_run)
    if not asyncio.run(_open(settings, json=json, dry_run=dry_run)):
        raise typer.Exit(1)


async def _open(settings: "Settings", *, json: bool, dry_run: bool) -> bool:
    from sqlalchemy.exc import DBAPIError

    from syndicate import log
    from syndicate.app import open_app

    app = open_app(settings)
    log.set_up(level=settings.log.level, format=settings.log.format, stream=sys.stderr, pepper=app.pepper)
    try:
        return await (_foretell(app, json=json) if dry_run else _do_all(app, json=json))
    except DBAPIError as error:
        raise await trouble(app, error) from error
    finally:
        await app.aclose()


async def _do_all(app: "App", *, json: bool) -> bool:
    from syndicate.cli.narrate import Narrator
    from syndicate.work import run_once

    narrator = Narrator(tell=_untold if json else print, zone=app.site.timezone, public_url=app.site.public_url)
    narrator.begin()
    drawn = not json and sys.stdout.isatty()
    jobs = await (_with_bar(app, narrator, run_once(app)) if drawn else run_once(app))
    if json:
        show.as_json({"jobs": jobs, "events": narrator.events})
    else:
        print(f"Done: {show.count(jobs, 'job')}." if jobs else "Nothing was due.")
    return not narrator.trouble


def _untold(_sentence: str) -> None:
    """The events themselves are printed at the end."""


async def _with_bar(app: "App", narrator: "Narrator", work: Awaitable[_R]) -> _R:
    """Shows how far the mailing is while `work` runs; sentences go above the bar."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, transient=True) as progress:
        narrator.tell = lambda sentence: progress.console.print(sentence, markup=False, highlight=False)
        watching = asyncio.create_task(_watch(app, progress, progress.add_task("working", total=None)))
        try:
            return await work
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching


async def _watch(app: "App", progress: "Progress", bar: "TaskID") -> None:
    from sqlalchemy.exc import DBAPIError

    from syndicate.store import editions

    while True:
        with suppress(DBAPIError):  # before the first migration there is nothing to read
            async with app.db.read() as connection:
                kept = [await editions.books(connection, one.id) for one in await editions.unfinished(connection)]
            books = [one for one in kept if one is not None]
            if books:
                whole = sum(one.candidates for one in books)
                settled = whole - sum(one.open for one in books)
                progress.update(bar, description="mailing", total=whole, completed=settled)
        await asyncio.sleep(_LOOK)


async def _foretell(app: "App", *, json: bool) -> bool:
    """What would be done now. Reads only; what follows from it can't be known before it is done."""
    from syndicate.store import fence, jobs, sources

    now = app.clock.now()
    async with app.db.read() as connection:
        due = await sources.due(connection, [config for config, _ in app.sources.values()], now=now)
        known = await sources.all_states(connection)
        waiting = [job for job in await jobs.listed(connection, limit=1000) if job.state == "pending"]
        held = await fence.held(connection)
    looks = sorted({*due, *(app.sources.keys() - known.keys())})
    found: dict[str, Any] = {"sources": looks, "jobs": [job for job in waiting if job.not_before <= now]}
    if json:
        show.as_json(found | {"holds": held})
        return True
    show.facts([("Would look at", show.words(looks) or "no source")])
    show.table(
        ("job", "kind", "key"),
        [(job.id, job.kind, job.key) for job in found["jobs"]],
        empty="No job waits that is due.",
    )
    for why in held.values():
        print(f"Nothing would be mailed: {why}")
    return True
