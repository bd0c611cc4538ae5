"""Deliveries → subscribers: marked before the wire, settled after it, and never twice."""

import asyncio
import email
import email.policy
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.channels.mail.maildir import MaildirConfig, MaildirMailer
from syndicate.domain.delivery import ACCEPTED, Outcome
from syndicate.domain.edition import EditionState
from syndicate.domain.token import Purpose, read_token, read_verp
from syndicate.errors import StoreTrouble
from syndicate.pipeline import dispatch, postroom
from syndicate.pipeline.dispatch import close_edition
from syndicate.pipeline.enqueue import hold_edition, release_edition
from syndicate.pipeline.group_commit import GroupCommit
from syndicate.pipeline.postroom import Revocations
from syndicate.pipeline.reconcile import Leaving, leave
from syndicate.ports import Copy, Mail
from syndicate.store import audience, editions, fence, jobs, ledger
from syndicate.store.db import Database
from syndicate.store.tables import deliveries
from syndicate.store.tables import jobs as job_table
from tests.factories import DEFERRED, NOW, REFUSED, RING, UNCERTAIN, ScriptedMailer
from tests.pipeline.mailing import Postoffice, address, numbers

DEADLINE = 10  # seconds: only to end a hang


def office_of(
    db: Database, folder: Path, answers: dict[int, list[Any]] | None = None
) -> tuple[Postoffice, ScriptedMailer]:
    mailer = ScriptedMailer({address(number): outcomes for number, outcomes in (answers or {}).items()})
    return Postoffice(db, folder, mailer), mailer


async def test_every_reader_gets_one_mail_of_their_own(db: Database, tmp_path: Path) -> None:
    office = Postoffice(db, tmp_path, MaildirMailer(MaildirConfig(name="post", path=tmp_path / "mail")))
    edition = await office.freeze(60)
    report = await office.send(edition)
    again = await office.send(edition)

    files = list((tmp_path / "mail" / "new").iterdir())
    mails = [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]
    assert sorted(mail["Delivered-To"] for mail in mails) == sorted(address(number) for number in range(60))
    assert (report.sent, report.finished, again.sent) == ({"accepted": 60}, True, {})
    assert await office.books(edition) == {"accepted": 60}
    for mail in mails:
        text = mail["List-Unsubscribe"].partition("/u/")[2].rstrip(">")
        token = read_token(RING, Purpose.UNSUBSCRIBE, text)
        assert token is not None
        async with db.read() as connection:
            person = await audience.get(connection, token.subscriber)
        assert person is not None
        assert person.address == mail["To"].addresses[0].addr_spec


async def test_a_mail_is_the_same_on_every_try(db: Database, tmp_path: Path) -> None:
    office, mailer = office_of(db, tmp_path, {0: [DEFERRED]})
    tries: list[Mail] = []

    async def remember(mails: Sequence[Mail]) -> None:
        tries.extend(mails)

    mailer.on_enter = remember
    edition = await office.freeze(1)
    await office.send(edition)
    office.clock.forward(minutes=2)
    await office.send(edition)

    assert len(tries) == 2
    assert tries[0] == tries[1]
    assert read_verp(RING, tries[0].sender.partition("+")[2].partition("@")[0]) == tries[0].delivery


@pytest.mark.parametrize(
    ("outcome", "where"),
    [(ACCEPTED, "accepted"), (REFUSED, "refused"), (UNCERTAIN, "uncertain"), (DEFERRED, "open")],
)
async def test_what_the_channel_says_is_in_the_books(
    db: Database, tmp_path: Path, outcome: Outcome, where: str
) -> None:
    office, _ = office_of(db, tmp_path, {0: [outcome]})
    edition = await office.freeze(1)
    report = await office.send(edition)

    assert await office.books(edition) == {where: 1}
    assert report.finished is (where != "open")


async def test_a_deferred_mail_is_tried_again_when_its_time_has_come_and_given_up_after_72_hours(
    db: Database, tmp_path: Path
) -> None:
    office, _mailer = office_of(db, tmp_path, {0: [DEFERRED] * 99})
    edition = await office.freeze(1)
    waits = []
    while True:
        report = await office.send(edition)
        if report.finished:
            break
        assert report.again_at is not None
        assert (await office.send(edition)).sent == {}  # not before
        waits.append(report.again_at - office.clock.now())
        office.clock.at = report.again_at

    assert waits[:3] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    assert timedelta(hours=66) < office.clock.now() - NOW <= timedelta(hours=72)
    assert await office.books(edition) == {"refused": 1}


async def test_a_doubtful_mail_is_never_sent_again_by_itself(db: Database, tmp_path: Path) -> None:
    office, mailer = office_of(db, tmp_path, {0: [UNCERTAIN]})
    edition = await office.freeze(1)
    for _ in range(3):
        await office.send(edition)
        office.clock.forward(hours=30)

    assert mailer.sent == []
    assert await office.books(edition) == {"uncertain": 1}


async def test_an_unsubscribe_between_mark_and_wire_is_withheld(db: Database, tmp_path: Path) -> None:
    office, mailer = office_of(db, tmp_path)

    async def somebody_leaves(mails: Sequence[Mail]) -> None:
        async with db.read() as connection:
            person = await audience.by_address(connection, address(1))
        assert person is not None
        await leave(db, office.way_out, Leaving(subscriber=person, newsletter="pagi", title=""), now=NOW)

    mailer.on_enter = somebody_leaves
    edition = await office.freeze(3)
    report = await office.send(edition)

    assert mailer.recipients() == [address(0), address(2)]
    assert report.sent == {"accepted": 2, "excluded": 1}
    assert await office.books(edition) == {"accepted": 2, "excluded": 1}


async def test_somebody_who_came_back_before_the_mark_is_not_kept_out() -> None:
    revocations = Revocations(limit=2)
    revocations.add("pagi", 1, at=NOW)

    assert revocations.left_since("pagi", 1, NOW)
    assert not revocations.left_since("pagi", 1, NOW + timedelta(seconds=1))
    assert not revocations.left_since("sore", 1, NOW)


async def test_only_the_oldest_revocations_are_forgotten() -> None:
    revocations = Revocations(limit=2)
    for person in (1, 2, 1, 3):
        revocations.add("pagi", person, at=NOW)

    assert [revocations.left_since("pagi", person, NOW) for person in (1, 2, 3)] == [True, False, True]


async def test_the_fence_is_on_disk_before_the_wire(db: Database, tmp_path: Path) -> None:
    office, mailer = office_of(db, tmp_path)
    seen: list[tuple[int, int]] = []

    async def look(mails: Sequence[Mail]) -> None:
        async with db.read() as connection:
            seen.append((fence.disk_value(tmp_path / "fence"), await fence.value(connection, "here")))

    mailer.on_enter, mailer.per_call = look, 2
    edition = await office.freeze(7)
    await office.send(edition)

    assert len(seen) == 4
    assert all(disk >= 1 and known >= 1 for disk, known in seen)
    async with db.read() as connection:
        assert fence.disk_value(tmp_path / "fence") == await fence.value(connection, "here")


async def test_a_mail_is_marked_before_it_is_on_the_wire(db: Database, tmp_path: Path) -> None:
    office, mailer = office_of(db, tmp_path)
    marked: list[set[str]] = []

    async def look(mails: Sequence[Mail]) -> None:
        async with db.read() as connection:
            rows = await connection.execute(deliveries.select())
            marked.append({row.state for row in rows if row.id in {mail.delivery for mail in mails}})

    mailer.on_enter = look
    await office.send(await office.freeze(5))

    assert marked == [{"sending"}]


async def test_a_connection_never_has_more_marks_than_one_call_takes(db: Database, tmp_path: Path) -> None:
    office, mailer = office_of(db, tmp_path)
    marked: list[int] = []

    async def look(mails: Sequence[Mail]) -> None:
        async with db.read() as connection:
            rows = await connection.execute(deliveries.select())
            marked.append(sum(row.state == "sending" for row in rows))

    mailer.on_enter, mailer.per_call, mailer.connections = look, 2, 1
    edition = await office.freeze(7)
    office.dispatcher = dispatch.Dispatcher(db, office.room)
    await office.send(edition)

    assert marked == [2, 2, 2, 1]


async def test_a_clean_stop_gives_back_what_is_not_marked(db: Database, tmp_path: Path) -> None:
    office, mailer = office_of(db, tmp_path)

    async def stop(mails: Sequence[Mail]) -> None:
        stopped.drain()

    mailer.on_enter, mailer.per_call, mailer.connections = stop, 2, 1
    edition = await office.freeze(6)
    office.dispatcher = stopped = dispatch.Dispatcher(db, office.room)
    report = await office.send(edition)
    office.dispatcher = dispatch.Dispatcher(db, office.room)
    again = await office.send(edition)

    assert (report.sent, report.finished) == ({"accepted": 2}, False)
    assert (again.sent, again.finished) == ({"accepted": 4}, True)


async def test_a_channel_that_breaks_leaves_doubts_and_the_rest_goes_on(db: Database, tmp_path: Path) -> None:
    office, mailer = office_of(db, tmp_path, {1: [RuntimeError("a bug")]})
    mailer.per_call = 3
    edition = await office.freeze(9)
    with pytest.raises(RuntimeError, match="a bug"):
        await office.send(edition)
    books = await office.books(edition)
    report = await office.send(edition)

    assert books == {"accepted": 7, "uncertain": 2}  # the broken one, and the one behind it in the same call
    assert report.finished


async def test_a_name_that_cannot_be_written_is_refused_and_stops_nobody(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, mailer = office_of(db, tmp_path)
    edition = await office.freeze(3)
    real = postroom.write_mail

    def unfit(room: Any, letter: Any, person: Any, *, delivery: int) -> Mail | Copy:  # today no address makes it fail
        if person.address == address(1):
            raise ValueError("not a header")
        return real(room, letter, person, delivery=delivery)

    monkeypatch.setattr(dispatch, "write_mail", unfit)
    report = await office.send(edition)

    assert report.sent == {"refused": 1, "accepted": 2}
    assert mailer.recipients() == [address(0), address(2)]


@pytest.mark.parametrize("broken", ["settle", "withhold", "release"])
async def test_what_is_known_is_kept_until_the_database_takes_it(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    office, mailer = office_of(db, tmp_path)
    edition = await office.freeze(2)
    monkeypatch.setattr(dispatch, "_PATIENT", 0.01)
    real, away = getattr(ledger, broken), [1, 1]

    async def sometimes(*args: Any, **kwargs: Any) -> None:  # a database that is away for two tries
        if away:
            away.pop()
            raise StoreTrouble("the server is gone")
        await real(*args, **kwargs)

    async def somebody_leaves(mails: Sequence[Mail]) -> None:
        (one, *_) = mails
        async with db.read() as connection:
            person = await audience.by_address(connection, one.recipient)
        office.room.revocations.add("pagi", person.id if person else 0, at=NOW)

    mailer.on_enter = somebody_leaves
    monkeypatch.setattr(ledger, broken, sometimes)
    await office.send(edition)

    assert away == []
    assert await office.books(edition) == {"accepted": 1, "excluded": 1}


async def test_trouble_that_will_not_pass_is_told_and_leaves_doubts(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, mailer = office_of(db, tmp_path)
    edition = await office.freeze(2)

    async def faulty(connection: AsyncConnection, *_: Any, **__: Any) -> None:  # no statement of ours is wrong today
        await connection.execute(text("SELECT nothing FROM nowhere"))

    with monkeypatch.context() as broken:
        broken.setattr(ledger, "settle", faulty)
        with pytest.raises(DBAPIError, match="nowhere"):
            await asyncio.wait_for(office.send(edition), DEADLINE)
    report = await office.send(edition)

    assert len(mailer.sent) == 2
    assert report.finished
    assert await office.books(edition) == {"uncertain": 2}


async def test_a_fence_that_can_not_be_written_leaves_no_doubt_and_the_mails_go_later(
    db: Database, tmp_path: Path
) -> None:
    office, mailer = office_of(db, tmp_path)
    edition = await office.freeze(3)
    (tmp_path / "fence").mkdir()  # in the file's way: a disk that can't be written
    report = await office.send(edition)
    unsent = (mailer.sent.copy(), await office.books(edition))
    (tmp_path / "fence").rmdir()
    office.clock.at = report.again_at or NOW
    await office.send(edition)

    assert unsent == ([], {"open": 3})
    assert (report.sent, report.again_at) == ({"deferred": 3}, NOW + timedelta(minutes=1))
    assert await office.books(edition) == {"accepted": 3}


async def test_a_mark_that_refuses_what_the_claim_allows_ends_the_run(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, mailer = office_of(db, tmp_path)
    edition = await office.freeze(dispatch.CHUNK + 2)

    async def refuse(connection: AsyncConnection, ids: Sequence[int], *, owner: str, now: Any) -> set[int]:
        await ledger.release(
            connection, ids, owner=owner
        )  # today claim and mark ask for the same; a race can part them
        return set()

    with monkeypatch.context() as refusing:
        refusing.setattr(ledger, "mark", refuse)
        report = await asyncio.wait_for(office.send(edition), DEADLINE)
    refused = mailer.sent.copy()
    await office.send(edition)

    assert (refused, report.finished, report.again_at) == ([], False, NOW)
    assert await office.books(edition) == {"accepted": dispatch.CHUNK + 2}


async def test_an_edition_whose_newsletter_left_the_configuration_waits_for_it(db: Database, tmp_path: Path) -> None:
    office, mailer = office_of(db, tmp_path)
    edition = await office.freeze(2)
    without = dispatch.Dispatcher(db, replace(office.room, newsletters={}))
    batch = {"edition_id": edition.id, "first": 1, "last": 10**15}
    reports = [await without.send_batch(**batch) for _ in range(2)]
    async with db.read() as connection:
        held = await editions.get(connection, edition.id)
    assert held is not None
    await release_edition(db, held, [], now=NOW)  # it was put back
    await office.send(edition)

    assert [report.sent for report in reports] == [{}, {}]
    assert held.state is EditionState.HELD
    assert "newsletter pagi is no longer in the configuration; put it back and run" in held.why
    assert "syndicate editions cancel pagi/2026-11-24T0600" in held.why
    assert numbers(mailer.recipients()) == ["0", "1"]


async def test_a_hold_stops_what_is_not_on_the_wire_yet(db: Database, tmp_path: Path) -> None:
    office, mailer = office_of(db, tmp_path)
    edition = await office.freeze(20)

    async def hold(mails: Sequence[Mail]) -> None:
        async with db.read() as connection:
            found = await editions.get(connection, edition.id)
        if found is not None and found.state is EditionState.FROZEN:
            await hold_edition(db, edition, why="the lead is wrong")

    mailer.on_enter, mailer.per_call, mailer.connections = hold, 2, 1
    office.dispatcher = dispatch.Dispatcher(db, office.room)
    report = await office.send(edition)
    stopped = len(mailer.sent)
    later = await office.send(edition)

    assert (stopped, len(mailer.sent)) == (2, 2)
    assert (report.finished, later.sent) == (False, {})
    assert await office.books(edition) == {"accepted": 2, "open": 18}


async def test_a_batch_is_only_its_own_range(db: Database, tmp_path: Path) -> None:
    office, mailer = office_of(db, tmp_path)
    edition = await office.freeze(6)
    async with db.read() as connection:
        span = await editions.delivery_span(connection, edition.id)
    assert span is not None
    report = await office.send(edition, first=span[0], last=span[0] + 1)

    assert (len(mailer.sent), report.finished) == (2, True)
    assert await office.books(edition) == {"accepted": 2, "open": 4}


async def test_the_same_batch_in_two_workers_sends_each_mail_once(db: Database, tmp_path: Path) -> None:
    office, mailer = office_of(db, tmp_path)
    edition = await office.freeze(40)
    other = Postoffice(db, tmp_path, mailer, owner="b")
    await asyncio.gather(office.send(edition), other.send(edition), office.send(edition))

    assert len(mailer.sent) == len(set(mailer.recipients())) == 40
    assert await office.books(edition) == {"accepted": 40}


async def test_an_edition_is_done_when_no_batch_is_left_and_the_books_balance(db: Database, tmp_path: Path) -> None:
    office, _ = office_of(db, tmp_path, {0: [REFUSED]})
    edition = await office.freeze(2)
    assert await close_edition(db, edition.id, now=NOW) is None
    await office.send(edition)
    assert await close_edition(db, edition.id, now=NOW) is None  # its job is still there
    async with db.write() as connection:
        assert await jobs.any_of(connection, f"mail:{edition.id}:")
        await connection.execute(delete(job_table))
    books = await close_edition(db, edition.id, now=NOW)

    assert books is not None
    assert books.settled
    assert await close_edition(db, edition.id, now=NOW) is None


async def test_a_commit_gathers_who_comes_while_the_one_before_runs() -> None:
    groups: list[list[int]] = []
    first_runs, go_on = asyncio.Event(), asyncio.Event()

    async def commit(things: Sequence[int]) -> dict[int, int]:
        groups.append(list(things))
        first_runs.set()
        await go_on.wait()
        return {thing: thing * 2 for thing in things}

    together: GroupCommit[int, int] = GroupCommit(commit)
    first = asyncio.create_task(together.join(1))
    await first_runs.wait()
    others = [asyncio.create_task(together.join(thing)) for thing in (2, 3)]
    await asyncio.sleep(0)
    go_on.set()

    assert await asyncio.wait_for(asyncio.gather(first, *others), DEADLINE) == [2, 4, 6]
    assert groups == [[1], [2, 3]]


async def test_a_failed_commit_fails_those_in_it_and_nobody_else() -> None:
    async def commit(things: Sequence[int]) -> dict[int, int]:
        if 1 in things:
            raise StoreTrouble("gone")
        return dict.fromkeys(things, 0)

    together: GroupCommit[int, int] = GroupCommit(commit)
    failed = await asyncio.gather(together.join(1), return_exceptions=True)

    assert isinstance(failed[0], StoreTrouble)
    assert await together.join(2) == 0


async def test_a_caller_that_is_cancelled_takes_nobody_with_it() -> None:
    go_on = asyncio.Event()

    async def commit(things: Sequence[int]) -> dict[int, int]:
        await go_on.wait()
        return dict.fromkeys(things, 0)

    together: GroupCommit[int, int] = GroupCommit(commit)
    gone, stays = asyncio.create_task(together.join(1)), asyncio.create_task(together.join(2))
    await asyncio.sleep(0)
    gone.cancel()
    go_on.set()

    assert await asyncio.wait_for(stays, DEADLINE) == 0


async def test_what_can_wait_goes_along_with_the_next_commit_that_is_asked_for() -> None:
    groups: list[list[int]] = []

    async def commit(things: Sequence[int]) -> dict[int, int]:
        groups.append(list(things))
        return dict.fromkeys(things, 0)

    together: GroupCommit[int, int] = GroupCommit(commit)
    await asyncio.wait_for(together.enter(1), DEADLINE)  # nothing was committed lately, so it needn't wait
    waiting = together.enter(2)
    await asyncio.sleep(0)
    alone = groups.copy()
    await asyncio.wait_for(together.join(3), DEADLINE)
    last = together.enter(4)
    together.urge()

    assert await asyncio.wait_for(waiting, DEADLINE) == await asyncio.wait_for(last, DEADLINE) == 0
    assert alone == [[1]]
    assert groups == [[1], [2, 3], [4]]


async def test_an_outcome_is_written_down_soon_while_the_next_mail_is_stuck(db: Database, tmp_path: Path) -> None:
    office, mailer = office_of(db, tmp_path)
    free = asyncio.Event()

    async def hold(mail: Mail) -> None:
        if mail.recipient == address(1):
            await free.wait()

    mailer.on_mail = hold
    edition = await office.freeze(3)
    sending = asyncio.create_task(office.send(edition))
    async with asyncio.timeout(DEADLINE):
        while await office.books(edition) != {"accepted": 1, "open": 2}:  # noqa: ASYNC110 - the database tells
            await asyncio.sleep(0.005)
    free.set()
    await sending

    assert await office.books(edition) == {"accepted": 3}
