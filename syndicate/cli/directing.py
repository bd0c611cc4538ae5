"""`syndicate editions reorder|intro|drop|hold|release`: what the desk wants of the next edition, or of one on hold."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli import show, steering
from syndicate.cli.editions import edition_of
from syndicate.cli.newsletters import newsletter_of
from syndicate.cli.opening import who_says, with_app
from syndicate.errors import ConfigError

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.domain.direction import Directions, Wish
    from syndicate.domain.edition import Edition
    from syndicate.domain.newsletter import Newsletter

_Name = Annotated[
    str, typer.Argument(metavar="NEWSLETTER/SLOT", help="One on hold; NEWSLETTER/next is the one to come.")
]
_Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="Articles' ids, as `newsletters preview` shows them.")]
_Words = Annotated[str | None, typer.Argument(metavar="[WORDS]", help="The intro, in plain text.")]
_File = Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Read it from here; a line is a paragraph.")]
_Nothing = Annotated[bool, typer.Option("--nothing", help="No intro any more.")]
_Undo = Annotated[bool, typer.Option("--undo", help="Take them in again.")]
_Why = Annotated[str, typer.Option(help="The reason, for those who look later.")]
_MayBeNext = Annotated[
    str, typer.Argument(metavar="NEWSLETTER/SLOT", help="As `editions list` shows it, or NEWSLETTER/next.")
]
_MayBeNothing = Annotated[
    str, typer.Argument(metavar="[NEWSLETTER/SLOT]", help="As `editions list` shows it, or NEWSLETTER/next.")
]


def reorder(context: typer.Context, name: _Name, ids: _Ids, *, json: show.Json = False) -> None:
    """Put these stories first, in this order; the others follow, newest first.

    They are in it even where the newsletter's maximum would leave them out.
    """
    from syndicate.domain.direction import Wish

    _direct(context, name, Wish(first=tuple(ids)), json=json)


def intro(
    context: typer.Context,
    name: _Name,
    words: _Words = None,
    *,
    file: _File = None,
    nothing: _Nothing = False,
    json: show.Json = False,
) -> None:
    """Write an intro above the stories: plain text, at most 1,000 characters, a paragraph a line."""
    from syndicate.domain.direction import Wish

    if (words is not None) + (file is not None) + nothing != 1:
        raise ConfigError("say one of: the WORDS, --file FILE, --nothing")
    _direct(context, name, Wish(intro=_read(file) if file else words or ""), json=json)


def drop(context: typer.Context, name: _Name, ids: _Ids, *, undo: _Undo = False, json: show.Json = False) -> None:
    """Take stories out, for good: no later edition of the newsletter tells them, and `explain` says why.

    Until the edition has gone out, --undo takes them in again.
    """
    from syndicate.domain.direction import Wish

    _direct(context, name, Wish(take_back=tuple(ids)) if undo else Wish(drop=tuple(ids)), json=json)


def hold(
    context: typer.Context, name: _MayBeNext, *, why: _Why = "held by the operator", json: show.Json = False
) -> None:
    """Stop an edition at once, until it is released; or have the next one held once it is composed.

    Nothing more is handed over; what is on the wire ends by itself.
    """
    from syndicate.domain.direction import NEXT, Wish

    if name.partition("/")[2] == NEXT:
        _direct(context, name, Wish(hold=why), json=json)
        return
    steering.pause(context, name, why=why, json=json)


def release(
    context: typer.Context,
    name: _MayBeNothing = "",
    *,
    restored: Annotated[
        bool, typer.Option("--restored", help="After a restored backup: I have looked, go on from here.")
    ] = False,
    dry_run: show.DryRun = False,
    json: show.Json = False,
) -> None:
    """Let an edition on hold go out; or the next one, that was to be held.

    With --restored: everything that was stopped because the database is a restored backup.
    """
    from syndicate.domain.direction import NEXT, Wish

    if name.partition("/")[2] == NEXT and not restored:
        if dry_run:
            said = "Would let the next edition go out by itself."
            show.as_json({"edition": name, "done": False, "said": said}) if json else print(said)
            return
        _direct(context, name, Wish(hold=""), json=json)
        return
    steering.release(context, name, restored=restored, dry_run=dry_run, json=json)


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8; save it in that encoding") from None


def _direct(context: typer.Context, name: str, wish: "Wish", *, json: bool) -> None:
    found = with_app(context, lambda app: _say(app, name, wish))
    if json:
        show.as_json(found)
        return
    show.facts(
        [
            *((key, found[key]) for key in ("edition", "state", "why")),
            ("intro", found["intro"]),
            ("to", show.count(found["readers"], "reader")),
        ]
    )
    print()
    rows = [(s["id"], s["title"], s["left_out"]) for s in found["stories"]]
    show.table(("story", "title", "left out"), rows, empty="It holds nothing yet.")


async def _say(app: "App", name: str, wish: "Wish") -> dict[str, Any]:
    from syndicate.pipeline.direct import Desk, direct_held, direct_next
    from syndicate.store import directions

    newsletter, edition = await _target(app, name)
    desk = Desk(newsletter=newsletter, studio=app.studio, endpoints=list(app.endpoints.values()), who=who_says())
    now = app.clock.now()
    if edition is None:
        said = await direct_next(app.db, desk, wish, now=now)
        return await _next(app, newsletter, said)
    done = await direct_held(app.db, desk, edition, wish, now=now)
    async with app.db.read() as connection:
        said = await directions.of(connection, edition.newsletter, edition.slot)
    found = await _stories(app, done.edition)
    head = {"edition": edition.name, "state": done.edition.state, "why": done.edition.why}
    return head | {"intro": said.intro, "readers": done.books.open, "stories": found}


async def _target(app: "App", name: str) -> "tuple[Newsletter, Edition | None]":
    """The newsletter, and the edition; None for the one to come, by that name or by its slot."""
    from syndicate.domain.direction import NEXT
    from syndicate.domain.slot import next_slot
    from syndicate.store import editions

    called, _, slot = name.partition("/")
    newsletter = newsletter_of(app, called)
    if slot == NEXT:
        return newsletter, None
    async with app.db.read() as connection:
        found = await editions.by_slot(connection, called, slot)
    coming = next_slot(newsletter.schedule, newsletter.timezone, app.clock.now())
    if found is None and slot == coming.name:
        return newsletter, None
    return newsletter, await edition_of(app, name)


async def _next(app: "App", newsletter: "Newsletter", said: "Directions") -> dict[str, Any]:
    from syndicate.pipeline.compose import preview_edition

    found = await preview_edition(app.db, newsletter, app.studio, now=app.clock.now())
    choice = found.choice
    listed = [(story, "") for story in choice.stories]
    for why, stories in (("max", choice.beyond), ("unprintable", choice.unprintable), ("desk", choice.dropped)):
        listed += [(story, why) for story in stories]
    return {
        "edition": f"{newsletter.name}/{found.edition.slot}",
        "state": "to come",
        "why": found.proof.why_held,
        "intro": said.intro,
        "readers": found.readers,
        "stories": [{"id": one.id, "title": one.content.title, "left_out": why} for one, why in listed],
    }


async def _stories(app: "App", edition: "Edition") -> list[dict[str, Any]]:
    from syndicate.store import articles, editions

    async with app.db.read() as connection:
        listed = await editions.stories(connection, edition.id)
        said = [await articles.version(connection, one.article_id, one.version) for one in listed]
    return [
        {"id": one.article_id, "title": content.title if content else "", "left_out": one.left_out}
        for one, content in zip(listed, said, strict=True)
    ]
