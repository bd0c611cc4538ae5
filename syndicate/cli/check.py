"""`syndicate check` and `syndicate migrate`: is everything in place before anything is begun?"""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

import typer

from syndicate.cli import show
from syndicate.cli.opening import with_app
from syndicate.errors import SyndicateError

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.domain.source import Gathered, SourceConfig
    from syndicate.ports import Source

_Finding = tuple[str, str, bool]  # what was looked at, what was found, whether it is fine
_Offline = Annotated[bool, typer.Option("--offline", help="Leave out what is not on this machine: feeds and relays.")]
_LEFT_OUT = "not looked at (--offline)"


def check(context: typer.Context, *, offline: _Offline = False, json: show.Json = False) -> None:
    """Look over configuration, database, sources, templates, channels.

    Changes and sends nothing, but looks at every source once, and tries to sign in at a mail relay.

    Exit code 2: the configuration has faults, each on a line of its own. 1: something it names can't be used.
    """
    found = with_app(context, lambda app: _look(app, offline=offline), secrets=True)
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


async def _look(app: "App", *, offline: bool) -> list[_Finding]:
    parts = (
        show.count(len(app.sources), "source"),
        show.count(len(app.feeds), "feed"),
        show.count(len(app.newsletters), "newsletter"),
        show.count(len(app.endpoints), "endpoint"),
    )
    findings: list[_Finding] = [("configuration", show.words(parts), True), ("keys", "readable by us alone", True)]
    findings += [("languages", _languages(app), True), await _database(app)]
    findings += await asyncio.gather(*(_source(app, *one, offline=offline) for one in app.sources.values()))
    findings += _large_feeds(app)
    findings += _templates(app)
    return findings + [finding async for finding in _channels(app, offline=offline)]


def _languages(app: "App") -> str:
    """What readers can choose, what is missing there, and what speaks another language for want of a catalogue."""
    from syndicate.domain.phrases import ORIGINAL

    phrases = app.site.phrases
    found = [show.words(phrases.languages)]
    for language in phrases.languages:
        if lacks := len(phrases.missing(language)):
            found.append(f"{language} lacks {show.count(lacks, 'phrase')}, said in {phrases.own_name(ORIGINAL)}")
        if idle := sorted(name for _, name in phrases.idle(language)):
            found.append(f"nothing uses {show.words(idle[:3])}{' …' if len(idle) > 3 else ''} of {language}")
    for newsletter in app.newsletters.values():
        if phrases.known(newsletter.language) is None:
            own = phrases.own_name(phrases.language_for(newsletter.language))
            found.append(f"{newsletter.name} is in {newsletter.language}, and speaks {own} around its stories")
    return "; ".join(found)


async def _database(app: "App") -> _Finding:
    from syndicate.store.schema import pending

    try:
        waiting = await pending(app.db)
    except SyndicateError as error:
        return "database", str(error), False
    found = f"{show.words(waiting)} will be applied at the next start" if waiting else "of this version"
    return "database", found, True


async def _source(app: "App", config: "SourceConfig", source: "Source", *, offline: bool) -> _Finding:
    """A look at its newest stories, with nothing taken over.

    A story's flaw is the newsroom's to mend: the source can be used.
    """
    from syndicate.domain.source import Look
    from syndicate.pipeline.inspect import glance

    name = f"source {config.name}"
    if offline and "://" in config.location:
        return name, _LEFT_OUT, True
    gathered = await glance(config, source, app.tools, now=app.clock.now())
    return name, _brought(config, gathered), gathered.look is not Look.FAILED


def _brought(config: "SourceConfig", gathered: "Gathered") -> str:
    from syndicate.domain.source import Look
    from syndicate.pipeline.inspect import SAMPLED

    if gathered.look is Look.FAILED:
        return gathered.problem
    stories = show.count(len(gathered.articles), "story") if gathered.articles else "no story yet"
    found = [f"the newest {stories} can be read" if config.kind in SAMPLED and gathered.articles else stories]
    if gathered.problems:
        flaws = show.count(len(gathered.problems), "flaw")
        found.append(f"{flaws} (`syndicate sources test {config.name}` names each)")
    return "; ".join([", ".join(found), *filter(None, [gathered.problem])])


def _large_feeds(app: "App") -> list[_Finding]:
    """Those whose documents on this machine are too large: they are published all the same."""
    from syndicate.pipeline.weigh import large_feeds

    return [(f"feed {name}", one.why, True) for name, one in large_feeds(app.press).items()]


def _templates(app: "App") -> list[_Finding]:
    """Renders an edition without stories for every newsletter."""
    from syndicate.domain.edition import Choice
    from syndicate.domain.slot import Slot
    from syndicate.pipeline.render import render_choice

    findings: list[_Finding] = []
    slot, empty = Slot(at=app.clock.now(), name="check"), Choice(stories=())
    for newsletter in app.newsletters.values():
        name = f"newsletter {newsletter.name}"
        try:
            render_choice(newsletter, empty, app.studio, slot=slot)
        except SyndicateError as error:
            findings.append((name, str(error), False))
        else:
            findings.append((name, f"template {newsletter.template} works", True))
    return findings


async def _channels(app: "App", *, offline: bool) -> AsyncIterator[_Finding]:
    from syndicate.ports import Probe

    for name, mailer in app.room.mailers.items():
        if offline and app.settings.channels[name].kind != "maildir":
            yield f"channel {name}", _LEFT_OUT, True
            continue
        trouble = await mailer.probe() if isinstance(mailer, Probe) else ""
        yield f"channel {name}", trouble or "takes mail", not trouble
    for table in app.settings.receipt_tables:
        if offline and table.kind != "maildir":
            yield f"receipts {table.name}", _LEFT_OUT, True
            continue
        trouble = await app.mailboxes[table.name].probe()
        yield f"receipts {table.name}", trouble or "can be read", not trouble
