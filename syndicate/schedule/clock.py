"""APScheduler as an alarm clock: it rings, and every decision is made elsewhere.

It has no job store and no say in which slot it is: bells are made from the configuration at start, and `slots.py`
works out what is due. A wall clock that was set is noticed by comparing it with the monotonic one, and all bells are
hung anew, since APScheduler would sleep through it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from syndicate.domain.newsletter import Newsletter
from syndicate.domain.slot import DAYS, Interval, Schedule, next_slot
from syndicate.ports import Clock
from syndicate.schedule.slots import job_name, schedules

TICK = timedelta(seconds=1)  # how often due sources are looked for
_WATCH = 2.0  # seconds between two comparisons of the clocks
_JUMP = timedelta(seconds=5)  # a wall clock that moved this much more or less than time passed was set
Ring = Callable[[], Awaitable[None]]
log = structlog.get_logger()


class Bells:
    """Rings `ring_newsletter` at each rhythm and `tick` every second, between start() and stop()."""

    def __init__(
        self,
        newsletters: Sequence[Newsletter],
        *,
        clock: Clock,
        ring_newsletter: Callable[[Newsletter], Awaitable[None]],
        tick: Ring,
    ) -> None:
        self._newsletters, self._clock = newsletters, clock
        self._ring_newsletter, self._tick = ring_newsletter, tick
        self._scheduler: Any = None
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Hangs the bells."""
        self._scheduler = AsyncIOScheduler(timezone="UTC", executors={"default": AsyncIOExecutor()})
        self._hang()
        self._scheduler.start()
        self._watch = asyncio.create_task(self._watch_clock())

    def stop(self) -> None:
        """Takes them down; what rings already goes on."""
        if self._watch is not None:
            self._watch.cancel()
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
        self._watch = self._scheduler = None

    def _hang(self) -> None:
        self._add(self._tick, IntervalTrigger(seconds=int(TICK.total_seconds())), name="tick")
        for newsletter in self._newsletters:
            for rhythm, schedule in schedules(newsletter).items():
                ring = partial(self._ring_newsletter, newsletter)
                self._add(ring, self._trigger(newsletter, schedule), name=job_name(newsletter, rhythm))

    def _add(self, ring: Ring, trigger: Any, *, name: str) -> None:
        self._scheduler.add_job(
            partial(_guarded, ring, name),
            trigger,
            id=name,
            coalesce=True,
            misfire_grace_time=None,
            max_instances=1,
            replace_existing=True,
        )

    def _trigger(self, newsletter: Newsletter, rhythm: Schedule) -> Any:
        """A bell that rings at the rhythm's moments. Twice in the autumn hour is harmless: the slot is the same."""
        if isinstance(rhythm, Interval):
            first = next_slot(rhythm, newsletter.timezone, self._clock.now())
            return IntervalTrigger(seconds=int(rhythm.every.total_seconds()), start_date=first.at)
        return CronTrigger(
            minute=",".join(map(str, rhythm.minutes)),
            hour=",".join(map(str, rhythm.hours)),
            day=",".join(map(str, sorted(rhythm.days))),
            month=",".join(map(str, sorted(rhythm.months))),
            day_of_week=",".join(DAYS[day] for day in sorted(rhythm.weekdays)),
            timezone=ZoneInfo(newsletter.timezone),
        )

    async def _watch_clock(self) -> None:
        """Hangs the bells anew after the wall clock was set, and rings each once for what was missed."""
        loop = asyncio.get_running_loop()
        wall, passed = self._clock.now(), loop.time()
        while True:
            await asyncio.sleep(_WATCH)
            now, later = self._clock.now(), loop.time()
            if self._was_set(wall, now, later - passed):
                log.warning("schedule.clock_was_set", before=wall.isoformat(), after=now.isoformat())
                self._hang()
                for newsletter in self._newsletters:
                    await _guarded(partial(self._ring_newsletter, newsletter), newsletter.name)
            wall, passed = now, later

    @staticmethod
    def _was_set(before: datetime, after: datetime, seconds: float) -> bool:
        return abs((after - before) - timedelta(seconds=seconds)) > _JUMP


async def _guarded(ring: Ring, name: str) -> None:
    try:
        await ring()
    except Exception as error:  # the top of a loop: a failed ring must not silence the bell
        log.warning("schedule.ring_failed", bell=name, problem=str(error).splitlines()[:1])
