"""Readers by the hundred: what a list finds here, what it adds, and what goes out as one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Table, bindparam, cast, column, delete, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.audience import Subscriber, SubscriptionState
from syndicate.domain.consent import Consent, Said
from syndicate.store.audience import Subscription
from syndicate.store.sets import among
from syndicate.store.tables import Json, consents, subscribers, subscriptions, suppressions, to_instant

_NOT_THEM = (Said.DENIED, Said.MOVED)  # last words of an address that no list makes a reader's


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known here of the addresses of some rows, by digest."""

    suppressed: Mapping[str, str]  # the reason; a suspension is none
    suspended: frozenset[str]
    denied: frozenset[str]  # told us that it wasn't them, or moved to another address, and confirmed nothing since
    people: Mapping[str, int]
    chosen: Mapping[tuple[str, str], Subscription]  # by digest and newsletter


@dataclass(frozen=True, kw_only=True)
class Line:
    """One subscription as it goes out."""

    person: Subscriber
    subscription: Subscription
    suppressed: str  # why the address isn't written to
    consent: Consent | None  # the newest word that confirms it


async def known(connection: AsyncConnection, digests: Collection[str], newsletters: Collection[str]) -> Known:
    """All that the rows of a list have to be held against. For hundreds of digests."""
    held = await connection.execute(
        select(suppressions.c.digest, suppressions.c.reason, suppressions.c.until).where(
            among(connection, suppressions.c.digest, digests)
        )
    )
    barred = held.all()
    people = await connection.execute(
        select(subscribers.c.digest, subscribers.c.id).where(among(connection, subscribers.c.digest, digests))
    )
    chosen = await connection.execute(
        select(subscribers.c.digest, subscriptions)
        .join(subscriptions, subscriptions.c.subscriber_id == subscribers.c.id)
        .where(
            among(connection, subscribers.c.digest, digests),
            among(connection, subscriptions.c.newsletter, newsletters),
        )
    )
    return Known(
        suppressed={row.digest: row.reason for row in barred if row.until is None},
        suspended=frozenset(row.digest for row in barred if row.until is not None),
        denied=await _denied(connection, digests),
        people={row.digest: row.id for row in people},
        chosen={(row.digest, row.newsletter): _subscription(row) for row in chosen},
    )


async def add_people(connection: AsyncConnection, people: Iterable[tuple[str, Subscriber]]) -> dict[str, int]:
    """Adds people by digest, as far as nobody has their address; returns everybody's numbers."""
    rows: list[dict[str, Any]] = [
        {
            **{"digest": digest, "address": person.address, "folded": person.address.casefold(), "name": person.name},
            **{"language": person.language, "timezone": person.timezone, "generation": person.generation},
            "created_at": to_instant(person.created_at),
        }
        for digest, person in people
    ]
    await _insert_new(connection, subscribers, rows)
    query = select(subscribers.c.digest, subscribers.c.id)
    found = await connection.execute(query.where(among(connection, subscribers.c.digest, [r["digest"] for r in rows])))
    return {row.digest: row.id for row in found}


async def begin(
    connection: AsyncConnection,
    chosen: Iterable[tuple[str, int, str]],
    *,
    state: SubscriptionState,
    now: datetime,
) -> set[tuple[str, int]]:
    """Notes subscriptions (newsletter, subscriber, origin) that never were. Returns those that were new.

    With the state ENDED: that they left, before they ever were readers here.
    """
    ended = to_instant(now) if state is SubscriptionState.ENDED else None
    rows = [
        {
            **{"newsletter": newsletter, "subscriber_id": number, "origin": origin},
            **{"state": state.value, "since": to_instant(now), "ended_at": ended},
        }
        for newsletter, number, origin in chosen
    ]
    added = await _insert_new(connection, subscriptions, rows)
    return {(row.newsletter, row.subscriber_id) for row in added}


async def end(connection: AsyncConnection, chosen: Iterable[tuple[str, int]], *, now: datetime) -> set[tuple[str, int]]:
    """Ends active subscriptions (newsletter, subscriber). Returns those that were active."""
    by_newsletter: dict[str, list[int]] = {}
    for newsletter, number in chosen:
        by_newsletter.setdefault(newsletter, []).append(number)
    ended = set[tuple[str, int]]()
    for newsletter, numbers in by_newsletter.items():
        statement = update(subscriptions).where(
            subscriptions.c.newsletter == newsletter,
            among(connection, subscriptions.c.subscriber_id, numbers),
            subscriptions.c.state == SubscriptionState.ACTIVE.value,
        )
        done = await connection.execute(
            statement.values(state=SubscriptionState.ENDED.value, ended_at=now).returning(subscriptions.c.subscriber_id)
        )
        ended |= {(newsletter, row.subscriber_id) for row in done}
    return ended


async def note(connection: AsyncConnection, said: Iterable[tuple[str, Consent]]) -> None:
    """Adds to the ledger of consents, by digest."""
    rows = [
        {
            **{"digest": digest, "newsletter": one.newsletter, "what": one.what.value, "at": to_instant(one.at)},
            **{"origin": one.origin, "network": one.network, "language": one.language},
            **{"text_version": one.text_version, "text_hash": one.text_hash},
        }
        for digest, one in said
    ]
    await _insert_new(connection, consents, rows)


async def suppress(connection: AsyncConnection, digests: Collection[str], reason: str, *, now: datetime) -> None:
    """Never write to these addresses again. The first reason is kept, but a suspension is none."""
    suspended = delete(suppressions).where(suppressions.c.until.is_not(None))
    await connection.execute(suspended.where(among(connection, suppressions.c.digest, digests)))
    rows = [{"digest": digest, "reason": reason, "at": to_instant(now)} for digest in digests]
    await _insert_new(connection, suppressions, rows)


async def after(
    connection: AsyncConnection, number: int, *, limit: int, newsletter: str | None = None
) -> tuple[list[Line], int | None]:
    """The subscriptions of the next people behind this number, ended ones included; and where to go on, if anywhere."""
    found = await connection.execute(
        select(subscribers).where(subscribers.c.id > number).order_by(subscribers.c.id).limit(limit)
    )
    people = {row.id: row for row in found}
    digests = [row.digest for row in people.values()]
    query = select(subscriptions).where(among(connection, subscriptions.c.subscriber_id, people))
    if newsletter is not None:
        query = query.where(subscriptions.c.newsletter == newsletter)
    chosen = await connection.execute(query.order_by(subscriptions.c.subscriber_id, subscriptions.c.newsletter))
    for_good = select(suppressions.c.digest, suppressions.c.reason).where(suppressions.c.until.is_(None))
    held = await connection.execute(for_good.where(among(connection, suppressions.c.digest, digests)))
    reasons = {row.digest: row.reason for row in held}
    words = await _confirmed(connection, digests)
    lines = [
        Line(
            person=_person(people[row.subscriber_id]),
            subscription=_subscription(row),
            suppressed=reasons.get(people[row.subscriber_id].digest, ""),
            consent=words.get((people[row.subscriber_id].digest, row.newsletter)),
        )
        for row in chosen
    ]
    return lines, max(people) if len(people) == limit else None


async def _confirmed(connection: AsyncConnection, digests: Collection[str]) -> dict[tuple[str, str], Consent]:
    query = select(consents).where(
        among(connection, consents.c.digest, digests), consents.c.what == Said.CONFIRMED.value
    )
    return {
        (row.digest, row.newsletter): Consent(
            newsletter=row.newsletter,
            what=Said.CONFIRMED,
            at=row.at,
            origin=row.origin,
            network=row.network,
            language=row.language,
            text_version=row.text_version,
            text_hash=row.text_hash,
        )
        for row in await connection.execute(query.order_by(consents.c.id))
    }


async def _denied(connection: AsyncConnection, digests: Collection[str]) -> frozenset[str]:
    telling = [what.value for what in (Said.CONFIRMED, *_NOT_THEM)]
    query = select(consents.c.digest, consents.c.what).where(
        among(connection, consents.c.digest, digests), consents.c.what.in_(telling)
    )
    last = {row.digest: row.what for row in await connection.execute(query.order_by(consents.c.id))}
    return frozenset(digest for digest, what in last.items() if what in _NOT_THEM)


async def _insert_new(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, object]]
) -> Sequence[Row[Any]]:
    """Inserts rows of the same columns, as one parameter, but those whose key is there. Returns the keys of the new."""
    if not rows:
        return []
    names = list(rows[0])
    whole = bindparam(None, rows, type_=Json(), unique=True)
    if connection.dialect.name == "sqlite":
        each = func.json_each(whole).table_valued("value")
        # Without WHERE, SQLite takes ON CONFLICT for a join (lang_upsert.html §2.2).
        values = select(*(func.json_extract(each.c.value, f"$.{name}") for name in names)).where(literal(True))
        into_sqlite = sqlite.insert(table).from_select(names, values).on_conflict_do_nothing()
        return (await connection.execute(into_sqlite.returning(*table.primary_key.columns))).all()
    typed = [column(name, table.c[name].type) for name in names]
    told = func.jsonb_to_recordset(cast(whole, JSONB)).table_valued(*typed).render_derived(with_types=True)
    into_postgres = postgresql.insert(table).from_select(names, select(*told.c)).on_conflict_do_nothing()
    return (await connection.execute(into_postgres.returning(*table.primary_key.columns))).all()


def _subscription(row: Row[Any]) -> Subscription:
    return Subscription(
        newsletter=row.newsletter,
        state=SubscriptionState(row.state),
        since=row.since,
        ended_at=row.ended_at,
        origin=row.origin,
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
