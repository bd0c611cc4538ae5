"""Subscribers, their choices, and addresses we must not write to."""

from datetime import timedelta

from syndicate.domain.audience import Subscriber, SubscriptionState, address_digest
from syndicate.store import audience
from syndicate.store.db import Database
from tests.factories import NOW, PEPPER, add_reader

LATER = NOW + timedelta(hours=1)


async def test_one_address_is_one_person_however_it_is_capitalised(db: Database) -> None:
    async with db.write() as connection:
        first = await add_reader(connection, 1)
        address = first.address.upper()
        twin = Subscriber(id=0, address=address, name="Kembar", created_at=NOW)
        again = await audience.add(connection, twin, digest=address_digest(PEPPER, address))
        assert again == first == await audience.by_address(connection, address)


async def test_people_are_found_by_number_digest_and_page(db: Database) -> None:
    async with db.write() as connection:
        assert not await audience.anyone(connection)
        one, two = await add_reader(connection, 1), await add_reader(connection, 2)
        digest = await audience.digest_of(connection, one.id)
        assert digest == address_digest(PEPPER, one.address)
        assert await audience.by_digest(connection, digest) == await audience.get(connection, one.id) == one
        assert await audience.by_numbers(connection, [two.id, 999]) == {two.id: two}
        assert await audience.page(connection, after=one.id, limit=9) == [two]
        assert await audience.anyone(connection)
        assert await audience.get(connection, 999) is await audience.by_address(connection, "x@y.z") is None


async def test_ending_and_beginning_again_is_told_apart_from_nothing_new(db: Database) -> None:
    async with db.write() as connection:
        person = await add_reader(connection, 1)
        assert not await audience.subscribe(connection, "pagi", person.id, origin="import", now=NOW)
        assert await audience.unsubscribe(connection, "pagi", person.id, now=NOW)
        assert not await audience.unsubscribe(connection, "pagi", person.id, now=LATER)
        (ended,) = await audience.subscriptions_of(connection, person.id)
        assert (ended.state, ended.ended_at, ended.origin) == (SubscriptionState.ENDED, NOW, "form")
        assert await audience.subscribe(connection, "pagi", person.id, origin="form again", now=LATER)
        (again,) = await audience.subscriptions_of(connection, person.id)

    assert (again.state, again.since, again.ended_at, again.origin) == (
        *(SubscriptionState.ACTIVE, LATER, None, "form again"),
    )


async def test_a_suppression_keeps_its_first_reason(db: Database) -> None:
    async with db.write() as connection:
        await audience.suppress(connection, "d", "bounced", now=NOW)
        await audience.suppress(connection, "d", "complained", now=LATER)
        assert await audience.suppression(connection, "d") == ("bounced", NOW)
        assert await audience.suppression(connection, "e") is None
