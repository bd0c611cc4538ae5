"""What the desk said of stories and newsletters, for as long as it counts."""

from collections.abc import Iterable

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import ArticleState
from syndicate.domain.desk import DeskWord, Pause
from syndicate.store.articles import content_of, content_record
from syndicate.store.db import insert_new, upsert
from syndicate.store.sets import among
from syndicate.store.tables import desk_words, pauses


async def words(connection: AsyncConnection, article_ids: Iterable[str]) -> dict[str, DeskWord]:
    """The desk's words on these stories, as far as there are any."""
    rows = await connection.execute(select(desk_words).where(among(connection, desk_words.c.article_id, article_ids)))
    return {
        row.article_id: DeskWord(
            article_id=row.article_id,
            at=row.at,
            standing=ArticleState(row.standing) if row.standing else None,
            based_on=content_of(row.based_on),
            shown=content_of(row.shown),
            says=row.says,
        )
        for row in rows
    }


async def put_word(connection: AsyncConnection, article_id: str, word: DeskWord | None) -> None:
    """Remembers what still outranks the source of a story; None: nothing does any more."""
    if word is None:
        await connection.execute(delete(desk_words).where(desk_words.c.article_id == article_id))
        return
    values = {
        "at": word.at,
        "standing": word.standing.value if word.standing else "",
        "based_on": content_record(word.based_on),
        "shown": content_record(word.shown),
        "says": dict(word.says),
    }
    await upsert(connection, desk_words, {"article_id": article_id}, values)


async def pause(connection: AsyncConnection, one: Pause) -> bool:
    """Writes a pause down. False: the newsletter is paused already."""
    return await insert_new(connection, pauses, vars(one))


async def end_pause(connection: AsyncConnection, newsletter: str) -> Pause | None:
    """Ends a pause and returns it; None: there was none."""
    row = (await connection.execute(delete(pauses).where(pauses.c.newsletter == newsletter).returning(pauses))).first()
    return Pause(**row._asdict()) if row else None


async def pause_of(connection: AsyncConnection, newsletter: str) -> Pause | None:
    """Why nothing of a newsletter goes out; None: it isn't paused."""
    row = (await connection.execute(select(pauses).where(pauses.c.newsletter == newsletter))).first()
    return Pause(**row._asdict()) if row else None


async def paused(connection: AsyncConnection) -> dict[str, Pause]:
    """The newsletters that are paused."""
    return {row.newsletter: Pause(**row._asdict()) for row in await connection.execute(select(pauses))}
