"""Variants of a digest: own words and hours for a reader, marks on what they have got, and who pays on which day."""

import re
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from syndicate.domain.audience import Rhythm
from syndicate.formats.digest import Rendered, render
from tests.browser.mails import LETTER, MARK, SHIPPED, SPONSOR, TEMPLATES, make_view
from tests.formats.digest_rules import broken_digest_rules
from tests.formats.samples import make_article

ONE, TWO = make_article(1), make_article(2)


def shown(template: str = "sections", **changes: Any) -> Rendered:
    """A variant as it is mailed; whatever a test shows keeps the rules."""
    rendered = render(replace(make_view(template, told=(ONE, TWO)), **changes), TEMPLATES)
    assert broken_digest_rules(rendered.html) == {}
    return rendered


@pytest.mark.parametrize("template", SHIPPED)
def test_the_mail_s_own_words_are_the_reader_s_and_the_stories_say_which_language_they_are_in(template: str) -> None:
    rendered = shown(template, language="en")

    assert re.search(r'<html lang="en"', rendered.html)
    assert re.search(r'<h2[^>]* lang="id"', rendered.html)
    assert "Unsubscribe" in rendered.text
    assert "Tuesday, 24 November 2026" in rendered.text
    assert "Jembatan ke-1 dibuka" in rendered.text


def test_a_story_in_the_mail_s_own_language_doesn_t_say_so() -> None:
    assert not re.search(r'<h2[^>]* lang="', shown().html)


def test_hours_and_days_are_by_the_reader_s_clock() -> None:
    assert "07.16 WIB" in shown().text
    assert "09.16 WIT" in shown(zone="Asia/Jayapura").text
    assert "Senin, 23 November 2026" in shown(zone="America/New_York").text


@pytest.mark.parametrize("template", SHIPPED)
def test_what_a_reader_has_got_is_marked_in_both_parts(template: str) -> None:
    rendered = shown(template, updated=frozenset({ONE.id}), repeated=frozenset({TWO.id}))

    for part in (rendered.html, rendered.text):
        assert part.index("Diperbarui sejak dikirim") < part.index("Sudah dikirim")
    assert rendered.html.index("Diperbarui sejak dikirim") < rendered.html.index("<h2")
    assert re.search(r"Jembatan ke-1 dibuka\n\[Diperbarui sejak dikirim\]\n", rendered.text)


def test_what_is_new_to_a_reader_bears_no_mark() -> None:
    rendered = shown(updated=frozenset({"another-story"}))

    assert 'class="before"' not in rendered.html
    assert "[" not in rendered.text


def test_a_round_up_says_that_it_is_one() -> None:
    for part in (rendered := shown(rhythm=Rhythm.WEEKLY)).html, rendered.text:
        assert "Ringkasan sepekan · Selasa, 24 November 2026" in re.sub(r"\s+", " ", part)


def test_the_link_to_the_browser_is_everybody_s_in_the_whole_edition_and_a_hole_in_a_variant() -> None:
    whole, variant = shown(), shown(is_whole=False)
    address, hole = "/editions/pagi/2026-11-24T0600", f"{MARK}-view_url-"

    for part in (whole.html, whole.text):
        assert (address in part, hole in part) == (True, False)
    for part in (variant.html, variant.text):
        assert (address in part, hole in part) == (False, True)


@pytest.mark.parametrize(
    ("since", "until", "is_shown"),
    [
        (None, None, True),
        (date(2026, 11, 24), date(2026, 11, 24), True),
        (date(2026, 11, 25), None, False),
        (None, date(2026, 11, 23), False),
        (None, date(2026, 11, 24), True),
        (date(2026, 11, 24), None, True),
    ],
)
@pytest.mark.parametrize("zone", ["", "America/New_York"])  # where it is still the 23rd
def test_a_sponsor_is_shown_on_the_days_that_were_booked_by_the_newsletter_s_calendar(
    since: date | None, until: date | None, is_shown: bool, zone: str
) -> None:
    newsletter = replace(LETTER, sponsor=replace(SPONSOR, since=since, until=until))
    rendered = shown(newsletter=newsletter, zone=zone)

    for part in (rendered.html, rendered.text):
        assert (SPONSOR.name in part) is is_shown
    assert ("Iklan" in rendered.html, "IKLAN" in rendered.text) == (is_shown, is_shown)
