"""The one prefix table. Fragments may use only what the head of their document declares (exact URIs: http, slashes)."""

from collections.abc import Mapping

AT = "http://purl.org/atompub/tombstones/1.0"
ATOM = "http://www.w3.org/2005/Atom"
CONTENT = "http://purl.org/rss/1.0/modules/content/"
DC = "http://purl.org/dc/elements/1.1/"
DCTERMS = "http://purl.org/dc/terms/"
FH = "http://purl.org/syndication/history/1.0"
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
# No fragment uses these, so a head declares them only when it does: the W3C validator warns of a namespace it doesn't
# know wherever it is declared.
TOMBSTONE_PREFIXES: Mapping[str, str] = {"at": AT}
ARCHIVE_PREFIXES: Mapping[str, str] = {"fh": FH}
