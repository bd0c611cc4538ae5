"""X: what holds in every format."""

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from tests.formats.rules.document import (
    ALL,
    LANGUAGE,
    OPML,
    RFC822,
    RFC3339,
    RSS,
    TAG,
    URI,
    XML,
    Document,
    Rules,
    bodies,
    moment,
)

ILLEGAL = re.compile("[^\u0009\u000a\u000d\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ENTITY = re.compile(r"&(amp|lt|gt|quot|nbsp|#\d+|#x[0-9a-f]+);", re.IGNORECASE)
UNSAFE = re.compile(r"<(script|iframe|object|embed|form)\b|\son[a-z]+\s*=|javascript:|position\s*:", re.IGNORECASE)
NOTICES = (
    ("[DITARIK] ", "Artikel ini ditarik oleh redaksi pada "),
    ("[WITHDRAWN] ", "This article was withdrawn by the newsroom on "),
)


def x01(doc: Document) -> Iterator[str]:
    for name in [entry.id for entry in doc.entries] + [ref for ref, _ in doc.tombstones]:
        if not name.startswith(("tag:", "urn:uuid:")):
            yield f"{name!r} is no tag: or urn:uuid: name"


def x03(doc: Document) -> Iterator[str]:
    rss, atom = ["//item/dcterms:modified"], ["//a:entry/a:updated"]
    changed = doc.choose(rss=rss, atom=atom, json_keys=["date_modified"])
    first = doc.choose(rss=["//item/pubDate"], atom=["//a:entry/a:published"], json_keys=["date_published"])
    if len(changed) != len(first):
        yield "an entry lacks one of its two dates"
    for a, b in zip(changed, first, strict=False):
        if (later := moment(a)) and (earlier := moment(b)) and later < earlier:
            yield f"updated {a} before it was published {b}"


def x04(doc: Document) -> Iterator[str]:
    top = doc.choose(rss=["/rss/channel/lastBuildDate"], atom=["/a:feed/a:updated"])
    changed = doc.choose(rss=["//item/dcterms:modified"], atom=["//a:entry/a:updated"])
    for text in changed + [when for _, when in doc.tombstones]:
        if top and (entry := moment(text)) and (feed := moment(top[0])) and feed < entry:
            yield f"the feed's date {top[0]} is older than {text} in it"


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
        opml=["//outline/@xmlUrl", "//outline/@htmlUrl", "//outline/@url"],
        json_keys=["url", "image"],
    )
    if doc.kind == "json":
        urls += [doc.data[key] for key in ("home_page_url", "feed_url") if key in doc.data]
    in_bodies = [hit for body in bodies(doc) for hit in re.findall(r'\b(?:src|href)="([^"]*)"', body)]
    for url in urls + [u for u in in_bodies if not u.startswith("mailto:")]:
        if not URI.fullmatch(url):
            yield f"{url!r} is no absolute http(s) URI"


def x09(doc: Document) -> Iterator[str]:
    for title in doc.choose(
        rss=["//title"], atom=["//a:title"], opml=["//title", "//outline/@text"], json_keys=["title"]
    ):
        if TAG.search(title) or ENTITY.search(title) or title != " ".join(title.split()):
            yield f"{title!r} is not plain text on one line"


def x10(doc: Document) -> Iterator[str]:
    for body in bodies(doc):
        if hit := UNSAFE.search(body):
            yield f"{hit[0]!r} in a body"


def x11(doc: Document) -> Iterator[str]:
    told = doc.texts("//pubDate | //lastBuildDate | //dateCreated | //dateModified")
    for text in told + doc.attributes("//outline/@created"):
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
    codes = doc.choose(
        rss=["//language", "//@xml:lang"], atom=["//@xml:lang"], opml=["//outline/@language"], json_keys=["language"]
    )
    if doc.kind == "json":
        codes += [doc.data[key] for key in ("language",) if key in doc.data]
    for code in codes:
        if not LANGUAGE.fullmatch(code):
            yield f"{code!r} is no language tag we may write"


def x14(doc: Document) -> Iterator[str]:
    """There is no embargo: sources clamp what claims to be from later. So nothing may say that it is."""
    dates = doc.choose(
        rss=["//pubDate", "//lastBuildDate", "//dcterms:modified"],
        atom=["//a:published", "//a:updated"],
        json_keys=["date_published", "date_modified"],
    )
    for text in dates + [when for _, when in doc.tombstones]:
        if doc.now and (at := moment(text)) and at > doc.now:
            yield f"{text} is still to come"


def x15(doc: Document) -> Iterator[str]:
    told = {ref for ref, _ in doc.tombstones}
    for entry in doc.entries:
        notice = next((words for mark, words in NOTICES if entry.title.startswith(mark)), None)
        if notice is None:
            continue
        told.add(entry.id)
        if entry.pictures or not re.fullmatch(rf"<p>{notice}[^<]*</p>", entry.body):
            yield f"{entry.title!r} still shows what it said"
    for name in sorted(doc.withdrawn - told):
        yield f"{name} was dropped without a word"


RULES: Rules = {
    "X-01": (ALL, x01),
    "X-03": (ALL, x03),
    "X-04": (XML, x04),
    "X-06": ((*ALL, *OPML), x06),
    "X-07": ((*ALL, *OPML), x07),
    "X-08": ((*ALL, *OPML), x08),
    "X-09": ((*ALL, *OPML), x09),
    "X-10": (ALL, x10),
    "X-11": ((*RSS, *OPML), x11),
    "X-12": (ALL, x12),
    "X-13": ((*ALL, *OPML), x13),
    "X-14": (ALL, x14),
    "X-15": (ALL, x15),
}
