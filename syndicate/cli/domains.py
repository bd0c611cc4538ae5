"""`syndicate domains …`: mail domains that refuse what we are, and are left alone."""

from typing import TYPE_CHECKING, Annotated

import typer

from syndicate.cli import show
from syndicate.cli.opening import with_app
from syndicate.errors import NotFound

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.store.pace import DomainHold

_Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help="As `domains list` shows it.")]


def list_all(context: typer.Context, *, json: show.Json = False) -> None:
    """List domains that are held back, the newest hold first."""
    found, zone = with_app(context, _list)
    if json:
        show.as_json(found)
        return
    show.table(
        ("domain", "channel", "since", "until", "why"),
        [(one.domain, one.channel, show.moment(one.at, zone), show.moment(one.until, zone), one.why) for one in found],
        empty="No domain is held back.",
    )


def resume(context: typer.Context, domain: _Domain, *, dry_run: show.DryRun = False) -> None:
    """Write to a domain again, once what it refused is mended.

    Its mails go out with a running `up` at once, else with the next `up` or `once`.
    """
    editions = with_app(context, lambda app: _resume(app, domain, dry_run=dry_run))
    verb = "Would be" if dry_run else "Is"
    print(f"{verb} written to again: {domain}." + ("" if dry_run else f" Editions that go on: {editions}."))


async def _list(app: "App") -> tuple[list["DomainHold"], str]:
    from syndicate.store import pace

    async with app.db.read() as connection:
        return await pace.domains_held(connection, now=app.clock.now()), app.site.timezone


async def _resume(app: "App", domain: str, *, dry_run: bool) -> int:
    from syndicate.pipeline.gate import resume_domain

    held, _ = await _list(app)
    names = tuple(one.domain for one in held)
    if domain.casefold() not in names:
        raise NotFound("held domain", domain, known=names)
    return 0 if dry_run else len((await resume_domain(app.db, domain, app.clock))[1])
