"""Which stories are one story: copies, parts and double postings are told from other reports of the same event."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.domain.likeness import (
    COMPARED,
    IN_COMMON,
    SKETCH,
    Print,
    containment,
    is_copy,
    is_double,
    jaccard,
    print_of,
    sketch,
)
from tests.factories import make_content
from tests.wire import AGENCY, ANOTHER, OWN_REPORT, edited, html, long_text

_TEXTS = st.lists(st.sampled_from(["air", "sungai", "warga", "tanggul", "desa", "pasar", "kebun"]), max_size=80)
COPIES = {
    "the same": AGENCY,
    "our dateline": (f"RAWA SEKAR, CONTOH POS – {AGENCY[0]}", *AGENCY[1:]),
    "an agency's dateline": (f"Rawa Sekar (Kantor Lintas) - {AGENCY[0]}", *AGENCY[1:]),
    "initials": (*AGENCY[:-1], f"{AGENCY[-1]} (rex/aim)"),
    "a line by the desk": (*AGENCY, "Editor: Laksmi Paramesti"),
    "small edits": edited(),
    "a paragraph more": (*AGENCY, OWN_REPORT[3]),
    "a paragraph less": AGENCY[:-1],
    "the first half": AGENCY[:4],
    "the second half": AGENCY[4:],
    "a third, edited": edited(AGENCY[:3]),
    "the first two paragraphs": AGENCY[:2],
}


def told(*paragraphs: str, **content: Any) -> Print:
    return print_of(make_content(body_html=html(*paragraphs), **content))


def in_common(one: Print, other: Print) -> int:
    return len(set(sketch(one)) & set(sketch(other)))


@pytest.mark.parametrize("paragraphs", COPIES.values(), ids=COPIES)
def test_a_copy_or_a_part_of_it_is_found_and_confirmed(paragraphs: tuple[str, ...]) -> None:
    original, copy = told(*AGENCY), told(*paragraphs)

    assert in_common(original, copy) >= IN_COMMON
    assert is_copy(original, copy)
    assert is_copy(copy, original)


@pytest.mark.parametrize("part", [slice(0, 50), slice(50, 100), slice(30, 60)], ids=["first", "second", "a third"])
def test_a_part_of_a_long_text_is_found_wherever_it_stood(part: slice) -> None:
    text = long_text(100)
    whole, some = told(*text), told(*text[part])

    assert in_common(whole, some) >= IN_COMMON
    assert is_copy(whole, some)
    assert is_copy(some, whole)


def test_long_texts_are_compared_by_a_fair_sample() -> None:
    text, other = long_text(100), long_text(100, seed=2)
    whole, mixed = told(*text), told(*text[:75], *other[:25])

    assert len(whole.runs) == len(mixed.runs) == COMPARED
    assert jaccard(whole, mixed) == pytest.approx(75 / 125, abs=0.05)
    assert not is_copy(whole, mixed)
    assert jaccard(whole, told(*other)) < 0.01


@pytest.mark.parametrize("paragraphs", [OWN_REPORT, ANOTHER], ids=["the same event", "another matter"])
def test_another_report_is_no_copy(paragraphs: tuple[str, ...]) -> None:
    original, other = told(*AGENCY), told(*paragraphs)

    assert in_common(original, other) < IN_COMMON
    assert not is_copy(original, other)
    assert jaccard(original, other) < 0.05


def test_what_differs_from_newsroom_to_newsroom_is_not_compared() -> None:
    plain = told(*AGENCY)
    dressed = told(
        "RAWA SEKAR, CONTOH POS – " + AGENCY[0].upper().replace(" ", "  "),
        "Baca juga: Harga cabai turun",
        *AGENCY[1:-1],
        AGENCY[-1].replace(",", "") + " (rex/aim)",
        "Pewarta: Ratna Dewi",
        "Copyright © 2026",
    )

    assert dressed.runs == plain.runs


def test_a_short_text_is_like_nothing() -> None:
    brief = told("Jadwal imsak hari ini untuk wilayah Rawa Sekar dan sekitarnya dapat dilihat pada gambar di bawah.")

    assert sketch(brief) == ()
    assert not is_double(brief, brief)
    assert not is_copy(brief, brief)


def test_a_double_posting_has_the_same_title_and_text_and_comes_within_two_days() -> None:
    first = told(*AGENCY, title="Tanggul Sungai Wening Dibangun")
    latest = first.published + timedelta(hours=48)
    again = {"title": "TANGGUL Sungai Wening dibangun ", "published": latest}

    assert is_double(first, told(*AGENCY, **again))
    assert not is_double(first, told(*AGENCY, **again | {"title": "Tanggul Wening Dibangun"}))
    assert not is_double(first, told(*AGENCY, **again | {"published": latest + timedelta(seconds=1)}))
    assert not is_double(first, told(*AGENCY[:5], **again))


def test_the_same_headline_with_other_figures_is_news() -> None:
    def price(rupiah: str) -> Print:
        return told(
            f"Harga cabai di pasar induk hari ini {rupiah} per kilogram.", *ANOTHER, title="Harga Cabai Hari Ini"
        )

    assert jaccard(price("Rp82.000"), price("Rp83.000")) > 0.9
    assert not is_double(price("Rp82.000"), price("Rp83.000"))


@given(_TEXTS, _TEXTS)
def test_measures_are_shares_and_do_not_depend_on_the_order(one: list[str], other: list[str]) -> None:
    first, second = told(" ".join(one)), told(" ".join(other))

    assert 0 <= jaccard(first, second) <= containment(first, second) <= 1
    assert jaccard(first, second) == jaccard(second, first)
    assert containment(first, second) == containment(second, first)


@given(_TEXTS)
def test_a_text_is_wholly_like_itself_unless_it_is_too_short(words: list[str]) -> None:
    story = told(" ".join(words))

    assert jaccard(story, story) == (1 if story.runs else 0)
    assert is_copy(story, story) is bool(story.runs)


@given(_TEXTS)
def test_a_sketch_is_small_sorted_and_fits_a_column(words: list[str]) -> None:
    hashes = sketch(told(" ".join(words)))

    assert len(hashes) <= SKETCH
    assert list(hashes) == sorted(set(hashes))
    assert all(-(2**63) <= number < 2**63 for number in hashes)


@given(_TEXTS, st.data())
def test_a_part_shares_every_hash_of_the_whole_that_is_its_own(words: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(words)))
    whole, part = told(" ".join(words)), told(" ".join(words[start:]))

    assert {number for number in sketch(whole) if number in part.runs} <= set(sketch(part))
