"""Subjects: one pass over the pattern, so a headline is never a template."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from syndicate.domain.newsletter import subject_line
from tests.factories import make_newsletter


def test_headlines_that_look_like_templates_stand_in_the_subject_as_they_are(shared: Path) -> None:
    for title in json.loads((shared / "fixtures/security/template_titles.json").read_text(encoding="utf-8")):
        assert subject_line(make_newsletter(), lead=title, date="24 November") == f"Lintas Pagi: {title}"


@given(st.sampled_from(["{title}", "{date}", "{lead}", "{lead}{lead}{title", "{0}%s"]))
def test_a_placeholder_inside_a_headline_is_not_replaced(lead: str) -> None:
    newsletter = make_newsletter(subject="{date} {lead} – {title}")

    assert subject_line(newsletter, lead=lead, date="{title}") == f"{{title}} {lead} – Lintas Pagi"


def test_unknown_placeholders_and_empty_patterns_stay() -> None:
    assert subject_line(make_newsletter(subject="{nama} {Lead}"), lead="x", date="y") == "{nama} {Lead}"
    assert subject_line(make_newsletter(subject=""), lead="x", date="y") == ""
