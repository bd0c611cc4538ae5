"""What is believed of a story that comes through a lesser channel than before."""

from typing import Any

import pytest

from syndicate.domain.article import Content, Picture
from syndicate.domain.merge import merged
from tests.factories import make_content

LONG = "<p>Satu dua tiga empat.</p><p>Lima enam tujuh.</p>"
PICTURE = Picture(url="https://lintaspagi.example/a.jpg", caption="Pasar", credit="Ist")


def told_by(channel: str, **changes: Any) -> Content:
    content = make_content(**{"body_html": LONG, "picture": PICTURE} | changes)
    named = ["title", "summary", "body_html", "published", "updated", "url", "authors", "sections"]
    return make_content(
        **vars(content) | {"provenance": dict.fromkeys([*named, "tags", "picture", "language"], channel)}
    )


def test_a_feed_that_shows_no_picture_and_mixes_its_categories_takes_nothing_away() -> None:
    held = told_by("rest")
    shown = told_by("feed", picture=None, sections=(), tags=("pangan", "Semarang"))

    assert merged(held, shown) == held


@pytest.mark.parametrize(
    "part", ["<p>Satu dua tiga empat.</p>", "<p>Satu dua tiga…</p>", "<p>Satu dua [...]</p>", "<p>Satu dua […]</p>", ""]
)
def test_an_excerpt_or_a_first_page_is_no_edit(part: str) -> None:
    held = told_by("page")

    assert merged(held, told_by("feed", body_html=part)).body_html == LONG


def test_an_excerpt_never_takes_the_place_of_a_whole_text_even_when_its_lead_was_edited() -> None:
    held = told_by("rest", flags=("text_lost",))
    after = merged(held, told_by("feed", body_html="<p>Awal yang baru…</p>", flags=("excerpt_only",)))

    assert (after.body_html, after.flags) == (LONG, ("text_lost",))


def test_what_a_lesser_channel_does_know_is_believed_and_says_where_it_came_from() -> None:
    after = merged(told_by("rest"), told_by("feed", title="Judul baru", body_html="<p>Teks baru sama sekali.</p>"))

    assert (after.title, after.body_html) == ("Judul baru", "<p>Teks baru sama sekali.</p>")
    assert (after.provenance["title"], after.provenance["picture"]) == ("feed", "rest")


def test_a_better_channel_may_take_something_away() -> None:
    after = merged(told_by("feed"), told_by("rest", picture=None, sections=()))

    assert (after.picture, after.sections) == (None, ())


def test_the_same_channel_is_believed_whole() -> None:
    shown = told_by("page", body_html="<p>Satu dua tiga empat.</p>", picture=None)

    assert merged(told_by("page"), shown) == shown


def test_a_folder_has_no_channels_and_is_taken_as_it_is() -> None:
    shown = make_content(picture=None, body_html="<p>Satu.</p>")

    assert merged(make_content(body_html=LONG, picture=PICTURE), shown) == shown


def test_that_a_channel_knows_what_a_section_is_below_is_no_edit() -> None:
    held = told_by("page", sections=("Kota", "Umum"))

    assert merged(held, told_by("rest", sections=("Malang Raya/Kota", "Umum"))).sections == ("Kota", "Umum")
    assert merged(held, told_by("rest", sections=("Malang Raya/Batu", "Umum"))).sections == ("Malang Raya/Batu", "Umum")


def test_a_section_that_the_newsroom_moves_is_an_edit() -> None:
    held = told_by("rest", sections=("Malang Raya/Kota",))

    assert merged(held, told_by("rest", sections=("Jawa Timur/Kota",))).sections == ("Jawa Timur/Kota",)
