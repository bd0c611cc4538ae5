"""Atom 1.0 (RFC 4287)."""

from collections.abc import Sequence
from datetime import datetime

from syndicate.domain.article import Article
from syndicate.domain.feed import Feed, Site, Tombstone
from syndicate.formats.pack import digest_of
from syndicate.formats.prefixes import ATOM_PREFIXES

_TAIL = b"</feed>"


class Atom:
    """The precise format: languages, links and update times. feedgen is loaded only when something is built."""

    name = "atom"
    media_type = "application/atom+xml; charset=utf-8"
    flavour = f"atom-3-{digest_of(ATOM_PREFIXES)}"

    def fragment(self, article: Article, site: Site) -> bytes:
        """One `entry`."""
        from syndicate.formats import entry

        return entry.atom_fragment(article, site)

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
        """Everything before the first entry, the entries, the end tag."""
        from syndicate.formats import entry

        empty: bytes = entry.atom_feed(feed, site, updated=updated, gone=gone, archive=archive).atom_str()
        return (empty.removesuffix(_TAIL), *fragments, _TAIL)


def archive_parts(
    feed: Feed,
    site: Site,
    fragments: Sequence[bytes],
    *,
    updated: datetime,
    month: str,
    before: str | None = None,
    after: str | None = None,
) -> tuple[bytes, ...]:
    """As `Atom.parts`, for what a feed published in one finished month (RFC 5005 §4).

    `before` and `after` are the nearest finished months that have an archive. Only `after` of the newest one ever
    changes, once, when the next month is finished.
    """
    from syndicate.formats import entry

    empty: bytes = entry.atom_archive(feed, site, updated=updated, month=month, before=before, after=after).atom_str()
    return (empty.removesuffix(_TAIL), *fragments, _TAIL)
