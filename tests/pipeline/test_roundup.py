"""The round-up of the week: for those who chose it, from a cut of its own, and not all of its last day."""

from dataclasses import replace
from datetime import timedelta

import pytest

from syndicate.domain.audience import Rhythm
from syndicate.domain.edition import Choice, Edition, newest_first, spread_over_days
from syndicate.domain.slot import Slot, parse_schedule
from syndicate.pipeline.compose import Composition, know_newsletters
from syndicate.store.db import Database
from tests.factories import NOW, make_article
from tests.pipeline.audience import PAGI, Town
from tests.pipeline.stories import publish

WEEKLY = replace(PAGI, roundup=parse_schedule("sun 07:00"))
SUNDAY = Slot(at=NOW, name="2026-W48")


@pytest.fixture
async def town(db: Database) -> Town:
    return await Town(db, WEEKLY).open()


async def roundup(town: Town, name: str = "2026-W48") -> Edition:
    return await town.issue(rhythm=Rhythm.WEEKLY, slot=replace(SUNDAY, name=name))


async def test_it_goes_to_those_who_chose_it_and_each_edition_to_the_others(town: Town) -> None:
    each, weekly = await town.reader(1), await town.reader(2, rhythm="weekly")
    await publish(town.db, 1)
    monday = await town.issue()
    await publish(town.db, 2)
    tuesday = await town.issue()
    week = await roundup(town)

    assert [await town.got(one) for one in (monday, tuesday)] == [{each: "k1"}, {each: "k2"}]
    assert await town.got(week) == {weekly: "k2 k1"}
    assert "Ringkasan sepekan" in (await town.rendering(week, weekly)).html
    assert "Ringkasan sepekan" in (await town.rendering(week, weekly)).text


async def test_it_goes_on_from_its_own_cut(town: Town) -> None:
    weekly = await town.reader(1, rhythm="weekly")
    await publish(town.db, 1)
    first = await roundup(town)
    await publish(town.db, 2)
    await town.issue()
    second = await roundup(town, "2026-W49")

    assert (await town.got(first), await town.got(second)) == ({weekly: "k1"}, {weekly: "k2"})


async def test_who_changed_to_it_in_the_middle_of_the_week_gets_only_what_they_have_not_got(town: Town) -> None:
    reader = await town.reader(1)
    await publish(town.db, 1)
    await town.issue()
    await publish(town.db, 2)
    await town.reader(1, rhythm="weekly")

    assert await town.got(await roundup(town)) == {reader: "k2"}


async def test_a_round_up_that_is_new_begins_with_its_first_week(db: Database) -> None:
    town = await Town(db, PAGI).open()
    weekly = await town.reader(1, rhythm="weekly")
    await publish(db, 1)
    town.newsletters["pagi"] = WEEKLY
    await know_newsletters(db, [WEEKLY])
    await publish(db, 2)

    assert await town.got(await roundup(town)) == {weekly: "k2"}


async def test_a_week_without_news_has_none(town: Town) -> None:
    report = await town.compose(rhythm=Rhythm.WEEKLY, slot=SUNDAY)

    assert report.composition is Composition.EMPTY


async def test_who_chose_it_gets_each_edition_where_there_is_none_any_more(db: Database) -> None:
    town = await Town(db, PAGI).open()
    weekly = await town.reader(1, rhythm="weekly")
    await publish(db, 1)

    assert await town.got(await town.issue()) == {weekly: "k1"}


async def test_its_stories_are_of_every_day(town: Town) -> None:
    weekly = await town.reader(1, rhythm="weekly")
    for number in range(1, 9):  # two on the first day, then six on the last one
        day = NOW - timedelta(days=6 if number <= 2 else 1) + timedelta(minutes=number)
        await publish(town.db, number, sort_at=day)
    town.change(max=4)

    assert await town.got(await roundup(town)) == {weekly: "k8 k7 k2 k1"}


def test_days_take_turns_newest_first() -> None:
    days = [make_article(n, sort_at=NOW - timedelta(days=n // 3)) for n in range(1, 8)]
    spread = spread_over_days(days, "Asia/Jakarta")

    assert [one.source_key for one in spread] == ["k1", "k3", "k6", "k2", "k4", "k7", "k5"]


def test_what_was_chosen_is_shown_newest_first() -> None:
    choice = Choice(stories=(make_article(1), make_article(3), make_article(2)))

    assert [one.source_key for one in newest_first(choice).stories] == ["k3", "k2", "k1"]
