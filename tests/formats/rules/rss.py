"""R: RSS 2.0 (RSS Advisory Board 2.0.11 and its Best Practices Profile)."""

import re
from collections.abc import Iterator

from lxml import etree

from tests.formats.rules.document import NS, RSS, TAG, URI, XML, Document, Rules


def r01(doc: Document) -> Iterator[str]:
    if doc.root.tag != "rss" or doc.root.get("version") != "2.0" or len(doc.nodes("/rss/channel")) != 1:
        yield "no rss 2.0 root with one channel"
    for name in ("title", "link", "description"):
        if len([text for text in doc.texts(f"/rss/channel/{name}") if text]) != 1:
            yield f"the channel needs one {name}"


def r02(doc: Document) -> Iterator[str]:
    own = doc.nodes("/rss/channel/a:link[@rel='self']")
    if [(node.get("href"), node.get("type")) for node in own] != [(doc.url, "application/rss+xml")]:
        yield "exactly one self link, to where the document was fetched"


def r03(doc: Document) -> Iterator[str]:
    for hub in doc.links("hub"):
        if not URI.fullmatch(hub) or hub == doc.url:
            yield f"{hub!r} is no hub"


def r04(doc: Document) -> Iterator[str]:
    machine = doc.attributes("/rss/channel/a:link/@href")
    for link in doc.texts("/rss/channel/link"):
        if link in machine or link.endswith((".rss", ".atom", ".json", ".xml")):
            yield "the channel's link is not a page for people"


def r05(doc: Document) -> Iterator[str]:
    for name in ("language", "copyright", "generator", "docs", "lastBuildDate", "pubDate"):
        if len(doc.nodes(f"/rss/channel/{name}")) != 1:
            yield f"the channel needs one {name}"


def r06(doc: Document) -> Iterator[str]:
    for text in doc.texts("//managingEditor | //webMaster"):
        if not re.fullmatch(r"[^\s@]+@[^\s@]+ \([^()]+\)", text):
            yield f"{text!r} is not 'email (name)'"


def r07(doc: Document) -> Iterator[str]:
    for text in doc.texts("//ttl"):
        if not re.fullmatch(r"[1-9]\d*", text):
            yield "ttl is no positive number of minutes"


def r08(doc: Document) -> Iterator[str]:
    if doc.nodes("//sy:UpdatePeriod | //sy:UpdateFrequency | //sy:UpdateBase"):
        yield "syndication elements begin with a small u"
    for text in doc.texts("//sy:updatePeriod"):
        if text not in ("hourly", "daily", "weekly", "monthly", "yearly"):
            yield f"{text!r} is no period"
    for text in doc.texts("//sy:updateFrequency"):
        if not re.fullmatch(r"[1-9]\d*", text):
            yield f"{text!r} is no frequency"


def r09(doc: Document) -> Iterator[str]:
    for image in doc.nodes("/rss/channel/image"):
        same = all(image.findtext(name) == doc.root.findtext(f"channel/{name}") for name in ("title", "link"))
        small = int(image.findtext("width") or 88) <= 144 and int(image.findtext("height") or 31) <= 400
        if not same or not small or not (image.findtext("url") or "").endswith((".gif", ".jpg", ".jpeg", ".png")):
            yield "the channel's image must repeat its title and link and be small"


def r10(doc: Document) -> Iterator[str]:
    for domain in doc.attributes("//category/@domain"):
        if not URI.fullmatch(domain):
            yield f"{domain!r} is no taxonomy"
    for text in doc.texts("//category"):
        if not text.strip() or text.startswith("/"):
            yield f"{text!r} is no category"


def r11(doc: Document) -> Iterator[str]:
    for node in doc.nodes("//textInput | //rating | //skipDays | //skipHours"):
        yield f"a {node.tag!r}"


def r12(doc: Document) -> Iterator[str]:
    tags = [node.tag for node in doc.nodes("/rss/channel/*")]
    if "item" in tags and set(tags[tags.index("item") :]) != {"item"}:
        yield "channel elements after the first item"


def r13(doc: Document) -> Iterator[str]:
    clouds = doc.nodes("//cloud")
    for node in clouds:
        named = all(node.get(name) for name in ("domain", "path")) and node.get("registerProcedure") is not None
        port = int(node.get("port", "")) if re.fullmatch(r"\d{1,5}", node.get("port", "")) else 0
        if not named or not 0 < port < 65536 or node.get("protocol") != "http-post" or len(clouds) > 1:
            yield "a cloud that nobody can register with"


def r20(doc: Document) -> Iterator[str]:
    for item in doc.nodes("//item"):
        tags = [str(child.tag) for child in item]
        if not {"title", "link", "guid", "pubDate"} <= set(tags):
            yield "an item lacks title, link, guid or pubDate"
        if any(tags.count(tag) > 1 for tag in tags if tag != "category" and not tag.startswith("{")):
            yield "an element twice in an item"


def r21(doc: Document) -> Iterator[str]:
    names = doc.texts("//item/guid")
    if len(set(names)) != len(names) or any(len(name) < 8 for name in names):
        yield "guids are not unique"
    for node in doc.nodes("//item/guid"):
        if node.get("isPermaLink") != "false":
            yield "a tag: guid without isPermaLink=false"


def r22(doc: Document) -> Iterator[str]:
    for item in doc.nodes("//item"):
        tags = [child.tag for child in item]
        encoded = f"{{{NS['content']}}}encoded"
        if encoded in tags and ("description" not in tags or tags.index("description") > tags.index(encoded)):
            yield "description has to stand before content:encoded"
    if any(TAG.search(text) for text in doc.texts("//item/description")):
        yield "a description with HTML"


def r23(doc: Document) -> Iterator[str]:
    for text in doc.texts("//content:encoded"):
        if not TAG.search(text):
            yield "content:encoded is no HTML"


def r24(doc: Document) -> Iterator[str]:
    if doc.nodes("//item/author"):
        yield "author instead of dc:creator"
    if any("@" in name or not name.strip() for name in doc.texts("//dc:creator")):
        yield "a dc:creator that is no name"


def r25(doc: Document) -> Iterator[str]:
    for item in doc.nodes("//item"):
        if len(item.findall("enclosure")) > 1:
            yield "two enclosures"
    for node in doc.nodes("//enclosure"):
        if not (node.get("url") and re.fullmatch(r"\d+", node.get("length") or "") and "/" in (node.get("type") or "")):
            yield "an enclosure without url, length or type"


def r26(doc: Document) -> Iterator[str]:
    for node in doc.nodes("//item/source"):
        if not URI.fullmatch(node.get("url") or "") or not node.text:
            yield "a source without url or title"


def r27(doc: Document) -> Iterator[str]:
    for url in doc.texts("//item/comments"):
        if not URI.fullmatch(url):
            yield f"{url!r} is no page of comments"


def r28(doc: Document) -> Iterator[str]:
    for item in doc.nodes("//item"):
        if len(item.findall(f"{{{NS['dcterms']}}}modified")) != 1:
            yield "an item without dcterms:modified"


def r29(doc: Document) -> Iterator[str]:
    try:
        etree.fromstring(doc.raw, etree.XMLParser(resolve_entities=False, load_dtd=False))
    except etree.XMLSyntaxError as trouble:
        yield f"not well-formed: {trouble}"


RULES: Rules = {
    "R-01": (RSS, r01),
    "R-02": (RSS, r02),
    "R-03": (RSS, r03),
    "R-04": (RSS, r04),
    "R-05": (RSS, r05),
    "R-06": (RSS, r06),
    "R-07": (RSS, r07),
    "R-08": (RSS, r08),
    "R-09": (RSS, r09),
    "R-10": (RSS, r10),
    "R-11": (RSS, r11),
    "R-12": (RSS, r12),
    "R-13": (RSS, r13),
    "R-20": (RSS, r20),
    "R-21": (RSS, r21),
    "R-22": (RSS, r22),
    "R-23": (RSS, r23),
    "R-24": (RSS, r24),
    "R-25": (RSS, r25),
    "R-26": (RSS, r26),
    "R-27": (RSS, r27),
    "R-28": (RSS, r28),
    "R-29": (XML, r29),
}
