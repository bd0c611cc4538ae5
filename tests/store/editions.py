"""A frozen edition with its candidates, as the freeze leaves it."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.audience import Rhythm
from syndicate.domain.candidate import Placing
from syndicate.domain.delivery import ACCEPTED, Exclusion, Outcome, Standing, State, advance
from syndicate.domain.edition import Edition, EditionState
from syndicate.store import candidates, editions, ledger
from syndicate.store.db import Database
from syndicate.store.ledger import Claimed, Settled
from tests.factories import NOW, add_reader, make_edition

ALL: dict[str, Any] = {"first": 1, "last": 10**15, "limit": 50, "now": NOW}


async def add_candidates(
    connection: AsyncConnection, edition: Edition, *, after: int, limit: int, now: datetime = NOW
) -> int | None:
    """The next `limit` readers of each edition as candidates of the whole of it; the last one's number."""
    people = await candidates.page(connection, edition, {Rhythm.EACH}, after=after, limit=limit, now=now)
    reasons = {True: Exclusion.SUPPRESSED.value, False: ""}
    placings = [
        Placing(subscriber=one.subscriber, variant=0, reason=reasons[one.suppressed], first_due=now, not_before=None)
        for one in people
    ]
    await candidates.add(connection, edition, placings, now=now)
    return people[-1].subscriber if people else None


async def frozen_edition(db: Database, readers: int = 3, **changes: Any) -> Edition:
    """An edition for so many readers, ready to be sent."""
    async with db.write() as connection:
        for number in range(readers):
            await add_reader(connection, number)
        edition = await editions.begin(connection, make_edition(**changes))
        await add_candidates(connection, edition, after=0, limit=10_000)
        await editions.put_books(connection, edition.id, await editions.count_books(connection, edition.id))
        await editions.set_state(connection, edition.id, EditionState.FROZEN, came_from=[EditionState.COMPOSING])
        found = await editions.get(connection, edition.id)
    assert found is not None
    return found


async def claimed(db: Database, edition: Edition, *, owner: str = "a", **changes: Any) -> list[Claimed]:
    async with db.write() as connection:
        return await ledger.claim(connection, edition_id=edition.id, owner=owner, **ALL | changes)


async def marked(db: Database, edition: Edition, *, owner: str = "a", **changes: Any) -> list[Claimed]:
    """Claimed and on the wire."""
    found = await claimed(db, edition, owner=owner, **changes)
    async with db.write() as connection:
        going = await ledger.mark(connection, [one.id for one in found], owner=owner, now=NOW)
    return [one for one in found if one.id in going]


def answered(one: Claimed, outcome: Outcome = ACCEPTED) -> Settled:
    standing = Standing(state=State.SENDING, attempt=one.standing.attempt, first_due=one.standing.first_due)
    return Settled(id=one.id, standing=advance(standing, outcome, again_at=NOW + timedelta(minutes=1)))


async def states(db: Database, edition: Edition) -> dict[str, int]:
    """How many deliveries stand where, counted in the ledger itself; checks that the kept books say the same."""
    async with db.read() as connection:
        counted, kept = await editions.count_books(connection, edition.id), await editions.books(connection, edition.id)
    assert counted == kept
    assert counted.balance
    return {name: count for name, count in vars(counted).items() if count and name != "candidates"}
