"""The rules of sitemaps, each a checker: S (sitemaps.org 0.9, formats.md §1.7), N (the Google News sitemap, §1.8).

`broken_sitemap` runs all of them on a document. test_sitemaps.py shows for each that it rejects what breaks it.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from lxml import etree

from tests.formats.rules.document import RFC3339, URI, Document, Rule, moment

NS = {
    "s": "http://www.sitemaps.org/schemas/sitemap/0.9",
    "news": "http://www.google.com/schemas/sitemap-news/0.9",
}
ORDER = ["loc", "lastmod", "changefreq", "priority"]
MOST_BYTES = 52_428_800
MARKUP = re.compile(r"</?(a|b|br|em|i|p|span|strong)\b|&(amp|lt|gt|quot|#\d+);")
NEWS_ORDER = ["publication", "publication_date", "title"]  # the others are no longer read


def nodes(doc: Document, path: str) -> list[etree._Element]:
    return cast(list[etree._Element], doc.root.xpath(path, namespaces=NS))


def texts(doc: Document, path: str) -> list[str]:
    return [node.text or "" for node in nodes(doc, path)]


def s01(doc: Document) -> Iterator[str]:
    """Well-formed, in the protocol's own namespace."""
    try:
        etree.fromstring(doc.raw, etree.XMLParser(resolve_entities=False, load_dtd=False))
    except etree.XMLSyntaxError as trouble:
        yield f"not well-formed: {trouble}"
    if doc.root.tag not in (f"{{{NS['s']}}}urlset", f"{{{NS['s']}}}sitemapindex"):
        yield f"{doc.root.tag!r} is neither a urlset nor an index"
    if not doc.raw.startswith(b"<?xml version='1.0' encoding='UTF-8'?>"):
        yield "no XML declaration with its encoding"


def s02(doc: Document) -> Iterator[str]:
    if len(doc.root) > 50_000 or len(doc.raw) > MOST_BYTES:
        yield "more than a file may hold"


def s03(doc: Document) -> Iterator[str]:
    for place in nodes(doc, "/*/*"):
        tags = [etree.QName(child) for child in place]
        ours = [tag.localname for tag in tags if tag.namespace == NS["s"]]
        if ours != [name for name in ORDER if name in ours] or ours[:1] != ["loc"]:
            yield f"{ours} is not the order of the protocol"
        if [tag.namespace == NS["s"] for tag in tags] != [True] * len(ours) + [False] * (len(tags) - len(ours)):
            yield "a foreign element before one of the protocol's"


def s04(doc: Document) -> Iterator[str]:
    for url in texts(doc, "/*/*/s:loc"):
        if not 12 <= len(url) <= 2048 or not URI.fullmatch(url):
            yield f"{url!r} is no address that a sitemap may hold"


def s05(doc: Document) -> Iterator[str]:
    """Others' pages may only stand in a news sitemap, whose hosts name it in their robots.txt."""
    host = urlsplit(doc.url).netloc
    for url in [] if nodes(doc, "//news:news") else texts(doc, "/*/*/s:loc"):
        if urlsplit(url).netloc != host:
            yield f"{url!r} is not of {host}"


def s06(doc: Document) -> Iterator[str]:
    urls = texts(doc, "/*/*/s:loc")
    if len(set(urls)) != len(urls):
        yield "an address twice"


def s07(doc: Document) -> Iterator[str]:
    for text in texts(doc, "//s:lastmod"):
        at = moment(text) if RFC3339.fullmatch(text) else None
        if at is None or (doc.now is not None and at > doc.now):
            yield f"{text!r} is no date of a change that has been"


def n01(doc: Document) -> Iterator[str]:
    for text in texts(doc, "//news:publication_date"):
        at = moment(text)
        if at is not None and doc.now is not None and not timedelta(0) <= doc.now - at <= timedelta(days=2):
            yield f"{text} is not of the last two days"


def n02(doc: Document) -> Iterator[str]:
    if len(nodes(doc, "//news:news")) > 1000:
        yield "more than 1,000 stories"
    for place in nodes(doc, "/s:urlset/s:url[news:news]"):
        if len(place.findall("news:news", NS)) > 1:
            yield "two stories at one address"


def n03(doc: Document) -> Iterator[str]:
    for news in nodes(doc, "//news:news"):
        if [etree.QName(child).localname for child in news] != NEWS_ORDER:
            yield "not publication, publication_date, title in this order"
        publication = news.find("news:publication", NS)
        if publication is None or [etree.QName(child).localname for child in publication] != ["name", "language"]:
            yield "a publication has a name and a language, in this order"


def n04(doc: Document) -> Iterator[str]:
    for name in texts(doc, "//news:name"):
        if not name.strip() or name.endswith(")"):
            yield f"{name!r} is not a name as news.google.com shows it"
    for code in texts(doc, "//news:language"):
        if not re.fullmatch("zh-cn|zh-tw|[a-z]{2,3}", code):
            yield f"{code!r} is no language here"


def n05(doc: Document) -> Iterator[str]:
    for text in texts(doc, "//news:publication_date"):
        if not RFC3339.fullmatch(text) and not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            yield f"{text!r} is no date"


def n06(doc: Document) -> Iterator[str]:
    names = texts(doc, "//news:name")
    for title in texts(doc, "//news:title"):
        if not title.strip() or title != " ".join(title.split()) or MARKUP.search(title):
            yield f"{title!r} is not a title as its page has it"
        if any(title.endswith(f"{mark} {name}") for name in names for mark in ("-", "–", "|", "·")):
            yield f"{title!r} ends with the paper's name"


def n07(doc: Document) -> Iterator[str]:
    """One address for ever: nothing in it tells a day or a part."""
    if nodes(doc, "//news:news") and re.search(r"\d", urlsplit(doc.url).path):
        yield f"{doc.url} is not where the next news will be"


RULES: Mapping[str, Rule] = {
    **{"S-01": s01, "S-02": s02, "S-03": s03, "S-04": s04, "S-05": s05, "S-06": s06, "S-07": s07},
    **{"N-01": n01, "N-02": n02, "N-03": n03, "N-04": n04, "N-05": n05, "N-06": n06, "N-07": n07},
}


def broken_sitemap(raw: bytes, *, url: str, now: datetime | None = None) -> dict[str, list[str]]:
    """What is wrong with a sitemap, an index or a news sitemap that was fetched at `now`, by rule."""
    doc = Document(kind="sitemap", raw=raw, url=url, now=now.astimezone(UTC) if now else None)
    found = {name: list(rule(doc)) for name, rule in RULES.items()}
    return {name: problems for name, problems in found.items() if problems}


def invalid(shared: Path, raw: bytes) -> list[str]:
    """What the schemas say against a sitemap. An empty one is let pass: Google takes it, its schema doesn't."""
    root = etree.fromstring(raw)
    if not len(root):
        return []
    schema = etree.XMLSchema(etree.parse(shared / "schemas" / "all-news.xsd"))
    return [] if schema.validate(root) else [str(error) for error in schema.error_log]
