"""The outbox: asked for once, done at least once, dead in the end when it only fails."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.slot import Slot
from syndicate.store import jobs
from syndicate.store.db import Database
from syndicate.store.jobs import MOST_ATTEMPTS, Job
from tests.factories import NOW

LATER = NOW + timedelta(minutes=1)


async def add(connection: AsyncConnection, key: str = "publish", *, now: datetime = NOW, **more: Any) -> None:
    await jobs.add(connection, lane="work", kind="publish", key=key, ref={"feed": "terkini"}, now=now, **more)


async def due(connection: AsyncConnection, *, now: datetime = NOW) -> list[int]:
    return await jobs.unpublished(connection, "work", limit=99, now=now)


async def started(connection: AsyncConnection, *, now: datetime = NOW) -> Job:
    (identifier,) = await due(connection, now=now)
    job = await jobs.start(connection, identifier, now=now)
    assert job is not None
    return job


async def test_work_that_waits_is_not_asked_for_twice(db: Database) -> None:
    async with db.write() as connection:
        await add(connection)
        await add(connection)
        (job,) = await jobs.listed(connection, limit=9)

    assert (job.asked, job.attempt, job.ref) == (2, 0, {"feed": "terkini"})


async def test_asking_sooner_brings_it_forward_and_asking_later_does_not_put_it_off(db: Database) -> None:
    async with db.write() as connection:
        await add(connection, not_before=LATER)
        assert await due(connection) == []
        assert await jobs.next_due(connection) == LATER
        await add(connection)
        await add(connection, not_before=LATER)
        assert len(await due(connection)) == 1


async def test_the_attempt_is_counted_before_the_work(db: Database) -> None:
    async with db.write() as connection:
        await add(connection)
        assert (await started(connection)).attempt == 1
        assert (await started(connection)).attempt == 2


async def test_a_job_that_kills_its_worker_dies_too(db: Database) -> None:
    async with db.write() as connection:
        await add(connection)
        for _ in range(MOST_ATTEMPTS):
            job = await started(connection)
        assert await jobs.start(connection, job.id, now=NOW) is None
        (dead,) = await jobs.listed(connection, limit=9)

    assert (dead.state, dead.problem) == ("dead", "its worker died every time")


async def test_done_is_gone(db: Database) -> None:
    async with db.write() as connection:
        await add(connection)
        job = await started(connection)
        await jobs.finish(connection, job)
        assert await jobs.start(connection, job.id, now=NOW) is None
        assert await jobs.listed(connection, limit=9) == []
        assert await jobs.next_due(connection) is None


async def test_what_is_asked_for_while_it_runs_runs_again_at_once(db: Database) -> None:
    async with db.write() as connection:
        await add(connection)
        job = await started(connection)
        await jobs.set_published(connection, [job.id], now=NOW)
        await add(connection)
        await jobs.finish(connection, job)
        assert (await started(connection)).attempt == 1


async def test_finishing_late_never_takes_another_job_away(db: Database) -> None:
    async with db.write() as connection:
        await add(connection)
        job = await started(connection)
        await jobs.finish(connection, job)
        await add(connection, "another")
        await jobs.finish(connection, job)
        assert [one.key for one in await jobs.listed(connection, limit=9)] == ["another"]


async def test_put_off_comes_back_then_and_not_before(db: Database) -> None:
    async with db.write() as connection:
        await add(connection)
        job = await started(connection)
        await jobs.set_published(connection, [job.id], now=NOW)
        await jobs.put_off(connection, job, until=LATER)
        assert await jobs.start(connection, job.id, now=NOW) is None
        assert await due(connection) == []
        assert (await started(connection, now=LATER)).attempt == 1  # putting off is no failure


async def test_put_off_with_a_problem_goes_on_counting(db: Database) -> None:
    async with db.write() as connection:
        await add(connection)
        await jobs.put_off(connection, await started(connection), until=NOW, problem="disk full")
        again = await started(connection)

    assert (again.attempt, again.problem) == (2, "disk full")


async def test_put_off_while_asked_for_again_comes_back_at_once(db: Database) -> None:
    async with db.write() as connection:
        await add(connection)
        for _ in range(MOST_ATTEMPTS + 2):  # and never dies of being wanted
            job = await started(connection)
            await add(connection)
            await jobs.put_off(connection, job, until=LATER)
        assert (await started(connection)).attempt == 1


async def test_a_dead_job_stays_until_a_person_retries_it(db: Database) -> None:
    async with db.write() as connection:
        await add(connection)
        job = await started(connection)
        await jobs.fail(connection, job.id, "ValueError: no")
        assert await due(connection) == []
        assert not await jobs.any_of(connection, "publish")
        assert await jobs.retry(connection, job.id, now=NOW)
        assert not await jobs.retry(connection, 9999, now=NOW)
        assert (await started(connection)).problem == ""


async def test_a_lane_counts_what_is_with_the_engine(db: Database) -> None:
    async with db.write() as connection:
        for number in range(3):
            await add(connection, f"k{number}")
        ids = await due(connection)
        await jobs.set_published(connection, ids[:2], now=NOW)
        assert await jobs.published_count(connection, "work") == 2
        assert await jobs.published_count(connection, "bulk") == 0
        assert await due(connection) == ids[2:]


async def test_what_the_engine_lost_is_handed_over_again(db: Database) -> None:
    async with db.write() as connection:
        await add(connection, "old")
        await add(connection, "new")
        old, new = await due(connection)
        await jobs.set_published(connection, [old], now=NOW)
        await jobs.set_published(connection, [new], now=LATER)
        await jobs.unpublish_older(connection, than=LATER)
        assert await due(connection) == [old]
        await jobs.unpublish_all(connection)
        assert await due(connection) == [old, new]


async def test_jobs_are_found_by_the_beginning_of_their_key(db: Database) -> None:
    async with db.write() as connection:
        await add(connection, "mail:12:1")
        assert await jobs.any_of(connection, "mail:12:")
        assert not await jobs.any_of(connection, "mail:1:")
        assert not await jobs.any_of(connection, "mail_12%")


async def test_a_slot_is_fired_once(db: Database) -> None:
    slot = Slot(at=NOW, name="2026-11-24T0600")
    async with db.write() as connection:
        assert await jobs.newest_slot(connection, "pagi", upto=LATER) is None
        assert await jobs.fire(connection, job="pagi", slot=slot, node="a", why="fired", now=NOW)
        assert not await jobs.fire(connection, job="pagi", slot=slot, node="b", why="late", now=LATER)
        assert await jobs.newest_slot(connection, "pagi", upto=NOW) == NOW
        assert await jobs.newest_slot(connection, "pagi", upto=NOW - timedelta(seconds=1)) is None
        await jobs.forget_runs(connection, before=LATER)
        assert await jobs.newest_slot(connection, "pagi", upto=LATER) is None


async def test_a_thousand_are_asked_for_at_once_as_one_by_one(db: Database) -> None:
    refs = {f"mail:1:{number}": {"first": number} for number in range(1000)}
    async with db.write() as connection:
        await jobs.add(connection, lane="bulk", kind="mail", key="mail:1:7", ref={"first": 7}, now=LATER)
        await jobs.fail(connection, (await jobs.listed(connection, limit=1))[0].id, "ValueError")
        await jobs.add_all(connection, lane="bulk", kind="mail", refs=refs, now=NOW)
        found = {job.key: job for job in await jobs.listed(connection, limit=2000)}

    assert found.keys() == refs.keys()
    assert {key: job.ref for key, job in found.items()} == refs
    assert {(job.asked, job.not_before) for key, job in found.items() if key != "mail:1:7"} == {(1, NOW)}
    again = found["mail:1:7"]
    assert (again.asked, again.not_before, again.state) == (2, NOW, "pending")
