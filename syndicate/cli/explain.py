"""`syndicate explain …`: why somebody did, or didn't, get something: the rules that decided, in their order."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from syndicate.cli import show
from syndicate.cli.opening import with_app
from syndicate.errors import ConfigError, NotFound

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.domain.explanation import Explanation

_ANSWERS = {"yes": "Yes.", "no": "No.", "not_yet": "Not yet.", "unknown": "Nobody knows."}


class Thing(StrEnum):
    """What a reader may have got."""

    ARTICLE = "article"
    EDITION = "edition"


class Story(StrEnum):
    """What partners and feeds get."""

    ARTICLE = "article"


_Id = Annotated[str, typer.Argument(metavar="ID", help="An article's id, as `articles list` shows it.")]
_Story = Annotated[Story, typer.Argument(metavar="article", help="The word `article`.")]


def to_subscriber(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address.")],
    what: Annotated[Thing, typer.Argument(metavar="article|edition", help="What it is about.")],
    name: Annotated[str, typer.Argument(metavar="ID|NAME/SLOT", help="The article's id, or the edition's name.")],
    *,
    json: show.Json = False,
) -> None:
    """Say why a reader did, or didn't, get a story or an edition."""
    if what is Thing.EDITION and "/" not in name:
        raise ConfigError(f"{name!r} is no edition; write NEWSLETTER/SLOT, as `syndicate editions list` shows it")
    _say(with_app(context, lambda app: _to_subscriber(app, address, what, name)), json=json)


def to_partner(
    context: typer.Context,
    partner: Annotated[str, typer.Argument(metavar="NAME", help="A partner's name in the configuration.")],
    _what: _Story,
    identifier: _Id,
    *,
    json: show.Json = False,
) -> None:
    """Say why a partner did, or didn't, get a story.

    By pushes to its endpoints, and in its private feeds.
    """
    _say(with_app(context, lambda app: _to_partner(app, partner, identifier)), json=json)


def in_feed(
    context: typer.Context,
    feed: Annotated[str, typer.Argument(metavar="NAME", help="A feed's name in the configuration.")],
    _what: _Story,
    identifier: _Id,
    *,
    json: show.Json = False,
) -> None:
    """Say why a feed does, or doesn't, show a story."""
    _say(with_app(context, lambda app: _in_feed(app, feed, identifier)), json=json)


def _say(found: "Explanation", *, json: bool) -> None:
    if json:
        show.as_json(found)
        return
    print(_ANSWERS[found.answer])
    for number, finding in enumerate(found.findings, 1):
        print(f"{number:>3}. {show.clean(finding.said)}")


async def _to_subscriber(app: "App", typed: str, what: Thing, name: str) -> "Explanation":
    from syndicate.domain.audience import normal_address
    from syndicate.pipeline.explain import explain_edition, explain_story

    address, zone = normal_address(typed), app.site.timezone
    digest = app.digest(address)
    if what is Thing.EDITION:
        return await explain_edition(app.db, address, digest, name, zone=zone)
    now = app.clock.now()
    return await explain_story(app.db, address, digest, name, app.newsletters, zone=zone, now=now)


async def _to_partner(app: "App", partner: str, identifier: str) -> "Explanation":
    from syndicate.pipeline.explain_outlets import explain_partner

    if partner not in app.partners:
        raise NotFound("partner", partner, known=tuple(app.partners))
    endpoints = [one for one in app.endpoints.values() if one.partner == partner]
    return await explain_partner(app.db, partner, identifier, endpoints, app.press, now=app.clock.now())


async def _in_feed(app: "App", feed: str, identifier: str) -> "Explanation":
    from syndicate.pipeline.explain_outlets import explain_feed

    if feed not in app.feeds:
        raise NotFound("feed", feed, known=tuple(app.feeds))
    return await explain_feed(app.db, app.feeds[feed], identifier, app.press, now=app.clock.now())
