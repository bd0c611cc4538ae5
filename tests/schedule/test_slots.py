"""Each slot fires once, whoever rings, however often, and whatever the clock does."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syndicate.domain.audience import Rhythm
from syndicate.domain.slot import parse_schedule
from syndicate.schedule.slots import ask_for_gathering, begin_rhythms, fire_due
from syndicate.store import jobs, sources
from syndicate.store.db import Database
from syndicate.store.tables import job_runs
from tests.factories import NOW, make_config, make_newsletter

SIX = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)  # 06:00 in Jakarta
PAGI = make_newsletter()


async def fire(db: Database, now: datetime, node: str = "a", **newsletter: Any) -> str | None:
    slot = await fire_due(db, make_newsletter(**newsletter), node=node, now=now)
    return slot.name if slot else None


async def whys(db: Database) -> list[str]:
    async with db.read() as connection:
        return [row.why for row in await connection.execute(job_runs.select().order_by(job_runs.c.at))]


async def test_a_slot_fires_once_and_asks_for_its_edition(db: Database) -> None:
    assert await fire(db, SIX - timedelta(seconds=1)) == "2026-11-23T0600"
    assert await fire(db, SIX) == "2026-11-24T0600"
    assert await fire(db, SIX + timedelta(hours=5), node="b") is None
    async with db.read() as connection:
        found = await jobs.listed(connection, limit=9)
    assert [job.key for job in found] == ["compose:pagi:2026-11-23T0600", "compose:pagi:2026-11-24T0600"]
    wanted = {"newsletter": "pagi", "slot": "2026-11-24T0600", "at": SIX.isoformat(), "rhythm": "each"}
    assert found[1].ref == wanted


async def test_a_round_up_fires_once_a_week_beside_the_editions(db: Database) -> None:
    newsletter = make_newsletter(roundup=parse_schedule("sun 07:00"))
    await begin_rhythms(db, [newsletter], node="a", now=NOW)
    sunday = SIX + timedelta(days=5, hours=1)  # 29 November, 07:00 in Jakarta
    weekly: dict[str, Any] = {"rhythm": Rhythm.WEEKLY, "node": "a"}
    early = await fire_due(db, newsletter, **weekly, now=sunday - timedelta(seconds=1))
    slot = await fire_due(db, newsletter, **weekly, now=sunday)
    again = await fire_due(db, newsletter, **weekly, now=sunday + timedelta(days=1))
    each = await fire_due(db, newsletter, node="a", now=sunday)
    async with db.read() as connection:
        found = {job.key: job.ref["rhythm"] for job in await jobs.listed(connection, limit=9)}

    assert (early, again) == (None, None)
    assert (slot and slot.name, each and each.name) == ("2026-W48", "2026-11-29T0600")
    assert found == {"compose:pagi:2026-W48": "weekly", "compose:pagi:2026-11-29T0600": "each"}


async def test_a_newsletter_without_a_round_up_never_fires_one(db: Database) -> None:
    assert await fire_due(db, PAGI, rhythm=Rhythm.WEEKLY, node="a", now=NOW) is None


async def test_two_schedulers_that_ring_together_fire_once(db: Database) -> None:
    for day in range(8):
        now = SIX + timedelta(days=day)
        fired = await asyncio.gather(*(fire(db, now, node=node) for node in "abc"))
        assert len([name for name in fired if name]) == 1


async def test_a_new_newsletter_owes_no_old_slot(db: Database) -> None:
    await begin_rhythms(db, [PAGI], node="a", now=NOW)

    assert await fire(db, NOW) is None
    assert await fire(db, SIX + timedelta(days=1)) == "2026-11-25T0600"
    assert await whys(db) == ["born", "fired"]


async def test_a_newsletter_that_is_known_is_not_born_again(db: Database) -> None:
    await begin_rhythms(db, [PAGI], node="a", now=NOW)
    tomorrow = NOW + timedelta(days=1)
    await begin_rhythms(db, [PAGI], node="a", now=tomorrow)

    assert await fire(db, tomorrow) == "2026-11-25T0600"


async def test_missed_slots_fold_into_the_newest(db: Database) -> None:
    await fire(db, SIX)

    assert await fire(db, SIX + timedelta(days=4)) == "2026-11-28T0600"
    assert await fire(db, SIX + timedelta(days=4)) is None


async def test_a_clock_set_back_fires_nothing_twice_and_nothing_older(db: Database) -> None:
    every_hour: dict[str, Any] = {"schedule": parse_schedule("0 * * * *")}
    names = [await fire(db, SIX + timedelta(hours=n), **every_hour) for n in range(4)]
    back = [await fire(db, SIX + timedelta(hours=n), **every_hour) for n in (-5, 0, 1, 2, 3)]

    assert len(set(names)) == 4
    assert back == [None] * 5
    assert await fire(db, SIX + timedelta(hours=4), **every_hour) is not None


async def test_a_clock_that_was_twenty_years_ahead_for_a_moment_silences_nobody(db: Database) -> None:
    await fire(db, SIX)
    await fire(db, SIX + timedelta(days=7305))

    assert await fire(db, SIX) is None
    assert await fire(db, SIX + timedelta(days=1)) == "2026-11-25T0600"


@pytest.mark.parametrize(("jump", "why"), [(timedelta(hours=2), "fired"), (timedelta(hours=3), "late")])
async def test_a_slot_more_than_two_hours_old_is_late(db: Database, jump: timedelta, why: str) -> None:
    await fire(db, SIX + jump)

    assert await whys(db) == [why]


@pytest.mark.parametrize("day", ["2027-03-28", "2027-10-31"])
async def test_a_day_with_a_clock_change_has_one_slot(db: Database, day: str) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(hours=2)
    rhythm: dict[str, Any] = {"schedule": parse_schedule("02:30"), "timezone": "Europe/Berlin"}
    fired = [await fire(db, midnight + timedelta(minutes=15 * n), **rhythm) for n in range(40)]

    assert [name for name in fired if name and name.startswith(day)] == [f"{day}T0230"]


async def test_an_interval_fires_by_itself_from_the_start(db: Database) -> None:
    rhythm: dict[str, Any] = {"schedule": parse_schedule("every 10 min")}
    newsletter = make_newsletter(**rhythm)
    await begin_rhythms(db, [newsletter], node="a", now=NOW)

    assert [await fire(db, NOW + timedelta(minutes=n), **rhythm) for n in (0, 9, 10)] == [
        *("20261124T020000Z", None, "20261124T021000Z"),
    ]


async def test_a_rhythm_whose_day_was_years_ago_fires_nothing(db: Database) -> None:
    assert await fire(db, NOW, schedule=parse_schedule("0 6 29 2 *")) is None


async def test_a_source_that_is_due_is_asked_for_once_until_it_was_looked_at(db: Database) -> None:
    configs = [make_config(), make_config(name="kedua")]
    async with db.write() as connection:
        await sources.know(connection, ["lintas"], now=NOW)
        await sources.know(connection, ["kedua"], now=NOW + timedelta(hours=1))

    assert await ask_for_gathering(db, configs, now=NOW) == ["lintas"]
    assert await ask_for_gathering(db, configs, now=NOW) == []
    assert await ask_for_gathering(db, configs, now=NOW + timedelta(hours=1)) == ["kedua"]
