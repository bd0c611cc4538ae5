"""Sitemaps: which pages a site has, and when they changed. For discovery only. Runs inside the jail."""

import re
import zlib
from typing import Any

from lxml import etree

from syndicate.domain.markup import one_line, plain_title
from syndicate.sources.read.addresses import canonical, web_address

MOST_URLS = 5000
_UNPACKED = 8 * 1024 * 1024  # bytes; as for feeds (architecture.md §8 "caps")
_GZIP = b"\x1f\x8b"
_DOCTYPE = re.compile(rb"<!DOCTYPE", re.IGNORECASE)  # no sitemap has one; entities come in through it


def read_sitemap(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    """`{"refused"}`, or `{"maps"}` of an index and `{"pages"}` of a sitemap at `url`.

    Both are lists of `{"url", "changed"}`, in the document's order; pages of a news sitemap have `published` and
    `title` too. Times are as written.
    """
    raw = _unpacked(payload)
    if raw is None or not raw.strip():
        return {"refused": "it is empty or too big"}, b""
    if _DOCTYPE.search(raw[:4096]):
        return {"refused": "it has a DOCTYPE, which no sitemap has"}, b""
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, recover=True)
        root = etree.fromstring(raw, parser=parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    name = etree.QName(root).localname if root is not None else ""
    if root is None or name not in ("urlset", "sitemapindex"):
        return {"refused": "it is no sitemap; perhaps a login or maintenance page"}, b""
    entries = [entry for one in list(root)[:MOST_URLS] if (entry := _entry(one, options["url"]))]
    return {"maps": entries, "pages": []} if name == "sitemapindex" else {"maps": [], "pages": entries}, b""


def _unpacked(payload: bytes) -> bytes | None:
    """A `.xml.gz` is a file, not a transfer encoding. At most 8 MiB come out of it."""
    if not payload.startswith(_GZIP):
        return payload
    inflate = zlib.decompressobj(wbits=31)
    try:
        raw = inflate.decompress(payload, _UNPACKED)
    except zlib.error:
        return None
    return None if inflate.unconsumed_tail else raw


def _entry(element: etree._Element, base: str) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for node in element.iter():
        name = etree.QName(node).localname if isinstance(node.tag, str) else ""
        parent = node.getparent()
        inside = etree.QName(parent).localname if parent is not None and isinstance(parent.tag, str) else ""
        if name in ("loc", "lastmod", "publication_date", "title") and inside != "image":
            found.setdefault(name, (node.text or "").strip()[:2000])
    address = web_address(found["loc"], base) if found.get("loc") else None
    if address is None:
        return None
    return {
        "url": canonical(address) or address,
        "changed": one_line(found.get("lastmod", "")),
        "published": one_line(found.get("publication_date", "")),
        "title": plain_title(found.get("title", "")),
    }
