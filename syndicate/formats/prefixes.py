"""The one prefix table. Fragments may use only what the head of their document declares (exact URIs: http, slashes)."""

from collections.abc import Mapping

ATOM = "http://www.w3.org/2005/Atom"
CONTENT = "http://purl.org/rss/1.0/modules/content/"
DC = "http://purl.org/dc/elements/1.1/"
DCTERMS = "http://purl.org/dc/terms/"
MEDIA = "http://search.yahoo.com/mrss/"
SY = "http://purl.org/rss/1.0/modules/syndication/"

RSS_PREFIXES: Mapping[str, str] = {
    "atom": ATOM,
    "content": CONTENT,
    "dc": DC,
    "dcterms": DCTERMS,
    "media": MEDIA,
    "sy": SY,
}
ATOM_PREFIXES: Mapping[str, str] = {"media": MEDIA}
