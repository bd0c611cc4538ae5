"""RSS 2.0 (RSS Advisory Board 2.0.11 and its Best Practices Profile)."""

from collections.abc import Sequence
from datetime import datetime

from syndicate.domain.article import Article
from syndicate.domain.feed import Feed, Site, Tombstone
from syndicate.formats.pack import digest_of
from syndicate.formats.prefixes import RSS_PREFIXES

_TAIL = b"</channel></rss>"


class Rss:
    """The format every reader knows. feedgen is loaded only when something is built."""

    name = "rss"
    media_type = "application/rss+xml; charset=utf-8"
    flavour = f"rss-3-{digest_of(RSS_PREFIXES)}"

    def fragment(self, article: Article, site: Site) -> bytes:
        """One `item`."""
        from syndicate.formats import entry

        return entry.rss_fragment(article, site)

    def parts(
        self,
        feed: Feed,
        site: Site,
        fragments: Sequence[bytes],
        *,
        updated: datetime,
        gone: Sequence[Tombstone] = (),
        archive: str | None = None,
    ) -> tuple[bytes, ...]:
        """Everything before the first item, the items, the end tags. Archives are in Atom, so it names none."""
        from syndicate.formats import entry

        empty: bytes = entry.rss_feed(feed, site, updated=updated, gone=gone).rss_str()
        return (empty.removesuffix(_TAIL), *fragments, _TAIL)
