"""Each rule of a mail's HTML rejects what breaks it, and no shipped template breaks one with any kind of edition."""

import pytest

from syndicate.formats.digest import DigestView, render
from tests.browser.mails import LOOK, SPONSOR, TEMPLATES, make_view, views
from tests.formats.digest_rules import RULES, broken_digest_rules

BROKEN = {
    "elements": ("<h1", "<video></video><h1"),
    "properties": ("margin:0 auto", "position:absolute"),
    "padding_on_cells": ('<p class="foot" style="', '<p class="foot" style="padding:4px;'),
    "text_sizes": ("font-size:13px", "font-size:12px"),
    "pictures": ("/media/00000000000000000000000000000001", "/media/1.webp"),
    "tables": ('role="presentation" width="100%"', 'width="100%"'),
    "skeleton": ('role="article"', 'role="main"'),
    "headings": ("</h1>", "</h1><h1>Dua</h1>"),
    "links": (">Baca di peramban<", ">di sini<"),
    "preheader": ("display:none;max-height:0", "color:#ffffff"),
    "stylesheets": ("@media (max-width: 599px) {", "@import 'x'; @media (max-width: 599px) {"),
}


@pytest.mark.parametrize("view", [pytest.param(view, id=name) for name, view in views()])
def test_every_kind_of_edition_keeps_all_rules(view: DigestView) -> None:
    assert broken_digest_rules(render(view, TEMPLATES).html) == {}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_rejects_what_breaks_it(rule: str) -> None:
    html = render(make_view("sections", look=LOOK, sponsor=SPONSOR), TEMPLATES).html
    good, bad = BROKEN[rule]
    assert good in html

    assert list(broken_digest_rules(html.replace(good, bad, 1))) == [rule]


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ('alt="Bank Lintang: tabungan pelajar"', 'alt="-"'),
        (' width="220" height="48"', ' width="auto" height="48"'),
        ("display:block;width:100%;max-width:600px;height:auto", "display:block;width:100%"),
    ],
)
def test_a_picture_without_words_size_or_shape_is_rejected(good: str, bad: str) -> None:
    html = render(make_view("sections", look=LOOK, sponsor=SPONSOR), TEMPLATES).html
    assert good in html

    assert list(broken_digest_rules(html.replace(good, bad, 1))) == ["pictures"]
