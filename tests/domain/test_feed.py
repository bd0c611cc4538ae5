"""What comes after a story has left a feed: a tombstone for a withdrawn one, and the archive of its month."""

from datetime import UTC, datetime, timedelta

import pytest

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.feed import (
    CORRECTIONS_STAY,
    TOMBSTONES_STAY,
    Tombstone,
    choose_tombstones,
    is_finished,
    month_of,
    tombstone_of,
)
from syndicate.domain.manifest import choose, entry_line
from syndicate.domain.selection import Selection
from tests.factories import NOW, make_article, make_feed

AWAY = {"state": ArticleState.WITHDRAWN}


def gone(*articles: Article, now: datetime = NOW) -> list[Tombstone]:
    return choose_tombstones(make_feed(), articles, now=now)


def shown(story: Article, now: datetime = NOW) -> tuple[int, int]:
    """As how many entries, and as how many tombstones."""
    entries = choose([entry_line(story, modified=story.changed_at)], limit=50, now=now)
    return len(entries), len(gone(story, now=now))


@pytest.mark.parametrize("days", range(0, 70, 10))
def test_a_withdrawn_story_is_an_entry_for_30_days_then_a_tombstone_for_30_then_nothing(days: int) -> None:
    story = make_article(1, **AWAY, loud_at=NOW - timedelta(days=days))

    assert shown(story) == ((1, 0) if days <= 30 else (0, 1) if days <= 60 else (0, 0))


@pytest.mark.parametrize("later", range(-2000, 2100, 100))
def test_a_story_is_never_shown_and_deleted_at_once(later: int) -> None:
    story = make_article(1, **AWAY, loud_at=NOW + timedelta(milliseconds=300))
    now = NOW + CORRECTIONS_STAY + timedelta(milliseconds=later)

    assert sum(shown(story, now)) == 1


def test_a_tombstone_ends_to_the_second() -> None:
    last = NOW - CORRECTIONS_STAY - TOMBSTONES_STAY

    assert len(gone(make_article(1, **AWAY, loud_at=last))) == 1
    assert gone(make_article(1, **AWAY, loud_at=last - timedelta(seconds=1))) == []


def test_a_tombstone_is_newer_than_the_notice_and_older_than_a_return() -> None:
    at = NOW - timedelta(days=31)
    story = make_article(1, **AWAY, changed_at=at, loud_at=at, note="Sumber menarik keterangannya.")

    (one,) = gone(story)

    assert story.changed_at < one.when < NOW
    assert (one.ref, one.withdrawn_at, one.note) == (story.public_id, at, story.note)


def test_the_newest_tombstone_stands_first() -> None:
    stories = [make_article(n, **AWAY, loud_at=NOW - timedelta(days=30 + n)) for n in (2, 1, 3)]

    assert [one.ref for one in gone(*stories)] == [make_article(n).public_id for n in (1, 2, 3)]


def test_what_was_corrected_or_is_of_another_feed_gets_no_tombstone() -> None:
    long_ago = NOW - timedelta(days=31)
    feed = make_feed(selection=Selection(tags=frozenset({"cuaca"})))

    assert tombstone_of(make_article(1, loud_at=long_ago)) is None
    assert choose_tombstones(feed, [make_article(1, **AWAY, loud_at=long_ago)], now=NOW) == []


@pytest.mark.parametrize(
    ("zone", "month"), [("Asia/Jakarta", "2026-06"), ("Asia/Jayapura", "2026-06"), ("UTC", "2026-05")]
)
def test_a_month_begins_at_the_newspaper_s_own_midnight(zone: str, month: str) -> None:
    assert month_of(datetime(2026, 5, 31, 17, 0, tzinfo=UTC), zone=zone) == month


def test_a_month_is_finished_when_the_next_has_begun_there() -> None:
    midnight = datetime(2026, 5, 31, 17, 0, tzinfo=UTC)

    assert not is_finished("2026-05", zone="Asia/Jakarta", now=midnight - timedelta(microseconds=1))
    assert is_finished("2026-05", zone="Asia/Jakarta", now=midnight)
    assert is_finished("2025-12", zone="Asia/Jakarta", now=midnight)
    assert not is_finished("2026-06", zone="Asia/Jakarta", now=midnight)
