"""Patience that grows, is spread out, and ends after 72 hours."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.domain.retry import PATIENCE, RETRY_AFTER_CAP, next_mail, next_push
from tests.factories import NOW

MIDDLE = 0.5
CHANCE = st.floats(0, 1, exclude_max=True)


def seconds(attempt: int, chance: float = MIDDLE, *, of: Any = next_push, asked: timedelta | None = None) -> float:
    """How long until the next try, of something that was first due just now."""
    again: datetime = of(attempt, first_due=NOW, now=NOW, retry_after=asked, chance=chance)
    return (again - NOW).total_seconds()


def mail_seconds(attempt: int, chance: float = MIDDLE) -> float:
    return seconds(attempt, chance, of=next_mail)


def test_pushes_wait_ever_longer_up_to_six_hours() -> None:
    assert [seconds(n) for n in range(1, 8)] == [10, 60, 300, 1800, 7200, 21600, 21600]


def test_mails_wait_a_minute_doubling_up_to_four_hours() -> None:
    assert [mail_seconds(n) for n in (1, 2, 3, 8, 9, 10, 1000)] == [60, 120, 240, 7680, 14400, 14400, 14400]


@given(st.integers(1, 100), CHANCE)
def test_waits_are_spread_by_a_fifth_to_each_side(attempt: int, chance: float) -> None:
    assert 0.8 * seconds(attempt) <= seconds(attempt, chance) <= 1.2 * seconds(attempt)
    assert 0.8 * mail_seconds(attempt) <= mail_seconds(attempt, chance) <= 1.2 * mail_seconds(attempt)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (timedelta(hours=1), timedelta(hours=1)),
        (timedelta(seconds=1), timedelta(seconds=10)),  # sooner than our own patience: not honoured
        (timedelta(days=4000), RETRY_AFTER_CAP),
        (timedelta(seconds=-5), timedelta(seconds=10)),
    ],
)
def test_retry_after_is_honoured_up_to_a_day(asked: timedelta, given: timedelta) -> None:
    assert seconds(1, asked=asked) == given.total_seconds()


@pytest.mark.parametrize("again", [next_push, next_mail])
@pytest.mark.parametrize("asked", [None, timedelta(hours=20)])
def test_the_last_try_comes_at_72_hours(again: Any, asked: timedelta | None) -> None:
    def after(passed: timedelta) -> datetime | None:
        found: datetime | None = again(20, first_due=NOW, now=NOW + passed, retry_after=asked, chance=MIDDLE)
        return found

    assert after(PATIENCE - timedelta(hours=1)) == NOW + PATIENCE
    assert after(PATIENCE - timedelta(microseconds=1)) == NOW + PATIENCE
    assert after(PATIENCE) is None
    assert after(PATIENCE + timedelta(days=1)) is None


@given(st.lists(CHANCE, min_size=60, max_size=60))
def test_a_partner_that_never_answers_is_tried_for_three_days_and_then_left(chances: list[float]) -> None:
    at, tries = NOW, 0
    for attempt, chance in enumerate(chances, start=1):
        tries = attempt
        again = next_push(attempt, first_due=NOW, now=at, retry_after=None, chance=chance)
        if again is None:
            break
        at = again

    assert at == NOW + timedelta(hours=72)
    assert 13 <= tries <= 23
