"""What has to be put right: after a crash, after a restore, and when a reader leaves.

A crash leaves deliveries marked `sending`: they become uncertain, and are settled by evidence where the channel can
show some. A restored backup is noticed by the fence: everything stops until a person has looked. Whoever left is gone
before the answer is given, also in the middle of a send, and stays gone whatever database is restored later.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.audience import Subscriber
from syndicate.domain.edition import EditionState
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.token import Keyring, Purpose, Token, delivery_name, name_number, read_token
from syndicate.errors import Refused
from syndicate.pipeline.dispatch import Postroom, Revocations, close_edition
from syndicate.pipeline.enqueue import ask_for_mailing
from syndicate.ports import Clock, Evidence
from syndicate.store import audience, editions, fence, ledger, partners
from syndicate.store.db import Database
from syndicate.store.fence import Departure

FENCE_HOLD = "fence"  # the hold that a restored backup sets


@dataclass(kw_only=True)
class RepairReport:
    """What a start after a crash found."""

    doubts: int = 0  # deliveries that were on the wire
    proven_sent: int = 0
    proven_unsent: int = 0
    resumed: list[int] = field(default_factory=list)  # editions that go on


async def repair(db: Database, room: Postroom, *, alive: Iterable[str], now: datetime) -> RepairReport:
    """After a crash: gives back what dead workers had claimed and settles what they had on the wire as far as can be.

    `alive` are the workers that still beat; their deliveries are left alone.
    """
    report = RepairReport()
    living = sorted(alive)
    async with db.write() as connection:
        await partners.abandon(connection, alive=living)
        unsettled = await editions.unsettled(connection)
    for edition in unsettled:
        async with db.write() as connection:
            report.doubts += await ledger.abandon(connection, edition.id, alive=living, now=now)
        channel = room.newsletters[edition.newsletter].channel if edition.newsletter in room.newsletters else ""
        await settle_doubts(db, edition.id, room.mailers.get(channel), room.ring, report, now=now)
        if edition.state is EditionState.FROZEN and await close_edition(db, edition.id, now=now) is None:
            async with db.write() as connection:
                await ask_for_mailing(connection, edition.id, now=now)
            report.resumed.append(edition.id)
    return report


async def settle_doubts(
    db: Database, edition_id: int, mailer: object, ring: Keyring, report: RepairReport, *, now: datetime
) -> None:
    """Asks the channel for evidence. Without any, a doubt stays one: it is listed and never sent again by itself."""
    if not isinstance(mailer, Evidence):
        return
    async with db.read() as connection:
        doubts = await ledger.doubts(connection, edition_id)
    names = {delivery_name(ring, edition_id, doubt.subscriber_id): doubt.id for doubt in doubts}
    seen = await mailer.look(list(names)) if names else {}
    proven = {names[name]: sent for name, sent in seen.items()}
    if proven:
        async with db.write() as connection:
            await ledger.resolve(connection, edition_id, proven, now=now)
    report.proven_sent += sum(proven.values())
    report.proven_unsent += len(proven) - sum(proven.values())


async def check_fence(db: Database, install: str, path: Path, *, now: datetime) -> str | None:
    """Holds everything when the disk has seen sends that the database doesn't know. Returns why, or None."""
    on_disk = await asyncio.to_thread(fence.disk_value, path)
    async with db.write() as connection:
        known = await fence.value(connection, install)
        if on_disk > known:
            why = (
                f"the database is an older copy: it knows {known} groups of sends, this machine made {on_disk}. "
                "Nothing is sent until you run `syndicate editions release --restored`"
            )
            await fence.hold(connection, FENCE_HOLD, why, now=now)
        return (await fence.held(connection)).get(FENCE_HOLD)


async def accept_restored(db: Database, install: str, path: Path) -> bool:
    """A person's word after a restore: go on from here. False: nothing was held."""
    on_disk = await asyncio.to_thread(fence.disk_value, path)
    async with db.write() as connection:
        await fence.raise_value(connection, install, max(on_disk, await fence.value(connection, install)))
        return await fence.release(connection, FENCE_HOLD)


async def replay_departures(db: Database, path: Path, *, now: datetime) -> int:
    """Ends again what people ended before the database was restored. Returns how many that were."""
    ended = 0
    for departure in await asyncio.to_thread(lambda: list(fence.departures(path))):
        async with db.write() as connection:
            ended += await _depart_again(connection, departure, now=now)
    return ended


@dataclass(frozen=True, kw_only=True)
class Exit:
    """What leaving needs."""

    ring: Keyring
    newsletters: Mapping[str, Newsletter]
    revocations: Revocations
    journal: Path
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """What a valid unsubscribe link says."""

    subscriber: Subscriber
    newsletter: Newsletter


async def read_leaving(db: Database, way_out: Exit, text: str) -> Leaving | None:
    """Whose and which subscription a link ends; None for anything that is no such link of ours."""
    token = read_token(way_out.ring, Purpose.UNSUBSCRIBE, text)
    if token is None:
        return None
    newsletter = _named(token, way_out.newsletters.values())
    async with db.read() as connection:
        person = await audience.get(connection, token.subscriber)
    return Leaving(subscriber=person, newsletter=newsletter) if person and newsletter else None


async def leave(db: Database, way_out: Exit, leaving: Leaving, *, now: datetime) -> bool:
    """Ends a subscription before the answer is given: in the database, in the journal, and for sends under way.

    False: it was ended before. Saying it twice changes nothing.
    """
    name, person = leaving.newsletter.name, leaving.subscriber
    async with db.read() as connection:
        digest = await audience.digest_of(connection, person.id)
        active = await audience.is_active(connection, name, person.id)
    if active:  # the journal first: if we stop in between, the next start ends the subscription from it
        departure = Departure(digest=digest, newsletter=name, reason="unsubscribed", at=now)
        await asyncio.to_thread(fence.note_departure, way_out.journal, departure)
    async with db.write() as connection:
        ended = await audience.unsubscribe(connection, name, person.id, now=now)
    way_out.revocations.add(name, person.id, at=way_out.clock.now())
    return ended


async def join(db: Database, person: Subscriber, newsletters: Iterable[str], *, digest: str, origin: str) -> list[str]:
    """Subscribes a person by the operator's hand from `person.created_at` on; returns what is new to them.

    `origin` says in words where the consent comes from. Raises Refused for an address we must not write to.
    """
    now = person.created_at
    async with db.write() as connection:
        if held := await audience.suppression(connection, digest):
            raise Refused(f"{person.address} must not be written to: {held[0]}, since {held[1]:%Y-%m-%d}")
        known = await audience.add(connection, person, digest=digest)
        return [
            name for name in newsletters if await audience.subscribe(connection, name, known.id, origin=origin, now=now)
        ]


async def _depart_again(connection: AsyncConnection, departure: Departure, *, now: datetime) -> bool:
    if not departure.newsletter:
        await audience.suppress(connection, departure.digest, departure.reason, now=departure.at)
        return False
    person = await audience.by_digest(connection, departure.digest)
    if person is None:
        return False
    chosen = {s.newsletter: s for s in await audience.subscriptions_of(connection, person.id)}
    subscription = chosen.get(departure.newsletter)
    if subscription is None or subscription.since > departure.at:
        return False  # came back after leaving
    return await audience.unsubscribe(connection, departure.newsletter, person.id, now=now)


def _named(token: Token, newsletters: Iterable[Newsletter]) -> Newsletter | None:
    return next((n for n in newsletters if name_number(n.name) == token.newsletter), None)
