"""What other sites show inside a story (videos, posts) becomes a link to it: frames and scripts don't travel."""

import re

from lxml import etree
from lxml.html import HtmlElement

from syndicate.sources.read.addresses import web_address

_AD_FRAMES = re.compile(r"//[^/]*(doubleclick|googlesyndication|googletagmanager|adservice|taboola|mgid)\.")
_YOUTUBE = re.compile(r"//(?:www\.)?youtube(?:-nocookie)?\.com/embed/([\w-]{5,20})")
_QUOTED = frozenset({"instagram-media", "twitter-tweet", "twitter-video", "tiktok-embed"})
LAZY = ("data-src", "data-lazy-src", "data-original", "data-orig-file", "data-img-url")


def link_embeds(root: HtmlElement, base: str) -> None:
    """Videos and posts of social networks as paragraphs with their address; advertisements and hidden frames stay."""
    for frame in list(root.iter("iframe", "video", "audio")):
        address = _embedded(frame, base)
        if address is not None and frame.getparent() is not None:
            _put_link(frame, address)
    for quote in list(root.iter("blockquote", "div")):
        found = _quoted(quote)
        address = web_address(found, base) if found else None
        if address is not None and quote.getparent() is not None:
            _put_link(quote, address)


def _quoted(quote: HtmlElement) -> str:
    """Where a post of a social network stands that a script would show in place of these lines."""
    names = quote.get("class", "").split()
    if "fb-post" in names or "fb-video" in names:
        return quote.get("data-href", "")
    links = [link.get("href", "") for link in quote.iter("a")] if _QUOTED.intersection(names) else []
    found = quote.get("data-instgrm-permalink") or (quote.get("cite") if links else "") or (links[-1] if links else "")
    return found.split("?", 1)[0] if found else ""


def _embedded(frame: HtmlElement, base: str) -> str | None:
    """Where the embedded thing can be seen, or None for advertisements and invisible frames."""
    child = frame.find("source")
    candidates = [frame.get(name) for name in (*LAZY, "src")] + [child.get("src") if child is not None else None]
    found = next((value for value in candidates if value and not value.startswith(("data:", "about:"))), None)
    address = web_address(found, base) if found else None
    if address is None or _AD_FRAMES.search(address) or {frame.get("width"), frame.get("height")} <= {"0", "1"}:
        return None
    hit = _YOUTUBE.search(address)
    return f"https://www.youtube.com/watch?v={hit[1]}" if hit else address


def _put_link(element: HtmlElement, address: str) -> None:
    """A paragraph with the bare address takes the element's place."""
    paragraph = element.makeelement("p")
    link = etree.SubElement(paragraph, "a", href=address)
    link.text = address
    element.addprevious(paragraph)
    element.drop_tree()
