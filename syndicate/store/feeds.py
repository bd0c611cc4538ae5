"""Which articles each feed holds, and articles as bytes, made once per change."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, not_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.feed import Tombstone
from syndicate.domain.manifest import entry_key
from syndicate.store.articles import by_ids
from syndicate.store.db import upsert_all
from syndicate.store.sets import among
from syndicate.store.tables import articles, feed_entries, feeds, fragments, quarantine

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
    """What these feeds show, by name."""
    found: dict[str, Manifest] = {}
    for row in await connection.execute(select(feeds).where(among(connection, feeds.c.name, names))):
        state = FeedState(**{name: getattr(row, name) for name in _STATE})
        lines = tuple(row.lines.split("\n")) if row.lines else ()
        gone = tuple(_tombstone(record) for record in row.gone)
        found[row.name] = Manifest(state=state, lines=lines, gone=gone, archive=row.archive)
    return found


async def shown(connection: AsyncConnection, name: str, *, limit: int | None = None) -> list[Article]:
    """The articles that a feed shows, newest first: all, or the first `limit`."""
    found = (await manifests(connection, [name])).get(name)
    ids = [entry_key(line)[0] for line in found.lines[:limit]] if found else []
    held = await by_ids(connection, ids)
    return [held[identifier] for identifier in ids]


async def save(connection: AsyncConnection, published: Iterable[Manifest]) -> None:
    """Writes down what was published."""
    rows = [
        {name: getattr(one.state, name) for name in _STATE}
        | {"lines": "\n".join(one.lines), "gone": [_record(tombstone) for tombstone in one.gone]}
        | {"archive": one.archive}
        for one in published
    ]
    await upsert_all(connection, feeds, ("name",), rows)


async def put_entries(connection: AsyncConnection, held: Mapping[str, Iterable[Article]]) -> None:
    """Adds articles that feeds hold, by feed; one that is there already may have moved in the order."""
    rows = [
        {"feed": feed, "article_id": article.id, "sort_at": article.sort_at}
        for feed, listed in held.items()
        for article in listed
    ]
    await upsert_all(connection, feed_entries, ("feed", "article_id"), rows)


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
    newest = newest.order_by(feed_entries.c.sort_at.desc(), feed_entries.c.article_id.desc()).limit(limit)
    loud = held.where(articles.c.loud_at >= loud_since)
    ids = {row.article_id for query in (newest, loud) for row in await connection.execute(query)}
    return list((await by_ids(connection, ids)).values())


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
    order = feed_entries.c.sort_at.desc(), feed_entries.c.article_id.desc()
    return [(row.article_id, row.seq) for row in await connection.execute(query.where(*within).order_by(*order))]


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
    await upsert_all(connection, fragments, ("article_id", "flavour", "seq"), [vars(fragment) for fragment in made])


async def drop_old_fragments(connection: AsyncConnection, article_ids: Iterable[str]) -> None:
    """Drops the bytes of earlier versions of these articles, once no manifest names them any more."""
    newer = fragments.alias()
    later = select(newer.c.seq).where(
        newer.c.article_id == fragments.c.article_id,
        newer.c.flavour == fragments.c.flavour,
        newer.c.seq > fragments.c.seq,
    )
    old = among(connection, fragments.c.article_id, article_ids), later.exists()
    await connection.execute(delete(fragments).where(*old))


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


def _record(tombstone: Tombstone) -> dict[str, str]:
    times = {"when": tombstone.when.isoformat(), "withdrawn_at": tombstone.withdrawn_at.isoformat()}
    return {"ref": tombstone.ref, "note": tombstone.note, "language": tombstone.language} | times


def _tombstone(record: Mapping[str, str]) -> Tombstone:
    times = {name: datetime.fromisoformat(record[name]) for name in ("when", "withdrawn_at")}
    return Tombstone(ref=record["ref"], note=record["note"], language=record["language"], **times)
