"""Candidates: for whom an edition is, why somebody gets nothing of it, and when it comes."""

from datetime import UTC, datetime, timedelta

import pytest

from syndicate.domain.audience import Rhythm
from syndicate.domain.candidate import Candidate, Taste, barred, due_at, got_before, rhythms_for
from syndicate.domain.delivery import Exclusion
from syndicate.domain.slot import parse_schedule
from syndicate.domain.variant import Got
from tests.factories import make_newsletter

TASTE = Taste(topics="[]", language="id", timezone="Asia/Jakarta")
EACH, WEEKLY, BREAKING = Rhythm


def reader(**values: object) -> Candidate:
    return Candidate(**{"subscriber": 1, "taste": TASTE, **values})  # type: ignore[arg-type]


def test_each_rhythm_has_its_readers_and_breaking_news_goes_to_those_of_each_edition_too() -> None:
    newsletter = make_newsletter(roundup=parse_schedule("sun 07:00"), breaking=("gempa",))

    assert rhythms_for(newsletter, EACH) == {EACH}
    assert rhythms_for(newsletter, WEEKLY) == {WEEKLY}
    assert rhythms_for(newsletter, BREAKING) == {EACH, BREAKING}


def test_who_chose_a_rhythm_that_is_no_more_gets_each_edition() -> None:
    assert rhythms_for(make_newsletter(), EACH) == set(Rhythm)
    assert rhythms_for(make_newsletter(breaking=("gempa",)), EACH) == {EACH, WEEKLY}


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        (reader(), None),
        (reader(paused=True), Exclusion.PAUSED),
        (reader(suppressed=True, paused=True), Exclusion.SUPPRESSED),
        (reader(breaking_today=2), None),
        (reader(breaking_today=3), Exclusion.ENOUGH_TODAY),
    ],
)
def test_a_reader_is_barred_for_the_weightiest_reason(person: Candidate, reason: Exclusion | None) -> None:
    assert barred(person, most_today=3) is reason


def test_only_breaking_news_is_counted() -> None:
    assert barred(reader(breaking_today=99), most_today=None) is None


def test_a_reader_has_what_any_earlier_mail_brought() -> None:
    taste = Taste(topics="[]", language="id", timezone="UTC", before=((1, 0), (2, 4), (3, 9)))
    brought = {(1, 0): Got(same=frozenset("a")), (2, 4): Got(older=frozenset("b"))}

    assert got_before(taste, brought) == Got(same=frozenset("a"), older=frozenset("b"))


SLOT = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)  # 06:00 in Jakarta, 08:00 in Jayapura


@pytest.mark.parametrize(
    ("hour", "zone", "later"),
    [
        (None, "Asia/Jakarta", 0),
        (6, "Asia/Jakarta", 0),  # the slot itself
        (7, "Asia/Jakarta", 1),
        (5, "Asia/Jakarta", 23),
        (8, "Asia/Jayapura", 0),
        (7, "Asia/Jayapura", 23),
        (0, "Asia/Jakarta", 18),
    ],
)
def test_a_mail_comes_at_the_reader_s_next_hour_from_the_slot_on(hour: int | None, zone: str, later: int) -> None:
    assert due_at(hour, zone, SLOT) == SLOT + timedelta(hours=later)


@pytest.mark.parametrize(
    ("hour", "slot", "due"),
    [
        # Berlin, spring: 2 o'clock is skipped on 29 March 2026 and stands for 3 o'clock
        (2, datetime(2026, 3, 28, 22, 0, tzinfo=UTC), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        # autumn: 2 o'clock comes twice on 25 October 2026; the first counts, and after it the next day's
        (2, datetime(2026, 10, 24, 22, 0, tzinfo=UTC), datetime(2026, 10, 25, 0, 0, tzinfo=UTC)),
        (2, datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 26, 1, 0, tzinfo=UTC)),
    ],
)
def test_a_reader_s_hour_keeps_to_the_rules_of_slots_in_summer_time(hour: int, slot: datetime, due: datetime) -> None:
    assert due_at(hour, "Europe/Berlin", slot) == due


def test_an_hour_that_is_skipped_into_the_next_day_is_still_found() -> None:
    before = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)

    assert timedelta() <= due_at(22, "America/Nuuk", before) - before <= timedelta(hours=25)
