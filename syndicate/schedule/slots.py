"""Fires slots: each (job, slot) once, whoever rings and however often."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.audience import Rhythm
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.slot import Interval, Schedule, Slot, is_late, latest_slot
from syndicate.domain.source import SourceConfig
from syndicate.pipeline.compose import cut_name
from syndicate.store import desk, jobs, sources
from syndicate.store.db import Database

AHEAD = timedelta(days=1)  # slots fired further ahead than this were fired by a clock that was wrong: they bind nobody
KEPT = timedelta(days=400)  # a fired slot is remembered at least as long as the rarest rhythm


def job_name(newsletter: Newsletter, rhythm: Rhythm = Rhythm.EACH) -> str:
    """The scheduler's name for a newsletter's rhythm."""
    return cut_name(newsletter.name, rhythm)


def schedules(newsletter: Newsletter) -> Mapping[Rhythm, Schedule]:
    """When a newsletter has editions, by rhythm. Breaking news keeps to none."""
    found = {Rhythm.EACH: newsletter.schedule, Rhythm.WEEKLY: newsletter.roundup}
    return {rhythm: schedule for rhythm, schedule in found.items() if schedule is not None}


async def begin_rhythms(db: Database, newsletters: Sequence[Newsletter], *, node: str, now: datetime) -> None:
    """A newsletter that is new owes nobody the slots from before its creation: the newest one counts as fired."""
    async with db.write() as connection:
        await jobs.forget_runs(connection, before=now - KEPT)
        for newsletter, rhythm, schedule in ((n, r, s) for n in newsletters for r, s in schedules(n).items()):
            name = job_name(newsletter, rhythm)
            slot = latest_slot(schedule, newsletter.timezone, now)
            known = await jobs.newest_slot(connection, name, upto=now + AHEAD) is not None
            if slot and not known and not isinstance(schedule, Interval):
                await jobs.fire(connection, job=name, slot=slot, node=node, why="born", now=now)


async def fire_due(
    db: Database, newsletter: Newsletter, *, rhythm: Rhythm = Rhythm.EACH, node: str, now: datetime
) -> Slot | None:
    """Fires the newest slot whose moment has come, if it wasn't fired before, and asks for its composition.

    Older missed slots fold into it: an edition holds everything since the last cut. Whether a late one is held is
    decided when it is frozen. Slot and job are one transaction, so neither exists without the other. While the
    newsletter is paused nothing is fired: at the end of the pause the newest slot is.
    """
    schedule, name = schedules(newsletter).get(rhythm), job_name(newsletter, rhythm)
    slot = latest_slot(schedule, newsletter.timezone, now) if schedule else None
    if slot is None:
        return None
    async with db.write() as connection:
        why = "late" if is_late(slot, now) else "fired"
        if not await _is_new(connection, name, slot, now=now):
            return None
        if await desk.pause_of(connection, newsletter.name) is not None:
            return None
        fired = await jobs.fire(connection, job=name, slot=slot, node=node, why=why, now=now)
        if not fired:
            return None
        ref = {"newsletter": newsletter.name, "slot": slot.name, "at": slot.at.isoformat(), "rhythm": rhythm.value}
        key = f"compose:{newsletter.name}:{slot.name}"
        await jobs.add(connection, lane="work", kind="compose", key=key, ref=ref, now=now)
    return slot


async def ask_for_gathering(db: Database, configs: Sequence[SourceConfig], *, now: datetime) -> list[str]:
    """One job for every source that is due. A source that is being looked at already is not asked for again."""
    async with db.read() as connection:
        due = await sources.due(connection, configs, now=now)
        waiting = [name for name in due if not await jobs.any_of(connection, f"gather:{name}:")]
    if waiting:
        async with db.write() as connection:
            for name in waiting:
                ref = {"source": name}
                await jobs.add(connection, lane="work", kind="gather", key=f"gather:{name}:", ref=ref, now=now)
    return waiting


async def _is_new(connection: AsyncConnection, name: str, slot: Slot, *, now: datetime) -> bool:
    """False for a slot from before the newest fired one: the clock was set back, and its stories are out already."""
    newest = await jobs.newest_slot(connection, name, upto=now + AHEAD)
    return newest is None or slot.at > newest
