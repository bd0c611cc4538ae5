"""Jobs → engine → handlers. The jobs table is the truth; the engine only carries ids, and may carry one twice."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.ports import Clock, Engine, Lane
from syndicate.store import jobs
from syndicate.store.db import Database
from syndicate.store.jobs import Job

# Slots: jobs at once. What goes to one person or can't wait never stands behind an edition.
LANES = (
    Lane(name="breaking", slots=2, window=8),
    Lane(name="mail", slots=2, window=8),
    Lane(name="bulk", slots=4, window=16),
    Lane(name="push", slots=8, window=32),
    Lane(name="work", slots=4, window=16),
)
POLL = 1.0  # seconds: when no bell rings
LOST = timedelta(minutes=5)  # a job that the engine has had for so long is handed over again
_FIRST_WAIT, _LONGEST_WAIT = 2, 300  # seconds between the tries of a failing job
log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Later:
    """A handler's answer: not finished, come back at `until`. It is no failure."""

    until: datetime


JobHandler = Callable[[Job], Awaitable[Later | None]]


async def relay_due(db: Database, engine: Engine, lanes: Sequence[Lane], *, now: datetime) -> int:
    """Hands due jobs to the engine, at most a window per lane. First handed over, then noted: twice is harmless."""
    handed = 0
    for lane in lanes:
        async with db.read() as connection:
            room = lane.window - await jobs.published_count(connection, lane.name)
            due = await jobs.unpublished(connection, lane.name, limit=max(room, 0), now=now)
        for identifier in due:
            await engine.publish(lane.name, identifier)
        if due:
            async with db.write() as connection:
                await jobs.set_published(connection, due, now=now)
        handed += len(due)
    return handed


async def keep_relaying(db: Database, engine: Engine, lanes: Sequence[Lane], clock: Clock) -> None:
    """Until cancelled: relays when a commit rings, and at least once a second."""
    swept = clock.now()
    while True:
        db.jobs_added.clear()
        try:
            now = clock.now()
            if now - swept >= LOST:
                swept = now
                async with db.write() as connection:
                    await jobs.unpublish_older(connection, than=now - LOST)
            await relay_due(db, engine, lanes, now=now)
        except Exception as error:  # the top of a loop: a database that is away for a moment must not end it
            log.warning("relay.failed", problem=str(error).splitlines()[:1])
        try:
            async with asyncio.timeout(POLL):
                await db.jobs_added.wait()
        except TimeoutError:
            continue


async def run_job(db: Database, handlers: Mapping[str, JobHandler], identifier: int, clock: Clock) -> None:
    """Does one job and records how it ended. Safe to call twice for the same id."""
    async with db.write() as connection:
        job = await jobs.start(connection, identifier, now=clock.now())
    if job is None:
        return
    try:
        later = await handlers[job.kind](job)
    except Exception as error:  # the top of a loop: one bad job must not end the worker
        log.exception("job.failed", job=job.id, kind=job.kind, key=job.key, attempt=job.attempt)
        async with db.write() as connection:
            await _failed(connection, job, error, clock.now())
        return
    async with db.write() as connection:
        if later is None:
            await jobs.finish(connection, job)
        else:
            await jobs.put_off(connection, job, until=later.until)


async def run_due(db: Database, handlers: Mapping[str, JobHandler], lanes: Sequence[Lane], clock: Clock) -> int:
    """Does everything that is due now, one job after the other, without an engine: what `once` does."""
    done = 0
    while True:
        found: list[int] = []
        for lane in lanes:
            async with db.read() as connection:
                found += await jobs.unpublished(connection, lane.name, limit=lane.window, now=clock.now())
        if not found:
            return done
        for identifier in found:
            await run_job(db, handlers, identifier, clock)
        done += len(found)


async def _failed(connection: AsyncConnection, job: Job, error: Exception, now: datetime) -> None:
    problem = f"{type(error).__name__}: {error}"[:500]
    if job.attempt >= jobs.MOST_ATTEMPTS:
        await jobs.fail(connection, job.id, problem)
        return
    wait = min(_FIRST_WAIT * 2 ** (job.attempt - 1), _LONGEST_WAIT)
    await jobs.put_off(connection, job, until=now + timedelta(seconds=wait), problem=problem)
