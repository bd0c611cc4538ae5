"""The text of a story, cut out of its page: by the site's rule, watched over by trafilatura. Runs inside the jail.

Rules win where a page is made as they say and lose where a site bends its theme, so neither is trusted alone
(gather.md §3).
"""

import html
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import trafilatura
import trafilatura.external
from lxml import etree
from selectolax.lexbor import LexborHTMLParser, LexborNode

from syndicate.domain.markup import one_line
from syndicate.sources.read.clean import Cleaned, clean
from syndicate.sources.read.rules import PageRule

FEWEST_CHARACTERS = 250  # of a story
_LEAST_SHARE, _MOST_SHARE = 0.7, 1.5  # of what trafilatura finds
_LARGEST = 1_000_000  # characters that trafilatura is shown: 0.7 s of the 2 s a call may take
_LONGEST_RELATED = 300  # characters; a longer line is prose
_NO_TEXT = ["script", "style", "template", "svg"]
_FIGURE_OR_TAG = re.compile(r"<figure>.*?</figure>|<[^>]*>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_FIRST_HEADING = re.compile(r"^\s*<h[2-4]>(.*?)</h[2-4]>\s*", re.DOTALL)
GUARD: Mapping[str, Any] = {  # how trafilatura is asked; addresses stay as on the page, cleaning makes them absolute
    "output_format": "html",
    "favor_precision": True,
    "include_comments": False,
    "include_formatting": True,
    "include_images": True,
    "include_links": True,
}
_STRANGE = (ValueError, TypeError, AttributeError, LookupError, RecursionError, etree.LxmlError)

trafilatura.external.jt_stoplist_init()  # else it reads a hundred files at the first page that needs them
logging.getLogger("trafilatura").setLevel(logging.CRITICAL)


@dataclass(frozen=True, kw_only=True)
class Body:
    """`won`: "rule" or "trafilatura". `found`: what each of them had, for people."""

    cleaned: Cleaned
    won: str
    found: dict[str, str]


def find_body(tree: LexborHTMLParser, *, rule: PageRule | None, base: str, title: str) -> Body:
    """The cleaned text. Takes scripts and the rule's chrome out of the tree, so it comes last.

    Flags: `rule_drift` when the rule's text can't be believed, `needs_review` when no text is long enough.
    """
    tree.strip_tags(_NO_TEXT, recursive=True)
    # First, for a guard must see what the rule would drop.
    other = clean(_by_trafilatura((tree.html or "")[:_LARGEST]), base=base)
    ruled = clean(_by_rule(tree, rule), base=base) if rule else _NOTHING
    own, guard = _length(ruled), _length(other)
    found = {name: _account(one) for name, one in (("rule", ruled), ("trafilatura", other)) if one.markup}
    if _is_believed(own, guard) or _is_believed(_length(ruled, captions=True), guard):
        return Body(cleaned=ruled, won="rule", found=found)
    best, won = (ruled, "rule") if max(own, guard) < FEWEST_CHARACTERS and own >= guard else (other, "trafilatura")
    flags = ("rule_drift",) if rule and rule.body else ()
    if max(own, guard) < FEWEST_CHARACTERS:
        flags = ("needs_review",)
    markup = _without_heading(best.markup, title)
    return Body(cleaned=replace(best, markup=markup, flags=(*best.flags, *flags)), won=won, found=found)


_NOTHING = Cleaned(markup="", picture=None, pictures_lost=0, protected=False, flags=())


def _is_believed(own: int, guard: int) -> bool:
    """Where trafilatura finds no story at all, it is no witness."""
    if own < FEWEST_CHARACTERS:
        return False
    return guard < FEWEST_CHARACTERS or _LEAST_SHARE * guard <= own <= _MOST_SHARE * guard


def _drop(tree: LexborHTMLParser, rule: PageRule) -> None:
    for selector in rule.drop:
        for node in tree.css(selector):
            node.decompose()


def _by_rule(tree: LexborHTMLParser, rule: PageRule) -> str:
    """Of all that the rule's selectors match, the one with most text in paragraphs, then with most text."""
    _drop(tree, rule)
    matches = [node for selector in rule.body for node in tree.css(selector)]
    if not matches:
        return ""
    best = max(matches, key=lambda node: (_paragraph_text(node), len(node.text(strip=True))))
    for pattern in map(re.compile, rule.related):
        for line in best.css("p, li, h2, h3, h4, h5, h6, blockquote"):
            text = one_line(line.text())
            if len(text) <= _LONGEST_RELATED and pattern.search(text):
                line.decompose()
    return best.html or ""


def _paragraph_text(node: LexborNode) -> int:
    return sum(len(paragraph.text(strip=True)) for paragraph in node.css("p"))


def _by_trafilatura(page: str) -> str:
    try:
        found = trafilatura.extract(page, **GUARD)
    except _STRANGE:  # whatever a hostile page makes of it; the rule may do without
        return ""
    return _without_menus(found) if found else ""


def _without_menus(markup: str) -> str:
    """Lists and tables of nothing but links lead around the site."""
    tree = LexborHTMLParser(markup)
    for block in tree.css("table, ul, ol"):
        linked = sum(len(link.text(strip=True)) for link in block.css("a"))
        if linked and linked >= len(block.text(strip=True)):
            block.decompose()
    return tree.body.html or "" if tree.body else ""


def _length(cleaned: Cleaned, *, captions: bool = False) -> int:
    """Characters of the text. Trafilatura drops captions, or takes them for paragraphs when there are many."""
    unwanted = _TAG if captions else _FIGURE_OR_TAG
    return len(" ".join(html.unescape(unwanted.sub(" ", cleaned.markup)).split()))


def _account(cleaned: Cleaned) -> str:
    return f"{cleaned.markup.count('<p>')} paragraphs, {_length(cleaned)} characters"


def _without_heading(markup: str, title: str) -> str:
    """Text found by guess may begin with the story's own title."""
    hit = _FIRST_HEADING.match(markup)
    heading = one_line(html.unescape(_TAG.sub("", hit[1]))) if hit else ""
    return markup[hit.end() :] if hit and heading.casefold() == title.casefold() else markup
