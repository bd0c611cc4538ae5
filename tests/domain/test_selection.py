"""Selections: OR inside a key, AND across keys, exclusions."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.domain.article import Article
from syndicate.domain.selection import Selection, SelectionIndex, path_slug, path_slugs, slug, traits
from tests.factories import make_article

NAMES = ("daerah", "semarang", "olahraga", "ekonomi")
SETS = st.frozensets(st.sampled_from(NAMES), max_size=3)
ARTICLES = st.builds(
    lambda sections, tags, authors: make_article(sections=tuple(sections), tags=tuple(tags), authors=tuple(authors)),
    SETS,
    SETS,
    SETS,
)
SELECTIONS = st.builds(lambda s, t, a: Selection(sections=s, tags=t, authors=a), SETS, SETS, SETS)


def test_an_empty_selection_holds_everything() -> None:
    assert Selection().holds(make_article(sections=(), tags=()))


def test_one_of_the_names_inside_a_key_is_enough() -> None:
    assert Selection(tags=frozenset({"pangan", "cuaca"})).holds(make_article(tags=("cuaca",)))


def test_every_key_must_match() -> None:
    both = Selection(tags=frozenset({"pangan"}), sections=frozenset({"olahraga"}))

    assert not both.holds(make_article(tags=("pangan",), sections=("Ekonomi",)))


@pytest.mark.parametrize("name", ["daerah", "kota-malang", "kecamatan"])
def test_every_element_of_a_path_counts(name: str) -> None:
    assert Selection(sections=frozenset({name})).holds(make_article(sections=("Daerah/Kota Malang//Kecamatan",)))


@pytest.mark.parametrize(
    ("path", "held"),
    [
        ("Daerah/Semarang", True),
        ("daerah / Semarang / Tembalang", True),
        ("Daerah", False),
        ("Daerah/Semarang Barat", False),
        ("Nasional/Daerah/Semarang", False),
        ("Semarang/Daerah", False),
    ],
)
def test_a_path_holds_what_is_in_it_or_below_it(path: str, held: bool) -> None:
    chosen = Selection(sections=frozenset({path_slug("Daerah/Semarang")}))

    assert chosen.holds(make_article(sections=(path,))) is held
    assert chosen.rules_out(traits(make_article(sections=(path,)))) is held


def test_a_tag_with_a_slash_is_matched_as_it_is_written() -> None:
    chosen = Selection(tags=frozenset({path_slug("AC/DC")}))

    assert chosen.holds(make_article(tags=("ac/dc",)))
    assert not chosen.holds(make_article(tags=("AC", "DC")))


def test_an_exclusion_rules_out_by_any_key() -> None:
    without = Selection(exclude=Selection(tags=frozenset({"iklan"}), sections=frozenset({"promo"})))

    assert not without.holds(make_article(tags=("Iklan",)))
    assert not without.holds(make_article(sections=("Promo",)))
    assert without.holds(make_article())


@pytest.mark.parametrize(("wanted", "held"), [("id", True), ("id-id", True), ("en", False)])
def test_a_language_matches_by_itself_and_by_its_prefix(wanted: str, held: bool) -> None:
    assert Selection(language=frozenset({wanted})).holds(make_article(language="id-ID")) is held


def test_sources_and_authors_are_compared_as_slugs() -> None:
    chosen = Selection(sources=frozenset({"lintas"}), authors=frozenset({"ratna-dewi"}))

    assert chosen.holds(make_article(authors=("RATNA  Dewi",)))


@pytest.mark.parametrize(
    ("text", "name"),
    [("Kota Malang", "kota-malang"), ("  EKONOMI & Bisnis ", "ekonomi-bisnis"), ("ﬁlm", "film"), ("東京", "東京")],
)
def test_names_are_compared_without_case_and_punctuation(text: str, name: str) -> None:
    assert slug(text) == slug(name) == name


@given(st.text())
def test_a_slug_of_a_slug_is_itself(text: str) -> None:
    assert slug(slug(text)) == slug(text)


@given(st.text())
def test_a_path_is_held_by_its_own_slug(text: str) -> None:
    assert path_slug(path_slug(text)) == path_slug(text)
    assert {path_slug(text)} - {""} <= path_slugs([text])


def test_a_path_of_nothing_has_no_names() -> None:
    assert path_slugs(("/", " / !")) == frozenset()


@given(ARTICLES, SELECTIONS)
def test_holding_is_and_across_keys_of_or_inside(story: Article, selection: Selection) -> None:
    held = {
        "sections": path_slugs(story.content.sections),
        "tags": path_slugs(story.content.tags),
        "authors": frozenset(map(slug, story.content.authors)),
    }

    expected = all(not getattr(selection, key) or getattr(selection, key) & names for key, names in held.items())

    assert selection.holds(story) is bool(expected)


@given(ARTICLES, SELECTIONS, SELECTIONS)
def test_excluding_only_ever_takes_away(story: Article, wanted: Selection, unwanted: Selection) -> None:
    less = replace(wanted, exclude=unwanted)

    assert not (less.holds(story) and not wanted.holds(story))
    assert not (less.holds(story) and unwanted.rules_out(traits(story)))


@given(ARTICLES, st.lists(SELECTIONS, max_size=8))
def test_the_index_finds_what_asking_every_selection_finds(story: Article, selections: list[Selection]) -> None:
    named = {str(number): selection for number, selection in enumerate(selections)}

    assert SelectionIndex(named).holding(story) == {name for name, one in named.items() if one.holds(story)}


@given(article=ARTICLES, selection=SELECTIONS, exclude=SELECTIONS)
def test_a_refusal_names_a_key_exactly_where_the_selection_refuses(
    article: Article, selection: Selection, exclude: Selection
) -> None:
    both = replace(selection, exclude=exclude)
    refusal = both.refusal(traits(article))

    assert (refusal is None) == both.holds(article)
    if refusal is not None:
        assert bool(refusal.wanted & refusal.held) == refusal.excluded
