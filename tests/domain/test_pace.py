"""Who may be sent to now and who waits how long: for a rate, a domain's rate, a day."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate.domain.pace import Allotment, Pace, Pacing, allot, names_of

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
TEN = Pace(number=10, per=timedelta(seconds=1), words="10 / s")
SLOW = Pace(number=30, per=timedelta(minutes=1), words="30 / min")


def readers(count: int, domain: str = "x.test", *, first: int = 1) -> list[tuple[int, str]]:
    return [(number, domain) for number in range(first, first + count)]


def shared_out(wanted: Sequence[tuple[int, str]], pacing: Pacing, **more: object) -> Allotment:
    given_ = {"filled": {}, "now": NOW, "sharers": 1, "ahead": 0} | more
    return allot(wanted, pacing, **given_)  # type: ignore[arg-type]


def waits(allotment: Allotment) -> list[float]:
    return [(wait.until - NOW).total_seconds() for wait in allotment.waiting.values()]


def test_what_a_second_has_room_for_goes_at_once_and_the_rest_follows_at_the_rate() -> None:
    found = shared_out(readers(35), Pacing(rate=TEN))

    assert found.going == frozenset(range(1, 11))
    assert waits(found) == sorted(waits(found))
    assert max(waits(found)) == 3.0
    assert {wait.why for wait in found.waiting.values()} == {"10 / s"}


def test_what_one_claim_took_the_next_one_finds_taken() -> None:
    first = shared_out(readers(10), Pacing(rate=TEN))
    at_once = shared_out(readers(10, first=11), Pacing(rate=TEN), filled=first.filled)
    half_a_second = NOW + timedelta(seconds=0.5)
    later = shared_out(readers(10, first=11), Pacing(rate=TEN), filled=first.filled, now=half_a_second)

    assert (len(first.going), len(at_once.going), len(later.going)) == (10, 0, 5)


def test_a_slow_domain_holds_nobody_else_up() -> None:
    pacing = Pacing(domains={"slow.test": SLOW})
    found = shared_out([*readers(5, "slow.test"), *readers(50, first=10)], pacing)

    assert found.going == frozenset({1, *range(10, 60)})
    assert {wait.why for wait in found.waiting.values()} == {"30 / min to slow.test"}


def test_domains_without_a_rate_of_their_own_have_the_default_each() -> None:
    pacing = Pacing(domains={"fast.test": TEN}, others=SLOW)
    found = shared_out(
        [*readers(5, "fast.test"), *readers(2, "a.test", first=6), *readers(2, "b.test", first=8)], pacing
    )

    assert found.going == frozenset({1, 2, 3, 4, 5, 6, 8})


def test_a_day_has_so_many_mails_and_the_rest_waits_for_the_next_one() -> None:
    found = shared_out(readers(60), Pacing(daily=50))
    evening = NOW.replace(hour=23)
    same_day = shared_out(readers(1), Pacing(daily=50), filled=found.filled, now=evening)
    tomorrow = shared_out(readers(60), Pacing(daily=50), filled=found.filled, now=NOW + timedelta(days=1))

    assert (len(found.going), len(same_day.going), len(tomorrow.going)) == (50, 0, 50)
    midnight = NOW.replace(hour=0) + timedelta(days=1)
    assert {midnight, midnight + timedelta(seconds=1)} >= {wait.until for wait in found.waiting.values()}


def test_the_count_of_a_day_lies_ahead_for_as_long_as_it_counts() -> None:
    """What lies behind is forgotten with all other allowances that are whole again."""
    (filled,) = shared_out(readers(1), Pacing(daily=50)).filled.values()

    assert filled > NOW.replace(hour=23, minute=59).timestamp() * 1_000_000


def test_two_editions_share_what_there_is() -> None:
    one = shared_out(readers(100), Pacing(rate=TEN), sharers=2)
    other = shared_out(readers(100, first=200), Pacing(rate=TEN), sharers=2, filled=one.filled)

    assert len(one.going) == 5
    assert len(other.going) == 5
    assert max(waits(one)) >= 19  # its 95 others at 5 a second


def test_a_batch_far_behind_looks_again_after_half_of_its_time() -> None:
    far = shared_out(readers(10), Pacing(rate=TEN), filled=shared_out(readers(10), Pacing(rate=TEN)).filled, ahead=9000)

    assert min(waits(far)) == pytest.approx(450, abs=2)


def test_allowances_are_named_in_one_order_whatever_comes_first() -> None:
    pacing = Pacing(rate=TEN, daily=5, others=SLOW)
    wanted = [(1, "b.test"), (2, "a.test")]

    assert names_of(wanted, pacing, now=NOW) == names_of(wanted[::-1], pacing, now=NOW)
    assert names_of(wanted, pacing, now=NOW) == ["", "@a.test", "@b.test", "day"]


@settings(deadline=None)
@given(
    number=st.integers(1, 5000),
    unit=st.sampled_from([timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)]),
    steps=st.lists(st.tuples(st.integers(0, 5_000_000), st.integers(1, 300)), max_size=40),
)
def test_no_span_of_time_sees_more_than_its_rate_and_one_second_of_it(
    number: int, unit: timedelta, steps: list[tuple[int, int]]
) -> None:
    pace, now, sent = Pace(number=number, per=unit, words=""), NOW, 0
    filled: dict[str, int] = {}
    for wait, wanted in steps:
        now += timedelta(microseconds=wait)
        found = shared_out(readers(wanted), Pacing(rate=pace), filled=filled, now=now)
        filled |= found.filled
        sent += len(found.going)
        assert len(found.going) + len(found.waiting) == wanted
        assert all(one.until > now for one in found.waiting.values())
        assert sent <= pace.at_once + (now - NOW) / timedelta(microseconds=pace.span)
