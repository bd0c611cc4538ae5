"""Slots exist once, whatever clocks, restarts and summer time do."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.domain.slot import (
    LATE,
    Interval,
    Slot,
    WallTimes,
    is_late,
    latest_slot,
    next_slot,
    parse_schedule,
    slots_of_day,
)
from tests.factories import NOW

ZONES = sorted(available_timezones())
FIRST_DAY, YEARS = date(2026, 1, 1), 3
TIMES = ("00:15", "01:45", "02:30")
SCHEDULES = ("06:00", "mon-fri 02:30", "sun 23:59", "every 10 min", "30 1,2,3 * * *", "0 6 1 * *", "15 */6 * * sat,sun")


def wall_times(text: str) -> WallTimes:
    found = parse_schedule(text)
    assert isinstance(found, WallTimes)
    return found


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def days_around_clock_changes(zone: str) -> Iterator[date]:
    """The days of each fortnight in which the zone's offset changes."""
    here, step = ZoneInfo(zone), timedelta(days=7)
    day = FIRST_DAY
    while day < FIRST_DAY.replace(year=FIRST_DAY.year + YEARS):
        noons = [datetime(d.year, d.month, d.day, 12, tzinfo=here) for d in (day, day + step)]
        if noons[0].utcoffset() != noons[1].utcoffset():
            yield from (day + timedelta(days=n) for n in range(-1, 9))
        day += step


def assert_one_slot_a_day(zone: str, days: Iterator[date], text: str) -> None:
    schedule, before = wall_times(text), None
    for day in days:
        (slot,) = slots_of_day(schedule, zone, day)
        assert slot.name == f"{day}T{text.replace(':', '')}"
        assert before is None or slot.at > before.at or slot.name <= before.name, (zone, slot)
        shown = slot.at.astimezone(ZoneInfo(zone)).date()  # a skipped hour may end after midnight
        assert day <= shown <= day + timedelta(days=1), (zone, slot)
        before = slot


@pytest.mark.parametrize(
    ("zone", "day", "wall", "instant"),
    [
        ("Europe/Berlin", date(2027, 3, 28), "02:30", "2027-03-28T01:30"),  # does not exist: an hour later on the wall
        ("Europe/Berlin", date(2027, 10, 31), "02:30", "2027-10-31T00:30"),  # exists twice: the first one
        ("America/New_York", date(2027, 3, 14), "02:30", "2027-03-14T07:30"),
        ("America/New_York", date(2027, 11, 7), "01:30", "2027-11-07T05:30"),
        ("Australia/Lord_Howe", date(2027, 10, 3), "02:15", "2027-10-02T15:45"),  # half an hour
        ("Australia/Lord_Howe", date(2027, 4, 4), "01:45", "2027-04-03T14:45"),
        ("Africa/Casablanca", date(2027, 2, 7), "02:30", "2027-02-07T01:30"),  # the clock goes back for Ramadan
        ("Africa/Casablanca", date(2027, 3, 14), "02:30", "2027-03-14T02:30"),
        ("Asia/Jakarta", date(2026, 11, 24), "06:00", "2026-11-23T23:00"),
    ],
)
def test_a_wall_time_is_one_instant_on_every_day(zone: str, day: date, wall: str, instant: str) -> None:
    assert [slot.at for slot in slots_of_day(wall_times(wall), zone, day)] == [utc(instant)]


@pytest.mark.parametrize("text", TIMES)
def test_every_zone_has_one_slot_a_day_around_each_clock_change(text: str) -> None:
    for zone in ZONES:
        assert_one_slot_a_day(zone, days_around_clock_changes(zone), text)


@pytest.mark.long
@pytest.mark.parametrize("text", [f"{hour:02d}:30" for hour in range(24)])
def test_every_zone_has_one_slot_on_every_day_of_three_years(text: str) -> None:
    for zone in ZONES:
        assert_one_slot_a_day(zone, (FIRST_DAY + timedelta(days=n) for n in range(365 * YEARS + 1)), text)


@given(
    st.sampled_from(ZONES),
    st.sampled_from(SCHEDULES),
    st.integers(0, 1300 * 24 * 60).map(lambda minutes: datetime(2025, 6, 1, tzinfo=UTC) + timedelta(minutes=minutes)),
)
def test_latest_and_next_slot_have_nothing_between_them(zone: str, text: str, now: datetime) -> None:
    schedule = parse_schedule(text)
    latest, following = latest_slot(schedule, zone, now), next_slot(schedule, zone, now)

    assert latest is not None
    assert latest.at <= now < following.at
    assert next_slot(schedule, zone, latest.at) == following
    assert (again := latest_slot(schedule, zone, following.at)) is not None
    assert again.at == following.at


def test_the_hour_that_comes_twice_makes_one_slot() -> None:
    schedule, found = wall_times("02:30"), set()
    for minute in range(0, 600, 15):
        found.add(latest_slot(schedule, "Europe/Berlin", utc("2027-10-30T22:00") + timedelta(minutes=minute)))

    assert {slot.name for slot in found if slot} == {"2027-10-30T0230", "2027-10-31T0230"}


def test_a_round_up_is_named_by_its_iso_week() -> None:
    slot = latest_slot(parse_schedule("mon 06:00"), "Asia/Jakarta", utc("2027-01-04T00:00"))

    assert slot == Slot(at=utc("2027-01-03T23:00"), name="2027-W01")


def test_a_round_up_that_moves_within_its_week_makes_no_second_slot() -> None:
    thursday = utc("2026-11-26T12:00")
    names = {latest_slot(parse_schedule(text), "UTC", thursday) for text in ("mon 06:00", "thu 06:00")}

    assert {slot.name for slot in names if slot} == {"2026-W48"}


def test_the_first_days_of_january_can_belong_to_the_week_of_the_old_year() -> None:
    slot = latest_slot(parse_schedule("fri 06:00"), "UTC", utc("2027-01-01T12:00"))

    assert slot is not None
    assert slot.name == "2026-W53"


def test_intervals_are_utc_instants_counted_from_the_epoch() -> None:
    schedule = parse_schedule("every 10 min")

    assert schedule == Interval(every=timedelta(minutes=10))
    assert latest_slot(schedule, "Asia/Jakarta", utc("2026-11-24T04:09:59")) == Slot(
        at=utc("2026-11-24T04:00"), name="20261124T040000Z"
    )


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0 6 * * mon", {0}),
        ("0 6 * * fri-mon", {4, 5, 6, 0}),
        ("0 6 * * mon,wed-thu", {0, 2, 3}),
        ("0 6 * * *", set(range(7))),
    ],
)
def test_cron_days_are_names(text: str, days: set[int]) -> None:
    assert wall_times(text).weekdays == days


@pytest.mark.parametrize(
    ("text", "minutes", "hours"),
    [
        ("*/20 6 * * *", (0, 20, 40), (6,)),
        ("5/15 6 * * *", (5, 20, 35, 50), (6,)),
        ("5,10 6-8 * * *", (5, 10), (6, 7, 8)),
        ("0 6-10/2 * * *", (0,), (6, 8, 10)),
    ],
)
def test_cron_fields_take_lists_ranges_and_steps(text: str, minutes: tuple[int, ...], hours: tuple[int, ...]) -> None:
    schedule = wall_times(text)

    assert (schedule.minutes, schedule.hours) == (minutes, hours)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sometimes", "not a rhythm we know; write 'every 10 min'"),
        ("24:00", "not a rhythm we know"),
        ("every 0 min", "at least 1 min"),
        ("every 10 s", "not a rhythm we know"),
        ("day 06:00", "days are written mon, tue"),
        ("0 6 * * 1", "days are written mon, tue"),
        ("60 6 * * mon", "goes outside 0 to 59"),
        ("0 6-99 * * mon", "goes outside 0 to 23"),
        ("0 x * * mon", "is not a cron field between 0 and 23"),
        ("0 8-6 * * mon", "goes outside 0 to 23"),
        ("0 6 0 * mon", "goes outside 1 to 31"),
        ("0 6 1 * mon", r"days of the month \(1\) and of the week \(mon\) can't both be given; write '\*' for one"),
        ("0 6 30 2 *", "day 30 of month 2 never comes"),
        ("0 6 31 4,6,9,11 *", "day 31 of month 4,6,9,11 never comes"),
        ("0 6 * * mon-", "days are written"),
        ("*/0 6 * * mon", "is not a cron field between 0 and 59"),
        ("", "not a rhythm we know"),
    ],
)
def test_a_rhythm_we_cannot_read_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_schedule(text)


@given(st.text(max_size=30))
def test_reading_a_rhythm_ends_in_a_schedule_or_a_sentence(text: str) -> None:
    try:
        said: object = parse_schedule(text)
    except ValueError as problem:
        said = str(problem)

    assert isinstance(said, Interval | WallTimes) or len(str(said)) > 20


@pytest.mark.parametrize("text", ["0 6 1-31 * mon", "0 6 */1 * mon", "0 6 1 * mon-sun"])
def test_a_cron_field_of_all_days_leaves_the_choice_to_the_other(text: str) -> None:
    assert next_slot(parse_schedule(text), "UTC", NOW).at > NOW


@pytest.mark.parametrize(
    ("now", "name"),
    [("2026-11-24T02:00", "2028-02-29T0600"), ("2096-02-29T07:00", "2104-02-29T0600")],  # 2100 is no leap year
)
def test_the_rarest_day_has_a_next_slot(now: str, name: str) -> None:
    assert next_slot(parse_schedule("0 6 29 2 *"), "UTC", utc(now)).name == name


def test_a_slot_missed_by_more_than_400_days_is_not_looked_for() -> None:
    schedule = parse_schedule("0 6 29 2 *")

    assert latest_slot(schedule, "UTC", utc("2029-04-01T06:00")) is not None
    assert latest_slot(schedule, "UTC", utc("2029-04-10T06:00")) is None


def test_a_slot_is_late_after_two_hours() -> None:
    slot = Slot(at=NOW, name="x")

    assert not is_late(slot, NOW + LATE)
    assert is_late(slot, NOW + LATE + timedelta(seconds=1))
