"""Which stories an issue holds, and when its books balance."""

from datetime import timedelta

import pytest

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.change import ChangeKind
from syndicate.domain.edition import Books, choose_stories
from syndicate.domain.selection import Selection
from tests.factories import NOW, make_article, make_change, make_newsletter


def choose(*stories: Article, told: frozenset[str] = frozenset(), **newsletter: object) -> tuple[list[str], list[str]]:
    newest = {story.id: story for story in stories}
    choice = choose_stories(make_newsletter(**newsletter), [make_change(s) for s in stories], newest, told)
    return [s.content.title for s in choice.stories], [s.content.title for s in choice.left_out]


def test_the_newest_stand_first_and_the_rest_is_left_out() -> None:
    assert choose(*(make_article(n) for n in (1, 3, 2)), max=2) == (["Berita 3", "Berita 2"], ["Berita 1"])


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

    choice = choose_stories(make_newsletter(), [make_change(story, kind)], {story.id: story}, frozenset())

    assert bool(choice.stories) is held


def test_a_story_stands_in_it_once_and_in_its_newest_version() -> None:
    story = make_article(version=3)
    span = [
        make_change(story, seq=1, version=1),
        make_change(story, ChangeKind.UPDATED),
        make_change(story, ChangeKind.RESTORED),
    ]

    assert choose_stories(make_newsletter(), span, {story.id: story}, frozenset()).stories == (story,)


def test_what_was_told_is_not_told_again() -> None:
    assert choose(make_article(1), make_article(2), told=frozenset({make_article(2).id})) == (["Berita 1"], [])


def test_a_story_withdrawn_by_the_cut_stays_out() -> None:
    assert choose(make_article(state=ArticleState.WITHDRAWN)) == ([], [])


def test_a_first_import_stays_out() -> None:
    assert choose(make_article(announced=False)) == ([], [])


def test_only_what_the_selection_holds_is_chosen() -> None:
    chosen = Selection(tags=frozenset({"cuaca"}))

    assert choose(make_article(1), make_article(2, tags=("cuaca",)), selection=chosen) == (["Berita 2"], [])


def test_a_back_dated_story_is_chosen_by_its_place_in_the_log() -> None:
    old = make_article(published=NOW - timedelta(days=900))

    assert choose(old) == (["Berita 1"], [])


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
