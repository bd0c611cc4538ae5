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
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.audience import Subscriber
from syndicate.domain.consent import Consent, Said
from syndicate.domain.edition import Edition, EditionState
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.token import Keyring, Purpose, delivery_name, name_number, read_token
from syndicate.errors import Refused
from syndicate.pipeline.dispatch import close_edition
from syndicate.pipeline.enqueue import ask_for_mailing
from syndicate.pipeline.postroom import Postroom, Revocations
from syndicate.ports import Clock, Evidence
from syndicate.store import audience, candidates, consents, desk, editions, fence, ledger, partners
from syndicate.store.db import Database
from syndicate.store.fence import Departure

FENCE_HOLD = "fence"  # the hold that a restored backup sets
GAP = 10_000_000  # numbers that a restored database leaves out for every group of sends of this machine
_LOOK = 1000  # doubts that a channel is asked about at once
log = structlog.get_logger()


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
    async with db.read() as connection:
        doubtful = await editions.in_doubt(connection)
    for edition in doubtful:
        await settle_doubts(db, room, edition, report, now=now)
    async with db.read() as connection:
        unsettled = await editions.unsettled(connection)
    for edition in unsettled:
        if edition.state is EditionState.FROZEN and await close_edition(db, edition.id, now=now) is not None:
            continue
        async with db.write() as connection:
            await take_up(connection, edition, now=now)
        if edition.state is EditionState.FROZEN:
            report.resumed.append(edition.id)
    return report


def evidence_of(room: Postroom, edition: Edition) -> Evidence | None:
    """The edition's channel, if it can tell afterwards what it took over.

    Where the newsletter goes by another channel by now, nobody can: that one would truthfully say "never".
    """
    newsletter = room.newsletters.get(edition.newsletter)
    same = newsletter is not None and edition.channel in ("", newsletter.channel)
    mailer = room.mailers.get(newsletter.channel) if newsletter and same else None
    return mailer if isinstance(mailer, Evidence) else None


async def settle_doubts(db: Database, room: Postroom, edition: Edition, report: RepairReport, *, now: datetime) -> None:
    """Asks the channel for evidence; what it certainly never got goes out again.

    Without evidence a doubt stays one: it is listed and never sent again by itself.
    """
    channel = evidence_of(room, edition)
    while channel is not None and (proven := await _look(db, channel, room.ring, edition.id)):
        async with db.write() as connection:
            current = await editions.get(connection, edition.id, lock=True)
            await ledger.resolve(connection, edition.id, proven, now=now)
            if current is not None and not all(proven.values()):
                await take_up(connection, current, now=now)
        report.proven_sent += sum(proven.values())
        report.proven_unsent += len(proven) - sum(proven.values())


async def resend_doubts(db: Database, edition: Edition, *, now: datetime) -> int:
    """The operator's word: all that is uncertain of an edition goes out once more. Returns how many that are.

    Some of the readers may get it twice. Raises Refused when there is none, or the edition was cancelled.
    """
    async with db.write() as connection:
        current = await editions.get(connection, edition.id, lock=True)
        if current is None or current.state is EditionState.CANCELLED:
            raise Refused("the edition was cancelled; nothing more of it goes out")
        again = await ledger.retry_doubts(connection, edition.id, now=now)
        if not again:
            raise Refused("no delivery of the edition is uncertain")
        await take_up(connection, current, now=now)
    return again


async def check_fence(db: Database, install: str, path: Path, *, now: datetime) -> str | None:
    """Holds everything when the disk has seen sends that the database doesn't know. Returns why, or None.

    The database then learns of them, so each restored copy is noticed once, and gets numbers that were never given.
    """
    on_disk = await asyncio.to_thread(fence.disk_value, path)
    async with db.write() as connection:
        known = await fence.value(connection, install)
        if on_disk > known:
            why = (
                f"the database is an older copy: it knows {known} groups of sends, this machine made {on_disk}. What "
                "was sent since may go out a second time, so look at `syndicate editions list` and cancel that. "
                "Nothing is sent until you run `syndicate editions release --restored`"
            )
            await fence.hold(connection, FENCE_HOLD, why, now=now)
            await fence.raise_value(connection, install, on_disk)
            # Not one gap for all: the same copy may be restored twice. If anything was sent in between, the disk's
            # counter has grown, and the numbers begin elsewhere.
            await fence.skip_numbers(connection, GAP * on_disk)
            await candidates.forget_all(connection)  # else half of an edition's numbers lie before the gap
        return (await fence.held(connection)).get(FENCE_HOLD)


async def accept_restored(db: Database) -> bool:
    """A person's word after a restore: go on from here. False: nothing was held."""
    async with db.write() as connection:
        return await fence.release(connection, FENCE_HOLD)


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
    newsletter: str
    title: str  # the newsletter's, as long as the configuration has one


async def read_leaving(db: Database, way_out: Exit, text: str) -> Leaving | None:
    """Whose and which subscription a link ends; None for anything that is no such link of ours.

    The configuration is only asked for a title: links work for ever, also those of a newsletter that is no more.
    """
    token = read_token(way_out.ring, Purpose.UNSUBSCRIBE, text)
    if token is None:
        return None
    async with db.read() as connection:
        person = await audience.get(connection, token.subscriber)
        chosen = [one.newsletter for one in await audience.subscriptions_of(connection, token.subscriber)]
    name = next((name for name in (*chosen, *way_out.newsletters) if name_number(name) == token.newsletter), None)
    if person is None or name is None:
        return None
    known = way_out.newsletters.get(name)
    return Leaving(subscriber=person, newsletter=name, title=known.title if known else name)


async def leave(db: Database, way_out: Exit, leaving: Leaving, *, now: datetime, origin: str = "link") -> bool:
    """Ends a subscription before the answer is given: in the database, in the journal, and for sends under way.

    False: it was ended before. Saying it twice changes nothing.
    """
    name, person = leaving.newsletter, leaving.subscriber
    async with db.read() as connection:
        digest = await audience.digest_of(connection, person.id)
        active = await audience.is_active(connection, name, person.id)
    if active:  # the journal first: if we stop in between, the next start ends the subscription from it
        departure = Departure(digest=digest, newsletter=name, reason="unsubscribed", at=now)
        try:
            await asyncio.to_thread(fence.note_departure, way_out.journal, departure)
        except OSError as error:  # the person leaves all the same; only a restored backup could bring them back
            log.error("departure.unnoted", subscriber=person.id, newsletter=name, problem=str(error))
    async with db.write() as connection:
        ended = await audience.unsubscribe(connection, name, person.id, now=now)
        if ended:
            said = Consent(newsletter=name, what=Said.ENDED, at=now, origin=origin)
            await consents.add(connection, digest, [said])
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
        new = [
            name for name in newsletters if await audience.subscribe(connection, name, known.id, origin=origin, now=now)
        ]
        said = [Consent(newsletter=name, what=Said.CONFIRMED, at=now, origin=origin) for name in new]
        await consents.add(connection, digest, said)
        return new


async def _look(db: Database, channel: Evidence, ring: Keyring, edition_id: int) -> dict[int, bool]:
    """What the channel can say of an edition's doubts, as far as one look goes."""
    async with db.read() as connection:
        doubts = await ledger.doubts(connection, edition_id, limit=_LOOK)
    names = {delivery_name(ring, edition_id, doubt.subscriber_id): doubt.id for doubt in doubts}
    seen = await channel.look(list(names)) if names else {}
    return {names[name]: sent for name, sent in seen.items()}


async def take_up(connection: AsyncConnection, edition: Edition, *, now: datetime) -> None:
    """Sees to deliveries that are due again: an edition that was done is sent on; a cancelled one keeps them back.

    One of a newsletter that is paused is put on hold.
    """
    pause = await desk.pause_of(connection, edition.newsletter)
    if edition.state is EditionState.CANCELLED:
        await ledger.cancel_unsent(connection, edition.id, now=now)
    elif pause is not None:
        sent = (EditionState.DONE, EditionState.FROZEN)
        held: dict[str, Any] = {"why": pause.reason, "done_at": None}
        await editions.set_state(connection, edition.id, EditionState.HELD, came_from=sent, **held)
    elif edition.state is EditionState.DONE and await editions.withdrawn_stories(connection, edition.id):
        why = "a story in it was withdrawn meanwhile"
        done = (EditionState.DONE,)
        await editions.set_state(connection, edition.id, EditionState.HELD, came_from=done, why=why, done_at=None)
    elif edition.state in (EditionState.DONE, EditionState.FROZEN):
        sent = (EditionState.DONE, EditionState.FROZEN)
        await editions.set_state(connection, edition.id, EditionState.FROZEN, came_from=sent, done_at=None)
        await ask_for_mailing(connection, edition, now=now)
