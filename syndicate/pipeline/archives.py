"""Finished months of a feed as Atom documents (RFC 5005 §4), joined when somebody asks for one, then kept as a file.

Corrections and withdrawals are published in the feed's own document (§4, last paragraph); an archive is for whoever
reads back. So none is made before it is asked for, and one is made again only when one of its stories changed.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article
from syndicate.domain.feed import Feed, Site, is_finished, month_of, month_span
from syndicate.errors import StoreTrouble
from syndicate.formats.atom import Atom, archive_parts
from syndicate.formats.pack import Sheet, kept_flavour, piece
from syndicate.formats.wording import wording
from syndicate.pipeline.publish import Press, digest
from syndicate.store import articles, feeds, files
from syndicate.store.db import Database
from syndicate.store.files import Document

_ATOM = Atom()
_PAGE = 200  # articles read at once
_MOST_WAITING = 8  # for an archive to be made; others are asked to come again, and the feeds go on


@dataclass(frozen=True, kw_only=True)
class _Month:
    """A finished month of a feed: what it holds, newest first, and its neighbours that have an archive too."""

    name: str  # "2026-05"
    seqs: Mapping[str, int]  # by article id
    before: str | None
    after: str | None


class Archives:
    """The archives of public feeds. One is made at a time: a month of a large newspaper takes a second or two."""

    def __init__(self, db: Database, press: Press) -> None:
        self._db, self._press = db, press
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def document(self, feed: Feed, month: str, *, now: datetime) -> Document | None:
        """The archive of a month; None when the feed has none: it isn't over, holds nothing, or the feed is private."""
        zone = self._press.site.timezone
        if not feed.has_archives or not is_finished(month, zone=zone, now=now):
            return None
        async with self._db.read() as connection:
            found = await _read_month(connection, feed, month, zone=zone, now=now)
        if not found.seqs:
            return None
        entries = (f"{identifier}@{seq}" for identifier, seq in found.seqs.items())
        etag = digest([self._press.shapes[feed.name], month, f"{found.before} {found.after}", *entries])
        name = files.archive_name(feed.name, month)
        if (kept := await self._kept(name, etag)) is not None:
            return kept
        if self._waiting >= _MOST_WAITING:
            raise StoreTrouble("many archives are asked for at once; this one comes when it is asked for again")
        self._waiting += 1
        try:
            async with self._turn:
                if (kept := await self._kept(name, etag)) is not None:
                    return kept
                made = await self._make(feed, found, name=name, etag=etag, now=now)
                await asyncio.to_thread(files.write_document, self._press.archives, made)
                return made
        finally:
            self._waiting -= 1

    async def _kept(self, name: str, etag: str) -> Document | None:
        kept = await asyncio.to_thread(files.read_document, self._press.archives, name)
        return kept if kept is not None and kept.etag == etag else None

    async def _make(self, feed: Feed, month: _Month, *, name: str, etag: str, now: datetime) -> Document:
        flavour = kept_flavour(_ATOM, self._press.site)
        entries: list[bytes] = []
        updated = datetime.fromtimestamp(0, UTC)
        for ids in _pages(list(month.seqs)):
            async with self._db.read() as connection:
                kept = await feeds.kept_fragments(connection, flavour, [(one, month.seqs[one]) for one in ids])
                found = await articles.by_ids(connection, ids)
            if any(found[one].seq != month.seqs[one] for one in ids):
                raise StoreTrouble("a story of this archive was changed while it was read; ask for it again")
            bodies = {fragment.article_id: fragment.body for fragment in kept}
            in_order = [found[identifier] for identifier in ids]
            written = await asyncio.to_thread(_written, in_order, bodies, self._press.site)
            for body, modified in written:
                entries.append(body)
                updated = max(updated, modified)
        parts = archive_parts(
            feed,
            self._press.site,
            entries,
            updated=updated,
            month=month.name,
            before=month.before,
            after=month.after,
        )
        sheet = await asyncio.to_thread(lambda: Sheet(tuple(map(piece, parts))))
        return Document(
            name=name,
            media_type=_ATOM.media_type,
            etag=etag,
            last_modified=int(now.timestamp()),
            plain=sheet.plain(),
            gzipped=sheet.gzipped(),
        )


async def _read_month(connection: AsyncConnection, feed: Feed, month: str, *, zone: str, now: datetime) -> _Month:
    start, end = month_span(month, zone=zone)
    held = await feeds.held_between(connection, feed.name, start=start, end=end)
    newest_before = await feeds.nearest(connection, feed.name, before=start)
    oldest_after = await feeds.nearest(connection, feed.name, since=end)
    after = month_of(oldest_after, zone=zone) if oldest_after else None
    return _Month(
        name=month,
        seqs=dict(held),
        before=month_of(newest_before, zone=zone) if newest_before else None,
        after=after if after and is_finished(after, zone=zone, now=now) else None,
    )


def _written(listed: Sequence[Article], kept: Mapping[str, bytes], site: Site) -> list[tuple[bytes, datetime]]:
    """Entries with their dates; one that can't be written is in quarantine, and the archive does without it."""
    written: list[tuple[bytes, datetime]] = []
    for article in listed:
        try:
            body = kept.get(article.id) or _ATOM.fragment(article, site)
            written.append((body, wording(article, site).modified))
        except ValueError:
            continue
    return written


def _pages(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _PAGE):
        yield ids[start : start + _PAGE]
