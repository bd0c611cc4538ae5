"""Stories in the change log, put there the way gathering does."""

from dataclasses import replace
from typing import Any

from syndicate.domain.article import Article, ArticleState, content_hash
from syndicate.domain.change import ChangeKind
from syndicate.store import articles, changes
from syndicate.store.db import Database
from tests.factories import NOW, add_article, make_article


async def publish(db: Database, *numbers: int, **article: Any) -> list[Article]:
    """New stories."""
    async with db.write() as connection:
        return [await add_article(connection, make_article(number, **article)) for number in numbers]


async def revise(
    db: Database, number: int, kind: ChangeKind = ChangeKind.UPDATED, *, note: str = "", **content: Any
) -> Article:
    """The next version of a story, or its withdrawal or return."""
    async with db.write() as connection:
        held = await articles.get(connection, make_article(number).id)
        assert held is not None
        state = ArticleState.WITHDRAWN if kind is ChangeKind.WITHDRAWN else ArticleState.PUBLISHED
        loud = NOW if kind in (ChangeKind.WITHDRAWN, ChangeKind.CORRECTED) else held.loud_at
        after = replace(held, state=state, changed_at=NOW, loud_at=loud, note=note)
        if content:
            after = replace(after, version=held.version + 1, content=replace(held.content, **content))
            await articles.add_version(connection, after, digest=content_hash(after.content), churn=0)
        seq = await changes.append(
            connection,
            article_id=after.id,
            version=after.version,
            kind=kind,
            edit=after.edit,
            baseline=not after.announced,
            at=NOW,
            note=note,
        )
        after = replace(after, seq=seq)
        await articles.set_state(connection, after)
    return after
