"""Bells: they ring at every slot, again after a failure, and after the clock was set."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from syndicate.domain.newsletter import Newsletter
from syndicate.domain.slot import next_slot, parse_schedule
from syndicate.schedule import clock as alarm
from syndicate.schedule.clock import Bells
from tests.factories import NOW, SetClock, make_newsletter

DEADLINE = 10  # seconds: only to end a hang
BEFORE_A_CHANGE = datetime(2027, 10, 29, tzinfo=UTC)


class Tower:
    """Bells that note what rang."""

    def __init__(self, *newsletters: Newsletter) -> None:
        self.clock, self.rang = SetClock(), asyncio.Queue[str]()
        self.trouble: list[Exception] = []
        self.bells = Bells(newsletters, clock=self.clock, ring_newsletter=self.ring, tick=self.tick)

    async def ring(self, newsletter: Newsletter) -> None:
        self.rang.put_nowait(newsletter.name)
        if self.trouble:
            raise self.trouble.pop()

    async def tick(self) -> None:
        self.rang.put_nowait("tick")

    async def heard(self, wanted: Callable[[str], bool]) -> str:
        async with asyncio.timeout(DEADLINE):
            while not wanted(name := await self.rang.get()):
                pass
        return name


@pytest.fixture
async def tower(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tower]:
    monkeypatch.setattr(alarm, "_WATCH", 0.01)
    made = Tower(make_newsletter())
    yield made
    made.bells.stop()


@pytest.mark.parametrize("zone", ["Asia/Jakarta", "Europe/Berlin"])
@pytest.mark.parametrize("text", ["02:30", "mon-fri 06:00", "sun 06:00", "30 1,2,3 * * *", "0 6 1 * *", "every 10 min"])
def test_a_bell_rings_at_every_slot(text: str, zone: str) -> None:
    newsletter = make_newsletter(schedule=parse_schedule(text), timezone=zone)
    tower = Tower(newsletter)
    tower.clock.at = BEFORE_A_CHANGE
    trigger, at, rung = tower.bells._trigger(newsletter, newsletter.schedule), BEFORE_A_CHANGE, set()
    before = None
    for _ in range(60):
        before = trigger.get_next_fire_time(before, before or BEFORE_A_CHANGE)
        rung.add(before.astimezone(UTC))

    while (slot := next_slot(newsletter.schedule, zone, at)) is not None and slot.at < max(rung):
        assert slot.at in rung
        at = slot.at


async def test_a_round_up_has_a_bell_of_its_own() -> None:
    tower = Tower(make_newsletter(roundup=parse_schedule("sun 07:00")))
    tower.bells.start()
    hung = {job.id: str(job.trigger) for job in tower.bells._scheduler.get_jobs()}
    tower.bells.stop()

    assert hung.keys() == {"tick", "newsletter:pagi", "newsletter:pagi:weekly"}
    assert "day_of_week='sun', hour='7'" in hung["newsletter:pagi:weekly"]


async def test_the_tick_comes_by_itself_and_stops_when_the_bells_are_taken_down(tower: Tower) -> None:
    tower.bells.start()
    await tower.heard(lambda name: name == "tick")
    tower.bells.stop()
    tower.bells.stop()

    assert tower.bells._scheduler is None


async def test_a_clock_that_was_set_rings_every_newsletter_also_after_a_failed_ring(tower: Tower) -> None:
    tower.trouble.append(OSError("the database is away"))
    tower.bells.start()
    await asyncio.sleep(0)  # the watch has looked at the clock
    for hours in (3, -3):
        tower.clock.forward(hours=hours)
        assert await tower.heard(lambda name: name == "pagi") == "pagi"


@pytest.mark.parametrize(("moved", "was_set"), [(2.0, False), (6.9, False), (-3.1, True), (7.1, True), (-10800, True)])
def test_a_clock_was_set_when_it_moved_otherwise_than_time_passed(moved: float, was_set: bool) -> None:
    assert Bells._was_set(NOW, NOW + timedelta(seconds=moved), 2.0) is was_set
