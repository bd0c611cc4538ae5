"""The desk's directions → the coming edition, or one on hold of which nothing has gone out.

Those for the coming edition are written down and obeyed when it is composed. One on hold is written down anew: its
stories, its renderings and its readers, from the same stories as they stood at its cut. That is the freeze once more,
so it may stop at any moment and is gone on with by the job that is asked for at its beginning; meanwhile the edition
is as one that is being composed, and nobody can release half of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.account import Deed, Entry
from syndicate.domain.article import Article
from syndicate.domain.direction import NEXT, Directions, Wish, directed
from syndicate.domain.edition import Choice, Edition, EditionState
from syndicate.domain.newsletter import Newsletter, dressed
from syndicate.domain.partner import Endpoint
from syndicate.domain.slot import Slot
from syndicate.errors import NotFound, Refused
from syndicate.pipeline.compose import cut_name, listed_stories, pick, reasons
from syndicate.pipeline.enqueue import FreezeReport, freeze_edition
from syndicate.pipeline.render import Studio, read_choice, render_choice
from syndicate.store import accounts, articles, candidates, changes, directions, editions, jobs, stuck
from syndicate.store.db import Database
from syndicate.store.editions import Rendering, Story

WAITS_FOR_DESK = "the desk changed it"
_GONE_ON_WITH = timedelta(minutes=10)  # after a crash; until then whoever began it is left to do it
_FORGOTTEN = 5000  # candidates a transaction
# What is found again when it is frozen once more, and would be wrong if it isn't true any more.
_FOUND_AGAIN = (
    *("was withdrawn meanwhile", " is paused: "),
    *("mail programs cut it off", "it would fit without the last", "template alone is too large"),
)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Who says it, and what editions are made with."""

    newsletter: Newsletter
    studio: Studio
    endpoints: Sequence[Endpoint]
    who: str


async def direct_next(db: Database, desk: Desk, wish: Wish, *, now: datetime) -> Directions:
    """Keeps a word for the coming edition. Raises NotFound for a story that isn't there, and Refused."""
    name = desk.newsletter.name
    async with db.write() as connection:
        await changes.cursor(connection, cut_name(name), lock=True)  # nobody begins that edition now
        await _know(connection, wish)
        said = directed(await directions.of(connection, name, NEXT), wish)
        await directions.put(connection, said)
        await accounts.note(connection, _entry(desk, f"{name}/{NEXT}", wish, now=now))
    return said


async def direct_held(db: Database, desk: Desk, edition: Edition, wish: Wish, *, now: datetime) -> FreezeReport:
    """Writes an edition on hold down anew, as the desk wants it; it stays on hold.

    Raises Refused once anything of it may have gone out, when it isn't on hold, or when nothing would be left of it.
    """
    async with db.read() as connection:
        said = directed(await directions.of(connection, edition.newsletter, edition.slot), wish)
    if not (await _chosen(db, desk, edition, said)).stories:
        raise Refused("nothing would be left of it; `syndicate editions cancel` gives it up")
    async with db.write() as connection:
        current = await editions.get(connection, edition.id, lock=True)
        if current is None or current.state is not EditionState.HELD:
            raise Refused(f"{edition.name} isn't on hold; `syndicate editions pause {edition.name}` stops it first")
        if await stuck.may_be_out(connection, edition.id):
            raise Refused(f"some of {edition.name} may be with readers or partners already; it can't be changed")
        if directed(await directions.of(connection, edition.newsletter, edition.slot), wish) != said:
            raise Refused("somebody else directed it at the same moment; look at it, and say it again")
        await _know(connection, wish)
        await directions.put(connection, said)
        why = _why_still(current.why)
        composing, held = EditionState.COMPOSING, (EditionState.HELD,)
        await editions.set_state(connection, edition.id, composing, came_from=held, why=why)
        await accounts.note(connection, _entry(desk, edition.name, wish, now=now))
        await _ask_to_go_on(connection, current, now=now)
    return await freeze_anew(db, desk, replace(current, state=EditionState.COMPOSING, why=why), now=now)


async def freeze_anew(db: Database, desk: Desk, edition: Edition, *, now: datetime) -> FreezeReport:
    """Goes on with an edition that the desk changed after it was frozen. It ends on hold."""
    async with db.read() as connection:
        said = await directions.of(connection, edition.newsletter, edition.slot)
    choice = await _chosen(db, desk, edition, said)
    slot = Slot(at=edition.slot_at, name=edition.slot)
    newsletter = dressed(desk.newsletter, edition.rhythm)
    proof = render_choice(newsletter, choice, desk.studio, slot=slot, rhythm=edition.rhythm)
    await _rewrite(db, edition, listed_stories(choice), proof.rendering)
    held = replace(edition, why=reasons(edition.why, proof.why_held))
    return await freeze_edition(db, held, desk.endpoints, newsletter=desk.newsletter, studio=desk.studio, now=now)


async def _chosen(db: Database, desk: Desk, edition: Edition, said: Directions) -> Choice:
    """The stories of an edition, held or left out, as the desk wants them now."""
    before = await read_choice(db, edition)
    stories = (*before.stories, *before.beyond, *before.unprintable, *before.dropped)
    fit: list[Article] = sorted(stories, key=lambda story: (story.sort_at, story.id), reverse=True)
    return pick(dressed(desk.newsletter, edition.rhythm), fit, edition, desk.studio, said)


async def _rewrite(db: Database, edition: Edition, stories: Sequence[Story], rendering: Rendering) -> None:
    """Content and whole rendering, once none of the readers is left who were chosen by what it held before."""
    forgotten = 1
    while forgotten:
        async with db.write() as connection:
            forgotten = await candidates.forget(connection, edition.id, limit=_FORGOTTEN)
            if not forgotten:
                await editions.put_content(connection, edition.id, stories, [rendering])


async def _ask_to_go_on(connection: AsyncConnection, edition: Edition, *, now: datetime) -> None:
    """By the job that composes: it finds the edition frozen by then, or goes on with it."""
    ref = {"newsletter": edition.newsletter, "slot": edition.slot, "at": edition.slot_at.isoformat()}
    ref |= {"rhythm": edition.rhythm.value}
    key, later = f"compose:{edition.newsletter}:{edition.slot}", now + _GONE_ON_WITH
    await jobs.add(connection, lane="work", kind="compose", key=key, ref=ref, now=now, not_before=later)


async def _know(connection: AsyncConnection, wish: Wish) -> None:
    named = {*(wish.first or ()), *wish.drop}
    known = await articles.by_ids(connection, named) if named else {}
    for identifier in sorted(named - known.keys()):
        raise NotFound("article", identifier)


def _why_still(why: str) -> str:
    """Why it stays on hold. It never goes out by itself: a person has just touched it."""
    kept = [one for one in why.split("; ") if one and not any(words in one for words in _FOUND_AGAIN)]
    return reasons(*kept) or WAITS_FOR_DESK


def _entry(desk: Desk, name: str, wish: Wish, *, now: datetime) -> Entry:
    words = [
        f"first: {', '.join(wish.first)}" if wish.first is not None else "",
        f"dropped: {', '.join(wish.drop)}" if wish.drop else "",
        f"taken back: {', '.join(wish.take_back)}" if wish.take_back else "",
        f"intro: {len(wish.intro)} characters" if wish.intro is not None else "",
        f"hold: {wish.hold or 'no more'}" if wish.hold is not None else "",
    ]
    return Entry(at=now, who=desk.who, what=Deed.DIRECTED, subject=name[:80], note=reasons(*words))
