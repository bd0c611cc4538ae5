"""The outbox: work to be done, written in the transaction of what caused it. A broker only rings the bell."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.slot import Slot
from syndicate.store.db import RINGS, insert_new
from syndicate.store.sets import among
from syndicate.store.tables import job_runs, jobs

MOST_ATTEMPTS = 8  # then the job is dead: it crashed or failed that often, a person must look
_PENDING, _DEAD = "pending", "dead"
_AT_ONCE = 200  # rows a statement: 10 parameters each, and SQLite takes 32,766


@dataclass(frozen=True, kw_only=True)
class Job:
    """A row of the outbox."""

    id: int
    lane: str
    kind: str
    key: str
    ref: Mapping[str, Any]
    state: str
    attempt: int
    asked: int
    not_before: datetime
    published_at: datetime | None
    problem: str
    created_at: datetime

    @property
    def is_dead(self) -> bool:
        """True for what failed so often that only a person has it tried again."""
        return self.state == _DEAD


async def add(
    connection: AsyncConnection,
    *,
    lane: str,
    kind: str,
    key: str,
    ref: Mapping[str, Any],
    now: datetime,
    not_before: datetime | None = None,
) -> None:
    """Asks for work. A waiting job with this key is enough; a running one will run again, a dead one is tried anew."""
    await add_all(connection, lane=lane, kind=kind, refs={key: ref}, now=now, not_before=not_before)


async def add_all(
    connection: AsyncConnection,
    *,
    lane: str,
    kind: str,
    refs: Mapping[str, Mapping[str, Any]],
    now: datetime,
    not_before: datetime | None = None,
) -> None:
    """The same for many, by key: an edition to a million readers asks a thousand times at once."""
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    due = not_before or now
    common = {"lane": lane, "kind": kind, "state": _PENDING, "attempt": 0, "asked": 1, "not_before": due}
    rows = [{**common, "key": key, "ref": dict(ref), "problem": "", "created_at": now} for key, ref in refs.items()]
    new = make(jobs)
    earlier = func.least(jobs.c.not_before, new.excluded.not_before)
    if connection.dialect.name == "sqlite":
        earlier = func.min(jobs.c.not_before, new.excluded.not_before)
    attempt = case((jobs.c.state == _DEAD, 0), else_=jobs.c.attempt)
    again = {"asked": jobs.c.asked + 1, "not_before": earlier, "state": _PENDING, "attempt": attempt}
    asked = new.on_conflict_do_update(index_elements=["key"], set_=again)
    for start in range(0, len(rows), _AT_ONCE):
        await connection.execute(asked.values(rows[start : start + _AT_ONCE]))
    connection.info[RINGS] = True


async def unpublished(connection: AsyncConnection, lane: str, *, limit: int, now: datetime) -> list[int]:
    """Ids of jobs that are due and not with the engine, oldest first."""
    query = select(jobs.c.id).where(
        *(jobs.c.lane == lane, jobs.c.state == _PENDING, jobs.c.published_at.is_(None), jobs.c.not_before <= now)
    )
    rows = await connection.execute(query.order_by(jobs.c.not_before, jobs.c.id).limit(limit))
    return [row.id for row in rows]


async def published_count(connection: AsyncConnection, lane: str) -> int:
    """How many jobs of a lane are with the engine and not finished."""
    query = select(func.count()).where(jobs.c.lane == lane, jobs.c.state == _PENDING, jobs.c.published_at.is_not(None))
    return await connection.scalar(query) or 0


async def set_published(connection: AsyncConnection, ids: list[int], *, now: datetime) -> None:
    """Notes that the engine has them."""
    await connection.execute(update(jobs).where(among(connection, jobs.c.id, ids)).values(published_at=now))


async def unpublish_all(connection: AsyncConnection) -> None:
    """At start of an embedded engine, whose queue died with its process."""
    await connection.execute(update(jobs).where(jobs.c.published_at.is_not(None)).values(published_at=None))


async def unpublish_older(connection: AsyncConnection, *, than: datetime) -> None:
    """What the engine has had for too long is handed over again: it may have lost it. Doing a job twice is harmless."""
    stale = and_(jobs.c.published_at.is_not(None), jobs.c.published_at < than, jobs.c.state == _PENDING)
    await connection.execute(update(jobs).where(stale).values(published_at=None))


async def start(connection: AsyncConnection, identifier: int, *, now: datetime) -> Job | None:
    """Counts the attempt before the work begins, so that a job that kills its worker dies too.

    None: done already, dead, or put off; there is nothing to do.
    """
    here = and_(jobs.c.id == identifier, jobs.c.state == _PENDING, jobs.c.not_before <= now)
    counted = update(jobs).where(here).values(attempt=jobs.c.attempt + 1).returning(jobs)
    row = (await connection.execute(counted)).one_or_none()
    if row is None:
        return None
    if row.attempt > MOST_ATTEMPTS:
        await fail(connection, identifier, row.problem or "its worker died every time")
        return None
    return _job(row)


async def finish(connection: AsyncConnection, job: Job) -> None:
    """Done: the row goes. Asked for again meanwhile: it stays and is due at once."""
    same = and_(jobs.c.id == job.id, jobs.c.asked == job.asked)
    done = await connection.execute(delete(jobs).where(same))
    if done.rowcount == 0:
        again = update(jobs).where(jobs.c.id == job.id)
        await connection.execute(again.values(published_at=None, attempt=0, problem=""))
        connection.info[RINGS] = True


async def put_off(connection: AsyncConnection, job: Job, *, until: datetime, problem: str = "") -> None:
    """Not finished, not failed: come back at `until`. A job asked for again meanwhile comes back at once."""
    same = and_(jobs.c.id == job.id, jobs.c.asked == job.asked)
    back = {"published_at": None, "problem": problem, "attempt": job.attempt if problem else 0}
    done = await connection.execute(update(jobs).where(same).values(not_before=until, **back))
    if done.rowcount == 0:
        await connection.execute(update(jobs).where(jobs.c.id == job.id).values(**back))
    connection.info[RINGS] = True


async def fail(connection: AsyncConnection, identifier: int, problem: str) -> None:
    """Dead: stays as it is until a person retries it."""
    values = {"state": _DEAD, "problem": problem, "published_at": None}
    await connection.execute(update(jobs).where(jobs.c.id == identifier).values(**values))


async def retry(connection: AsyncConnection, identifier: int, *, now: datetime) -> bool:
    """The operator's word: try a dead or waiting job now. False: there is no such job."""
    values = {"state": _PENDING, "attempt": 0, "not_before": now, "published_at": None, "problem": ""}
    done = await connection.execute(update(jobs).where(jobs.c.id == identifier).values(**values))
    connection.info[RINGS] = True
    return done.rowcount == 1


async def get(connection: AsyncConnection, identifier: int) -> Job | None:
    """One job; None when it is done or was never there."""
    row = (await connection.execute(select(jobs).where(jobs.c.id == identifier))).one_or_none()
    return _job(row) if row else None


async def listed(connection: AsyncConnection, *, limit: int) -> list[Job]:
    """What waits and what is dead, oldest first."""
    return [_job(row) for row in await connection.execute(select(jobs).order_by(jobs.c.id).limit(limit))]


async def next_due(connection: AsyncConnection) -> datetime | None:
    """When the next waiting job may run; None: nothing waits."""
    query = select(func.min(jobs.c.not_before)).where(jobs.c.state == _PENDING)
    due: datetime | None = await connection.scalar(query)
    return due


async def any_of(connection: AsyncConnection, prefix: str) -> bool:
    """True while a job whose key begins so is waiting or running."""
    query = select(jobs.c.id).where(jobs.c.key.startswith(prefix, autoescape=True), jobs.c.state == _PENDING)
    return await connection.scalar(query.limit(1)) is not None


async def of_prefix(connection: AsyncConnection, prefix: str) -> list[Job]:
    """The jobs whose key begins so, dead ones too, the first to be due first."""
    query = select(jobs).where(jobs.c.key.startswith(prefix, autoescape=True))
    return [_job(row) for row in await connection.execute(query.order_by(jobs.c.not_before, jobs.c.id))]


async def hurry(connection: AsyncConnection, prefix: str, *, now: datetime) -> None:
    """Waiting jobs whose key begins so are due now."""
    here = and_(jobs.c.key.startswith(prefix, autoescape=True), jobs.c.state == _PENDING, jobs.c.not_before > now)
    await connection.execute(update(jobs).where(here).values(not_before=now))
    connection.info[RINGS] = True


async def counts(connection: AsyncConnection) -> dict[tuple[str, str], int]:
    """How many jobs there are, by lane and state. Finished ones are gone, so these are few."""
    rows = await connection.execute(select(jobs.c.lane, jobs.c.state, func.count()).group_by(jobs.c.lane, jobs.c.state))
    return {(row[0], row[1]): row[2] for row in rows}


async def fire(connection: AsyncConnection, *, job: str, slot: Slot, node: str, why: str, now: datetime) -> bool:
    """Notes that a slot was fired. False: it was before; (job, slot) is unique, whoever asks."""
    row = {"job": job, "slot": slot.name, "slot_at": slot.at, "node": node, "at": now, "why": why}
    return await insert_new(connection, job_runs, row)


async def newest_slot(connection: AsyncConnection, job: str, *, upto: datetime) -> datetime | None:
    """The moment of the newest slot that was fired for a job and is not after `upto`."""
    query = select(func.max(job_runs.c.slot_at)).where(job_runs.c.job == job, job_runs.c.slot_at <= upto)
    newest: datetime | None = await connection.scalar(query)
    return newest


async def fired_at(connection: AsyncConnection, job: str, slot: str) -> datetime | None:
    """When a slot was fired; None: it wasn't, or nobody remembers."""
    query = select(job_runs.c.at).where(job_runs.c.job == job, job_runs.c.slot == slot)
    at: datetime | None = await connection.scalar(query)
    return at


async def forget_runs(connection: AsyncConnection, *, before: datetime) -> None:
    """Drops old slots; nothing that old is fired again."""
    await connection.execute(delete(job_runs).where(job_runs.c.at < before))


def _job(row: Row[Any]) -> Job:
    return Job(**row._asdict())
