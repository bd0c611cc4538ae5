"""Between the claim and the mark: what a channel has no room for now, and domains that don't want us, wait.

Nothing was tried then, so nothing is counted against a reader. A channel without limits costs nothing here.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.breaker import REST, Breaker, domain_of
from syndicate.domain.delivery import Outcome
from syndicate.domain.edition import Edition
from syndicate.domain.pace import Wait, allot, names_of
from syndicate.pipeline.enqueue import ask_for_mailing
from syndicate.pipeline.postroom import Postroom
from syndicate.ports import Clock
from syndicate.store import editions, pace
from syndicate.store.db import Database
from syndicate.store.ledger import Claimed
from syndicate.store.pace import DomainHold

log = structlog.get_logger()


class Gate:
    """One for the process, so that a refusal in one batch counts for the others."""

    def __init__(self, room: Postroom) -> None:
        self._room = room
        self._breaker = Breaker()
        self._held: dict[tuple[str, str], DomainHold] = {}
        self._unwritten: dict[tuple[str, str], DomainHold] = {}  # ours, until a commit has them

    async def look(self, connection: AsyncConnection) -> None:
        """What is held back by now, also by other processes, and what a person has let go."""
        held = await pace.domains_held(connection, now=self._room.clock.now())
        self._held = {(one.channel, one.domain): one for one in held} | self._unwritten

    async def let_through(
        self, connection: AsyncConnection, edition: Edition, channel: str, claimed: Sequence[Claimed]
    ) -> Sequence[Claimed]:
        """Who of them may be sent to now; the others are put off, in the transaction of their claim."""
        open_ones = await self._without_held(connection, channel, claimed)
        pacing = self._room.pacings.get(channel)
        if pacing is None or not open_ones:
            return open_ones
        now = self._room.clock.now()
        wanted = [(one.id, domain_of(one.subscriber.address)) for one in open_ones]
        names = names_of(wanted, pacing, now=now)
        if not names:
            return open_ones
        sharers, ahead = await pace.standing(connection, edition.id, channel, first=wanted[0][0])
        filled = await pace.levels(connection, channel, names, now=now)
        allotment = allot(wanted, pacing, filled, now=now, sharers=sharers, ahead=ahead)
        await pace.fill(connection, channel, allotment.filled)
        await pace.put_off(connection, allotment.waiting, code=pace.RATE, owner=self._room.owner)
        return [one for one in open_ones if one.id in allotment.going]

    def is_shut(self, channel: str, address: str) -> bool:
        """A domain that was held back after the claim: its mails are given back before their mark."""
        return bool(self._held) and self._hold_of(channel, address) is not None

    def count(self, edition: Edition, channel: str, address: str, outcome: Outcome) -> DomainHold | None:
        """Takes note of an outcome; the hold that follows from it is in force here, and is to be written down."""
        if self.is_shut(channel, address):  # the last of what was on the wire
            return None
        domain = domain_of(address)
        why = self._breaker.count(edition.id, domain, outcome)
        if not why:
            return None
        now = self._room.clock.now()
        hold = DomainHold(channel=channel, domain=domain, why=why, at=now, until=now + REST)
        self._held[channel, domain] = self._unwritten[channel, domain] = hold
        return hold

    async def write(self, connection: AsyncConnection, holds: Sequence[DomainHold]) -> None:
        """So that other processes know of them, and people."""
        for one in holds:
            await pace.hold_domain(connection, one)

    def written(self, holds: Sequence[DomainHold]) -> None:
        """The commit has them."""
        for one in holds:
            self._unwritten.pop((one.channel, one.domain), None)
            log.error("domain.held", channel=one.channel, domain=one.domain, why=one.why, until=one.until.isoformat())

    def _hold_of(self, channel: str, address: str) -> DomainHold | None:
        hold = self._held.get((channel, domain_of(address)))
        return hold if hold is not None and hold.until > self._room.clock.now() else None

    async def _without_held(
        self, connection: AsyncConnection, channel: str, claimed: Sequence[Claimed]
    ) -> Sequence[Claimed]:
        if not self._held:
            return claimed
        held = {one.id: self._hold_of(channel, one.subscriber.address) for one in claimed}
        waits = {number: Wait(until=hold.until, why=hold.why) for number, hold in held.items() if hold}
        await pace.put_off(connection, waits, code=pace.DOMAIN, owner=self._room.owner)
        return [one for one in claimed if one.id not in waits]


async def resume_domain(db: Database, domain: str, clock: Clock) -> tuple[int, list[int]]:
    """A person's word that a domain is written to again. Returns how many holds that ended, and of which editions."""
    now = clock.now()
    async with db.write() as connection:
        ended, waiting = await pace.resume_domain(connection, domain.casefold(), now=now)
        for edition_id in waiting:
            if edition := await editions.get(connection, edition_id):
                await ask_for_mailing(connection, edition, now=now)
    return ended, waiting
