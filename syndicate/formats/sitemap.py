"""Sitemaps and the index of several (sitemaps.org 0.9): which pages there are, for search engines."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from syndicate.formats.dates import rfc3339

SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
MEDIA_TYPE = "application/xml; charset=utf-8"
MOST_URLS = 50_000  # of a sitemap, and sitemaps of an index
_LENGTHS = range(12, 2049)  # characters of an address, by the protocol's XSD


@dataclass(frozen=True, kw_only=True)
class Page:
    """An address, in an index that of another sitemap. `changed` is when what is there last did, None if unknown."""

    url: str
    changed: datetime | None = None


def sitemap(pages: Iterable[Page]) -> bytes:
    """A sitemap of `MOST_URLS` pages at most, all of the host that the sitemap is on."""
    return _document("urlset", "url", pages)


def sitemap_index(sitemaps: Iterable[Page]) -> bytes:
    """Names the sitemaps."""
    return _document("sitemapindex", "sitemap", sitemaps)


def listable(url: str) -> str:
    """`url`, or ValueError when no sitemap can hold it."""
    if len(url) not in _LENGTHS:
        raise ValueError(f"{url!r} has {len(url)} characters; a sitemap takes 12 to 2,048")
    return url


def add_place(parent: etree._Element, name: str, url: str) -> etree._Element:
    """A new child that says where a page is."""
    place = etree.SubElement(parent, f"{{{SITEMAP}}}{name}")
    etree.SubElement(place, f"{{{SITEMAP}}}loc").text = url
    return place


def _document(root_name: str, name: str, pages: Iterable[Page]) -> bytes:
    root = etree.Element(f"{{{SITEMAP}}}{root_name}", nsmap={None: SITEMAP})
    for page in pages:
        place = add_place(root, name, page.url)
        if page.changed is not None:
            etree.SubElement(place, f"{{{SITEMAP}}}lastmod").text = rfc3339(page.changed)
    document: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document
