"""A person stops a newsletter, or lets it go on. At once, and nothing is lost.

While it is paused its slots pass without being fired, as if nothing had been running: what they would have told waits
in the change log, and the newest of them is fired at the end (sent if it is at most two hours late, else held for a
person). What was being sent is put on hold, what was about to be frozen is frozen on hold; both go on at the end,
unless there is another reason to hold them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.account import Deed, Entry
from syndicate.domain.audience import Rhythm
from syndicate.domain.desk import Pause
from syndicate.domain.edition import Edition, EditionState
from syndicate.domain.partner import Endpoint
from syndicate.errors import Refused
from syndicate.pipeline.compose import cut_name
from syndicate.pipeline.enqueue import release_edition
from syndicate.store import accounts, changes, desk, editions, jobs
from syndicate.store.db import Database


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """What the end of a pause lets go on, and what waits for a person still."""

    released: tuple[Edition, ...]
    held: tuple[Edition, ...]


async def pause_newsletter(db: Database, pause: Pause) -> list[Edition]:
    """Nothing of it goes out from now on. Returns the editions that were being sent. Raises Refused if it is paused."""
    async with db.write() as connection:
        await _lock(connection, pause.newsletter)
        if not await desk.pause(connection, pause):
            raise Refused(f"{pause.newsletter} is paused already")
        unfinished = await editions.unfinished(connection, newsletter=pause.newsletter)
        stopped = []
        for edition in unfinished:
            frozen, held = (EditionState.FROZEN,), EditionState.HELD
            if await editions.set_state(connection, edition.id, held, came_from=frozen, why=pause.reason):
                stopped.append(edition)
        said = Entry(at=pause.at, who=pause.who, what=Deed.PAUSED, subject=pause.newsletter, note=pause.why)
        await accounts.note(connection, said)
    return stopped


async def foresee_resume(db: Database, newsletter: str) -> Resumed:
    """What `resume_newsletter` would do. Writes nothing. Raises Refused if it isn't paused."""
    async with db.read() as connection:
        pause = await desk.pause_of(connection, newsletter)
        if pause is None:
            raise Refused(f"{newsletter} isn't paused")
        return await _sorted_out(connection, pause)


async def resume_newsletter(
    db: Database, newsletter: str, endpoints: Sequence[Endpoint], *, who: str, now: datetime
) -> Resumed:
    """A person's word that it may go on. Raises Refused if it isn't paused.

    Each edition is released by itself: whoever stops in between finds the rest on hold, and releases it by hand.
    """
    async with db.write() as connection:
        await _lock(connection, newsletter)
        pause = await desk.end_pause(connection, newsletter)
        if pause is None:
            raise Refused(f"{newsletter} isn't paused")
        resumed = await _sorted_out(connection, pause)
        for edition in resumed.held:
            if edition.why == pause.reason:
                held, why = (EditionState.HELD,), "a story in it was withdrawn meanwhile"
                await editions.set_state(connection, edition.id, EditionState.HELD, came_from=held, why=why)
        await accounts.note(connection, Entry(at=now, who=who, what=Deed.RESUMED, subject=newsletter))
        await jobs.hurry(connection, f"compose:{newsletter}:", now=now)
    for edition in resumed.released:
        await release_edition(db, edition, endpoints, now=now)
    return resumed


async def _sorted_out(connection: AsyncConnection, pause: Pause) -> Resumed:
    """Its editions on hold: those that only the pause holds, and those with another reason."""
    held = await editions.held(connection, pause.newsletter)
    with_withdrawn = [one.id for one in held if await editions.withdrawn_stories(connection, one.id)]
    free = [one for one in held if one.why == pause.reason and one.id not in with_withdrawn]
    return Resumed(released=tuple(free), held=tuple(one for one in held if one not in free))


async def _lock(connection: AsyncConnection, newsletter: str) -> None:
    """Nobody freezes an edition of it until we commit: a freeze sees the pause, or the pause sees the edition."""
    for rhythm in Rhythm:
        await changes.cursor(connection, cut_name(newsletter, rhythm), lock=True)
