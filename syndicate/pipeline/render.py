"""Choice → renderings: an edition as everybody may read it, and each variant of it, from what is written down.

A rendering is made outside of any transaction, once, however many readers get it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from syndicate.domain.article import Article
from syndicate.domain.audience import Rhythm
from syndicate.domain.edition import Choice, Edition, LeftOut
from syndicate.domain.feed import Site
from syndicate.domain.newsletter import Newsletter, dressed
from syndicate.domain.slot import Slot
from syndicate.domain.variant import WHOLE, VariantKey
from syndicate.formats.digest import TOO_LARGE, DigestView
from syndicate.formats.fit import Fitted, fit
from syndicate.store import articles, candidates, directions, editions
from syndicate.store.db import Database
from syndicate.store.editions import Rendering

VARIANT = "all"  # the name of the whole edition's rendering
_NAMED = 3  # stories that the reason of a hold calls by their headline


@dataclass(frozen=True, kw_only=True)
class Studio:
    """What editions are made with."""

    site: Site
    templates: tuple[Path, ...]  # folders of digest templates, the publisher's own first
    sources: tuple[str, ...]
    mark: Callable[[], str]  # 16 random letters: the name of the holes in one rendering


@dataclass(frozen=True, kw_only=True)
class Proof:
    """An edition as it will look, and what is to be said about its size."""

    rendering: Rendering
    size: int  # bytes of its HTML part
    brief: int  # stories that had room for their headline only
    why_held: str  # "" unless it is too large to go out without a person's word


def edition_url(site: Site, newsletter: str, slot: str) -> str:
    """Where an edition is read in a browser."""
    return f"{site.public_url}/editions/{newsletter}/{slot}"


def render_choice(
    newsletter: Newsletter,
    choice: Choice,
    studio: Studio,
    *,
    slot: Slot,
    rhythm: Rhythm = Rhythm.EACH,
    number: int = WHOLE,
    key: VariantKey | None = None,
) -> Proof:
    """An edition as it looks, or with `key` a variant of it. Raises ValueError when a story in it can't be shown."""
    mark = studio.mark()
    view = DigestView(
        site=studio.site,
        newsletter=newsletter,
        edition_url=edition_url(studio.site, newsletter.name, slot.name),
        stories=choice.stories,
        date=slot.at,
        mark=mark,
        left_out_count=len(choice.beyond),
        intro=choice.intro,
        rhythm=rhythm,
    )
    if key is not None:
        view = replace(
            view,
            stories=tuple(story for story in choice.stories if story.id not in key.left_out),
            left_out_count=key.more,
            language=key.language,
            zone=key.zone,
            updated=key.updated,
            repeated=key.repeated,
            is_whole=False,
        )
    fitted = fit(view, studio.templates)
    rendered = fitted.rendered
    words = {"subject": rendered.subject, "html": rendered.html, "text": rendered.text}
    return Proof(
        rendering=Rendering(variant=str(number) if number else VARIANT, number=number, mark=mark, **words),
        size=rendered.size,
        brief=fitted.brief,
        why_held=_too_large(fitted, len(view.stories)),
    )


async def read_choice(db: Database, edition: Edition) -> Choice:
    """What was chosen for an edition, from where it is written down: each story as it stood at the cut."""
    async with db.read() as connection:
        listed = await editions.stories(connection, edition.id)
        found = await articles.at_cut(connection, [story.article_id for story in listed], edition.cut_to)
        said = await directions.of(connection, edition.newsletter, edition.slot)

    def those(why: str) -> tuple[Article, ...]:
        return tuple(found[story.article_id] for story in listed if story.left_out == why)

    return Choice(
        stories=those(""),
        beyond=those(LeftOut.MAX),
        unprintable=those(LeftOut.UNPRINTABLE),
        dropped=those(LeftOut.DESK),
        intro=said.intro,
    )


async def render_variants(db: Database, newsletter: Newsletter, edition: Edition, studio: Studio) -> str:
    """Renders what readers have been given a number of and nobody has rendered yet, each once and outside of any
    transaction. Returns why the edition must be held, "" if nothing is in the way.
    """
    async with db.read() as connection:
        numbers = await editions.numbers(connection, edition.id, unrendered=True)
        keys = await candidates.keys(connection, [edition.id]) if numbers else {}
    choice = await read_choice(db, edition) if numbers else Choice(stories=())
    slot = Slot(at=edition.slot_at, name=edition.slot)
    newsletter = dressed(newsletter, edition.rhythm)
    why = ""
    for number in numbers:
        draw = partial(render_choice, newsletter, choice, studio, slot=slot, rhythm=edition.rhythm)
        proof = await asyncio.to_thread(draw, number=number, key=keys[edition.id, number])
        async with db.write() as connection:
            await editions.set_rendering(connection, edition.id, proof.rendering)
        why = why or proof.why_held
    return why


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
