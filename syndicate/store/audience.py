"""Subscribers, their subscriptions, and addresses we must not write to."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.audience import Rhythm, Subscriber, SubscriptionState
from syndicate.domain.receipt import Suppressed
from syndicate.domain.suppression import REOPENED, outweighs
from syndicate.store.db import insert_new
from syndicate.store.sets import among
from syndicate.store.tables import deliveries, editions, subscribers, subscriptions, suppressions


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """A person's choice for one newsletter."""

    newsletter: str
    state: SubscriptionState
    since: datetime
    ended_at: datetime | None
    origin: str
    topics: tuple[str, ...] = ()  # slugs of the newsletter's topics; (): all of it
    rhythm: Rhythm = Rhythm.EACH


@dataclass(frozen=True, kw_only=True)
class Suppression:
    """Why and since when an address isn't written to."""

    reason: str
    at: datetime
    until: datetime | None  # of a suspension; None: for good


@dataclass(frozen=True, kw_only=True)
class Received:
    """One line of a subscriber's history."""

    id: int
    edition_id: int
    newsletter: str
    slot: str
    subject: str
    state: str
    reason: str
    code: str
    text: str
    settled_at: datetime | None
    receipt: str  # what was said later


async def add(connection: AsyncConnection, person: Subscriber, *, digest: str) -> Subscriber:
    """Adds a person, or returns the one with this address. `person.id` is ignored."""
    row: dict[str, object] = {
        "address": person.address,
        "folded": person.address.casefold(),
        "digest": digest,
        "name": person.name,
    }
    row |= {"language": person.language, "timezone": person.timezone, "generation": person.generation}
    await insert_new(connection, subscribers, row | {"created_at": person.created_at})
    found = await by_address(connection, person.address)
    if found is None:
        raise LookupError(f"subscriber {digest} vanished inside its own transaction")
    return found


async def by_address(connection: AsyncConnection, address: str) -> Subscriber | None:
    """The person with this address, however it is capitalised."""
    query = select(subscribers).where(subscribers.c.folded == address.casefold())
    row = (await connection.execute(query)).one_or_none()
    return _person(row) if row else None


async def get(connection: AsyncConnection, identifier: int) -> Subscriber | None:
    """The person with this number."""
    row = (await connection.execute(select(subscribers).where(subscribers.c.id == identifier))).one_or_none()
    return _person(row) if row else None


async def by_digest(connection: AsyncConnection, digest: str) -> Subscriber | None:
    """The person whose address has this digest."""
    row = (await connection.execute(select(subscribers).where(subscribers.c.digest == digest))).one_or_none()
    return _person(row) if row else None


async def digest_of(connection: AsyncConnection, identifier: int) -> str:
    """The digest of a person's address: what journal and suppressions keep."""
    found = await connection.execute(select(subscribers.c.digest).where(subscribers.c.id == identifier))
    digest: str = found.scalar_one()
    return digest


async def by_numbers(connection: AsyncConnection, identifiers: Iterable[int]) -> dict[int, Subscriber]:
    """People by number."""
    rows = await connection.execute(select(subscribers).where(among(connection, subscribers.c.id, identifiers)))
    return {row.id: _person(row) for row in rows}


async def page(
    connection: AsyncConnection, *, after: int, limit: int, newsletter: str | None = None
) -> list[Subscriber]:
    """Subscribers by number, a page at a time; with `newsletter` those who get it."""
    query = select(subscribers).where(subscribers.c.id > after).order_by(subscribers.c.id).limit(limit)
    if newsletter is not None:
        query = query.join(subscriptions, subscriptions.c.subscriber_id == subscribers.c.id).where(_active(newsletter))
    return [_person(row) for row in await connection.execute(query)]


async def readers(connection: AsyncConnection, newsletter: str) -> int:
    """How many subscriptions to a newsletter are active. Counts rows: not for a page that is asked for often."""
    return await connection.scalar(select(func.count()).select_from(subscriptions).where(_active(newsletter))) or 0


async def share_of(connection: AsyncConnection, domain: str) -> float:
    """Which part of the newest thousand people has an address in this domain; 0 where there is nobody yet."""
    newest = select(subscribers.c.folded).order_by(subscribers.c.id.desc()).limit(1000).subquery()
    there = newest.c.folded.endswith(f"@{domain}", autoescape=True)
    query = select(func.count(), func.count().filter(there)).select_from(newest)
    people, here = (await connection.execute(query)).one()
    return here / people if people else 0.0


async def anyone(connection: AsyncConnection) -> bool:
    """True when there is any subscriber row."""
    return await connection.scalar(select(func.max(subscribers.c.id))) is not None


async def subscribe(
    connection: AsyncConnection, newsletter: str, subscriber_id: int, *, origin: str, now: datetime
) -> bool:
    """Begins a subscription; one that was ended begins again. False: it was active already."""
    row = {"newsletter": newsletter, "subscriber_id": subscriber_id, "state": SubscriptionState.ACTIVE.value}
    row |= {"since": now, "origin": origin}
    if await insert_new(connection, subscriptions, row):
        return True
    again = _one(newsletter, subscriber_id).where(subscriptions.c.state == SubscriptionState.ENDED.value)
    done = await connection.execute(
        again.values(state=SubscriptionState.ACTIVE.value, since=now, ended_at=None, origin=origin)
    )
    return done.rowcount == 1


async def unsubscribe(connection: AsyncConnection, newsletter: str, subscriber_id: int, *, now: datetime) -> bool:
    """Ends a subscription. False: there was no active one, so there is nothing to end."""
    active = _one(newsletter, subscriber_id).where(subscriptions.c.state == SubscriptionState.ACTIVE.value)
    done = await connection.execute(active.values(state=SubscriptionState.ENDED.value, ended_at=now))
    return done.rowcount == 1


async def is_active(connection: AsyncConnection, newsletter: str, subscriber_id: int) -> bool:
    """True while the person subscribes to the newsletter."""
    query = select(subscriptions.c.state).where(
        subscriptions.c.newsletter == newsletter, subscriptions.c.subscriber_id == subscriber_id
    )
    return await connection.scalar(query) == SubscriptionState.ACTIVE.value


async def subscriptions_of(connection: AsyncConnection, subscriber_id: int) -> list[Subscription]:
    """Everything a person chose, ended ones included."""
    query = select(subscriptions).where(subscriptions.c.subscriber_id == subscriber_id)
    rows = await connection.execute(query.order_by(subscriptions.c.newsletter))
    return [
        Subscription(
            newsletter=row.newsletter,
            state=SubscriptionState(row.state),
            since=row.since,
            ended_at=row.ended_at,
            origin=row.origin,
            topics=tuple(row.topics),
            rhythm=Rhythm(row.rhythm),
        )
        for row in rows
    ]


async def history(
    connection: AsyncConnection, subscriber_id: int, *, limit: int = 50, before: int | None = None
) -> list[Received]:
    """What a person was sent, newest first, and how each ended; from the line before `before` on."""
    ledger, book = deliveries.c, editions.c
    query = select(
        *(ledger.id, ledger.edition_id, book.newsletter, book.slot, book.subject),
        *(ledger.state, ledger.reason, ledger.code, ledger.text, ledger.settled_at, ledger.receipt),
    ).join(editions, book.id == ledger.edition_id)
    if before is not None:
        query = query.where(ledger.id < before)
    rows = await connection.execute(
        query.where(ledger.subscriber_id == subscriber_id).order_by(ledger.id.desc()).limit(limit)
    )
    return [Received(**row._asdict()) for row in rows]


async def suppress(connection: AsyncConnection, digest: str, reason: str, *, now: datetime) -> None:
    """Never write to this address again. The first reason is kept, but a suspension and what the new one outweighs."""
    held = (await suppressions_of(connection, [digest])).get(digest)
    if held is not None and (held.until is not None or outweighs(reason, held.reason)):
        await connection.execute(delete(suppressions).where(suppressions.c.digest == digest))
    await insert_new(connection, suppressions, {"digest": digest, "reason": reason, "at": now})


async def suppression(connection: AsyncConnection, digest: str, *, lock: bool = False) -> tuple[str, datetime] | None:
    """Why and since when we must not write to this address. `lock`: nobody changes that until this transaction ends."""
    query = select(suppressions.c.reason, suppressions.c.at).where(suppressions.c.digest == digest)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return (row.reason, row.at) if row else None


async def suppressions_of(connection: AsyncConnection, digests: Iterable[str]) -> dict[str, Suppression]:
    """The same of many, by digest."""
    columns = (suppressions.c.digest, suppressions.c.reason, suppressions.c.at, suppressions.c.until)
    rows = await connection.execute(select(*columns).where(among(connection, suppressions.c.digest, digests)))
    return {row.digest: Suppression(reason=row.reason, at=row.at, until=row.until) for row in rows}


async def lift(connection: AsyncConnection, digest: str, *, until: datetime) -> bool:
    """The address may be written to again, unless it was suppressed after `until`. False: nothing stood there."""
    here = delete(suppressions).where(suppressions.c.digest == digest, suppressions.c.at <= until)
    return (await connection.execute(here)).rowcount == 1


async def reopen(connection: AsyncConnection, digest: str, *, now: datetime) -> bool:
    """A complaint that the reader's own confirmation lifts from now on. False: there is no complaint."""
    here = update(suppressions).where(
        suppressions.c.digest == digest, suppressions.c.reason == Suppressed.COMPLAINT.value
    )
    return (await connection.execute(here.values(reason=REOPENED, at=now))).rowcount == 1


def _active(newsletter: str) -> ColumnElement[bool]:
    return and_(subscriptions.c.newsletter == newsletter, subscriptions.c.state == SubscriptionState.ACTIVE.value)


def _one(newsletter: str, subscriber_id: int) -> Any:
    return update(subscriptions).where(
        subscriptions.c.newsletter == newsletter, subscriptions.c.subscriber_id == subscriber_id
    )


def _person(row: Row[Any]) -> Subscriber:
    return Subscriber(
        id=row.id,
        address=row.address,
        name=row.name,
        language=row.language,
        timezone=row.timezone,
        generation=row.generation,
        created_at=row.created_at,
    )
