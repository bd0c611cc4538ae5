"""The layers of an article page, each read alone: JSON-LD, microdata, meta elements, the site's rule.

Nothing is decided here. Texts become lines, times and addresses stay as written.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from selectolax.lexbor import LexborHTMLParser, LexborNode

from syndicate.domain.markup import one_line, plain_title
from syndicate.sources.read.addresses import web_address
from syndicate.sources.read.embeds import LAZY
from syndicate.sources.read.entry import RawPicture
from syndicate.sources.read.jsonld import Graph, Node
from syndicate.sources.read.microdata import ArticleData
from syndicate.sources.read.rules import PageRule

LONGEST = 1000  # characters of a title, name or address
_MOST_NAMES = 50
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_BYLINE = re.compile(r"^(by|oleh|penulis|ditulis oleh|written by|reporter)\b\s*:?\s*", re.IGNORECASE)
_ADDRESS = re.compile(r"://|^www\.|@\S+\.|^/")
_NO_SECTION = frozenset({"uncategorized", "uncategorised", "tak berkategori", "tidak berkategori"})
_WRITTEN_BY = re.compile(r"(ditulis oleh|written by|penulis|oleh)", re.IGNORECASE)
_META_PICTURES = ("og:image:secure_url", "og:image", "twitter:image")
_BACKGROUND = re.compile(r"url\(\s*['\"]?([^'\")]+)")
_NOBODY = re.compile(
    r"(wp[-_ ]?|super ?)?admin(istrator)?\d*|webmaster|author|editor\d+|root|user\d*|unknown|anonymous"
    r"|\[?no[- _]?author\]?",
    re.IGNORECASE,
)
SEPARATOR = re.compile(r"\s+[-–—|»·•]\s+")
SHOWN = "shown"  # stands for the type of a picture that the page shows above its story: no logo stands there


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What one layer says; "", () and None where it is silent. Texts are lines, times and addresses as written."""

    name: str
    title: str = ""
    published: str = ""
    updated: str = ""
    authors: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    language: str = ""
    summary: str = ""
    picture: RawPicture | None = None
    caption: str = ""
    free: bool | None = None  # whether everybody may read the story


def from_json_ld(graph: Graph, node: Node, url: str) -> Layer:
    """Of one article of the page's scripts."""
    image = _json_ld_picture(graph, node, url)
    sections = [part for text in texts(node.get("articleSection")) for part in text.split(",")]
    tags = [part for text in texts(node.get("keywords")) for part in text.split(",")]
    free = str(node.get("isAccessibleForFree", "")).rpartition("/")[2].casefold()
    return Layer(
        name="json-ld",
        title=title_of(node.get("headline")) or title_of(node.get("name")),
        published=_line(node.get("datePublished")),
        updated=_line(node.get("dateModified")),
        authors=_authors(text for one in graph.values(node.get("author")) for text in _names_of(one)),
        sections=_sections(sections),
        tags=_names(tags),
        language=_language(next(iter(texts(node.get("inLanguage"))), "")),
        summary=title_of(node.get("description")),
        picture=image,
        caption=image.caption if image else "",
        free={"false": False, "true": True}.get(free),
    )


def _names_of(author: object) -> list[str]:
    return texts(author.get("name")) if isinstance(author, dict) else texts(author)


def _json_ld_picture(graph: Graph, node: Node, url: str) -> RawPicture | None:
    """The widest of what may be several crops of one picture."""
    images = [*graph.values(node.get("image")), *graph.values(node.get("thumbnailUrl"))]
    found = [picture for picture in (_pictured(one, url) for one in images) if picture]
    return max(found, key=lambda picture: int(picture.width or 0), default=None)


def _pictured(image: object, url: str) -> RawPicture | None:
    address = web_address(image_address(image), url) if image_address(image) else None
    if address is None:
        return None
    if not isinstance(image, dict):
        return RawPicture(url=address)
    return RawPicture(
        url=address,
        width=_size(image.get("width")),
        height=_size(image.get("height")),
        caption=title_of(image.get("caption")),
    )


def image_address(image: object) -> str:
    """Of an ImageObject or a bare address, "" for none."""
    if isinstance(image, dict):
        return next((text for key in ("contentUrl", "url") for text in texts(image.get(key))), "")
    return image.strip() if isinstance(image, str) else ""


def _size(value: object) -> str:
    """ "1200", "1200px", 1200 or {"value": 1200}."""
    text = str(value.get("value", "")) if isinstance(value, dict) else str(value or "")
    digits = re.match(r"\d{1,5}", text.strip())
    return digits[0] if digits else ""


def from_microdata(data: ArticleData, url: str) -> Layer:
    """Of the article that holds the page's heading."""
    image = web_address(data.first("image"), url) if data.first("image") else None
    return Layer(
        name="microdata",
        title=plain_title(data.first("headline"))[:LONGEST],
        published=data.first("datePublished"),
        updated=data.first("dateModified"),
        authors=_authors(data.values.get("author", ())),
        sections=_sections(data.values.get("articleSection", ())),
        tags=_names(part for text in data.values.get("keywords", ()) for part in text.split(",")),
        language=_language(data.first("inLanguage")),
        summary=one_line(data.first("description"))[:LONGEST],
        picture=RawPicture(url=image) if image else None,
    )


def from_meta(metas: Mapping[str, Sequence[str]], tree: LexborHTMLParser, url: str) -> Layer:
    """OpenGraph, `article:*` and what came before them; the language is the document's own."""

    def first(*names: str) -> str:
        return next((value for name in names if (value := first_of(metas, name))), "")

    signed = first("twitter:data1") if _WRITTEN_BY.match(first("twitter:label1")) else ""
    html = tree.css_first("html")
    return Layer(
        name="meta",
        title=plain_title(first("og:title", "twitter:title") or _bare_title(document_title(tree)))[:LONGEST],
        published=first("article:published_time", "og:published_time", "datepublished"),
        updated=first("article:modified_time", "og:updated_time", "datemodified"),
        authors=_authors([*metas.get("article:author", ()), *metas.get("author", ())]) or _authors([signed]),
        sections=_sections(metas.get("article:section", ())),
        tags=_names(metas.get("article:tag", ())),
        language=_language((html.attributes.get("lang") if html else "") or first("og:locale")),
        summary=plain_title(first("og:description", "description", "twitter:description"))[:LONGEST],
        picture=_meta_picture(metas, url),
    )


def _meta_picture(metas: Mapping[str, Sequence[str]], url: str) -> RawPicture | None:
    named = next((found for name in _META_PICTURES if (found := first_of(metas, name))), "")
    address = web_address(named, url) if named else None
    if address is None:
        return None
    sizes = {name: _size(first_of(metas, f"og:image:{name}")) for name in ("width", "height")}
    alt = first_of(metas, "og:image:alt")[:LONGEST]
    return RawPicture(url=address, mime_type=first_of(metas, "og:image:type"), alt=alt, **sizes)


def from_rule(tree: LexborHTMLParser, rule: PageRule, url: str) -> Layer:
    """What stands on the page where the rule says; times from attributes only."""
    return Layer(
        name="rule",
        title=_text_at(tree, rule.title),
        published=_time_at(tree, rule.date),
        updated=_time_at(tree, rule.updated),
        authors=_authors(_texts_at(tree, rule.author)),
        sections=_sections(_texts_at(tree, rule.sections)),
        tags=_names(text.lstrip("# ") for text in _texts_at(tree, rule.tags)),
        picture=_picture_at(tree, rule.picture, url),
        caption=_text_at(tree, rule.caption),
    )


def text_of(node: LexborNode) -> str:
    """Its text on one line, with a space where the page breaks the line."""
    return plain_title(node.html or "")[:LONGEST]


def _matches(tree: LexborHTMLParser, selectors: Sequence[str]) -> list[LexborNode]:
    """Those of the first selector that matches anything."""
    return next((found for selector in selectors if (found := tree.css(selector))), [])


def _texts_at(tree: LexborHTMLParser, selectors: Sequence[str]) -> list[str]:
    return [text for node in _matches(tree, selectors)[:_MOST_NAMES] if (text := text_of(node))]


def _text_at(tree: LexborHTMLParser, selectors: Sequence[str]) -> str:
    return next((text for selector in selectors for text in _texts_at(tree, [selector])), "")


def _time_at(tree: LexborHTMLParser, selectors: Sequence[str]) -> str:
    values = (
        node.attributes.get("datetime") or node.attributes.get("content") or ""
        for selector in selectors
        for node in tree.css(selector)
    )
    return next((one_line(value)[:100] for value in values if value), "")


def _picture_at(tree: LexborHTMLParser, selectors: Sequence[str], url: str) -> RawPicture | None:
    """The picture above the story, lazy or the background of its frame."""
    for node in (one for selector in selectors for one in tree.css(selector)):
        image = node if node.tag == "img" else node.css_first("img")
        attributes = (image or node).attributes
        background = _BACKGROUND.search(node.attributes.get("style") or "")
        candidates = [*(attributes.get(name) for name in (*LAZY, "src")), background[1] if background else None]
        found = next((value for value in candidates if value and not value.startswith("data:")), None)
        address = web_address(found, url) if found else None
        if address:
            sizes = {name: _size(attributes.get(name)) for name in ("width", "height")}
            return RawPicture(url=address, alt=one_line(attributes.get("alt") or ""), mime_type=SHOWN, **sizes)
    return None


def meta_elements(tree: LexborHTMLParser) -> Mapping[str, list[str]]:
    """Contents by property or name in lower case, in the page's order."""
    found: dict[str, list[str]] = {}
    for node in tree.css("meta[content]"):
        attributes = node.attributes
        name, content = attributes.get("property") or attributes.get("name"), one_line(attributes.get("content") or "")
        if name and content:
            found.setdefault(name.strip().lower(), []).append(content[: 2 * LONGEST])
    return found


def first_of(metas: Mapping[str, Sequence[str]], name: str) -> str:
    """The first content of that name, or ""."""
    return next(iter(metas.get(name, ())), "")


def document_title(tree: LexborHTMLParser) -> str:
    """The title element, with all that the theme adds to the story's own."""
    node = tree.css_first("head title")
    return one_line(node.text()) if node else ""


def _bare_title(text: str) -> str:
    """The title element without its last part, which is mostly the site's name."""
    parts = list(SEPARATOR.finditer(text))
    return text[: parts[-1].start()] if parts else text


def _authors(found: Iterable[str]) -> tuple[str, ...]:
    """Names of people and desks; an address or an account's name ("admin") is nobody's."""
    named = (_BYLINE.sub("", name) for name in _names(found))
    return tuple(name for name in named if name and not _ADDRESS.search(name) and not _NOBODY.fullmatch(name))


def _sections(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in _names(found) if name.casefold() not in _NO_SECTION)


def _names(found: Iterable[str]) -> tuple[str, ...]:
    lines = (plain_title(text)[:LONGEST] for text in islice(found, _MOST_NAMES))
    return tuple(dict.fromkeys(line for line in lines if line))


def _language(text: str) -> str:
    tag = text.strip().replace("_", "-")
    return tag if _LANGUAGE.fullmatch(tag) else ""


def texts(value: object) -> list[str]:
    """The texts among JSON values; a language may be `{"name": "Indonesian", "alternateName": "id"}`."""
    listed = value if isinstance(value, list) else [value]
    named = (one.get("alternateName") or one.get("name") if isinstance(one, dict) else one for one in listed)
    return [text for text in named if isinstance(text, str) and text.strip()]


def title_of(value: object) -> str:
    """The first text among JSON values without tags and entities."""
    return next((plain_title(text)[:LONGEST] for text in texts(value)), "")


def _line(value: object) -> str:
    return next((one_line(text)[:100] for text in texts(value)), "")
