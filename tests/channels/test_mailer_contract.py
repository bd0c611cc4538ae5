"""What every Mailer promises (ports.py), over every kind."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from syndicate.channels import MAILERS, MaildirConfig, MailgunConfig, SmtpConfig
from syndicate.domain.delivery import OutcomeKind
from syndicate.ports import Mailer
from tests.channels.mails import make_mail, send_all, send_one
from tests.servers.mailgun import DOMAIN, KEY, Mailgun, mailgun
from tests.servers.smtp import SmtpSink

HOSTILE_BODIES = (
    b".\r\n..\r\n.x\r\n",
    b"\r\n.\r\nMAIL FROM:<q@q.test>\r\n",
    b"From somebody\r\n>From\r\n",
    b"x" * 990 + b"\r\n" + b"\xc3\xa9\x00\x01\xff\r\n",
    b"QUIT\r\nRSET\r\n\r\n\r\n",
)


@dataclass(kw_only=True)
class Bench:
    """A mailer and what is behind it."""

    mailer: Mailer
    arrived: Callable[[], list[tuple[str, str, bytes]]]  # (sender, recipient, content)
    break_down: Callable[[], None]


@pytest.fixture(autouse=True)
def mails_by_the_rules() -> None:
    """What these send is written by hand: the way is tested here, not the letters."""


@pytest.fixture(params=["maildir", "smtp", "mailgun"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    if request.param == "maildir":
        yield _maildir_bench(tmp_path / "mail")
        return
    if request.param == "mailgun":
        async with mailgun() as provider:
            made = _mailgun_bench(provider)
            yield made
            await made.mailer.aclose()
        return
    async with SmtpSink() as sink:
        made = _smtp_bench(sink)
        yield made
        await made.mailer.aclose()


def _maildir_bench(path: Path) -> Bench:
    def arrived() -> list[tuple[str, str, bytes]]:
        return [_read(file) for file in sorted((path / "new").glob("*"))]

    def break_down() -> None:
        path.write_text("a file stands where the folder should be")

    return Bench(mailer=MAILERS["maildir"](MaildirConfig(name="m", path=path)), arrived=arrived, break_down=break_down)


def _read(file: Path) -> tuple[str, str, bytes]:
    sender, recipient, content = file.read_bytes().split(b"\r\n", 2)
    return sender.decode()[len("Return-Path: <") : -1], recipient.decode()[len("Delivered-To: ") :], content


def _smtp_bench(sink: SmtpSink) -> Bench:
    config = SmtpConfig(name="s", host="127.0.0.1", port=sink.port, ehlo_name="news.test", tls="none")

    def arrived() -> list[tuple[str, str, bytes]]:
        return [(taken.sender, taken.recipients[0], taken.content) for taken in sink.messages]

    def break_down() -> None:
        sink.behaviour.hang_up_at.add("CONNECT")

    return Bench(mailer=MAILERS["smtp"](config), arrived=arrived, break_down=break_down)


def _mailgun_bench(provider: Mailgun) -> Bench:
    config = MailgunConfig(name="e", domain=DOMAIN, api_key=KEY, user_agent="tests", url=provider.url)

    def arrived() -> list[tuple[str, str, bytes]]:
        return [(sent.variables["bounce"], sent.recipient, sent.message) for sent in provider.sent]

    def break_down() -> None:
        provider.fault = lambda: "503"

    return Bench(mailer=MAILERS["mailgun"](config), arrived=arrived, break_down=break_down)


def test_every_kind_is_on_the_bench() -> None:
    assert set(MAILERS) == {"maildir", "smtp", "mailgun"}


async def test_one_outcome_for_each_mail_in_order(bench: Bench) -> None:
    mails = [make_mail(number) for number in (5, 3, 9, 1)]

    outcomes = await send_all(bench.mailer, mails)

    assert [delivery for delivery, _ in outcomes] == [5, 3, 9, 1]
    assert all(outcome is not None and outcome.kind is OutcomeKind.ACCEPTED for _, outcome in outcomes)
    assert {recipient for _, recipient, _ in bench.arrived()} == {mail.recipient for mail in mails}


async def test_a_withheld_mail_does_not_go_out_and_the_others_do(bench: Bench) -> None:
    outcomes = await send_all(bench.mailer, [make_mail(1), make_mail(2), make_mail(3)], may_send=lambda d: d != 2)

    assert [(delivery, outcome is None) for delivery, outcome in outcomes] == [(1, False), (2, True), (3, False)]
    assert [recipient for _, recipient, _ in bench.arrived()] == ["reader1@x.test", "reader3@x.test"]


@pytest.mark.parametrize("body", HOSTILE_BODIES)
async def test_hostile_content_arrives_as_it_was(bench: Bench, body: bytes) -> None:
    content = b"Subject: x\r\n\r\n" + body

    outcome = await send_one(bench.mailer, make_mail(content=content))

    assert outcome.kind is OutcomeKind.ACCEPTED
    assert bench.arrived() == [("b+abc@bounce.x.test", "reader1@x.test", content)]


async def test_the_other_sides_failure_is_an_outcome_for_each(bench: Bench) -> None:
    bench.break_down()

    outcomes = await send_all(bench.mailer, [make_mail(1), make_mail(2)])

    assert [delivery for delivery, _ in outcomes] == [1, 2]
    assert all(outcome is not None and outcome.kind is OutcomeKind.DEFERRED for _, outcome in outcomes)
    assert all(outcome is not None and outcome.text for _, outcome in outcomes)


@pytest.mark.parametrize(
    "recipient",
    [
        "a@x.test>\r\nRCPT TO:<b@evil.test",
        "a@x.test\nRCPT TO:<z@e.test>",
        "a@x.test, b@evil.test",
        "a b@x.test",
        "<a@x.test>",
        "zoë@x.test",
        "a@x.test\0",
        "",
    ],
)
async def test_an_address_that_could_carry_more_is_refused_before_the_wire(bench: Bench, recipient: str) -> None:
    outcomes = await send_all(bench.mailer, [make_mail(1, recipient=recipient), make_mail(2)])

    assert [outcome.kind for _, outcome in outcomes if outcome] == [OutcomeKind.REFUSED, OutcomeKind.ACCEPTED]
    assert [recipient for _, recipient, _ in bench.arrived()] == ["reader2@x.test"]


async def test_an_envelope_sender_that_could_carry_more_is_refused_too(bench: Bench) -> None:
    outcome = await send_one(bench.mailer, make_mail(sender="b@x.test>\r\nRCPT TO:<b@evil.test"))

    assert outcome.kind is OutcomeKind.REFUSED
    assert not bench.arrived()


async def test_a_broken_off_call_leaves_the_mailer_usable(bench: Bench) -> None:
    call = bench.mailer.send([make_mail(1), make_mail(2)], may_send=lambda _: True)
    await anext(call)
    await call.aclose()  # type: ignore[attr-defined]

    outcome = await send_one(bench.mailer, make_mail(3))

    assert outcome.kind is OutcomeKind.ACCEPTED


async def test_what_the_shared_fixtures_smuggle_is_refused(bench: Bench, shared: Path) -> None:
    addresses = json.loads((shared / "fixtures/security/addresses.json").read_text(encoding="utf-8"))
    risky = [address for address in addresses if set(address) & set("\r\n <>,\"'()[]\\")]
    assert risky

    outcomes = await send_all(bench.mailer, [make_mail(n, recipient=address) for n, address in enumerate(risky)])

    assert {outcome.kind for _, outcome in outcomes if outcome} == {OutcomeKind.REFUSED}
    assert not bench.arrived()
