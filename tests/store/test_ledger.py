"""The ledger of deliveries: who may send what, and books that always balance."""

import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from syndicate.domain.delivery import ACCEPTED
from syndicate.domain.edition import EditionState
from syndicate.store import audience, editions, fence, ledger
from syndicate.store.db import Database
from syndicate.store.tables import deliveries, subscribers, subscriptions
from tests.factories import DEFERRED, NOW, REFUSED, UNCERTAIN
from tests.store.editions import answered, claimed, frozen_edition, marked, states

LATER = NOW + timedelta(minutes=2)


async def reasons(db: Database) -> list[str]:
    async with db.read() as connection:
        rows = await connection.execute(select(deliveries.c.reason).order_by(deliveries.c.id))
        return [row.reason for row in rows]


async def test_two_workers_never_get_the_same_delivery(db: Database) -> None:
    edition = await frozen_edition(db, 6)

    one, other = await claimed(db, edition, owner="a", limit=4), await claimed(db, edition, owner="b", limit=4)

    assert len(one) == 4
    assert len(other) == 2
    assert not {d.id for d in one} & {d.id for d in other}


async def test_a_locked_delivery_is_passed_over_by_another_worker(postgres_db: Database) -> None:
    db = postgres_db  # SQLite has one writer at a time
    edition = await frozen_edition(db, 4)
    async with db.write() as connection:
        span: dict[str, Any] = {"edition_id": edition.id, "first": 1, "last": 10**15, "limit": 2, "now": NOW}
        mine = await ledger.claim(connection, owner="a", **span)
        theirs = await claimed(db, edition, owner="b")  # while the first transaction is still open

    assert len(mine) == len(theirs) == 2
    assert not {d.id for d in mine} & {d.id for d in theirs}


@pytest.mark.parametrize("state", [EditionState.HELD, EditionState.CANCELLED, EditionState.COMPOSING])
async def test_nothing_is_claimed_of_an_edition_that_is_not_frozen(db: Database, state: EditionState) -> None:
    edition = await frozen_edition(db)
    async with db.write() as connection:
        await editions.set_state(connection, edition.id, state, came_from=[EditionState.FROZEN])

    assert await claimed(db, edition) == []


async def test_nothing_is_claimed_or_marked_while_the_house_is_on_hold(db: Database) -> None:
    edition = await frozen_edition(db)
    found = await claimed(db, edition, limit=1)
    async with db.write() as connection:
        await fence.hold(connection, "fence", "an older copy", now=NOW)
        assert await ledger.mark(connection, [found[0].id], owner="a", now=NOW) == set()

    assert await claimed(db, edition) == []
    assert await states(db, edition) == {"open": 3}


async def test_whoever_left_between_claim_and_mark_is_excluded_with_the_reason(db: Database) -> None:
    edition = await frozen_edition(db)
    found = await claimed(db, edition)
    async with db.write() as connection:
        await audience.unsubscribe(connection, "pagi", found[0].subscriber.id, now=NOW)
        await audience.suppress(
            connection, await audience.digest_of(connection, found[1].subscriber.id), "bounced", now=NOW
        )
        going = await ledger.mark(connection, [one.id for one in found], owner="a", now=NOW)

    assert going == {found[2].id}
    assert await reasons(db) == ["unsubscribed", "suppressed", ""]
    assert await states(db, edition) == {"excluded": 2, "open": 1}


async def test_an_edition_held_between_claim_and_mark_gives_everything_back(db: Database) -> None:
    edition = await frozen_edition(db)
    found = await claimed(db, edition)
    async with db.write() as connection:
        await editions.set_state(connection, edition.id, EditionState.HELD, came_from=[EditionState.FROZEN])
        assert await ledger.mark(connection, [one.id for one in found], owner="a", now=NOW) == set()
        await editions.set_state(connection, edition.id, EditionState.FROZEN, came_from=[EditionState.HELD])

    assert len(await claimed(db, edition, owner="b")) == 3


async def test_only_the_owner_marks_settles_withholds_and_releases(db: Database) -> None:
    edition = await frozen_edition(db)
    (one, *_) = await marked(db, edition, limit=1)
    await claimed(db, edition, limit=1)
    async with db.write() as connection:
        assert await ledger.mark(connection, [1, 2, 3], owner="b", now=NOW) == set()
        await ledger.settle(connection, [answered(one)], owner="b", now=NOW)
        await ledger.withhold(connection, [one.id], owner="b", now=NOW)
        await ledger.release(connection, [one.id + 1], owner="b")

    assert await states(db, edition) == {"open": 3}
    assert len(await claimed(db, edition, owner="c")) == 1


@pytest.mark.parametrize(
    ("outcome", "where"),
    [(ACCEPTED, "accepted"), (REFUSED, "refused"), (UNCERTAIN, "uncertain"), (DEFERRED, "open")],
)
async def test_an_outcome_moves_the_books(db: Database, outcome: object, where: str) -> None:
    edition = await frozen_edition(db, 1)
    (one,) = await marked(db, edition)
    async with db.write() as connection:
        await ledger.settle(connection, [answered(one, outcome)], owner="a", now=NOW)  # type: ignore[arg-type]
        await ledger.settle(connection, [answered(one)], owner="a", now=NOW)  # a second answer changes nothing

    assert await states(db, edition) == {where: 1}


async def test_a_deferred_delivery_is_claimed_again_when_its_time_has_come(db: Database) -> None:
    edition = await frozen_edition(db, 1)
    (one,) = await marked(db, edition)
    async with db.write() as connection:
        await ledger.settle(connection, [answered(one, DEFERRED)], owner="a", now=NOW)
        span: dict[str, Any] = {"edition_id": edition.id, "first": 1, "last": 10**15}
        assert await ledger.open_left(connection, **span) == (1, NOW + timedelta(minutes=1))

    assert await claimed(db, edition) == []
    (again,) = await claimed(db, edition, now=LATER)
    assert again.standing.attempt == 1


async def test_a_fresh_revocation_keeps_a_marked_mail_off_the_wire(db: Database) -> None:
    edition = await frozen_edition(db, 2)
    one, _ = await marked(db, edition)
    async with db.write() as connection:
        await ledger.withhold(connection, [one.id], owner="a", now=NOW)

    assert await reasons(db) == ["unsubscribed", ""]
    assert await states(db, edition) == {"excluded": 1, "open": 1}


async def test_a_dead_worker_leaves_doubts_and_cannot_settle_any_more(db: Database) -> None:
    edition = await frozen_edition(db)
    (one,) = await marked(db, edition, owner="dead", limit=1)
    await claimed(db, edition, owner="dead", limit=1)
    await marked(db, edition, owner="alive", limit=1)
    async with db.write() as connection:
        assert await ledger.abandon(connection, edition.id, alive=["alive"], now=NOW) == 1
        await ledger.settle(connection, [answered(one)], owner="dead", now=NOW)
        (doubt,) = await ledger.doubts(connection, edition.id)

    assert (doubt.id, doubt.subscriber_id, doubt.code) == (one.id, one.subscriber.id, "crash")
    assert await states(db, edition) == {"uncertain": 1, "open": 2}


async def test_evidence_settles_doubts_both_ways(db: Database) -> None:
    edition = await frozen_edition(db, 3)
    found = await marked(db, edition)
    async with db.write() as connection:
        await ledger.abandon(connection, edition.id, alive=[], now=NOW)
        await ledger.resolve(connection, edition.id, {found[0].id: True, found[1].id: False}, now=NOW)
        await ledger.resolve(connection, edition.id, {found[0].id: False}, now=NOW)  # settled already

    assert await states(db, edition) == {"accepted": 1, "uncertain": 1, "open": 1}
    assert [one.id for one in await claimed(db, edition)] == [found[1].id]


async def test_cancelling_excludes_what_is_unsent_and_leaves_the_wire_alone(db: Database) -> None:
    edition = await frozen_edition(db)
    (one,) = await marked(db, edition, limit=1)
    await claimed(db, edition, limit=1)
    async with db.write() as connection:
        await ledger.cancel_unsent(connection, edition.id, now=NOW)
        await ledger.settle(connection, [answered(one)], owner="a", now=NOW)

    assert await reasons(db) == ["", "cancelled", "cancelled"]
    assert await states(db, edition) == {"accepted": 1, "excluded": 2}


async def test_what_is_given_back_can_be_claimed_at_once(db: Database) -> None:
    edition = await frozen_edition(db, 2)
    one, _ = await claimed(db, edition)
    async with db.write() as connection:
        await ledger.release(connection, [one.id], owner="a")

    assert [d.id for d in await claimed(db, edition)] == [one.id]


async def test_a_doubt_that_is_sent_again_has_all_its_patience_once_more(db: Database) -> None:
    edition = await frozen_edition(db, 2)
    one, two = await marked(db, edition)
    async with db.write() as connection:
        await ledger.settle(connection, [answered(one, UNCERTAIN), answered(two)], owner="a", now=NOW)
        assert await ledger.retry_doubts(connection, edition.id, now=LATER) == 1
        assert await ledger.retry_doubts(connection, edition.id, now=LATER) == 0

    (again,) = await claimed(db, edition, now=LATER)
    assert (again.id, again.standing.attempt, again.standing.first_due) == (one.id, 0, LATER)
    assert await states(db, edition) == {"accepted": 1, "open": 1}


async def test_a_person_erased_after_the_freeze_stays_in_the_books(db: Database) -> None:
    edition = await frozen_edition(db, 2)
    async with db.write() as connection:
        await connection.execute(delete(subscriptions))
        await connection.execute(delete(subscribers))

    assert await claimed(db, edition) == []
    assert await states(db, edition) == {"excluded": 2}


async def test_a_subscriber_sees_what_they_were_sent(db: Database) -> None:
    edition = await frozen_edition(db, 1)
    (one,) = await marked(db, edition)
    async with db.write() as connection:
        await ledger.settle(connection, [answered(one, REFUSED)], owner="a", now=NOW)
        (line,) = await audience.history(connection, one.subscriber.id)

    assert (line.edition_id, line.slot, line.state, line.code) == (edition.id, edition.slot, "refused", "550 5.1.1")
    assert line.settled_at == NOW


@pytest.mark.parametrize("seed", range(8))
async def test_the_books_balance_on_any_walk(db: Database, seed: int) -> None:
    chance, edition = random.Random(seed), await frozen_edition(db, 12)
    for _ in range(25):
        owner, now = chance.choice("ab"), NOW + timedelta(hours=chance.random() * 5)
        if chance.random() < 0.3:
            async with db.write() as connection:
                await audience.unsubscribe(connection, "pagi", chance.randint(1, 12), now=now)
        found = await marked(db, edition, owner=owner, limit=chance.randint(1, 4), now=now)
        outcomes = [chance.choice((ACCEPTED, REFUSED, DEFERRED, UNCERTAIN)) for _ in found]
        async with db.write() as connection:
            await ledger.settle(
                connection,
                [answered(one, o) for one, o in zip(found, outcomes, strict=True) if chance.random() < 0.7],
                owner=owner,
                now=now,
            )
            await ledger.abandon(connection, edition.id, alive=[chance.choice("abc")], now=now)
            doubts = await ledger.doubts(connection, edition.id)
            proven = {d.id: chance.random() < 0.5 for d in doubts if chance.random() < 0.5}
            await ledger.resolve(connection, edition.id, proven, now=now)
        await states(db, edition)

    async with db.write() as connection:
        await ledger.abandon(connection, edition.id, alive=[], now=NOW)
        await ledger.cancel_unsent(connection, edition.id, now=NOW)
    assert "open" not in await states(db, edition)
