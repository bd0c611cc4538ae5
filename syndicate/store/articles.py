"""Articles, their versions and the names they go by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, Select, and_, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article, ArticleState, Content, Edit, Picture
from syndicate.domain.change import ChangeKind
from syndicate.domain.source import Media
from syndicate.store.db import insert_new, upsert
from syndicate.store.sets import among, by_code_point
from syndicate.store.tables import article_aliases, article_versions, articles, changes, media

_LONGEST_ALIAS = 700  # characters
_LOUD = (ChangeKind.CORRECTED.value, ChangeKind.WITHDRAWN.value)


async def known(connection: AsyncConnection, source: str, names: Iterable[str]) -> dict[str, str]:
    """Which of these keys and aliases are a story of this source already: name → article id."""
    asked = set(names)
    wanted = sorted({*asked, *map(_alias, asked)})
    by_key = select(articles.c.source_key, articles.c.id).where(
        articles.c.source == source, among(connection, articles.c.source_key, wanted)
    )
    by_alias = select(article_aliases.c.alias, article_aliases.c.article_id).where(
        article_aliases.c.source == source, among(connection, article_aliases.c.alias, wanted)
    )
    aliases = {row.alias: row.article_id for row in await connection.execute(by_alias)}
    found = {name: aliases[_alias(name)] for name in asked if _alias(name) in aliases}
    return found | {row.source_key: row.id for row in await connection.execute(by_key)}


async def get(connection: AsyncConnection, identifier: str) -> Article | None:
    """One article as it stands now."""
    found = await by_ids(connection, [identifier])
    return found.get(identifier)


async def lock(connection: AsyncConnection, identifiers: Iterable[str]) -> None:
    """Nobody else changes these stories until we commit: a source and the desk may want to at once."""
    held = select(articles.c.id).where(among(connection, articles.c.id, identifiers)).order_by(articles.c.id)
    await connection.execute(held.with_for_update())


async def by_ids(connection: AsyncConnection, identifiers: Iterable[str]) -> dict[str, Article]:
    """Articles as they stand now, by id."""
    rows = await connection.execute(_current().where(among(connection, articles.c.id, identifiers)))
    return {row.id: _article(row) for row in rows}


async def latest(connection: AsyncConnection, *, limit: int, source: str | None = None) -> list[Article]:
    """The newest articles in feed order."""
    query = _current().order_by(articles.c.sort_at.desc(), by_code_point(connection, articles.c.id).desc()).limit(limit)
    rows = await connection.execute(query if source is None else query.where(articles.c.source == source))
    return [_article(row) for row in rows]


async def published_since(
    connection: AsyncConnection,
    sources: Iterable[str],
    since: datetime,
    *,
    limit: int,
    below: tuple[datetime, str] | None = None,
) -> list[Article]:
    """Published articles of these sources that came in since, newest first, a page at a time.

    `below` is the place in feed order, and the id, of the last one of the page before.
    """
    picked = select(articles.c.id).where(
        among(connection, articles.c.source, sources),
        articles.c.sort_at >= since,
        articles.c.state == ArticleState.PUBLISHED.value,
    )
    identifier = by_code_point(connection, articles.c.id)
    if below is not None:
        picked = picked.where(tuple_(articles.c.sort_at, identifier) < below)
    order = articles.c.sort_at.desc(), identifier.desc()
    ids = picked.order_by(*order).limit(limit).scalar_subquery()
    rows = await connection.execute(_current().where(articles.c.id.in_(ids)).order_by(*order))
    return [_article(row) for row in rows]


async def after(connection: AsyncConnection, identifier: str, *, limit: int) -> list[Article]:
    """Every article, a page at a time, by id: what a rebuilt feed walks through."""
    query = _current().where(articles.c.id > identifier).order_by(articles.c.id).limit(limit)
    return [_article(row) for row in await connection.execute(query)]


async def at_cut(connection: AsyncConnection, identifiers: Iterable[str], cut: int) -> dict[str, Article]:
    """Articles as they stood after change number `cut`: version, state, note and correction by the changes up to it."""
    wanted = list(identifiers)
    upto = (
        select(changes)
        .where(among(connection, changes.c.article_id, wanted), changes.c.seq <= cut)
        .order_by(changes.c.seq)
    )
    found = (await connection.execute(upto)).all()
    standing = {row.article_id: row for row in found}
    loud = {row.article_id: row.at for row in found if row.kind in _LOUD}
    now = await by_ids(connection, standing)
    versions = await _contents(connection, {i: row.version for i, row in standing.items()})
    return {i: _as_of(now[i], standing[i], versions[i], loud.get(i)) for i in standing}


async def version(connection: AsyncConnection, identifier: str, number: int) -> Content | None:
    """What one version said."""
    return (await _contents(connection, {identifier: number})).get(identifier)


async def versions(connection: AsyncConnection, identifier: str) -> list[tuple[int, Edit, datetime, Content]]:
    """Every version of an article: number, edit class, when we saw it, what it said."""
    query = select(article_versions).where(article_versions.c.article_id == identifier)
    rows = await connection.execute(query.order_by(article_versions.c.version))
    return [(row.version, Edit(row.edit), row.seen_at, content_of(row.content)) for row in rows]


async def held_hash(connection: AsyncConnection, identifier: str) -> tuple[str, int]:
    """The hash of the newest version and the count of edits that left the dates alone."""
    query = select(article_versions.c.hash, articles.c.churn).join_from(
        articles,
        article_versions,
        and_(article_versions.c.article_id == articles.c.id, article_versions.c.version == articles.c.version),
    )
    row = (await connection.execute(query.where(articles.c.id == identifier))).one()
    return row.hash, row.churn


async def first_seen(connection: AsyncConnection, source: str) -> datetime | None:
    """When the source's first story came in."""
    query = select(articles.c.first_seen).where(articles.c.source == source).order_by(articles.c.first_seen).limit(1)
    found: datetime | None = await connection.scalar(query)
    return found


async def add(connection: AsyncConnection, article: Article, *, digest: str) -> None:
    """Writes a new article with its first version. Its change row comes from `changes.append`."""
    await connection.execute(
        insert(articles).values(
            id=article.id,
            public_id=article.public_id,
            source=article.source,
            source_key=article.source_key,
            first_seen=article.first_seen,
            sort_at=article.sort_at,
            churn=0,
            **_standing(article),
        )
    )
    await _add_version(connection, article, digest)


async def add_version(connection: AsyncConnection, article: Article, *, digest: str, churn: int) -> None:
    """Writes the next version of an article."""
    await _add_version(connection, article, digest)
    changed = update(articles).where(articles.c.id == article.id).values(churn=churn, **_standing(article))
    await connection.execute(changed)


async def rename(connection: AsyncConnection, article: Article, key: str) -> None:
    """The source calls the story by another key now; its id stays."""
    await connection.execute(update(articles).where(articles.c.id == article.id).values(source_key=key))


async def taken(connection: AsyncConnection, identifier: str) -> bool:
    """True when an article has this id."""
    return await connection.scalar(select(articles.c.id).where(articles.c.id == identifier)) is not None


async def set_state(connection: AsyncConnection, article: Article) -> None:
    """Writes down a withdrawal or a return: state, note, seq, when, and whether it is announced."""
    await connection.execute(update(articles).where(articles.c.id == article.id).values(**_standing(article)))


async def add_aliases(connection: AsyncConnection, source: str, identifier: str, names: Iterable[str]) -> None:
    """Other names under which the source may show the story again. The first owner of a name keeps it."""
    for name in names:
        row = {"source": source, "alias": _alias(name), "article_id": identifier}
        await insert_new(connection, article_aliases, row)


async def add_media(connection: AsyncConnection, found: Media, *, now: datetime) -> None:
    """Notes a picture whose bytes are on disk already."""
    values = {"mime_type": found.mime_type, "width": found.width, "height": found.height}
    values |= {"size_bytes": len(found.body), "seen_at": now}
    await upsert(connection, media, {"hash": found.hash}, values)


async def media_type(connection: AsyncConnection, digest: str) -> str | None:
    """The type under which a picture is served, or None if we hold no such picture."""
    return await connection.scalar(select(media.c.mime_type).where(media.c.hash == digest))


def _alias(name: str) -> str:
    """A name as the index can hold it (PostgreSQL refuses entries over 2,700 bytes)."""
    return name[:_LONGEST_ALIAS]


@cache
def _current() -> Select[Any]:
    """Articles joined with their newest version."""
    newest = and_(article_versions.c.article_id == articles.c.id, article_versions.c.version == articles.c.version)
    return select(articles, article_versions.c.content).join_from(articles, article_versions, newest)


async def _contents(connection: AsyncConnection, wanted: Mapping[str, int]) -> dict[str, Content]:
    query = select(article_versions.c.article_id, article_versions.c.version, article_versions.c.content).where(
        among(connection, article_versions.c.article_id, wanted)
    )
    rows = await connection.execute(query)
    return {row.article_id: content_of(row.content) for row in rows if wanted[row.article_id] == row.version}


def _as_of(now: Article, change: Row[Any], content: Content, loud_at: datetime | None) -> Article:
    withdrawn = change.kind == ChangeKind.WITHDRAWN
    fields = {name: getattr(now, name) for name in Article.__dataclass_fields__}
    fields |= {"version": change.version, "content": content, "edit": Edit(change.edit), "seq": change.seq}
    fields |= {"changed_at": change.at, "note": change.note, "loud_at": loud_at}
    fields["state"] = ArticleState.WITHDRAWN if withdrawn else ArticleState.PUBLISHED
    return Article(**fields)


def _standing(article: Article) -> dict[str, Any]:
    return {
        "version": article.version,
        "state": article.state.value,
        "edit": article.edit.value,
        "seq": article.seq,
        "changed_at": article.changed_at,
        "announced": article.announced,
        "loud_at": article.loud_at,
        "note": article.note,
        "own_page": not article.content.url,
    }


async def _add_version(connection: AsyncConnection, article: Article, digest: str) -> None:
    await connection.execute(
        insert(article_versions).values(
            article_id=article.id,
            version=article.version,
            hash=digest,
            edit=article.edit.value,
            content=content_record(article.content),
            seen_at=article.changed_at,
        )
    )


def _article(row: Row[Any]) -> Article:
    data = row._asdict()
    data.pop("churn")
    data.pop("own_page")
    data |= {"content": content_of(data["content"]), "edit": Edit(data["edit"]), "state": ArticleState(data["state"])}
    return Article(**data)


def content_record(content: Content) -> dict[str, Any]:
    """What a version says, as JSON can hold it."""
    record = asdict(content) | {"provenance": dict(content.provenance)}
    return record | {"published": content.published.isoformat(), "updated": content.updated.isoformat()}


def content_of(record: Mapping[str, Any]) -> Content:
    """The opposite of `content_record`."""
    lists: Sequence[str] = ("authors", "sections", "tags", "flags", "initials")
    data = {**record, **{name: tuple(record.get(name, ())) for name in lists}}
    data |= {name: datetime.fromisoformat(record[name]) for name in ("published", "updated")}
    return Content(**(data | {"picture": Picture(**record["picture"]) if record["picture"] else None}))
