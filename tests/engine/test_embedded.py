"""The promises of the Engine port, kept by the queue in this process."""

import asyncio
from collections.abc import Callable

import pytest

from syndicate.engine import EmbeddedEngine
from syndicate.ports import Engine, Lane

DEADLINE = 10  # seconds: only to end a hang
SLOW, FAST = Lane(name="bulk", slots=1, window=99), Lane(name="breaking", slots=1, window=99)


@pytest.fixture(params=[EmbeddedEngine])
def engine(request: pytest.FixtureRequest) -> Engine:
    made: Callable[[], Engine] = request.param
    return made()


class Worker:
    """Handles jobs when a test lets it, and counts how many run at once."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.started: asyncio.Queue[int] = asyncio.Queue()
        self.go_on = asyncio.Event()
        self.running = self.most = 0

    async def handle(self, job: int) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        self.started.put_nowait(job)
        if job < 100:  # those from 100 on are quick
            await self.go_on.wait()
        self.running -= 1
        self.done.append(job)

    async def begun(self) -> int:
        return await asyncio.wait_for(self.started.get(), DEADLINE)


async def test_every_published_job_is_handled(engine: Engine) -> None:
    worker = Worker()
    for job in range(100, 120):
        await engine.publish("bulk", job)
    working = asyncio.create_task(engine.work([SLOW], worker.handle))
    for _ in range(20):
        await worker.begun()
    await engine.stop()
    await asyncio.wait_for(working, DEADLINE)

    assert sorted(worker.done) == list(range(100, 120))


async def test_a_full_lane_keeps_no_other_waiting(engine: Engine) -> None:
    worker = Worker()
    working = asyncio.create_task(engine.work([SLOW, FAST], worker.handle))
    for job in (1, 2, 3):
        await engine.publish("bulk", job)
    await worker.begun()
    await engine.publish("breaking", 100)

    assert await worker.begun() == 100
    worker.go_on.set()
    await engine.stop()
    await asyncio.wait_for(working, DEADLINE)


async def test_a_lane_runs_as_many_jobs_at_once_as_it_has_slots(engine: Engine) -> None:
    worker = Worker()
    working = asyncio.create_task(engine.work([Lane(name="push", slots=3, window=9)], worker.handle))
    for job in range(6):
        await engine.publish("push", job)
    for _ in range(3):
        await worker.begun()
    await asyncio.sleep(0)
    assert worker.most == 3

    worker.go_on.set()
    for _ in range(3):
        await worker.begun()
    await engine.stop()
    await asyncio.wait_for(working, DEADLINE)
    assert worker.most == 3


async def test_stopping_lets_the_running_jobs_end_and_starts_no_other(engine: Engine) -> None:
    worker = Worker()
    working = asyncio.create_task(engine.work([SLOW], worker.handle))
    for job in (1, 2):
        await engine.publish("bulk", job)
    await worker.begun()
    await engine.stop()
    drained, _ = await asyncio.wait({working}, timeout=0.05)
    worker.go_on.set()
    await asyncio.wait_for(working, DEADLINE)

    assert drained == set()
    assert worker.done == [1]


async def test_a_handler_that_fails_ends_nobody_elses_work(engine: Engine) -> None:
    worker = Worker()

    async def fails_once(job: int) -> None:
        if job == 100:
            raise OSError("the database is away")
        await worker.handle(job)

    working = asyncio.create_task(engine.work([SLOW], fails_once))
    for job in (100, 101):
        await engine.publish("bulk", job)

    assert await worker.begun() == 101
    await engine.stop()
    await asyncio.wait_for(working, DEADLINE)


async def test_a_stopped_engine_starts_nothing(engine: Engine) -> None:
    worker = Worker()
    await engine.stop()
    await engine.publish("bulk", 100)
    await asyncio.wait_for(engine.work([SLOW], worker.handle), DEADLINE)

    assert worker.done == []
