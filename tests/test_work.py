"""Which step does which job: what must not run twice at once doesn't, however often its job is handed over."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from syndicate.app import App, open_app
from syndicate.domain.source import Gathered, Memory
from syndicate.pipeline.relay import LOST, run_job
from syndicate.settings import load
from syndicate.store import jobs
from syndicate.store.jobs import Job
from syndicate.work import handlers, prepare
from tests.factories import ScriptedSource, SetClock, make_config
from tests.faults.project import MAILDIR, lay_out

DEADLINE = 20  # seconds: only to end a hang


class SlowSource(ScriptedSource):
    """A newsroom that answers when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def gather(self, memory: Memory, *, now: datetime) -> Gathered:
        self.asked.set()
        found = await super().gather(memory, now=now)
        await self.answers.wait()
        return found


@pytest.fixture
def newsroom() -> SlowSource:
    return SlowSource()


@pytest.fixture
async def app(tmp_path: Path, migrated_url: str, newsroom: SlowSource) -> AsyncIterator[App]:
    """A newspaper with one source."""
    project = lay_out(tmp_path / "koran", migrated_url, channel=MAILDIR, stories=[])
    opened = open_app(load(None, cwd=project.folder, environ=project.environ), clock=SetClock())
    app = replace(opened, sources={"lintas": (make_config(), newsroom)})
    await prepare(app)
    async with app.db.write() as connection:
        ref = {"source": "lintas"}
        await jobs.add(connection, lane="work", kind="gather", key="gather:lintas:", ref=ref, now=app.clock.now())
    yield app
    await app.aclose()


async def gathering(app: App) -> list[Job]:
    async with app.db.read() as connection:
        return [job for job in await jobs.listed(connection, limit=9) if job.kind == "gather"]


async def test_a_look_that_outlasts_the_hand_over_of_its_job_is_not_begun_a_second_time(
    app: App, newsroom: SlowSource
) -> None:
    work, clock = handlers(app), app.clock
    assert isinstance(clock, SetClock)
    (job,) = await gathering(app)
    first = asyncio.create_task(run_job(app.db, work, job.id, clock))
    await asyncio.wait_for(newsroom.asked.wait(), DEADLINE)
    clock.forward(seconds=LOST.total_seconds() + 1)

    await asyncio.wait_for(run_job(app.db, work, job.id, clock), DEADLINE)
    (waiting,) = await gathering(app)
    newsroom.answers.set()
    await asyncio.wait_for(first, DEADLINE)

    assert newsroom.looks == 1
    assert (waiting.not_before, waiting.problem) == (clock.now() + timedelta(minutes=1), "")
    assert await gathering(app) == []


async def test_a_look_that_broke_leaves_the_next_one_free(app: App, newsroom: SlowSource) -> None:
    work = handlers(app)
    (job,) = await gathering(app)
    first = asyncio.create_task(run_job(app.db, work, job.id, app.clock))
    await asyncio.wait_for(newsroom.asked.wait(), DEADLINE)
    first.cancel()
    await asyncio.wait({first})
    newsroom.answers.set()

    await asyncio.wait_for(run_job(app.db, work, job.id, app.clock), DEADLINE)

    assert newsroom.looks == 2
    assert await gathering(app) == []
