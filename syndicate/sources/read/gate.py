"""What keeps a story that was read from a page from going out unseen."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from syndicate.domain.markup import plain_text
from syndicate.sources.read.words import language_of

_LONGEST = 300_000  # characters of HTML; what no newspaper prints isn't worth the time to look through
_FEWEST_PARAGRAPHS = 2
_PARAGRAPH = re.compile(r"(?:<p>|<br>\s*<br>)\s*(?:<(?:strong|b|em|i)>)*[^<\s]")  # some type line breaks instead
_CHROME = ("spot_img", "advertisement", "berita lainnya", "berita terbaru")  # of a page, never a line of a story
_AROUND = re.compile(r"^[\W_]+|[\W_]+$")
_ACTIVE = re.compile(
    r"<\s*(script|iframe|object|embed|form|style|link|meta|svg)\b|<[^<>]{0,2000}?\s(?:on\w+\s{0,9}=|\w+\s{0,9}=\s{0,9}[\"']?\s{0,9}(?:java|vb)script:)",
    re.IGNORECASE,
)
_TOLD_APART = ("id", "en")  # languages that we know from each other


def faults_of(item: Mapping[str, Any], *, language: str) -> list[str]:
    """Why a person must look first, a sentence each; [] when the story may go out.

    `item` has the keys that jail functions give a story, with the date filled in by the caller if the page had none.
    The body of a story of many pages is joined outside the jail, so no more than `_LONGEST` of it is looked at here.
    """
    body = item["body"][:_LONGEST]
    text = plain_text(body)
    checks = (
        (not item["title"], "It has no title."),
        (not item["link"], "It has no address of its own."),
        (not item["published"], "No machine-readable date says when it was published."),
        (len(item["body"]) > _LONGEST, f"It is longer than {_LONGEST:,} characters."),
        (_is_short(body, item["flags"]), f"It has fewer than {_FEWEST_PARAGRAPHS} paragraphs."),
        (_is_foreign(text, language), f"Its text is not in the language {language!r}."),
        ("text_lost" in item["flags"], "More than a tenth of its text was lost in cleaning."),
        (bool(_ACTIVE.search(body)), "Its text holds active HTML."),
    )
    return [words for failed, words in checks if failed] + [
        f"{line!r} is no line of a story." for line in _chrome(text)
    ]


def _is_short(body: str, flags: Collection[str]) -> bool:
    """What may only be shown in summary is short by right."""
    return "paywalled" not in flags and len(_PARAGRAPH.findall(body)) < _FEWEST_PARAGRAPHS


def _is_foreign(text: str, language: str) -> bool:
    expected, found = language.partition("-")[0].lower(), language_of(text)
    return expected in _TOLD_APART and found not in ("", expected)


def _chrome(text: str) -> list[str]:
    return [line for line in text.split("\n") if _AROUND.sub("", line).casefold() in _CHROME]
