"""Sources: what a look at a newsroom brought, and what we remember between two looks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from syndicate.domain.article import Content


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """One newsroom as the operator described it."""

    name: str
    kind: str  # "folder", "feed"
    location: str  # URL, or path of a folder
    every: timedelta
    zone: str = "Asia/Jakarta"
    language: str = "id"
    sections: tuple[str, ...] = ()  # which of the feed's categories are sections; the rest are tags
    strip_weak_etag: bool = False
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


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a source wants back at the next look (validators, body hash, file stamps). Opaque to all others.

    It is saved after the articles it belongs to, never ahead of them.
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
    retry_after: timedelta | None = None
    suspend: bool = False  # 410: don't come back by yourself


MAX_INTERVAL = timedelta(hours=24)


def next_look(config: SourceConfig, gathered: Gathered, *, errors: int, now: datetime) -> datetime:
    """When to look again: the source's rhythm, doubled for each error in a row, never more than a day away."""
    wait = config.every
    if gathered.look is Look.FAILED:
        wait = config.every * min(2 ** max(errors - 1, 0), 4096)
    if gathered.retry_after is not None:
        wait = max(wait, gathered.retry_after)
    return now + min(wait, max(MAX_INTERVAL, config.every))
