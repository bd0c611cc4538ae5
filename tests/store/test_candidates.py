"""Candidates: everybody due, by the thousand, once, with all that decides what they get."""

from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.audience import Rhythm, Subscriber
from syndicate.domain.candidate import Placing
from syndicate.domain.delivery import State
from syndicate.domain.edition import Books, Edition, EditionState
from syndicate.domain.variant import VariantKey
from syndicate.store import audience, candidates, editions
from syndicate.store.db import Database
from syndicate.store.editions import Story
from syndicate.store.tables import deliveries, subscribers, subscriptions
from tests.factories import NOW, add_article, add_reader, make_article, make_edition
from tests.store.editions import add_candidates

EACH = frozenset({Rhythm.EACH})


async def put(connection: AsyncConnection, edition: Edition, *numbers: int, variant: int = 0) -> None:
    """Candidates who are due."""
    placings = [
        Placing(subscriber=number, variant=variant, reason="", first_due=NOW, not_before=None) for number in numbers
    ]
    await candidates.add(connection, edition, placings, now=NOW)


async def begun(connection: AsyncConnection, slot: str, state: EditionState = EditionState.COMPOSING) -> Edition:
    edition = await editions.begin(connection, make_edition(slot=slot))
    await editions.set_state(connection, edition.id, state, came_from=EditionState)
    return edition


async def test_candidates_come_in_chunks_suppressed_ones_excluded_late_ones_not_at_all(db: Database) -> None:
    async with db.write() as connection:
        people = [await add_reader(connection, number) for number in range(5)]
        await audience.suppress(connection, await audience.digest_of(connection, people[1].id), "bounced", now=NOW)
        await audience.unsubscribe(connection, "pagi", people[2].id, now=NOW)
        await audience.unsubscribe(connection, "pagi", people[3].id, now=NOW)
        await audience.subscribe(connection, "pagi", people[3].id, origin="late", now=NOW + timedelta(seconds=1))
        edition = await editions.begin(connection, make_edition())
        assert await candidates.missing(connection, edition, EACH) == 3
        after = await add_candidates(connection, edition, after=0, limit=2)
        assert after == people[1].id
        assert await candidates.missing(connection, edition, EACH) == 1
        after = await add_candidates(connection, edition, after=after, limit=2)
        assert after == people[4].id
        assert await add_candidates(connection, edition, after=after, limit=2) is None
        assert await add_candidates(connection, edition, after=0, limit=9) == people[4].id  # again
        assert await candidates.missing(connection, edition, EACH) == 0
        assert await editions.count_books(connection, edition.id) == Books(candidates=3, excluded=1, open=2)


async def test_a_page_tells_what_each_reader_chose(db: Database) -> None:
    async with db.write() as connection:
        plain, choosy = await add_reader(connection, 1), await add_reader(connection, 2)
        own = {"language": "en", "timezone": "Asia/Jayapura", "hour": 5, "paused_until": NOW + timedelta(seconds=1)}
        await connection.execute(update(subscribers).where(subscribers.c.id == choosy.id).values(**own))
        chosen = update(subscriptions).where(subscriptions.c.subscriber_id == choosy.id)
        await connection.execute(chosen.values(topics=["ekonomi", "daerah/solo"]))
        edition = await editions.begin(connection, make_edition())
        one, two = await candidates.page(connection, edition, EACH, after=0, limit=9, now=NOW)

    assert (one.subscriber, one.taste.topics, one.hour, one.paused) == (plain.id, "[]", None, False)
    assert (two.taste.topics, two.taste.language) == ('["ekonomi","daerah/solo"]', "en")
    assert (two.taste.timezone, two.hour, two.paused) == ("Asia/Jayapura", 5, True)


async def test_a_pause_ends_at_its_moment(db: Database) -> None:
    async with db.write() as connection:
        await add_reader(connection, 1)
        await connection.execute(update(subscribers).values(paused_until=NOW))
        edition = await editions.begin(connection, make_edition())
        (one,) = await candidates.page(connection, edition, EACH, after=0, limit=9, now=NOW)

    assert not one.paused


async def test_only_subscriptions_of_the_rhythm_are_due(db: Database) -> None:
    async with db.write() as connection:
        people = [await add_reader(connection, number) for number in range(3)]
        for person, rhythm in zip(people, Rhythm, strict=True):
            chosen = update(subscriptions).where(subscriptions.c.subscriber_id == person.id)
            await connection.execute(chosen.values(rhythm=rhythm.value))
        edition = await editions.begin(connection, make_edition())
        wanted = {Rhythm.EACH, Rhythm.BREAKING}
        found = await candidates.page(connection, edition, wanted, after=0, limit=9, now=NOW)
        missing = await candidates.missing(connection, edition, {Rhythm.WEEKLY})

    assert ([one.subscriber for one in found], missing) == ([people[0].id, people[2].id], 1)


async def test_readers_of_one_variant_have_numbers_in_a_row(db: Database) -> None:
    async with db.write() as connection:
        people = [await add_reader(connection, number) for number in range(4)]
        edition = await editions.begin(connection, make_edition())
        placings = [
            Placing(subscriber=person.id, variant=place % 2, reason="", first_due=NOW, not_before=None)
            for place, person in enumerate(people)
        ]
        await candidates.add(connection, edition, placings, now=NOW)
        rows = (await connection.execute(deliveries.select().order_by(deliveries.c.id))).all()

    assert [row.variant for row in rows] == [0, 0, 1, 1]


async def test_a_placing_is_kept_as_it_was_decided(db: Database) -> None:
    later: datetime = NOW + timedelta(hours=5)
    async with db.write() as connection:
        due, out = await add_reader(connection, 1), await add_reader(connection, 2)
        edition = await editions.begin(connection, make_edition())
        placings = [
            Placing(subscriber=due.id, variant=3, reason="", first_due=later, not_before=later),
            Placing(subscriber=out.id, variant=0, reason="paused", first_due=NOW, not_before=None),
        ]
        await candidates.add(connection, edition, placings, now=NOW)
        rows = {row.subscriber_id: row for row in await connection.execute(deliveries.select())}

    one, two = rows[due.id], rows[out.id]
    assert (one.state, one.variant, one.first_due, one.not_before, one.settled_at) == ("due", 3, later, later, None)
    assert (two.state, two.reason, two.not_before, two.settled_at) == ("excluded", "paused", None, NOW)


async def test_what_was_sent_or_is_on_its_way_was_brought_and_what_was_not_sent_wasn_t(db: Database) -> None:
    async with db.write() as connection:
        people: list[Subscriber] = [await add_reader(connection, number) for number in range(len(State))]
        edition = await begun(connection, "a", EditionState.FROZEN)
        await put(connection, edition, *(person.id for person in people), variant=2)
        for person, state in zip(people, State, strict=True):
            mine = update(deliveries).where(deliveries.c.subscriber_id == person.id)
            await connection.execute(mine.values(state=state.value))
        span = {"first": people[0].id, "last": people[-1].id}
        found = await candidates.brought(connection, [edition.id], **span)

    got = {state for person, state in zip(people, State, strict=True) if person.id in found}
    assert got == set(State) - {State.REFUSED, State.EXCLUDED}
    assert set(map(tuple, found.values())) == {((edition.id, 2),)}


async def test_what_a_hold_keeps_back_has_not_been_brought(db: Database) -> None:
    async with db.write() as connection:
        one, two = await add_reader(connection, 1), await add_reader(connection, 2)
        edition = await begun(connection, "a", EditionState.HELD)
        await put(connection, edition, one.id, two.id)
        gone = update(deliveries).where(deliveries.c.subscriber_id == two.id)
        await connection.execute(gone.values(state=State.ACCEPTED.value))
        found = await candidates.brought(connection, [edition.id], first=one.id, last=two.id)

    assert found == {two.id: [(edition.id, 0)]}


async def test_editions_that_show_a_story_tell_it_and_those_that_left_it_out_don_t(db: Database) -> None:
    async with db.write() as connection:
        one, two = await add_article(connection, make_article(1)), await add_article(connection, make_article(2))
        ours, other = await begun(connection, "a"), await begun(connection, "b")
        shown = Story(article_id=one.id, version=1, position=0, left_out="")
        left = Story(article_id=two.id, version=1, position=1, left_out="max")
        for edition in (ours, other):
            await editions.put_content(connection, edition.id, [shown, left], [])
        found = await candidates.telling(connection, ours, [one.id, two.id])

    assert found == {other.id: {one.id}}


async def test_a_key_is_read_as_it_was_kept(db: Database) -> None:
    key = VariantKey(
        language="en",
        zone="Asia/Makassar",
        off_topic=frozenset({"b", "a"}),
        seen=frozenset({"c"}),
        updated=frozenset({"d"}),
        more=3,
    )
    plain = VariantKey(language="id", zone="UTC", repeated=frozenset({"a"}), shared=True)
    async with db.write() as connection:
        edition = await begun(connection, "a")
        await candidates.add_keys(connection, edition.id, {1: key, 2: plain})
        found = await candidates.keys(connection, [edition.id])
        unrendered = await editions.numbers(connection, edition.id, unrendered=True)

    assert found == {(edition.id, 1): key, (edition.id, 2): plain}
    assert unrendered == [1, 2]


async def test_candidates_are_forgotten_some_at_a_time(db: Database) -> None:
    async with db.write() as connection:
        people = [await add_reader(connection, number) for number in range(3)]
        edition, other = await begun(connection, "a"), await begun(connection, "b")
        for one in (edition, other):
            await put(connection, one, *(person.id for person in people))
        gone = [await candidates.forget(connection, edition.id, limit=2) for _ in range(3)]
        left = await editions.count_books(connection, other.id)

    assert (gone, left.candidates) == ([2, 1, 0], 3)
