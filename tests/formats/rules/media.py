"""M: Media RSS 1.5.1, in RSS and in Atom."""

import re
from collections.abc import Iterator

from lxml import etree

from tests.formats.rules.document import NS, URI, XML, Document, Rules


def m01(doc: Document) -> Iterator[str]:
    for node in doc.nodes("//media:content"):
        if not URI.fullmatch(node.get("url") or "") or node.get("medium") not in ("image", "video", "audio"):
            yield "media:content without url or medium"
        if any(not re.fullmatch(r"[1-9]\d*", node.get(n, "1")) for n in ("width", "height", "fileSize")):
            yield "media:content with a size that is no number"


def m02(doc: Document) -> Iterator[str]:
    for group in doc.nodes("//media:group"):
        if len(group) < 2:
            yield "a media:group of one"


def m03(doc: Document) -> Iterator[str]:
    known = {"title", "description", "thumbnail", "credit", "copyright", "text", "keywords", "rating"}
    for node in doc.nodes("//media:content/*"):
        if etree.QName(node).localname not in known:
            yield f"{node.tag!r} is not for media:content"
    for node in doc.nodes("//media:credit"):
        if node.get("scheme") != "urn:ebu" or node.get("role") != "photographer":
            yield "a credit without its EBU role"


def m04(doc: Document) -> Iterator[str]:
    for node in doc.nodes("//media:content[@medium='image']"):
        small = node.find("media:thumbnail", NS)
        if small is None or (int(node.get("width", "0")) >= 300 and int(small.get("width", "0")) < 300):
            yield "an image without a thumbnail of 300 px"


RULES: Rules = {
    "M-01": (XML, m01),
    "M-02": (XML, m02),
    "M-03": (XML, m03),
    "M-04": (XML, m04),
}
