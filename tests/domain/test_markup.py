"""Text as people wrote it, made safe to carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from syndicate.domain.markup import excerpt, legal, one_line, plain_text, plain_title, words

ANY = st.text(st.characters(exclude_categories=()))


@given(ANY)
def test_legal_text_can_stand_in_xml(text: str) -> None:
    element = etree.Element("x")
    element.text = legal(text)

    assert etree.fromstring(etree.tostring(element, encoding="utf-8")) is not None


@given(ANY)
def test_one_line_is_one_line_and_stays_as_it_is(text: str) -> None:
    line = one_line(text)

    assert len(line.splitlines()) <= 1
    assert one_line(line) == line


def test_overrides_that_show_a_headline_backwards_are_taken_out() -> None:
    assert one_line("\u202egpj.exe\u2066 \x00\ud800a\u0308") == "gpj.exe ä"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Satu</p><p>dua &amp; tiga</p>", "Satu\ndua & tiga"),
        ("a<br>b<script>alert(1)</script><style>p{}</style>c", "a\nbc"),
        ("satu<b>dua</b>", "satudua"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("<p>belum selesai", "belum selesai"),
    ],
)
def test_plain_text_has_a_line_a_block_and_entities_decoded_once(markup: str, text: str) -> None:
    assert plain_text(markup) == text


@pytest.mark.parametrize(
    ("markup", "title"),
    [
        ("Harga &#8220;cabai&#8221;", "Harga “cabai”"),
        ("<em>Harga</em> &amp;amp; pasar", "Harga & pasar"),
        ("AT&amp;T & kawan", "AT&T & kawan"),
        ("Satu\n dua", "Satu dua"),
    ],
)
def test_titles_lose_tags_and_entities(markup: str, title: str) -> None:
    assert plain_title(markup) == title


def test_words_keep_their_order_and_case() -> None:
    assert words("<p>Satu <i>Dua</i></p><p>tiga</p>") == ["Satu", "Dua", "tiga"]


@given(st.text(), st.integers(10, 60))
def test_an_excerpt_is_never_longer_than_its_limit_and_an_ellipsis(text: str, limit: int) -> None:
    assert len(excerpt(text, limit)) <= limit + 1


def test_an_excerpt_is_cut_between_words() -> None:
    assert excerpt("<p>Harga cabai, turun lagi</p>", 14) == "Harga cabai…"
    assert excerpt("<p>Harga</p>", 14) == "Harga"
