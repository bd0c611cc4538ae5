"""What of an edition isn't settled, by what it waits for, and a person's word that it is to be tried again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.delivery import Happening, State, origins, step
from syndicate.store import ledger_sql
from syndicate.store.db import rows_of
from syndicate.store.editions import OPEN_STATES
from syndicate.store.jobs import Job, of_prefix
from syndicate.store.sets import among
from syndicate.store.tables import deliveries, pushes, subscribers, suppressions


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Deliveries that wait for the same."""

    state: State
    code: str  # what was said last; "" for what was never tried
    text: str  # the words of one of them
    count: int
    until: datetime | None  # when the first of them may be tried; None: at once


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """Deliveries that were refused with the same code."""

    code: str
    text: str  # the words of one of them
    count: int


async def waiting(
    connection: AsyncConnection, edition_id: int, *, spans: Sequence[tuple[int, int]] | None = None
) -> list[Waiting]:
    """The open deliveries of an edition by what they wait for, most first.

    With `spans` only of those ranges of numbers: a page must not walk through a million rows.
    """
    here = and_(deliveries.c.edition_id == edition_id, deliveries.c.state.in_([state.value for state in OPEN_STATES]))
    if spans is not None:
        here = and_(here, or_(*(deliveries.c.id.between(first, last) for first, last in spans)))
    put_off = deliveries.c.not_before.is_(None)
    query = (
        select(
            deliveries.c.state,
            deliveries.c.code,
            func.max(deliveries.c.text).label("text"),
            func.count().label("count"),
            func.min(deliveries.c.not_before).label("until"),
        )
        .where(here)
        .group_by(deliveries.c.state, deliveries.c.code, put_off)
    )
    found = [Waiting(**row._asdict() | {"state": State(row.state)}) for row in await connection.execute(query)]
    return sorted(found, key=lambda one: (-one.count, one.code))


async def waiting_batches(connection: AsyncConnection, edition_id: int) -> list[Job]:
    """The jobs that an edition's mails wait in, the dead ones too."""
    return await of_prefix(connection, f"mail:{edition_id}:")


async def refusals(connection: AsyncConnection, edition_id: int) -> list[Refusals]:
    """What was refused of an edition, by code, most first. Without addresses we must not write to by now."""
    query = select(deliveries.c.code, func.max(deliveries.c.text).label("text"), func.count().label("count"))
    rows = await connection.execute(query.where(_refused(edition_id)).group_by(deliveries.c.code))
    return sorted((Refusals(**row._asdict()) for row in rows), key=lambda one: (-one.count, one.code))


async def retry_refused(connection: AsyncConnection, edition_id: int, codes: Collection[str], *, now: datetime) -> int:
    """The operator's word: what was refused with one of these codes (none: whatever it was) is due again.

    Addresses we must not write to are left as they are. The caller has locked the edition. Returns how many.
    """
    here = _refused(edition_id)
    if codes:
        here = and_(here, among(connection, deliveries.c.code, codes))
    values = {"state": step(State.REFUSED, Happening.RETRY).value, "first_due": now, "not_before": None, "attempt": 0}
    done = await connection.execute(update(deliveries).where(here).values(**values, settled_at=None))
    if done.rowcount:
        moved = {"refused": -done.rowcount, "open": done.rowcount}
        values = {"edition_id": edition_id, **dict.fromkeys(ledger_sql.COUNTS, 0), **moved}
        await rows_of(connection, ledger_sql.MOVE, values)
    return done.rowcount


async def hurry_deferred(connection: AsyncConnection, edition_id: int) -> int:
    """What was put off is tried at once. Its 72 hours go on counting. Returns how many that are."""
    here = and_(
        deliveries.c.edition_id == edition_id,
        deliveries.c.state == State.DEFERRED.value,
        deliveries.c.not_before.is_not(None),
    )
    return (await connection.execute(update(deliveries).where(here).values(not_before=None))).rowcount


async def may_be_out(connection: AsyncConnection, edition_id: int) -> bool:
    """True once a mail or push of an edition was handed over, or may have been, or is about to be."""
    unsent = [State.DUE.value, State.EXCLUDED.value]
    mailed = select(deliveries.c.id).where(
        deliveries.c.edition_id == edition_id, or_(deliveries.c.state.not_in(unsent), deliveries.c.attempt > 0)
    )
    pushed = select(pushes.c.id).where(
        pushes.c.edition_id == edition_id,
        or_(pushes.c.state.not_in(unsent), pushes.c.attempt > 0, pushes.c.arrived),
    )
    return any([await connection.scalar(query.limit(1)) is not None for query in (mailed, pushed)])


def _refused(edition_id: int) -> ColumnElement[bool]:
    suppressed = exists().where(
        subscribers.c.id == deliveries.c.subscriber_id, suppressions.c.digest == subscribers.c.digest
    )
    states = [state.value for state in origins(Happening.RETRY) if state is State.REFUSED]
    return and_(deliveries.c.edition_id == edition_id, deliveries.c.state.in_(states), ~suppressed)
