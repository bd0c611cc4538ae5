"""Change log → feed documents.

Reads on from the feeds' place in the change log, works out which feeds hold or held what changed, and writes their
documents as whole files. An article that a format can't write is quarantined; the feed goes on without it.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from syndicate.domain.article import Article
from syndicate.domain.feed import CORRECTIONS_STAY, Feed, Site, choose_entries
from syndicate.formats.pack import gzip_document, kept_flavour, squeeze
from syndicate.formats.wording import wording
from syndicate.ports import Format
from syndicate.store import articles, changes, feeds, files, jobs
from syndicate.store.db import Database
from syndicate.store.feeds import FeedState, Fragment, Quarantined
from syndicate.store.files import Document

CURSOR = "publish"
STALE = timedelta(hours=24)  # then a feed is printed again: corrections leave it after 30 days
_PAGE = 200  # articles read at once when a feed is rebuilt
_SPAN = 2000  # changes read at once


@dataclass(kw_only=True)
class PublishReport:
    """Which documents were written, and which articles could not be."""

    documents: list[str] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Press:
    """What feeds are printed with."""

    site: Site
    feeds: tuple[Feed, ...]
    formats: tuple[Format, ...]
    folder: Path

    def formats_of(self, feed: Feed) -> list[Format]:
        """The formats a feed is offered in."""
        return [one for one in self.formats if one.name in feed.formats]


async def publish_feeds(db: Database, press: Press, *, now: datetime) -> PublishReport:
    """Brings every feed up to the end of the change log."""
    report = PublishReport()
    async with db.read() as connection:
        states = await feeds.states(connection)
        head = await changes.head(connection)
        place = await changes.cursor(connection, CURSOR) or 0
    for feed in press.feeds:
        if feed.name not in states or states[feed.name].shape != _shape(feed, press):
            await _rebuild(db, feed)
    touched = await _apply_changes(db, press.feeds, after=place, upto=head)
    for feed in press.feeds:
        state = states.get(feed.name)
        if feed.name in touched or await _must_print(feed, state, press, now=now):
            gone = touched.get(feed.name, frozenset())
            printed = await _print(db, feed, press, state, report, gone=gone, now=now)
            async with db.write() as connection:  # a story leaves together with the note that it isn't shown any more
                await feeds.remove_entries(connection, feed.name, gone)
                await feeds.save(connection, printed)
    async with db.write() as connection:
        await feeds.forget(connection, states.keys() - {feed.name for feed in press.feeds})
        await changes.move_cursor(connection, CURSOR, head)
    await asyncio.to_thread(_remove_others, press)
    return report


async def ask_for_printing(db: Database, press: Press, *, now: datetime) -> None:
    """For a start: another configuration, or a lost or damaged document, is no change that anybody else would tell."""
    async with db.read() as connection:
        states = await feeds.states(connection)
        empty = await changes.head(connection) == 0
    if empty:
        return
    for feed in press.feeds:
        if await _must_print(feed, states.get(feed.name), press, now=now):
            async with db.write() as connection:
                await jobs.add(connection, lane="work", kind="publish", key="publish", ref={}, now=now)
            return


async def _must_print(feed: Feed, state: FeedState | None, press: Press, *, now: datetime) -> bool:
    """True for a feed whose documents are not as they should be, although none of its articles changed."""
    if state is None or state.shape != _shape(feed, press) or now - state.published_at >= STALE:
        return True
    return not await asyncio.to_thread(_all_whole, press.folder, _document_names(feed, press))


def _all_whole(folder: Path, names: Iterable[str]) -> bool:
    return all(files.read_document(folder, name) is not None for name in names)


async def _rebuild(db: Database, feed: Feed) -> None:
    """Walks through all articles once, when a feed is new or anything that shapes it was changed."""
    async with db.write() as connection:
        await feeds.clear_entries(connection, feed.name)
    after = ""
    while True:
        async with db.read() as connection:
            page = await articles.after(connection, after, limit=_PAGE)
        if not page:
            return
        async with db.write() as connection:
            await feeds.put_entries(connection, feed.name, [a for a in page if feed.selection.holds(a)])
        after = page[-1].id


async def _apply_changes(
    db: Database, all_feeds: Sequence[Feed], *, after: int, upto: int
) -> dict[str, frozenset[str]]:
    """Puts changed articles into feeds. Returns the feeds that hold or held one of them, each with the ids that leave.

    These stay in the list until the feed is printed without them: after a crash they are found again.
    """
    touched: dict[str, frozenset[str]] = {}
    while after < upto:
        async with db.read() as connection:
            span = await changes.span(connection, after, upto, _SPAN)
            ids = {change.article_id for change in span}
            changed = list((await articles.by_ids(connection, ids)).values())
            before = await feeds.holding(connection, ids)
        for feed in all_feeds:
            held = [article for article in changed if feed.selection.holds(article)]
            held_ids = {article.id for article in held}
            gone = {i for name, i in before if name == feed.name} - held_ids
            if held or gone:
                touched[feed.name] = (touched.get(feed.name, frozenset()) - held_ids) | gone
                async with db.write() as connection:
                    await feeds.put_entries(connection, feed.name, held)
        after = span[-1].seq if span else upto
    return touched


async def _print(
    db: Database,
    feed: Feed,
    press: Press,
    before: FeedState | None,
    report: PublishReport,
    *,
    gone: frozenset[str],
    now: datetime,
) -> FeedState:
    """Writes one feed's documents; returns what they show, to be saved."""
    since = now - CORRECTIONS_STAY
    async with db.read() as connection:
        candidates = await feeds.candidates(connection, feed.name, limit=feed.limit, loud_since=since, without=gone)
    entries = choose_entries(feed, candidates, now=now)
    state = FeedState(
        name=feed.name,
        shape=_shape(feed, press),
        manifest=_digest([f"{article.id}@{article.seq}" for article in entries]),
        updated_at=now,
        published_at=now,
    )
    state = replace(state, updated_at=_last_change(before, state))
    dates = [at for article in entries if (at := _modified(article, press.site)) is not None]
    updated = max(dates, default=state.updated_at)
    for one in press.formats_of(feed):
        fragments = await _fragments(db, entries, one, press.site, report, now=now)
        document = _document(feed, one, press, fragments, updated=updated, changed=state.updated_at)
        await asyncio.to_thread(files.write_document, press.folder, document)
        report.documents.append(document.name)
    return state


def _last_change(before: FeedState | None, after: FeedState) -> datetime:
    """When what a feed shows last changed: a reprint of the same doesn't move it, and it never goes back."""
    if before is None:
        return after.updated_at
    if (before.shape, before.manifest) == (after.shape, after.manifest):
        return before.updated_at
    return max(before.updated_at, after.updated_at)


def _modified(article: Article, site: Site) -> datetime | None:
    """When readers must look at an entry again; None for one that no format can write."""
    try:
        return wording(article, site).modified
    except ValueError:
        return None


async def _fragments(
    db: Database, entries: Sequence[Article], one: Format, site: Site, report: PublishReport, *, now: datetime
) -> list[Fragment]:
    """Every entry as bytes, in order: kept ones, and the missing ones made now."""
    flavour = kept_flavour(one, site)
    async with db.read() as connection:
        kept = await feeds.kept_fragments(connection, flavour, entries)
    made, bad = _make([article for article in entries if article.id not in kept], one, site, now=now)
    async with db.write() as connection:
        for fragment in made:
            await feeds.keep_fragment(connection, flavour, fragment)
        for found in bad:
            await feeds.put_quarantine(connection, found)
        await feeds.lift_quarantine(connection, one.name, [fragment.article_id for fragment in made])
    report.quarantined.extend(bad)
    kept |= {fragment.article_id: fragment for fragment in made}
    return [kept[article.id] for article in entries if article.id in kept]


def _make(
    missing: Iterable[Article], one: Format, site: Site, *, now: datetime
) -> tuple[list[Fragment], list[Quarantined]]:
    made: list[Fragment] = []
    bad: list[Quarantined] = []
    for article in missing:
        try:
            body = one.fragment(article, site)
        except ValueError as error:
            problem = f"{article.content.title!r} can't be written as {one.name}: {error}"
            bad.append(Quarantined(article_id=article.id, format=one.name, seq=article.seq, problem=problem, at=now))
        else:
            made.append(Fragment(article_id=article.id, seq=article.seq, body=body, squeezed=squeeze(body)))
    return made, bad


def _document(
    feed: Feed, one: Format, press: Press, fragments: Sequence[Fragment], *, updated: datetime, changed: datetime
) -> Document:
    """Joins the document and its gzip from kept pieces; the ETag names the manifest, not the bytes.

    `updated` is the newest date of an entry, `changed` when the feed last showed something else: a back-dated story
    and one that leaves don't move the first, but who asks with If-Modified-Since must not hear that nothing happened.
    """
    bodies = [fragment.body for fragment in fragments]
    parts = one.parts(feed, press.site, bodies, updated=updated)
    plain = b"".join(parts)
    squeezed = {fragment.body: fragment.squeezed for fragment in fragments}
    manifest = [f"{fragment.article_id}@{fragment.seq}" for fragment in fragments]
    return Document(
        name=f"{feed.name}.{one.name}",
        media_type=one.media_type,
        etag=_digest([kept_flavour(one, press.site), _shape(feed, press), updated.isoformat(), *manifest]),
        last_modified=int(changed.timestamp()),
        plain=plain,
        gzipped=gzip_document(plain, (squeezed.get(part) or squeeze(part) for part in parts)),
    )


def _shape(feed: Feed, press: Press) -> str:
    """Digest of everything in the configuration that shapes a feed's documents."""
    flavours = [kept_flavour(one, press.site) for one in press.formats_of(feed)]
    return _digest([_plain(asdict(feed)), _plain(asdict(press.site)), *flavours])


def _plain(record: object) -> str:
    """A record as text that is the same in every process: sets have no order of their own."""
    if isinstance(record, dict):
        return "{" + ",".join(f"{key}:{_plain(value)}" for key, value in record.items()) + "}"
    if isinstance(record, frozenset):
        return _plain(sorted(record))
    return repr(record)


def _digest(parts: Iterable[str]) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def _document_names(feed: Feed, press: Press) -> list[str]:
    return [f"{feed.name}.{one.name}" for one in press.formats_of(feed)]


def _remove_others(press: Press) -> None:
    """Takes documents off whose feed or format is no longer configured."""
    wanted = {name for feed in press.feeds for name in _document_names(feed, press)}
    for name in set(files.document_names(press.folder)) - wanted:
        files.remove_document(press.folder, name)
