"""Change log → edition. At a slot, what was published since the last cut becomes one frozen issue of a newsletter.

Nothing is chosen by date: an edition holds the span of the change log between two cuts, so a back-dated or late story
is neither lost nor told twice. Running a composition again after a crash goes on with the same cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article
from syndicate.domain.audience import Rhythm
from syndicate.domain.change import Change
from syndicate.domain.direction import NEXT, Directions, in_order, sort_out
from syndicate.domain.edition import (
    Choice,
    Edition,
    EditionState,
    LeftOut,
    choose_stories,
    fitting_stories,
    is_too_little,
    newest_first,
    spread_over_days,
)
from syndicate.domain.newsletter import Newsletter, dressed, rhythms_of
from syndicate.domain.slot import Slot, breaking_seq, next_slot
from syndicate.pipeline.render import Proof, Studio, render_choice
from syndicate.store import articles, audience, candidates, changes, directions, editions, likeness, sources
from syndicate.store.db import Database
from syndicate.store.editions import Rendering, Story

_SPAN = 5000  # changes read at once
_FORGOTTEN = 5000  # candidates a transaction


class Composition(StrEnum):
    """How a composition ended."""

    READY = "ready"  # written down; enqueue.py freezes it
    EMPTY = "empty"  # nothing to say, and the newsletter skips then
    WAITS = "waits"  # a first import must be whole first, or another edition is being composed
    EXISTS = "exists"  # this slot has its edition already


@dataclass(frozen=True, kw_only=True)
class ComposeReport:
    """What became of a slot."""

    newsletter: str
    slot: str
    composition: Composition
    edition: Edition | None = None
    why: str = ""
    proof: "Proof | None" = None  # of an edition that is ready


@dataclass(frozen=True, kw_only=True)
class Preview:
    """The next edition as it would be now."""

    edition: Edition  # not written down: its number is 0
    proof: Proof
    choice: Choice
    readers: int
    importing: tuple[str, ...]  # first imports that it would wait for
    skipped: bool  # too little to say: the slot would pass without an edition

    @property
    def rendering(self) -> Rendering:
        """As readers would see it."""
        return self.proof.rendering


def cut_name(newsletter: str, rhythm: Rhythm = Rhythm.EACH) -> str:
    """A newsletter's place in the change log; each rhythm of it has its own."""
    return f"newsletter:{newsletter}" if rhythm is Rhythm.EACH else f"newsletter:{newsletter}:{rhythm}"


async def know_newsletters(db: Database, newsletters: Sequence[Newsletter]) -> None:
    """A newsletter that is new begins here: what was published before its creation is never mailed.

    So does a rhythm that is new to it; one that it no longer has begins anew when it comes back.
    """
    async with db.write() as connection:
        for newsletter in newsletters:
            has = rhythms_of(newsletter)
            for rhythm in Rhythm:
                cut = cut_name(newsletter.name, rhythm)
                if rhythm not in has:
                    await changes.forget_cursor(connection, cut)
                elif await changes.cursor(connection, cut) is None:
                    await changes.move_cursor(connection, cut, await changes.head(connection))


async def compose_edition(
    db: Database,
    newsletter: Newsletter,
    slot: Slot,
    studio: Studio,
    *,
    rhythm: Rhythm = Rhythm.EACH,
    now: datetime,
) -> ComposeReport:
    """Chooses, renders and writes down the edition of a slot. Nothing is sent by this."""
    blank = ComposeReport(newsletter=newsletter.name, slot=slot.name, composition=Composition.WAITS)
    async with db.read() as connection:
        unfinished = await editions.unfinished(connection, newsletter=newsletter.name)
        importing = await sources.importing(connection, studio.sources)
        edition = await editions.by_slot(connection, newsletter.name, slot.name)
    if edition is not None and edition.state is not EditionState.COMPOSING:
        return replace(blank, composition=Composition.EXISTS, edition=edition)
    if importing and rhythm is not Rhythm.BREAKING:
        return replace(blank, why=f"the first import of {', '.join(importing)} isn't whole yet")
    others = [e.slot for e in unfinished if e.state is EditionState.COMPOSING and e.slot != slot.name]
    if others:
        return replace(blank, why=f"the edition {others[0]} is still being composed")
    edition = edition or await _plan(db, newsletter, slot, rhythm, now=now)
    newsletter = dressed(newsletter, rhythm)
    said = await read_directions(db, edition)
    choice = await _choose(db, newsletter, edition, studio, said)
    if edition.id == 0 and is_too_little(newsletter, choice):
        return await _skip(db, newsletter, edition, choice, blank)
    proof = render_choice(newsletter, choice, studio, slot=slot, rhythm=rhythm)
    written = await _write(db, edition, choice, replace(proof, why_held=reasons(proof.why_held, said.hold)), said)
    if written is None:
        return replace(blank, why="another edition was begun or frozen, or the desk said something else meanwhile")
    return replace(blank, composition=Composition.READY, edition=written, proof=proof)


async def preview_edition(db: Database, newsletter: Newsletter, studio: Studio, *, now: datetime) -> Preview:
    """The edition that the next slot would bring if nothing more came in. Writes nothing."""
    slot = next_slot(newsletter.schedule, newsletter.timezone, now)
    plan = await _plan(db, newsletter, slot, Rhythm.EACH, now=now)
    said = await read_directions(db, plan)
    choice = await _choose(db, newsletter, plan, studio, said)
    proof = render_choice(newsletter, choice, studio, slot=slot)
    async with db.read() as connection:
        importing = await sources.importing(connection, studio.sources)
        readers = await audience.readers(connection, newsletter.name)
    return Preview(
        edition=plan,
        proof=replace(proof, why_held=reasons(proof.why_held, said.hold)),
        choice=choice,
        readers=readers,
        importing=tuple(importing),
        skipped=is_too_little(newsletter, choice),
    )


async def _plan(db: Database, newsletter: Newsletter, slot: Slot, rhythm: Rhythm, *, now: datetime) -> Edition:
    """The edition's span: from the newsletter's last cut to the end of the change log. Not written down yet.

    One of breaking news ends where its story was published.
    """
    async with db.read() as connection:
        cut_from = await changes.cursor(connection, cut_name(newsletter.name, rhythm)) or 0
        cut_to = breaking_seq(slot.name) if rhythm is Rhythm.BREAKING else await changes.head(connection)
    return Edition(
        id=0,
        newsletter=newsletter.name,
        slot=slot.name,
        slot_at=slot.at,
        state=EditionState.COMPOSING,
        channel=newsletter.channel,
        cut_from=cut_from,
        cut_to=cut_to,
        created_at=now,
        rhythm=rhythm,
    )


async def read_directions(db: Database, edition: Edition) -> Directions:
    """What the desk wants of an edition that is begun, or of the coming one; those are for the main rhythm alone."""
    is_next = edition.id == 0 and edition.rhythm is Rhythm.EACH
    async with db.read() as connection:
        return await directions.of(connection, edition.newsletter, NEXT if is_next else edition.slot)


def reasons(*whys: str) -> str:
    """Why an edition is on hold, of several reasons."""
    return "; ".join(filter(None, whys))


async def _choose(db: Database, newsletter: Newsletter, edition: Edition, studio: Studio, said: Directions) -> Choice:
    """The stories of an edition's span, as the desk wants them."""
    return pick(newsletter, await _read_fitting(db, newsletter, edition), edition, studio, said)


def pick(newsletter: Newsletter, fit: Sequence[Article], edition: Edition, studio: Studio, said: Directions) -> Choice:
    """Of the stories that fit, newest first. One bad article must not stop an edition, so each is tried alone first."""
    slot = Slot(at=edition.slot_at, name=edition.slot)

    def printable(story: Article) -> bool:
        try:
            render_choice(newsletter, Choice(stories=(story,)), studio, slot=slot, rhythm=edition.rhythm)
        except ValueError:
            return False
        return True

    weekly = edition.rhythm is Rhythm.WEEKLY
    wanted, dropped = sort_out(said, spread_over_days(fit, newsletter.timezone) if weekly else fit)
    choice = choose_stories(newsletter, wanted, printable)
    if weekly:
        choice = newest_first(choice)
    return replace(choice, stories=tuple(in_order(said, choice.stories)), dropped=dropped, intro=said.intro)


async def _read_fitting(db: Database, newsletter: Newsletter, edition: Edition) -> list[Article]:
    found: list[Change] = []
    after = edition.cut_from
    async with db.read() as connection:
        while page := await changes.span(connection, after, edition.cut_to, _SPAN):
            after = page[-1].seq
            found += page
        ids = {change.article_id for change in found}
        newest = await articles.at_cut(connection, ids, edition.cut_to)
        postings = await likeness.postings(connection, ids)
        told = await editions.told(connection, newsletter.name, ids.union(*postings.values()), rhythm=edition.rhythm)
    return fitting_stories(newsletter, found, newest, told, postings)


async def _skip(
    db: Database, newsletter: Newsletter, edition: Edition, choice: Choice, blank: ComposeReport
) -> ComposeReport:
    """Too little to say. A few stories wait for the next edition: then the span stays open."""
    if choice.stories or choice.unprintable or choice.dropped:
        lost = f", and {len(choice.unprintable)} that can't be shown" if choice.unprintable else ""
        lost += f", and {len(choice.dropped)} that the desk dropped" if choice.dropped else ""
        why = f"{len(choice.stories)} of at least {newsletter.min} stories{lost}"
        return replace(blank, composition=Composition.EMPTY, why=why)
    cut = cut_name(newsletter.name, edition.rhythm)
    async with db.write() as connection:
        if await changes.cursor(connection, cut, lock=True) == edition.cut_from:
            await changes.move_cursor(connection, cut, edition.cut_to)
    return replace(blank, composition=Composition.EMPTY, why="nothing new since the last edition")


async def _write(db: Database, edition: Edition, choice: Choice, proof: Proof, said: Directions) -> Edition | None:
    """Writes content and rendering down. None: somebody else cut the same span meanwhile, or froze this edition.

    After a crash the same stories are chosen again, and the readers who were written down already stay as they are. If
    the configuration is another one by now, they are written down anew.
    """
    here = EditionState.COMPOSING
    stories = listed_stories(choice)
    while True:
        async with db.write() as connection:
            if not await _still_ours(connection, edition):
                return None
            if not await directions.give_to(connection, said, edition.slot):
                return None
            said = replace(said, slot=edition.slot)
            begun = await editions.begin(connection, edition)
            if edition.id and await editions.stories(connection, begun.id) == stories:
                await editions.put_rendering(connection, begun.id, proof.rendering)
            elif await candidates.forget(connection, begun.id, limit=_FORGOTTEN):
                continue
            else:
                await editions.put_content(connection, begun.id, stories, [proof.rendering])
            await editions.set_state(connection, begun.id, here, came_from=[here], why=proof.why_held)
        return replace(begun, why=proof.why_held)


async def _still_ours(connection: AsyncConnection, edition: Edition) -> bool:
    """True while the span is nobody else's. Locks the newsletter's cut: two slots can't take the same stories."""
    cut = await changes.cursor(connection, cut_name(edition.newsletter, edition.rhythm), lock=True) or 0
    unfinished = await editions.unfinished(connection, newsletter=edition.newsletter)
    composing = [other.id for other in unfinished if other.state is EditionState.COMPOSING]
    return cut == edition.cut_from and composing == ([edition.id] if edition.id else [])


def listed_stories(choice: Choice) -> list[Story]:
    """What an edition holds and what it leaves out, as it is written down."""
    listed = [(article, "") for article in choice.stories]
    listed += [(article, LeftOut.MAX.value) for article in choice.beyond]
    listed += [(article, LeftOut.UNPRINTABLE.value) for article in choice.unprintable]
    listed += [(article, LeftOut.DESK.value) for article in choice.dropped]
    return [
        Story(article_id=article.id, version=article.version, position=place, left_out=why)
        for place, (article, why) in enumerate(listed)
    ]
