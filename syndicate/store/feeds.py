"""Which articles each feed holds, and articles as bytes, made once per change."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Table, delete, not_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.feed import Tombstone
from syndicate.domain.manifest import entry_key, marks_of, seqs_of
from syndicate.store.articles import by_ids
from syndicate.store.db import records, upsert_all
from syndicate.store.sets import among, by_code_point
from syndicate.store.tables import articles, feed_entries, feed_lines, feeds, fragments, quarantine, to_instant

_ADVANCE = {
    "sqlite": "UPDATE feeds SET manifest = ?, updated_at = ?, lines = ? WHERE name = ?",
    "postgresql": "UPDATE feeds SET manifest = %s, updated_at = %s, lines = %s WHERE name = %s",
}
_STATE = ("name", "shape", "manifest", "updated_at", "published_at")


@dataclass(frozen=True, kw_only=True)
class FeedState:
    """A feed as last published."""

    name: str
    shape: str  # digest of its configuration; "" while it is being rebuilt
    manifest: str  # digest of the shape and the lines
    updated_at: datetime  # when it last showed something else than before
    published_at: datetime  # when it was last looked through, be it the same


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a feed shows: the lines of domain/manifest.py, tombstones, and the newest month it has an archive of."""

    state: FeedState
    lines: tuple[str, ...] = field(repr=False)
    gone: tuple[Tombstone, ...] = ()
    archive: str = ""


class Plain(NamedTuple):
    """The manifest of a feed that shows only stories which were never corrected or withdrawn, and has no tombstones."""

    name: str
    manifest: str
    updated_at: datetime
    lines: str  # marks of domain/manifest.py
    archive: str


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """One article in one format, plain and deflated."""

    flavour: str
    article_id: str
    seq: int
    body: bytes
    squeezed: bytes


@dataclass(frozen=True, kw_only=True)
class Quarantined:
    """An article that a format could not write."""

    article_id: str
    format: str
    seq: int
    problem: str
    at: datetime


async def states(connection: AsyncConnection) -> dict[str, FeedState]:
    """Every feed we have published, by name."""
    columns = [feeds.c[name] for name in _STATE]
    return {row.name: FeedState(**row._asdict()) for row in await connection.execute(select(*columns))}


async def shapes(connection: AsyncConnection, *, since: datetime) -> dict[str, tuple[str, bool]]:
    """Every feed we have published: in which shape, and whether it was looked through since."""
    query = select(feeds.c.name, feeds.c.shape, feeds.c.published_at > since)
    return {name: (shape, bool(fresh)) for name, shape, fresh in await connection.execute(query)}


async def manifests(connection: AsyncConnection, names: Iterable[str]) -> dict[str, Manifest]:
    """What these feeds show, by name. Lines that were dropped are left out: nobody publishes such a feed any more."""
    rows = (await connection.execute(select(feeds).where(among(connection, feeds.c.name, names)))).all()
    line_of = await lines(connection, {seq for row in rows for seq in seqs_of(row.lines)})
    found: dict[str, Manifest] = {}
    for name, shape, manifest, updated, published, marks, gone, archive in rows:
        state = FeedState(name=name, shape=shape, manifest=manifest, updated_at=updated, published_at=published)
        shown = tuple(filter(None, map(line_of.get, seqs_of(marks))))
        found[name] = Manifest(state=state, lines=shown, gone=tuple(map(_tombstone, gone)), archive=archive)
    return found


async def plain(connection: AsyncConnection, names: Iterable[str]) -> list[Plain]:
    """Those of these feeds in whose manifests nothing is odd and nothing is buried."""
    columns = [feeds.c[name] for name in Plain._fields]
    found = among(connection, feeds.c.name, names), feeds.c.gone == [], not_(feeds.c.lines.contains("~"))
    return [Plain(*row) for row in await connection.execute(select(*columns).where(*found))]


async def lines(connection: AsyncConnection, seqs: Iterable[str]) -> dict[str, str]:
    """The lines that manifests name, by their seqs as text."""
    query = select(feed_lines.c.seq, feed_lines.c.line)
    kept = await records(connection, query.where(among(connection, feed_lines.c.seq, map(int, seqs))))
    return {str(seq): line for seq, line in kept}


async def shown(connection: AsyncConnection, name: str, *, limit: int | None = None) -> list[Article]:
    """The articles that a feed shows, newest first: all, or the first `limit`."""
    found = (await manifests(connection, [name])).get(name)
    ids = [entry_key(line)[0] for line in found.lines[:limit]] if found else []
    held = await by_ids(connection, ids)
    return [held[identifier] for identifier in ids]


async def save(connection: AsyncConnection, published: Iterable[Manifest]) -> None:
    """Writes down what was published. Lines that are new in it must be kept too, by `keep_lines`."""
    rows = [
        (
            *(one.state.name, one.state.shape, one.state.manifest),
            *(to_instant(one.state.updated_at), to_instant(one.state.published_at)),
            *(marks_of(one.lines), _records(one.gone), one.archive),
        )
        for one in published
    ]
    await _upsert_rows(connection, feeds, rows)


async def save_plain(connection: AsyncConnection, published: Iterable[Plain]) -> None:
    """Writes down what was published of feeds that were not looked through."""
    rows = [(one.manifest, to_instant(one.updated_at), one.lines, one.name) for one in published]
    if rows:
        await connection.exec_driver_sql(_ADVANCE[connection.dialect.name], rows)


async def keep_lines(connection: AsyncConnection, lines: Iterable[str]) -> None:
    """Keeps lines of manifests. One that is there already may say something else: the site was changed."""
    await _upsert_rows(connection, feed_lines, [(entry_key(line)[1], line) for line in lines])


async def put_entries(connection: AsyncConnection, held: Mapping[str, Iterable[Article]]) -> None:
    """Adds articles that feeds hold, by feed; one that is there already may have moved in the order."""
    rows = [(article.id, feed, to_instant(article.sort_at)) for feed, listed in held.items() for article in listed]
    await _upsert_rows(connection, feed_entries, rows)


async def remove_entries(connection: AsyncConnection, feed: str, article_ids: Iterable[str]) -> None:
    """Takes out articles that a feed holds no longer."""
    gone = among(connection, feed_entries.c.article_id, article_ids)
    await connection.execute(delete(feed_entries).where(feed_entries.c.feed == feed, gone))


async def clear_entries(connection: AsyncConnection, names: Iterable[str]) -> None:
    """Forgets what feeds hold, before they are rebuilt. Their shape goes too: a broken-off rebuild begins anew."""
    listed = list(names)
    await connection.execute(delete(feed_entries).where(among(connection, feed_entries.c.feed, listed)))
    await connection.execute(update(feeds).where(among(connection, feeds.c.name, listed)).values(shape=""))


async def forget(connection: AsyncConnection, names: Iterable[str]) -> None:
    """Drops feeds that are no longer configured. Kept, they would come back without what happened meanwhile."""
    listed = list(names)
    await connection.execute(delete(feed_entries).where(among(connection, feed_entries.c.feed, listed)))
    await connection.execute(delete(feeds).where(among(connection, feeds.c.name, listed)))


async def holding(connection: AsyncConnection, article_ids: Iterable[str]) -> set[tuple[str, str]]:
    """(feed, article id) for every feed that holds one of these articles."""
    query = select(feed_entries.c.feed, feed_entries.c.article_id)
    rows = await connection.execute(query.where(among(connection, feed_entries.c.article_id, article_ids)))
    return {(row.feed, row.article_id) for row in rows}


async def candidates(
    connection: AsyncConnection, feed: str, *, limit: int, loud_since: datetime, without: Iterable[str] = ()
) -> list[Article]:
    """Enough of a feed's articles to choose its document from: the newest published ones and the loud ones.

    `without` are ids of those that are about to leave it.
    """
    held = select(feed_entries.c.article_id).join(articles, articles.c.id == feed_entries.c.article_id)
    held = held.where(feed_entries.c.feed == feed, not_(among(connection, feed_entries.c.article_id, without)))
    newest = held.where(articles.c.state == ArticleState.PUBLISHED.value)
    newest = newest.order_by(*_feed_order(connection)).limit(limit)
    loud = held.where(articles.c.loud_at >= loud_since)
    ids = {row.article_id for query in (newest, loud) for row in await connection.execute(query)}
    return list((await by_ids(connection, ids)).values())


def _feed_order(connection: AsyncConnection) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Newest first, as `domain/manifest.py` puts lines in order."""
    return feed_entries.c.sort_at.desc(), by_code_point(connection, feed_entries.c.article_id).desc()


async def have_fragments(connection: AsyncConnection, seqs: Mapping[str, int]) -> set[tuple[str, str]]:
    """In which flavours the bytes of these articles (seq by id) are kept: (flavour, id)."""
    query = select(fragments.c.flavour, fragments.c.article_id, fragments.c.seq)
    rows = await connection.execute(query.where(among(connection, fragments.c.article_id, seqs)))
    return {(row.flavour, row.article_id) for row in rows if row.seq == seqs[row.article_id]}


async def held_between(
    connection: AsyncConnection, feed: str, *, start: datetime, end: datetime
) -> list[tuple[str, int]]:
    """What the feed holds of start ≤ feed order < end, newest first: (article id, seq)."""
    query = select(feed_entries.c.article_id, articles.c.seq).join(articles, articles.c.id == feed_entries.c.article_id)
    within = feed_entries.c.feed == feed, feed_entries.c.sort_at >= start, feed_entries.c.sort_at < end
    found = await connection.execute(query.where(*within).order_by(*_feed_order(connection)))
    return [(row.article_id, row.seq) for row in found]


async def nearest(
    connection: AsyncConnection, feed: str, *, before: datetime | None = None, since: datetime | None = None
) -> datetime | None:
    """The feed order of the newest story before a moment, or of the oldest one since a moment; None: there is none."""
    at = feed_entries.c.sort_at
    side = at < before if before is not None else at >= since
    order = at.desc() if before is not None else at
    found: datetime | None = await connection.scalar(
        select(at).where(feed_entries.c.feed == feed, side).order_by(order).limit(1)
    )
    return found


async def kept_fragments(connection: AsyncConnection, flavour: str, keys: Iterable[tuple[str, int]]) -> list[Fragment]:
    """The bytes of these (article id, seq) in this flavour, as far as they are kept."""
    wanted = set(keys)
    query = select(fragments).where(fragments.c.flavour == flavour)
    ids = {identifier for identifier, _ in wanted}
    rows = await connection.execute(query.where(among(connection, fragments.c.article_id, ids)))
    return [Fragment(**row._asdict()) for row in rows if (row.article_id, row.seq) in wanted]


async def keep_fragments(connection: AsyncConnection, made: Iterable[Fragment]) -> None:
    """Keeps bytes of articles. What is there already is the same."""
    rows = [(one.article_id, one.flavour, one.seq, one.body, one.squeezed) for one in made]
    await _upsert_rows(connection, fragments, rows)


async def drop_earlier(connection: AsyncConnection, article_ids: Iterable[str], seqs: Iterable[int]) -> None:
    """Drops the lines and bytes of earlier states of these articles, once no manifest names them any more."""
    listed = list(seqs)
    if not listed:
        return
    old = among(connection, fragments.c.article_id, article_ids), among(connection, fragments.c.seq, listed)
    await connection.execute(delete(fragments).where(*old))
    await connection.execute(delete(feed_lines).where(among(connection, feed_lines.c.seq, listed)))


async def drop_other_flavours(connection: AsyncConnection, flavours: Iterable[str]) -> None:
    """Drops what was made by earlier releases or for another public address."""
    await connection.execute(delete(fragments).where(not_(among(connection, fragments.c.flavour, flavours))))


async def put_quarantines(connection: AsyncConnection, found: Iterable[Quarantined]) -> None:
    """Notes what formats could not write."""
    await upsert_all(connection, quarantine, ("article_id", "format"), [vars(one) for one in found])


async def lift_quarantines(connection: AsyncConnection, fit: Iterable[tuple[str, str]]) -> None:
    """These (article id, format) can be written again."""
    listed = set(fit)
    query = select(quarantine.c.article_id, quarantine.c.format)
    rows = await connection.execute(
        query.where(among(connection, quarantine.c.article_id, {name for name, _ in listed}))
    )
    for row in rows:
        if (row.article_id, row.format) in listed:
            of_it = quarantine.c.article_id == row.article_id, quarantine.c.format == row.format
            await connection.execute(delete(quarantine).where(*of_it))


async def quarantined(connection: AsyncConnection, *, article_id: str | None = None) -> list[Quarantined]:
    """What formats could not write, newest first, at most 500: of all articles, or of one."""
    query = select(quarantine).order_by(quarantine.c.at.desc()).limit(500)
    rows = await connection.execute(query if article_id is None else query.where(quarantine.c.article_id == article_id))
    return [Quarantined(**row._asdict()) for row in rows]


async def _upsert_rows(connection: AsyncConnection, table: Table, rows: Sequence[tuple[object, ...]]) -> None:
    """Writes whole rows, whether or not their keys are there already. Their values are what the driver takes.

    It goes past SQLAlchemy, which takes ten times longer to hand over two hundred rows than the database to write them.
    """
    if rows:
        await connection.exec_driver_sql(_upsert(table, connection.dialect.name), list(rows))


@cache
def _upsert(table: Table, dialect: str) -> str:
    names, key = [column.name for column in table.columns], table.primary_key.columns.keys()
    marks = ", ".join(["?" if dialect == "sqlite" else "%s"] * len(names))
    changed = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key)
    insert = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608  # names of our own
    return f"{insert} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"


def _records(gone: Sequence[Tombstone]) -> str:
    return json.dumps([_record(one) for one in gone], ensure_ascii=False) if gone else "[]"


def _record(tombstone: Tombstone) -> dict[str, str]:
    times = {"when": tombstone.when.isoformat(), "withdrawn_at": tombstone.withdrawn_at.isoformat()}
    return {"ref": tombstone.ref, "note": tombstone.note, "language": tombstone.language} | times


def _tombstone(record: Mapping[str, str]) -> Tombstone:
    times = {name: datetime.fromisoformat(record[name]) for name in ("when", "withdrawn_at")}
    return Tombstone(ref=record["ref"], note=record["note"], language=record["language"], **times)
