"""Books and ledger → where an edition stands, and why it stands there.

For the command line the whole ledger of the edition is asked; a page asks the batches that wait longest, for it must
not walk through a million rows each time somebody looks.
"""

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.delivery import State
from syndicate.domain.edition import Books, Edition, EditionState
from syndicate.domain.progress import Hindrance, Obstacle
from syndicate.store import desk, editions, fence, leases, pace, stuck
from syndicate.store.db import Database
from syndicate.store.jobs import Job
from syndicate.store.stuck import Waiting

_LOOKED_AT = 5  # batches of a thousand that a page looks at
_AT_THE_GATE = {pace.RATE: Hindrance.PACE, pace.DOMAIN: Hindrance.DOMAIN}  # by code; see pipeline/gate.py
_SILENT = timedelta(seconds=30)  # a process beats every 2 s; after this nobody is there


@dataclass(frozen=True, kw_only=True)
class Progress:
    """An edition, its kept books, and what is in its way."""

    edition: Edition
    books: Books | None  # None before the freeze
    obstacles: tuple[Obstacle, ...]


async def look_at_progress(
    db: Database, found: list[Edition], newsletters: Container[str], *, whole: bool, now: datetime
) -> list[Progress]:
    """Where these editions stand. With `whole` every open delivery is counted, else those of the batches that wait."""
    async with db.read() as connection:
        house = [Obstacle(what=Hindrance.HOUSE, why=why) for why in (await fence.held(connection)).values()]
        alive = any(now - node.seen_at < _SILENT for node in await leases.all_nodes(connection))
        idle = [] if alive else [Obstacle(what=Hindrance.IDLE)]
        return [
            await _progress(connection, one, newsletters, around=(house, idle), whole=whole, now=now) for one in found
        ]


async def _progress(
    connection: AsyncConnection,
    edition: Edition,
    newsletters: Container[str],
    *,
    around: tuple[list[Obstacle], list[Obstacle]],
    whole: bool,
    now: datetime,
) -> Progress:
    books = await editions.books(connection, edition.id)
    obstacles: list[Obstacle] = []
    house, idle = around
    if edition.state is EditionState.HELD:
        obstacles = [*house, Obstacle(what=Hindrance.HELD, why=edition.why)]
    elif edition.state is EditionState.FROZEN and (books is None or books.open):
        obstacles = [*house, *await _standing(connection, edition, newsletters), *idle]
        obstacles += await _in_the_ledger(connection, edition, whole=whole, now=now)
    if edition.state in (EditionState.HELD, EditionState.COMPOSING):
        pause = await desk.pause_of(connection, edition.newsletter)
        if pause is not None and pause.reason not in edition.why:
            obstacles.append(Obstacle(what=Hindrance.PAUSED, why=pause.why))
    return Progress(edition=edition, books=books, obstacles=tuple(obstacles))


async def _standing(connection: AsyncConnection, edition: Edition, newsletters: Container[str]) -> list[Obstacle]:
    """What stands in the way of every mail of an edition that is being sent."""
    pause = await desk.pause_of(connection, edition.newsletter)
    found = [Obstacle(what=Hindrance.PAUSED, why=pause.why)] if pause else []
    if edition.newsletter not in newsletters:
        found.append(Obstacle(what=Hindrance.NO_NEWSLETTER, why=edition.newsletter))
    return found


async def _in_the_ledger(
    connection: AsyncConnection, edition: Edition, *, whole: bool, now: datetime
) -> list[Obstacle]:
    batches = await stuck.waiting_batches(connection, edition.id)
    dead = [batch for batch in batches if batch.is_dead]
    found = [_given_up(dead)] if dead else []
    spans = None if whole else _spans(batches)
    if spans is None or spans:
        for one in await stuck.waiting(connection, edition.id, spans=spans):
            obstacle = _obstacle(one, now=now)
            found += [obstacle] if obstacle else []
    return found


def _spans(batches: list[Job]) -> list[tuple[int, int]]:
    """The ranges of the batches that are put off longest."""
    return [(batch.ref["first"], batch.ref["last"]) for batch in batches[-_LOOKED_AT:]]


def _given_up(dead: list[Job]) -> Obstacle:
    return Obstacle(what=Hindrance.GIVEN_UP, why=dead[0].problem, count=len(dead))


def _obstacle(waiting: Waiting, *, now: datetime) -> Obstacle | None:
    """None for what is only waiting for its turn."""
    later = waiting.until is not None and waiting.until > now
    if waiting.state is State.DEFERRED:
        words = {"why": waiting.text, "code": waiting.code}
        return Obstacle(what=Hindrance.PUT_OFF, count=waiting.count, until=waiting.until, **words)
    if waiting.state is State.DUE and later and waiting.code in _AT_THE_GATE:
        what = _AT_THE_GATE[waiting.code]
        return Obstacle(what=what, why=waiting.text, count=waiting.count, until=waiting.until)
    if waiting.state is State.DUE and later:
        return Obstacle(what=Hindrance.THEIR_HOUR, count=waiting.count, until=waiting.until)
    return None
