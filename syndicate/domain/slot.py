"""Slots: the moments a newsletter is for. Each exists once, whatever clocks, restarts and summer time do.

Slots at wall times are named by the newsletter's local time, without offset, so the hour that comes twice in autumn
makes one slot and the hour that is skipped in spring still makes one (an hour later on the clock). A weekly round-up
is named by its ISO week, so moving it within a week makes no second one. Intervals are named by their UTC instant.
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LATE = timedelta(hours=2)  # a slot missed by more than this waits for a person
_LOOK_BACK = timedelta(days=400)  # a yearly slot is found; one missed for longer is nobody's any more
_LOOK_AHEAD = timedelta(days=8 * 366)  # 29 February is the rarest day: 2100 has none
_DAYS_OF_MONTH, _DAYS_OF_WEEK = frozenset(range(1, 32)), frozenset(range(7))  # 0 = Monday
_EVERY = re.compile(r"every (\d{1,4}) ?(min|h)")
_AT = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))? )?([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Every so long, counted from the Unix epoch, so a restart doesn't shift it."""

    every: timedelta


@dataclass(frozen=True, kw_only=True)
class WallTimes:
    """At these wall-clock times on these days. `weekly` names its slots by ISO week."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    weekdays: frozenset[int] = _DAYS_OF_WEEK
    days: frozenset[int] = _DAYS_OF_MONTH
    months: frozenset[int] = frozenset(range(1, 13))
    weekly: bool = False

    def on(self, day: date) -> bool:
        """True when the day is one of its days."""
        return day.weekday() in self.weekdays and day.day in self.days and day.month in self.months


Schedule = Interval | WallTimes


@dataclass(frozen=True, kw_only=True, order=True)
class Slot:
    """One moment an edition is for: `at` is the instant (UTC), `name` its permanent key."""

    at: datetime
    name: str


def parse_schedule(text: str) -> Schedule:
    """`every 10 min`, `every 2 h`, `06:00`, `mon-fri 06:00`, `mon 06:00`, or five cron fields with day names.

    Raises ValueError with a sentence that says what is understood. What it returns always has a next slot.
    """
    words = " ".join(text.lower().split())
    if hit := _EVERY.fullmatch(words):
        return _interval(int(hit[1]), hit[2])
    if hit := _AT.fullmatch(words):
        return _wall_times(hit[1], hit[2], int(hit[3]), int(hit[4]))
    if len(words.split()) == 5:
        return _cron(*words.split())
    raise ValueError(
        f"{text!r} is not a rhythm we know; write 'every 10 min', 'every 2 h', '06:00', 'mon-fri 06:00', 'mon 06:00' "
        "or five cron fields with day names such as '0 6 * * mon-fri'"
    )


def latest_slot(schedule: Schedule, zone: str, now: datetime) -> Slot | None:
    """The newest slot whose moment has come."""
    if isinstance(schedule, Interval):
        return _interval_slot(schedule, now)
    day = now.astimezone(ZoneInfo(zone)).date() + timedelta(days=1)
    oldest = day - _LOOK_BACK
    while day >= oldest:
        due = [slot for slot in slots_of_day(schedule, zone, day) if slot.at <= now]
        if due:
            return max(due)
        day -= timedelta(days=1)
    return None


def next_slot(schedule: Schedule, zone: str, now: datetime) -> Slot:
    """The first slot that is still to come. Raises LookupError for days that never come; none are ever parsed."""
    if isinstance(schedule, Interval):
        return _interval_slot(schedule, now + schedule.every)
    day = now.astimezone(ZoneInfo(zone)).date() - timedelta(days=1)
    for _ in range(_LOOK_AHEAD.days):
        ahead = [slot for slot in slots_of_day(schedule, zone, day) if slot.at > now]
        if ahead:
            return min(ahead)
        day += timedelta(days=1)
    raise LookupError(f"{schedule} has no slot in the next eight years")


def slots_of_day(schedule: WallTimes, zone: str, day: date) -> Iterator[Slot]:
    """The slots that carry this local date, in order of the clock on the wall."""
    if not schedule.on(day):
        return
    for hour in schedule.hours:
        for minute in schedule.minutes:
            wall = datetime.combine(day, time(hour, minute))
            yield Slot(at=_instant(wall, zone), name=_wall_name(schedule, wall))


def next_hour(hour: int, zone: str, at: datetime) -> datetime:
    """When it is next `hour` o'clock (0 to 23) in a zone, `at` itself included; by the same rules as slots."""
    day = at.astimezone(ZoneInfo(zone)).date() - timedelta(days=1)  # an hour that is skipped may come a day later
    while (moment := _instant(datetime.combine(day, time(hour)), zone)) < at:
        day += timedelta(days=1)
    return moment


def breaking_slot(seq: int, at: datetime) -> Slot:
    """The slot of a story's own edition: by its place in the change log, and as late as that."""
    return Slot(at=at, name=f"seq-{seq}")


def breaking_seq(name: str) -> int:
    """The place in the change log that such a slot is named by."""
    return int(name.removeprefix("seq-"))


def is_late(slot: Slot, now: datetime) -> bool:
    """Too late to be sent without a person's word."""
    return now - slot.at > LATE


def _instant(wall: datetime, zone: str) -> datetime:
    """The first instant that shows this wall time (fold 0). In a gap: by the old offset, as PEP 495 has it."""
    return wall.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def _wall_name(schedule: WallTimes, wall: datetime) -> str:
    if schedule.weekly:
        year, week, _ = wall.isocalendar()
        return f"{year}-W{week:02d}"
    return f"{wall:%Y-%m-%dT%H%M}"


def _interval_slot(schedule: Interval, now: datetime) -> Slot:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    at = epoch + (now - epoch) // schedule.every * schedule.every
    return Slot(at=at, name=f"{at:%Y%m%dT%H%M%SZ}")


def _interval(count: int, unit: str) -> Interval:
    if not count:
        raise ValueError("an interval must be at least 1 min")
    return Interval(every=timedelta(minutes=count) if unit == "min" else timedelta(hours=count))


def _wall_times(first: str | None, last: str | None, hour: int, minute: int) -> WallTimes:
    if first is None:
        return WallTimes(minutes=(minute,), hours=(hour,))
    days = _day_range(first, last or first)
    return WallTimes(minutes=(minute,), hours=(hour,), weekdays=days, weekly=last is None)


def _day_range(first: str, last: str) -> frozenset[int]:
    if first not in DAYS or last not in DAYS:
        raise ValueError(f"days are written {', '.join(DAYS)}, not {first!r} to {last!r}")
    start, end = DAYS.index(first), DAYS.index(last)
    return frozenset((start + i) % 7 for i in range((end - start) % 7 + 1))


def _cron(minute: str, hour: str, day: str, month: str, weekday: str) -> WallTimes:
    schedule = WallTimes(
        minutes=tuple(sorted(_field(minute, 0, 59))),
        hours=tuple(sorted(_field(hour, 0, 23))),
        days=_field(day, 1, 31),
        months=_field(month, 1, 12),
        weekdays=_weekdays(weekday),
    )
    if schedule.days != _DAYS_OF_MONTH and schedule.weekdays != _DAYS_OF_WEEK:  # cron: either; most readers: both
        raise ValueError(
            f"days of the month ({day}) and of the week ({weekday}) can't both be given; write '*' for one of them"
        )
    if min(schedule.days) > max(_length(month) for month in schedule.months):
        raise ValueError(f"day {day} of month {month} never comes; write a day that does")
    return schedule


def _length(month: int) -> int:
    """The most days a month can have."""
    return monthrange(2024, month)[1]  # a leap year


def _weekdays(field: str) -> frozenset[int]:
    """Day names only: in crontabs 0 is Sunday, in APScheduler Monday; a number would be sent on the wrong day."""
    if field == "*":
        return _DAYS_OF_WEEK
    ranges = (part.split("-", 1) for part in field.split(","))
    return frozenset().union(*(_day_range(r[0], r[-1]) for r in ranges))


def _field(field: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        hit = re.fullmatch(r"(\*|\d{1,2}(?:-\d{1,2})?)(?:/(\d{1,2}))?", part)
        if hit is None or hit[2] in ("0", "00"):
            raise ValueError(f"{part!r} is not a cron field between {low} and {high}")
        first, last = _bounds(hit[1], low, high, stepped=hit[2] is not None)
        found.update(range(first, last + 1, int(hit[2] or 1)))
    if not found or min(found) < low or max(found) > high:
        raise ValueError(f"{field!r} goes outside {low} to {high}")
    return frozenset(found)


def _bounds(text: str, low: int, high: int, *, stepped: bool) -> tuple[int, int]:
    """From where to where a part goes. As in cron `5/15` goes on to the end: 5, 20, 35, 50."""
    if text == "*":
        return low, high
    first, _, last = text.partition("-")
    return int(first), int(last or (high if stepped else first))
