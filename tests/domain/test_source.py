"""When a source is looked at again, and when it is left alone."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.domain.source import (
    LONG_FAILURE,
    MAX_INTERVAL,
    MOST_STRIKES,
    RECENT,
    Failing,
    Fault,
    Gathered,
    Look,
    Relation,
    next_look,
    obeys_robots,
    shortest_wait,
    still_failing,
    suspension,
)
from tests.factories import NOW, make_config

MIDDLE = 0.5  # of the jitter: none
NOON = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)  # in Jakarta
CHANCE = st.floats(0, 1, exclude_max=True)
CONFIGS = st.builds(
    make_config,
    name=st.text("abc", min_size=1, max_size=3),
    every=st.none() | st.timedeltas(timedelta(minutes=1), timedelta(days=9)),
    relation=st.sampled_from(Relation),
    zone=st.sampled_from(["Asia/Jakarta", "Asia/Jayapura", "Europe/Berlin", "UTC"]),
)
LOOKS = st.builds(
    Gathered,
    look=st.sampled_from(Look),
    retry_after=st.none() | st.timedeltas(timedelta(0), timedelta(days=99)),
    asked_interval=st.none() | st.timedeltas(timedelta(0), timedelta(days=400)),
)
INSTANTS = st.timedeltas(timedelta(0), timedelta(days=365)).map(lambda later: NOON + later)


def minutes(look: Look = Look.OK, *, errors: int = 0, chance: float = MIDDLE, **more: Any) -> float:
    """Until the next look at a source with a fixed rhythm of five minutes."""
    gathered = Gathered(look=look, **more)
    return (
        next_look(make_config(), gathered, errors=errors, now=NOW, recent=(), chance=chance, first=False) - NOW
    ) / timedelta(minutes=1)


def adaptive(recent: Sequence[datetime], *, now: datetime = NOON, first: bool = False, **config: Any) -> float:
    """Minutes until the next look at a source whose rhythm follows its newsroom."""
    asked = config.pop("asked", None)
    made = make_config(every=None, **config)
    gathered = Gathered(look=Look.OK, asked_interval=asked)
    at = next_look(made, gathered, errors=0, now=now, recent=recent, chance=MIDDLE, first=first)
    return (at - now) / timedelta(minutes=1)


def stories(*, every: float, number: int = 20) -> list[datetime]:
    """The times of stories that came so many minutes apart."""
    return [NOON - timedelta(minutes=every * count) for count in range(number)]


# ── a fixed rhythm ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("look", [Look.OK, Look.UNCHANGED, Look.DEGRADED])
def test_a_source_that_answers_keeps_its_rhythm(look: Look) -> None:
    assert minutes(look) == 5


def test_a_failing_source_is_asked_ever_more_seldom_but_once_a_day() -> None:
    longest = [minutes(Look.FAILED, errors=n, chance=1) for n in (1, 2, 3, 4, 99)]

    assert longest == [5, 10, 20, 40, 1440]


def test_sources_that_failed_together_come_back_apart() -> None:
    waits = [minutes(Look.FAILED, errors=4, chance=chance) for chance in (0, 0.25, 0.5, 1)]

    assert waits == [5, 13.75, 22.5, 40]


def test_retry_after_is_honoured_up_to_a_day() -> None:
    assert minutes(Look.FAILED, errors=1, retry_after=timedelta(hours=2)) == 120
    assert minutes(Look.OK, retry_after=timedelta(days=30)) == 1440
    assert minutes(Look.OK, retry_after=timedelta(seconds=1)) == 5


def test_a_source_of_a_slower_rhythm_than_a_day_keeps_it() -> None:
    weekly = make_config(every=timedelta(days=7))

    assert next_look(
        weekly, Gathered(look=Look.FAILED), errors=9, now=NOW, recent=(), chance=1.0, first=False
    ) == NOW + timedelta(days=7)


# ── a rhythm that follows the newsroom's ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("gap", "wait"),
    [(60, 30), (240, 120), (10, 15), (60 * 24 * 7, 360)],
)
def test_we_look_twice_as_often_as_stories_come_within_bounds(gap: float, wait: float) -> None:
    assert adaptive(stories(every=gap)) == wait


def test_the_usual_gap_counts_and_one_long_silence_does_not() -> None:
    times = [*stories(every=60, number=9), NOON - timedelta(days=30)]

    assert adaptive(times) == 30


def test_only_the_newest_stories_tell_the_rhythm() -> None:
    before = [NOON - timedelta(days=40, minutes=count) for count in range(300)]

    assert adaptive(stories(every=240, number=RECENT) + before) == 120


@pytest.mark.parametrize("times", [(), (NOON,)])
def test_a_newsroom_of_unknown_rhythm_is_looked_at_every_hour(times: tuple[datetime, ...]) -> None:
    assert adaptive(times) == 60


@pytest.mark.parametrize(("relation", "least"), [("owner", 5), ("partner", 15), ("stranger", 60)])
def test_how_often_at_most_depends_on_what_the_newsroom_is_to_us(relation: str, least: int) -> None:
    assert adaptive(stories(every=1), relation=Relation(relation)) == least


@pytest.mark.parametrize(("relation", "wait"), [("owner", 30), ("partner", 30), ("stranger", 180)])
def test_the_interval_a_feed_asks_for_is_a_courtesy_to_strangers(relation: str, wait: int) -> None:
    asked = timedelta(hours=3)

    assert adaptive(stories(every=60), relation=Relation(relation), asked=asked) == wait


@pytest.mark.parametrize(
    ("hour", "wait"),
    [(22, 30), (23, 90), (2, 90), (3, 60), (4, 30)],  # at 3 the night ends after 60 minutes
)
def test_at_night_we_look_three_times_more_seldom_but_are_back_in_the_morning(hour: int, wait: float) -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC) + timedelta(hours=hour - 9)  # Asia/Jayapura is UTC+9

    assert adaptive(stories(every=60), now=now, zone="Asia/Jayapura") == wait


def test_sources_that_were_added_together_do_not_stay_together() -> None:
    busy, quiet = ({adaptive(stories(every=gap), first=True, name=f"koran{n}") for n in range(20)} for gap in (10, 240))

    assert (len(busy), len(quiet)) == (20, 20)
    assert all(15 <= wait < 30 for wait in busy)
    assert all(15 <= wait < 120 for wait in quiet)


def test_an_even_rhythm_is_jittered_by_a_tenth() -> None:
    config, gathered = make_config(every=None), Gathered(look=Look.OK)
    waits = [
        next_look(config, gathered, errors=0, now=NOON, recent=stories(every=60), chance=chance, first=False) - NOON
        for chance in (0, 1)
    ]

    assert waits == [timedelta(minutes=27), timedelta(minutes=33)]


@given(CONFIGS, LOOKS, st.integers(0, 10**6), INSTANTS, st.lists(INSTANTS, max_size=30), CHANCE, st.booleans())
def test_a_wait_is_never_below_the_shortest_nor_above_a_day_or_the_rhythm(
    config: Any, gathered: Gathered, errors: int, now: datetime, recent: list[datetime], chance: float, first: bool
) -> None:
    wait = next_look(config, gathered, errors=errors, now=now, recent=recent, chance=chance, first=first) - now

    assert shortest_wait(config) <= wait <= max(MAX_INTERVAL, config.every or MAX_INTERVAL)


@given(CONFIGS, st.integers(0, 100), st.integers(0, 100), CHANCE)
def test_more_errors_never_mean_a_shorter_wait(config: Any, one: int, other: int, chance: float) -> None:
    fewer, more = (
        next_look(config, Gathered(look=Look.FAILED), errors=errors, now=NOW, recent=(), chance=chance, first=False)
        for errors in sorted((one, other))
    )

    assert fewer <= more


# ── giving up ────────────────────────────────────────────────────────────────────────────────────────────────────────


def failed(fault: Fault, **more: Any) -> Gathered:
    return Gathered(look=Look.FAILED, fault=fault, problem="The feed is broken.", **more)


def looks_until_suspended(fault: Fault, *, apart: timedelta) -> int:
    failing, now = Failing(), NOW
    for count in range(1, 1000):
        failing = still_failing(failing, failed(fault), now=now)
        if suspension(make_config(), failed(fault), failing, now=now):
            return count
        now += apart
    raise AssertionError("never")


@pytest.mark.parametrize(("fault", "looks"), [(Fault.HARD, 10), (Fault.SOFT, 20), (Fault.TEMPORARY, 40)])
def test_a_source_is_given_up_sooner_when_waiting_will_not_mend_it(fault: Fault, looks: int) -> None:
    assert looks_until_suspended(fault, apart=timedelta(days=1)) == looks


def test_a_bad_day_is_no_reason_to_give_up() -> None:
    assert looks_until_suspended(Fault.HARD, apart=timedelta(hours=1)) == LONG_FAILURE // timedelta(hours=1) + 1


def test_one_look_that_works_forgets_all_failures() -> None:
    failing = Failing(errors=99, strikes=9.75, failing_since=NOW - timedelta(days=30))

    assert still_failing(failing, Gathered(look=Look.DEGRADED), now=NOW) == Failing()


def test_a_suspension_names_the_trouble_how_long_it_lasts_and_the_cure() -> None:
    failing = Failing(errors=12, strikes=MOST_STRIKES, failing_since=NOW - timedelta(days=4))

    assert suspension(make_config(), failed(Fault.HARD), failing, now=NOW) == (
        "The feed is broken. Suspended, since 12 looks in a row failed from 20 Nov 2026 on: "
        "`syndicate gather lintas` looks again."
    )


def test_what_says_that_it_is_gone_is_suspended_at_once() -> None:
    gone = failed(Fault.SOFT, suspend=True)

    words = suspension(make_config(), gone, still_failing(Failing(), gone, now=NOW), now=NOW)

    assert words == "The feed is broken. Suspended: `syndicate gather lintas` looks again."


@pytest.mark.parametrize(
    ("relation", "feed", "page"), [("owner", False, False), ("partner", False, True), ("stranger", True, True)]
)
def test_robots_txt_is_asked_for_strangers_and_for_pages(relation: str, feed: bool, page: bool) -> None:
    config = make_config(relation=Relation(relation))

    assert (obeys_robots(config, page=False), obeys_robots(config, page=True)) == (feed, page)
