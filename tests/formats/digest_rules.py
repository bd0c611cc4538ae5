"""The rules of a mail's HTML, each a checker. test_digest_rules.py shows for each that it rejects what breaks it.

What mail programs draw is taken from caniemail.com, read from its data of 2026-06-29 (hteumeuleu/caniemail@6b086a34). A
property or element stands here when Gmail, Outlook, Apple Mail, Yahoo and Samsung draw it, at least in part; one that
Outlook on Windows (Word) or another leaves out is named with what is seen then.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from xml.etree.ElementTree import Element

import html5lib

_ELEMENTS = "html head meta title style body div table tbody tr td p h1 h2 a img span br"
_PROPERTIES = (
    "background-color border border-top border-collapse color display font-family font-size font-weight height "
    "letter-spacing line-height margin max-width padding padding-top text-decoration text-transform width "
    "mso-hide "  # Word's own
    "border-radius "  # Word: square corners
    "max-height overflow "  # Word: not needed beside mso-hide
    "white-space "  # Word: a date may be broken
    "word-break"  # Yahoo: a word longer than the page widens it
)
ELEMENTS: Final = frozenset(_ELEMENTS.split())
PROPERTIES: Final = frozenset(_PROPERTIES.split())
DISPLAYS: Final = frozenset(("none", "block"))
NEVER: Final = re.compile(r"var\(|calc\(|url\(|flex|grid|position|@import|@font-face|!important", re.IGNORECASE)
UNDRAWN: Final = re.compile(r"\.(svg|webp|avif)\b|^data:", re.IGNORECASE)
SMALLEST = 13  # pixels of text
PREHEADER = range(40, 91)  # characters
GMAIL_STYLES = 16_384  # bytes of stylesheet that Gmail keeps (html-style, note 1)
_SAYS_NOTHING = re.compile(
    r"((klik |click )?(di sini|here)|(baca )?selengkapnya|read (more|the story))\W*", re.IGNORECASE
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


class Page:
    """A mail's HTML, as it goes into the message."""

    def __init__(self, html: str) -> None:
        self.html = html
        visible = _COMMENT.sub("", html)
        self.root: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(visible)

    def all(self, name: str) -> list[Element]:
        return list(self.root.iter(name))

    def styled(self) -> Iterator[tuple[Element, str, str]]:
        """(element, property, value) of every style attribute."""
        for element in self.root.iter():
            for pair in filter(None, element.get("style", "").split(";")):
                name, _, value = pair.partition(":")
                yield element, name.strip(), value.strip()


def _words(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def elements(page: Page) -> Iterator[str]:
    """Only elements that all draw."""
    yield from sorted({str(e.tag) for e in page.root.iter() if e.tag not in ELEMENTS})


def properties(page: Page) -> Iterator[str]:
    """Only properties that all draw, and no value that Gmail or Word refuses."""
    for _, name, value in page.styled():
        if name not in PROPERTIES or NEVER.search(value) or (name == "display" and value not in DISPLAYS):
            yield f"{name}: {value}"


def padding_on_cells(page: Page) -> Iterator[str]:
    """Word honours padding on td only."""
    yield from (
        f"{e.tag} {name}" for e, name, value in page.styled() if "padding" in name and e.tag not in ("td", "body")
    )


def text_sizes(page: Page) -> Iterator[str]:
    """Nothing under 13 pixels."""
    sizes = ((name, re.fullmatch(r"(\d+)px", value)) for _, name, value in page.styled() if name == "font-size")
    yield from ("font-size" for _, hit in sizes if hit is None or int(hit[1]) < SMALLEST)


def pictures(page: Page) -> Iterator[str]:
    """JPEG, PNG or GIF by address, with words for those who don't see it and the size for Word."""
    for picture in page.all("img"):
        if UNDRAWN.search(picture.get("src", "data:")) or picture.get("srcset"):
            yield f"{picture.get('src')} isn't drawn everywhere"
        if len(picture.get("alt", "").strip()) < 3:
            yield f"{picture.get('src')} has no words"
        if not picture.get("width", "").isdigit() or not picture.get("height", "1").isdigit():
            yield f"{picture.get('src')} has no size"
        if "height:auto" not in picture.get("style", "").replace(" ", ""):
            yield f"{picture.get('src')} is distorted on phones"


def tables(page: Page) -> Iterator[str]:
    """Tables are for layout only, and screen readers are told so."""
    plain = {"role": "presentation", "cellpadding": "0", "cellspacing": "0", "border": "0"}
    yield from (str(t.attrib) for t in page.all("table") if any(t.get(name) != value for name, value in plain.items()))


def skeleton(page: Page) -> Iterator[str]:
    """What the programs need around the words."""
    wanted = (
        r"^<!DOCTYPE html><html lang=\"\S+\" dir=\"ltr\" xmlns:v=",
        r'<meta charset="utf-8">',
        r'<meta name="viewport" content="width=device-width, initial-scale=1">',
        r'<meta name="format-detection" content="telephone=no, date=no, address=no, email=no">',
        r'<meta name="color-scheme" content="light dark">',
        r'<meta name="supported-color-schemes" content="light dark">',
        r"<title>[^<]+</title>",
        r"<!--\[if mso\]><xml><o:OfficeDocumentSettings><o:PixelsPerInch>96<",
        r'<!--\[if mso\]><table role="presentation" width="600" align="center"',
        r"<!--\[if mso\]></td></tr></table><!\[endif\]-->",
        r'<div role="article" aria-roledescription="email" aria-label="[^"]+" lang="\S+" dir="ltr">',
        r"@media \(max-width: 599px\)",
        r"@media \(prefers-color-scheme: dark\)",
        r"\[data-ogsc\] \.name",
        r"\[data-ogsb\] \.sheet",
    )
    yield from (pattern for pattern in wanted if len(re.findall(pattern, page.html)) != 1)


def headings(page: Page) -> Iterator[str]:
    """One h1, and each h2 is a story's headline with its link."""
    if len(page.all("h1")) != 1:
        yield f"{len(page.all('h1'))} h1"
    yield from (_words(h) or "empty h2" for h in page.all("h2") if len(list(h.iter("a"))) != 1 or not _words(h))


def links(page: Page) -> Iterator[str]:
    """Each makes sense alone, and leads to a page or to the desk."""
    for link in page.all("a"):
        shown = _words(link) or " ".join(picture.get("alt", "") for picture in link.iter("img"))
        said = link.get("aria-label") or shown
        if not said.strip() or _SAYS_NOTHING.fullmatch(said):
            yield f"{link.get('href')}: {said!r}"
        if not re.match(r"https?://|mailto:|[a-z]{16}-(?:unsubscribe|preferences|view)_url-", link.get("href", "")):
            yield f"leads nowhere: {link.get('href')}"


def preheader(page: Page) -> Iterator[str]:
    """40 to 90 characters of real text come first, hidden by what costs no spam points."""
    found = [e for e in page.all("div") if e.get("class") == "preheader"]
    if len(found) != 1:
        yield f"{len(found)} preheaders"
        return
    if len(_words(found[0])) not in PREHEADER:
        yield f"{len(_words(found[0]))} characters"
    if found[0].get("style") != "display:none;max-height:0;overflow:hidden;mso-hide:all":
        yield f"hidden by {found[0].get('style')}"


def stylesheets(page: Page) -> Iterator[str]:
    """What stays a stylesheet is small enough for Gmail and brings nothing in."""
    kept = re.findall(r"<style[^>]*>(.*?)</style>", page.html, re.DOTALL)
    if sum(len(one.encode()) for one in kept) > GMAIL_STYLES:
        yield "too large for Gmail"
    yield from (hit for one in kept for hit in re.findall(r"url\(|@import|@font-face|var\(|position:|flex|grid", one))


RULES: Final[Mapping[str, Callable[[Page], Iterator[str]]]] = {
    check.__name__: check
    for check in (
        elements,
        properties,
        padding_on_cells,
        text_sizes,
        pictures,
        tables,
        skeleton,
        headings,
        links,
        preheader,
        stylesheets,
    )
}


def broken_digest_rules(html: str) -> dict[str, list[str]]:
    """What a mail breaks, by rule; empty for a good one. The strict parser refuses what is no HTML at all."""
    page = Page(html)
    found = {name: list(check(page)) for name, check in RULES.items()}
    return {name: flaws for name, flaws in found.items() if flaws}
