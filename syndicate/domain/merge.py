"""One story, one article: what to believe when the same story comes through another channel of its newsroom.

A channel says less than another by its nature (gather.md §2.1): feeds mix sections with tags, show no lead picture,
no time of the last edit, and only the first page of a long story. That is no edit of the newsroom's.
"""

import re
from dataclasses import replace

from syndicate.domain.article import Content
from syndicate.domain.markup import words

_WORTH = {"rest": 3, "page": 2, "feed": 1}  # of a channel's word about a field; the newsroom's own record knows best
TOLD = (
    *("title", "summary", "body_html", "published", "updated", "url", "authors", "sections", "tags", "language"),
    *("picture", "dateline", "initials"),
)
"""The fields that a channel tells us, each with its own provenance."""
_CUT = re.compile(r"[\[(]?(…|\.\.\.)[\])]?$")  # how cut text ends
_MIXED = ("sections", "tags", "picture", "updated", "summary", "language")  # a lesser channel can't tell these


def merged(held: Content, shown: Content) -> Content:
    """The best value of each field: `shown`, but what a better channel told us before and this one can't know.

    Provenance goes with each value. Content without provenance (folders) is taken as it is.
    """
    kept = [name for name in TOLD if _lesser(name, held, shown) and _says_less(name, held, shown)]
    if "sections" in held.provenance and _only_placed(held.sections, shown.sections):
        kept.append("sections")
    values = {name: getattr(held, name) for name in kept}
    if "body_html" in kept:
        values["flags"] = held.flags  # what was guessed or mended is said of the text
    provenance = {**shown.provenance, **{name: held.provenance[name] for name in kept}}
    return replace(shown, **values, provenance=provenance)


def better_key(held: str, shown: str) -> str:
    """The name a story goes by from now on. WordPress's own number, which every channel may show, is never given up."""
    return held if held.startswith("wp:") and not shown.startswith("wp:") else shown


def are_apart(held: str, shown: str) -> bool:
    """True for two posts with different numbers: the second has only got an address that was free again."""
    return held.startswith("wp:") and shown.startswith("wp:") and held != shown


def _lesser(name: str, held: Content, shown: Content) -> bool:
    before, after = held.provenance.get(name, ""), shown.provenance.get(name, "")
    return _WORTH.get(after, 0) < _WORTH.get(before, 0)


def _says_less(name: str, held: Content, shown: Content) -> bool:
    if name in _MIXED or getattr(shown, name) in ("", (), None, getattr(held, name)):
        return True
    if name in ("body_html", "dateline", "initials"):
        return "excerpt_only" in shown.flags or _is_part(words(shown.body_html), words(held.body_html))
    return False


def _only_placed(held: tuple[str, ...], shown: tuple[str, ...]) -> bool:
    """True when all that is new is what the sections are below: to learn that from a channel is no edit of a story."""
    return held != shown and held == tuple(one if one in held else one.rpartition("/")[2] for one in shown)


def _is_part(some: list[str], whole: list[str]) -> bool:
    """True when the shorter text is the beginning of the longer one: an excerpt, or its first page."""
    cut = [word for word in (_CUT.sub("", word) for word in some) if word]
    return cut == whole[: len(cut)]
