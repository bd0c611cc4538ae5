"""Text as people wrote it, made safe to carry: illegal characters out, tags off, words counted."""

import html
import re
import unicodedata
from html.parser import HTMLParser

# XML 1.0 §2.2 "Char", turned round: one such character makes a whole feed not well-formed.
_ILLEGAL = re.compile("[^\u0009\u000a\u000d\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Overrides that let a headline show text backwards (Unicode UAX #9 explicit formatting characters).
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_BLOCK = frozenset(
    {"p", "div", "br", "li", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "td", "th", "blockquote", "table", "pre"}
) | frozenset({"figcaption", "figure", "ul", "ol", "dl", "dt", "dd", "hr", "section", "article"})
_SILENT = frozenset({"script", "style", "template", "noscript"})
_ENTITY_LEFT = re.compile(r"&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]+);")


def legal(text: str) -> str:
    """Without the characters that XML 1.0 forbids (lone surrogates included)."""
    return _ILLEGAL.sub("", text)


def one_line(text: str) -> str:
    """Legal, NFC, without bidi overrides, whitespace collapsed: fit for a title, a name, a subject."""
    return " ".join(_BIDI.sub("", unicodedata.normalize("NFC", legal(text))).split())


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif tag in _BLOCK:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in _BLOCK:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def plain_text(markup: str) -> str:
    """The readable text of HTML, a line a block; entities decoded once."""
    parser = _Text()
    parser.feed(markup)
    parser.close()
    lines = (one_line(line) for line in "".join(parser.parts).split("\n"))
    return "\n".join(line for line in lines if line)


def plain_title(markup: str) -> str:
    """A title from a source: tags off, entities decoded once, and once more only if some are left.

    WordPress REST titles hold entities *and* tags; other feeds encode twice.
    """
    text = plain_text(markup) if "<" in markup else html.unescape(markup)
    return one_line(html.unescape(text) if _ENTITY_LEFT.search(text) else text)


def words(markup: str) -> list[str]:
    """The words of HTML in order, case kept."""
    return plain_text(markup).split()


def excerpt(markup: str, limit: int = 240) -> str:
    """The first words of HTML up to `limit` characters, ended by an ellipsis when cut."""
    text = " ".join(words(markup))
    if len(text) <= limit:
        return text
    whole_words = text[: limit + 1].rpartition(" ")[0]
    return (whole_words or text[:limit]).rstrip(" ,;:–-") + "…"
