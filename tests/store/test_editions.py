"""Editions: one a slot, what they hold, and everybody due as a candidate."""

from dataclasses import replace

from syndicate.domain.edition import EditionState
from syndicate.store import editions
from syndicate.store.db import Database
from syndicate.store.editions import Rendering, Story
from tests.factories import NOW, add_article, make_article, make_edition
from tests.store.editions import frozen_edition, states

RENDERING = Rendering(variant="all", mark="a" * 16, subject="Lintas Pagi", html="<p>ä</p>", text="ä\n")


async def test_a_slot_has_one_edition(db: Database) -> None:
    async with db.write() as connection:
        first = await editions.begin(connection, make_edition())
        assert await editions.begin(connection, make_edition(cut_to=99)) == first
        assert (
            await editions.by_slot(connection, "pagi", first.slot) == await editions.get(connection, first.id) == first
        )
        assert await editions.by_slot(connection, "sore", first.slot) is None
        other = await editions.begin(connection, make_edition(newsletter="sore"))
        assert await editions.newest(connection, limit=9) == [other, first]
        assert await editions.newest(connection, limit=9, newsletter="pagi") == [first]


async def test_an_edition_moves_only_from_where_the_caller_thinks_it_is(db: Database) -> None:
    async with db.write() as connection:
        edition = await editions.begin(connection, make_edition())
        composing, frozen = (EditionState.COMPOSING,), EditionState.FROZEN
        assert await editions.set_state(connection, edition.id, frozen, came_from=composing, subject="x", frozen_at=NOW)
        assert not await editions.set_state(connection, edition.id, frozen, came_from=composing, subject="y")
        found = await editions.get(connection, edition.id)

    assert found == replace(edition, state=frozen, subject="x", frozen_at=NOW)


async def test_unfinished_editions_are_being_composed_or_sent(db: Database) -> None:
    async with db.write() as connection:
        for state in EditionState:
            edition = await editions.begin(connection, make_edition(slot=state.value))
            await editions.set_state(connection, edition.id, state, came_from=EditionState)
        unfinished = await editions.unfinished(connection, newsletter="pagi")
        assert [e.state for e in unfinished] == [EditionState.COMPOSING, EditionState.FROZEN]
        assert await editions.unfinished(connection, newsletter="sore") == []


async def test_content_takes_the_place_of_an_earlier_try(db: Database) -> None:
    async with db.write() as connection:
        one, two = await add_article(connection, make_article(1)), await add_article(connection, make_article(2))
        edition = await editions.begin(connection, make_edition())
        shown = Story(article_id=one.id, version=1, position=0, left_out="")
        left = Story(article_id=two.id, version=1, position=1, left_out="max")
        await editions.put_content(connection, edition.id, [left], [replace(RENDERING, subject="old")])
        await editions.put_content(connection, edition.id, [left, shown], [RENDERING])
        assert await editions.stories(connection, edition.id) == [shown, left]
        assert await editions.rendering(connection, edition.id, "all") == RENDERING
        assert await editions.rendering(connection, edition.id, "none") is None


async def test_told_is_what_a_finished_edition_of_this_newsletter_held_or_left_out(db: Database) -> None:
    async with db.write() as connection:
        story = await add_article(connection, make_article(1))
        edition = await editions.begin(connection, make_edition())
        held = Story(article_id=story.id, version=1, position=0, left_out="max")
        await editions.put_content(connection, edition.id, [held], [])
        assert await editions.told(connection, "pagi", [story.id]) == frozenset()
        await editions.set_state(connection, edition.id, EditionState.HELD, came_from=EditionState)
        assert await editions.told(connection, "pagi", [story.id, "x"]) == {story.id}
        assert await editions.told(connection, "sore", [story.id]) == frozenset()


async def test_the_kept_books_are_none_before_the_freeze(db: Database) -> None:
    async with db.write() as connection:
        edition = await editions.begin(connection, make_edition())
        assert await editions.books(connection, edition.id) is None
        assert await editions.delivery_span(connection, edition.id) is None


async def test_a_frozen_edition_knows_the_span_of_its_deliveries(db: Database) -> None:
    edition = await frozen_edition(db, 3)
    async with db.read() as connection:
        span = await editions.delivery_span(connection, edition.id)

    assert span is not None
    assert span[1] - span[0] == 2
    assert await states(db, edition) == {"open": 3}
