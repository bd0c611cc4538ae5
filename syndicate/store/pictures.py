"""Lead pictures of newsrooms by their address: which bytes we hold of each, and when we asked last."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, cast, func, select
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import ArticleState
from syndicate.store.db import upsert
from syndicate.store.sets import among
from syndicate.store.tables import article_versions, articles, pictures


@dataclass(frozen=True, kw_only=True)
class KeptPicture:
    """What an address gave. `held` are the fields of a Picture that tell of our bytes; {}: it never came."""

    url: str
    held: Mapping[str, Any] = field(default_factory=dict)
    etag: str = ""
    last_modified: str = ""
    checked_at: datetime
    failures: int = 0  # in a row, the host's own troubles not counted
    problem: str = ""


async def kept(connection: AsyncConnection, source: str, urls: Iterable[str]) -> dict[str, KeptPicture]:
    """What we know of these addresses."""
    asked = {_digest(url): url for url in urls}
    mine = select(pictures).where(pictures.c.source == source, among(connection, pictures.c.url_digest, asked))
    found = {}
    for row in await connection.execute(mine):
        data = row._asdict()
        data.pop("source")
        url = asked[data.pop("url_digest")]
        found[url] = KeptPicture(url=url, **data)
    return found


async def lacking(connection: AsyncConnection, source: str, *, newest: int) -> dict[str, str]:
    """Of a source's so many newest stories those with a picture that we don't hold: article id → its address."""
    standing = and_(articles.c.source == source, articles.c.state == ArticleState.PUBLISHED.value)
    of_source = select(articles.c.id, articles.c.version).where(standing).order_by(articles.c.sort_at.desc())
    latest = of_source.limit(newest).subquery()
    version = and_(article_versions.c.article_id == latest.c.id, article_versions.c.version == latest.c.version)
    url, media = _told(connection, "url"), _told(connection, "media")
    wanting = select(latest.c.id, url).join_from(latest, article_versions, version).where(url.is_not(None))
    return {row[0]: row[1] for row in await connection.execute(wanting.where(media.is_(None)))}


async def keep(connection: AsyncConnection, source: str, picture: KeptPicture) -> None:
    """Notes what an address gave."""
    values = {**vars(picture), "held": dict(picture.held)}
    del values["url"]
    await upsert(connection, pictures, {"source": source, "url_digest": _digest(picture.url)}, values)


def _told(connection: AsyncConnection, name: str) -> ColumnElement[str | None]:
    """A field of the lead picture, without reading the story around it."""
    if connection.dialect.name == "sqlite":
        return func.json_extract(article_versions.c.content, f"$.picture.{name}")
    told: ColumnElement[str | None] = cast(article_versions.c.content, JSON)["picture"][name].astext
    return told


def _digest(url: str) -> str:
    return hashlib.blake2b(url.encode(), digest_size=16).hexdigest()
