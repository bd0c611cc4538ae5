"""A document as it was fetched, and the questions that rules ask of it."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Final, cast

from lxml import etree

NS: Final = {
    "a": "http://www.w3.org/2005/Atom",
    "at": "http://purl.org/atompub/tombstones/1.0",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "fh": "http://purl.org/syndication/history/1.0",
    "media": "http://search.yahoo.com/mrss/",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
}
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
RFC822 = re.compile(
    r"(?P<day>Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d "
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d (GMT|[+-]\d{4})"
)
LANGUAGE = re.compile(r"(?!in(-|$))[a-z]{2,3}(-[A-Z]{2}|-[A-Z][a-z]{3})?")
URI = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(/[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*)?")
TAG = re.compile(r"</?[A-Za-z][^>]*>")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A story as a document shows it, whatever the format."""

    id: str
    title: str
    link: str
    body: str
    published: str
    modified: str
    pictures: int  # everything that carries one


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document as it was fetched. What a rule can't see in it, a test may tell: the time, what was withdrawn."""

    kind: str  # rss, atom, json, opml, tombstone
    raw: bytes
    url: str
    now: datetime | None = None
    withdrawn: frozenset[str] = frozenset()  # public ids of stories that the document has to say this of

    @cached_property
    def root(self) -> etree._Element:
        """Leniently parsed, so that one broken rule doesn't hide the others."""
        return etree.fromstring(self.raw, etree.XMLParser(recover=True, resolve_entities=False))

    @cached_property
    def data(self) -> dict[str, Any]:
        return cast(dict[str, Any], json.loads(self.raw.decode("utf-8", "replace").removeprefix("\ufeff")))

    def nodes(self, path: str) -> list[etree._Element]:
        return cast(list[etree._Element], self.root.xpath(path, namespaces=NS))

    def texts(self, path: str) -> list[str]:
        return [node.text or "" for node in self.nodes(path)]

    def attributes(self, path: str) -> list[str]:
        return [str(value) for value in cast(list[object], self.root.xpath(path, namespaces=NS))]

    @property
    def items(self) -> list[dict[str, Any]]:
        return cast(list[dict[str, Any]], self.data.get("items", []))

    def choose(
        self,
        *,
        rss: Sequence[str] = (),
        atom: Sequence[str] = (),
        opml: Sequence[str] = (),
        json_keys: Sequence[str] = (),
    ) -> list[str]:
        """Texts (or attributes, for paths that end in one) at the paths of this document's own kind."""
        if self.kind == "json":
            return [str(item[key]) for item in self.items for key in json_keys if key in item]
        return [
            text
            for path in {"rss": rss, "atom": atom, "opml": opml}.get(self.kind, ())
            for text in (self.attributes(path) if "/@" in path else self.texts(path))
        ]

    @cached_property
    def entries(self) -> list[Entry]:
        """The stories, in the document's order."""
        if self.kind == "json":
            return [_json_entry(item) for item in self.items]
        return [_rss_entry(node) for node in self.nodes("//item")] + [_atom_entry(n) for n in self.nodes("//a:entry")]

    @cached_property
    def tombstones(self) -> list[tuple[str, str]]:
        """(ref, when) of what is told to be deleted."""
        if self.kind == "json":
            deleted = self.data.get("_syndicate", {}).get("deleted", [])
            return [(str(one.get("id", "")), str(one.get("when", ""))) for one in deleted]
        return [(node.get("ref", ""), node.get("when", "")) for node in self.nodes("//at:deleted-entry")]

    def links(self, rel: str) -> list[str]:
        """Where the feed's own links of this relation lead (RFC 5005 appendix B for those in RSS)."""
        return self.attributes(f"(/a:feed | /rss/channel)/a:link[@rel='{rel}']/@href")

    @property
    def is_archive(self) -> bool:
        return self.kind in ("rss", "atom") and bool(self.nodes("(/a:feed | /rss/channel)/fh:archive"))


Rule = Callable[[Document], Iterator[str]]
Rules = Mapping[str, tuple[tuple[str, ...], Rule]]  # by id: the kinds of document it is for, the checker
ALL, RSS, ATOM, JSON, XML = ("rss", "atom", "json"), ("rss",), ("atom",), ("json",), ("rss", "atom")
OPML, TOMBSTONE = ("opml",), ("tombstone",)


def moment(text: str) -> datetime | None:
    """A date of any format; None if it is none, which is another rule's to say."""
    try:
        at = datetime.fromisoformat(text) if RFC3339.fullmatch(text) else parsedate_to_datetime(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)  # RFC 5322 §3.3: "-0000" is UTC without a word on the zone


def bodies(doc: Document) -> list[str]:
    """The HTML of stories."""
    return doc.choose(rss=["//content:encoded"], atom=["//a:content[@type='html']"], json_keys=["content_html"])


def _rss_entry(node: etree._Element) -> Entry:
    return Entry(
        id=_text(node, "guid"),
        title=_text(node, "title"),
        link=_text(node, "link"),
        body=_text(node, "content:encoded"),
        published=_text(node, "pubDate"),
        modified=_text(node, "dcterms:modified"),
        pictures=len(node.findall("enclosure")) + len(node.findall("media:content", NS)),
    )


def _atom_entry(node: etree._Element) -> Entry:
    links = {link.get("rel", "alternate"): link.get("href", "") for link in node.iterfind("a:link", NS)}
    return Entry(
        id=_text(node, "a:id"),
        title=_text(node, "a:title"),
        link=links.get("alternate", ""),
        body=_text(node, "a:content"),
        published=_text(node, "a:published"),
        modified=_text(node, "a:updated"),
        pictures=("enclosure" in links) + len(node.findall("media:content", NS)),
    )


def _json_entry(item: Mapping[str, Any]) -> Entry:
    return Entry(
        id=str(item.get("id", "")),
        title=item.get("title", ""),
        link=item.get("url", ""),
        body=item.get("content_html", ""),
        published=item.get("date_published", ""),
        modified=item.get("date_modified", ""),
        pictures=("image" in item) + len(item.get("attachments", [])),
    )


def _text(parent: etree._Element, path: str) -> str:
    return parent.findtext(path, default="", namespaces=NS)
