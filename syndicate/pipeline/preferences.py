"""A reader's link → what they chose → what they choose now. Each change is in the ledger of consents with its text.

The link is the only proof of who somebody is. It opens nothing once the address was changed or the person was erased,
and links for other purposes open nothing here. Looking changes nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.consent import ConsentText, Said, Via, evidence
from syndicate.domain.preferences import Difference, Flaw, Offer, Preferences, differences, read_form
from syndicate.domain.receipt import Suppressed
from syndicate.domain.token import Purpose, read_token
from syndicate.pipeline.reconcile import Exit
from syndicate.store import audience, consents, fence
from syndicate.store import preferences as store
from syndicate.store.db import Database
from syndicate.store.fence import Departure
from syndicate.store.preferences import Reader

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What a valid link leads to."""

    reader: Reader
    held: str  # why the address isn't written to, for good; "" while it is

    @property
    def chosen(self) -> Preferences:
        """What the person has."""
        return self.reader.preferences


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What somebody sent by the form."""

    filled: Mapping[str, Sequence[str]]
    languages: frozenset[str]  # that could be chosen
    zones: frozenset[str]
    client: IPv4Address | IPv6Address
    shown: ConsentText


@dataclass(frozen=True, kw_only=True)
class Saved:
    """What became of a wish: with a flaw, nothing."""

    visit: Visit  # as it is now
    changed: tuple[Difference, ...] = ()
    flaws: tuple[Flaw, ...] = ()


async def read_visit(db: Database, way_out: Exit, text: str, *, now: datetime) -> Visit | None:
    """Whose link it is and what they chose; None for anything that is no such link of ours, or no longer."""
    async with db.read() as connection:
        return await find(connection, way_out, text, now=now)


async def find(
    connection: AsyncConnection, way_out: Exit, text: str, *, now: datetime, lock: bool = False
) -> Visit | None:
    """The same inside a transaction; `lock`: the person stays as they are until its end."""
    token = read_token(way_out.ring, Purpose.PREFERENCES, text)
    if token is None or token.newsletter:
        return None
    reader = await store.get(connection, token.subscriber, lock=lock)
    if reader is None or reader.person.generation != token.generation:
        return None
    held = await audience.suppression(connection, reader.digest)
    reason = held[0] if held and held[0] != Suppressed.SUSPENDED.value else ""
    return Visit(reader=_without_old_pause(reader, now), held=reason)


async def save(db: Database, way_out: Exit, text: str, wish: Wish, *, now: datetime) -> Saved | None:
    """Takes the whole form or nothing of it. Saying it twice changes nothing. None as in `read_visit`."""
    async with db.write() as connection:
        visit = await find(connection, way_out, text, now=now, lock=True)
        if visit is None:
            return None
        offer = Offer(
            newsletters=way_out.newsletters, languages=wish.languages, zones=wish.zones, closed=bool(visit.held)
        )
        chosen = read_form(wish.filled, visit.chosen, offer, now=now)
        if not isinstance(chosen, Preferences):
            return Saved(visit=visit, flaws=chosen)
        changed = differences(visit.chosen, chosen)
        await _write(connection, way_out, visit.reader, chosen, changed, now=now)
        await _note(connection, visit.reader, changed, wish, now=now)
    person = visit.reader.person.id
    for one in changed:
        if one.said is Said.ENDED:
            way_out.revocations.add(one.newsletter, person, at=way_out.clock.now())
    if changed:
        log.info("preferences.saved", subscriber=person, said=[one.said.value for one in changed])
    return Saved(visit=replace(visit, reader=replace(visit.reader, preferences=chosen)), changed=changed)


async def journal(way_out: Exit, *departures: Departure) -> None:
    """Before the commit: if we stop in between, the next start does it from the journal."""
    try:
        await asyncio.to_thread(fence.note_departure, way_out.journal, *departures)
    except OSError as error:  # it holds all the same; only a restored backup could undo it
        log.error("departure.unnoted", reasons=sorted({one.reason for one in departures}), problem=str(error))


async def _write(
    connection: AsyncConnection,
    way_out: Exit,
    reader: Reader,
    chosen: Preferences,
    changed: Sequence[Difference],
    *,
    now: datetime,
) -> None:
    number = reader.person.id
    ended = [one.newsletter for one in changed if one.said is Said.ENDED]
    for name in ended:
        await audience.unsubscribe(connection, name, number, now=now)
    for one in changed:
        choice = chosen.choice(one.newsletter)
        if choice is None:
            continue
        if one.said is Said.CONFIRMED:
            await audience.subscribe(connection, one.newsletter, number, origin=Via.LINK.value, now=now)
        await store.set_choice(connection, number, choice)
    await store.set_own(connection, number, chosen)
    if ended:
        await journal(way_out, *(_departure(reader, name, now=now) for name in ended))


def _departure(reader: Reader, newsletter: str, *, now: datetime) -> Departure:
    return Departure(digest=reader.digest, newsletter=newsletter, reason="unsubscribed", at=now)


async def _note(
    connection: AsyncConnection, reader: Reader, changed: Sequence[Difference], wish: Wish, *, now: datetime
) -> None:
    for one in changed:
        rows = evidence(one.said, [one.newsletter], origin=Via.LINK.value, client=wish.client, text=wish.shown, now=now)
        await consents.add(connection, reader.digest, [replace(row, note=one.note) for row in rows])


def _without_old_pause(reader: Reader, now: datetime) -> Reader:
    until = reader.preferences.paused_until
    over = until is not None and until <= now
    return replace(reader, preferences=replace(reader.preferences, paused_until=None)) if over else reader
