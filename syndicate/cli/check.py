"""`syndicate check` and `syndicate migrate`: is everything in place before anything is begun?"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import typer

from syndicate.cli import show
from syndicate.cli.opening import settings_of, with_app
from syndicate.errors import SyndicateError

if TYPE_CHECKING:
    from syndicate.app import App

_Finding = tuple[str, str, bool]  # what was looked at, what was found, whether it is fine


def check(context: typer.Context, *, json: show.Json = False) -> None:
    """Look over configuration, database, templates, channels.

    Changes and sends nothing, but tries to sign in at a mail relay.

    Exit code 2: the configuration has faults, each on a line of its own. 1: something it names can't be used.
    """
    settings_of(context)
    found = with_app(context, _look)
    if json:
        show.as_json([{"what": what, "found": text, "ok": fine} for what, text, fine in found])
    else:
        show.table(
            ("", "looked at", "found"), [("✓" if fine else "✗", what, text) for what, text, fine in found], empty=""
        )
    if not all(fine for _, _, fine in found):
        raise typer.Exit(1)


def migrate(context: typer.Context, *, json: show.Json = False) -> None:
    """Bring the database to the schema of this version.

    `up` and `once` do so by themselves.
    """
    from syndicate.store import schema
    from syndicate.work import single_process

    async def bring(app: "App") -> list[str]:
        with single_process(app.settings.var):
            return await schema.migrate(app.db)

    applied = with_app(context, bring)
    if json:
        show.as_json({"applied": applied})
    else:
        print(f"Applied: {show.words(applied)}." if applied else "The database is of this version already.")


async def _look(app: "App") -> list[_Finding]:
    parts = (
        show.count(len(app.sources), "source"),
        show.count(len(app.feeds), "feed"),
        show.count(len(app.newsletters), "newsletter"),
        show.count(len(app.endpoints), "endpoint"),
    )
    findings: list[_Finding] = [("configuration", show.words(parts), True), ("keys", "readable by us alone", True)]
    findings.append(await _database(app))
    findings += _templates(app)
    return findings + [finding async for finding in _channels(app)]


async def _database(app: "App") -> _Finding:
    from syndicate.store.schema import pending

    try:
        waiting = await pending(app.db)
    except SyndicateError as error:
        return "database", str(error), False
    found = f"{show.words(waiting)} will be applied at the next start" if waiting else "of this version"
    return "database", found, True


def _templates(app: "App") -> list[_Finding]:
    """Renders an edition without stories for every newsletter."""
    from syndicate.domain.edition import Choice
    from syndicate.domain.slot import Slot
    from syndicate.pipeline.compose import render_choice

    findings: list[_Finding] = []
    slot, empty = Slot(at=app.clock.now(), name="check"), Choice(stories=(), left_out=())
    for newsletter in app.newsletters.values():
        name = f"newsletter {newsletter.name}"
        try:
            render_choice(newsletter, empty, app.studio, slot=slot)
        except SyndicateError as error:
            findings.append((name, str(error), False))
        else:
            findings.append((name, f"template {newsletter.template} works", True))
    return findings


async def _channels(app: "App") -> AsyncIterator[_Finding]:
    from syndicate.ports import Probe

    for name, mailer in app.room.mailers.items():
        trouble = await mailer.probe() if isinstance(mailer, Probe) else ""
        yield f"channel {name}", trouble or "takes mail", not trouble
