"""`syndicate jobs …`: work that waits, and work that was given up."""

from typing import TYPE_CHECKING, Annotated

import typer

from syndicate.cli import show
from syndicate.cli.opening import with_app
from syndicate.errors import NotFound

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.store.jobs import Job

_Id = Annotated[int, typer.Argument(metavar="ID", help="A job's number, as `jobs list` shows it.")]


def list_all(context: typer.Context, *, limit: show.Limit = 100, json: show.Json = False) -> None:
    """List jobs that wait and jobs that are dead, oldest first."""
    found, zone = with_app(context, lambda app: _list(app, limit=limit))
    if json:
        show.as_json(found)
        return
    show.table(
        ("job", "lane", "kind", "key", "state", "tries", "not before", "problem"),
        [(j.id, j.lane, j.kind, j.key, j.state, j.attempt, show.moment(j.not_before, zone), j.problem) for j in found],
        empty="No job waits, none is dead.",
    )


def retry(context: typer.Context, identifier: _Id, *, dry_run: show.DryRun = False) -> None:
    """Try a dead or waiting job now.

    With a running `up` at once, else with the next `up` or `once`.
    """
    job = with_app(context, lambda app: _retry(app, identifier, dry_run=dry_run))
    print(f"{'Would try' if dry_run else 'To be tried'} now: job {job.id}, {job.kind} {job.key}.")


async def _list(app: "App", *, limit: int) -> tuple[list["Job"], str]:
    from syndicate.store import jobs

    async with app.db.read() as connection:
        return await jobs.listed(connection, limit=limit), app.site.timezone


async def _retry(app: "App", identifier: int, *, dry_run: bool) -> "Job":
    from syndicate.store import jobs

    async with app.db.read() as connection:
        job = await jobs.get(connection, identifier)
    if job is None:
        raise NotFound("job", str(identifier))
    if not dry_run:
        async with app.db.write() as connection:
            await jobs.retry(connection, identifier, now=app.clock.now())
    return job
