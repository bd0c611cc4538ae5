"""Which articles stand in a feed document: the newest, and what was corrected or withdrawn lately."""

from datetime import timedelta

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.feed import CORRECTIONS_STAY, choose_entries
from syndicate.domain.selection import Selection
from tests.factories import NOW, make_article, make_feed

LOUD = {"loud_at": NOW - timedelta(days=1)}
AWAY = {"state": ArticleState.WITHDRAWN}


def titles(*articles: Article, limit: int = 2) -> list[str]:
    return [article.content.title for article in choose_entries(make_feed(limit=limit), articles, now=NOW)]


def test_the_newest_stand_first() -> None:
    assert titles(*(make_article(n) for n in (1, 3, 2))) == ["Berita 3", "Berita 2"]


def test_a_corrected_story_stays_although_newer_ones_fill_the_feed() -> None:
    assert titles(make_article(1, **LOUD), *(make_article(n) for n in (2, 3))) == ["Berita 3", "Berita 2", "Berita 1"]


def test_a_withdrawn_story_is_shown_and_takes_nobody_elses_place() -> None:
    stories = [make_article(3, **AWAY, **LOUD), make_article(2), make_article(1)]

    assert titles(*stories) == ["Berita 3", "Berita 2", "Berita 1"]


def test_a_story_withdrawn_more_than_30_days_ago_leaves() -> None:
    edge = NOW - CORRECTIONS_STAY

    assert titles(make_article(1, **AWAY, loud_at=edge)) == ["Berita 1"]
    assert titles(make_article(1, **AWAY, loud_at=edge - timedelta(seconds=1))) == []


def test_only_what_the_selection_holds_is_shown() -> None:
    feed = make_feed(selection=Selection(tags=frozenset({"cuaca"})))

    assert choose_entries(feed, [make_article(1, **LOUD)], now=NOW) == []


def test_equal_times_are_ordered_by_id() -> None:
    one, two = make_article(1, sort_at=NOW), make_article(2, sort_at=NOW)

    assert choose_entries(make_feed(), [one, two], now=NOW) == choose_entries(make_feed(), [two, one], now=NOW)
