"""Lists of readers that come from elsewhere or go there: what a row means, and which cells are dangerous.

A row that says somebody left, or must not be written to, is worth as much as one that says they read: it is kept, and
nothing in a list ever brings back who has left here.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from zoneinfo import ZoneInfo

from syndicate.domain.audience import SubscriptionState, normal_address
from syndicate.domain.consent import Via
from syndicate.errors import AddressProblem, Refused

LONGEST_NAME = 120  # characters
LONGEST_SINCE = 64  # characters
LEAST_PROVENANCE, MOST_PROVENANCE = 10, 500  # characters
FIELDS = ("address", "name", "language", "zone", "since", "state")

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")  # BCP 47, as far as a reader's language goes
_LONGEST_LANGUAGE, _LONGEST_ZONE = 16, 64  # characters, as the columns have them
# What spreadsheets take for a formula, or can be made to: OWASP "CSV Injection", and the full-width forms that Excel
# reads alike.
_FORMULA = tuple("=+-@\t\r|%＝＋－＠")


class Standing(IntEnum):
    """What a list says of a person. The higher one counts where it says several things."""

    READS = 0
    LEFT = 1
    BLOCKED = 2  # must not be written to: complained, bounced for good, or was blocked by hand


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A column that says how a person stands."""

    column: str
    said: Mapping[str, Standing]  # by the cell in lower case
    otherwise: Standing | None = None  # what any other text says; None: nobody knows, and the row is refused
    needed: bool = False  # without the column the file can't be understood


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Which columns a program's export has."""

    address: str
    names: tuple[str, ...] = ()  # joined by blanks
    language: str = ""
    zone: str = ""
    since: tuple[str, ...] = ()  # when they agreed; the first that is filled in
    marks: tuple[Mark, ...] = ()
    reason: str = "blocked"  # in suppressions, of those who are BLOCKED
    refused: str = ""  # how the name of a file begins whose people never agreed to anything


_WORDS = {
    **dict.fromkeys(("active", "subscribed", "confirmed", "enabled", "true", "yes", "1"), Standing.READS),
    **dict.fromkeys(("ended", "unsubscribed", "left", "disabled", "inactive", "false", "no", "0"), Standing.LEFT),
    **dict.fromkeys(("suppressed", "blocked", "blocklisted", "bounced", "cleaned", "complained"), Standing.BLOCKED),
}
PLAIN = Preset(
    address="address",
    names=("name",),
    language="language",
    zone="zone",
    since=("since",),
    marks=(Mark(column="state", said=_WORDS),),
)
PRESETS: Mapping[str, Preset] = {
    # listmonk 2–6, cmd/subscribers.go: uuid, email, name, attributes, status, created_at, updated_at
    "listmonk": Preset(
        address="email",
        names=("name",),
        since=("created_at",),
        marks=(
            Mark(
                column="status",
                said={"enabled": Standing.READS, "disabled": Standing.LEFT, "blocklisted": Standing.BLOCKED},
                needed=True,
            ),
        ),
        reason="blocklisted",
    ),
    # Mailchimp's audience export: a ZIP with one file each for subscribed, unsubscribed, cleaned and nonsubscribed
    # people. The last has the columns of the first.
    "mailchimp": Preset(
        address="Email Address",
        names=("First Name", "Last Name"),
        zone="TIMEZONE",
        since=("CONFIRM_TIME", "OPTIN_TIME"),
        marks=(
            Mark(column="UNSUB_TIME", said={"": Standing.READS}, otherwise=Standing.LEFT),
            Mark(column="CLEAN_TIME", said={"": Standing.READS}, otherwise=Standing.BLOCKED),
        ),
        reason="hard_bounce",
        refused="nonsubscribed",
    ),
    # Ghost 4–6, members export: id, email, name, note, subscribed_to_emails, complimentary_plan, stripe_customer_id,
    # created_at, deleted_at, labels, tiers
    "ghost": Preset(
        address="email",
        names=("name",),
        since=("created_at",),
        marks=(
            Mark(
                column="subscribed_to_emails",
                said={"true": Standing.READS, "false": Standing.LEFT},
                needed=True,
            ),
            Mark(column="deleted_at", said={"": Standing.READS}, otherwise=Standing.LEFT),
        ),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row as understood."""

    line: int  # of the file, where it begins
    address: str
    name: str = ""
    language: str = ""  # "": the file doesn't say
    timezone: str = ""
    since: str = ""  # as it stands there
    standing: Standing


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Where in a row each thing stands."""

    address: int
    names: tuple[int, ...]
    language: int | None
    zone: int | None
    since: tuple[int, ...]
    marks: tuple[tuple[int, Mark], ...]
    width: int
    all_left: bool = False  # the file is a list of those who left


def with_columns(preset: Preset, columns: Iterable[tuple[str, str]]) -> Preset:
    """The preset with some fields of FIELDS read from other columns."""
    named: dict[str, list[str]] = {}
    for field, column in columns:
        named.setdefault(field, []).append(column)
    state = tuple(Mark(column=column, said=_WORDS, needed=True) for column in named.get("state", ()))
    return Preset(
        address=named.get("address", [preset.address])[-1],
        names=tuple(named.get("name", preset.names)),
        language=named.get("language", [preset.language])[-1],
        zone=named.get("zone", [preset.zone])[-1],
        since=tuple(named.get("since", preset.since)),
        marks=(*(mark for mark in preset.marks if not state or mark.column != "state"), *state),
        reason=preset.reason,
        refused=preset.refused,
    )


def find_columns(
    preset: Preset, header: Sequence[str], *, asked: Iterable[str] = (), all_left: bool = False
) -> Reading:
    """Where the columns stand, whatever the capitals. Raises Refused when one that is needed is missing or there twice.

    `asked` are columns that must be there because a person named them.
    """
    there = [cell.strip().casefold() for cell in header]
    needed = {preset.address, *(mark.column for mark in preset.marks if mark.needed), *asked}
    for column in sorted(needed):
        if there.count(column.casefold()) != 1:
            how = "has no column" if column.casefold() not in there else "has more than one column"
            shown = ", ".join(repr(cell[:40]) for cell in header[:20])
            raise Refused(
                f"the file {how} {column!r}; its first line is {shown}. Name columns with --column, or --from"
            )

    def place(column: str) -> int | None:
        return there.index(column.casefold()) if column and column.casefold() in there else None

    def places(columns: Iterable[str]) -> tuple[int, ...]:
        return tuple(found for column in columns if (found := place(column)) is not None)

    return Reading(
        address=there.index(preset.address.casefold()),
        names=places(preset.names),
        language=place(preset.language),
        zone=place(preset.zone),
        since=places(preset.since),
        marks=tuple((found, mark) for mark in preset.marks if (found := place(mark.column)) is not None),
        width=len(header),
        all_left=all_left,
    )


def read_row(reading: Reading, line: int, cells: Sequence[str]) -> Row | str:
    """A row as understood, or why it can't be.

    Of those who left or are blocked only the address is asked for, so that a bad name or zone brings nobody mail.
    """
    if len(cells) != reading.width:
        return f"it has {len(cells)} columns, the first line has {reading.width}"
    try:
        address = normal_address(cells[reading.address].strip())
    except AddressProblem as problem:
        return problem.why
    standings = [_standing(mark, cells[place]) for place, mark in reading.marks]
    unknown = next((found for found in standings if isinstance(found, str)), None)
    if unknown is not None:
        return unknown
    known = [found for found in standings if not isinstance(found, str)]
    standing = max([Standing.LEFT if reading.all_left else Standing.READS, *known])
    since = next((found for place in reading.since if (found := one_line(cells[place]))), "")[:LONGEST_SINCE]
    if standing is not Standing.READS:
        return Row(line=line, address=address, since=since, standing=standing)
    language = cells[reading.language].strip() if reading.language is not None else ""
    if language and (len(language) > _LONGEST_LANGUAGE or not _LANGUAGE.fullmatch(language)):
        return f"{language[:40]!r} is no language tag, such as id or en"
    zone = cells[reading.zone].strip() if reading.zone is not None else ""
    if zone and not is_zone(zone):
        return f"{zone[:40]!r} is no time zone, such as Asia/Jakarta"
    name = one_line(" ".join(cells[place] for place in reading.names))[:LONGEST_NAME].rstrip()
    return Row(line=line, address=address, name=name, language=language, timezone=zone, since=since, standing=standing)


def provenance(words: str) -> str:
    """Where the consent comes from, in words worth keeping. Raises Refused for words that say nothing."""
    text = one_line(words)
    if not LEAST_PROVENANCE <= len(text) <= MOST_PROVENANCE:
        raise Refused(
            f"say in {LEAST_PROVENANCE} to {MOST_PROVENANCE} characters where these people agreed, when, and to what: "
            "without that nobody may be written to"
        )
    return text


def is_own_word(origin: str) -> bool:
    """True of a subscription that its reader confirmed here. Newer than any list, so no list ends it."""
    return origin in tuple(Via)


def may_begin(state: SubscriptionState | None) -> bool:
    """A list begins only what never was: whoever left here doesn't come back by a list."""
    return state is None


def is_zone(name: str) -> bool:
    """True for a time zone that this system knows."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return False
    return len(name) <= _LONGEST_ZONE


def one_line(text: str) -> str:
    """Text that others wrote, without control, format and private characters, and with single blanks."""
    normal = unicodedata.normalize("NFC", text)
    kept = "".join(" " if c.isspace() else c for c in normal if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(kept.split())


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: such a one gets an apostrophe before it, also behind blanks."""
    begins = cell.lstrip(" \u00a0\u3000\ufeff\u200b\n")
    return f"'{cell}" if begins.startswith(_FORMULA) else cell


def _standing(mark: Mark, cell: str) -> Standing | str:
    word = cell.strip().casefold()
    found = mark.said.get(word, mark.otherwise if word else None)
    return found if found is not None else f"{mark.column} is {cell.strip()[:40]!r}, and nobody knows what that means"
