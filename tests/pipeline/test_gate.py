"""A channel's limits and domains that refuse us, end to end: who waits, how long, and that no reader pays for it."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from sqlalchemy import event, func, select, update
from structlog.testing import capture_logs

from syndicate.domain.breaker import LEAST, REST
from syndicate.domain.delivery import Outcome, OutcomeKind
from syndicate.domain.edition import Edition
from syndicate.domain.pace import Pace, Pacing
from syndicate.domain.progress import Hindrance
from syndicate.domain.slot import Slot
from syndicate.pipeline.compose import compose_edition
from syndicate.pipeline.dispatch import Dispatcher
from syndicate.pipeline.enqueue import freeze_edition
from syndicate.pipeline.gate import resume_domain
from syndicate.pipeline.progress import look_at_progress
from syndicate.pipeline.receipts import follow_refusals
from syndicate.store import jobs, pace, rates
from syndicate.store.db import Database
from syndicate.store.tables import deliveries, subscribers, suppressions
from syndicate.store.tables import jobs as job_table
from tests.channels.mail_rules import INBOX
from tests.factories import DEFERRED, NOW, ScriptedMailer
from tests.pipeline.mailing import STUDIO, Postoffice, address, numbers
from tests.pipeline.stories import publish

TEN = Pace(number=10, per=timedelta(seconds=1), words="10 / s")
POLICY = Outcome(kind=OutcomeKind.REFUSED, code="550 5.7.26", text="unauthenticated")
DOMAIN = "marah.example"
Opened = tuple[Postoffice, ScriptedMailer, Edition]


async def opened(db: Database, folder: Path, pacing: Pacing | None, *, readers: int, apart: bool = False) -> Opened:
    """A frozen edition. With `apart` every second reader is at DOMAIN."""
    mailer = ScriptedMailer()
    office = Postoffice(db, folder, mailer)
    office.room = replace(office.room, pacings={"post": pacing} if pacing else {})
    office.dispatcher = Dispatcher(db, office.room)
    edition = await office.freeze(readers)
    async with db.write() as connection:
        for number in range(0, readers if apart else 0, 2):
            moved = f"pembaca{number}@{DOMAIN}"
            here = update(subscribers).where(subscribers.c.folded == address(number))
            await connection.execute(here.values(address=moved, folded=moved))
    return office, mailer, edition


async def another(office: Postoffice) -> Edition:
    """One more edition for the same readers."""
    await publish(office.db, 2)
    slot = Slot(at=NOW, name="2026-11-24T0700")
    report = await compose_edition(office.db, office.newsletter, slot, STUDIO, now=NOW)
    assert report.edition is not None
    frozen = await freeze_edition(office.db, report.edition, (), newsletter=office.newsletter, studio=STUDIO, now=NOW)
    return frozen.edition


async def tripped(db: Database, folder: Path) -> Opened:
    """DOMAIN, where half of 60 readers are, refuses us from its first mail on."""
    office, mailer, edition = await opened(db, folder, None, readers=60, apart=True)
    mailer.answers = {f"pembaca{number}@{DOMAIN}": deque([POLICY] * 9) for number in range(60)}
    await office.send(edition)
    return office, mailer, edition


async def rows(db: Database) -> Sequence[tuple[str, int, str]]:
    async with db.read() as connection:
        query = select(deliveries.c.state, deliveries.c.attempt, deliveries.c.code).order_by(deliveries.c.id)
        return [(row.state, row.attempt, row.code) for row in await connection.execute(query)]


def tried() -> set[str]:
    return {letter.recipient for letter in INBOX.letters if letter.recipient.endswith(f"@{DOMAIN}")}


async def test_what_is_over_the_rate_waits_without_a_try_and_goes_out_when_there_is_room(
    db: Database, tmp_path: Path
) -> None:
    office, mailer, edition = await opened(db, tmp_path, Pacing(rate=TEN), readers=35)
    sent, finished = [0], False
    while not finished and len(sent) < 20:
        before = office.clock.now()
        report = await office.send(edition)
        sent.append(len(mailer.sent))
        finished = report.finished
        office.clock.at = report.again_at or before

    assert sent[1] == 10
    assert max(after - before for before, after in pairwise(sent)) <= 10
    assert numbers(mailer.recipients()) == sorted(map(str, range(35)))
    assert {(state, attempt) for state, attempt, _ in await rows(db)} == {("accepted", 1)}
    assert await office.books(edition) == {"accepted": 35}


async def test_a_domain_with_a_rate_of_its_own_holds_up_only_its_own(db: Database, tmp_path: Path) -> None:
    office, mailer, edition = await opened(db, tmp_path, Pacing(domains={DOMAIN: TEN}), readers=60, apart=True)
    report = await office.send(edition)

    there = [mail for mail in mailer.sent if mail.recipient.endswith(f"@{DOMAIN}")]
    assert (len(mailer.sent), len(there)) == (40, 10)
    assert {(attempt, code) for state, attempt, code in await rows(db) if state == "due"} == {(0, pace.RATE)}
    assert report.again_at is not None
    assert report.again_at - office.clock.now() <= timedelta(seconds=3)


async def test_a_day_is_full_for_another_process_too_and_after_whole_allowances_are_forgotten(
    db: Database, tmp_path: Path
) -> None:
    office, mailer, edition = await opened(db, tmp_path, Pacing(daily=20), readers=30)
    await office.send(edition)
    office.clock.forward(hours=12)
    other = Dispatcher(db, replace(office.room, owner="b"))
    async with db.write() as connection:
        await rates.forget(connection, now=office.clock.now())
        await connection.execute(update(deliveries).where(deliveries.c.state == "due").values(not_before=None))
    await other.send_batch(edition_id=edition.id, first=1, last=10**15)
    same_day = len(mailer.sent)
    office.clock.forward(hours=24)
    await office.send(edition)

    assert (same_day, len(mailer.sent)) == (20, 30)


async def test_waiting_for_room_takes_nothing_of_a_readers_72_hours(db: Database, tmp_path: Path) -> None:
    office, mailer, edition = await opened(db, tmp_path, Pacing(daily=1), readers=6)
    for _ in range(5):
        report = await office.send(edition)
        assert report.again_at is not None
        office.clock.at = report.again_at
    mailer.answers = {address(number): deque([DEFERRED]) for number in range(6)}
    await office.send(edition)

    assert office.clock.now() - NOW > timedelta(hours=72)
    assert await office.books(edition) == {"accepted": 5, "open": 1}
    assert [row for row in await rows(db) if row[0] != "accepted"] == [("deferred", 1, DEFERRED.code)]


async def test_two_editions_on_one_channel_both_go_on(db: Database, tmp_path: Path) -> None:
    office, _, first = await opened(db, tmp_path, Pacing(rate=TEN), readers=40)
    second = await another(office)
    got = {first.id: 0, second.id: 0}
    for _ in range(5):
        for edition in (first, second):
            report = await office.send(edition)
            got[edition.id] += report.sent.get("accepted", 0)
        office.clock.forward(seconds=1)

    assert min(got.values()) >= 20
    assert sum(got.values()) <= 10 + 4 * 10


async def test_a_channel_without_limits_is_asked_nothing_of_them(db: Database, tmp_path: Path) -> None:
    office, _, edition = await opened(db, tmp_path, None, readers=20)
    said: list[str] = []
    event.listen(db._writer.sync_engine, "before_cursor_execute", lambda *about: said.append(about[2]))
    await office.send(edition)

    assert said
    assert not [one for one in said if "rates" in one or "domain_holds" in one]


async def test_a_domain_that_refuses_what_we_are_is_left_alone_and_all_others_get_theirs(
    db: Database, tmp_path: Path
) -> None:
    with capture_logs() as logs:
        office, mailer, edition = await tripped(db, tmp_path)
        report = await office.send(edition)

    assert len(mailer.sent) == 30
    assert LEAST <= len(tried()) <= LEAST + 2 * mailer.per_call  # what was marked already ends by itself
    assert await office.books(edition) == {"accepted": 30, "refused": len(tried()), "open": 30 - len(tried())}
    assert report.again_at == office.clock.now() + REST
    assert [log["log_level"] for log in logs if log["event"] == "domain.held"] == ["error"]
    async with db.read() as connection:
        (hold,) = await pace.domains_held(connection, now=office.clock.now())
    assert (hold.channel, hold.domain) == ("post", DOMAIN)
    assert "5.7.26" in hold.why
    assert {(attempt, code) for state, attempt, code in await rows(db) if state == "due"} == {(0, pace.DOMAIN)}


async def test_another_process_leaves_the_domain_alone_as_well(db: Database, tmp_path: Path) -> None:
    office, _, _ = await tripped(db, tmp_path)
    second = await another(office)
    before = tried()
    INBOX.letters.clear()
    other = Dispatcher(db, replace(office.room, owner="b"))
    await other.send_batch(edition_id=second.id, first=1, last=10**15)

    assert before
    assert tried() == set()


async def test_a_refusal_for_what_we_are_suppresses_nobody(db: Database, tmp_path: Path) -> None:
    office, _, edition = await tripped(db, tmp_path)
    office.clock.forward(days=30)
    await follow_refusals(db, office.way_out, edition.id, now=office.clock.now())

    async with db.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(suppressions)) == 0


async def test_the_hold_ends_by_itself_and_is_set_anew_where_nothing_has_changed(db: Database, tmp_path: Path) -> None:
    office, mailer, edition = await tripped(db, tmp_path)
    await office.send(edition)
    before = len(tried())
    office.clock.forward(seconds=REST.total_seconds() + 1)
    await office.send(edition)
    again = len(tried())
    mailer.answers = {}
    office.clock.forward(seconds=REST.total_seconds() + 1)
    report = await office.send(edition)

    assert before + LEAST <= again <= before + LEAST + 2 * mailer.per_call
    assert report.finished
    assert await office.books(edition) == {"accepted": 60 - again, "refused": again}


async def test_an_edition_says_what_it_waits_for_at_the_gate(db: Database, tmp_path: Path) -> None:
    office, _, edition = await tripped(db, tmp_path)
    office.dispatcher = Dispatcher(db, replace(office.room, pacings={"post": Pacing(rate=TEN)}))
    second = await another(office)
    await office.send(edition)
    await office.send(second)
    found = await look_at_progress(db, [second], {"pagi"}, whole=True, now=office.clock.now())

    said = {one.what: one for one in found[0].obstacles}
    assert "5.7.26" in said[Hindrance.DOMAIN].why
    assert said[Hindrance.DOMAIN].needs_a_person
    assert said[Hindrance.PACE].why == "10 / s"
    assert not said[Hindrance.PACE].needs_a_person
    assert said[Hindrance.DOMAIN].count + said[Hindrance.PACE].count == 60 - 5  # the other edition has its half


async def test_a_person_lets_the_domain_go_and_its_mails_are_asked_for_at_once(db: Database, tmp_path: Path) -> None:
    office, mailer, edition = await tripped(db, tmp_path)
    await office.send(edition)
    refused = len(tried())
    async with db.write() as connection:
        await connection.execute(job_table.delete().where(job_table.c.kind == "mail"))
    mailer.answers = {}

    assert await resume_domain(db, DOMAIN.upper(), office.clock) == (1, [edition.id])
    assert await resume_domain(db, DOMAIN, office.clock) == (0, [])
    async with db.read() as connection:
        assert await jobs.any_of(connection, f"mail:{edition.id}:")
    assert (await office.send(edition)).finished
    assert await office.books(edition) == {"accepted": 60 - refused, "refused": refused}
