"""The ledger of deliveries: what was and wasn't sent. The statement that makes a step also checks that it may be made.

The WHERE of a step names no state that `domain.delivery.STEPS` doesn't lead from, so the table there stays the truth.
Each step moves the edition's kept books in the same transaction.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.audience import Subscriber, SubscriptionState
from syndicate.domain.delivery import Exclusion, Happening, Standing, State, origins, step
from syndicate.domain.edition import EditionState
from syndicate.domain.variant import WHOLE
from syndicate.store import ledger_sql
from syndicate.store.db import change_each, records, rows_of
from syndicate.store.editions import OPEN_STATES
from syndicate.store.sets import among
from syndicate.store.tables import (
    deliveries,
    edition_books,
    editions,
    from_instant,
    holds,
    subscribers,
    subscriptions,
    suppressions,
    to_instant,
)


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A delivery that a worker holds, with the person it is for."""

    id: int
    edition_id: int
    subscriber: Subscriber
    standing: Standing
    variant: int = WHOLE  # its number among the edition's

    @property
    def marked(self) -> Standing:
        """Where it stands once it is marked."""
        return Standing(state=State.SENDING, attempt=self.standing.attempt, first_due=self.standing.first_due)


@dataclass(frozen=True, kw_only=True, eq=False)
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


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of the ledger as it stands."""

    id: int
    edition_id: int
    state: State
    reason: str
    attempt: int
    not_before: datetime | None
    code: str
    text: str
    settled_at: datetime | None
    receipt: str
    variant: int


async def entries(connection: AsyncConnection, subscriber_id: int, edition_ids: Iterable[int]) -> dict[int, Entry]:
    """A person's rows of these editions, by edition."""
    columns = [deliveries.c[name] for name in Entry.__dataclass_fields__]
    mine = deliveries.c.subscriber_id == subscriber_id, among(connection, deliveries.c.edition_id, edition_ids)
    rows = await connection.execute(select(*columns).where(*mine))
    return {row.edition_id: Entry(**row._asdict() | {"state": State(row.state)}) for row in rows}


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
    ids = [number for (number,) in await records(connection, picked)]
    mine = among(connection, deliveries.c.id, ids)
    await connection.execute(update(deliveries).where(mine).values(state=State.CLAIMED.value, owner=owner))
    released = await connection.scalar(select(editions.c.released_at).where(editions.c.id == edition_id))
    rows = await records(connection, _FOR_WHOM.where(mine))
    claimed = [_claimed(edition_id, row, released) for row in sorted(rows, key=itemgetter(0))]
    await _erased(connection, sorted({*ids}.difference(one.id for one in claimed)), owner=owner, now=now)
    return claimed


_FOR_WHOM = select(
    *(deliveries.c.id, deliveries.c.attempt, type_coerce(deliveries.c.first_due, BigInteger)),
    *(subscribers.c.id, subscribers.c.address, subscribers.c.name, subscribers.c.language, subscribers.c.timezone),
    *(subscribers.c.generation, type_coerce(subscribers.c.created_at, BigInteger), deliveries.c.variant),
).join_from(deliveries, subscribers, subscribers.c.id == deliveries.c.subscriber_id)


def _claimed(edition_id: int, row: Sequence[Any], released: datetime | None) -> Claimed:
    number, attempt, due, person, address, name, language, timezone, generation, created, variant = row
    first_due = from_instant(due)
    return Claimed(
        id=number,
        edition_id=edition_id,
        subscriber=Subscriber(
            id=person,
            address=address,
            name=name,
            language=language,
            timezone=timezone,
            generation=generation,
            created_at=from_instant(created),
        ),
        standing=Standing(state=State.CLAIMED, attempt=attempt, first_due=max(first_due, released or first_due)),
        variant=variant,
    )


async def mark(connection: AsyncConnection, ids: Sequence[int], *, owner: str, now: datetime) -> set[int]:
    """The last check before the wire: `claimed → sending` for those that still may be sent, all in one statement.

    (In two on SQLite, where nobody else writes during a transaction that writes.)
    May be sent: held by `owner`, subscription active, address not suppressed, edition frozen, no hold. Whoever has
    left meanwhile becomes `excluded` with the reason; the rest goes back to `due`. Returns the marked ids.
    """
    states = {"owner": owner, "now": to_instant(now), **ledger_sql.MARK_STATES}
    if connection.dialect.name == "sqlite":
        ((ready,),) = await rows_of(connection, ledger_sql.MARKABLE_SQLITE, {"ids": json.dumps(list(ids)), **states})
        await rows_of(connection, ledger_sql.MARK_SQLITE, {"ids": ready, **states})
        sending = set(json.loads(ready))
    else:
        marked = await rows_of(connection, ledger_sql.MARK_POSTGRES, {"ids": list(ids), **states})
        sending = {number for (number,) in marked}
    if len(sending) < len(ids):
        mine = and_(among(connection, deliveries.c.id, ids), _in_state(Happening.MARK), deliveries.c.owner == owner)
        await _exclude(connection, and_(mine, or_(_suppressed(now), ~_subscribed())), now=now)
        await connection.execute(update(deliveries).where(mine).values(state=State.DUE.value, owner=""))
    return sending


async def settle(connection: AsyncConnection, settled: Sequence[Settled], *, owner: str, now: datetime) -> None:
    """Writes outcomes down. Rows that `owner` no longer holds stay as they are: somebody declared it dead."""
    states = {one.id: one.standing.state for one in settled}
    rows = _outcome_rows(settled, now)
    if connection.dialect.name == "sqlite":
        held = {"ids": json.dumps(list(states)), "sending": State.SENDING.value, "owner": owner}
        ((found,),) = await rows_of(connection, ledger_sql.HELD_SQLITE, held)
        done = json.loads(found)
        await change_each(connection, ledger_sql.SETTLE_SQLITE, ((*rest, number, owner) for number, rest in rows))
    else:
        new = json.dumps([dict(zip(ledger_sql.OUTCOME, rest, strict=True)) | {"id": number} for number, rest in rows])
        done = await rows_of(connection, ledger_sql.SETTLE_POSTGRES, {"rows": new, "owner": owner})
    await _book(connection, [(edition_id, states[number]) for number, edition_id in done])


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
    # It was settled when it became a doubt: that is when the mail went out, as far as anybody knows.
    went = func.coalesce(deliveries.c.settled_at, literal(now, deliveries.c.settled_at.type))
    here = and_(among(connection, deliveries.c.id, taken), _in_state(Happening.PROVE_SENT))
    done = await connection.execute(update(deliveries).where(here).values(**values, settled_at=went))
    await _move(connection, edition_id, uncertain=-done.rowcount, accepted=done.rowcount)
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


async def exclude_person(connection: AsyncConnection, subscriber: int, reason: Exclusion, *, now: datetime) -> int:
    """Nothing more goes to a person, of any edition; what is on the wire ends by itself. Returns how many mails.

    The kept counts are locked first, and rows that a worker has in hand are left to it: it finds the person gone when
    it claims or marks them. So no two transactions wait for each other's rows.
    """
    off_the_wire = _in_state(Happening.EXCLUDE), deliveries.c.state != State.SENDING.value
    theirs = and_(deliveries.c.subscriber_id == subscriber, *off_the_wire)
    touched = select(deliveries.c.edition_id).where(theirs).distinct()
    books = select(edition_books.c.edition_id).where(edition_books.c.edition_id.in_(touched))
    await connection.execute(books.order_by(edition_books.c.edition_id).with_for_update())
    free = await connection.execute(select(deliveries.c.id).where(theirs).with_for_update(skip_locked=True))
    ids = [row.id for row in free]
    await _exclude(connection, among(connection, deliveries.c.id, ids), now=now, otherwise=reason)
    return len(ids)


async def forget_words(connection: AsyncConnection, subscriber: int) -> None:
    """What was said of a person's mails may name them: only their number stays, and what became of each mail.

    Rows that a worker has in hand are left to it, as above.
    """
    told = or_(deliveries.c.text != "", deliveries.c.provider_ref != "")
    theirs = select(deliveries.c.id).where(deliveries.c.subscriber_id == subscriber, told)
    free = await connection.execute(theirs.with_for_update(skip_locked=True))
    mine = among(connection, deliveries.c.id, [row.id for row in free])
    await connection.execute(update(deliveries).where(mine).values(text="", provider_ref=""))


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


def _suppressed(now: datetime) -> ColumnElement[bool]:
    """A suspension that is over, and not taken away yet, is none."""
    holds_still = or_(suppressions.c.until.is_(None), suppressions.c.until > now)
    mine = subscribers.c.id == deliveries.c.subscriber_id
    return exists().where(mine, suppressions.c.digest == subscribers.c.digest, holds_still)


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
    await _move(connection, edition_id, uncertain=-done.rowcount, open=done.rowcount)
    return done.rowcount


async def _erased(connection: AsyncConnection, ids: Sequence[int], *, owner: str, now: datetime) -> None:
    """People who were erased after the freeze: their row stays in the books."""
    if ids:
        mine = and_(among(connection, deliveries.c.id, ids), deliveries.c.owner == owner)
        await _exclude(connection, mine, now=now, otherwise=Exclusion.ERASED)


async def _exclude(
    connection: AsyncConnection, where: ColumnElement[bool], *, now: datetime, otherwise: Exclusion | None = None
) -> None:
    rest = (otherwise or Exclusion.UNSUBSCRIBED).value
    reason = rest if otherwise else case((_suppressed(now), Exclusion.SUPPRESSED.value), else_=rest)
    changed = update(deliveries).where(where, _in_state(Happening.EXCLUDE))
    changed = changed.values(state=State.EXCLUDED.value, reason=reason, owner="", settled_at=now)
    done = await connection.execute(changed.returning(deliveries.c.edition_id))
    await _book(connection, [(row.edition_id, State.EXCLUDED) for row in done])


async def _book(connection: AsyncConnection, settled: Iterable[tuple[int, State]]) -> None:
    """Moves the kept counts of each edition from `open` to where its deliveries went."""
    moved: dict[int, dict[str, int]] = {}
    for (edition_id, state), count in Counter(settled).items():
        if state is not State.DEFERRED:
            counts = moved.setdefault(edition_id, {"open": 0})
            counts |= {state.value: count, "open": counts["open"] - count}
    for edition_id, counts in sorted(moved.items()):  # in order, so that no two workers wait for each other's rows
        await _move(connection, edition_id, **counts)


async def _move(connection: AsyncConnection, edition_id: int, **by: int) -> None:
    """Adds to the kept counts of an edition."""
    if any(by.values()):
        await rows_of(
            connection, ledger_sql.MOVE, {"edition_id": edition_id, **dict.fromkeys(ledger_sql.COUNTS, 0), **by}
        )


def _outcome_rows(settled: Sequence[Settled], now: datetime) -> list[tuple[int, tuple[object, ...]]]:
    """Each with the values of `ledger_sql.OUTCOME`. What many have in common is worked out once."""
    rests: dict[int, tuple[object, ...]] = {}
    rows = []
    for one in settled:
        rest = rests.get(id(one.standing)) or rests.setdefault(id(one.standing), _outcome_row(one.standing, now))
        rows.append((one.id, rest))
    return rows


def _outcome_row(standing: Standing, now: datetime) -> tuple[object, ...]:
    return (
        standing.state.value,
        standing.attempt,
        None if standing.not_before is None else to_instant(standing.not_before),
        standing.code[:64],
        standing.text.replace("\0", "")[:500],  # PostgreSQL takes no NUL, and a relay may say anything
        standing.provider_ref[:200],
        None if standing.state is State.DEFERRED else to_instant(now),
    )
