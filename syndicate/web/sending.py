"""What is being sent, as the people of the house see it: the newest editions, their books, and what is in their way.

The books are those that every commit of a send moves, so each look shows where it is.
"""

from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError
from starlette.requests import Request

from syndicate.app import App
from syndicate.domain.edition import Books, Edition
from syndicate.domain.progress import Hindrance, Obstacle
from syndicate.errors import StoreTrouble
from syndicate.pipeline.progress import Progress, look_at_progress
from syndicate.store import editions
from syndicate.store.editions import READABLE
from syndicate.web.pages import Front, Moment, moment

_LISTED = 5  # editions; all of those that aren't through are there, up to as many again
COUNTS = ("accepted", "refused", "uncertain", "excluded", "open")


@dataclass(frozen=True, kw_only=True)
class Hurdle:
    """An obstacle in the page's own words; `until` is None where no moment is known."""

    obstacle: Obstacle
    until: Moment | None


@dataclass(frozen=True, kw_only=True)
class Sending:
    """An edition on the page."""

    edition: Edition
    is_readable: bool
    when: Moment
    books: Books | None
    hurdles: tuple[Hurdle, ...]


async def show_sending(front: Front, request: Request) -> list[Sending] | None:
    """The newest editions, and older ones that aren't through, newest first.

    None while the database is away, or not made yet: the mails lie in a folder and can be seen all the same.
    """
    try:
        listed = await _look(front.app)
    except (StoreTrouble, DBAPIError):
        return None
    return [_sending(front, request, one) for one in listed]


async def _look(app: App) -> list[Progress]:
    async with app.db.read() as connection:
        found = {one.id: one for one in await editions.newest(connection, limit=_LISTED)}
        found |= {one.id: one for one in (await editions.unsettled(connection))[-_LISTED:]}
    ordered = [found[number] for number in sorted(found, reverse=True)]
    return await look_at_progress(app.db, ordered, app.newsletters, whole=False, now=app.clock.now())


def _sending(front: Front, request: Request, progress: Progress) -> Sending:
    edition = progress.edition
    hurdles = [
        Hurdle(obstacle=one, until=moment(front, request, one.until) if one.until else None)
        for one in progress.obstacles
        if one.until or one.what not in (Hindrance.PUT_OFF, Hindrance.THEIR_HOUR)  # else it is tried right now
    ]
    return Sending(
        edition=edition,
        is_readable=edition.state.value in READABLE and edition.newsletter in front.app.newsletters,
        when=moment(front, request, edition.slot_at),
        books=progress.books,
        hurdles=tuple(hurdles),
    )
