"""How much an edit matters, what it is called, and the date readers see."""

import string
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.domain.article import (
    Edit,
    Picture,
    article_id,
    content_hash,
    edit_class,
    is_correction,
    next_content,
    public_id,
    sort_time,
)
from syndicate.domain.change import ChangeKind, change_kind
from tests.factories import NOW, make_content

WORDS = [f"kata{n}" for n in range(100)]


def body(words: list[str]) -> str:
    return f"<p>{' '.join(words)}</p>"


@pytest.mark.parametrize(
    ("change", "edit"),
    [
        ({"body_html": "<div><p>satu  dua</p></div>"}, Edit.COSMETIC),
        ({"picture": Picture(url="https://x.example/a.jpg", caption="baru")}, Edit.COSMETIC),
        ({"summary": "lain"}, Edit.MINOR),
        ({"authors": ("Orang Lain",)}, Edit.MINOR),
        ({"sections": ("Olahraga",)}, Edit.MINOR),
        ({"url": "https://x.example/pindah"}, Edit.MINOR),
        ({"title": "Judul lain"}, Edit.MAJOR),
        ({"body_html": "<p>satu dua tiga</p>"}, Edit.MAJOR),
        ({"body_html": "<p>RALAT satu dua</p>"}, Edit.MAJOR),
    ],
)
def test_an_edit_is_as_big_as_what_a_reader_notices(change: dict[str, object], edit: Edit) -> None:
    old = make_content(body_html="<p>satu dua</p>")

    assert edit_class(old, make_content(**{"body_html": "<p>satu dua</p>"} | change)) is edit


@pytest.mark.parametrize(("changed", "edit"), [(10, Edit.MINOR), (11, Edit.MAJOR)])
def test_more_than_a_tenth_of_the_words_is_major(changed: int, edit: Edit) -> None:
    old = make_content(body_html=body(WORDS))
    new = make_content(body_html=body(WORDS[changed:] + [f"baru{n}" for n in range(changed)]))

    assert edit_class(old, new) is edit


def test_a_moved_paragraph_is_minor() -> None:
    old, new = make_content(body_html=body(WORDS)), make_content(body_html=body(WORDS[::-1]))

    assert edit_class(old, new) is Edit.MINOR


def test_a_correction_notice_makes_the_change_a_correction_only_when_it_is_new() -> None:
    plain, noted = make_content(body_html="<p>satu</p>"), make_content(body_html="<p>satu</p><p>KOREKSI: dua</p>")

    assert change_kind(plain, noted) is ChangeKind.CORRECTED
    assert change_kind(noted, noted) is ChangeKind.UPDATED
    assert not is_correction(noted, plain)


@pytest.mark.parametrize(
    "words",
    [
        "RALAT Berita kemarin keliru",
        "Ralat: nama wali kota",
        "Koreksi – tahun yang benar 2025",
        "KOREKSI: angka kerugian",
        "HAK JAWAB dari Dinas Pasar",
        "[Ralat] Pasar buka pukul lima",
        "Pasar buka pukul lima (KOREKSI)",
        "Pasar buka pukul lima. RALAT: pukul enam.",
        "Pasar buka pukul lima. HAK JAWAB: dinas membantah.",
    ],
)
def test_a_notice_of_the_press_code_is_a_correction_however_it_is_written(words: str) -> None:
    assert is_correction(make_content(), make_content(title=words))
    assert is_correction(make_content(), make_content(body_html=f"<p>Kalimat pertama.</p><p>{words}</p>"))


@pytest.mark.parametrize(
    "words",
    ["IHSG KENA KOREKSI TAJAM", "KOREKSI HARGA SAHAM BERLANJUT", "Pasar menunggu koreksi harga", "Meralat: ucap"],
)
def test_a_correction_of_prices_is_none_of_ours(words: str) -> None:
    assert not is_correction(make_content(), make_content(title=words))


def test_the_word_correction_inside_another_word_is_none() -> None:
    assert not is_correction(make_content(), make_content(title="RALATAN pasar"))


def test_a_cosmetic_edit_keeps_the_date() -> None:
    old, new = make_content(), make_content(updated=NOW)

    assert next_content(old, new, Edit.COSMETIC, now=NOW).updated == old.updated


def test_an_edit_that_the_newsroom_did_not_date_gets_our_time() -> None:
    assert next_content(make_content(), make_content(summary="lain"), Edit.MINOR, now=NOW).updated == NOW


def test_an_edit_that_the_newsroom_dated_keeps_its_date() -> None:
    dated = make_content(updated=NOW - timedelta(minutes=5))

    assert next_content(make_content(), dated, Edit.MAJOR, now=NOW).updated == dated.updated


def test_a_late_story_stands_on_top_and_a_first_import_keeps_its_order() -> None:
    old = NOW - timedelta(days=30)

    assert sort_time(old, NOW, first_import=False) == NOW
    assert sort_time(old, NOW, first_import=True) == old


def test_the_hash_ignores_dates_and_sees_everything_a_reader_can() -> None:
    base = make_content()

    assert content_hash(base) == content_hash(make_content(published=NOW, updated=NOW, flags=("date_guess",)))
    for change in ({"title": "x"}, {"body_html": "<p>x</p>"}, {"tags": ()}, {"picture": Picture(media="a" * 32)}):
        assert content_hash(base) != content_hash(make_content(**change))


@given(st.text(min_size=1), st.text(min_size=1))
def test_ids_are_path_safe_stable_and_apart(one: str, other: str) -> None:
    allowed = set(string.ascii_lowercase + string.digits + "-")

    assert set(article_id("lintas", one)) <= allowed
    assert (article_id("lintas", one) == article_id("lintas", other)) == (one == other)


def test_public_ids_are_tag_uris() -> None:
    assert public_id("lintaspagi.example", 2026, "lintas-abc") == "tag:lintaspagi.example,2026:lintas-abc"
