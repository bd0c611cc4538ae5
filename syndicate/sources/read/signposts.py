"""What a site says about its own channels: its REST root, its feeds, its kind. Runs inside the jail."""

import re
from typing import Any

from lxml.html import HTMLParser, document_fromstring

from syndicate.domain.markup import one_line
from syndicate.sources.read.addresses import web_address

_REST = "https://api.w.org/"
_FEEDS = ("application/rss+xml", "application/atom+xml", "application/feed+json", "application/json")
_HEAD = 512 * 1024  # bytes; signposts stand at the top
_LINK = re.compile(r"<([^<>]{1,2000})>((?:\s*;\s*[\w-]+=(?:\"[^\"]*\"|[^\s,;]+))*)")
_REL = re.compile(r"rel=\"?([^\";]+)")
_COMMENTS = re.compile(r"/comments/feed|komentar|comments?\s+(feed|on)", re.IGNORECASE)


def read_signposts(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    """`{"rest", "feeds", "generator", "title"}` of a page at `url` with the Link headers `links`.

    `feeds` has `url` and `title`, those of comments left out: WordPress names them right beside the true one.
    """
    url = options["url"]
    root = document_fromstring(payload[:_HEAD] or b"<html/>", parser=HTMLParser(encoding="utf-8", huge_tree=False))
    rest = _from_headers(options["links"], url)
    feeds = []
    for link in root.iter("link"):
        rel, address = link.get("rel", "").lower().split(), web_address(link.get("href", ""), url)
        if address is None:
            continue
        if _REST in rel:
            rest = rest or address
        title = one_line(link.get("title", ""))[:200]
        if "alternate" in rel and link.get("type", "").lower() in _FEEDS and not _COMMENTS.search(f"{address} {title}"):
            feeds.append({"url": address, "title": title, "type": link.get("type", "").lower()})
    generators = [
        one_line(meta.get("content", ""))[:200] for meta in root.iter("meta") if meta.get("name") == "generator"
    ]
    title = next((one_line(one.text_content())[:200] for one in root.iter("title")), "")
    feeds = [feed for feed in feeds if "/wp-json/" not in feed["url"]]  # the page's own record, no feed
    return {"rest": rest, "feeds": feeds[:20], "generator": generators[:1], "title": title}, b""


def _from_headers(links: list[str], url: str) -> str:
    for header in links:
        for hit in _LINK.finditer(header[:8000]):
            rel = _REL.search(hit[2])
            if rel and _REST in rel[1].split():
                return web_address(hit[1], url) or ""
    return ""
