"""Change log → the manifests of feeds, and the entries they are joined from.

Reads on from the feeds' place in the change log, works out which feeds hold or held what changed, and writes what these
show now: one row a feed, in the same transaction as the changed entries and the place in the log. The documents are
joined from that (see printing.py). An article that a format can't write is quarantined; the feed goes on without it.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article
from syndicate.domain.feed import (
    CORRECTIONS_STAY,
    TOMBSTONES_STAY,
    Feed,
    Site,
    Tombstone,
    choose_tombstones,
    month_of,
    month_span,
)
from syndicate.domain.manifest import (
    choose,
    entry_line,
    frees_a_place,
    is_plain,
    line_of,
    marks_of,
    newest_of,
    put_on_top,
)
from syndicate.domain.selection import SelectionIndex
from syndicate.formats.pack import kept_flavour, squeeze
from syndicate.formats.wording import wording
from syndicate.ports import Format
from syndicate.store import articles, changes, feeds, jobs
from syndicate.store.db import Database
from syndicate.store.feeds import FeedState, Fragment, Manifest, Plain, Quarantined

CURSOR = "publish"
FRAME = "1"  # raise it when a release writes something else around the entries: ETags and files must not stay the same
STALE = timedelta(hours=24)  # then a feed is looked through again: corrections leave it after 30 days
_PAGE = 200  # articles read at once when a feed is rebuilt
_SPAN = 200  # changes taken up in one transaction
_AT_ONCE = 50  # entries made in the loop; more of them are made beside it


@dataclass(kw_only=True)
class PublishReport:
    """Which feeds show something else now, and which articles could not be written."""

    feeds: list[str] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Press:
    """What feeds are made with. `folder` is where their documents are kept besides the database."""

    site: Site
    feeds: tuple[Feed, ...]
    formats: tuple[Format, ...]
    folder: Path

    @property
    def archives(self) -> Path:
        """Where the archives of feeds lie that somebody has asked for."""
        return self.folder / "archives"

    def formats_of(self, feed: Feed) -> list[Format]:
        """The formats a feed is offered in."""
        return [one for one in self.formats if one.name in feed.formats]

    @cached_property
    def by_name(self) -> Mapping[str, Feed]:
        """The feeds."""
        return {feed.name: feed for feed in self.feeds}

    @cached_property
    def index(self) -> SelectionIndex:
        """Finds the feeds that hold an article."""
        return SelectionIndex({feed.name: feed.selection for feed in self.feeds})

    @cached_property
    def shapes(self) -> Mapping[str, str]:
        """By feed, a digest of everything in the configuration that shapes its documents."""
        return {feed.name: self._shape(feed) for feed in self.feeds}

    def _shape(self, feed: Feed) -> str:
        flavours = [kept_flavour(one, self.site) for one in self.formats_of(feed)]
        site = {name: value for name, value in vars(self.site).items() if name != "phrases"}  # the flavours tell those
        return digest([FRAME, _plain(asdict(feed)), _plain(site), *flavours])


@dataclass(frozen=True, kw_only=True)
class _Changed:
    """A part of the change log, and which feeds it is about."""

    upto: int
    articles: Mapping[str, Article]  # as they stand now
    lines: Mapping[str, str]  # of manifests, by article id
    held: Mapping[str, Sequence[Article]]  # by feed
    held_before: set[tuple[str, str]]  # (feed, article id)
    gone: Mapping[str, set[str]]  # by feed, ids of articles that it holds no longer
    earlier: Sequence[int]  # the seqs under which the articles stood before

    @property
    def feeds(self) -> set[str]:
        """Those that hold or held one of the articles."""
        return {*self.held, *self.gone}


@dataclass(kw_only=True)
class _LaidOut:
    """What the touched feeds show now, as far as it is something else, by name."""

    topped: dict[str, Plain] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    articles: dict[str, Article] = field(default_factory=dict)  # what may be new in them, by its line
    new: dict[str, set[str]] = field(default_factory=dict)  # names of the formats that show it, by its line

    def show(self, feed: Feed, lines: Iterable[str]) -> None:
        """These lines are new in the feed."""
        for line in lines:
            self.new.setdefault(line, set()).update(feed.formats)


async def publish_feeds(db: Database, press: Press, *, now: datetime) -> PublishReport:
    """Brings every feed up to the end of the change log."""
    report = PublishReport()
    async with db.read() as connection:
        known = await feeds.shapes(connection, since=now - STALE)
        place, head = await changes.unread(connection, CURSOR)
    whole = {name for name, shape in press.shapes.items() if known.get(name) != (shape, True)}
    await _rebuild(db, press, {name for name in whole if name not in known or known[name][0] != press.shapes[name]})
    while place < head or whole:
        place = await _publish_span(db, press, whole, report, after=place, upto=head, now=now)
        whole = set()
    if removed := known.keys() - press.by_name.keys():
        async with db.write() as connection:
            await feeds.forget(connection, removed)
    return report


async def ask_for_publishing(db: Database, press: Press, *, now: datetime) -> None:
    """For a start: another configuration is no change that anybody else would tell."""
    async with db.read() as connection:
        known = await feeds.shapes(connection, since=now - STALE)
        empty = await changes.head(connection) == 0
    if not empty and any(known.get(name) != (shape, True) for name, shape in press.shapes.items()):
        async with db.write() as connection:
            await jobs.add(connection, lane="work", kind="publish", key="publish", ref={}, now=now)


async def _rebuild(db: Database, press: Press, names: set[str]) -> None:
    """Walks through all articles once, when feeds are new or anything that shapes them was changed."""
    if not names:
        return
    async with db.write() as connection:
        await feeds.clear_entries(connection, names)
        await feeds.drop_other_flavours(connection, [kept_flavour(one, press.site) for one in press.formats])
    after = ""
    while True:
        async with db.read() as connection:
            page = await articles.after(connection, after, limit=_PAGE)
        if not page:
            return
        held = _by_feed(press, page)
        async with db.write() as connection:
            await feeds.put_entries(connection, {name: held[name] for name in names & held.keys()})
        after = page[-1].id


def _by_feed(press: Press, listed: Iterable[Article]) -> dict[str, list[Article]]:
    held: dict[str, list[Article]] = {}
    for article in listed:
        for name in press.index.holding(article):
            held.setdefault(name, []).append(article)
    return held


async def _publish_span(
    db: Database, press: Press, whole: set[str], report: PublishReport, *, after: int, upto: int, now: datetime
) -> int:
    """Takes up the next changes, and the feeds of `whole` from the ground up. Returns the place that is reached."""
    async with db.read() as connection:
        changed = await _read_changes(connection, press, after=after, upto=upto)
        laid_out = await _lay_out(connection, press, changed, whole, now=now)
        missing = await _missing(connection, press, laid_out)
    made, bad = (
        await asyncio.to_thread(_make, missing, press, now=now)
        if len(missing) > _AT_ONCE
        else _make(missing, press, now=now)
    )
    names = {kept_flavour(one, press.site): one.name for one in press.formats}
    fit = {(fragment.article_id, names[fragment.flavour]) for fragment in made}
    async with db.write() as connection:
        if not await changes.move_on(connection, CURSOR, after=after, upto=changed.upto):
            return upto  # somebody else publishes, and has read on: what we laid out is of yesterday
        await feeds.put_entries(connection, changed.held)
        for name, gone in changed.gone.items():
            await feeds.remove_entries(connection, name, gone)
        await feeds.keep_fragments(connection, made)
        await feeds.put_quarantines(connection, bad)
        await feeds.lift_quarantines(connection, fit)
        await feeds.keep_lines(connection, laid_out.new)
        await feeds.save(connection, laid_out.manifests.values())
        await feeds.save_plain(connection, laid_out.topped.values())
        await feeds.drop_earlier(connection, changed.articles, changed.earlier)
    published = sorted({*laid_out.manifests, *laid_out.topped})
    if published:
        db.feeds_published.set()
    report.feeds.extend(name for name in published if name not in report.feeds)
    report.quarantined.extend(bad)
    return changed.upto


async def _read_changes(connection: AsyncConnection, press: Press, *, after: int, upto: int) -> _Changed:
    reached, seqs = await changes.touched(connection, after, upto, limit=_SPAN)
    found = await articles.by_ids(connection, seqs)
    held = _by_feed(press, found.values())
    held_before = await feeds.holding(connection, found)
    gone: dict[str, set[str]] = {}
    still = {(name, article.id) for name, listed in held.items() for article in listed}
    for name, identifier in held_before - still:
        if name in press.by_name:
            gone.setdefault(name, set()).add(identifier)
    return _Changed(
        upto=reached,
        articles=found,
        lines={name: _line(article, press.site) for name, article in found.items()},
        held=held,
        held_before=held_before,
        gone=gone,
        earlier=[seq for name, article in found.items() for seq in seqs[name] if seq < article.seq],
    )


async def _lay_out(
    connection: AsyncConnection, press: Press, changed: _Changed, whole: set[str], *, now: datetime
) -> _LaidOut:
    laid_out = _LaidOut(articles={changed.lines[name]: article for name, article in changed.articles.items()})
    await _put_on_top(connection, press, changed, changed.held.keys() - changed.gone.keys() - whole, laid_out, now=now)
    others = (changed.feeds | whole) - laid_out.topped.keys()
    before = await feeds.manifests(connection, others) if others else {}
    for name in sorted(others):
        former = before.get(name)
        after = None if former is None or name in whole else _with_changes(press, former, changed, now=now)
        if after is None:
            found = await _candidates(connection, press.by_name[name], changed, now=now)
            filling = {_line(article, press.site): article for article in found}
            laid_out.articles |= filling
            after = await _from_the_ground_up(connection, press, name, former, filling, now=now)
        if name in whole or former is None or after.state.manifest != former.state.manifest:
            laid_out.manifests[name] = after
            laid_out.show(press.by_name[name], laid_out.articles.keys() & after.lines)
    return laid_out


async def _put_on_top(
    connection: AsyncConnection,
    press: Press,
    changed: _Changed,
    names: Iterable[str],
    laid_out: _LaidOut,
    *,
    now: datetime,
) -> None:
    """Lays out those of these feeds for which the changes are only new stories on top: nothing else is looked at.

    They are not looked through: tombstones and archives still wait for that, however busy a feed is.
    """
    news = {name: lines for name in names if (lines := _on_top(press.by_name[name], changed))}
    found = await feeds.plain(connection, news) if news else []
    line_of = await feeds.lines(connection, {newest_of(one.lines) for one in found if one.lines})
    for one in found:
        feed, lines = press.by_name[one.name], news[one.name]
        if one.lines and line_of.get(newest_of(one.lines), lines[0]) >= lines[-1]:
            continue
        marks = put_on_top(one.lines, lines, limit=feed.limit)
        shown = digest([press.shapes[one.name], one.archive, marks])
        laid_out.topped[one.name] = one._replace(manifest=shown, updated_at=max(one.updated_at, now), lines=marks)
        laid_out.show(feed, lines)


def _on_top(feed: Feed, changed: _Changed) -> list[str]:
    """The lines of what the feed shows of the changes, newest first; none if one of them isn't new and plain."""
    held = changed.held[feed.name]
    lines = [changed.lines[article.id] for article in held]
    old = any((feed.name, article.id) in changed.held_before for article in held)
    return sorted(lines, reverse=True)[: feed.limit] if not old and all(map(is_plain, lines)) else []


def _with_changes(press: Press, former: Manifest, changed: _Changed, *, now: datetime) -> Manifest | None:
    """The manifest after the changes; None when others than the changed articles may come in too."""
    name = former.state.name
    buried = {tombstone.ref for tombstone in former.gone}
    if name in changed.gone or any(article.public_id in buried for article in changed.held[name]):
        return None
    lines = list(former.lines)
    for article in changed.held[name]:
        after = changed.lines[article.id]
        before = line_of(lines, article.id) if (name, article.id) in changed.held_before else None
        if frees_a_place(before, after):
            return None
        if before is not None:
            lines.remove(before)
        lines.insert(0, after)
    chosen = choose(lines, limit=press.by_name[name].limit, now=now)
    # It was not looked through: tombstones and archives still wait for that, however busy the feed is.
    looked_through = former.state.published_at
    return _manifest(press, name, former, chosen, former.gone, former.archive, now=now, looked_through=looked_through)


async def _candidates(
    connection: AsyncConnection, feed: Feed, changed: _Changed, *, now: datetime
) -> Iterable[Article]:
    """Enough of what the feed holds, with the changes, to choose its document from."""
    found = await feeds.candidates(
        connection,
        feed.name,
        limit=feed.limit,
        loud_since=now - CORRECTIONS_STAY - TOMBSTONES_STAY,
        without=changed.gone.get(feed.name, ()),
    )
    listed = {article.id: article for article in (*found, *changed.held.get(feed.name, ()))}
    return [article for article in listed.values() if feed.selection.holds(article)]


async def _from_the_ground_up(
    connection: AsyncConnection,
    press: Press,
    name: str,
    former: Manifest | None,
    filling: Mapping[str, Article],
    *,
    now: datetime,
) -> Manifest:
    feed, zone = press.by_name[name], press.site.timezone
    lines = choose(filling, limit=feed.limit, now=now)
    gone = tuple(choose_tombstones(feed, filling.values(), now=now))
    archive = ""
    if feed.has_archives:
        this_month, _ = month_span(month_of(now, zone=zone), zone=zone)
        newest = await feeds.nearest(connection, name, before=this_month)
        archive = month_of(newest, zone=zone) if newest else ""
    return _manifest(press, name, former, lines, gone, archive, now=now, looked_through=now)


def _line(article: Article, site: Site) -> str:
    try:
        return entry_line(article, modified=wording(article, site).modified)
    except ValueError:
        return entry_line(article, modified=None)


def _manifest(
    press: Press,
    name: str,
    former: Manifest | None,
    lines: tuple[str, ...],
    gone: tuple[Tombstone, ...],
    archive: str,
    *,
    now: datetime,
    looked_through: datetime,
) -> Manifest:
    shape = press.shapes[name]
    shown = digest([shape, archive, *map(repr, gone), marks_of(lines)])
    updated = _last_change(former, shown, now=now)
    state = FeedState(name=name, shape=shape, manifest=shown, updated_at=updated, published_at=looked_through)
    return Manifest(state=state, lines=lines, gone=gone, archive=archive)


def _last_change(before: Manifest | None, shown: str, *, now: datetime) -> datetime:
    """When what a feed shows last changed: looking through it doesn't move that, and it never goes back."""
    if before is None:
        return now
    return before.state.updated_at if before.state.manifest == shown else max(before.state.updated_at, now)


async def _missing(connection: AsyncConnection, press: Press, laid_out: _LaidOut) -> list[tuple[Article, Format]]:
    """The entries that nobody has made yet, article by article; only what is new can be among them."""
    articles = {line: laid_out.articles[line] for line in sorted(laid_out.new)}
    kept = await feeds.have_fragments(connection, {article.id: article.seq for article in articles.values()})
    return [
        (article, one)
        for line, article in articles.items()
        for one in press.formats
        if one.name in laid_out.new[line] and (kept_flavour(one, press.site), article.id) not in kept
    ]


def _make(
    missing: Iterable[tuple[Article, Format]], press: Press, *, now: datetime
) -> tuple[list[Fragment], list[Quarantined]]:
    made: list[Fragment] = []
    bad: list[Quarantined] = []
    for article, one in missing:
        name, seq, flavour = article.id, article.seq, kept_flavour(one, press.site)
        try:
            body = one.fragment(article, press.site)
        except ValueError as error:
            problem = f"{article.content.title!r} can't be written as {one.name}: {error}"
            bad.append(Quarantined(article_id=name, seq=seq, format=one.name, problem=problem, at=now))
        else:
            made.append(Fragment(flavour=flavour, article_id=name, seq=seq, body=body, squeezed=squeeze(body)))
    return made, bad


def _plain(record: object) -> str:
    """A record as text that is the same in every process: sets have no order of their own."""
    if isinstance(record, dict):
        return "{" + ",".join(f"{key}:{_plain(value)}" for key, value in record.items()) + "}"
    if isinstance(record, frozenset):
        return _plain(sorted(record))
    return repr(record)


def digest(parts: Iterable[str]) -> str:
    """A short name for what these say together."""
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
