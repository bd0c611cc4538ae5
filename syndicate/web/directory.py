"""The front page and the pages of the feeds: what there is, what it looks like, and how to get it."""

from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import Response

from syndicate.domain.edition import Edition
from syndicate.domain.feed import Feed
from syndicate.errors import StoreTrouble
from syndicate.formats.wording import Wording, wording
from syndicate.store import editions, feeds
from syndicate.web.pages import Front, Moment, alternates, missing, moment, page

_PREVIEWS = 12


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A story in a list."""

    told: Wording
    when: Moment


@dataclass(frozen=True, kw_only=True)
class Issue:
    """An edition in a list."""

    edition: Edition
    when: Moment


async def show_home(front: Front, request: Request) -> Response:
    """What there is. Without the database it still says which feeds and newsletters there are."""
    latest: dict[str, Issue] = {}
    with suppress(StoreTrouble, DBAPIError):
        latest = await _latest(front, request)
    return page(
        front,
        request,
        "home.html.j2",
        feeds=front.public_feeds,
        newsletters=list(front.app.newsletters.values()),
        latest=latest,
    )


async def show_feeds(front: Front, request: Request) -> Response:
    """Every public feed with its addresses. Needs no database."""
    listed = [(feed, alternates(front, feed)) for feed in front.public_feeds]
    return page(front, request, "feeds.html.j2", listed=listed, opml=f"{front.app.site.public_url}/feeds.opml")


async def show_feed(front: Front, request: Request) -> Response:
    """A feed for people: its newest entries, its addresses, and what to do with them. A private one has no page."""
    feed = front.app.feeds.get(request.path_params["name"])
    if feed is None or feed.partners:
        return missing(front, request)
    return page(
        front,
        request,
        "feed.html.j2",
        first=[feed],
        feed=feed,
        formats=alternates(front, feed),
        previews=await _previews(front, request, feed),
    )


async def _latest(front: Front, request: Request) -> dict[str, Issue]:
    async with front.app.db.read() as connection:
        found = {name: await editions.readable(connection, newsletter=name, limit=1) for name in front.app.newsletters}
    return {
        name: Issue(edition=listed[0], when=moment(front, request, listed[0].slot_at))
        for name, listed in found.items()
        if listed
    }


async def _previews(front: Front, request: Request, feed: Feed) -> list[Preview]:
    async with front.app.db.read() as connection:
        found = await feeds.shown(connection, feed.name, limit=_PREVIEWS)
    previews: list[Preview] = []
    for article in found:
        with suppress(ValueError):  # a format can't write it either: it is in quarantine
            told = wording(article, front.app.site)
            previews.append(Preview(told=told, when=moment(front, request, told.published)))
    return previews
