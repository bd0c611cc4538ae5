"""Which stories an issue holds, and when its books balance."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.change import ChangeKind
from syndicate.domain.edition import Books, choose_stories, fitting_stories
from syndicate.domain.selection import Selection
from tests.factories import NOW, make_article, make_change, make_newsletter


def titles(stories: Iterable[Article]) -> list[str]:
    return [story.content.title for story in stories]


def fitting(
    *stories: Article, told: frozenset[str] = frozenset(), doubles: dict[int, int] | None = None, **newsletter: object
) -> list[str]:
    """`doubles` maps the numbers of double postings to those of the first ones."""
    newest = {story.id: story for story in stories}
    postings: dict[str, frozenset[str]] = {}
    for double, first in (doubles or {}).items():
        one, other = make_article(double).id, make_article(first).id
        postings |= {one: postings.get(one, frozenset()) | {other}, other: postings.get(other, frozenset()) | {one}}
    span = [make_change(s) for s in stories]
    return titles(fitting_stories(make_newsletter(**newsletter), span, newest, told, postings))


def test_the_newest_stand_first() -> None:
    assert fitting(*(make_article(n) for n in (1, 3, 2))) == ["Berita 3", "Berita 2", "Berita 1"]


@pytest.mark.parametrize(
    ("bad", "shown", "beyond", "unprintable"),
    [
        ((), ["Berita 4", "Berita 3"], ["Berita 2", "Berita 1"], []),
        ((3,), ["Berita 4", "Berita 2"], ["Berita 1"], ["Berita 3"]),
        ((1,), ["Berita 4", "Berita 3"], ["Berita 2", "Berita 1"], []),  # nobody asked whether it can be shown
        ((2, 3, 4), ["Berita 1"], [], ["Berita 4", "Berita 3", "Berita 2"]),
    ],
)
def test_the_next_story_takes_the_place_of_one_that_cannot_be_shown(
    bad: tuple[int, ...], shown: list[str], beyond: list[str], unprintable: list[str]
) -> None:
    unfit = {make_article(number).id for number in bad}
    stories = [make_article(number) for number in (4, 3, 2, 1)]

    choice = choose_stories(make_newsletter(max=2), stories, lambda story: story.id not in unfit)

    assert (titles(choice.stories), titles(choice.beyond), titles(choice.unprintable)) == (shown, beyond, unprintable)


@pytest.mark.parametrize(
    ("kind", "held"),
    [
        (ChangeKind.PUBLISHED, True),
        (ChangeKind.RESTORED, True),
        (ChangeKind.UPDATED, False),
        (ChangeKind.CORRECTED, False),
        (ChangeKind.WITHDRAWN, False),
    ],
)
def test_only_first_shown_stories_are_mailed(kind: ChangeKind, held: bool) -> None:
    story = make_article()

    fit = fitting_stories(make_newsletter(), [make_change(story, kind)], {story.id: story}, frozenset(), {})

    assert bool(fit) is held


def test_a_story_stands_in_it_once_and_in_its_newest_version() -> None:
    story = make_article(version=3)
    span = [
        make_change(story, seq=1, version=1),
        make_change(story, ChangeKind.UPDATED),
        make_change(story, ChangeKind.RESTORED),
    ]

    assert fitting_stories(make_newsletter(), span, {story.id: story}, frozenset(), {}) == [story]


def test_of_two_postings_of_a_story_only_the_first_is_told() -> None:
    assert fitting(make_article(1), make_article(2), make_article(3), doubles={2: 1, 3: 1}) == ["Berita 1"]


def test_a_double_goes_where_its_first_posting_does_not() -> None:
    sport = make_article(2, sections=("Olahraga",))
    chosen = Selection(sections=frozenset({"olahraga"}))

    assert fitting(make_article(1), sport, doubles={2: 1}, selection=chosen) == ["Berita 2"]


def test_a_story_that_was_told_in_another_posting_is_not_told_again() -> None:
    first, double = make_article(1), make_article(2)

    assert fitting(double, told=frozenset({first.id}), doubles={2: 1}) == []
    assert fitting(first, told=frozenset({double.id}), doubles={2: 1}) == []


def test_what_was_told_is_not_told_again() -> None:
    assert fitting(make_article(1), make_article(2), told=frozenset({make_article(2).id})) == ["Berita 1"]


def test_a_story_withdrawn_by_the_cut_stays_out() -> None:
    assert fitting(make_article(state=ArticleState.WITHDRAWN)) == []


def test_a_first_import_stays_out() -> None:
    assert fitting(make_article(announced=False)) == []


def test_only_what_the_selection_holds_is_chosen() -> None:
    chosen = Selection(tags=frozenset({"cuaca"}))

    assert fitting(make_article(1), make_article(2, tags=("cuaca",)), selection=chosen) == ["Berita 2"]


def test_a_back_dated_story_is_chosen_by_its_place_in_the_log() -> None:
    old = make_article(published=NOW - timedelta(days=900))

    assert fitting(old) == ["Berita 1"]


@pytest.mark.parametrize(
    ("books", "balance", "settled"),
    [
        (Books(candidates=0), True, True),
        (Books(candidates=4, accepted=1, refused=1, uncertain=1, excluded=1), True, True),
        (Books(candidates=2, accepted=1, open=1), True, False),
        (Books(candidates=2, accepted=1), False, False),
    ],
)
def test_books_balance_when_nobody_is_missing(books: Books, balance: bool, settled: bool) -> None:
    assert (books.balance, books.settled) == (balance, settled)
