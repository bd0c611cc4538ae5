"""Feeds: a Selection with a name, which articles stand in its document, and what its archives are called."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.phrases import Phrases
from syndicate.domain.selection import Selection

CORRECTIONS_STAY = timedelta(days=30)  # a corrected or withdrawn story stays visible at least this long
TOMBSTONES_STAY = timedelta(days=30)  # and after a withdrawn one has left, a tombstone stands for it this long


@dataclass(frozen=True, kw_only=True)
class Site:
    """The newspaper, as readers see it. `public_url` is our own address, without a slash at the end."""

    title: str
    url: str  # the newspaper's own front page
    public_url: str
    phrases: Phrases  # our own words, in every language
    language: str = "id"
    timezone: str = "Asia/Jakarta"
    description: str = ""
    contact: str = ""  # e-mail of the desk
    tag_host: str = "localhost"  # authority of the tag: ids


@dataclass(frozen=True, kw_only=True)
class Feed:
    """An outgoing feed. Without `partners` it is public; with them only their keys open it."""

    name: str
    title: str
    selection: Selection
    first_name: str = ""  # what it was called when its id was made, if otherwise (RFC 4287 §4.2.6: ids never change)
    description: str = ""
    limit: int = 50
    language: str = "id"
    formats: tuple[str, ...] = ("rss", "atom", "json")
    partners: tuple[str, ...] = ()

    @property
    def has_archives(self) -> bool:
        """Whether finished months can be read as Atom documents (RFC 5005); partners have the API and their pushes."""
        return "atom" in self.formats and not self.partners


@dataclass(frozen=True, kw_only=True)
class Tombstone:
    """What stands for a withdrawn story once its notice has left the feed (RFC 6721)."""

    ref: str  # public id of the story
    when: datetime  # it left; later than any date it had as an entry, as §4 wants, and earlier than after a return
    withdrawn_at: datetime
    note: str = ""  # the newsroom's words on the withdrawal
    language: str = "id"  # of the story


def choose_tombstones(feed: Feed, candidates: Iterable[Article], *, now: datetime) -> list[Tombstone]:
    """For withdrawn stories whose notice left in the last 30 days, newest first.

    What left because newer stories came, or because it is of another section now, is not gone and gets none.
    """
    found = (tombstone_of(article) for article in candidates if feed.selection.holds(article))
    standing = [one for one in found if one is not None and _stands(one, now=now)]
    return sorted(standing, key=lambda one: (one.when, one.ref), reverse=True)


def tombstone_of(article: Article) -> Tombstone | None:
    """The tombstone of a withdrawn article, whether it is time for it or not; None if it was never withdrawn."""
    if article.state is not ArticleState.WITHDRAWN or article.loud_at is None:
        return None
    return Tombstone(
        ref=article.public_id,
        when=article.loud_at + CORRECTIONS_STAY,
        withdrawn_at=article.loud_at,
        note=article.note,
        language=article.content.language,
    )


def month_of(at: datetime, *, zone: str) -> str:
    """The month of `zone`'s calendar that a moment falls in, as an archive of it is called: "2026-05"."""
    return at.astimezone(ZoneInfo(zone)).date().isoformat()[:7]


def month_span(month: str, *, zone: str) -> tuple[datetime, datetime]:
    """From when to when a month lasts where the newspaper is; the end is the next one's start."""
    year, number = map(int, month.split("-"))
    start = datetime(year, number, 1, tzinfo=ZoneInfo(zone))
    return start, start.replace(year=year + number // 12, month=number % 12 + 1)


def is_finished(month: str, *, zone: str, now: datetime) -> bool:
    """True when the month is over where the newspaper is: only then it is archived (RFC 5005 §4)."""
    return month < month_of(now, zone=zone)


def _stands(tombstone: Tombstone, *, now: datetime) -> bool:
    """In whole seconds, as the manifest counts: a story is never shown and deleted at once."""
    return 0 < int(now.timestamp()) - int(tombstone.when.timestamp()) <= TOMBSTONES_STAY.total_seconds()
