"""Which articles stand in a feed document: the newest, and what was corrected or withdrawn lately."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.feed import CORRECTIONS_STAY
from syndicate.domain.manifest import (
    choose,
    entry_key,
    entry_line,
    frees_a_place,
    is_plain,
    last_modified,
    marks_of,
    newest_of,
    put_on_top,
    seqs_of,
)
from tests.factories import NOW, make_article

LOUD = {"loud_at": NOW - timedelta(days=1)}
AWAY = {"state": ArticleState.WITHDRAWN}
STORIES = st.builds(
    lambda number, hours, away, loud: make_article(
        number,
        sort_at=NOW - timedelta(hours=hours),
        state=ArticleState.WITHDRAWN if away else ArticleState.PUBLISHED,
        loud_at=NOW - timedelta(days=loud) if loud else None,
    ),
    st.integers(1, 9),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from((0, 0, 1, 29, 30, 31)),
)


def line(article: Article) -> str:
    return entry_line(article, modified=article.changed_at)


def chosen(articles: Sequence[Article], limit: int = 2) -> list[str]:
    titles = {article.id: article.content.title for article in articles}
    return [titles[entry_key(one)[0]] for one in choose(map(line, articles), limit=limit, now=NOW)]


def test_the_newest_stand_first() -> None:
    assert chosen([make_article(n) for n in (1, 3, 2)]) == ["Berita 3", "Berita 2"]


def test_a_corrected_story_stays_although_newer_ones_fill_the_feed() -> None:
    stories = [make_article(1, **LOUD), make_article(2), make_article(3)]

    assert chosen(stories) == ["Berita 3", "Berita 2", "Berita 1"]


def test_a_withdrawn_story_is_shown_and_takes_nobody_elses_place() -> None:
    stories = [make_article(3, **AWAY, **LOUD), make_article(2), make_article(1)]

    assert chosen(stories) == ["Berita 3", "Berita 2", "Berita 1"]


def test_a_story_withdrawn_more_than_30_days_ago_leaves() -> None:
    edge = NOW - CORRECTIONS_STAY

    assert chosen([make_article(1, **AWAY, loud_at=edge)]) == ["Berita 1"]
    assert chosen([make_article(1, **AWAY, loud_at=edge - timedelta(seconds=1))]) == []


def test_equal_times_are_ordered_by_id() -> None:
    one, two = make_article(1, sort_at=NOW), make_article(2, sort_at=NOW)

    assert chosen([one, two]) == chosen([two, one])


def test_ids_of_other_lengths_are_ordered_as_ids() -> None:
    ids = ["pos-b", "pos", "pos-", "po"]
    stories = [replace(make_article(1, sort_at=NOW), id=name) for name in ids]

    assert [entry_key(one)[0] for one in choose(map(line, stories), limit=9, now=NOW)] == sorted(ids, reverse=True)


def test_a_line_names_the_article_its_state_and_when_to_look_again() -> None:
    article = make_article(7, seq=12)

    assert entry_key(line(article)) == (article.id, 12)
    assert last_modified([line(make_article(1)), line(article)]) == int(article.changed_at.timestamp())
    assert last_modified([entry_line(article, modified=None)]) == last_modified([]) == 0


def test_a_story_from_before_1970_stands_last() -> None:
    ancient = make_article(9, sort_at=NOW - timedelta(days=365 * 80))

    assert chosen([ancient, make_article(1)]) == ["Berita 1", "Berita 9"]


@given(
    st.lists(STORIES, max_size=12, unique_by=lambda story: story.id), st.lists(STORIES, max_size=3), st.integers(1, 4)
)
def test_changes_that_free_no_place_need_nothing_but_the_manifest(
    held: list[Article], changed: list[Article], limit: int
) -> None:
    """What publishing does without asking for all that the feed holds is the same as choosing from all of it."""
    before = {entry_key(one)[0]: one for one in choose(map(line, held), limit=limit, now=NOW)}
    news = {story.id: line(story) for story in changed}
    if any(frees_a_place(before.get(name), one) for name, one in news.items()):
        return
    whole = {story.id: line(story) for story in held} | news

    assert choose((before | news).values(), limit=limit, now=NOW) == choose(whole.values(), limit=limit, now=NOW)


def test_a_mark_names_a_line_by_its_seq_and_says_when_it_is_odd() -> None:
    lines = [line(make_article(3, seq=30)), line(make_article(2, seq=20, **LOUD)), line(make_article(1, **AWAY))]

    assert [is_plain(one) for one in lines] == [True, False, False]
    assert marks_of(lines) == "30 20~ 1~"
    assert seqs_of(marks_of(lines)) == ["30", "20", "1"]
    assert [newest_of(marks) for marks in ("30 20~", "20~ 1", "")] == ["30", "20", ""]
    assert (marks_of([]), seqs_of("")) == ("", [])


@given(st.integers(0, 4), st.integers(1, 5), st.integers(1, 4))
def test_new_stories_put_on_top_are_what_choosing_makes_of_them(held: int, new: int, limit: int) -> None:
    stories = [line(make_article(n)) for n in range(1, held + new + 1)]
    before = choose(stories[:held], limit=limit, now=NOW)
    on_top = sorted(stories[held:], reverse=True)

    assert put_on_top(marks_of(before), on_top, limit=limit) == marks_of(choose(stories, limit=limit, now=NOW))
