"""Candidates of an edition: read by the thousand with all that decides what they get, and written down."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, delete, exists, func, insert, or_, select, text, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.audience import Rhythm, SubscriptionState
from syndicate.domain.candidate import Candidate, Placing, Taste
from syndicate.domain.delivery import State
from syndicate.domain.edition import Edition, EditionState
from syndicate.domain.variant import VariantKey
from syndicate.store.db import records, rows_of
from syndicate.store.sets import among
from syndicate.store.tables import (
    counters,
    deliveries,
    edition_articles,
    edition_variants,
    editions,
    subscribers,
    subscriptions,
    suppressions,
    to_instant,
)

_TURN = "candidates"  # in `counters`: only its lock counts
_GONE_OUT = (State.SENDING.value, State.ACCEPTED.value, State.UNCERTAIN.value)
_TO_COME = (State.DUE.value, State.CLAIMED.value, State.DEFERRED.value)
_GOING = (EditionState.COMPOSING.value, EditionState.FROZEN.value, EditionState.DONE.value)
_COLUMNS = """
edition_id, subscriber_id, state, reason, attempt, first_due, not_before, owner, code, text, provider_ref, settled_at,
variant
"""
_ADD_SQLITE = text(f"""
INSERT INTO deliveries ({_COLUMNS})
SELECT :edition, json_extract(value, '$[0]'),
  CASE WHEN json_extract(value, '$[2]') = '' THEN :due ELSE :excluded END, json_extract(value, '$[2]'), 0,
  json_extract(value, '$[3]'), json_extract(value, '$[4]'), '', '', '', '',
  CASE WHEN json_extract(value, '$[2]') = '' THEN NULL ELSE :now END, json_extract(value, '$[1]')
FROM json_each(:rows) WHERE TRUE
ON CONFLICT DO NOTHING
""")  # noqa: S608  # no value stands in it
_ADD_POSTGRES = text(f"""
INSERT INTO deliveries ({_COLUMNS})
SELECT :edition, (value->>0)::bigint, CASE WHEN value->>2 = '' THEN :due ELSE :excluded END, value->>2, 0,
  (value->>3)::bigint, (value->>4)::bigint, '', '', '', '',
  CASE WHEN value->>2 = '' THEN NULL ELSE CAST(:now AS bigint) END, (value->>1)::smallint
FROM jsonb_array_elements(CAST(:rows AS jsonb))
ON CONFLICT DO NOTHING
""")  # noqa: S608


async def take_turn(connection: AsyncConnection) -> None:
    """Nobody else writes candidates down until we commit: two editions with one story must see each other's."""
    await connection.scalar(select(counters.c.value).where(counters.c.name == _TURN).with_for_update())


async def page(
    connection: AsyncConnection,
    edition: Edition,
    rhythms: Collection[Rhythm],
    *,
    after: int,
    limit: int,
    now: datetime,
) -> list[Candidate]:
    """The next `limit` active subscribers by number, of before the edition, without what they got before."""
    suppressed = exists().where(suppressions.c.digest == subscribers.c.digest)
    paused = and_(subscribers.c.paused_until.is_not(None), subscribers.c.paused_until > now)
    query = (
        select(
            *(subscribers.c.id, type_coerce(subscriptions.c.topics, Text), subscribers.c.language),
            *(subscribers.c.timezone, subscribers.c.hour, paused.label("paused"), suppressed.label("suppressed")),
        )
        .join_from(subscriptions, subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
        .where(_active(connection, edition, rhythms), subscriptions.c.subscriber_id > after)
        .order_by(subscriptions.c.subscriber_id)
        .limit(limit)
    )
    people = []
    tastes: dict[tuple[str, str, str], Taste] = {}
    for number, topics, language, timezone, hour, is_paused, is_suppressed in await records(connection, query):
        told = topics, language, timezone
        taste = tastes.get(told) or tastes.setdefault(told, Taste(*told))
        people.append(Candidate(number, taste, hour, bool(is_paused), bool(is_suppressed)))
    return people


async def telling(connection: AsyncConnection, edition: Edition, article_ids: Iterable[str]) -> dict[int, set[str]]:
    """The other editions that show some of these articles, and which."""
    query = select(edition_articles.c.edition_id, edition_articles.c.article_id).where(
        among(connection, edition_articles.c.article_id, article_ids),
        edition_articles.c.left_out == "",
        edition_articles.c.edition_id != edition.id,
    )
    found: dict[int, set[str]] = {}
    for number, article_id in await connection.execute(query):
        found.setdefault(number, set()).add(article_id)
    return found


async def newest_edition(connection: AsyncConnection) -> int:
    """The highest number of an edition: while it stays, no other one begins to tell the same."""
    return await connection.scalar(select(func.max(editions.c.id))) or 0


async def breaking_of_day(connection: AsyncConnection, edition: Edition, since: datetime, until: datetime) -> list[int]:
    """The newsletter's breaking editions with slots in [since, until), but for this one."""
    query = select(editions.c.id).where(
        editions.c.newsletter == edition.newsletter,
        editions.c.rhythm == Rhythm.BREAKING.value,
        editions.c.slot_at >= since,
        editions.c.slot_at < until,
        editions.c.id != edition.id,
    )
    return [row.id for row in await connection.execute(query)]


async def brought(
    connection: AsyncConnection, edition_ids: Iterable[int], *, first: int, last: int
) -> dict[int, list[tuple[int, int]]]:
    """Edition and variant of what these editions sent, or still send, to the subscribers first…last, by subscriber.

    What is kept back by a hold may never come, so it doesn't count before it is on the wire.
    """
    going = exists().where(editions.c.id == deliveries.c.edition_id, editions.c.state.in_(_GOING))
    counts = or_(deliveries.c.state.in_(_GONE_OUT), and_(deliveries.c.state.in_(_TO_COME), going))
    query = select(deliveries.c.subscriber_id, deliveries.c.edition_id, deliveries.c.variant).where(
        among(connection, deliveries.c.edition_id, edition_ids), deliveries.c.subscriber_id.between(first, last), counts
    )
    found: dict[int, list[tuple[int, int]]] = {}
    for subscriber, edition_id, variant in sorted(map(tuple, await records(connection, query))):
        found.setdefault(subscriber, []).append((edition_id, variant))
    return found


async def keys(connection: AsyncConnection, edition_ids: Iterable[int]) -> dict[tuple[int, int], VariantKey]:
    """What sets each variant of these editions apart from the whole, by edition and number."""
    query = select(edition_variants.c.edition_id, edition_variants.c.number, edition_variants.c.key)
    rows = await connection.execute(query.where(among(connection, edition_variants.c.edition_id, edition_ids)))
    return {(row.edition_id, row.number): read_key(row.key) for row in rows}


async def add_keys(connection: AsyncConnection, edition_id: int, new: Mapping[int, VariantKey]) -> None:
    """Notes variants that are still to be rendered."""
    for number, key in new.items():
        row = {"edition_id": edition_id, "variant": str(number), "number": number, "key": key_record(key)}
        await connection.execute(insert(edition_variants).values(**row, mark="", subject="", html="", text=""))


async def add(connection: AsyncConnection, edition: Edition, placings: Sequence[Placing], *, now: datetime) -> None:
    """Writes candidates down; those there already stay as they are. Readers of one variant get numbers in a row."""
    instants: dict[datetime | None, int | None] = {None: None}  # many have the same
    rows = []
    for one in sorted(placings, key=itemgetter(1, 0)):
        for moment in (one.first_due, one.not_before):
            if moment not in instants and moment is not None:
                instants[moment] = to_instant(moment)
        rows.append((one.subscriber, one.variant, one.reason, instants[one.first_due], instants[one.not_before]))
    values: dict[str, object] = {"edition": edition.id, "rows": json.dumps(rows), "now": to_instant(now)}
    values |= {"due": State.DUE.value, "excluded": State.EXCLUDED.value}
    if connection.dialect.name == "sqlite":
        await rows_of(connection, _ADD_SQLITE, values)
    else:
        await connection.execute(_ADD_POSTGRES, values)


async def forget(connection: AsyncConnection, edition_id: int, *, limit: int) -> int:
    """Deletes some candidates of an edition that is being composed anew. Returns how many."""
    some = select(deliveries.c.id).where(deliveries.c.edition_id == edition_id).limit(limit)
    return (await connection.execute(delete(deliveries).where(deliveries.c.id.in_(some)))).rowcount


async def forget_all(connection: AsyncConnection) -> None:
    """Those of editions that are still being composed. They are written down anew before the freeze."""
    composing = select(editions.c.id).where(editions.c.state == EditionState.COMPOSING.value)
    await connection.execute(delete(deliveries).where(deliveries.c.edition_id.in_(composing)))


async def missing(connection: AsyncConnection, edition: Edition, rhythms: Collection[Rhythm]) -> int:
    """How many active subscribers of before the edition are not among its candidates. Must be 0 at the freeze."""
    there = exists().where(
        deliveries.c.edition_id == edition.id, deliveries.c.subscriber_id == subscriptions.c.subscriber_id
    )
    query = select(func.count()).select_from(subscriptions).where(_active(connection, edition, rhythms), ~there)
    return await connection.scalar(query) or 0


def key_record(key: VariantKey) -> dict[str, Any]:
    """A key as it is kept: what is as in the whole edition is left out."""
    sets = {name: sorted(getattr(key, name)) for name in _SETS if getattr(key, name)}
    rest = {name: getattr(key, name) for name in ("shared", "more") if getattr(key, name)}
    return {"language": key.language, "zone": key.zone, **sets, **rest}


def read_key(record: Mapping[str, Any]) -> VariantKey:
    """As it was kept. The whole edition's says nothing, nor do those of before there were any."""
    values = {"language": "", "zone": "", **record}
    values |= {name: frozenset(record[name]) for name in _SETS if name in record}
    return VariantKey(**values)


_SETS = ("off_topic", "seen", "updated", "repeated")


def _active(connection: AsyncConnection, edition: Edition, rhythms: Collection[Rhythm]) -> ColumnElement[bool]:
    return and_(
        subscriptions.c.newsletter == edition.newsletter,
        subscriptions.c.state == SubscriptionState.ACTIVE.value,
        subscriptions.c.since <= edition.created_at,
        among(connection, subscriptions.c.rhythm, [one.value for one in sorted(rhythms)]),
    )
