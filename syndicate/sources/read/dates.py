"""Times as newsrooms write them: RFC 822, RFC 3339, and the Indonesian ways that no library reads right.

feedparser reads "10:12:00 WIB" seven hours late and "Sen, 19 Mei 2025" not at all (measured in gather.md §1.7).
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

CLOCK_SLIP = timedelta(minutes=10)  # a story from so little in the future is from now
_LONGEST = 120  # characters; no date is longer

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan januari january",
            "feb februari february peb pebruari",
            "mar maret march mrt",
            "apr april",
            "mei may",
            "jun juni june",
            "jul juli july",
            "agu agt ags agustus aug august",
            "sep sept september",
            "okt oktober oct october",
            "nov nop november nopember",
            "des desember dec december",
        ),
        start=1,
    )
    for name in names.split()
}
# Days of the week in both languages, the Javanese market days (pasaran), and words around the time of day.
_NOISE = re.compile(
    r"\b(sen|senin|sel|selasa|rab|rabu|kam|kamis|jum|jum'?at|sab|sabtu|min|minggu|ahad"
    r"|mon|monday|tue|tues|tuesday|wed|wednesday|thu|thur|thurs|thursday|fri|friday|sat|saturday|sun|sunday"
    r"|pon|wage|kliwon|legi|manis|pahing|paing|pukul|pkl|jam)\b"
)
_ZONES = {
    **dict.fromkeys(("z", "ut", "utc", "gmt"), 0),
    **{"wib": 7, "wita": 8, "wit": 9},
    **{"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7},  # RFC 822 §5.1
}
_BASIC_ISO = re.compile(r"^(\d{4})(\d\d)(\d\d)t(\d\d)(\d\d)(\d\d)?")  # 20250519T101200Z
_ISO = re.compile(r"(?<![\d-])(\d{4})-(\d\d)-(\d\d)(?!\d)")
_DAY_FIRST = re.compile(r"(?<!\d)(\d{1,2})(?:st|nd|rd|th)?[ -]+([a-z]+)\.?[ -]+(\d{4}|\d\d)(?!\d)")
_MONTH_FIRST = re.compile(r"\b([a-z]+)\.? (\d{1,2})(?:st|nd|rd|th)? (\d{4})(?!\d)")
_NUMBERS = re.compile(r"(?<![\d/.-])(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?!\d)")
_TIME = re.compile(r"(?<!\d)(\d{1,2})[:.](\d\d)(?:[:.](\d\d)(?:[.,]\d+)?)?(?!\d)(?: ?([ap])\.?m\b\.?)?")
_OFFSET = re.compile(r"(?:\b(?:gmt|utc))?([+-])(\d\d?)(?::?(\d\d))?(?!\d)")
_ZONE_NAME = re.compile(r"(?<![a-z])(" + "|".join(_ZONES) + r")(?![a-z])")


def read_date(text: str, zone: str) -> datetime | None:
    """The instant in UTC, or None when the text isn't a possible date.

    What names no zone is in `zone`. A day without a time is its midnight. Years up to 1 are None: databases write
    them for "no date".
    """
    plain = _plain(text)
    day = _read_day(plain)
    if day is None:
        return None
    (year, month, number), rest = day
    if year <= 1:
        return None
    clock = _TIME.search(rest)
    after = rest[clock.end() :] if clock else rest
    try:
        midnight = datetime(year, month, number, tzinfo=_read_zone(after, zone))
        return _at(midnight, clock).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def has_zone(text: str) -> bool:
    """True when a date has a time of day and says in which zone; without, it is only read by our guess."""
    day = _read_day(_plain(text))
    clock = _TIME.search(day[1]) if day else None
    after = day[1][clock.end() :] if day and clock else ""
    return bool(_OFFSET.search(after) or _ZONE_NAME.search(after))


def choose_times(
    published: str, updated: str, *, zone: str, now: datetime
) -> tuple[datetime, datetime, tuple[str, ...]]:
    """When a story was published and last changed, and the flags for what we had to guess.

    `date_guess`: nothing readable was said, so it is from now. `date_future`: it claimed to be from later than now.
    Neither time is ever in the future, and no story changed before it was published.
    """
    changed = read_date(updated, zone)
    appeared = read_date(published, zone) or changed
    flags = []
    if appeared is None:
        flags.append("date_guess")
        appeared = now
    if appeared > now + CLOCK_SLIP:
        flags.append("date_future")
    appeared = min(appeared, now)
    return appeared, max(appeared, min(changed or appeared, now)), tuple(flags)


def _plain(text: str) -> str:
    folded = text.strip()[:_LONGEST].casefold().replace("’", "'").replace("`", "'").replace("−", "-")
    folded = _BASIC_ISO.sub(lambda hit: f"{hit[1]}-{hit[2]}-{hit[3]} {hit[4]}:{hit[5]}:{hit[6] or '00'}", folded)
    folded = re.sub(r"(\d)t(\d)", r"\1 \2", re.sub(r"[|,()]", " ", folded))
    return " ".join(_NOISE.sub(" ", folded).split())


def _read_day(plain: str) -> tuple[tuple[int, int, int], str] | None:
    """Year, month, day, and what remains of the text."""
    if hit := _ISO.search(plain):
        return (int(hit[1]), int(hit[2]), int(hit[3])), _without(plain, hit)
    if (hit := _DAY_FIRST.search(plain)) and (month := _MONTHS.get(hit[2])):
        return (_full_year(hit[3]), month, int(hit[1])), _without(plain, hit)
    if (hit := _MONTH_FIRST.search(plain)) and (month := _MONTHS.get(hit[1])):
        return (int(hit[3]), month, int(hit[2])), _without(plain, hit)
    if hit := _NUMBERS.search(plain):
        return (int(hit[3]), int(hit[2]), int(hit[1])), _without(plain, hit)
    return None


def _without(text: str, hit: re.Match[str]) -> str:
    return text[: hit.start()] + " " + text[hit.end() :]


def _full_year(digits: str) -> int:
    """RFC 5322 §4.3: two digits below 50 are of this century."""
    year = int(digits)
    return year if len(digits) == 4 else year + (2000 if year < 50 else 1900)


def _at(midnight: datetime, clock: re.Match[str] | None) -> datetime:
    if clock is None:
        return midnight
    hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
    if clock[4]:
        hour = hour % 12 + (12 if clock[4] == "p" else 0)
    next_day = timedelta(days=1) if (hour, minute) == (24, 0) else timedelta()  # ISO 8601: the end of the day
    return midnight.replace(hour=0 if next_day else hour, minute=minute, second=min(second, 59)) + next_day


def _read_zone(after: str, zone: str) -> tzinfo:
    if hit := _OFFSET.search(after):
        size = timedelta(hours=int(hit[2]), minutes=int(hit[3] or 0))
        return timezone(-size if hit[1] == "-" else size)
    if hit := _ZONE_NAME.search(after):
        return timezone(timedelta(hours=_ZONES[hit[1]]))
    return ZoneInfo(zone)
