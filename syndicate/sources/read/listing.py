"""Which links of a front page or section lead to stories. Runs inside the jail."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser

from syndicate.sources.moves import same_site
from syndicate.sources.read.addresses import canonical, web_address

MOST_LINKS = 200
_HEADINGS = "h1 a[href], h2 a[href], h3 a[href], h4 a[href], article a[href], .entry-title a[href]"
_NO_STORY = re.compile(
    r"/(category|kategori|tag|topik|author|penulis|page|search|feed|wp-content|wp-admin|wp-login\.php|wp-json|comments?"
    r"|login|register|cart|indeks|rubrik|halaman)(/|$)|\.(jpe?g|png|gif|webp|svg|pdf|mp[34]|zip|xml)$",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"/(about|contact|privacy|terms|disclaimer|tentang|kontak|redaksi|pedoman|kebijakan|iklan|karir|sitemap)[\w-]*/?$",
    re.IGNORECASE,
)
_SLUG = re.compile(r"[a-z0-9%]+(?:[-_][a-z0-9%]+){2,}|\d{4,}", re.IGNORECASE)


def story_links(tree: LexborHTMLParser, *, url: str, selectors: Sequence[str]) -> list[str]:
    """Addresses on the same site, each once, in order of appearance.

    What a rule's selectors match is believed; without a match, links in headings and teasers whose address looks
    like a story's: three words or a number.
    """
    for selector in selectors:
        if nodes := tree.css(selector):
            return _own([node.attributes.get("href") for node in nodes], url)
    hrefs = [node.attributes.get("href") for node in tree.css(_HEADINGS)]
    return [address for address in _own(hrefs, url, most=None) if _looks_like_story(address)][:MOST_LINKS]


def _own(hrefs: Sequence[str | None], url: str, *, most: int | None = MOST_LINKS) -> list[str]:
    absolute = (web_address(href, url) for href in hrefs if href)
    found = (canonical(address, home=url) for address in absolute if address and same_site(address, url))
    return list(dict.fromkeys(address for address in found if address and address != canonical(url)))[:most]


def _looks_like_story(address: str) -> bool:
    parts = urlsplit(address)
    if _NO_STORY.search(parts.path) or _ABOUT.search(parts.path):
        return False
    return bool(_SLUG.search(parts.path) or re.search(r"(^|&)p=\d+", parts.query))
