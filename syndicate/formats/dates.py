"""Dates as readers and machines want them, without the process locale and without asking the clock."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from zoneinfo import ZoneInfo

DAYS: Mapping[str, tuple[str, ...]] = {
    "id": ("Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
MONTHS: Mapping[str, tuple[str, ...]] = {
    "id": (
        *("Januari", "Februari", "Maret", "April", "Mei", "Juni"),
        *("Juli", "Agustus", "September", "Oktober", "November", "Desember"),
    ),
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
}
_CLOCK: Mapping[str, str] = {"id": "%H.%M", "en": "%H:%M"}
# The three legal times of Indonesia; elsewhere the zone's own abbreviation is used.
_ZONE_NAMES: Mapping[str, str] = {
    "Asia/Jakarta": "WIB",
    "Asia/Pontianak": "WIB",
    "Asia/Makassar": "WITA",
    "Asia/Jayapura": "WIT",
}


def reading_language(code: str) -> str:
    """The language our own words are in: English for English, Indonesian for it and its regional languages."""
    return "en" if code.lower().split("-")[0] == "en" else "id"


def day_month(at: datetime, *, zone: str, language: str) -> str:
    """As in "14 Oktober", by the calendar of `zone`."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local.day} {MONTHS[language][local.month - 1]}"


def short_date(at: datetime, *, zone: str, language: str) -> str:
    """As in "14 Oktober 2026", by the calendar of `zone`."""
    return f"{day_month(at, zone=zone, language=language)} {at.astimezone(ZoneInfo(zone)).year}"


def long_date(at: datetime, *, zone: str, language: str) -> str:
    """As in "Rabu, 14 Oktober 2026", by the calendar of `zone`."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{DAYS[language][local.weekday()]}, {short_date(at, zone=zone, language=language)}"


def clock_time(at: datetime, *, zone: str, language: str) -> str:
    """As in "07.15 WIB": never without the zone, since a regional paper has readers in three."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local.strftime(_CLOCK[language])} {_ZONE_NAMES.get(zone) or local.tzname()}"


def rfc822(at: datetime) -> str:
    """RSS 2.0 dates: English names, four-digit year, GMT, whatever the locale is."""
    return format_datetime(at.astimezone(UTC), usegmt=True)


def rfc3339(at: datetime) -> str:
    """RFC 3339 with seconds, in UTC."""
    return whole_second(at).isoformat()


def whole_second(at: datetime) -> datetime:
    """In UTC, without the fraction that no reader shows."""
    return at.astimezone(UTC).replace(microsecond=0)
