"""What the sitemap lists of a span of time: stories of which we have the only page, and editions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import ArticleState
from syndicate.store.editions import READABLE
from syndicate.store.sets import among, by_code_point
from syndicate.store.tables import articles, editions

_PUBLISHED = articles.c.state == ArticleState.PUBLISHED.value


@dataclass(frozen=True, kw_only=True)
class Span:
    """From `start` until before `end`, by when a story came in and an edition was made; of these newsletters."""

    start: datetime
    end: datetime
    newsletters: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ListedEdition:
    """An edition that anybody may read."""

    newsletter: str
    slot: str
    frozen_at: datetime


async def begin(connection: AsyncConnection, newsletters: Iterable[str]) -> datetime | None:
    """When the first story or edition came that a sitemap may list; None before it."""
    story: datetime | None = await connection.scalar(select(func.min(articles.c.sort_at)).where(articles.c.own_page))
    made = select(func.min(editions.c.created_at)).where(among(connection, editions.c.newsletter, newsletters))
    edition: datetime | None = await connection.scalar(made)
    return min((at for at in (story, edition) if at is not None), default=None)


async def last_listed(connection: AsyncConnection, span: Span) -> datetime | None:
    """When what a sitemap lists of the span was last changed; None when there is nothing to list."""
    story = select(func.max(articles.c.changed_at)).where(_own(span), _PUBLISHED)
    return await _latest(connection, story, _editions(connection, span, func.max(editions.c.frozen_at)))


async def last_changed(connection: AsyncConnection, span: Span) -> datetime | None:
    """The same, counting also the stories that were withdrawn: then the list became shorter."""
    story = select(func.max(articles.c.changed_at)).where(_own(span))
    return await _latest(connection, story, _editions(connection, span, func.max(editions.c.frozen_at)))


async def own_pages(connection: AsyncConnection, span: Span, *, limit: int) -> list[tuple[str, datetime]]:
    """Ids of the span's stories, and when each was last changed; newest first."""
    query = select(articles.c.id, articles.c.changed_at).where(_own(span), _PUBLISHED)
    order = articles.c.sort_at.desc(), by_code_point(connection, articles.c.id).desc()
    rows = await connection.execute(query.order_by(*order).limit(limit))
    return [(row.id, row.changed_at) for row in rows]


async def readable_editions(connection: AsyncConnection, span: Span, *, limit: int) -> list[ListedEdition]:
    """The span's editions, newest first."""
    query = _editions(connection, span, editions.c.newsletter, editions.c.slot, editions.c.frozen_at)
    rows = await connection.execute(query.order_by(editions.c.created_at.desc(), editions.c.id.desc()).limit(limit))
    return [ListedEdition(**row._asdict()) for row in rows]


def _own(span: Span) -> ColumnElement[bool]:
    return articles.c.own_page & (articles.c.sort_at >= span.start) & (articles.c.sort_at < span.end)


def _editions(connection: AsyncConnection, span: Span, *columns: Any) -> Select[Any]:
    return select(*columns).where(
        editions.c.created_at >= span.start,
        editions.c.created_at < span.end,
        editions.c.state.in_(READABLE),
        among(connection, editions.c.newsletter, span.newsletters),
    )


async def _latest(connection: AsyncConnection, *queries: Select[Any]) -> datetime | None:
    found = [await connection.scalar(query) for query in queries]
    return max((at for at in found if at is not None), default=None)
