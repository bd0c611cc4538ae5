"""P: feeds in several documents (RFC 5005), as far as one of them can tell. The rest is in together.py."""

import re
from collections.abc import Iterator
from datetime import timedelta

from tests.formats.rules.document import ATOM, RSS, XML, Document, Rules

MONTH = re.compile(r"(?P<feed>.*/feeds/[^/]+)/(?P<month>\d{4}-(0[1-9]|1[0-2]))\.atom")
AHEAD = timedelta(hours=14)  # nowhere is it later than in UTC+14
PAGED = ("first", "last", "previous", "next")
ARCHIVED = ("prev-archive", "next-archive", "current")


def p01(doc: Document) -> Iterator[str]:
    kinds = {
        "complete": bool(doc.nodes("(/a:feed | /rss/channel)/fh:complete")),
        "paged": any(doc.links(rel) for rel in PAGED),
        "archived": doc.is_archive or any(doc.links(rel) for rel in ARCHIVED),
    }
    if sum(kinds.values()) > 1:
        yield f"one of {', '.join(kinds)}, not several"


def p02(doc: Document) -> Iterator[str]:
    if doc.is_archive:
        return
    before = doc.links("prev-archive")
    if len(before) > 1 or doc.links("next-archive") or any(url != doc.url for url in doc.links("current")):
        yield "the newest document may have one archive behind it and nothing ahead"
    if any(url == doc.url or not MONTH.fullmatch(url) for url in before):
        yield "its archive is no other document"


def p03(doc: Document) -> Iterator[str]:
    if not doc.is_archive:
        return
    marks = doc.nodes("(/a:feed | /rss/channel)/fh:archive")
    if len(marks) != 1 or len(marks[0]) or marks[0].text:
        yield "fh:archive stands once and is empty"
    if len(doc.links("current")) != 1 or any(len(doc.links(rel)) > 1 for rel in ARCHIVED):
        yield "one way to the current document, at most one to each neighbour"
    if any(doc.url in doc.links(rel) for rel in ARCHIVED):
        yield "a neighbour of itself"


def p07(doc: Document) -> Iterator[str]:
    """Archives are whole months in their order, and none is linked before it is over."""
    own = MONTH.fullmatch(doc.url)
    if doc.is_archive and own is None:
        yield f"{doc.url} is not named by a month"
    linked = {rel: hit for rel in ARCHIVED for url in doc.links(rel) if (hit := MONTH.fullmatch(url))}
    before, after = linked.get("prev-archive"), linked.get("next-archive")
    if own and ((before and before["month"] >= own["month"]) or (after and after["month"] <= own["month"])):
        yield "the neighbours are the wrong way round"
    for hit in filter(None, (own, before, after)):
        if doc.now and hit["month"] >= (doc.now + AHEAD).date().isoformat()[:7]:
            yield f"{hit['month']} is not over"


def p08(doc: Document) -> Iterator[str]:
    """In RSS the relations are atom:link in the channel; an archive without the way back misleads its reader."""
    if doc.is_archive and not doc.links("current"):
        yield "an archive that doesn't say where the current document is"
    if doc.attributes("//item/a:link[@rel='prev-archive' or @rel='next-archive' or @rel='current']/@href"):
        yield "an archive of an item"


RULES: Rules = {
    "P-01": (XML, p01),
    "P-02": (XML, p02),
    "P-03": (ATOM, p03),
    "P-07": (XML, p07),
    "P-08": (RSS, p08),
}
