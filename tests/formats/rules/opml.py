"""O: the directory in OPML 2.0."""

from collections.abc import Iterator

from lxml import etree

from tests.formats.rules.document import OPML, URI, Document, Rules

HEAD = frozenset({"title", "dateCreated", "dateModified", "ownerName", "ownerEmail", "ownerId"})  # `docs`: see O-02
VERSIONS = frozenset({"RSS", "RSS1", "RSS2", "scriptingNews"})


def o01(doc: Document) -> Iterator[str]:
    if doc.root.tag != "opml" or doc.root.get("version") != "2.0" or [n.tag for n in doc.root] != ["head", "body"]:
        yield "an opml 2.0 root with a head and a body"
    if not doc.root.findtext("head/title"):
        yield "no title"


def o02(doc: Document) -> Iterator[str]:
    """`docs` is legal, but the W3C validator calls it undefined: we leave it out."""
    tags = [str(node.tag) for node in doc.nodes("/opml/head/*")]
    if not set(tags) <= HEAD or len(set(tags)) != len(tags):
        yield f"{tags} in the head"
    if any("@" not in text for text in doc.texts("//ownerEmail")):
        yield "an owner without an address"


def o03(doc: Document) -> Iterator[str]:
    """Some readers look for the one, some for the other."""
    for node in doc.nodes("//outline"):
        if not node.get("text") or (node.get("type") == "rss" and node.get("title") != node.get("text")):
            yield "an outline has a text, and a feed the same as its title"


def o04(doc: Document) -> Iterator[str]:
    """`rss` is the type of Atom feeds too."""
    for node in doc.nodes("//outline[@xmlUrl or @type]"):
        if node.get("type") == "include":
            if not (node.get("url") or "").endswith(".opml"):
                yield "an include of something that is no list"
        elif node.get("type") != "rss" or not node.get("xmlUrl"):
            yield "a feed has the type rss and an xmlUrl"
    addresses = doc.attributes("//outline/@xmlUrl")
    if len(set(addresses)) != len(addresses):
        yield "a feed twice"


def o05(doc: Document) -> Iterator[str]:
    for node in doc.nodes("//outline[@version]"):
        if node.get("version") not in VERSIONS or not (node.get("xmlUrl") or "").endswith(".rss"):
            yield f"version {node.get('version')!r} of {node.get('xmlUrl')}"


def o06(doc: Document) -> Iterator[str]:
    for text in doc.attributes("//outline/@category"):
        if any(not path.startswith("/") for path in text.split(",")):
            yield f"{text!r} is no list of paths"


def o07(doc: Document) -> Iterator[str]:
    for node in doc.nodes("//outline[@type='rss']"):
        page = node.get("htmlUrl") or ""
        if not URI.fullmatch(page) or page == node.get("xmlUrl"):
            yield "no page for people"


def o08(doc: Document) -> Iterator[str]:
    try:
        etree.fromstring(doc.raw, etree.XMLParser(resolve_entities=False, load_dtd=False))
    except etree.XMLSyntaxError as trouble:
        yield f"not well-formed: {trouble}"


RULES: Rules = {
    "O-01": (OPML, o01),
    "O-02": (OPML, o02),
    "O-03": (OPML, o03),
    "O-04": (OPML, o04),
    "O-05": (OPML, o05),
    "O-06": (OPML, o06),
    "O-07": (OPML, o07),
    "O-08": (OPML, o08),
}
