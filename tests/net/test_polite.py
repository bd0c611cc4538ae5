"""Turns, pauses and Retry-After, on a clock that moves only when somebody sleeps."""

import asyncio
from datetime import UTC, datetime

import pytest

from syndicate.net.guard import Allowed
from syndicate.net.polite import LONGEST_WAIT, MOST_HOSTS, Politeness, parse_retry_after

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def polite(clock: Clock) -> Politeness:
    return Politeness(clock=clock, sleep=clock.sleep)


async def take_turn(polite: Politeness, host: str) -> float:
    async with polite.turn(host) as closed_seconds:
        return closed_seconds


async def test_requests_to_one_host_are_a_second_apart(polite: Politeness, clock: Clock) -> None:
    for _ in range(3):
        await take_turn(polite, "a.test")

    assert clock.now == 1002.0


async def test_the_pause_begins_when_the_request_ends(polite: Politeness, clock: Clock) -> None:
    async with polite.turn("a.test"):
        clock.now += 5
    await take_turn(polite, "A.test")

    assert clock.now == 1006.0


async def test_other_hosts_do_not_wait(polite: Politeness, clock: Clock) -> None:
    for host in ("a.test", "b.test", "c.test"):
        await take_turn(polite, host)

    assert clock.now == 1000.0


async def test_one_host_is_never_asked_twice_at_once(polite: Politeness) -> None:
    inside = 0

    async def visit() -> None:
        nonlocal inside
        async with polite.turn("a.test"):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(visit() for _ in range(5)))


async def test_hosts_opened_by_config_and_hosts_with_their_own_pause_have_that(clock: Clock) -> None:
    polite = Politeness(
        allowed=Allowed.parse(["127.0.0.1:80"]), intervals={"slow.test": 7}, clock=clock, sleep=clock.sleep
    )

    for host in ("127.0.0.1", "127.0.0.1"):
        await take_turn(polite, host)
    assert clock.now == 1000.0
    for host in ("slow.test", "slow.test"):
        await take_turn(polite, host)
    assert clock.now == 1007.0


async def test_a_host_may_ask_for_a_longer_pause_and_not_for_a_shorter_one(polite: Politeness, clock: Clock) -> None:
    for pause, waited in ((5.0, 5.0), (0.1, 1.0)):
        polite.slow_down("a.test", pause)
        await take_turn(polite, "a.test")
        began = clock.now
        await take_turn(polite, "a.test")
        assert clock.now - began == waited


async def test_a_back_off_is_told_not_waited_for(polite: Politeness, clock: Clock) -> None:
    polite.back_off("a.test", clock.now + 60)

    assert await take_turn(polite, "a.test") == 60
    assert clock.now == 1000.0
    clock.now += 60
    assert await take_turn(polite, "a.test") == 0


async def test_those_who_queued_learn_of_a_back_off(polite: Politeness, clock: Clock) -> None:
    async with polite.turn("a.test"):
        queued = asyncio.create_task(take_turn(polite, "a.test"))
        await asyncio.sleep(0)
        polite.heed("a.test", {"retry-after": "30"})

    assert await queued == 30


async def test_a_back_off_is_never_shortened_and_lasts_a_day_at_most(polite: Politeness, clock: Clock) -> None:
    polite.back_off("a.test", clock.now + 60)
    polite.back_off("a.test", clock.now + 5)
    polite.back_off("b.test", clock.now + 10 * LONGEST_WAIT)

    assert polite.closed_for("a.test") == 60
    assert polite.closed_for("b.test") == LONGEST_WAIT


async def test_a_turn_that_fails_frees_the_host(polite: Politeness) -> None:
    with pytest.raises(ValueError, match="x"):
        async with polite.turn("a.test"):
            raise ValueError("x")

    assert await take_turn(polite, "a.test") == 0


async def test_the_memory_of_hosts_is_bounded_and_keeps_the_longest_back_off(polite: Politeness, clock: Clock) -> None:
    polite.back_off("long.test", clock.now + LONGEST_WAIT)
    for number in range(3 * MOST_HOSTS):
        polite.back_off(f"h{number}.test", clock.now + 60)

    assert len(polite._hosts) <= MOST_HOSTS
    assert polite.closed_for("long.test") == LONGEST_WAIT


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        (None, None, None),
        ("120", None, 120),
        (" 0 ", None, 0),
        ("999999999999", None, LONGEST_WAIT),
        ("-5", None, None),
        ("1.5", None, None),
        ("soon", None, None),
        ("Tue, 24 Nov 2026 06:02:00 GMT", None, 120),
        ("Tue, 24 Nov 2026 06:02:00 GMT", "Tue, 24 Nov 2026 06:01:30 GMT", 30),
        ("Tue, 24 Nov 2026 05:00:00 GMT", "Tue, 24 Nov 2026 06:00:00 GMT", 0),
        ("Tue, 24 Nov 2026 06:02:00 GMT", "yesterday", 120),
        ("Tue, 24 Nov 2099 06:02:00 GMT", None, LONGEST_WAIT),
        ("Tue, 99 Nov 2026 06:02:00 GMT", None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_beside_the_answers_own(
    value: str | None, date: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(value, date, NOW) == seconds


def test_a_date_without_any_clock_says_nothing() -> None:
    assert parse_retry_after("Tue, 24 Nov 2026 06:02:00 GMT", None, None) is None
