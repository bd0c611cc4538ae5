"""Sources: what a look at a newsroom brought, and what we remember between two looks."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from syndicate.domain.article import Content


class Relation(StrEnum):
    """What the newsroom is to us: it says how often and how freely we may look."""

    OWNER = "owner"  # our own paper
    PARTNER = "partner"  # it knows that we come
    STRANGER = "stranger"


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """One newsroom as the operator described it."""

    name: str
    kind: str  # "folder", "feed", "wordpress", "page"
    location: str  # URL, or path of a folder
    every: timedelta | None  # a fixed rhythm; None: as often as the newsroom publishes
    relation: Relation = Relation.PARTNER
    zone: str = "Asia/Jakarta"
    language: str = "id"
    sections: tuple[str, ...] = ()  # which of the feed's categories are sections; the rest are tags
    channels: tuple[str, ...] = ()  # of a newsroom that has several, in the order we try them; () is the usual order
    page_rule: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # the operator's own selectors for its pages
    strip_weak_etag: bool = False
    credit_required: bool = False  # a lead picture without the name of its maker is left out, not only flagged
    first_import_mail: bool = False  # first_import = "mail": the first import may be mailed and pushed


@dataclass(frozen=True, kw_only=True)
class Media:
    """Bytes of a picture that passed inspection; `hash` names it at /media/HASH."""

    hash: str
    mime_type: str
    width: int
    height: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class FoundArticle:
    """A story as the source shows it now."""

    key: str  # identity inside the source, opaque
    content: Content
    aliases: tuple[str, ...] = ()  # other names of the same story: URLs, old keys
    media: tuple[Media, ...] = ()


class Look(StrEnum):
    """How a look at a source went."""

    OK = "ok"
    UNCHANGED = "unchanged"
    DEGRADED = "degraded"  # readable but malformed: taken, but nothing is concluded from it
    FAILED = "failed"


class Fault(StrEnum):
    """What a failed look says about the next ones."""

    HARD = "hard"  # what is there is not the newsroom we know; waiting won't mend it
    SOFT = "soft"  # the newsroom answers that it is out of order
    TEMPORARY = "temporary"  # no answer came, or we were asked to wait


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a source wants back at the next look (validators, body hash, file stamps). Opaque to all others.

    It is saved after the articles it belongs to, never ahead of them. One value comes from outside: `confirmed`, the
    code of a mass loss that the operator says was meant. The look that withdraws those stories leaves it out again.
    """

    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What one look brought. Nothing is withdrawn unless its key is in `gone`."""

    look: Look
    articles: tuple[FoundArticle, ...] = ()
    gone: frozenset[str] = frozenset()  # keys the source says are no more
    moved: Mapping[str, str] = field(default_factory=dict)  # old key → new key of the same story
    memory: Memory | None = None  # None: keep the old one
    problem: str = ""  # for the operator, in words
    problems: tuple[str, ...] = ()  # stories with a flaw, or not read at all, one line each
    fault: Fault = Fault.SOFT  # of a failed look
    retry_after: timedelta | None = None
    asked_interval: timedelta | None = None  # how seldom the newsroom asks to be looked at
    importing: bool = False  # through a channel that has brought nothing before: what is old there is no news
    suspend: bool = False  # 410: don't come back by yourself
    shut: bool = False  # this channel isn't for us (401, 403, 404, 410, something else there); another one may be


@dataclass(frozen=True, kw_only=True)
class Failing:
    """How long and how badly a source has been failing. The first look that works forgets all of it."""

    errors: int = 0  # looks in a row
    strikes: float = 0.0  # the same, weighed by their faults
    failing_since: datetime | None = None


RECENT = 20  # newest stories, whose times tell a newsroom's rhythm
MAX_INTERVAL = timedelta(hours=24)
MOST_STRIKES = 10.0  # then a source is suspended, if it has been failing for …
LONG_FAILURE = timedelta(days=3)  # … so long
_STRIKES = {Fault.HARD: 1.0, Fault.SOFT: 0.5, Fault.TEMPORARY: 0.25}  # gather.md §1.2
_SHORTEST = {  # gather.md §1.3
    Relation.OWNER: timedelta(minutes=5),
    Relation.PARTNER: timedelta(minutes=15),
    Relation.STRANGER: timedelta(minutes=60),
}
_LONGEST = timedelta(hours=6)  # of a rhythm that follows the newsroom's
_UNKNOWN = timedelta(hours=1)  # while there are too few stories to tell a rhythm
_NIGHT_FROM, _NIGHT_TO, _NIGHT_FACTOR = 23, 4, 3  # hours of the source's zone
_JITTER = 0.1
_MOST_DOUBLINGS = 12


def shortest_wait(config: SourceConfig) -> timedelta:
    """The least time between two looks: the operator's word, else by what the newsroom is to us."""
    return _SHORTEST[config.relation] if config.every is None else config.every


def obeys_robots(config: SourceConfig, *, page: bool) -> bool:
    """Whether robots.txt is asked. A partner gave us its feed to read, but its pages, when we read stories there
    (`page`), are for people."""
    return config.relation is Relation.STRANGER or (page and config.relation is Relation.PARTNER)


def next_look(
    config: SourceConfig,
    gathered: Gathered,
    *,
    errors: int,
    now: datetime,
    recent: Sequence[datetime],
    chance: float,
    first: bool,
) -> datetime:
    """When to look again: never sooner than `shortest_wait`, never later than a day, unless `every` is longer.

    `recent` are the times when the newest `RECENT` stories were published, in any order. `chance`, in [0, 1), keeps
    sources from coming in step; after the `first` look the source's name does, for many are added at once: the wait
    is somewhere between the shortest and the usual one. Looks that were missed are never made up for.
    """
    least = shortest_wait(config)
    if gathered.look is Look.FAILED:
        wait = _back_off(least, errors, chance)
    elif config.every is not None:
        wait = config.every
    else:
        usual = _rhythm(config, recent, now=now)
        jittered = usual * (1 - _JITTER + 2 * _JITTER * chance)
        wait = max(_spread(config, usual) if first else jittered, _asked(config, gathered))
    return now + min(max(wait, least, gathered.retry_after or least), max(MAX_INTERVAL, least))


def is_overdue(config: SourceConfig, *, looked_at: datetime | None, look: Look | None, now: datetime) -> bool:
    """Whether a fixed rhythm asks for a look, whenever one was planned: the operator may have changed it since.

    A source that failed waits as long as was planned then.
    """
    if config.every is None or looked_at is None or look is Look.FAILED:
        return False
    return now - looked_at >= config.every


def still_failing(before: Failing, gathered: Gathered, *, now: datetime) -> Failing:
    """The count after this look."""
    if gathered.look is not Look.FAILED:
        return Failing()
    return Failing(
        errors=before.errors + 1,
        strikes=before.strikes + _STRIKES[gathered.fault],
        failing_since=before.failing_since or now,
    )


def suspension(config: SourceConfig, gathered: Gathered, failing: Failing, *, now: datetime) -> str:
    """Why we don't come back by ourselves, with what the source's trouble is and the cure; "" when we do."""
    since = failing.failing_since
    lasts = since is not None and failing.strikes >= MOST_STRIKES and now - since >= LONG_FAILURE
    if not (gathered.suspend or lasts):
        return ""
    why = "Suspended"
    if since is not None and not gathered.suspend:
        why += (
            f", since {failing.errors} looks in a row failed from {since.astimezone(ZoneInfo(config.zone)):%d %b %Y} on"
        )
    return f"{gathered.problem} {why}: `syndicate gather {config.name}` looks again."


def _rhythm(config: SourceConfig, recent: Sequence[datetime], *, now: datetime) -> timedelta:
    """Twice as often as stories usually come, within bounds; more seldom at night, when little is written."""
    times = sorted(recent)[-RECENT:]
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    usual = gaps[len(gaps) // 2] / 2 if gaps else _UNKNOWN
    wait = min(max(usual, shortest_wait(config)), _LONGEST)
    return max(wait, min(wait * _NIGHT_FACTOR, _left_of_night(config.zone, now)))


def _spread(config: SourceConfig, usual: timedelta) -> timedelta:
    """Where the usual wait is as short as may be, up to twice that: else those sources would come in step."""
    least = shortest_wait(config)
    return least + max(usual - least, least) * _share(config.name)


def _left_of_night(zone: str, now: datetime) -> timedelta:
    local = now.astimezone(ZoneInfo(zone))
    if _NIGHT_TO <= local.hour < _NIGHT_FROM:
        return timedelta(0)
    day = local + timedelta(days=1 if local.hour >= _NIGHT_FROM else 0)
    return day.replace(hour=_NIGHT_TO, minute=0, second=0, microsecond=0).astimezone(UTC) - now


def _asked(config: SourceConfig, gathered: Gathered) -> timedelta:
    """WordPress says "hourly" whatever it does (gather.md §1.3): courtesy to strangers, and no measure."""
    asked = gathered.asked_interval if config.relation is Relation.STRANGER else None
    return asked or timedelta(0)


def _back_off(least: timedelta, errors: int, chance: float) -> timedelta:
    """Somewhere up to a limit that doubles with each error: sources that failed together don't return together."""
    limit = min(least * 2.0 ** min(max(errors - 1, 0), _MOST_DOUBLINGS), max(MAX_INTERVAL, least))
    return least + (limit - least) * chance


def _share(name: str) -> float:
    """A number in [0, 1) that a name always has."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest()) / 2**32
