"""Manifests → documents, in memory and as files.

A document is joined from pieces that are kept: its frame, and its entries, which the feeds share. So a feed with a new
story costs no more than the one entry that nobody has read yet. The files are a second keeping, for a start without a
database; what is served comes from the database.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.feed import Feed, Tombstone
from syndicate.domain.manifest import entry_key, last_modified
from syndicate.formats.pack import Frame, Piece, Sheet, kept_flavour
from syndicate.pipeline.publish import Press
from syndicate.ports import Format
from syndicate.store import feeds, files
from syndicate.store.db import Database
from syndicate.store.feeds import FeedState, Manifest
from syndicate.store.files import Document

_SPARE = 1000  # entries in memory beyond twice the number in use


@dataclass(frozen=True, kw_only=True, slots=True)
class Print:
    """A feed's document in one format, with everything an answer needs. `etag` names the manifest, not the bytes."""

    name: str  # "terkini.rss"
    media_type: str
    etag: str
    last_modified: int  # Unix seconds
    private: bool  # for partners only
    sheet: Sheet

    def document(self) -> Document:
        """Joined, as it is kept on disk."""
        return Document(
            name=self.name,
            media_type=self.media_type,
            etag=self.etag,
            last_modified=self.last_modified,
            private=self.private,
            plain=self.sheet.plain(),
            gzipped=self.sheet.gzipped(),
        )


class Printer:
    """The documents of the feeds as they stand in the database."""

    def __init__(self, press: Press) -> None:
        self._press = press
        self._states: dict[str, FeedState] = {}
        self._lines: dict[str, tuple[str, ...]] = {}
        self._frames: dict[tuple[str, str], tuple[tuple[tuple[Tombstone, ...], str], Frame]] = {}
        # By format, then by line of a manifest; None: the format can't write this one.
        self._entries: dict[str, dict[str, Piece | None]] = {one.name: {} for one in press.formats}

    async def news(self, db: Database) -> list[Print]:
        """What changed since it was asked last; the first time, everything."""
        async with db.read() as connection:
            changed = [name for name, state in (await feeds.states(connection)).items() if self._is_news(name, state)]
            found = await feeds.manifests(connection, changed) if changed else {}
            for one in self._press.formats:
                await self._take_in(connection, one, found.values())
        news = [one for manifest in found.values() for one in self._prints(manifest)]
        for name, manifest in found.items():  # known only now that all of them could be laid out
            self._states[name], self._lines[name] = manifest.state, manifest.lines
        self._forget_unused()
        return news

    def _is_news(self, name: str, state: FeedState) -> bool:
        """Whether there is something to take in. What was published for another configuration waits for its rebuild."""
        if state.shape != self._press.shapes.get(name):
            return False
        known = self._states.get(name)
        return known is None or (known.manifest, known.updated_at) != (state.manifest, state.updated_at)

    def _formats(self, manifest: Manifest) -> list[Format]:
        return self._press.formats_of(self._press.by_name[manifest.state.name])

    async def _take_in(self, connection: AsyncConnection, one: Format, found: Iterable[Manifest]) -> None:
        """Reads the entries that aren't in memory yet."""
        entries = self._entries[one.name]
        new = {line for manifest in found if one in self._formats(manifest) for line in manifest.lines} - entries.keys()
        if not new:
            return
        keys = {line: entry_key(line) for line in new}
        kept = await feeds.kept_fragments(connection, kept_flavour(one, self._press.site), keys.values())
        pieces = {(fragment.article_id, fragment.seq): Piece(fragment.body, fragment.squeezed) for fragment in kept}
        entries.update((line, pieces.get(key)) for line, key in keys.items())

    def _prints(self, manifest: Manifest) -> Iterator[Print]:
        state, feed = manifest.state, self._press.by_name[manifest.state.name]
        changed = int(state.updated_at.timestamp())
        newest = max(last_modified(manifest.lines), *(int(one.when.timestamp()) for one in manifest.gone), 0)
        updated = datetime.fromtimestamp(newest or changed, UTC)
        for one in self._press.formats_of(feed):
            entries = self._entries[one.name]
            pieces = [piece for line in manifest.lines if (piece := entries[line]) is not None]
            yield Print(
                name=f"{feed.name}.{one.name}",
                media_type=one.media_type,
                etag=state.manifest,
                last_modified=changed,
                private=bool(feed.partners),
                sheet=self._frame(one, feed, manifest).sheet(pieces, updated=updated),
            )

    def _frame(self, one: Format, feed: Feed, manifest: Manifest) -> Frame:
        """The frame as it was prepared last, or anew when other tombstones or another archive are named in it."""
        key, around = (one.name, feed.name), (manifest.gone, manifest.archive)
        kept = self._frames.get(key)
        if kept is None or kept[0] != around:
            frame = Frame(one, feed, self._press.site, gone=manifest.gone, archive=manifest.archive)
            kept = self._frames[key] = (around, frame)
        return kept[1]

    def _forget_unused(self) -> None:
        """Drops entries that no manifest names any more, now and then."""
        used = {line for lines in self._lines.values() for line in lines}
        for entries in self._entries.values():
            if len(entries) > 2 * len(used) + _SPARE:
                for line in entries.keys() - used:
                    del entries[line]


async def keep_files(press: Press, prints: Iterable[Print]) -> None:
    """Writes what isn't kept yet, each file in one step, and takes off those of feeds that are configured no longer."""
    await asyncio.to_thread(_keep_files, press, list(prints))


def _keep_files(press: Press, prints: Iterable[Print]) -> None:
    for one in prints:
        kept = files.read_document(press.folder, one.name)
        if kept is None or (kept.etag, kept.last_modified) != (one.etag, one.last_modified):
            files.write_document(press.folder, one.document())
    wanted = {f"{feed.name}.{one.name}" for feed in press.feeds for one in press.formats_of(feed)}
    for name in set(files.document_names(press.folder)) - wanted:
        files.remove_document(press.folder, name)
    archived = {feed.name for feed in press.feeds if feed.has_archives}
    for name in files.document_names(press.archives):
        if files.feed_of_archive(name) not in archived:
            files.remove_document(press.archives, name)
