"""Jobs → engine → handlers: the table is the truth, and doing a job twice is harmless."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from syndicate.engine import EmbeddedEngine
from syndicate.pipeline import relay
from syndicate.pipeline.relay import LANES, LOST, Later, keep_relaying, relay_due, run_due, run_job
from syndicate.ports import Engine, Lane
from syndicate.store import jobs
from syndicate.store.db import Database
from syndicate.store.jobs import MOST_ATTEMPTS, Job
from tests.factories import NOW, SetClock

DEADLINE = 10  # seconds: only to end a hang
LANE = Lane(name="work", slots=1, window=3)


class Shelf:
    """An engine that only remembers what it was given."""

    def __init__(self) -> None:
        self.had: list[tuple[str, int]] = []
        self.rang = asyncio.Event()

    async def publish(self, lane: str, job: int) -> None:
        self.had.append((lane, job))
        self.rang.set()

    async def work(self, lanes: Any, handler: Any) -> None:
        """Nobody works here."""

    async def stop(self) -> None:
        """Nothing runs."""


@asynccontextmanager
async def relaying(db: Database, engine: Engine, clock: SetClock | None = None) -> AsyncIterator[None]:
    """The relay runs meanwhile."""
    task = asyncio.create_task(keep_relaying(db, engine, LANES, clock or SetClock()))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait_for(asyncio.wait({task}), DEADLINE)


async def add(db: Database, *keys: str, lane: str = "work", **more: Any) -> None:
    async with db.write() as connection:
        for key in keys:
            await jobs.add(connection, lane=lane, kind="do", key=key, ref={}, now=NOW, **more)


async def listed(db: Database) -> list[Job]:
    async with db.read() as connection:
        return await jobs.listed(connection, limit=99)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not await condition():  # noqa: ASYNC110 (the condition stands in the database)
            await asyncio.sleep(0.01)


async def test_a_lane_gets_no_more_than_its_window(db: Database) -> None:
    await add(db, *"abcde")
    shelf = Shelf()
    handed = [await relay_due(db, shelf, [LANE], now=NOW) for _ in range(2)]

    assert (handed, len(shelf.had)) == ([3, 0], 3)


async def test_a_flood_in_one_lane_leaves_the_others_their_windows(db: Database) -> None:
    await add(db, *(f"b{n}" for n in range(40)), lane="bulk")
    await add(db, "urgent", lane="breaking")
    shelf = Shelf()
    await relay_due(db, shelf, LANES, now=NOW)

    assert [lane for lane, _ in shelf.had].count("bulk") == 16
    assert [lane for lane, _ in shelf.had].count("breaking") == 1


async def test_a_finished_job_makes_room_for_the_next(db: Database) -> None:
    await add(db, *"abcd")
    shelf = Shelf()
    await relay_due(db, shelf, [LANE], now=NOW)
    await run_job(db, {"do": _done}, shelf.had[0][1], SetClock())

    assert await relay_due(db, shelf, [LANE], now=NOW) == 1


async def test_a_job_that_is_not_due_stays(db: Database) -> None:
    await add(db, "a", not_before=NOW + timedelta(seconds=1))

    assert await relay_due(db, Shelf(), [LANE], now=NOW) == 0


async def test_a_job_delivered_twice_is_done_once(db: Database) -> None:
    await add(db, "a")
    calls: list[int] = []

    async def note(job: Job) -> None:
        calls.append(job.id)

    (job,) = await listed(db)
    for _ in range(2):
        await run_job(db, {"do": note}, job.id, SetClock())

    assert calls == [job.id]
    assert await listed(db) == []


async def test_later_is_no_failure(db: Database) -> None:
    await add(db, "a")
    clock, until_then = SetClock(), NOW + timedelta(minutes=1)

    async def not_yet(job: Job) -> Later:
        return Later(until=until_then)

    (job,) = await listed(db)
    await run_job(db, {"do": not_yet}, job.id, clock)

    (waiting,) = await listed(db)
    assert (waiting.not_before, waiting.attempt, waiting.problem) == (until_then, 0, "")


async def test_a_failing_job_waits_ever_longer_and_then_is_dead(db: Database) -> None:
    await add(db, "a")
    clock, waits = SetClock(), []

    async def fails(job: Job) -> None:
        raise ValueError("no such folder")

    for _ in range(MOST_ATTEMPTS + 3):
        await run_job(db, {"do": fails}, (await listed(db))[0].id, clock)
        waits.append((await listed(db))[0].not_before - clock.now())
        clock.at = max(clock.at, (await listed(db))[0].not_before)

    (dead,) = await listed(db)
    assert [wait.total_seconds() for wait in waits[:7]] == [2, 4, 8, 16, 32, 64, 128]
    assert (dead.state, dead.attempt, dead.problem) == ("dead", MOST_ATTEMPTS, "ValueError: no such folder")


async def test_a_job_of_an_unknown_kind_fails_like_any_other(db: Database) -> None:
    await add(db, "a")
    await run_job(db, {}, (await listed(db))[0].id, SetClock())

    assert (await listed(db))[0].problem == "KeyError: 'do'"


async def test_everything_that_is_due_is_done_also_what_is_asked_for_meanwhile(db: Database) -> None:
    await add(db, "a", "b")
    done: list[str] = []

    async def asks(job: Job) -> None:
        done.append(job.key)
        if job.key == "a":
            await add(db, "c")

    assert await run_due(db, {"do": asks}, LANES, SetClock()) == 3
    assert sorted(done) == ["a", "b", "c"]


async def test_a_commit_wakes_the_relay(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "POLL", 3600.0)  # only the bell can wake it
    shelf = Shelf()
    async with relaying(db, shelf):
        await asyncio.sleep(0)
        await add(db, "a")
        await asyncio.wait_for(shelf.rang.wait(), DEADLINE)


async def test_without_a_bell_the_relay_looks_by_itself(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "POLL", 0.01)
    shelf = Shelf()
    other = Database(db.url.render_as_string(hide_password=False))  # another process: it rings no bell here
    async with relaying(db, shelf):
        await add(other, "a")
        await other.aclose()
        await asyncio.wait_for(shelf.rang.wait(), DEADLINE)


async def test_a_database_that_is_away_for_a_moment_does_not_end_the_relay(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "POLL", 0.01)
    real, away = jobs.unpublished, [1]

    async def sometimes(*args: Any, **kwargs: Any) -> list[int]:  # a lost connection can't be had on a local file
        if away:
            away.pop()
            raise OSError("connection lost")
        return await real(*args, **kwargs)

    monkeypatch.setattr(jobs, "unpublished", sometimes)
    await add(db, "a")
    shelf = Shelf()
    async with relaying(db, shelf):
        await asyncio.wait_for(shelf.rang.wait(), DEADLINE)


async def test_what_the_engine_lost_is_handed_over_again(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "POLL", 0.01)
    await add(db, "a")
    shelf, clock = Shelf(), SetClock()

    async def published() -> bool:
        return (await listed(db))[0].published_at is not None

    async with relaying(db, shelf, clock):
        await until(published)
        shelf.rang.clear()
        clock.forward(seconds=LOST.total_seconds() + 1)
        await asyncio.wait_for(shelf.rang.wait(), DEADLINE)

    assert len(shelf.had) == 2


async def test_jobs_go_all_the_way_through_the_embedded_engine(db: Database) -> None:
    engine, clock, done = EmbeddedEngine(), SetClock(), []

    async def note(job: Job) -> None:
        done.append(job.key)

    async def empty() -> bool:
        return await listed(db) == []

    async with relaying(db, engine, clock):
        working = asyncio.create_task(engine.work(LANES, lambda job: run_job(db, {"do": note}, job, clock)))
        await add(db, *(f"k{n}" for n in range(30)))
        await until(empty)
        await engine.stop()
        await asyncio.wait_for(working, DEADLINE)

    assert sorted(done) == sorted(f"k{n}" for n in range(30))


async def _done(job: Job) -> None:
    """Nothing to do."""
