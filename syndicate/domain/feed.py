"""Feeds: a Selection with a name, and which articles stand in its document."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.selection import Selection

CORRECTIONS_STAY = timedelta(days=30)  # a corrected or withdrawn story stays visible at least this long


@dataclass(frozen=True, kw_only=True)
class Site:
    """The newspaper, as readers see it. `public_url` is our own address, without a slash at the end."""

    title: str
    url: str  # the newspaper's own front page
    public_url: str
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
    description: str = ""
    limit: int = 50
    language: str = "id"
    formats: tuple[str, ...] = ("rss", "atom", "json")
    partners: tuple[str, ...] = ()


def choose_entries(feed: Feed, candidates: Iterable[Article], *, now: datetime) -> list[Article]:
    """The newest `limit` ∪ what was corrected or withdrawn in the last 30 days, newest first.

    A story that was withdrawn longer ago than that leaves; a withdrawn one never counts as one of the newest.
    """
    held = sorted((a for a in candidates if feed.selection.holds(a)), key=_order, reverse=True)
    newest = [a for a in held if a.state is ArticleState.PUBLISHED][: feed.limit]
    recent = [a for a in held if a.loud_at is not None and now - a.loud_at <= CORRECTIONS_STAY]
    chosen = {article.id: article for article in (*newest, *recent)}
    return sorted(chosen.values(), key=_order, reverse=True)


def _order(article: Article) -> tuple[datetime, str]:
    return article.sort_at, article.id
