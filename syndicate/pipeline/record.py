"""What becomes of a story → the change log. Whoever changes one, a source or the desk, writes it down here alike."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.change import ChangeKind
from syndicate.store import articles, changes, editions, jobs


async def log_change(connection: AsyncConnection, article: Article, kind: ChangeKind) -> Article:
    """One row in the change log, and the article that points to it."""
    seq = await changes.append(
        connection,
        article_id=article.id,
        version=article.version,
        kind=kind,
        edit=article.edit,
        baseline=not article.announced,
        at=article.changed_at,
        note=article.note,
    )
    logged = replace(article, seq=seq)
    await articles.set_state(connection, logged)
    return logged


async def log_withdrawal(connection: AsyncConnection, article: Article, *, note: str, now: datetime) -> Article:
    """A withdrawal, with the hold on what is being sent with the story (decision 0003)."""
    gone = ArticleState.WITHDRAWN
    away = await log_change(
        connection, replace(article, state=gone, changed_at=now, loud_at=now, note=note), ChangeKind.WITHDRAWN
    )
    await editions.hold_those_with(connection, article.id, f"{article.content.title!r} was withdrawn meanwhile")
    return away


async def ask_for_publishing(connection: AsyncConnection, *, now: datetime) -> None:
    """The change log grew: feeds and endpoints have something to read on. In the same transaction as the change."""
    for kind in ("publish", "notify"):
        await jobs.add(connection, lane="work", kind=kind, key=kind, ref={}, now=now)
