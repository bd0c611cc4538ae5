"""The rules of a feed document, each a checker: X (all formats), R (RSS), M (Media RSS), A (Atom), J (JSON Feed).

`broken_rules` runs all that apply. test_rules.py shows for each that it rejects a document that breaks it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Final, cast

from lxml import etree

NS: Final = {
    "a": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "media": "http://search.yahoo.com/mrss/",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
}
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
ILLEGAL = re.compile("[^\u0009\u000a\u000d\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
RFC822 = re.compile(
    r"(?P<day>Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d "
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d (GMT|[+-]\d{4})"
)
LANGUAGE = re.compile(r"(?!in(-|$))[a-z]{2,3}(-[A-Z]{2}|-[A-Z][a-z]{3})?")
URI = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(/[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*)?")
TAG = re.compile(r"</?[A-Za-z][^>]*>")
ENTITY = re.compile(r"&(amp|lt|gt|quot|nbsp|#\d+|#x[0-9a-f]+);", re.IGNORECASE)
UNSAFE = re.compile(r"<(script|iframe|object|embed|form)\b|\son[a-z]+\s*=|javascript:|position\s*:", re.IGNORECASE)


@dataclass(frozen=True)
class Document:
    """A feed document as it was fetched."""

    kind: str  # rss, atom, json
    raw: bytes
    url: str

    @cached_property
    def root(self) -> etree._Element:
        """Leniently parsed, so that one broken rule doesn't hide the others."""
        return etree.fromstring(self.raw, etree.XMLParser(recover=True, resolve_entities=False))

    @cached_property
    def data(self) -> dict[str, Any]:
        return cast(dict[str, Any], json.loads(self.raw.decode("utf-8", "replace").removeprefix("\ufeff")))

    def nodes(self, path: str) -> list[etree._Element]:
        return cast(list[etree._Element], self.root.xpath(path, namespaces=NS))

    def texts(self, path: str) -> list[str]:
        return [node.text or "" for node in self.nodes(path)]

    def attributes(self, path: str) -> list[str]:
        return [str(value) for value in cast(list[object], self.root.xpath(path, namespaces=NS))]

    @property
    def items(self) -> list[dict[str, Any]]:
        return cast(list[dict[str, Any]], self.data.get("items", []))

    def choose(self, *, rss: Sequence[str] = (), atom: Sequence[str] = (), json_keys: Sequence[str] = ()) -> list[str]:
        """Texts (or attributes, for paths that end in one) at the paths of this document's own kind."""
        if self.kind == "json":
            return [str(item[key]) for item in self.items for key in json_keys if key in item]
        return [
            text
            for path in (rss if self.kind == "rss" else atom)
            for text in (self.attributes(path) if "/@" in path else self.texts(path))
        ]


Rule = Callable[[Document], Iterator[str]]
ALL, RSS, ATOM, JSON, XML = ("rss", "atom", "json"), ("rss",), ("atom",), ("json",), ("rss", "atom")


def x01(doc: Document) -> Iterator[str]:
    for name in doc.choose(rss=["//item/guid"], atom=["//a:entry/a:id"], json_keys=["id"]):
        if not name.startswith(("tag:", "urn:uuid:")):
            yield f"{name!r} is no tag: or urn:uuid: name"


def x03(doc: Document) -> Iterator[str]:
    rss, atom = ["//item/dcterms:modified"], ["//a:entry/a:updated"]
    changed = doc.choose(rss=rss, atom=atom, json_keys=["date_modified"])
    first = doc.choose(rss=["//item/pubDate"], atom=["//a:entry/a:published"], json_keys=["date_published"])
    if len(changed) != len(first):
        yield "an entry lacks one of its two dates"
    for a, b in zip(changed, first, strict=False):
        if (later := _moment(a)) and (earlier := _moment(b)) and later < earlier:
            yield f"updated {a} before it was published {b}"


def x04(doc: Document) -> Iterator[str]:
    top = doc.choose(rss=["/rss/channel/lastBuildDate"], atom=["/a:feed/a:updated"])
    for text in doc.choose(rss=["//item/dcterms:modified"], atom=["//a:entry/a:updated"]):
        if top and (entry := _moment(text)) and (feed := _moment(top[0])) and feed < entry:
            yield f"the feed's date {top[0]} is older than an entry's {text}"


def x06(doc: Document) -> Iterator[str]:
    if ILLEGAL.search(doc.raw.decode("utf-8", "replace")):
        yield "a character that XML 1.0 forbids"


def x07(doc: Document) -> Iterator[str]:
    try:
        text = doc.raw.decode("utf-8")
    except UnicodeDecodeError:
        yield "not UTF-8"
        return
    if text.startswith("\ufeff"):
        yield "a byte order mark"
    if doc.kind != "json" and not re.match(r"<\?xml version='1.0' encoding='UTF-8'\?>", text.removeprefix("\ufeff")):
        yield "no XML declaration with its encoding"


def x08(doc: Document) -> Iterator[str]:
    urls = doc.choose(
        rss=["//link", "//a:link/@href", "//enclosure/@url", "//media:*/@url", "//image/url"],
        atom=["//a:link/@href", "//a:uri", "//media:*/@url"],
        json_keys=["url", "image"],
    )
    if doc.kind == "json":
        urls += [doc.data[key] for key in ("home_page_url", "feed_url") if key in doc.data]
    in_bodies = [hit for body in _bodies(doc) for hit in re.findall(r'\b(?:src|href)="([^"]*)"', body)]
    for url in urls + [u for u in in_bodies if not u.startswith("mailto:")]:
        if not URI.fullmatch(url):
            yield f"{url!r} is no absolute http(s) URI"


def x09(doc: Document) -> Iterator[str]:
    for title in doc.choose(rss=["//title"], atom=["//a:title"], json_keys=["title"]):
        if TAG.search(title) or ENTITY.search(title) or title != " ".join(title.split()):
            yield f"{title!r} is not plain text on one line"


def x10(doc: Document) -> Iterator[str]:
    for body in _bodies(doc):
        if hit := UNSAFE.search(body):
            yield f"{hit[0]!r} in a body"


def x11(doc: Document) -> Iterator[str]:
    for text in doc.texts("//pubDate | //lastBuildDate"):
        hit = RFC822.fullmatch(text)
        if not hit or parsedate_to_datetime(text).strftime("%a") != hit["day"]:
            yield f"{text!r} is no RFC 822 date"


def x12(doc: Document) -> Iterator[str]:
    for text in doc.choose(
        rss=["//dcterms:modified"], atom=["//a:updated", "//a:published"], json_keys=["date_published", "date_modified"]
    ):
        if not RFC3339.fullmatch(text):
            yield f"{text!r} is no RFC 3339 date"


def x13(doc: Document) -> Iterator[str]:
    codes = doc.choose(rss=["//language"], atom=["//@xml:lang"], json_keys=["language"])
    if doc.kind == "json":
        codes += [doc.data[key] for key in ("language",) if key in doc.data]
    for code in codes:
        if not LANGUAGE.fullmatch(code):
            yield f"{code!r} is no language tag we may write"


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


def j01(doc: Document) -> Iterator[str]:
    if next(iter(doc.data), "") != "version" or doc.data.get("version") != "https://jsonfeed.org/version/1.1":
        yield "version has to come first"
    if not doc.data.get("title") or not isinstance(doc.data.get("items"), list) or doc.data.get("feed_url") != doc.url:
        yield "title, items or feed_url"


def j02(doc: Document) -> Iterator[str]:
    names = [item.get("id") for item in doc.items]
    if any(not isinstance(name, str) or not name for name in names) or len(set(names)) != len(names):
        yield "an item without an id of its own"
    for item in doc.items:
        if not item.get("content_html") and not item.get("content_text"):
            yield "an item without content"
        if TAG.search(item.get("summary", "") + item.get("content_text", "")):
            yield "HTML outside content_html"


def j03(doc: Document) -> Iterator[str]:
    for holder in (doc.data, *doc.items):
        if "author" in holder or any(not {"name", "url", "avatar"} & set(a) for a in holder.get("authors", [])):
            yield "authors are a list of people with names"
    if not doc.data.get("language") or any(not item.get("language") for item in doc.items):
        yield "no language"


def j04(doc: Document) -> Iterator[str]:
    for item in doc.items:
        tags = item.get("tags", [])
        if len(set(tags)) != len(tags) or not all(isinstance(tag, str) for tag in tags):
            yield "tags are not unique strings"


def j05(doc: Document) -> Iterator[str]:
    for item in doc.items:
        if any(not a.get("url") or not a.get("mime_type") for a in item.get("attachments", [])):
            yield "an attachment without url or mime_type"


def j06(doc: Document) -> Iterator[str]:
    if any(hub.get("type") not in ("WebSub", "rssCloud") or not hub.get("url") for hub in doc.data.get("hubs", [])):
        yield "a hub without type or url"


def j07(doc: Document) -> Iterator[str]:
    if doc.data.get("next_url", "") == doc.data.get("feed_url"):
        yield "the next page is this page"


def j08(doc: Document) -> Iterator[str]:
    known_top = {"version", "title", "home_page_url", "feed_url", "description", "authors", "language", "items"}
    known_item = {
        *("id", "url", "title", "content_html", "content_text", "summary", "image", "date_published"),
        *("date_modified", "authors", "tags", "language", "attachments"),
    }
    known_top |= {"next_url", "expired", "icon", "favicon", "hubs", "user_comment"}
    for known, holder in ((known_top, doc.data), *((known_item, item) for item in doc.items)):
        for key in set(holder) - known:
            if not re.fullmatch(r"_[A-Za-z][^.]+", key):
                yield f"{key!r} is neither the format's nor an extension"


def j09(doc: Document) -> Iterator[str]:
    if len(doc.raw) > 1_000_000:
        yield "over 1 MB"


RULES: Mapping[str, tuple[tuple[str, ...], Rule]] = {
    **{"X-01": (ALL, x01), "X-03": (ALL, x03), "X-04": (XML, x04), "X-06": (ALL, x06), "X-07": (ALL, x07)},
    **{"X-08": (ALL, x08), "X-09": (ALL, x09), "X-10": (ALL, x10), "X-11": (RSS, x11), "X-12": (ALL, x12)},
    **{"X-13": (ALL, x13), "R-01": (RSS, r01), "R-02": (RSS, r02), "R-04": (RSS, r04), "R-05": (RSS, r05)},
    **{"R-06": (RSS, r06), "R-07": (RSS, r07), "R-08": (RSS, r08), "R-09": (RSS, r09), "R-10": (RSS, r10)},
    **{"R-11": (RSS, r11), "R-12": (RSS, r12), "R-20": (RSS, r20), "R-21": (RSS, r21), "R-22": (RSS, r22)},
    **{"R-23": (RSS, r23), "R-24": (RSS, r24), "R-25": (RSS, r25), "R-26": (RSS, r26), "R-27": (RSS, r27)},
    **{"R-28": (RSS, r28), "R-29": (XML, r29), "M-01": (XML, m01), "M-02": (XML, m02), "M-03": (XML, m03)},
    **{"M-04": (XML, m04), "A-01": (ATOM, a01), "A-02": (ATOM, a02), "A-03": (ATOM, a03), "A-04": (ATOM, a04)},
    **{"A-05": (ATOM, a05), "A-06": (ATOM, a06), "A-07": (ATOM, a07), "A-08": (ATOM, a08), "A-09": (ATOM, a09)},
    **{"A-10": (ATOM, a10), "J-01": (JSON, j01), "J-02": (JSON, j02), "J-03": (JSON, j03), "J-04": (JSON, j04)},
    **{"J-05": (JSON, j05), "J-06": (JSON, j06), "J-07": (JSON, j07), "J-08": (JSON, j08), "J-09": (JSON, j09)},
}


def broken_rules(kind: str, raw: bytes, *, url: str) -> dict[str, list[str]]:
    """What is wrong with a document, by rule. Empty when nothing is."""
    doc = Document(kind=kind, raw=raw, url=url)
    found = {name: list(rule(doc)) for name, (kinds, rule) in RULES.items() if kind in kinds}
    return {name: problems for name, problems in found.items() if problems}


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if RFC3339.fullmatch(text) else parsedate_to_datetime(text)
    except ValueError:
        return None


def _bodies(doc: Document) -> list[str]:
    return doc.choose(rss=["//content:encoded"], atom=["//a:content[@type='html']"], json_keys=["content_html"])
