"""All use of feedgen. Around it: what feedgen 1.0.0 gets wrong, each piece pinned by a canary in tests/formats.

An article becomes a fragment by hanging its element under a stub root that declares the same prefixes as the feed's
own root; so head + fragments + tail is byte for byte what feedgen writes for the whole feed.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache

from feedgen.entry import FeedEntry
from feedgen.ext.base import BaseEntryExtension, BaseExtension
from feedgen.feed import FeedGenerator
from lxml import etree

from syndicate.domain.article import Article
from syndicate.domain.feed import Feed, Site, Tombstone
from syndicate.formats.dates import rfc822, rfc3339, whole_second
from syndicate.formats.prefixes import (
    ARCHIVE_PREFIXES,
    AT,
    ATOM,
    ATOM_PREFIXES,
    CONTENT,
    DC,
    DCTERMS,
    FH,
    MEDIA,
    RSS_PREFIXES,
    SY,
    TOMBSTONE_PREFIXES,
)
from syndicate.formats.wording import Image, Wording, language_tag, tombstone_comment, unlike_markup, wording

TTL_MINUTES = 5  # also the max-age of feed documents
TAG_YEAR = 2026  # when the tag: scheme of feed ids began (RFC 4151 §2.1); it stays
DOCS = "https://www.rssboard.org/rss-specification"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_LINK_ATTRIBUTES = ("rel", "type", "hreflang", "title", "length")


class Entry(FeedEntry):  # type: ignore[misc]  # feedgen has no types
    """A FeedEntry whose Atom links keep their attributes (feedgen #135, #143) and whose entry says its language."""

    def atom_entry(self, extensions: bool = True) -> etree._Element:
        element: etree._Element = super().atom_entry(extensions)
        for node, link in zip(element.findall("link"), self.link(), strict=True):
            for name in _LINK_ATTRIBUTES:
                if link.get(name):
                    node.set(name, link[name])
        element.set(_XML_LANG, self.extras.wording.language)
        return element


class EntryExtras(BaseEntryExtension):  # type: ignore[misc]  # feedgen has no types
    """What feedgen lacks or gets wrong in an entry: pubDate without its locale switch, authors, update time, media."""

    wording: Wording
    authors: tuple[str, ...] = ()

    def extend_rss(self, item: etree._Element) -> etree._Element:
        _text(item, "pubDate", rfc822(self.wording.published))
        for author in self.authors:
            _text(item, f"{{{DC}}}creator", author)
        _text(item, f"{{{DCTERMS}}}modified", rfc3339(self.wording.modified))
        _media(item, self.wording.image)
        return item

    def extend_atom(self, entry: etree._Element) -> etree._Element:
        _text(entry, "published", rfc3339(self.wording.published))
        _media(entry, self.wording.image)
        return entry


class FeedExtras(BaseExtension):  # type: ignore[misc]  # feedgen has no types
    """What feedgen gets wrong or lacks at the top of a feed: dates without its locale switch, the syndication module,
    tombstones, the mark of an archive."""

    site: Site
    prefixes: Mapping[str, str]
    updated: datetime
    gone: Sequence[Tombstone] = ()
    is_archive: bool = False

    def extend_ns(self) -> Mapping[str, str]:
        tombstones = TOMBSTONE_PREFIXES if self.gone else {}
        return {**self.prefixes, **tombstones, **(ARCHIVE_PREFIXES if self.is_archive else {})}

    def extend_rss(self, root: etree._Element) -> etree._Element:
        channel = root[0]
        _text(channel, "lastBuildDate", rfc822(self.updated))
        _text(channel, "pubDate", rfc822(self.updated))
        _text(channel, f"{{{SY}}}updatePeriod", "hourly")
        _text(channel, f"{{{SY}}}updateFrequency", str(60 // TTL_MINUTES))
        self._tombstones(channel)
        return root

    def extend_atom(self, feed: etree._Element) -> etree._Element:
        """Before the entries: the grammar of RFC 4287 allows foreign elements only there."""
        if self.is_archive:
            etree.SubElement(feed, f"{{{FH}}}archive")
        self._tombstones(feed)
        return feed

    def _tombstones(self, parent: etree._Element) -> None:
        for one in self.gone:
            node = etree.SubElement(parent, f"{{{AT}}}deleted-entry", ref=one.ref, when=rfc3339(one.when))
            comment = _text(node, f"{{{AT}}}comment", tombstone_comment(one, self.site))
            comment.set(_XML_LANG, self.site.phrases.language_for(one.language))


def article_entry(article: Article, site: Site) -> Entry:
    """The article for both formats.

    Authors without an address are feedgen's for Atom only: in RSS they are dc:creator, its `author` wants an address.
    """
    told = wording(article, site)
    entry = Entry()
    entry.register_extension("extras", EntryExtras)
    entry.extras.wording = told
    entry.extras.authors = article.content.authors
    entry.author([{"name": name} for name in article.content.authors])
    entry.id(article.public_id)
    entry.title(unlike_markup(told.title))
    entry.updated(told.modified)  # else feedgen takes the time of day
    entry.summary(unlike_markup(told.summary))
    if told.body:
        entry.content(told.body, type="html")
    entry.link(href=told.link, rel="alternate", type="text/html")
    if told.image:
        entry.link(_enclosure(told.image))
    entry.category(_categories(article, site))
    return entry


def rss_fragment(article: Article, site: Site) -> bytes:
    """One `item`. Raises ValueError when the article can't be written."""
    with _plainly(article, "RSS"):
        return _cut(_latest_entry(article, site).rss_entry(), etree.Element("rss", nsmap=RSS_PREFIXES))


def atom_fragment(article: Article, site: Site) -> bytes:
    """One `entry`. Raises ValueError when the article can't be written."""
    with _plainly(article, "Atom"):
        return _cut(_latest_entry(article, site).atom_entry(), etree.Element("feed", nsmap=ATOM_PREFIXES))


def rss_feed(feed: Feed, site: Site, *, updated: datetime, gone: Sequence[Tombstone] = ()) -> FeedGenerator:
    """The channel, with everything but its items."""
    own = {"href": _document_url(feed, site, ".rss"), "rel": "self", "type": "application/rss+xml"}
    generator = _feed(feed, site, [own], updated=updated)
    generator.extras.prefixes = {k: v for k, v in RSS_PREFIXES.items() if v not in (ATOM, CONTENT)}
    generator.extras.gone = gone
    generator.docs(DOCS)
    generator.ttl(TTL_MINUTES)
    if site.contact:
        generator.managingEditor(f"{site.contact} ({site.title})")
    # feedgen would write it through a switch of the process locale; FeedExtras does it instead.
    generator._FeedGenerator__rss_lastBuildDate = None
    return generator


def atom_feed(
    feed: Feed, site: Site, *, updated: datetime, gone: Sequence[Tombstone] = (), archive: str | None = None
) -> FeedGenerator:
    """The feed element, with everything but its entries. `archive` is the newest finished month."""
    links = [_atom_link(feed, site, "self", ".atom"), *_archive_links(feed, site, {"prev-archive": archive})]
    generator = _atom(feed, site, links, updated=updated)
    generator.extras.gone = gone
    return generator


def atom_archive(
    feed: Feed, site: Site, *, updated: datetime, month: str, before: str | None, after: str | None
) -> FeedGenerator:
    """The feed element of the archive of one month: the same feed at an address of its own."""
    neighbours = {"prev-archive": before, "next-archive": after}
    links = [
        *_archive_links(feed, site, {"self": month}),
        _atom_link(feed, site, "current", ".atom"),
        *_archive_links(feed, site, neighbours),
    ]
    generator = _atom(feed, site, links, updated=updated)
    generator.extras.is_archive = True
    return generator


def _atom(feed: Feed, site: Site, links: Sequence[Mapping[str, str]], *, updated: datetime) -> FeedGenerator:
    generator = _feed(feed, site, links, updated=updated)
    generator.extras.prefixes = ATOM_PREFIXES
    generator.id(f"tag:{site.tag_host},{TAG_YEAR}:feed/{feed.first_name or feed.name}")
    generator.author(name=site.title, uri=site.url)
    return generator


def _feed(feed: Feed, site: Site, links: Sequence[Mapping[str, str]], *, updated: datetime) -> FeedGenerator:
    generator = FeedGenerator()
    generator.register_extension("extras", FeedExtras)
    generator.extras.site = site
    generator.extras.updated = whole_second(updated)
    generator.title(feed.title)
    generator.description(feed.description or site.description or feed.title)
    for link in links:
        generator.link(dict(link))
    # The last link becomes the RSS channel's link, whatever its rel.
    generator.link(href=_document_url(feed, site, "/"), rel="alternate", type="text/html")
    generator.language(language_tag(feed.language))
    generator.rights(f"© {site.title}")
    generator.generator("Syndicate")
    generator.updated(whole_second(updated))
    return generator


def _archive_links(feed: Feed, site: Site, months: Mapping[str, str | None]) -> list[Mapping[str, str]]:
    return [_atom_link(feed, site, rel, f"/{month}.atom") for rel, month in months.items() if month]


def _atom_link(feed: Feed, site: Site, rel: str, ending: str) -> Mapping[str, str]:
    return {"href": _document_url(feed, site, ending), "rel": rel, "type": "application/atom+xml"}


def _document_url(feed: Feed, site: Site, ending: str) -> str:
    return f"{site.public_url}/feeds/{feed.name}{ending}"


_latest_entry = lru_cache(maxsize=1)(article_entry)  # the formats of a feed are made one after the other


def _enclosure(image: Image) -> dict[str, str]:
    size = image.picture.size_bytes
    link = {"href": image.url, "rel": "enclosure", "type": image.picture.mime_type, "title": image.alt}
    return link | ({"length": str(size)} if size else {})


def _categories(article: Article, site: Site) -> list[dict[str, str]]:
    content = article.content
    sections = [{"term": name, "scheme": f"{site.public_url}/sections"} for name in dict.fromkeys(content.sections)]
    return sections + [{"term": name} for name in dict.fromkeys(content.tags) if name not in content.sections]


def _media(parent: etree._Element, image: Image | None) -> None:
    """Media RSS 1.5.1 without a group, which needs two renditions; numbers as digit strings."""
    if image is None:
        return
    picture = image.picture
    size = {k: str(v) for k, v in (("width", picture.width), ("height", picture.height)) if v}
    node = etree.SubElement(parent, f"{{{MEDIA}}}content", url=image.url, type=picture.mime_type, medium="image")
    for name, value in (size | ({"fileSize": str(picture.size_bytes)} if picture.size_bytes else {})).items():
        node.set(name, value)
    etree.SubElement(node, f"{{{MEDIA}}}thumbnail", {"url": image.url} | size)
    for name, text, extra in (
        ("title", picture.alt, {"type": "plain"}),
        ("description", picture.caption, {"type": "plain"}),
        ("credit", picture.credit, {"role": "photographer", "scheme": "urn:ebu"}),
    ):
        if text:
            _text(node, f"{{{MEDIA}}}{name}", text).attrib.update(extra)


def _text(parent: etree._Element, name: str, text: str) -> etree._Element:
    element = etree.SubElement(parent, name)
    element.text = text
    return element


def _cut(element: etree._Element, root: etree._Element) -> bytes:
    """The bytes of `element` as they stand under `root`, whose prefixes they use and don't repeat."""
    root.append(element)
    document: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=False)
    return document[document.index(b">") + 1 : document.rindex(b"</")]


@contextmanager
def _plainly(article: Article, format_name: str) -> Iterator[None]:
    """feedgen and lxml give up on illegal characters in their own ways; callers get one, with words."""
    try:
        yield
    except ValueError as trouble:  # UnicodeEncodeError (a lone surrogate) is one too
        raise ValueError(
            f"article {article.id}, version {article.version}, can't be written as {format_name}: {trouble}"
        ) from trouble
