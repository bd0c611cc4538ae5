"""Change log → edition. At a slot, what was published since the last cut becomes one frozen issue of a newsletter.

Nothing is chosen by date: an edition holds the span of the change log between two cuts, so a back-dated or late story
is neither lost nor told twice. Running a composition again after a crash goes on with the same cut.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article
from syndicate.domain.change import Change
from syndicate.domain.edition import (
    Choice,
    Edition,
    EditionState,
    LeftOut,
    choose_stories,
    fitting_stories,
    is_too_little,
)
from syndicate.domain.feed import Site
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.slot import Slot, next_slot
from syndicate.formats.digest import TOO_LARGE, DigestView
from syndicate.formats.fit import Fitted, fit
from syndicate.store import articles, audience, changes, editions, likeness, sources
from syndicate.store.db import Database
from syndicate.store.editions import Rendering, Story

VARIANT = "all"  # the one rendering that everybody gets
_SPAN = 5000  # changes read at once
_NAMED = 3  # stories that the reason of a hold calls by their headline


@dataclass(frozen=True, kw_only=True)
class Studio:
    """What editions are made with."""

    site: Site
    templates: tuple[Path, ...]  # folders of digest templates, the publisher's own first
    sources: tuple[str, ...]
    mark: Callable[[], str]  # 16 random letters: the name of the holes in one rendering


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
class Proof:
    """An edition as it will look, and what is to be said about its size."""

    rendering: Rendering
    size: int  # bytes of its HTML part
    brief: int  # stories that had room for their headline only
    why_held: str  # "" unless it is too large to go out without a person's word


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


def cut_name(newsletter: str) -> str:
    """The newsletter's place in the change log."""
    return f"newsletter:{newsletter}"


def edition_url(site: Site, newsletter: str, slot: str) -> str:
    """Where an edition is read in a browser."""
    return f"{site.public_url}/editions/{newsletter}/{slot}"


async def know_newsletters(db: Database, newsletters: Sequence[Newsletter]) -> None:
    """A newsletter that is new begins here: what was published before its creation is never mailed."""
    async with db.write() as connection:
        for newsletter in newsletters:
            if await changes.cursor(connection, cut_name(newsletter.name)) is None:
                await changes.move_cursor(connection, cut_name(newsletter.name), await changes.head(connection))


async def compose_edition(
    db: Database, newsletter: Newsletter, slot: Slot, studio: Studio, *, now: datetime
) -> ComposeReport:
    """Chooses, renders and writes down the edition of a slot. Nothing is sent by this."""
    blank = ComposeReport(newsletter=newsletter.name, slot=slot.name, composition=Composition.WAITS)
    async with db.read() as connection:
        unfinished = await editions.unfinished(connection, newsletter=newsletter.name)
        importing = await sources.importing(connection, studio.sources)
        edition = await editions.by_slot(connection, newsletter.name, slot.name)
    if edition is not None and edition.state is not EditionState.COMPOSING:
        return replace(blank, composition=Composition.EXISTS, edition=edition)
    if importing:
        return replace(blank, why=f"the first import of {', '.join(importing)} isn't whole yet")
    others = [e.slot for e in unfinished if e.state is EditionState.COMPOSING and e.slot != slot.name]
    if others:
        return replace(blank, why=f"the edition {others[0]} is still being composed")
    edition = edition or await _plan(db, newsletter, slot, now=now)
    choice = await _choose(db, newsletter, edition, studio, slot)
    if edition.id == 0 and is_too_little(newsletter, choice):
        return await _skip(db, newsletter, edition, choice, blank)
    proof = render_choice(newsletter, choice, studio, slot=slot)
    written = await _write(db, edition, choice, proof)
    if written is None:
        return replace(blank, why="another edition was begun or frozen meanwhile")
    return replace(blank, composition=Composition.READY, edition=written, proof=proof)


def render_choice(newsletter: Newsletter, choice: Choice, studio: Studio, *, slot: Slot) -> Proof:
    """An edition as it looks. Raises ValueError when a story in it can't be shown."""
    mark = studio.mark()
    view = DigestView(
        site=studio.site,
        newsletter=newsletter,
        edition_url=edition_url(studio.site, newsletter.name, slot.name),
        stories=choice.stories,
        date=slot.at,
        mark=mark,
        left_out_count=len(choice.beyond),
    )
    fitted = fit(view, studio.templates)
    rendered = fitted.rendered
    return Proof(
        rendering=Rendering(
            variant=VARIANT, mark=mark, subject=rendered.subject, html=rendered.html, text=rendered.text
        ),
        size=rendered.size,
        brief=fitted.brief,
        why_held=_too_large(fitted, len(choice.stories)),
    )


async def preview_edition(db: Database, newsletter: Newsletter, studio: Studio, *, now: datetime) -> Preview:
    """The edition that the next slot would bring if nothing more came in. Writes nothing."""
    slot = next_slot(newsletter.schedule, newsletter.timezone, now)
    plan = await _plan(db, newsletter, slot, now=now)
    choice = await _choose(db, newsletter, plan, studio, slot)
    async with db.read() as connection:
        importing = await sources.importing(connection, studio.sources)
        readers = await audience.readers(connection, newsletter.name)
    return Preview(
        edition=plan,
        proof=render_choice(newsletter, choice, studio, slot=slot),
        choice=choice,
        readers=readers,
        importing=tuple(importing),
        skipped=is_too_little(newsletter, choice),
    )


async def _plan(db: Database, newsletter: Newsletter, slot: Slot, *, now: datetime) -> Edition:
    """The edition's span: from the newsletter's last cut to the end of the change log. Not written down yet."""
    async with db.read() as connection:
        cut_from = await changes.cursor(connection, cut_name(newsletter.name)) or 0
        cut_to = await changes.head(connection)
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
    )


async def _choose(db: Database, newsletter: Newsletter, edition: Edition, studio: Studio, slot: Slot) -> Choice:
    """The stories of an edition's span. One bad article must not stop it, so each is tried alone first."""

    def printable(story: Article) -> bool:
        try:
            render_choice(newsletter, Choice(stories=(story,)), studio, slot=slot)
        except ValueError:
            return False
        return True

    return choose_stories(newsletter, await _read_fitting(db, newsletter, edition), printable)


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
        told = await editions.told(connection, newsletter.name, ids.union(*postings.values()))
    return fitting_stories(newsletter, found, newest, told, postings)


async def _skip(
    db: Database, newsletter: Newsletter, edition: Edition, choice: Choice, blank: ComposeReport
) -> ComposeReport:
    """Too little to say. A few stories wait for the next edition: then the span stays open."""
    if choice.stories or choice.unprintable:
        lost = f", and {len(choice.unprintable)} that can't be shown" if choice.unprintable else ""
        why = f"{len(choice.stories)} of at least {newsletter.min} stories{lost}"
        return replace(blank, composition=Composition.EMPTY, why=why)
    async with db.write() as connection:
        if await changes.cursor(connection, cut_name(newsletter.name), lock=True) == edition.cut_from:
            await changes.move_cursor(connection, cut_name(newsletter.name), edition.cut_to)
    return replace(blank, composition=Composition.EMPTY, why="nothing new since the last edition")


def _too_large(fitted: Fitted, stories: int) -> str:
    """Why the edition can't go out by itself, with the stories to drop; "" if it can."""
    if not fitted.too_many:
        return ""
    begun = f"its HTML is {fitted.rendered.size:,} bytes, over {TOO_LARGE:,} mail programs cut it off"
    room = stories - len(fitted.too_many)
    if not room:
        return f"{begun}; the newsletter's template alone is too large: make it smaller"
    named = [f"“{story.content.title}”" for story in fitted.too_many[:_NAMED]]
    named += [f"{len(fitted.too_many) - _NAMED} more"] if len(fitted.too_many) > _NAMED else []
    return f"{begun}; it would fit without the last {len(fitted.too_many)} ({', '.join(named)}): write max = {room}"


async def _write(db: Database, edition: Edition, choice: Choice, proof: Proof) -> Edition | None:
    """Writes content and rendering down. None: somebody else cut the same span meanwhile, or froze this edition."""
    here = EditionState.COMPOSING
    async with db.write() as connection:
        if not await _still_ours(connection, edition):
            return None
        begun = await editions.begin(connection, edition)
        await editions.put_content(connection, begun.id, _stories(choice), [proof.rendering])
        await editions.set_state(connection, begun.id, here, came_from=[here], why=proof.why_held)
    return replace(begun, why=proof.why_held)


async def _still_ours(connection: AsyncConnection, edition: Edition) -> bool:
    """True while the span is nobody else's. Locks the newsletter's cut: two slots can't take the same stories."""
    cut = await changes.cursor(connection, cut_name(edition.newsletter), lock=True) or 0
    unfinished = await editions.unfinished(connection, newsletter=edition.newsletter)
    composing = [other.id for other in unfinished if other.state is EditionState.COMPOSING]
    return cut == edition.cut_from and composing == ([edition.id] if edition.id else [])


def _stories(choice: Choice) -> list[Story]:
    listed = [(article, "") for article in choice.stories]
    listed += [(article, LeftOut.MAX.value) for article in choice.beyond]
    listed += [(article, LeftOut.UNPRINTABLE.value) for article in choice.unprintable]
    return [
        Story(article_id=article.id, version=article.version, position=place, left_out=why)
        for place, (article, why) in enumerate(listed)
    ]
