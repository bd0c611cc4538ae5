"""Breaking news: a story an edition, at once, at most so many a day, and not again in the next edition."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from syndicate.domain.article import Edit
from syndicate.domain.audience import Rhythm
from syndicate.domain.change import ChangeKind
from syndicate.domain.edition import Edition, EditionState
from syndicate.domain.slot import Slot, parse_schedule
from syndicate.pipeline.breaking import BreakingReport, ask_for_breaking, break_news
from syndicate.pipeline.compose import Composition, compose_edition, know_newsletters
from syndicate.store import changes, editions, jobs
from syndicate.store.db import Database
from tests.factories import NOW
from tests.pipeline.audience import PAGI, Town
from tests.pipeline.mailing import STUDIO
from tests.pipeline.stories import publish, revise
from tests.pipeline.test_seen import edit

QUAKE = {"tags": ("gempa",), "changed_at": NOW}
KILAT = replace(PAGI, breaking=("gempa", "darurat/banjir"), breaking_max=2)


@pytest.fixture
async def town(db: Database) -> Town:
    return await Town(db, KILAT).open()


async def run(town: Town, *, after: timedelta = timedelta(), name: str = "pagi") -> list[Edition]:
    report = await look(town, after=after, name=name)
    assert report.waits == ""
    assert all(one.books.balance for one in report.frozen)
    return [one.edition for one in report.frozen]


async def look(town: Town, *, after: timedelta = timedelta(), name: str = "pagi") -> BreakingReport:
    return await break_news(town.db, town.newsletters[name], STUDIO, [], now=NOW + after)


async def lanes(db: Database) -> set[tuple[str, str]]:
    async with db.read() as connection:
        return {(job.kind, job.lane) for job in await jobs.listed(connection, limit=99)}


async def test_a_breaking_story_has_an_edition_of_its_own_at_once(town: Town) -> None:
    reader = await town.reader(1)
    await publish(town.db, 1)
    await publish(town.db, 2, **QUAKE)
    (edition,) = await run(town)

    assert (edition.slot, edition.state, edition.rhythm) == ("seq-2", EditionState.FROZEN, Rhythm.BREAKING)
    assert await town.got(edition) == {reader: "k2"}
    assert "Berita terkini" in (await town.rendering(edition, reader)).html
    assert ("mail", "breaking") in await lanes(town.db)


async def test_each_story_has_one_of_its_own_in_order_and_only_once(town: Town) -> None:
    await town.reader(1)
    await publish(town.db, 1, 2, **QUAKE)
    first = await run(town)
    again = await run(town)

    assert ([one.slot for one in first], again) == (["seq-1", "seq-2"], [])


@pytest.mark.parametrize(
    ("sections", "tags", "is_one"),
    [
        (("Gempa",), (), True),
        ((), ("Gempa",), True),
        (("Darurat/Banjir",), (), True),
        (("Darurat",), (), False),
        (("Banjir",), (), False),
        (("Ekonomi",), ("pasar",), False),
    ],
)
async def test_what_is_breaking_is_said_by_sections_or_tags(
    town: Town, sections: Sequence[str], tags: Sequence[str], is_one: bool
) -> None:
    await publish(town.db, 1, sections=tuple(sections), tags=tuple(tags), changed_at=NOW)

    assert bool(await run(town)) is is_one


async def test_what_the_newsletter_doesn_t_select_is_not_its_breaking_news(town: Town) -> None:
    town.change(selection=replace(PAGI.selection, sections=frozenset({"ekonomi"})))
    await publish(town.db, 1, **QUAKE)

    assert await run(town) == []


async def test_it_goes_to_readers_of_each_edition_and_to_those_who_want_nothing_else(town: Town) -> None:
    town.change(roundup=parse_schedule("sun 07:00"))
    each, breaking = await town.reader(1), await town.reader(2, rhythm="breaking")
    await town.reader(3, rhythm="weekly")
    await publish(town.db, 1, **QUAKE)
    (edition,) = await run(town)

    assert await town.got(edition) == {each: "k1", breaking: "k1"}


async def test_it_keeps_nobody_s_hour(town: Town) -> None:
    reader = await town.reader(1, hour=5)
    await publish(town.db, 1, **QUAKE)
    (edition,) = await run(town)

    assert (await town.rows(edition))[reader].not_before is None


async def test_the_next_edition_doesn_t_tell_it_again_to_those_who_got_it(town: Town) -> None:
    got, paused = await town.reader(1), await town.reader(2, paused_until=NOW + timedelta(minutes=1))
    breaking = await town.reader(3, rhythm="breaking")
    await publish(town.db, 1, **QUAKE)
    (edition,) = await run(town)
    await publish(town.db, 2)
    digest = await town.issue(now=NOW + timedelta(hours=1))

    assert await town.got(edition) == {got: "k1", paused: "paused", breaking: "k1"}
    assert await town.got(digest) == {got: "k2", paused: "k2 k1"}


async def test_one_that_was_updated_since_is_told_again_and_marked(town: Town) -> None:
    reader = await town.reader(1)
    await publish(town.db, 1, **QUAKE)
    await run(town)
    await edit(town.db, 1, Edit.MAJOR)

    assert await town.got(await town.issue()) == {reader: "k1+"}


async def test_what_is_over_the_most_of_a_day_stays_for_the_next_edition(town: Town) -> None:
    reader, late = await town.reader(1), await town.reader(2)
    await publish(town.db, 1, 2, 3, **QUAKE)
    first, second, third = await run(town)
    digest = await town.issue()

    assert [(await town.got(one))[reader] for one in (first, second, third)] == ["k1", "k2", "enough_today"]
    assert (await town.got(third))[late] == "enough_today"
    assert await town.got(digest) == {reader: "k3", late: "k3"}


async def test_the_most_of_a_day_counts_what_each_reader_got_by_the_newsletter_s_day(town: Town) -> None:
    reader, other = await town.reader(1), await town.reader(2)
    await publish(town.db, 1, 2, **QUAKE)
    for edition in await run(town):
        await town.settle(edition, other, state="refused")
    midnight = NOW + timedelta(hours=15)  # in Jakarta
    await publish(town.db, 3, tags=("gempa",), changed_at=midnight - timedelta(minutes=1))
    await publish(town.db, 4, tags=("gempa",), changed_at=midnight)
    before, after = await run(town, after=timedelta(hours=15))

    assert await town.got(before) == {reader: "enough_today", other: "k3"}
    assert await town.got(after) == {reader: "k4", other: "k4"}


async def test_topics_choose_among_breaking_news_too(town: Town) -> None:
    money = await town.reader(1, topics=["ekonomi"])
    await publish(town.db, 1, **QUAKE, sections=("Daerah",))
    (edition,) = await run(town)

    assert await town.got(edition) == {money: "nothing_for_them"}


async def test_what_is_old_when_it_is_read_stays_for_the_next_edition(town: Town) -> None:
    reader = await town.reader(1)
    await publish(town.db, 1, **QUAKE)

    assert await run(town, after=timedelta(hours=2, seconds=1)) == []
    assert await town.got(await town.issue()) == {reader: "k1"}


async def test_what_was_withdrawn_again_is_no_news(town: Town) -> None:
    await publish(town.db, 1, **QUAKE)
    await revise(town.db, 1, ChangeKind.WITHDRAWN)

    assert await run(town) == []


async def test_an_update_is_no_news_and_a_first_import_isn_t_either(town: Town) -> None:
    await publish(town.db, 1, announced=False, **QUAKE)
    await publish(town.db, 2)
    await revise(town.db, 2, tags=("gempa",))

    assert await run(town) == []


async def test_a_story_that_can_t_be_shown_holds_up_no_other(town: Town) -> None:
    await town.reader(1)
    await publish(town.db, 1, url="mailto:nobody", **QUAKE)
    await publish(town.db, 2, **QUAKE)

    assert [one.slot for one in await run(town)] == ["seq-2"]


async def test_what_came_before_the_newsletter_had_breaking_news_is_none(db: Database) -> None:
    town = await Town(db, PAGI).open()
    await publish(db, 1, **QUAKE)
    town.newsletters["pagi"] = KILAT
    await know_newsletters(db, [KILAT])
    await publish(db, 2, **QUAKE)

    assert [one.slot for one in await run(town)] == ["seq-2"]


async def test_a_newsletter_that_gave_it_up_and_takes_it_up_again_begins_anew(town: Town) -> None:
    await know_newsletters(town.db, [PAGI])
    await publish(town.db, 1, **QUAKE)
    await know_newsletters(town.db, [KILAT])

    assert await run(town) == []


@pytest.mark.parametrize("where", ["put_content", "put_books", "count_books"])
async def test_after_a_crash_it_goes_on_with_the_same_edition(
    town: Town, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = await town.reader(1)
    await publish(town.db, 1, 2, **QUAKE)

    async def breaks(*_: Any, **__: Any) -> None:  # a crash at this very point can't be had from outside
        raise RuntimeError("power cut")

    monkeypatch.setattr(editions, where, breaks)
    with pytest.raises(RuntimeError, match="power cut"):
        await run(town)
    monkeypatch.undo()
    found = await run(town)

    assert [one.slot for one in found] == ["seq-1", "seq-2"]
    assert [(await town.got(one))[reader] for one in found] == ["k1", "k2"]


async def test_two_workers_at_once_make_one_edition_a_story(town: Town) -> None:
    await town.reader(1)
    await publish(town.db, 1, 2, **QUAKE)
    await asyncio.gather(look(town), look(town), return_exceptions=True)
    await run(town)

    async with town.db.read() as connection:
        found = await editions.newest(connection, limit=9)
    assert sorted(one.slot for one in found) == ["seq-1", "seq-2"]
    assert {one.state for one in found} == {EditionState.FROZEN}


async def test_it_waits_while_another_edition_of_the_newsletter_is_being_composed(town: Town) -> None:
    await town.reader(1)
    await publish(town.db, 1, **QUAKE)
    digest = await town.compose()
    assert digest.composition is Composition.READY
    waiting = await look(town)
    await town.freeze(digest)

    assert (waiting.frozen, "still being composed" in waiting.waits) == ([], True)
    assert [one.slot for one in await run(town)] == ["seq-1"]


async def test_it_is_looked_for_when_there_is_something_to_read_and_asked_for_once(town: Town) -> None:
    everybody = list(town.newsletters.values())
    await ask_for_breaking(town.db, everybody, now=NOW)
    nothing = await lanes(town.db)
    await publish(town.db, 1)
    await ask_for_breaking(town.db, everybody, now=NOW)
    await ask_for_breaking(town.db, everybody, now=NOW)
    asked = await lanes(town.db)
    await run(town)

    assert (nothing, asked) == (set(), {("break", "breaking")})
    async with town.db.read() as connection:
        assert await changes.unread(connection, "newsletter:pagi:breaking") == (1, 1)


async def test_another_newsletter_s_reader_gets_it_once(db: Database) -> None:
    town = await Town(db, KILAT, replace(KILAT, name="sore")).open()
    both = await town.reader(1)
    await publish(db, 1, **QUAKE)
    (first,), (second,) = await run(town), await run(town, name="sore")

    assert (await town.got(first), await town.got(second)) == ({both: "k1"}, {both: "already_sent"})


async def test_the_most_of_a_day_is_of_one_newsletter(db: Database) -> None:
    town = await Town(db, replace(KILAT, breaking_max=1), replace(KILAT, name="sore", breaking=("banjir",))).open()
    both = await town.reader(1)
    await publish(db, 1, **QUAKE)
    await publish(db, 2, tags=("banjir",), changed_at=NOW)
    await run(town)
    (second,) = await run(town, name="sore")

    assert await town.got(second) == {both: "k2"}


async def test_the_digest_s_own_cut_stays_where_it_is(town: Town) -> None:
    await town.reader(1)
    await publish(town.db, 1, **QUAKE)
    await run(town)
    slot = Slot(at=NOW, name="2026-11-24T0600")
    report = await compose_edition(town.db, KILAT, slot, STUDIO, now=NOW)

    assert report.edition is not None
    assert (report.edition.cut_from, report.edition.cut_to) == (0, 1)
