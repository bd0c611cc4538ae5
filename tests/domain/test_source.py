"""When a source is looked at again."""

from datetime import timedelta

import pytest

from syndicate.domain.source import Gathered, Look, next_look
from tests.factories import NOW, make_config


def minutes(look: Look, *, errors: int = 0, **more: object) -> float:
    gathered = Gathered(look=look, **more)  # type: ignore[arg-type]
    return (next_look(make_config(), gathered, errors=errors, now=NOW) - NOW) / timedelta(minutes=1)


@pytest.mark.parametrize("look", [Look.OK, Look.UNCHANGED, Look.DEGRADED])
def test_a_source_that_answers_keeps_its_rhythm(look: Look) -> None:
    assert minutes(look) == 5


def test_a_failing_source_is_asked_ever_more_seldom_but_once_a_day() -> None:
    assert [minutes(Look.FAILED, errors=n) for n in (1, 2, 3, 4, 99)] == [5, 10, 20, 40, 1440]


def test_retry_after_is_honoured_up_to_a_day() -> None:
    assert minutes(Look.FAILED, errors=1, retry_after=timedelta(hours=2)) == 120
    assert minutes(Look.OK, retry_after=timedelta(days=30)) == 1440
    assert minutes(Look.OK, retry_after=timedelta(seconds=1)) == 5


def test_a_source_of_a_slower_rhythm_than_a_day_keeps_it() -> None:
    weekly = make_config(every=timedelta(days=7))

    assert next_look(weekly, Gathered(look=Look.FAILED), errors=9, now=NOW) == NOW + timedelta(days=7)
