"""Which step does which job: what must not run twice at once doesn't, however often its job is handed over."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from syndicate.app import App, open_app
from syndicate.domain.audience import Rhythm
from syndicate.domain.edition import EditionState
from syndicate.domain.slot import parse_schedule
from syndicate.domain.source import Gathered, Memory
from syndicate.pipeline.breaking import ask_for_breaking
from syndicate.pipeline.relay import LANES, LOST, run_due, run_job
from syndicate.schedule.slots import fire_due
from syndicate.settings import load
from syndicate.store import editions, jobs
from syndicate.store.jobs import Job
from syndicate.store.tables import subscriptions
from syndicate.work import handlers, prepare
from tests.factories import ScriptedSource, SetClock, add_article, add_reader, make_article, make_config
from tests.faults.project import MAILDIR, lay_out

DEADLINE = 20  # seconds: only to end a hang
SELDOM = parse_schedule("0 6 1 1 *")


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


async def test_breaking_news_and_the_round_up_go_all_the_way_by_their_own_jobs(app: App, newsroom: SlowSource) -> None:
    newsroom.answers.set()
    (newsletter,) = app.newsletters.values()
    told = replace(newsletter, breaking=("gempa",), roundup=parse_schedule("sun 07:00"), schedule=SELDOM)
    paper = replace(app, newsletters={newsletter.name: told}, studio=replace(app.studio, sources=()))
    assert isinstance(app.clock, SetClock)
    await prepare(paper)
    app.clock.forward(minutes=1)
    async with app.db.write() as connection:
        for number, rhythm in enumerate(("each", "weekly")):
            person = await add_reader(connection, number, newsletter.name)
            mine = update(subscriptions).where(subscriptions.c.subscriber_id == person.id)
            await connection.execute(mine.values(rhythm=rhythm))
        await add_article(connection, make_article(1, tags=("gempa",), changed_at=app.clock.at))
    await ask_for_breaking(app.db, [told], now=app.clock.at)
    await run_due(app.db, handlers(paper), LANES, app.clock)
    app.clock.forward(days=6)
    await fire_due(app.db, told, rhythm=Rhythm.WEEKLY, node="a", now=app.clock.at)
    await run_due(app.db, handlers(paper), LANES, app.clock)

    async with app.db.read() as connection:
        found = {one.rhythm: one for one in await editions.newest(connection, limit=9)}
        books = {rhythm: await editions.books(connection, one.id) for rhythm, one in found.items()}
    assert (found[Rhythm.BREAKING].slot, found[Rhythm.BREAKING].state) == ("seq-1", EditionState.DONE)
    assert found[Rhythm.WEEKLY].slot.startswith("2026-W")
    assert {rhythm: one and one.candidates for rhythm, one in books.items()} == {Rhythm.BREAKING: 1, Rhythm.WEEKLY: 1}
