"""Directions of the desk: what is kept of each word, and the order and absence of stories that follows."""

import pytest

from syndicate.domain.direction import (
    LONGEST_INTRO,
    MOST_NAMED,
    Directions,
    Wish,
    directed,
    in_order,
    plain_intro,
    sort_out,
)
from syndicate.errors import Refused
from tests.factories import make_article

NOTHING = Directions(newsletter="pagi")
STORIES = [make_article(number) for number in (5, 4, 3, 2, 1)]
A, B, C, D, E = (story.id for story in STORIES)


def test_each_word_adds_to_what_was_said_before() -> None:
    first = directed(NOTHING, Wish(first=(B, A)))
    second = directed(first, Wish(drop=(C,)))
    third = directed(second, Wish(intro="Selamat pagi.", hold="tunggu redaktur"))

    assert (third.first_ids, third.dropped_ids, third.intro, third.hold) == (
        (B, A),
        (C,),
        "Selamat pagi.",
        "tunggu redaktur",
    )
    assert [one.revision for one in (first, second, third)] == [1, 2, 3]


def test_a_dropped_story_is_not_put_first_and_comes_back_when_it_is_taken_back() -> None:
    dropped = directed(directed(NOTHING, Wish(first=(A, B))), Wish(drop=(A, A)))

    assert (dropped.first_ids, dropped.dropped_ids) == ((B,), (A,))
    assert directed(dropped, Wish(take_back=(A,))).dropped_ids == ()


def test_stories_put_first_come_in_that_order_and_the_rest_behind_as_they_stand() -> None:
    said = Directions(newsletter="pagi", first_ids=(D, B, "unknown"), dropped_ids=(C,))
    wanted, dropped = sort_out(said, STORIES)

    assert [story.id for story in wanted] == [D, B, A, E]
    assert [story.id for story in dropped] == [C]
    assert in_order(NOTHING, STORIES) == STORIES


def test_an_intro_is_plain_text_with_a_paragraph_a_line() -> None:
    assert plain_intro("  Selamat\tpagi.\x00 \r\n\n\n Cuaca  cerah. ") == "Selamat pagi.\nCuaca cerah."
    assert plain_intro("x" * LONGEST_INTRO) == "x" * LONGEST_INTRO


def test_what_is_too_much_is_refused() -> None:
    with pytest.raises(Refused, match="1001 characters"):
        plain_intro("x" * (LONGEST_INTRO + 1))
    with pytest.raises(Refused, match=f"{MOST_NAMED} stories"):
        directed(NOTHING, Wish(drop=tuple(map(str, range(MOST_NAMED + 1)))))
