"""What comes back by mail, from the mailbox to what follows for the reader (email.md §4; T37, T38)."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from structlog.testing import capture_logs

from syndicate.channels.mail.bounce import read_report
from syndicate.domain.audience import Subscriber, SubscriptionState
from syndicate.domain.delivery import State
from syndicate.domain.edition import Edition
from syndicate.domain.receipt import Receipt, Suppressed, Verdict
from syndicate.domain.token import token_of_mail
from syndicate.errors import Refused, StoreTrouble
from syndicate.jail import ALLOWED, Answer, Jail, JailFailure
from syndicate.pipeline.keep import keep
from syndicate.pipeline.lift import Lift, lift
from syndicate.pipeline.receipts import (
    ELSEWHERE,
    FollowReport,
    collect,
    end_suspensions,
    follow_new,
    follow_refusals,
    retry_failed,
)
from syndicate.pipeline.reconcile import join
from syndicate.pipeline.replay import replay_departures
from syndicate.store import audience, consents, jobs, ledger, receipts
from syndicate.store.db import Database
from syndicate.store.fence import departures
from syndicate.store.tables import deliveries, editions, subscribers, subscriptions, suppressions
from syndicate.store.tables import receipts as table
from tests.factories import DEFERRED, NOW, REFUSED, UNCERTAIN, ScriptedMailer
from tests.pipeline.mailing import Postoffice, address
from tests.receipts import filled

MISSED = 10**6  # a number that no delivery has


class Pigeonhole:
    """A mailbox that has what the test puts into it."""

    def __init__(self, *mails: bytes) -> None:
        self.mails = list(mails)
        self.seen: list[bytes] = []

    async def empty(self, keep: Callable[[Sequence[bytes]], Awaitable[None]]) -> str:
        await keep(self.mails)
        self.seen, self.mails = self.mails, []
        return ""

    async def probe(self) -> str:
        return ""


class OpenDoor(Jail):
    """Reads in this process, for starting a child takes as long as ten tests. test_bounce.py has the real one."""

    async def call(self, function: str, payload: bytes, /, **options: Any) -> Answer | JailFailure:
        assert function in ALLOWED
        try:
            return Answer(*read_report(payload, options))
        except ValueError as why:
            return JailFailure("raised", str(why))


@pytest.fixture
def jail() -> Jail:
    return OpenDoor()


class Returns:
    """An edition that went out to readers, and the mail that comes back."""

    def __init__(self, db: Database, office: Postoffice, jail: Jail, edition: Edition) -> None:
        self.db, self.office, self.jail, self.edition = db, office, jail, edition
        self.way_out = office.way_out

    async def number(self, reader: int = 0) -> int:
        """The delivery of this edition to `pembacaN@…`."""
        person = await self.person(reader)
        query = select(deliveries.c.id).where(
            deliveries.c.subscriber_id == person.id, deliveries.c.edition_id == self.edition.id
        )
        async with self.db.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def person(self, reader: int = 0) -> Subscriber:
        async with self.db.read() as connection:
            found = await audience.by_address(connection, address(reader))
        assert found is not None
        return found

    async def mail(self, name: str, reader: int = 0, *, delivery: int = 0) -> bytes:
        person = await self.person(reader)
        number = delivery or await self.number(reader)
        return filled(name, delivery=number, edition=self.edition.id, subscriber=person.id, address=address(reader))

    async def come(self, *mails: bytes, now: datetime = NOW) -> FollowReport:
        await collect(self.db, Pigeonhole(*mails), "kotak", now=now)
        return await follow_new(self.db, self.way_out, self.jail, now=now)

    async def standing(self, reader: int = 0) -> tuple[str, str]:
        """State and receipt of the reader's mail."""
        query = select(deliveries.c.state, deliveries.c.receipt).where(deliveries.c.id == await self.number(reader))
        async with self.db.read() as connection:
            row = (await connection.execute(query)).one()
        return row.state, row.receipt

    async def suppressed(self, reader: int = 0) -> str:
        """Why the reader isn't written to; "" when they are."""
        async with self.db.read() as connection:
            digest = await audience.digest_of(connection, (await self.person(reader)).id)
            found = await audience.suppression(connection, digest)
        return found[0] if found else ""

    async def active(self, reader: int = 0) -> list[str]:
        person = await self.person(reader)
        async with self.db.read() as connection:
            chosen = await audience.subscriptions_of(connection, person.id)
        return [one.newsletter for one in chosen if one.state is SubscriptionState.ACTIVE]

    async def past_mail(self, days: float, *, receipt: str = "", state: State = State.ACCEPTED, code: str = "") -> int:
        """A mail of another edition to reader 0, so many days ago."""
        person, at = await self.person(), NOW - timedelta(days=days)
        async with self.db.write() as connection:
            copied = (await connection.execute(select(editions).where(editions.c.id == self.edition.id))).one()
            row = copied._asdict() | {"slot": f"lalu-{days}"}
            del row["id"]
            edition = (await connection.execute(editions.insert().values(**row))).inserted_primary_key
            assert edition is not None
            mail = {"edition_id": edition[0], "subscriber_id": person.id, "state": state.value, "reason": ""}
            mail |= {"attempt": 1, "first_due": at, "owner": "", "code": code, "text": "", "provider_ref": ""}
            made = await connection.execute(deliveries.insert().values(**mail, settled_at=at, receipt=receipt))
            assert made.inserted_primary_key is not None
            return int(made.inserted_primary_key[0])

    async def listed(self) -> list[receipts.Kept]:
        async with self.db.read() as connection:
            return await receipts.listed(connection, limit=99)


@pytest.fixture
async def returns(db: Database, tmp_path: Path, jail: Jail) -> Returns:
    office = Postoffice(db, tmp_path, ScriptedMailer())
    edition = await office.freeze(2)
    await office.send(edition)
    return Returns(db, office, jail, edition)


async def test_a_bounce_is_noted_beside_the_state_and_the_books_go_on_balancing(returns: Returns) -> None:
    report = await returns.come(await returns.mail("postfix_unknown"))

    assert report.verdicts == Counter({Verdict.HARD: 1})
    assert await returns.standing() == ("accepted", "bounced")
    assert await returns.standing(1) == ("accepted", "")
    assert await returns.office.books(returns.edition) == {"accepted": 2}
    assert await returns.suppressed() == ""


async def test_a_second_hard_bounce_on_another_day_suppresses_the_reader_for_good(returns: Returns) -> None:
    before = await returns.past_mail(1)
    await returns.come(await returns.mail("qmail_unknown", delivery=before))
    report = await returns.come(await returns.mail("postfix_unknown"))

    assert report.steps == Counter({"suppress": 1})
    assert await returns.suppressed() == Suppressed.HARD_BOUNCE
    assert [(one.newsletter, one.reason) for one in departures(returns.way_out.journal)] == [("", "hard_bounce")]
    assert await returns.suppressed(1) == ""


async def test_t38_bounces_of_another_address_never_suppress(returns: Returns) -> None:
    before, other = await returns.past_mail(1), {"subscriber": 1, "address": "lain@pembaca.example"}
    await returns.come(
        filled("postfix_unknown", delivery=before, **other),  # type: ignore[arg-type]
        filled("qmail_unknown", delivery=await returns.number(), **other),  # type: ignore[arg-type]
    )

    assert await returns.suppressed() == ""
    assert {(one.verdict, one.text.partition(":")[0]) for one in await returns.listed()} == {("soft", ELSEWHERE)}


async def test_t38_who_has_another_address_by_now_is_not_held_to_the_bounces_of_the_old_one(returns: Returns) -> None:
    mails = [
        await returns.mail("postfix_unknown", delivery=await returns.past_mail(1)),
        await returns.mail("postfix_unknown"),
    ]
    person = await returns.person()
    async with returns.db.write() as connection:
        new = {"address": "baru@pembaca.example", "folded": "baru@pembaca.example"}
        await connection.execute(update(subscribers).where(subscribers.c.id == person.id).values(**new))
    report = await returns.come(*mails)

    assert (report.verdicts, report.steps) == (Counter({Verdict.SOFT: 2}), Counter())


async def test_a_doubt_counts_for_the_day_of_its_mail_however_late_it_is_settled(
    db: Database, tmp_path: Path, jail: Jail
) -> None:
    office = Postoffice(db, tmp_path, ScriptedMailer({address(0): [UNCERTAIN]}))
    returns = Returns(db, office, jail, edition := await office.freeze(1))
    await office.send(edition)
    same_day = await returns.mail("postfix_unknown", delivery=await returns.past_mail(0.1))
    await returns.come(same_day)
    report = await returns.come(await returns.mail("postfix_unknown"), now=NOW + timedelta(days=3))

    assert await returns.standing() == ("accepted", "bounced")
    assert report.steps == Counter()


async def test_the_relay_s_word_and_a_bounce_suppress_at_once(returns: Returns) -> None:
    await returns.past_mail(0.1, state=State.REFUSED, code="550 5.1.1")
    await returns.come(await returns.mail("postfix_unknown"))

    assert await returns.suppressed() == Suppressed.HARD_BOUNCE


async def test_refusals_in_the_channel_s_own_session_count_on_two_days(
    db: Database, tmp_path: Path, jail: Jail
) -> None:
    office = Postoffice(db, tmp_path, ScriptedMailer({address(0): [REFUSED]}))
    returns = Returns(db, office, jail, edition := await office.freeze(2))
    await office.send(edition)
    first = await follow_refusals(db, office.way_out, edition.id, now=NOW)
    await returns.past_mail(1, state=State.REFUSED, code="550 5.1.1")
    second = await follow_refusals(db, office.way_out, edition.id, now=NOW)

    assert (first, second) == (Counter(), Counter({"suppress": 1}))
    assert (await returns.suppressed(0), await returns.suppressed(1)) == (Suppressed.HARD_BOUNCE, "")


@pytest.mark.parametrize("name", ["postfix_full", "gmail_policy", "outlook_access_denied", "postfix_expired"])
async def test_what_passes_or_is_our_own_matter_never_suppresses_but_suspends(returns: Returns, name: str) -> None:
    for days in (14, 10, 6, 3, 0.5):
        number = await returns.past_mail(days)
        assert await returns.suppressed() == ""
        await returns.come(await returns.mail(name, delivery=number))
    await returns.come(await returns.mail(name))

    assert await returns.suppressed() == Suppressed.SUSPENDED
    assert list(departures(returns.way_out.journal)) == []
    assert await returns.active() == ["pagi"]


async def suspend(returns: Returns) -> None:
    for days in (14, 10, 6, 3, 0.5):
        await returns.come(await returns.mail("postfix_full", delivery=await returns.past_mail(days)))
    await returns.come(await returns.mail("postfix_full"))


async def test_a_suspension_ends_by_itself_after_thirty_days(returns: Returns) -> None:
    await suspend(returns)
    early = await end_suspensions(returns.db, now=NOW + timedelta(days=30, seconds=-1))
    due = await end_suspensions(returns.db, now=NOW + timedelta(days=30))

    assert (early, due) == (0, 1)
    assert await returns.suppressed() == ""


async def test_a_suspension_that_is_over_holds_no_mail_back_that_waits(
    db: Database, tmp_path: Path, jail: Jail
) -> None:
    office = Postoffice(db, tmp_path, mailer := ScriptedMailer())
    edition = await office.freeze(2)
    over, later = NOW, NOW + timedelta(days=1)
    async with db.write() as connection:
        for number, until in ((0, over), (1, later)):
            person = await audience.by_address(connection, address(number))
            assert person is not None
            digest = await audience.digest_of(connection, person.id)
            await receipts.suspend(connection, digest, until=until, now=NOW - timedelta(days=30))
    await office.send(edition)

    assert mailer.recipients() == [address(0)]
    assert await office.books(edition) == {"accepted": 1, "excluded": 1}


async def test_a_complaint_of_a_suspended_reader_lasts(returns: Returns) -> None:
    await suspend(returns)
    await returns.come(await returns.mail("complaint"))

    assert await end_suspensions(returns.db, now=NOW + timedelta(days=365)) == 0
    assert await returns.suppressed() == Suppressed.COMPLAINT


@pytest.mark.parametrize(
    "name",
    [
        "postfix_delayed",
        "postfix_relayed",
        "vacation",
        "vacation_indonesian",
        "vacation_exchange",
        "read_notice",
        "a_person_s_answer",
        "a_bounce_inside_a_mail",
        "unclear",
        "forged_without_token",
        "forged_for_an_address",
        "forged_with_a_sender",
        "no_return_path",
        "complaint_without_token",
        "complaint_taken_back",
        "authentication_report",
        "leave_forged",
        "leave_by_a_bounce",
    ],
)
async def test_nothing_follows_from_what_is_no_bounce_or_can_t_show_a_token(returns: Returns, name: str) -> None:
    await returns.come(await returns.mail("postfix_unknown", delivery=await returns.past_mail(1)))
    report = await returns.come(await returns.mail(name))

    assert report.steps == Counter()
    assert await returns.standing() == ("accepted", "")
    assert (await returns.suppressed(), await returns.active()) == ("", ["pagi"])


async def test_a_token_of_a_mail_we_never_sent_proves_nothing(db: Database, tmp_path: Path, jail: Jail) -> None:
    office = Postoffice(db, tmp_path, ScriptedMailer({address(0): [DEFERRED]}))
    returns = Returns(db, office, jail, edition := await office.freeze(2))
    await office.send(edition)
    never = [await returns.mail("postfix_unknown"), await returns.mail("postfix_unknown", delivery=MISSED)]
    report = await returns.come(*never)

    assert report.verdicts == Counter({Verdict.UNPROVEN: 2})
    assert await returns.standing() == ("deferred", "")


async def test_delivered_is_noted_and_ends_what_was_before_it(returns: Returns) -> None:
    await returns.come(await returns.mail("postfix_unknown", delivery=await returns.past_mail(2)))
    await returns.come(await returns.mail("postfix_delivered", delivery=await returns.past_mail(1)))
    await returns.come(await returns.mail("postfix_unknown"))

    assert await returns.suppressed() == ""


async def test_a_complaint_ends_every_subscription_and_suppresses(returns: Returns) -> None:
    person = await returns.person()
    async with returns.db.write() as connection:
        await audience.subscribe(connection, "sore", person.id, origin="form", now=NOW)
    await returns.come(await returns.mail("complaint"))

    assert (await returns.suppressed(), await returns.active()) == (Suppressed.COMPLAINT, [])
    assert {(one.newsletter, one.reason) for one in departures(returns.way_out.journal)} == {
        ("pagi", "complaint"),
        ("sore", "complaint"),
        ("", "complaint"),
    }
    assert returns.way_out.revocations.left_since("pagi", person.id, NOW)
    assert await returns.active(1) == ["pagi"]
    assert await returns.standing() == ("accepted", "complained")


async def test_a_complaint_and_a_suppression_outlive_erasure_and_a_restored_copy(returns: Returns) -> None:
    await returns.come(await returns.mail("complaint"))
    async with returns.db.write() as connection:
        await connection.execute(delete(suppressions))
        ended = SubscriptionState.ACTIVE.value
        await connection.execute(update(subscriptions).values(state=ended, ended_at=None))
        await connection.execute(delete(subscriptions).where(subscriptions.c.subscriber_id == 2))
        await connection.execute(delete(subscribers).where(subscribers.c.id == 2))
    await replay_departures(returns.db, returns.way_out.journal, now=NOW + timedelta(days=1))

    assert (await returns.suppressed(), await returns.active()) == (Suppressed.COMPLAINT, [])


async def test_a_bounce_for_an_erased_reader_is_noted_in_the_ledger_only(returns: Returns) -> None:
    mails = [await returns.mail("complaint"), await returns.mail("postfix_unknown")]
    number, person = await returns.number(), await returns.person()
    async with returns.db.write() as connection:
        await connection.execute(delete(subscriptions).where(subscriptions.c.subscriber_id == person.id))
        await connection.execute(delete(subscribers).where(subscribers.c.id == person.id))
    report = await returns.come(*mails)
    async with returns.db.read() as connection:
        sent = await receipts.sent(connection, number)

    assert report.steps == Counter()
    assert sent is not None
    assert sent.receipt is Receipt.COMPLAINED


@pytest.mark.parametrize(
    "name",
    [
        "leave",
        "leave_in_capitals",
        "complaint_with_a_link_only",
        "complaint_redacted",  # what it shows stands in the mail too: whoever it was passed on to can write it
        "complaint_headers_only",
    ],
)
async def test_a_mail_to_the_unsubscribe_address_ends_that_subscription(returns: Returns, name: str) -> None:
    person = await returns.person()
    async with returns.db.write() as connection:
        await audience.subscribe(connection, "sore", person.id, origin="form", now=NOW)
    report = await returns.come(await returns.mail(name))
    async with returns.db.read() as connection:
        said = await consents.of_person(connection, await audience.digest_of(connection, person.id))

    assert report.steps == Counter({"unsubscribe": 1})
    assert (await returns.active(), await returns.suppressed()) == (["sore"], "")
    assert (said[-1].newsletter, said[-1].origin) == ("pagi", "mail")
    assert returns.way_out.revocations.left_since("pagi", person.id, NOW)


async def test_the_address_in_a_mail_of_ours_is_the_one_that_ends_it(db: Database, tmp_path: Path, jail: Jail) -> None:
    office = Postoffice(db, tmp_path, mailer := ScriptedMailer())
    object.__setattr__(office.room, "left_by_mail", frozenset({"lintaspagi.example"}))
    returns = Returns(db, office, jail, edition := await office.freeze(1))
    await office.send(edition)
    head = mailer.sent[0].content.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").decode()
    leave_by = next(line for line in head.split("\r\n") if line.startswith("List-Unsubscribe:"))
    mailto = leave_by.partition("<mailto:")[2].removesuffix(">")
    letter = f"Return-Path: <pembaca0@pembaca.example>\r\nTo: {mailto}\r\nSubject: unsubscribe\r\n\r\n"
    await returns.come(letter.encode())

    assert len(mailto.partition("@")[0]) <= 64  # RFC 5321 §4.5.3.1.1
    assert token_of_mail(mailto.partition("@")[0].removeprefix("u+")) is not None
    assert await returns.active() == []


@pytest.mark.parametrize("name", ["postfix_unknown", "postfix_delayed", "postfix_delivered", "vacation", "complaint"])
async def test_whatever_comes_back_proves_that_a_doubtful_mail_was_taken_over(
    db: Database, tmp_path: Path, jail: Jail, name: str
) -> None:
    office = Postoffice(db, tmp_path, ScriptedMailer({address(0): [UNCERTAIN], address(1): [UNCERTAIN]}))
    returns = Returns(db, office, jail, edition := await office.freeze(2))
    await office.send(edition)
    await returns.come(await returns.mail(name))

    assert (await returns.standing())[0] == "accepted"
    assert (await returns.standing(1))[0] == "uncertain"
    assert await office.books(edition) == {"accepted": 1, "uncertain": 1}


async def test_a_bounce_that_overtakes_its_own_outcome_waits_for_it(db: Database, tmp_path: Path, jail: Jail) -> None:
    office = Postoffice(db, tmp_path, ScriptedMailer())
    returns = Returns(db, office, jail, edition := await office.freeze(1))
    async with db.write() as connection:
        span = {"edition_id": edition.id, "first": 1, "last": 10**15, "limit": 9, "now": NOW}
        found = await ledger.claim(connection, owner="mati", **span)  # type: ignore[arg-type]
        await ledger.mark(connection, [one.id for one in found], owner="mati", now=NOW)
    early = await returns.come(await returns.mail("postfix_unknown"))
    async with db.write() as connection:
        await ledger.abandon(connection, edition.id, alive=[], now=NOW)
    late = await follow_new(db, returns.way_out, jail, now=NOW)

    assert (early.verdicts, early.again_at) == (Counter(), NOW + timedelta(minutes=1))
    assert (late.verdicts, late.again_at) == (Counter({Verdict.HARD: 1}), None)
    assert await returns.standing() == ("accepted", "bounced")
    assert await office.books(edition) == {"accepted": 1}


async def test_a_flood_is_read_in_handfuls(returns: Returns) -> None:
    mails = [await returns.mail("vacation") + b"%d" % number for number in range(60)]
    await collect(returns.db, Pigeonhole(*mails), "kotak", now=NOW)
    first = await follow_new(returns.db, returns.way_out, returns.jail, now=NOW, limit=50)
    second = await follow_new(returns.db, returns.way_out, returns.jail, now=NOW, limit=50)

    assert (first.verdicts.total(), first.again_at) == (50, NOW)
    assert (second.verdicts.total(), second.again_at) == (10, None)


async def test_the_same_mail_counts_once_however_often_it_comes(returns: Returns) -> None:
    mail = await returns.mail("postfix_unknown")
    first = await collect(returns.db, Pigeonhole(mail, mail), "kotak", now=NOW)
    again = await collect(returns.db, Pigeonhole(mail), "kotak-lain", now=NOW)
    once = await follow_new(returns.db, returns.way_out, returns.jail, now=NOW)
    twice = await follow_new(returns.db, returns.way_out, returns.jail, now=NOW)

    assert (first.stored, first.known, again.stored, again.known) == (1, 1, 0, 1)
    assert (once.verdicts.total(), twice.verdicts.total()) == (1, 0)
    assert len(await returns.listed()) == 1


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_the_order_in_which_reports_come_changes_nothing(returns: Returns, order: tuple[int, ...]) -> None:
    before = await returns.past_mail(1)
    mails = [
        await returns.mail("postfix_unknown"),
        await returns.mail("postfix_delayed"),
        await returns.mail("exchange_not_found", delivery=before),
    ]
    for place in order:
        await returns.come(mails[place])

    assert await returns.suppressed() == Suppressed.HARD_BOUNCE
    assert await returns.standing() == ("accepted", "bounced")


async def test_a_mail_is_seen_in_its_mailbox_only_when_it_is_stored_and_to_be_read(returns: Returns) -> None:
    box = Pigeonhole(await returns.mail("postfix_unknown"))
    await collect(returns.db, box, "kotak", now=NOW)
    async with returns.db.read() as connection:
        waiting = [job.kind for job in await jobs.listed(connection, limit=9) if job.kind == "follow"]

    assert (len(box.seen), waiting) == (1, ["follow"])
    assert [(one.verdict, one.state) for one in await returns.listed()] == [("", "new")]


class Stumbling(OpenDoor):
    """Raises at what bears the word, as a bug of ours would."""

    word = b"tersandung"

    async def call(self, function: str, payload: bytes, /, **options: Any) -> Answer | JailFailure:
        if self.word in payload:
            raise LookupError("a bug\0 of ours \ud800")
        return await super().call(function, payload, **options)


async def test_a_receipt_that_raises_is_set_aside_and_the_others_go_on(returns: Returns) -> None:
    returns.jail = Stumbling()
    bad = (await returns.mail("postfix_unknown")) + b"tersandung"
    report = await returns.come(bad, await returns.mail("complaint", 1))
    again = await returns.come()
    listed = [(one.state, one.verdict, one.text) for one in await returns.listed()]

    assert (report.failed, report.verdicts, again.failed) == (1, Counter({Verdict.COMPLAINT: 1}), 0)
    assert listed == [("done", "complaint", ""), ("failed", "", "LookupError: a bug of ours ?")]
    assert await returns.suppressed(1) == Suppressed.COMPLAINT


async def test_what_was_set_aside_is_read_anew_by_hand(returns: Returns) -> None:
    returns.jail, whole = Stumbling(), returns.jail
    await returns.come((await returns.mail("postfix_unknown")) + b"tersandung")
    (bad,) = await returns.listed()
    returns.jail = whole
    missed = await retry_failed(returns.db, bad.id + 1, now=NOW)
    retried = await retry_failed(returns.db, bad.id, now=NOW)
    report = await follow_new(returns.db, returns.way_out, returns.jail, now=NOW)

    assert (missed, retried) == (0, 1)
    assert report.verdicts == Counter({Verdict.HARD: 1})
    assert await retry_failed(returns.db, None, now=NOW) == 0


async def test_a_database_that_is_away_sets_nothing_aside(returns: Returns, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreTrouble("the database does not answer")

    await collect(returns.db, Pigeonhole(await returns.mail("postfix_unknown")), "kotak", now=NOW)
    with monkeypatch.context() as broken:
        broken.setattr(receipts, "sent", away)
        with pytest.raises(StoreTrouble):
            await follow_new(returns.db, returns.way_out, returns.jail, now=NOW)

    assert [one.state for one in await returns.listed()] == ["new"]


async def test_a_flood_is_left_after_a_minute_for_other_work(returns: Returns) -> None:
    mails = [await returns.mail("vacation") + b"%d" % number for number in range(60)]
    await collect(returns.db, Pigeonhole(*mails), "kotak", now=NOW)
    clock = returns.office.clock
    real = returns.jail.call

    async def slow(*given: Any, **options: Any) -> Answer | JailFailure:
        clock.forward(seconds=2)
        return await real(*given, **options)

    returns.jail.call = slow  # type: ignore[method-assign]
    report = await follow_new(returns.db, returns.way_out, returns.jail, now=NOW)

    assert (report.verdicts.total(), report.again_at) == (50, NOW)


async def test_what_came_before_a_lift_counts_no_more(returns: Returns) -> None:
    for days in (2, 1):
        number = await returns.past_mail(days)
        await returns.come(await returns.mail("postfix_unknown", delivery=number), now=NOW - timedelta(hours=2))
    suppressed = await returns.suppressed()
    async with returns.db.read() as connection:
        digest = await audience.digest_of(connection, (await returns.person()).id)
    order = Lift(digest=digest, why="their server was broken", who="cli:root")
    await lift(returns.db, returns.way_out.journal, order, now=NOW - timedelta(hours=1))
    late = await returns.mail("exim_unknown", delivery=await returns.past_mail(3))
    await returns.come(late, await returns.mail("postfix_unknown"))

    assert (suppressed, await returns.suppressed()) == (Suppressed.HARD_BOUNCE, "")


async def test_only_the_bytes_of_what_nobody_understood_are_kept_for_thirty_days(returns: Returns) -> None:
    async def bodies() -> int:
        async with returns.db.read() as connection:
            rows = await connection.execute(select(table.c.body))
        return sum(row.body is not None for row in rows)

    await returns.come(await returns.mail("postfix_unknown"), await returns.mail("unclear"), b"\xff" * 99)
    kept = await bodies()
    await keep(returns.db, now=NOW + timedelta(days=31))

    assert (kept, await bodies()) == (1, 0)


async def test_a_mail_that_can_t_be_read_is_listed_as_unclear(returns: Returns) -> None:
    await returns.come(b"Content-Type: multipart/mixed; boundary=a\r\n" * 99)

    (only,) = await returns.listed()
    assert (only.verdict, only.text) == ("unclear", "it can't be read")


async def test_a_nul_in_what_others_say_is_no_trouble(returns: Returns) -> None:
    mail = (await returns.mail("postfix_unknown")).replace(b"User unknown", b"User\0unknown\xff")
    await returns.come(mail)

    assert (await returns.standing())[1] == "bounced"


async def test_a_head_with_bytes_of_no_alphabet_is_no_trouble(returns: Returns) -> None:
    mail = (await returns.mail("qmail_unknown")).replace(b"failure notice", b"failure \xe9\xff notice")
    report = await returns.come(mail)

    assert report.verdicts == Counter({Verdict.HARD: 1})


async def test_a_domain_that_refuses_us_calls_for_a_person(db: Database, tmp_path: Path, jail: Jail) -> None:
    office = Postoffice(db, tmp_path, ScriptedMailer())
    returns = Returns(db, office, jail, edition := await office.freeze(6))
    await office.send(edition)
    with capture_logs() as logged:
        await returns.come(*[await returns.mail("gmail_policy", reader) for reader in range(4)])
        early = [one for one in logged if one["event"] == "domain.refuses_us"]
        await returns.come(await returns.mail("gmail_policy", 4))

    told = [one for one in logged if one["event"] == "domain.refuses_us"]
    assert early == []
    assert [(one["log_level"], one["domain"], one["refused"], one["mails"]) for one in told] == [
        ("error", "pembaca.example", 5, 6)
    ]


async def test_a_reader_s_history_shows_what_came_back(returns: Returns) -> None:
    await returns.come(await returns.mail("postfix_unknown"))
    person = await returns.person()
    async with returns.db.read() as connection:
        (line,) = await audience.history(connection, person.id)

    assert (line.state, line.receipt) == ("accepted", "bounced")


async def test_who_complained_or_bounced_can_t_be_put_back_by_hand(returns: Returns) -> None:
    await returns.come(await returns.mail("complaint"))
    person = await returns.person()
    async with returns.db.read() as connection:
        digest = await audience.digest_of(connection, person.id)

    with pytest.raises(Refused, match="must not be written to: complaint"):
        await join(returns.db, person, ["pagi"], digest=digest, origin="import")


async def test_a_bounce_during_the_send_keeps_the_next_mail_back(db: Database, tmp_path: Path, jail: Jail) -> None:
    office = Postoffice(db, tmp_path, mailer := ScriptedMailer({address(0): [DEFERRED]}))
    returns = Returns(db, office, jail, edition := await office.freeze(2))
    await office.send(edition)
    await returns.come(await returns.mail("complaint", delivery=await returns.past_mail(1)))
    office.clock.forward(hours=2)
    await office.send(edition)

    assert mailer.recipients() == [address(1)]
    assert await office.books(edition) == {"accepted": 1, "excluded": 1}
