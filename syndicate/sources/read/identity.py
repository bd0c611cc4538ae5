"""Where an article page says its story lives: its own address, its other names, WordPress's number, further pages."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from syndicate.sources.moves import same_site
from syndicate.sources.read.addresses import canonical, web_address

_POST_CLASS = re.compile(r"postid-(\d{1,18})")
_POST_ADDRESS = re.compile(r"/wp/v2/posts/(\d{1,18})/?$|[?&]rest_route=/wp/v2/posts/(\d{1,18})")
_SHORT = re.compile(r"[?&]p=(\d{1,18})(?:&|$)")
_LATER = re.compile(r"(?:/|[?&](?:page|halaman)=)(\d{1,2})/?$")
_PAGED_CLASS = re.compile(r"(?:single-)?paged-(\d{1,2})")
_MOST_PAGES = 50


@dataclass(frozen=True, kw_only=True)
class Identity:
    """`elsewhere`: the page calls itself a copy of a story on another site, and this is its address there."""

    link: str
    elsewhere: str
    wp_id: int | None
    aliases: tuple[str, ...]
    next_pages: tuple[str, ...]
    found: Mapping[str, str]  # who named which address, for people
    won: str  # whose word was taken


def read_identity(tree: LexborHTMLParser, url: str) -> Identity:
    """Nothing here is a guess: a canonical address counts only on the page's own site, and not for its front page."""
    named = _links(tree, "canonical", url)
    shown = [found for node in tree.css('meta[property="og:url"]') if (found := _address(node, "content", url))]
    candidates = [*(("canonical", one) for one in named), *(("og:url", one) for one in shown)]
    won, link = next(
        ((name, one) for name, one in candidates if same_site(one, url) and _is_as_deep(one, url)),
        ("address", canonical(url) or url),
    )
    link = _without_page(link, tree)
    number = _wp_id(tree)
    pages = _next_pages(tree, link, url)
    site = "/".join(link.split("/", 3)[:3])
    others = [*_links(tree, "shortlink", url), *_links(tree, "amphtml", url), *named, *shown, canonical(url)]
    others += [canonical(f"{site}/?p={number}")] if number else []
    return Identity(
        link=link,
        elsewhere=next((one for one in named if not same_site(one, url)), ""),
        wp_id=number,
        aliases=tuple(_own(others, link, pages)),
        next_pages=pages,
        found=dict(reversed(candidates)) | {"address": url},
        won=won,
    )


def _own(addresses: Iterable[str | None], link: str, pages: tuple[str, ...]) -> list[str]:
    apart = dict.fromkeys(one for one in addresses if one and same_site(one, link) and one != link)
    return [one for one in apart if _is_as_deep(one, link) and one not in pages]


def _is_as_deep(address: str, url: str) -> bool:
    """False for a front page named by a story: a common mistake that would melt all stories into one."""
    return not _is_front(address) or _is_front(url)


def _is_front(address: str) -> bool:
    parts = urlsplit(address)
    return parts.path in ("", "/") and not parts.query


def _links(tree: LexborHTMLParser, rel: str, url: str) -> list[str]:
    nodes = tree.css(f'link[rel~="{rel}"][href]')
    return list(dict.fromkeys(found for node in nodes if (found := _address(node, "href", url))))


def _address(node: LexborNode, attribute: str, url: str) -> str | None:
    found = web_address(node.attributes.get(attribute) or "", url)
    return canonical(found, home=url) if found else None


def _wp_id(tree: LexborHTMLParser) -> int | None:
    """From the body's class or the links in the head; `article` elements may bear the number of a template."""
    body = tree.body
    if body is not None:
        for name in (body.attributes.get("class") or "").split():
            if hit := _POST_CLASS.fullmatch(name):
                return int(hit[1]) or None
    for node in tree.css('link[rel="alternate"][type="application/json"][href]'):
        if hit := _POST_ADDRESS.search(node.attributes.get("href") or ""):
            return int(hit[1] or hit[2]) or None
    for node in tree.css('link[rel~="shortlink"][href]'):
        if hit := _SHORT.search(node.attributes.get("href") or ""):
            return int(hit[1]) or None
    return None


def _without_page(link: str, tree: LexborHTMLParser) -> str:
    """The first page's address on a later page that says it is one: "/berita/2/" → "/berita/"."""
    classes = (tree.body.attributes.get("class") or "").split() if tree.body is not None else []
    numbers = {hit[1] for name in classes if (hit := _PAGED_CLASS.fullmatch(name))}
    hit = _LATER.search(link)
    if hit is None or hit[1] not in numbers:
        return link
    return link[: hit.start()] + ("/" if link[hit.start()] == "/" and link.endswith("/") else "")


def _next_pages(tree: LexborHTMLParser, link: str, url: str) -> tuple[str, ...]:
    """Of a story cut into pages, the others' addresses in order."""
    found: dict[int, str] = {}
    for node in tree.css('a[href], link[rel="next"][href]'):
        hit = _LATER.search((node.attributes.get("href") or "").strip())
        address = _address(node, "href", url) if hit else None
        if hit and address and 2 <= int(hit[1]) <= _MOST_PAGES and _is_page_of(address, link):
            found.setdefault(int(hit[1]), address)
    here = canonical(url)
    return tuple(address for _, address in sorted(found.items()) if address != here)


def _is_page_of(address: str, link: str) -> bool:
    hit = _LATER.search(address)
    return hit is not None and address[: hit.start()].rstrip("/") == link.rstrip("/")
