"""Dates as readers and machines want them, without the process locale and without asking the clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from babel.dates import DateTimePattern


@dataclass(frozen=True, slots=True)
class _Style:
    """How a language writes dates, as Unicode's patterns (UTS #35 part 4)."""

    long: str
    short: str
    day_month: str
    clock: str


# Where a paper of the region writes otherwise than CLDR has it: no zero before a day, and in English the day first and
# the clock to 24. All other languages are as CLDR says.
_HOUSE: Mapping[str, _Style] = {
    "id": _Style("EEEE, d MMMM y", "d MMMM y", "d MMMM", "HH.mm"),
    "en": _Style("EEEE, d MMMM y", "d MMMM y", "d MMMM", "HH:mm"),
}
# The three legal times of Indonesia; elsewhere the zone's own abbreviation is used.
_ZONE_NAMES: Mapping[str, str] = {
    "Asia/Jakarta": "WIB",
    "Asia/Pontianak": "WIB",
    "Asia/Makassar": "WITA",
    "Asia/Jayapura": "WIT",
}


def day_month(at: datetime, *, zone: str, language: str) -> str:
    """As in "14 Oktober", by the calendar of `zone`."""
    return _written(at, zone, language, _style(language).day_month)


def short_date(at: datetime, *, zone: str, language: str) -> str:
    """As in "14 Oktober 2026", by the calendar of `zone`."""
    return _written(at, zone, language, _style(language).short)


def long_date(at: datetime, *, zone: str, language: str) -> str:
    """As in "Rabu, 14 Oktober 2026", by the calendar of `zone`."""
    return _written(at, zone, language, _style(language).long)


def clock_time(at: datetime, *, zone: str, language: str) -> str:
    """As in "07.15 WIB": never without the zone, since a regional paper has readers in three."""
    name = _ZONE_NAMES.get(zone) or at.astimezone(ZoneInfo(zone)).tzname()
    return f"{_written(at, zone, language, _style(language).clock)} {name}"


def rfc822(at: datetime) -> str:
    """RSS 2.0 dates: English names, four-digit year, GMT, whatever the locale is."""
    return format_datetime(at.astimezone(UTC), usegmt=True)


def rfc3339(at: datetime) -> str:
    """RFC 3339 with seconds, in UTC."""
    return whole_second(at).isoformat()


def whole_second(at: datetime) -> datetime:
    """In UTC, without the fraction that no reader shows."""
    return at.astimezone(UTC).replace(microsecond=0)


def _written(at: datetime, zone: str, language: str, pattern: str) -> str:
    return _pattern(pattern).apply(at.astimezone(ZoneInfo(zone)), language.replace("-", "_"))


@lru_cache
def _style(language: str) -> _Style:
    if language in _HOUSE:
        return _HOUSE[language]
    from babel import Locale
    from babel.dates import match_skeleton

    locale = Locale.parse(language, sep="-")
    skeletons = locale.datetime_skeletons
    day_month = match_skeleton("MMMMd", skeletons) or "MMMd"
    return _Style(
        long=locale.date_formats["full"].pattern,
        short=locale.date_formats["long"].pattern,
        day_month=skeletons[day_month].pattern,
        clock=locale.time_formats["short"].pattern,
    )


@lru_cache
def _pattern(pattern: str) -> "DateTimePattern":
    """Babel takes longer to load than the rest of a feed; machines' dates do without."""
    from babel.dates import parse_pattern

    return parse_pattern(pattern)
