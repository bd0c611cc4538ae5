"""Editions by a provider who writes the mails: the provider's own log says who got what; then what it tells later."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from syndicate.channels.mail.mailgun import MailgunConfig, MailgunMailer
from syndicate.domain.edition import Edition
from syndicate.domain.receipt import Suppressed, Verdict
from syndicate.domain.token import Purpose, read_token, read_verp
from syndicate.jail import Jail
from syndicate.pipeline import dispatch
from syndicate.pipeline.receipts import FollowReport, follow_new, take_event
from syndicate.pipeline.reconcile import Leaving, leave
from syndicate.store import audience
from syndicate.store.db import Database
from syndicate.store.tables import deliveries
from tests.factories import NOW, RING
from tests.pipeline.mailing import Postoffice, address
from tests.pipeline.test_receipts import OpenDoor, Returns
from tests.servers.mailgun import DOMAIN, KEY, Mailgun, Sent, mailgun

TIMEOUT = 0.4  # seconds: for a reply that never comes
HARD: dict[str, Any] = {"delivery-status": {"code": 550, "enhanced-code": "5.1.1", "message": "no such user"}}


@asynccontextmanager
async def office_of(
    db: Database, folder: Path, *, per_call: int = 1000, connections: int = 1
) -> AsyncIterator[tuple[Postoffice, Mailgun]]:
    async with mailgun() as provider:
        config = MailgunConfig(
            name="post",
            domain=DOMAIN,
            api_key=KEY,
            user_agent="tests",
            url=provider.url,
            connections=connections,
            timeout_seconds=TIMEOUT,
        )
        mailer = MailgunMailer(config)
        mailer.per_call = per_call
        yield Postoffice(db, folder, mailer), provider
        provider.answer_late.set()
        await mailer.aclose()


async def send_all(office: Postoffice, edition: Edition, *, runs: int = 20) -> None:
    """Until nothing is open, as the job would be run again."""
    for _ in range(runs):
        report = await office.send(edition)
        if report.finished:
            return
        office.clock.at = max(office.clock.at, report.again_at or office.clock.at)
    raise AssertionError(await office.books(edition))


async def leave_now(office: Postoffice, number: int) -> None:
    async with office.db.read() as connection:
        person = await audience.by_address(connection, address(number))
    assert person is not None
    await leave(office.db, office.way_out, Leaving(subscriber=person, newsletter="pagi", title=""), now=office.clock.at)


async def test_every_reader_gets_one_mail_of_their_own_in_one_call(db: Database, tmp_path: Path) -> None:
    async with office_of(db, tmp_path) as (office, provider):
        edition = await office.freeze(dispatch.CHUNK + 20)
        report = await office.send(edition)
        again = await office.send(edition)

        assert (report.sent, report.finished, again.sent) == ({"accepted": dispatch.CHUNK + 20}, True, {})
        assert provider.recipients() == sorted(address(number) for number in range(dispatch.CHUNK + 20))
        assert len(provider.calls) == 1
        for sent in provider.sent:
            token = read_token(RING, Purpose.UNSUBSCRIBE, sent.headers["List-Unsubscribe"].strip("<>")[-44:])
            assert token is not None
            async with db.read() as connection:
                person = await audience.get(connection, token.subscriber)
                row = (await connection.execute(deliveries.select().where(deliveries.c.id == verp(sent)))).one()
            assert person is not None
            assert (person.address, row.subscriber_id, row.provider_ref) == (sent.recipient, person.id, sent.id)
            assert "qqqqqqqqqqqqqqqq" not in sent.html + sent.text
            assert sent.headers["List-Unsubscribe"].strip("<>") in sent.text


async def test_a_mail_is_the_same_on_every_try(db: Database, tmp_path: Path) -> None:
    async with office_of(db, tmp_path) as (office, provider):
        provider.faults.append("500")
        edition = await office.freeze(1)
        await office.send(edition)
        first = provider.sent[0]
        async with db.write() as connection:
            await connection.execute(deliveries.update().values(state="due"))
        await office.send(edition)

        assert (provider.sent[1].headers, provider.sent[1].html) == (first.headers, first.html)


async def test_not_now_is_heard_and_nothing_is_lost(db: Database, tmp_path: Path) -> None:
    async with office_of(db, tmp_path) as (office, provider):
        provider.faults.append("429")
        edition = await office.freeze(5)
        report = await office.send(edition)

        assert report.sent == {"deferred": 5}
        assert report.again_at == NOW + timedelta(seconds=120)
        await send_all(office, edition)
        assert len(set(provider.recipients())) == len(provider.sent) == 5


async def test_a_lost_answer_leaves_the_whole_call_in_doubt_and_is_never_sent_again(
    db: Database, tmp_path: Path
) -> None:
    async with office_of(db, tmp_path, per_call=4) as (office, provider):
        provider.faults.extend(["", "reset"])
        edition = await office.freeze(10)
        for _ in range(3):
            await office.send(edition)
            office.clock.forward(hours=30)

        assert await office.books(edition) == {"accepted": 6, "uncertain": 4}
        assert len(provider.sent) == 10


async def test_a_bad_address_is_refused_and_stops_nobody(db: Database, tmp_path: Path) -> None:
    async with office_of(db, tmp_path) as (office, provider):
        provider.bad_addresses = {address(7)}
        edition = await office.freeze(30)
        await office.send(edition)

        assert await office.books(edition) == {"accepted": 29, "refused": 1}
        assert address(7) not in provider.recipients()


async def test_who_leaves_between_mark_and_wire_is_withheld(db: Database, tmp_path: Path) -> None:
    async with office_of(db, tmp_path) as (office, provider):
        edition = await office.freeze(3)
        async with db.read() as connection:
            person = await audience.by_address(connection, address(1))
        assert person is not None
        real = office.room.revocations.left_since

        def leaves_meanwhile(newsletter: str, subscriber: int, marked_at: Any) -> bool:
            office.room.revocations.add(newsletter, person.id, at=marked_at)
            return real(newsletter, subscriber, marked_at)

        office.room.revocations.left_since = leaves_meanwhile  # type: ignore[method-assign]
        report = await office.send(edition)

        assert report.sent == {"accepted": 2, "excluded": 1}
        assert provider.recipients() == [address(0), address(2)]


@pytest.mark.parametrize("seed", range(4))
async def test_under_faults_nobody_is_lost_or_gets_it_twice_or_after_leaving(
    db: Database, tmp_path: Path, seed: int
) -> None:
    chance = Random(seed)
    readers, per_call, connections = 120, 10, 2
    gone: dict[str, int] = {}  # address → messages that were out when the leaving was committed
    async with office_of(db, tmp_path, per_call=per_call, connections=connections) as (office, provider):
        ambiguous = 0

        def fault() -> str:
            nonlocal ambiguous
            if chance.random() >= 0.3:
                return ""
            what = chance.choice(["429", "503", "late", "reset", "hang up", "garbage", "500", "cut"])
            ambiguous += what in ("late", "reset", "hang up", "garbage", "500")
            return what

        provider.fault = fault
        provider.bad_addresses = {address(11)}
        edition = await office.freeze(readers)
        for _ in range(12):
            await office.send(edition)
            if chance.random() < 0.7:
                left = chance.randrange(readers)
                await leave_now(office, left)
                gone.setdefault(address(left), len(provider.sent))
            office.clock.forward(hours=4)
        provider.fault = lambda: ""
        await send_all(office, edition)

        times = Counter(sent.recipient for sent in provider.sent)
        assert max(times.values()) == 1
        late = [sent for place, sent in enumerate(provider.sent) if place >= gone.get(sent.recipient, readers)]
        assert late == []
        async with db.read() as connection:
            rows = {row.id: row.state for row in await connection.execute(deliveries.select())}
        assert Counter(rows.values())["uncertain"] <= per_call * ambiguous
        got = {verp(sent) for sent in provider.sent}
        assert {number for number, state in rows.items() if state == "accepted"} <= got
        assert {rows[number] for number in got} <= {"accepted", "uncertain"}
        assert {state for number, state in rows.items() if number not in got} <= {"uncertain", "refused", "excluded"}
        assert "open" not in await office.books(edition)


def verp(sent: Sent) -> int:
    number = read_verp(RING, sent.variables["bounce"].partition("+")[2].partition("@")[0])
    assert number is not None
    return number


# ── what it tells later ──────────────────────────────────────────────────────────────────────────────────────────────


class Told:
    """An edition that went out by the provider, and its webhooks."""

    def __init__(self, office: Postoffice, provider: Mailgun, edition: Edition, jail: Jail) -> None:
        self.office, self.provider, self.jail = office, provider, jail
        self.seen = Returns(office.db, office, jail, edition)

    def event(self, name: str, number: int = 0, **more: Any) -> bytes:
        sent = next(sent for sent in self.provider.sent if sent.recipient == address(number))
        return self.provider.event(name, sent, at=NOW, **more)

    async def come(self, *bodies: bytes) -> FollowReport:
        for number, body in enumerate(bodies):
            token = f"{hash(body)}-{number}"
            await take_event(self.office.db, kind="mailgun", channel="post", token=token, body=body, now=NOW)
        return await follow_new(self.office.db, self.office.way_out, self.jail, now=NOW)


@pytest.fixture
async def told(db: Database, tmp_path: Path) -> AsyncIterator[Told]:
    async with office_of(db, tmp_path) as (office, provider):
        edition = await office.freeze(2)
        await office.send(edition)
        yield Told(office, provider, edition, OpenDoor())


@pytest.mark.parametrize(
    ("name", "more", "verdict", "receipt"),
    [
        ("delivered", {"delivery-status": {"code": 250, "message": "OK"}}, Verdict.DELIVERED, "delivered"),
        ("failed", {"severity": "permanent", **HARD}, Verdict.HARD, "bounced"),
        ("failed", {"severity": "permanent", "reason": "suppress-bounce"}, Verdict.HARD, "bounced"),
        ("failed", {"severity": "permanent", "delivery-status": {"message": "5.2.2 full"}}, Verdict.FULL, "bounced"),
        ("failed", {"severity": "permanent", "delivery-status": {"code": 498}}, Verdict.SOFT, "bounced"),
        ("failed", {"severity": "temporary", **HARD}, Verdict.DELAYED, ""),
        ("rejected", {"reject": {"reason": "Not delivering to sandbox"}}, Verdict.POLICY, "bounced"),
        ("complained", {}, Verdict.COMPLAINT, "complained"),
        ("unsubscribed", {}, Verdict.LEAVE, ""),
        ("failed", {"severity": "permanent", "reason": "suppress-complaint"}, Verdict.COMPLAINT, "complained"),
        ("failed", {"severity": "permanent", "reason": "suppress-unsubscribe"}, Verdict.LEAVE, ""),
        ("opened", {}, Verdict.OTHER, ""),
        ("a new kind", {"delivery-status": [1, 2]}, Verdict.OTHER, ""),
    ],
)
async def test_each_event_does_what_a_report_by_mail_would(
    told: Told, name: str, more: dict[str, Any], verdict: Verdict, receipt: str
) -> None:
    report = await told.come(told.event(name, **more))

    assert report.verdicts == Counter({verdict: 1})
    assert await told.seen.standing(0) == ("accepted", receipt)
    assert await told.seen.standing(1) == ("accepted", "")
    assert await told.seen.suppressed(0) == (Suppressed.COMPLAINT if verdict is Verdict.COMPLAINT else "")
    assert await told.seen.active(0) == ([] if verdict in (Verdict.COMPLAINT, Verdict.LEAVE) else ["pagi"])
    assert await told.seen.active(1) == ["pagi"]


async def test_events_come_twice_and_in_any_order(told: Told) -> None:
    events = [told.event("failed", severity="permanent", **HARD), told.event("delivered")]
    await told.come(*events, *events)
    await told.come(told.event("delivered"))

    assert await told.seen.standing(0) == ("accepted", "bounced")


async def test_an_event_without_our_token_moves_nothing(told: Told) -> None:
    forged: dict[str, Any] = {"user-variables": {"bounce": "b+" + "a" * 29 + "@lintaspagi.example"}}
    report = await told.come(
        told.event("failed", severity="permanent", **HARD, **forged),
        told.event("complained", **forged),
        told.event("unsubscribed", **forged | {"user-variables": {}}),
        told.event("failed", severity="permanent", **HARD | {"user-variables": "x"}),
    )

    assert set(report.verdicts) == {Verdict.UNPROVEN, Verdict.OTHER}
    assert await told.seen.standing(0) == ("accepted", "")
    assert await told.seen.active(0) == ["pagi"]


async def test_a_doubt_is_settled_by_what_the_provider_tells(db: Database, tmp_path: Path) -> None:
    async with office_of(db, tmp_path) as (office, provider):
        provider.faults.append("reset")
        edition = await office.freeze(3)
        await office.send(edition)
        doubts = await office.books(edition)
        told = Told(office, provider, edition, OpenDoor())
        await told.come(told.event("delivered", 0), told.event("failed", 1, severity="temporary"))

        assert doubts == {"uncertain": 3}
        assert await office.books(edition) == {"accepted": 2, "uncertain": 1}
        assert await told.seen.standing(0) == ("accepted", "delivered")


async def test_the_same_token_counts_once(told: Told) -> None:
    taken = [
        await take_event(told.office.db, kind="mailgun", channel="post", token="t" * 50, body=body, now=NOW)
        for body in (told.event("delivered"), told.event("complained"))
    ]
    report = await follow_new(told.office.db, told.office.way_out, told.jail, now=NOW)

    assert taken == [True, False]
    assert report.verdicts == Counter({Verdict.DELIVERED: 1})
