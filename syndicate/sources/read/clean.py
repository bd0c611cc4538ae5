"""Makes other people's HTML fit to be carried by us. Runs inside the jail.

The order matters (gather.md §1.10): lazy pictures are found before `noscript` is dropped, embeds become links before
their frames go, and the sanitiser (nh3) comes last but for illegal characters, so that nothing we did can undo it.
"""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import nh3
from lxml.html import HtmlElement, HTMLParser, document_fromstring, tostring
from markdown_it import MarkdownIt

from syndicate.domain.markup import legal, one_line
from syndicate.sources.read.addresses import absolute, same_host, web_address, without_tracking
from syndicate.sources.read.embeds import LAZY, link_embeds
from syndicate.sources.read.words import summarize, without_illegal

LARGEST_BODY = 256 * 1024  # characters of one story (reliability.md T08)
_ALLOWED = (
    "p br h2 h3 h4 ul ol li blockquote a strong b em i sub sup hr figure figcaption img table thead tbody tr th td"
    " code pre"
)
TAGS = frozenset(_ALLOWED.split())
ATTRIBUTES: dict[str, set[str]] = {
    "*": set(),  # the sanitiser would add lang and title by itself
    "a": {"href", "title"},
    "img": {"src", "alt", "width", "height"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_NEVER = (
    "script style form template noscript object embed applet svg math canvas iframe video audio button input select"
    " textarea link meta base title xmp plaintext frameset"
)
_SILENT = frozenset(_NEVER.split())
_EMPTY = frozenset(["link", "meta", "base", "embed", "input"])  # elements that hold no text to be silent about
_CONTAINERS = frozenset(["div", "section", "article", "main", "header", "footer", "aside", "center", "body"])
_TEXT_BLOCKS = "p h1 h2 h3 h4 h5 h6 ul ol li blockquote figure figcaption table tr hr pre dl"
_BLOCKS = frozenset(_TEXT_BLOCKS.split()) | _CONTAINERS
_TAG_NAME = re.compile(r"[a-z][a-z0-9-]*")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_RENAMED = {"h1": "h2", "h5": "h4", "h6": "h4"}
_BOXES = re.compile(
    r"(^|\s)(adsbygoogle|td-a-(ad|rec)\S*|td-adspot\S*|td_block_related\S*|td-gallery-slide-top|sharedaddy"
    r"|jp-relatedposts|addtoany\S*|code-block|wp-block-related\S*|post-views|heateor\S*|yarpp\S*|crp_related|rp4wp\S*"
    r"|gmr-(related|banner)\S*|ez-toc-container|lwptoc|toc_container|yoast-table-of-contents|wp-block-rank-math-toc-block"
    r"|kk-star-ratings|saboxplugin\S*|a2a_kit|mc4wp-form)(\s|$)"
)
_SET_ENTRY = re.compile(r"(\S+)(?:\s+(\d{1,6}(?:\.\d{1,3})?)[wx])?\s*(?:,|$)")
_PLACEHOLDER = re.compile(r"^data:|(blank|placeholder|spacer|lazy|loading)[\w-]*\.(gif|png|svg|jpe?g)", re.IGNORECASE)
_AD_LABEL = re.compile(r"[\W_]*(advertisements?|iklan|sponsor(ed)?|scroll (to|untuk) .{0,40})[\W_]*", re.IGNORECASE)
_RELATED = re.compile(
    r"\W*((baca|simak|lihat|tonton) (juga|pula|video)|(read|see) also)\b\s*(?P<colon>:?)", re.IGNORECASE
)
_INVITING = re.compile(r"\W*(ikuti|dapatkan|cek|simak|baca|(ber)?gabung|follow|join|get)\b", re.IGNORECASE)
_OWN_CHANNEL = re.compile(
    r"https?://(news\.google\.com|(www\.)?whatsapp\.com/channel|t\.me)/(?![^/]+/\d)"
)  # no single post
_KEPT_SHARE = 0.9  # of the text's letters; pointers, advertisements and frames don't count (gather.md §1.10)
_LONGEST_INVITATION = 160  # characters
_LONGEST_RELATED = 300  # characters; a longer paragraph is the newsroom's prose
_SHORTCODE = re.compile(
    r"\[/?(?:caption|gallery|embed|playlist|audio|(?:vc|td|tdb|tdc|et_pb|fusion|su)_[\w-]+)(?:\s[^\[\]]*)?/?\]"
    r"|\[[a-z][\w-]*\s+[\w-]+=[\"'“”″][^\[\]]*\]"
)
_CUT_SHORT = re.compile(r"(?<!\s)\s*\[(?:…|&hellip;|&#8230;|\.\.\.)\]")
_TAG = re.compile(r"<[^>]*>")
_GAPS = re.compile(r">\s*\n\s*<")


@dataclass(frozen=True, kw_only=True)
class BodyPicture:
    """A picture standing in the text, with the words beneath it."""

    url: str
    alt: str
    caption: str


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """`markup` passed the sanitiser. `protected`: the body was a form asking for a password."""

    markup: str
    picture: BodyPicture | None
    pictures_lost: int  # whose addresses lead nowhere
    protected: bool
    flags: tuple[str, ...]


def clean_article(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    """A story file's body to `{"summary", "pictures_lost", "flags"}` and clean HTML.

    `format` is "markdown" or "html", `base` the story's own address or "".
    """
    text = payload.decode("utf-8")
    if options["format"] == "markdown":
        text = MarkdownIt("commonmark").enable("table").render(text)
    cleaned = clean(text, base=options["base"])
    value = {
        "summary": summarize(cleaned.markup),
        "pictures_lost": cleaned.pictures_lost,
        "flags": list(cleaned.flags),
    }
    return value, cleaned.markup.encode()


def clean(markup: str, *, base: str) -> Cleaned:
    """HTML of our allow-list, its addresses absolute. `base` is the story's own address, or "" when it has none."""
    flags = ("body_cut",) if len(markup) > LARGEST_BODY else ()
    root = _parsed(without_illegal(markup[:LARGEST_BODY]))
    protected = any("post-password-form" in form.get("class", "") for form in root.iter("form"))
    lost = _settle_pictures(root, base)
    _drop(element for element in root.iterdescendants() if _is_box(element))
    link_embeds(root, base)
    _drop(root.iter(*_SILENT))
    _settle_links(root, base)
    if "[" in markup:
        _strip_shortcodes(root)
    came = _letters(root.text_content())
    _settle_blocks(root)
    came -= _drop_lines(root)
    picture = _first_picture(root)
    inner = html.escape(root.text or "") + "".join(tostring(child, encoding="unicode") for child in root)
    safe, count = _CUT_SHORT.subn("…", _sanitised(inner))
    if _letters(html.unescape(_TAG.sub("", safe))) < _KEPT_SHARE * came:
        flags = (*flags, "text_lost")
    return Cleaned(
        markup=_GAPS.sub(">\n<", legal(safe)).strip(),
        picture=picture,
        pictures_lost=lost,
        protected=protected,
        flags=(*flags, "excerpt_only") if count and safe.rstrip().endswith(("…", "…</p>")) else flags,
    )


def _letters(text: str) -> int:
    return sum(map(len, text.split()))


def _parsed(markup: str) -> HtmlElement:
    parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=False)
    document = document_fromstring(f"<html><body>{markup}</body></html>".encode(), parser=parser)
    body = document.find("body")
    if body is None:
        return document.makeelement("body")
    odd = [name for name in {str(one.tag) for one in body.iter()} if not _TAG_NAME.fullmatch(name)]
    for element in list(body.iter(*odd)) if odd else []:
        element.drop_tag()  # "<a<" and "<o:p>": lxml reads such names but doesn't write them
    return body


def _sanitised(markup: str) -> str:
    return nh3.clean(
        markup,
        tags=set(TAGS),
        clean_content_tags=set(_SILENT - _EMPTY),
        attributes=ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes=set(SCHEMES),
        link_rel=None,
        url_relative="deny",
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name in ("width", "height", "colspan", "rowspan", "start"):
        return value if value.isascii() and value.isdigit() and len(value) <= 5 else None
    return value


def _drop(unwanted: Iterable[HtmlElement]) -> None:
    for element in list(unwanted):
        if element.getparent() is not None:
            element.drop_tree()


def _is_box(element: HtmlElement) -> bool:
    """What plugins and themes put into the text; some name it by class, some by id."""
    return any(_BOXES.search(element.get(name, "")) for name in ("class", "id"))


def _settle_pictures(root: HtmlElement, base: str) -> int:
    """Smileys become text, lazy pictures their true address; the rest goes. Returns how many addresses led nowhere."""
    lost = 0
    for span in [span for span in root.iter("span") if span.get("data-img-url")]:
        span.tag = "img"  # tagDiv's thumbnails are backgrounds of spans
    for image in list(root.iter("img", "amp-img")):
        image.tag = "img"
        if "wp-smiley" in image.get("class", "") or "//s.w.org/images/core/emoji" in image.get("src", ""):
            image.tail = image.get("alt", "") + (image.tail or "")
            image.drop_tree()
            continue
        found = _true_source(image)
        address = web_address(found, base) if found else None
        if address is None or _is_no_picture(image):
            lost += address is None and bool(found) and not found.startswith("data:")
            image.drop_tree()
        else:
            image.set("src", address)
    return lost


def _true_source(image: HtmlElement) -> str:
    lazy = next((image.get(name, "") for name in LAZY if image.get(name)), "")
    source = image.get("src", "").strip()
    if source and not lazy and not _PLACEHOLDER.search(source[:300]):
        return source
    return lazy.strip() or _best_of(image.get("data-srcset") or image.get("srcset") or "") or source


def _best_of(source_set: str) -> str:
    entries = [(float(hit[2] or 1), hit[1].rstrip(",")) for hit in _SET_ENTRY.finditer(source_set[:8000])]
    return max(entries, default=(0.0, ""))[1]


def _is_no_picture(image: HtmlElement) -> bool:
    """Pixels that count readers, tagDiv's advertisements, and pictures that lead to whoever paid for them."""
    paid = any("sponsored" in link.get("rel", "").split() for link in image.iterancestors("a"))
    return paid or image.get("alt") == "spot_img" or {image.get("width"), image.get("height")} <= {"0", "1"}


def _settle_links(root: HtmlElement, base: str) -> None:
    for link in list(root.iter("a")):
        address = absolute(link.get("href", ""), base) if link.get("href") else None
        if address is None:
            link.drop_tag()
        else:
            link.set("href", without_tracking(address) if same_host(address, base) else address)


def _strip_shortcodes(root: HtmlElement) -> None:
    for element in root.iter():
        if element.text and "[" in element.text:
            element.text = _SHORTCODE.sub("", element.text)
        if element.tail and "[" in element.tail:
            element.tail = _SHORTCODE.sub("", element.tail)


def _settle_blocks(root: HtmlElement) -> None:
    """Every run of text gets a paragraph of its own: the sanitiser drops `div`, and its lines would run together."""
    _settle_headings(root)
    holders = _block_holders(root)
    for element in list(root.iter()):
        if str(element.tag) in _RENAMED:
            element.tag = _RENAMED[str(element.tag)]
        if element.tag not in _CONTAINERS:
            continue
        if element is root or element in holders:
            _wrap_runs(element, holders)
        else:
            element.tag = "p"


def _settle_headings(root: HtmlElement) -> None:
    """A heading is one line: it can hold no paragraphs."""
    for heading in root.iter(*_HEADINGS):
        for inner in list(heading.iter(*_CONTAINERS)):
            if inner.getprevious() is not None or (heading.text or "").strip():
                inner.text = f" {inner.text or ''}"
            inner.tail = f" {inner.tail or ''}"
            inner.drop_tag()


def _block_holders(root: HtmlElement) -> set[HtmlElement]:
    holders: set[HtmlElement] = set()
    for element in reversed(list(root.iterdescendants())):
        parent = element.getparent()
        if parent is not None and (element.tag in _BLOCKS or element in holders):
            holders.add(parent)
    return holders


def _wrap_runs(container: HtmlElement, holders: set[HtmlElement]) -> None:
    run = None
    if (container.text or "").strip():
        run = container.makeelement("p")
        run.text, container.text = container.text, None
        container.insert(0, run)
    for child in list(container):
        if child is run:
            continue
        if child.tag in _BLOCKS or child in holders:
            run = _run_after(child)
            continue
        if run is None:
            run = container.makeelement("p")
            child.addprevious(run)
        run.append(child)


def _run_after(block: HtmlElement) -> HtmlElement | None:
    if not (block.tail or "").strip():
        return None
    run = block.makeelement("p")
    run.text, block.tail = block.tail, None
    block.addnext(run)
    return run


def _drop_lines(root: HtmlElement) -> int:
    """Ad labels, pointers to other stories, and what is empty by now; from the inside out. Returns letters dropped."""
    holders = _block_holders(root)
    dropped = 0
    for element in reversed(list(root.iterdescendants())):
        if element.tag not in _BLOCKS or element.tag in ("hr", "table", "tr") or (element in holders and len(element)):
            continue
        text = one_line(element.text_content())
        unwanted = [element] if _is_empty(element) or _AD_LABEL.fullmatch(text[:80]) else _pointer(element, text)
        dropped += sum(_letters(one.text_content()) for one in unwanted)
        _drop(unwanted)
    _drop(filter(_is_empty, root.iter("a")))
    return dropped


def _is_empty(element: HtmlElement) -> bool:
    return element.find(".//img") is None and not element.text_content().strip()


def _pointer(element: HtmlElement, text: str) -> list[HtmlElement]:
    """ "Baca juga: …": a line about another story, and what it stands above when it names none itself.

    Without colon or link it may be a sentence of this story.
    """
    if len(text) > _LONGEST_RELATED:
        return []
    hit = _RELATED.match(text)
    if hit is None:
        return [element] if _is_invitation(element, text) else []
    below = element.getnext() if hit.end() == len(text) else None
    if below is not None and below.tag in ("ul", "ol", "p") and _is_all_links(below):
        return [element, below]
    return [element] if hit["colon"] or element.find(".//a") is not None else []


def _is_invitation(element: HtmlElement, text: str) -> bool:
    """ "Ikuti Contoh Pos di Google News": a short line that leads readers into a newspaper's channel elsewhere."""
    links = list(element.iter("a"))
    if not links or len(text) > _LONGEST_INVITATION or not _INVITING.match(text):
        return False
    ends_there = text.rstrip(" .!").endswith(one_line(links[-1].text_content()).rstrip(" .!"))
    return ends_there and any(_OWN_CHANNEL.match(link.get("href", "")) for link in links)


def _is_all_links(element: HtmlElement) -> bool:
    linked = sum(_letters(link.text_content()) for link in element.iter("a"))
    return linked > 0 and linked == _letters(element.text_content())


def _first_picture(root: HtmlElement) -> BodyPicture | None:
    image = next(iter(root.iter("img")), None)
    if image is None:
        return None
    figure = next(iter(image.iterancestors("figure")), None)
    words = figure.find(".//figcaption") if figure is not None else None
    caption = one_line(words.text_content()) if words is not None else ""
    return BodyPicture(url=image.get("src", ""), alt=one_line(image.get("alt", "")), caption=caption)
