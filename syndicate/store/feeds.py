"""Which articles each feed holds, and articles as bytes, made once per change."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, not_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article, ArticleState
from syndicate.store.articles import by_ids
from syndicate.store.db import upsert
from syndicate.store.sets import among
from syndicate.store.tables import articles, feed_entries, feeds, fragments, quarantine


@dataclass(frozen=True, kw_only=True)
class FeedState:
    """A feed as last printed."""

    name: str
    shape: str  # digest of its configuration; "" while it is being rebuilt
    manifest: str  # digest of the entries it shows
    updated_at: datetime  # when it last showed something else than before
    published_at: datetime  # when its documents were written, be they the same


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """One article in one format, plain and deflated."""

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
    """Every feed we have printed, by name."""
    return {row.name: FeedState(**row._asdict()) for row in await connection.execute(select(feeds))}


async def save(connection: AsyncConnection, state: FeedState) -> None:
    """Writes down what was printed."""
    values = {name: getattr(state, name) for name in ("shape", "manifest", "updated_at", "published_at")}
    await upsert(connection, feeds, {"name": state.name}, values)


async def put_entries(connection: AsyncConnection, feed: str, held: Iterable[Article]) -> None:
    """Adds articles that a feed holds; one that is there already may have moved in the order."""
    for article in held:
        key = {"feed": feed, "article_id": article.id}
        await upsert(connection, feed_entries, key, {"sort_at": article.sort_at})


async def remove_entries(connection: AsyncConnection, feed: str, article_ids: Iterable[str]) -> None:
    """Takes out articles that a feed holds no longer."""
    gone = among(connection, feed_entries.c.article_id, article_ids)
    await connection.execute(delete(feed_entries).where(feed_entries.c.feed == feed, gone))


async def clear_entries(connection: AsyncConnection, feed: str) -> None:
    """Forgets what a feed holds, before it is rebuilt. Its shape goes too: a rebuild that breaks off begins anew."""
    await connection.execute(delete(feed_entries).where(feed_entries.c.feed == feed))
    await connection.execute(update(feeds).where(feeds.c.name == feed).values(shape=""))


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


async def kept_fragments(connection: AsyncConnection, flavour: str, wanted: Iterable[Article]) -> dict[str, Fragment]:
    """The fragments of these articles that are still true, by article id."""
    seqs = {article.id: article.seq for article in wanted}
    query = select(fragments.c.article_id, fragments.c.seq, fragments.c.body, fragments.c.squeezed)
    query = query.where(fragments.c.flavour == flavour, among(connection, fragments.c.article_id, seqs))
    rows = await connection.execute(query)
    return {row.article_id: Fragment(**row._asdict()) for row in rows if row.seq == seqs[row.article_id]}


async def keep_fragment(connection: AsyncConnection, flavour: str, fragment: Fragment) -> None:
    """Keeps the newest bytes of an article in one format."""
    values = {"seq": fragment.seq, "body": fragment.body, "squeezed": fragment.squeezed}
    await upsert(connection, fragments, {"article_id": fragment.article_id, "flavour": flavour}, values)


async def put_quarantine(connection: AsyncConnection, found: Quarantined) -> None:
    """Notes that a format could not write an article."""
    values = {"seq": found.seq, "problem": found.problem, "at": found.at}
    await upsert(connection, quarantine, {"article_id": found.article_id, "format": found.format}, values)


async def lift_quarantine(connection: AsyncConnection, format_name: str, article_ids: Iterable[str]) -> None:
    """These can be written again."""
    fit = among(connection, quarantine.c.article_id, article_ids)
    await connection.execute(delete(quarantine).where(quarantine.c.format == format_name, fit))


async def quarantined(connection: AsyncConnection, *, article_id: str | None = None) -> list[Quarantined]:
    """What formats could not write, newest first, at most 500: of all articles, or of one."""
    query = select(quarantine).order_by(quarantine.c.at.desc()).limit(500)
    rows = await connection.execute(query if article_id is None else query.where(quarantine.c.article_id == article_id))
    return [Quarantined(**row._asdict()) for row in rows]
