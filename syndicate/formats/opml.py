"""The directory of public feeds as OPML 2.0, for readers that take a whole list at once."""

from collections.abc import Iterable

from lxml import etree

from syndicate.domain.feed import Feed, Site
from syndicate.formats.wording import language_tag

MEDIA_TYPE = "text/x-opml; charset=utf-8"


def directory(site: Site, feeds: Iterable[Feed]) -> bytes:
    """Lists the RSS addresses of `feeds`, which must all be public. Same input, same bytes: no dates."""
    root = etree.Element("opml", version="2.0")
    head = etree.SubElement(root, "head")
    for name, text in (("title", site.title), ("ownerName", site.title), ("ownerEmail", site.contact)):
        if text:
            etree.SubElement(head, name).text = text
    body = etree.SubElement(root, "body")
    for feed in feeds:
        etree.SubElement(body, "outline", _outline(site, feed))
    document: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document


def _outline(site: Site, feed: Feed) -> dict[str, str]:
    """`title` repeats `text`: the W3C validator and some readers look for the one, some for the other."""
    outline = {
        "text": feed.title,
        "title": feed.title,
        "type": "rss",
        "version": "RSS2",
        "xmlUrl": f"{site.public_url}/feeds/{feed.name}.rss",
        "htmlUrl": f"{site.public_url}/feeds/{feed.name}/",
        "language": language_tag(feed.language),
    }
    return outline | ({"description": feed.description} if feed.description else {})
