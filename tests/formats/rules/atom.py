"""A: Atom 1.0 (RFC 4287)."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lxml import etree

from tests.formats.rules.document import ATOM, NS, TAG, XML_LANG, Document, Rules

GRAMMAR = Path(__file__).resolve().parents[4] / "shared" / "schemas" / "atom.rng"


def a01(doc: Document) -> Iterator[str]:
    for name in ("id", "title", "updated"):
        if len([text for text in doc.texts(f"/a:feed/a:{name}") if text]) != 1:
            yield f"the feed needs one {name}"
    for name in ("generator", "icon", "logo", "rights", "subtitle"):
        if len(doc.nodes(f"/a:feed/a:{name}")) > 1:
            yield f"two of {name}"
    if not doc.nodes("/a:feed/a:author") and doc.nodes("//a:entry[not(a:author)]"):
        yield "somebody must be the author"


def a02(doc: Document) -> Iterator[str]:
    own = [node.attrib for node in doc.nodes("/a:feed/a:link[@rel='self']")]
    if [(a.get("href"), a.get("type")) for a in own] != [(doc.url, "application/atom+xml")]:
        yield "exactly one self link, to where the document was fetched"
    if doc.url in doc.links("hub"):
        yield "the hub is the feed itself"
    if not doc.nodes("/a:feed/a:link[@rel='alternate'][@type='text/html']"):
        yield "no page for people"
    for parent in doc.nodes("/a:feed | //a:entry"):
        links = [link for link in parent.findall("a:link", NS) if link.get("rel", "alternate") == "alternate"]
        kinds = [(link.get("type"), link.get("hreflang")) for link in links]
        if len(set(kinds)) != len(kinds):
            yield "two alternates of one kind"


def a03(doc: Document) -> Iterator[str]:
    for name in doc.texts("/a:feed/a:id"):
        if not name.startswith("tag:"):
            yield "the feed's id would change with its address"


def a04(doc: Document) -> Iterator[str]:
    for entry in doc.nodes("//a:entry"):
        tags = [etree.QName(child).localname for child in entry if etree.QName(child).namespace == NS["a"]]
        if any(tags.count(name) != 1 for name in ("id", "title", "updated")):
            yield "an entry needs one id, title and updated"
        if any(tags.count(name) > 1 for name in ("content", "published", "rights", "source", "summary")):
            yield "an element twice in an entry"


def a05(doc: Document) -> Iterator[str]:
    if doc.nodes("//a:entry[not(a:content)][not(a:link[@rel='alternate'])]"):
        yield "an entry without content and without a page"
    if doc.nodes("//a:content[@src][not(@type)]") or doc.nodes("//a:entry[a:content/@src][not(a:summary)]"):
        yield "content elsewhere needs a type and a summary"


def a06(doc: Document) -> Iterator[str]:
    for node in doc.nodes("//a:title | //a:summary | //a:content | //a:rights | //a:subtitle"):
        if node.get("type", "text") not in ("text", "html"):
            yield f"type {node.get('type')!r}"
        if node.get("type", "text") == "text" and TAG.search(node.text or ""):
            yield "HTML that doesn't say so"


def a07(doc: Document) -> Iterator[str]:
    for node in doc.nodes("//a:entry/a:link"):
        if node.get("rel") not in ("alternate", "enclosure", "via", "related", "license") or not node.get("type"):
            yield "an entry's link without rel or type"


def a08(doc: Document) -> Iterator[str]:
    for node in doc.nodes("//a:entry/a:source"):
        if any(node.find(f"a:{name}", NS) is None for name in ("id", "title", "updated")):
            yield "a source without id, title or updated"


def a09(doc: Document) -> Iterator[str]:
    if not doc.root.get(XML_LANG):
        yield "the feed doesn't say its language"
    if any(not entry.get(XML_LANG) for entry in doc.nodes("//a:entry")):
        yield "an entry doesn't say its language"


def a10(doc: Document) -> Iterator[str]:
    seen = [(e.findtext("a:id", namespaces=NS), e.findtext("a:updated", namespaces=NS)) for e in doc.nodes("//a:entry")]
    if len(set(seen)) != len(seen):
        yield "one entry twice"


def a11(doc: Document) -> Iterator[str]:
    """By RFC 4287's own grammar, where the inputs lie beside the repository."""
    schema = grammar()
    if schema is not None and not schema.validate(doc.root):
        yield from (str(line.message) for line in schema.error_log)


@cache
def grammar() -> etree.RelaxNG | None:
    return etree.RelaxNG(etree.parse(GRAMMAR)) if GRAMMAR.is_file() else None


RULES: Rules = {
    "A-01": (ATOM, a01),
    "A-02": (ATOM, a02),
    "A-03": (ATOM, a03),
    "A-04": (ATOM, a04),
    "A-05": (ATOM, a05),
    "A-06": (ATOM, a06),
    "A-07": (ATOM, a07),
    "A-08": (ATOM, a08),
    "A-09": (ATOM, a09),
    "A-10": (ATOM, a10),
    "A-11": (ATOM, a11),
}
