"""Variants: readers who get the same share one, and however many differ there are never too many."""

from dataclasses import replace

import pytest

from syndicate.domain.variant import MOST, MOST_SEEN, WHOLE, Got, VariantKey, Variants, off_topic
from tests.factories import make_article

HERE = VariantKey(language="id", zone="Asia/Jakarta")
STORIES = [
    make_article(1, sections=("Daerah/Semarang",), tags=()),
    make_article(2, sections=("Ekonomi",), tags=("Pangan Pokok",)),
]


def ids(*names: str) -> frozenset[str]:
    return frozenset(names)


@pytest.mark.parametrize(
    ("topics", "left_out"),
    [
        ((), set()),
        (("ekonomi",), {1}),
        (("pangan-pokok",), {1}),
        (("daerah",), {2}),
        (("semarang",), {2}),
        (("daerah/semarang",), {2}),
        (("daerah/solo",), {1, 2}),
        (("ekonomi", "daerah"), set()),
    ],
)
def test_a_topic_is_matched_as_in_a_selection(topics: tuple[str, ...], left_out: set[int]) -> None:
    offered = ("ekonomi", "pangan-pokok", "daerah", "semarang", "daerah/semarang", "daerah/solo")
    found = off_topic(topics, offered, STORIES)

    assert found == {STORIES[number - 1].id for number in left_out}


def test_what_is_no_longer_offered_is_no_choice() -> None:
    assert off_topic(("ekonomi",), (), STORIES) == frozenset()
    assert off_topic(("ekonomi", "daerah"), ("ekonomi",), STORIES) == {STORIES[0].id}


def test_readers_who_get_the_same_share_a_number_and_the_default_is_the_whole() -> None:
    variants = Variants(HERE)
    english = replace(HERE, language="en")

    assert variants.number(HERE) == WHOLE
    assert variants.number(english) == variants.number(english) == 1
    assert variants.keys == {WHOLE: HERE, 1: english}


def test_numbers_go_on_after_those_that_are_known() -> None:
    english, far = replace(HERE, language="en"), replace(HERE, zone="Asia/Jayapura")
    variants = Variants(HERE, known={4: english})

    assert (variants.number(english), variants.number(far)) == (4, 5)


def test_beyond_the_most_sets_of_what_was_seen_nothing_is_left_out_and_what_was_told_is_marked() -> None:
    variants = Variants(HERE, told=Got(same=ids("a", "b"), older=ids("c")))
    for number in range(MOST_SEEN):
        variants.number(replace(HERE, seen=ids(f"s{number}")))
    one_more = variants.number(replace(HERE, seen=ids("a"), off_topic=ids("b")))
    another = variants.number(replace(HERE, seen=ids("z"), off_topic=ids("b")))

    key = variants.keys[one_more]
    assert one_more == another
    assert (key.left_out, key.repeated, key.updated) == (ids("b"), ids("a"), ids("c"))
    assert variants.number(replace(HERE, seen=ids("s0"))) == 1  # who came earlier keeps theirs


def test_beyond_the_most_variants_readers_keep_their_topics_before_their_zone() -> None:
    variants = Variants(HERE)
    topical = replace(HERE, off_topic=ids("a"))
    variants.number(topical)
    for number in range(MOST - 2):
        variants.number(replace(HERE, zone=f"Zone/{number}"))

    assert variants.number(replace(topical, zone="Asia/Jayapura")) == variants.number(topical)
    whole = variants.number(replace(HERE, off_topic=ids("b"), language="en", more=2))
    assert variants.keys[whole] == replace(HERE, language="en")


@pytest.mark.parametrize("seen", [frozenset(), ids("a")])
def test_however_much_readers_differ_the_variants_are_bounded_and_nobody_gets_less_than_they_asked(
    seen: frozenset[str],
) -> None:
    variants = Variants(HERE, told=Got(same=ids("a")))
    wanted = [
        replace(HERE, zone=f"Zone/{number % 600}", off_topic=ids(f"t{number % 700}"), seen=seen, language="en")
        for number in range(5000)
    ]
    got = [variants.keys[number] for number in map(variants.number, wanted)]

    assert len(variants.keys) <= MOST + MOST_SEEN + 4
    for asked, key in zip(wanted, got, strict=True):
        assert key.language == "en"
        assert key.off_topic in (asked.off_topic, frozenset())
        assert key.seen <= asked.seen


def test_who_got_a_story_as_it_was_and_as_it_is_has_it_as_it_is() -> None:
    got = Got(older=ids("a", "b")) | Got(same=ids("a"))

    assert (got.same, got.older) == (ids("a"), ids("b"))
