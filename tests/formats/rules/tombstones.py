"""T: what was deleted (RFC 6721), in the head of a feed or on its own."""

from collections import Counter
from collections.abc import Iterator

from tests.formats.rules.document import ALL, ATOM, NS, RFC3339, TOMBSTONE, XML, Document, Rules, moment

ELEMENT = f"{{{NS['at']}}}deleted-entry"


def t01(doc: Document) -> Iterator[str]:
    for ref, when in doc.tombstones:
        if ":" not in ref or not RFC3339.fullmatch(when):
            yield f"ref {ref!r} is no absolute name, or when {when!r} no RFC 3339 date"
    if doc.kind != "json" and len(doc.nodes("(/a:feed | /rss/channel)/at:deleted-entry | /at:deleted-entry")) != len(
        doc.tombstones
    ):
        yield "a tombstone that stands in something else than the feed"


def t02(doc: Document) -> Iterator[str]:
    for node in doc.nodes("//at:deleted-entry"):
        if any(len(node.findall(name, NS)) > 1 for name in ("at:by", "at:comment", "a:source")):
            yield "two of by, comment or source"
        if any(by.find("a:name", NS) is None for by in node.findall("at:by", NS)):
            yield "deleted by nobody"
        if any(said.get("type", "text") not in ("text", "html", "xhtml") for said in node.findall("at:comment", NS)):
            yield "a comment of no known type"


def t03(doc: Document) -> Iterator[str]:
    for (ref, when), times in Counter(doc.tombstones).items():
        if times > 1:
            yield f"{ref} is deleted {times} times at {when}"


def t04(doc: Document) -> Iterator[str]:
    deleted = {ref: at for ref, when in doc.tombstones if (at := moment(when))}
    for entry in doc.entries:
        at, changed = deleted.get(entry.id), moment(entry.modified)
        if at and changed and at >= changed:
            yield f"{entry.id} is shown and deleted"


def t05(doc: Document) -> Iterator[str]:
    """Ids are tag: names, which say whose they are (RFC 4151). What isn't ours needs its source."""
    house = [name.partition(",")[0] for name in doc.texts("/a:feed/a:id")]
    for node in doc.nodes("/a:feed/at:deleted-entry[not(a:source)]"):
        if node.get("ref", "").partition(",")[0] not in house:
            yield f"{node.get('ref')} is of another feed, which is not named"


def t06(doc: Document) -> Iterator[str]:
    if doc.root.tag != ELEMENT or not doc.root.get("ref") or not doc.root.get("when"):
        yield "the root has to be one at:deleted-entry"


RULES: Rules = {
    "T-01": ((*ALL, *TOMBSTONE), t01),
    "T-02": ((*XML, *TOMBSTONE), t02),
    "T-03": (ALL, t03),
    "T-04": (ALL, t04),
    "T-05": (ATOM, t05),
    "T-06": (TOMBSTONE, t06),
}
