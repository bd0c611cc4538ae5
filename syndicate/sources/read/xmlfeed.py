"""RSS 0.9x, 1.0, 2.0 and Atom. Runs inside the jail, as part of `parse`.

expat looks over the document first: it refuses what only attackers write, before feedparser spends time on it.
"""

import io
import re
import xml.sax.expatreader  # noqa: F401  (the jail can't load it when it is first asked for)
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from xml.parsers import expat

import feedparser

from syndicate.sources.read.entry import RawEntry, RawPicture, Refused
from syndicate.sources.read.words import paragraphs

MOST_ENTRIES = 500
DEEPEST = 100  # elements inside one another
_MOST_ATTRIBUTES = 200  # of one element
_ROOTS = frozenset({"rss", "RDF", "feed"})
_ENTRIES = frozenset({"item", "entry"})
_LOOKS_LIKE_FEED = re.compile(r"<(rss|feed|rdf:RDF)\b")
_DECLARATION = re.compile(r"^<\?xml[^>]{0,200}\?>")
# feedparser lets a caption (media:description) become the story's text, and media:title its title.
_MEDIA_WORDS = re.compile(r"<(/?)media:(title|description)\b")
_IMAGE_NAME = re.compile(r"\.(jpe?g|png|webp|gif)($|\?)", re.IGNORECASE)


class _Enough(Exception):
    """The scan saw all the entries we take."""


class _Scan:
    """One look at every tag, up to the first entry too many or the first fault."""

    def __init__(self, document: bytes) -> None:
        self.open: list[str] = []  # names of the elements we are in
        self.entries = 0
        self.end: int | None = None  # byte where the first entry too many begins
        self.malformed = ""  # in words, where it stops being well-formed
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._enter
        self._parser.EndElementHandler = self._leave
        self._parser.StartDoctypeDeclHandler = self._doctype
        with suppress(_Enough):
            self._run(document)

    def _run(self, document: bytes) -> None:
        try:
            self._parser.Parse(document, True)
        except expat.ExpatError as why:
            self.malformed = f"{expat.ErrorString(why.code)} in line {why.lineno}"

    def _enter(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if not self.open and local not in _ROOTS:
            raise Refused(f"it is a document of kind <{local[:20]}>, not a feed", wrong_type=True)
        if len(self.open) >= DEEPEST:
            raise Refused(f"its elements are nested more than {DEEPEST} deep")
        if len(attributes) > _MOST_ATTRIBUTES:
            raise Refused(f"one element has {len(attributes)} attributes")
        self.entries += local in _ENTRIES
        if self.entries > MOST_ENTRIES:
            self.end = self._parser.CurrentByteIndex
            raise _Enough
        self.open.append(name)

    def _leave(self, name: str) -> None:
        self.open.pop()

    def _doctype(self, name: str, system: str | None, public: str | None, has_internal_subset: int) -> None:
        """A bare DOCTYPE is harmless (RSS 0.91 has one); declarations of its own are how XML bombs are built."""
        if has_internal_subset:
            raise Refused("it declares entities of its own")


def read_xml_feed(text: str) -> tuple[list[RawEntry], str, str, str]:
    """The entries, the feed's language and home page, and in words what is malformed. Raises Refused."""
    text = _MEDIA_WORDS.sub(r"<\1media:words_\2", _DECLARATION.sub("", text.lstrip()))
    document = text.encode()
    scan = _Scan(document)
    if scan.malformed and not _LOOKS_LIKE_FEED.search(text[:4096]):
        raise Refused("it is no feed", wrong_type=True)
    if scan.end is not None:
        document = document[: scan.end] + "".join(f"</{name}>" for name in reversed(scan.open)).encode()
    found = _parsed(document)
    head = found["feed"]
    entries = [_entry(entry, is_atom=found["version"].startswith("atom")) for entry in found["entries"][:MOST_ENTRIES]]
    return entries, _text(head, "language"), _text(head, "link"), scan.malformed or _complaint(found)


def _parsed(document: bytes) -> Any:
    return feedparser.parse(
        io.BytesIO(document),  # never a string: feedparser would open it as a file or fetch it
        agent="none",
        response_headers={"content-type": "application/xml; charset=utf-8"},
        resolve_relative_uris=False,
        sanitize_html=False,
    )


def _complaint(found: Any) -> str:
    """What feedparser saw and expat did not: prefixes without a namespace."""
    return str(found.get("bozo_exception", ""))[:200] if found["bozo"] else ""


def _entry(entry: Any, *, is_atom: bool) -> RawEntry:
    title = entry.get("title_detail") or {}
    contents = dict.get(entry, "content") or []
    summary = _markup(dict.get(entry, "summary_detail"))
    # The longest, since some feeds have a teaser in one and the story in the other.
    body = max(contents, key=lambda part: len(part.get("value", "")), default=None)
    return RawEntry(
        guid=_text(entry, "id"),
        link=_text(entry, "feedburner_origlink") or _text(entry, "link"),
        title=_text(entry, "title"),
        title_is_text=is_atom and title.get("type") == "text/plain",
        authors=tuple(dict.fromkeys(_author_names(entry))),
        categories=tuple(tag["term"] for tag in dict.get(entry, "tags") or [] if tag.get("term")),
        published=_text(entry, "published") or _text(entry, "created"),
        updated=_text(entry, "updated"),
        language=(body or {}).get("language") or "",
        summary=summary,
        body=_markup(body),
        base=(body or {}).get("base") or "",
        picture=_picture(entry),
    )


def _author_names(entry: Any) -> Iterator[str]:
    for author in dict.get(entry, "authors") or []:
        name = author.get("name", "")
        if name and "@" not in name:
            yield name


def _markup(part: Any) -> str:
    """A text construct as HTML."""
    if not part:
        return ""
    value: str = part.get("value", "")
    return paragraphs(value) if part.get("type") == "text/plain" else value


def _picture(entry: Any) -> RawPicture | None:
    """The enclosure, else the widest media:content, else media:thumbnail."""
    caption, credit = _text(entry, "media_words_description"), _credit(entry)
    for link in dict.get(entry, "links") or []:
        if link.get("rel") == "enclosure" and _is_image(link):
            return RawPicture(url=link.get("href", ""), mime_type=link.get("type", ""), caption=caption, credit=credit)
    media = [one for one in dict.get(entry, "media_content") or [] if _is_image(one)]
    media.sort(key=lambda one: -_number(one.get("width")))
    for one in [*media, *(dict.get(entry, "media_thumbnail") or [])]:
        if one.get("url"):
            return RawPicture(
                url=one["url"],
                mime_type=one.get("type", ""),
                width=one.get("width", ""),
                height=one.get("height", ""),
                caption=caption,
                credit=credit,
            )
    return None


def _is_image(media: Any) -> bool:
    kind = media.get("type", "")
    address = media.get("url") or media.get("href") or ""
    return media.get("medium") == "image" or kind.startswith("image/") or bool(not kind and _IMAGE_NAME.search(address))


def _credit(entry: Any) -> str:
    return next((one.get("content", "") for one in dict.get(entry, "media_credit") or []), "")


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else 0


def _text(holder: Any, name: str) -> str:
    """A plain look-up: feedparser's own `get` answers with other keys in the place of missing ones."""
    value = dict.get(holder, name)
    return value if isinstance(value, str) else ""
