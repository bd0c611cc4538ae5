"""The desk's directions for editions."""

from dataclasses import replace

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.direction import NEXT, Directions
from syndicate.store.db import upsert
from syndicate.store.tables import directions


async def of(connection: AsyncConnection, newsletter: str, slot: str) -> Directions:
    """What the desk said of an edition, or of the next one."""
    here = directions.c.newsletter == newsletter, directions.c.slot == slot
    row = (await connection.execute(select(directions).where(*here))).one_or_none()
    if row is None:
        return Directions(newsletter=newsletter, slot=slot)
    ids = {"first_ids": tuple(row.first_ids), "dropped_ids": tuple(row.dropped_ids)}
    return Directions(**{**row._asdict(), **ids})


async def put(connection: AsyncConnection, said: Directions) -> None:
    """Writes them down in the place of what was said before."""
    ids = {"first_ids": list(said.first_ids), "dropped_ids": list(said.dropped_ids)}
    values = {**ids, "intro": said.intro, "hold": said.hold, "revision": said.revision}
    await upsert(connection, directions, {"newsletter": said.newsletter, "slot": said.slot}, values)


async def give_to(connection: AsyncConnection, said: Directions, slot: str) -> bool:
    """Those for the next edition become those of a slot that is being composed with them; others stay where they are.

    False: the desk has said something else meanwhile, and nothing was written. The caller holds the newsletter's cut.
    """
    if await of(connection, said.newsletter, said.slot) != said:
        return False
    if said.slot == NEXT and said.revision:
        await put(connection, replace(said, slot=slot))
        await connection.execute(
            delete(directions).where(directions.c.newsletter == said.newsletter, directions.c.slot == NEXT)
        )
    return True
