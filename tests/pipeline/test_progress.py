"""Why an edition isn't through is said: who stopped it, what the channel said and until when, or nobody is there."""

from collections import deque
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from syndicate.domain.account import Deed
from syndicate.domain.audience import address_digest
from syndicate.domain.delivery import State
from syndicate.domain.edition import Edition
from syndicate.domain.progress import Hindrance, Obstacle
from syndicate.errors import Refused
from syndicate.pipeline.enqueue import cancel_edition, hold_edition
from syndicate.pipeline.progress import look_at_progress
from syndicate.pipeline.retry import retry_edition
from syndicate.store import accounts, audience, editions, fence, jobs, leases, stuck
from syndicate.store.db import Database
from syndicate.store.leases import Node
from syndicate.store.tables import deliveries
from tests.factories import DEFERRED, NOW, PEPPER, REFUSED, ScriptedMailer
from tests.pipeline.mailing import Postoffice, address

WHO = "cli:meja"


@pytest.fixture
def mailer() -> ScriptedMailer:
    return ScriptedMailer()


@pytest.fixture
async def office(db: Database, tmp_path: Path, mailer: ScriptedMailer) -> Postoffice:
    """With a process that lives."""
    async with db.write() as connection:
        await leases.beat(connection, Node(id="a", host="here", pid=1, beat=1, seen_at=NOW))
    return Postoffice(db, tmp_path, mailer)


async def obstacles(db: Database, edition: Edition, *, whole: bool = True, minutes: int = 0) -> list[Obstacle]:
    now = NOW + timedelta(minutes=minutes)
    async with db.write() as connection:
        if minutes == 0:
            await leases.beat(connection, Node(id="a", host="here", pid=1, beat=2, seen_at=now))
    async with db.read() as connection:
        current = await editions.get(connection, edition.id)
    assert current is not None
    (found,) = await look_at_progress(db, [current], {"pagi"}, whole=whole, now=now)
    return list(found.obstacles)


async def test_what_is_only_waiting_for_its_turn_has_nothing_in_its_way(office: Postoffice) -> None:
    assert await obstacles(office.db, await office.freeze(3)) == []


@pytest.mark.parametrize("whole", [True, False])
async def test_what_was_put_off_says_by_which_code_and_until_when(
    office: Postoffice, mailer: ScriptedMailer, whole: bool
) -> None:
    mailer.answers |= {address(0): deque([DEFERRED]), address(1): deque([DEFERRED])}
    edition = await office.freeze(3)
    await office.send(edition)

    (found,) = await obstacles(office.db, edition, whole=whole)
    assert (found.what, found.code, found.why, found.count) == (Hindrance.PUT_OFF, "451 4.7.1", "later", 2)
    assert found.until is not None
    assert found.until > NOW
    assert not found.needs_a_person


async def test_who_stopped_it_is_said(office: Postoffice) -> None:
    edition = await office.freeze(3)
    async with office.db.write() as connection:
        await fence.hold(connection, "fence", "an older copy", now=NOW)
    stopped = await obstacles(office.db, edition)
    async with office.db.write() as connection:
        await fence.release(connection, "fence")
    await hold_edition(office.db, edition, why="salah judul")

    assert stopped == [Obstacle(what=Hindrance.HOUSE, why="an older copy")]
    assert await obstacles(office.db, edition) == [Obstacle(what=Hindrance.HELD, why="salah judul")]


async def test_that_nobody_is_there_to_send_it_is_said(office: Postoffice) -> None:
    assert await obstacles(office.db, await office.freeze(3), minutes=5) == [Obstacle(what=Hindrance.IDLE)]


async def test_a_batch_that_was_given_up_is_said_with_its_trouble(office: Postoffice) -> None:
    edition = await office.freeze(3)
    async with office.db.write() as connection:
        (batch,) = await stuck.waiting_batches(connection, edition.id)
        await jobs.fail(connection, batch.id, "ValueError: salah")

    assert Obstacle(what=Hindrance.GIVEN_UP, why="ValueError: salah", count=1) in await obstacles(office.db, edition)


async def test_readers_who_want_it_later_in_their_day_are_no_trouble(office: Postoffice) -> None:
    edition, later = await office.freeze(3), NOW + timedelta(hours=3)
    first = select(func.min(deliveries.c.id)).scalar_subquery()
    async with office.db.write() as connection:
        await connection.execute(update(deliveries).where(deliveries.c.id == first).values(not_before=later))

    found = await obstacles(office.db, edition)
    assert found == [Obstacle(what=Hindrance.THEIR_HOUR, count=1, until=later)]
    assert not found[0].needs_a_person


async def test_what_is_through_has_no_obstacle_whatever_is_held(office: Postoffice) -> None:
    edition = await office.freeze(1)
    await office.send(edition)
    async with office.db.write() as connection:
        await fence.hold(connection, "fence", "an older copy", now=NOW)

    assert await obstacles(office.db, edition) == []


async def test_what_was_refused_is_due_again_at_a_person_s_word(office: Postoffice, mailer: ScriptedMailer) -> None:
    mailer.answers[address(1)] = deque([REFUSED])
    edition = await office.freeze(3)
    await office.send(edition)
    async with office.db.read() as connection:
        (why,) = await stuck.refusals(connection, edition.id)
    retried = await retry_edition(office.db, edition, [], who=WHO, now=NOW)
    again = await office.books(edition)
    await office.send(edition)

    assert (why.code, why.text, why.count) == ("550 5.1.1", "no such user", 1)
    assert (retried.refused, again) == (1, {"accepted": 2, "open": 1})
    assert await office.books(edition) == {"accepted": 3}
    async with office.db.read() as connection:
        (entry,) = await accounts.log(connection, limit=9)
    assert (entry.what, entry.who, entry.subject) == (Deed.RETRIED, WHO, edition.name)


async def test_what_was_put_off_is_tried_at_once_and_keeps_its_patience(
    office: Postoffice, mailer: ScriptedMailer
) -> None:
    mailer.answers[address(1)] = deque([DEFERRED])
    edition = await office.freeze(2)
    await office.send(edition)
    retried = await retry_edition(office.db, edition, [], who=WHO, now=NOW)
    await office.send(edition)

    assert (retried.refused, retried.hurried) == (0, 1)
    assert await office.books(edition) == {"accepted": 2}


async def test_only_the_named_codes_are_tried_again(office: Postoffice, mailer: ScriptedMailer) -> None:
    mailer.answers |= {address(0): deque([REFUSED]), address(1): deque([DEFERRED])}
    edition = await office.freeze(2)
    await office.send(edition)

    with pytest.raises(Refused, match="nothing of the edition"):
        await retry_edition(office.db, edition, ["554 5.7.1"], who=WHO, now=NOW)
    retried = await retry_edition(office.db, edition, ["550 5.1.1"], who=WHO, now=NOW)

    assert (retried.refused, retried.hurried) == (1, 0)


async def test_an_address_we_must_not_write_to_is_not_tried_again(office: Postoffice, mailer: ScriptedMailer) -> None:
    mailer.answers[address(0)] = deque([REFUSED])
    edition = await office.freeze(1)
    await office.send(edition)
    async with office.db.write() as connection:
        await audience.suppress(connection, address_digest(PEPPER, address(0)), "bounced", now=NOW)

    with pytest.raises(Refused):
        await retry_edition(office.db, edition, [], who=WHO, now=NOW)
    assert await office.books(edition) == {"refused": 1}


async def test_nothing_of_a_cancelled_edition_is_tried_again(office: Postoffice, mailer: ScriptedMailer) -> None:
    mailer.answers[address(0)] = deque([REFUSED])
    edition = await office.freeze(2)
    await office.send_first(edition)
    await cancel_edition(office.db, edition, why="salah", now=NOW)

    with pytest.raises(Refused, match="cancelled"):
        await retry_edition(office.db, edition, [], who=WHO, now=NOW)
    async with office.db.read() as connection:
        waiting = await stuck.waiting(connection, edition.id)
    assert [one for one in waiting if one.state is State.DUE] == []
