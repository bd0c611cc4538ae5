"""The journal beside the keys → the database: who left stays gone, and who was let back in stays in, after a restore.

It is read from its begin at every start. Of each address what holds at its end is done, so that a start never
suppresses for a moment whom a later line lifts.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.consent import Consent, Said
from syndicate.domain.delivery import Exclusion
from syndicate.domain.receipt import Suppressed
from syndicate.domain.suppression import LIFTED, REOPENED, outweighs
from syndicate.pipeline.lift import note_lifts
from syndicate.store import audience, consents, erasure, fence, ledger
from syndicate.store.audience import Suppression
from syndicate.store.db import Database
from syndicate.store.fence import Departure

_AT_ONCE = 100  # lines in one transaction, each of some statements
_T = TypeVar("_T")


@dataclass(kw_only=True)
class _Journal:
    """What holds at its end."""

    ended: dict[tuple[str, str], Departure] = field(default_factory=dict)  # by digest and newsletter
    barred: dict[str, Departure] = field(default_factory=dict)
    lifted: dict[str, Departure] = field(default_factory=dict)  # the last time, whatever came after
    erased: dict[str, Departure] = field(default_factory=dict)

    def read(self, line: Departure) -> None:
        """The next line."""
        held = self.barred.get(line.digest)
        if line.newsletter:
            self.ended[line.digest, line.newsletter] = line
        elif line.reason == LIFTED:
            self.lifted[line.digest] = line
            self.barred.pop(line.digest, None)
        elif line.reason == REOPENED:
            if held is not None and held.reason == Suppressed.COMPLAINT.value:
                self.barred[line.digest] = line
        elif held is None or outweighs(line.reason, held.reason):
            self.barred[line.digest] = line
        if line.reason == Suppressed.ERASED.value:
            self.erased[line.digest] = line


async def replay_departures(db: Database, path: Path, *, now: datetime) -> int:
    """Does again what is in the journal and not in a restored database. Returns how many subscriptions that ended."""
    journal, missing = await asyncio.to_thread(_read, path), list[Departure]()
    for some in _handfuls(list(journal.erased.values())):
        async with db.write() as connection:
            for line in some:
                await _erase_again(connection, line, now=now)
    ended = 0
    for some in _handfuls(list(journal.ended.values())):
        async with db.write() as connection:
            ended += sum([await _end_again(connection, line, now=now) for line in some])
    for digests in _handfuls([*dict.fromkeys([*journal.lifted, *journal.barred])]):
        async with db.write() as connection:
            held = await audience.suppressions_of(connection, digests)
            missing += await _bar_again(connection, journal, digests, held)
    if missing:
        await note_lifts(path, *missing)
    return ended


def _read(path: Path) -> _Journal:
    journal = _Journal()
    for line in fence.departures(path):
        journal.read(line)
    return journal


def _handfuls(whole: Sequence[_T]) -> Iterator[list[_T]]:
    rest = iter(whole)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


async def _bar_again(
    connection: AsyncConnection, journal: _Journal, digests: Sequence[str], held: Mapping[str, Suppression]
) -> list[Departure]:
    """Returns the lines that the journal lacks: of lifts after which we stopped before they were written there."""
    lifts = await consents.last_lifts(connection, [digest for digest in digests if digest not in held])
    missing = list[Departure]()
    for digest in digests:
        line, now_held, lifted = journal.barred.get(digest), held.get(digest), lifts.get(digest)
        if line is None:
            await audience.lift(connection, digest, until=journal.lifted[digest].at)
        elif now_held is None and lifted is not None and lifted >= line.at:
            missing.append(Departure(digest=digest, newsletter="", reason=LIFTED, at=lifted))
        elif now_held is not None and now_held.reason == REOPENED and now_held.at >= line.at:
            if line.reason != REOPENED:
                missing.append(Departure(digest=digest, newsletter="", reason=REOPENED, at=now_held.at))
        elif now_held is not None and now_held.reason == Suppressed.COMPLAINT.value and line.reason == REOPENED:
            if now_held.at <= line.at:
                await audience.reopen(connection, digest, now=line.at)
        else:
            await audience.suppress(connection, digest, line.reason, now=line.at)
    return missing


async def _erase_again(connection: AsyncConnection, line: Departure, *, now: datetime) -> None:
    person = await audience.by_digest(connection, line.digest)
    if person is not None and person.created_at <= line.at:  # else they came back after it, by themselves
        await ledger.exclude_person(connection, person.id, Exclusion.ERASED, now=now)
        await erasure.forget_person(connection, person.id, line.digest)


async def _end_again(connection: AsyncConnection, line: Departure, *, now: datetime) -> bool:
    person = await audience.by_digest(connection, line.digest)
    if person is None:
        return False
    chosen = {s.newsletter: s for s in await audience.subscriptions_of(connection, person.id)}
    subscription = chosen.get(line.newsletter)
    if subscription is None or subscription.since > line.at:
        return False  # came back after leaving
    ended = await audience.unsubscribe(connection, line.newsletter, person.id, now=now)
    if ended:
        said = Consent(newsletter=line.newsletter, what=Said.ENDED, at=line.at, origin="journal")
        await consents.add(connection, line.digest, [said])
    return ended
