"""The ledger of deliveries: what was and wasn't sent. The statement that makes a step also checks that it may be made.

The WHERE of a step names no state that `domain.delivery.STEPS` doesn't lead from, so the table there stays the truth.
Each step moves the edition's kept books in the same transaction.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.audience import Subscriber, SubscriptionState
from syndicate.domain.delivery import Exclusion, Happening, Standing, State, origins, step
from syndicate.domain.edition import EditionState
from syndicate.store.audience import by_numbers
from syndicate.store.editions import OPEN_STATES
from syndicate.store.sets import among
from syndicate.store.tables import (
    deliveries,
    edition_books,
    editions,
    holds,
    subscribers,
    subscriptions,
    suppressions,
)


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A delivery that a worker holds, with the person it is for."""

    id: int
    edition_id: int
    subscriber: Subscriber
    standing: Standing


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What became of a delivery."""

    id: int
    standing: Standing


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """A delivery that may or may not have gone out."""

    id: int
    subscriber_id: int
    code: str
    text: str


async def claim(
    connection: AsyncConnection, *, edition_id: int, first: int, last: int, owner: str, limit: int, now: datetime
) -> list[Claimed]:
    """Takes up to `limit` deliveries with first ≤ id ≤ last that may be tried now.

    Claimable: `due`, or `deferred` whose time has come, of an edition that is frozen, while nothing holds the house.
    Two workers never get the same row. What a hold kept back counts its patience from the release.
    """
    ready = or_(deliveries.c.not_before.is_(None), deliveries.c.not_before <= now)
    picked = (
        select(deliveries.c.id)
        .where(deliveries.c.edition_id == edition_id, deliveries.c.id.between(first, last))
        .where(_in_state(Happening.CLAIM), ready, _edition_is(EditionState.FROZEN), ~exists(select(holds.c.name)))
        .order_by(deliveries.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = update(deliveries).where(deliveries.c.id.in_(picked.scalar_subquery()))
    rows = await connection.execute(
        taken.values(state=State.CLAIMED.value, owner=owner).returning(
            *(deliveries.c.id, deliveries.c.subscriber_id, deliveries.c.attempt, deliveries.c.first_due)
        )
    )
    found = sorted(rows.all())
    released = await connection.scalar(select(editions.c.released_at).where(editions.c.id == edition_id))
    people = await by_numbers(connection, [row.subscriber_id for row in found])
    await _erased(connection, [row.id for row in found if row.subscriber_id not in people], owner=owner, now=now)
    return [
        Claimed(
            id=row.id,
            edition_id=edition_id,
            subscriber=people[row.subscriber_id],
            standing=Standing(
                state=State.CLAIMED, attempt=row.attempt, first_due=max(row.first_due, released or row.first_due)
            ),
        )
        for row in found
        if row.subscriber_id in people
    ]


async def mark(connection: AsyncConnection, ids: Sequence[int], *, owner: str, now: datetime) -> set[int]:
    """The last check before the wire: `claimed → sending` for those that still may be sent, all in one statement.

    May be sent: held by `owner`, subscription active, address not suppressed, edition frozen, no hold. Whoever has
    left meanwhile becomes `excluded` with the reason; the rest goes back to `due`. Returns the marked ids.
    """
    mine = and_(among(connection, deliveries.c.id, ids), _in_state(Happening.MARK), deliveries.c.owner == owner)
    may = and_(_subscribed(), ~_suppressed(), _edition_is(EditionState.FROZEN), ~exists(select(holds.c.name)))
    marked = update(deliveries).where(mine, may).values(state=State.SENDING.value).returning(deliveries.c.id)
    sending = {row.id for row in await connection.execute(marked)}
    if len(sending) < len(ids):
        await _exclude(connection, and_(mine, or_(_suppressed(), ~_subscribed())), now=now)
        await connection.execute(update(deliveries).where(mine).values(state=State.DUE.value, owner=""))
    return sending


async def settle(connection: AsyncConnection, settled: Sequence[Settled], *, owner: str, now: datetime) -> None:
    """Writes outcomes down. Rows that `owner` no longer holds stay as they are: somebody declared it dead."""
    rows = [_outcome_row(one, now) for one in settled]
    statement = _SETTLE_SQLITE if connection.dialect.name == "sqlite" else _SETTLE_POSTGRES
    done = await connection.execute(text(statement), {"rows": json.dumps(rows), "owner": owner})
    await _book(connection, [(row.edition_id, State(row.state)) for row in done])


async def withhold(connection: AsyncConnection, ids: Sequence[int], *, owner: str, now: datetime) -> None:
    """`sending → excluded(unsubscribed)` for marked mails that a fresh revocation kept off the wire."""
    mine = and_(among(connection, deliveries.c.id, ids), deliveries.c.state == State.SENDING.value)
    await _exclude(connection, and_(mine, deliveries.c.owner == owner), now=now, otherwise=Exclusion.UNSUBSCRIBED)


async def release(connection: AsyncConnection, ids: Iterable[int], *, owner: str) -> None:
    """Gives back what was claimed and not marked."""
    mine = and_(among(connection, deliveries.c.id, ids), _in_state(Happening.RELEASE), deliveries.c.owner == owner)
    await connection.execute(update(deliveries).where(mine).values(state=State.DUE.value, owner=""))


async def open_left(
    connection: AsyncConnection, *, edition_id: int, first: int, last: int
) -> tuple[int, datetime | None]:
    """How many deliveries of the range are not settled, and when the first of them may be tried (None: at once)."""
    still = deliveries.c.state.in_([state.value for state in OPEN_STATES])
    query = select(func.count(), func.min(func.coalesce(deliveries.c.not_before, deliveries.c.first_due))).where(
        deliveries.c.edition_id == edition_id, deliveries.c.id.between(first, last), still
    )
    row = (await connection.execute(query)).one()
    return row[0], row[1]


async def abandon(connection: AsyncConnection, edition_id: int, *, alive: Iterable[str], now: datetime) -> int:
    """After a crash: what dead workers had claimed is due again, what they had on the wire is uncertain.

    `alive` are the owners that still beat. Returns the number of new doubts.
    """
    lost = and_(deliveries.c.edition_id == edition_id, ~among(connection, deliveries.c.owner, alive))
    claimed = update(deliveries).where(lost, _in_state(Happening.RELEASE))
    await connection.execute(claimed.values(state=State.DUE.value, owner=""))
    return await _doubt(connection, lost, "we stopped between handing it over and hearing the reply", now=now)


async def marked_by(connection: AsyncConnection, *, edition_id: int, first: int, last: int, owner: str) -> set[int]:
    """The deliveries of a range that `owner` marked and has not settled."""
    query = select(deliveries.c.id).where(deliveries.c.edition_id == edition_id, deliveries.c.id.between(first, last))
    mine = query.where(deliveries.c.state == State.SENDING.value, deliveries.c.owner == owner)
    return {row.id for row in await connection.execute(mine)}


async def doubt(connection: AsyncConnection, ids: Iterable[int], *, owner: str, now: datetime) -> int:
    """What `owner` marked and then lost sight of through a failure of its own is uncertain. Returns how many."""
    mine = and_(among(connection, deliveries.c.id, ids), deliveries.c.owner == owner)
    return await _doubt(connection, mine, "we failed between marking it and hearing the reply", now=now)


async def doubts(connection: AsyncConnection, edition_id: int, *, limit: int = 1000) -> list[Doubt]:
    """The uncertain deliveries of an edition."""
    columns = (deliveries.c.id, deliveries.c.subscriber_id, deliveries.c.code, deliveries.c.text)
    query = select(*columns).where(deliveries.c.edition_id == edition_id, deliveries.c.state == State.UNCERTAIN.value)
    rows = await connection.execute(query.order_by(deliveries.c.id).limit(limit))
    return [Doubt(**row._asdict()) for row in rows]


async def on_the_wire(connection: AsyncConnection, owner: str) -> int:
    """How many deliveries a worker holds as `sending`: what a crash right now would leave in doubt."""
    going = select(editions.c.id).where(editions.c.state != EditionState.DONE.value)
    query = select(func.count()).where(
        deliveries.c.edition_id.in_(going), deliveries.c.state == State.SENDING.value, deliveries.c.owner == owner
    )
    return await connection.scalar(query) or 0


async def resolve(connection: AsyncConnection, edition_id: int, proven: Mapping[int, bool], *, now: datetime) -> None:
    """Settles doubts by evidence: True, it was taken over; False, it certainly was not and is due again."""
    taken, lost = ([number for number, proof in proven.items() if proof is sent] for sent in (True, False))
    values = {"state": step(State.UNCERTAIN, Happening.PROVE_SENT).value, "code": "evidence", "text": ""}
    here = and_(among(connection, deliveries.c.id, taken), _in_state(Happening.PROVE_SENT))
    done = await connection.execute(update(deliveries).where(here).values(**values, settled_at=now))
    await _shift(connection, edition_id, out_of="uncertain", into="accepted", by=done.rowcount)
    await _send_again(connection, edition_id, among(connection, deliveries.c.id, lost), Happening.PROVE_UNSENT, now=now)


async def retry_doubts(connection: AsyncConnection, edition_id: int, *, now: datetime) -> int:
    """The operator's word: every doubt of the edition is due again, arrived or not. Returns how many."""
    return await _send_again(connection, edition_id, true(), Happening.RETRY, now=now)


async def cancel_unsent(connection: AsyncConnection, edition_id: int, *, now: datetime) -> None:
    """Nothing more of this edition goes out; what is on the wire already ends by itself."""
    unsent = and_(
        deliveries.c.edition_id == edition_id,
        deliveries.c.state.in_([s.value for s in (State.DUE, State.CLAIMED, State.DEFERRED)]),
    )
    await _exclude(connection, unsent, now=now, otherwise=Exclusion.CANCELLED)


def _in_state(happening: Happening) -> ColumnElement[bool]:
    return deliveries.c.state.in_([state.value for state in origins(happening)])


def _edition_is(state: EditionState) -> ColumnElement[bool]:
    return exists().where(editions.c.id == deliveries.c.edition_id, editions.c.state == state.value)


def _subscribed() -> ColumnElement[bool]:
    return exists().where(
        editions.c.id == deliveries.c.edition_id,
        subscriptions.c.newsletter == editions.c.newsletter,
        subscriptions.c.subscriber_id == deliveries.c.subscriber_id,
        subscriptions.c.state == SubscriptionState.ACTIVE.value,
    )


def _suppressed() -> ColumnElement[bool]:
    return exists().where(subscribers.c.id == deliveries.c.subscriber_id, suppressions.c.digest == subscribers.c.digest)


async def _doubt(connection: AsyncConnection, where: ColumnElement[bool], why: str, *, now: datetime) -> int:
    values = {"state": State.UNCERTAIN.value, "owner": "", "code": "crash", "text": why, "settled_at": now}
    changed = update(deliveries).where(where, _in_state(Happening.DOUBT)).values(**values)
    done = await connection.execute(changed.returning(deliveries.c.edition_id))
    rows = [(row.edition_id, State.UNCERTAIN) for row in done]
    await _book(connection, rows)
    return len(rows)


async def _send_again(
    connection: AsyncConnection, edition_id: int, which: ColumnElement[bool], happening: Happening, *, now: datetime
) -> int:
    """Doubts that are due again, with the whole patience of a fresh delivery before them."""
    here = and_(deliveries.c.edition_id == edition_id, deliveries.c.state == State.UNCERTAIN.value, which)
    values = {"state": step(State.UNCERTAIN, happening).value, "first_due": now, "not_before": None, "attempt": 0}
    done = await connection.execute(update(deliveries).where(here).values(**values, settled_at=None))
    await _shift(connection, edition_id, out_of="uncertain", into="open", by=done.rowcount)
    return done.rowcount


async def _erased(connection: AsyncConnection, ids: Sequence[int], *, owner: str, now: datetime) -> None:
    """People who were erased after the freeze: their row stays in the books."""
    if ids:
        mine = and_(among(connection, deliveries.c.id, ids), deliveries.c.owner == owner)
        await _exclude(connection, mine, now=now, otherwise=Exclusion.UNSUBSCRIBED)


async def _exclude(
    connection: AsyncConnection, where: ColumnElement[bool], *, now: datetime, otherwise: Exclusion | None = None
) -> None:
    rest = (otherwise or Exclusion.UNSUBSCRIBED).value
    reason = rest if otherwise else case((_suppressed(), Exclusion.SUPPRESSED.value), else_=rest)
    changed = update(deliveries).where(where, _in_state(Happening.EXCLUDE))
    changed = changed.values(state=State.EXCLUDED.value, reason=reason, owner="", settled_at=now)
    done = await connection.execute(changed.returning(deliveries.c.edition_id))
    await _book(connection, [(row.edition_id, State.EXCLUDED) for row in done])


async def _book(connection: AsyncConnection, settled: Iterable[tuple[int, State]]) -> None:
    """Moves the kept counts of each edition from `open` to where its deliveries went."""
    moved: dict[tuple[int, State], int] = {}
    for key in settled:
        moved[key] = moved.get(key, 0) + 1
    for (edition_id, state), count in moved.items():
        if state is not State.DEFERRED:
            await _shift(connection, edition_id, out_of="open", into=state.value, by=count)


async def _shift(connection: AsyncConnection, edition_id: int, *, out_of: str, into: str, by: int) -> None:
    if by:
        columns = edition_books.c
        values = {out_of: columns[out_of] - by, into: columns[into] + by}
        await connection.execute(update(edition_books).where(columns.edition_id == edition_id).values(**values))


def _outcome_row(one: Settled, now: datetime) -> dict[str, Any]:
    standing = one.standing
    instant = deliveries.c.not_before.type.process_bind_param  # type: ignore[attr-defined]
    final = standing.state is not State.DEFERRED
    return {
        "id": one.id,
        "state": standing.state.value,
        "attempt": standing.attempt,
        "not_before": instant(standing.not_before, None),
        "code": standing.code[:64],
        "text": standing.text.replace("\0", "")[:500],  # PostgreSQL takes no NUL, and a relay may say anything
        "ref": standing.provider_ref[:200],
        "settled_at": instant(now, None) if final else None,
    }


_SETTLE_SQLITE = """
UPDATE deliveries SET state = o.state, attempt = o.attempt, not_before = o.not_before, code = o.code, text = o.text,
  provider_ref = o.ref, settled_at = o.settled_at, owner = ''
FROM (SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.state') AS state,
  json_extract(value, '$.attempt') AS attempt, json_extract(value, '$.not_before') AS not_before,
  json_extract(value, '$.code') AS code, json_extract(value, '$.text') AS text, json_extract(value, '$.ref') AS ref,
  json_extract(value, '$.settled_at') AS settled_at FROM json_each(:rows)) AS o
WHERE deliveries.id = o.id AND deliveries.state = 'sending' AND deliveries.owner = :owner
RETURNING deliveries.edition_id, deliveries.state
"""
_SETTLE_POSTGRES = """
UPDATE deliveries SET state = o.state, attempt = o.attempt, not_before = o.not_before, code = o.code, text = o.text,
  provider_ref = o.ref, settled_at = o.settled_at, owner = ''
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS o(id bigint, state text, attempt int, not_before bigint,
  code text, text text, ref text, settled_at bigint)
WHERE deliveries.id = o.id AND deliveries.state = 'sending' AND deliveries.owner = :owner
RETURNING deliveries.edition_id, deliveries.state
"""
