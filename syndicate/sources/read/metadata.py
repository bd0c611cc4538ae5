"""What an article page says about its story outside the text, in layers: JSON-LD, microdata, meta elements, the rule.

Each field is taken from the first layer whose word on it can stand. Times come from machine fields only: the shown
date of a newspaper's page is the day it was fetched (gather.md §0.4).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from syndicate.domain.markup import one_line
from syndicate.sources.read.addresses import canonical, web_address
from syndicate.sources.read.dates import has_zone, read_date
from syndicate.sources.read.entry import RawPicture
from syndicate.sources.read.jsonld import Graph, Node
from syndicate.sources.read.layers import (
    SEPARATOR,
    SHOWN,
    Layer,
    document_title,
    first_of,
    from_json_ld,
    from_meta,
    from_microdata,
    from_rule,
    image_address,
    meta_elements,
    text_of,
    texts,
    title_of,
)
from syndicate.sources.read.microdata import find_article
from syndicate.sources.read.rules import PageRule

_LOGO = re.compile(
    r"(^|[-_./])(site-?icon|logo|favicon|placeholder|no-?image|default(-image)?|avatar)s?([-_.\d@]|$)", re.IGNORECASE
)
_SIZE = re.compile(r"-\d{2,4}x\d{2,4}(?=\.\w+$)|-scaled(?=\.\w+$)")
_CUT = ("…", "...")
_TELLING = ("headline", "datePublished", "author", "image")  # of several nodes of one story the fullest is read
_NAMING = ("url", "mainEntityOfPage", "@id")


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The best word on each field. `report`: field → {"found": {layer: text}, "won": layer}, for people."""

    title: str
    published: str
    updated: str
    authors: tuple[str, ...]
    sections: tuple[str, ...]
    tags: tuple[str, ...]
    language: str
    summary: str
    picture: RawPicture | None
    caption: str
    free: bool | None
    is_article: bool  # a layer says so
    report: Mapping[str, Any] = field(repr=False)


_ORDER = ("json-ld", "microdata", "meta", "rule", "page")
_ORDERS = {  # what readers see is surer than what was written for search engines
    "title": ("json-ld", "microdata", "rule", "page", "meta"),
    "caption": ("rule", "json-ld", "microdata", "meta"),
}
_FIELDS = (
    *("title", "published", "updated", "authors", "sections", "tags", "language", "summary", "picture", "caption"),
    "free",
)


def read_metadata(tree: LexborHTMLParser, *, url: str, rule: PageRule | None) -> Metadata:
    """All layers of one page, and the choice between them."""
    metas = meta_elements(tree)
    graph = Graph([script.text() for script in tree.css('script[type="application/ld+json"]')])
    site = _Site.of(graph, metas)
    heading = _heading(tree, first_of(metas, "og:title") or document_title(tree))
    article = _json_ld_article(graph, url=url, headings=(heading, site.without_name(first_of(metas, "og:title"))))
    data = find_article(tree)
    layers = [
        from_json_ld(graph, article, url) if article else Layer(name="json-ld"),
        from_microdata(data, url),
        from_meta(metas, tree, url),
        from_rule(tree, rule, url) if rule else Layer(name="rule"),
        Layer(name="page", title=heading),
    ]
    chosen, report = _choose(layers, site)
    chosen["picture"] = _described(chosen["picture"], [layer.picture for layer in layers])
    is_article = bool(article or data.values or first_of(metas, "og:type") == "article")
    return Metadata(**chosen, is_article=is_article, report=report)


@dataclass(frozen=True)
class _Site:
    """What is the newspaper's own and no story's."""

    names: frozenset[str]  # casefolded
    logos: frozenset[str]

    @classmethod
    def of(cls, graph: Graph, metas: Mapping[str, Sequence[str]]) -> "_Site":
        owners = [*graph.of_type("WebSite"), *graph.of_type("Organization"), *graph.of_type("NewsMediaOrganization")]
        publishers = [one for node in graph.articles() for one in graph.values(node.get("publisher"))]
        owners += [one for one in publishers if isinstance(one, dict)]
        names = [text for owner in owners for text in texts(owner.get("name"))]
        names += [*metas.get("og:site_name", ()), *metas.get("application-name", ())]
        logos = {image_address(one) for owner in owners for one in graph.values(owner.get("logo"))}
        return cls(frozenset(one_line(name).casefold() for name in names), frozenset(map(_stem, logos - {""})))

    def without_name(self, title: str) -> str:
        """A title without " - Malang Posco Media" at its end."""
        for hit in SEPARATOR.finditer(title):
            if title[hit.end() :].casefold() in self.names:
                return title[: hit.start()]
        return title

    def owns(self, picture: RawPicture) -> bool:
        """True for its logo, or what looks like one."""
        small = any(size.isdigit() and 0 < int(size) < 120 for size in (picture.width, picture.height))
        return small or _stem(picture.url) in self.logos or bool(_LOGO.search(picture.url.rpartition("/")[2]))


def _choose(layers: Sequence[Layer], site: _Site) -> tuple[dict[str, Any], dict[str, Any]]:
    by_name = {layer.name: layer for layer in layers}
    chosen, report = {}, {}
    for name in _FIELDS:
        found = {one: getattr(by_name[one], name) for one in _ORDERS.get(name, _ORDER)}
        if name == "title":
            found = {one: site.without_name(title) for one, title in found.items()}
        said = {one: value for one, value in found.items() if value not in ("", (), None)}
        won = _winner(name, said, site)
        chosen[name] = said[won] if won else getattr(Layer(name=""), name)
        if said:
            report[name] = {"found": {one: _short(value) for one, value in said.items()}, "won": won}
    return chosen, report


def _winner(name: str, said: Mapping[str, Any], site: _Site) -> str:
    """The first layer that can stand, else the first that is better than nothing."""
    for can_stand in _TESTS.get(name, (_anything,)):
        for layer, value in said.items():
            if can_stand(value, site):
                return layer
    return ""


def _described(picture: RawPicture | None, others: Sequence[RawPicture | None]) -> RawPicture | None:
    """Only the page itself says what a picture shows (`alt`), and it shows it in another size."""
    if picture is None:
        return None
    twins = [one for one in others if one and _stem(one.url) == _stem(picture.url)]
    return replace(picture, alt=next((one.alt for one in reversed(twins) if one.alt), ""))


def _anything(value: object, site: _Site) -> bool:
    return True


def _is_whole(title: str, site: _Site) -> bool:
    return not title.endswith(_CUT)


def _is_time(text: str, site: _Site) -> bool:
    return read_date(text, "UTC") is not None


def _is_instant(text: str, site: _Site) -> bool:
    return has_zone(text) and _is_time(text, site)


def _are_people(names: Sequence[str], site: _Site) -> bool:
    return any(name.casefold() not in site.names for name in names)


def _is_picture(picture: RawPicture, site: _Site) -> bool:
    return picture.mime_type == SHOWN or not site.owns(picture)


_TESTS: Mapping[str, Sequence[Callable[[Any, _Site], bool]]] = {
    "title": (_is_whole, _anything),
    "published": (_is_instant, _is_time),
    "updated": (_is_instant, _is_time),
    "authors": (_are_people, _anything),
    "picture": (_is_picture,),
}


def _json_ld_article(graph: Graph, *, url: str, headings: Sequence[str]) -> Node | None:
    """The page's own article: scripts may speak of other stories too, as lists and boxes below the text do."""
    own = [node for node in graph.articles() if _is_about(graph, node, url=url, headings=headings)]
    return max(own, key=lambda node: sum(name in node for name in _TELLING), default=None)


def _is_about(graph: Graph, node: Node, *, url: str, headings: Sequence[str]) -> bool:
    named = {_page(text) for key in _NAMING for text in _addresses(graph, node.get(key), url)}
    headline = title_of(node.get("headline")) or title_of(node.get("name"))
    known = [heading for heading in headings if heading]
    if headline and any(headline.rstrip(".… ") in heading or heading in headline for heading in known):
        return True
    return _page(url) in named or not (named or (headline and known))


def _addresses(graph: Graph, value: object, url: str) -> Iterator[str]:
    for one in graph.values(value):
        text = (one.get("url") or one.get("@id")) if isinstance(one, dict) else one
        found = web_address(text, url) if isinstance(text, str) and text else None
        if found and canonical(found):
            yield canonical(found) or ""


def _page(address: str) -> str:
    """A page's address as far as it tells pages apart."""
    return (canonical(address) or address).partition("://")[2].removeprefix("www.").rstrip("/")


def _heading(tree: LexborHTMLParser, title: str) -> str:
    """The story's h1: some themes put their own name into another one."""
    lines = [line for node in tree.css("h1") if (line := text_of(node))]
    return next((line for line in lines if line.casefold() in title.casefold()), lines[0] if len(lines) == 1 else "")


def _stem(address: str) -> str:
    """A picture's address without its size, for one picture has many."""
    return _SIZE.sub("", address.partition("?")[0])


def _short(value: object) -> str:
    text = value.url if isinstance(value, RawPicture) else ", ".join(value) if isinstance(value, tuple) else str(value)
    return text[:200]
