"""SMTP: what each failure means for the reader's copy, TLS, signing in, and connections kept and given back."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, Envelope, Session

from syndicate.channels.mail.message import Addressee, compile_variant
from syndicate.channels.mail.smtp import REUSE, SmtpConfig, SmtpMailer, stuffed
from syndicate.domain.audience import normal_address
from syndicate.domain.delivery import Outcome, OutcomeKind
from syndicate.errors import ConfigError
from syndicate.ports import Letterhead
from tests.channels.mails import CONTENT, make_mail, send_all, send_one
from tests.servers.smtp import Behaviour, SmtpSink, read_log

PATIENCE = 10.0  # seconds for what should happen at once


def config(port: int, **changes: Any) -> SmtpConfig:
    base = SmtpConfig(
        name="relay", host="localhost", port=port, ehlo_name="news.test", tls="none", timeout_seconds=PATIENCE
    )
    return replace(base, **changes)


async def outcomes_with(behaviour: Behaviour, mails: int = 1, **changes: Any) -> list[Outcome]:
    async with SmtpSink(behaviour) as sink:
        mailer = SmtpMailer(config(sink.port, **changes))
        pairs = await send_all(mailer, [make_mail(number) for number in range(1, mails + 1)])
        await mailer.aclose()
    return [outcome for _, outcome in pairs if outcome is not None]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the sink has no event for each of these
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True, params=[False, True], ids=["one by one", "pipelining"])
def pipelining(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whatever is proved here holds with relays that take commands one by one and with those that take them at once."""
    monkeypatch.setattr(Behaviour, "pipelining", request.param)
    return bool(request.param)


@pytest.fixture(autouse=True)
def mails_by_the_rules() -> None:
    """What these send is written by hand: the way is tested here, not the letters."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


# What an answer means.


async def test_a_yes_after_the_dot_is_accepted_with_the_relays_number() -> None:
    (outcome,) = await outcomes_with(Behaviour())

    assert (outcome.kind, outcome.code, outcome.provider_ref) == (OutcomeKind.ACCEPTED, "250 2.0.0", "S00000001")


@pytest.mark.parametrize("step", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize("number", [b"421", b"450", b"451", b"452"])
async def test_a_not_now_anywhere_defers(step: str, number: bytes) -> None:
    (outcome,) = await outcomes_with(Behaviour(replies={step: number + b" 4.3.2 later"}))

    assert (outcome.kind, outcome.code) == (OutcomeKind.DEFERRED, f"{number.decode()} 4.3.2")
    assert "later" in outcome.text


@pytest.mark.parametrize("step", ["RCPT", "DATA", "."])
async def test_a_never_about_the_message_or_its_recipient_is_refused(step: str) -> None:
    (outcome,) = await outcomes_with(Behaviour(replies={step: b"550-5.1.1 no such user\r\n550 5.1.1 here"}))

    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "550 5.1.1")
    assert outcome.text == "no such user here"


@pytest.mark.parametrize("step", ["CONNECT", "EHLO", "MAIL"])
async def test_a_never_about_ourselves_defers_and_says_so(step: str) -> None:
    (outcome,) = await outcomes_with(Behaviour(replies={step: b"554 5.7.1 not you"}))

    assert outcome.kind is OutcomeKind.DEFERRED
    assert "our set-up" in outcome.text
    assert "not you" in outcome.text


async def test_a_relay_that_wants_a_password_first_refuses_no_reader() -> None:
    (outcome,) = await outcomes_with(Behaviour(replies={"RCPT": b"530 5.7.0 sign in first"}))

    assert outcome.kind is OutcomeKind.DEFERRED
    assert "our set-up" in outcome.text


async def test_one_refused_reader_does_not_touch_the_others() -> None:
    behaviour = Behaviour(replies={"reader2@x.test": b"550 5.1.1 no such user"})
    async with SmtpSink(behaviour) as sink:
        mailer = SmtpMailer(config(sink.port))
        pairs = await send_all(mailer, [make_mail(1), make_mail(2), make_mail(3)])
        await mailer.aclose()

    assert [outcome.kind.value for _, outcome in pairs if outcome] == ["accepted", "refused", "accepted"]
    assert [taken.recipients for taken in sink.messages] == [("reader1@x.test",), ("reader3@x.test",)]
    assert sink.connections == 1
    assert sink.commands.count("RSET") == 1


async def test_a_message_over_the_announced_size_is_deferred_and_nothing_is_said_of_it() -> None:
    async with SmtpSink(Behaviour(size_limit=100)) as sink:
        mailer = SmtpMailer(config(sink.port))
        large, small = await send_all(mailer, [make_mail(1, content=CONTENT + b"x" * 70), make_mail(2)])
        await mailer.aclose()

    assert large[1] is not None
    assert (large[1].kind, large[1].code) == (OutcomeKind.DEFERRED, "size")
    assert "our set-up" in large[1].text
    assert "100" in large[1].text
    assert small[1] is not None
    assert small[1].kind is OutcomeKind.ACCEPTED
    said = [line.partition(" ")[0] for line in sink.commands]
    assert said == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


@pytest.mark.parametrize("announced", [b"SIZE", b"SIZE 0", b"SIZE many"])
async def test_a_relay_that_announces_no_limit_is_told_the_size(announced: bytes) -> None:
    """RFC 1870 §4: 0 or nothing is no limit."""
    async with SmtpSink(Behaviour(replies={"EHLO": b"250-relay\r\n250 " + announced})) as sink:
        mailer = SmtpMailer(config(sink.port))
        outcome = await send_one(mailer, make_mail())
        await mailer.aclose()

    assert outcome.kind is OutcomeKind.ACCEPTED
    assert f"MAIL FROM:<b+abc@bounce.x.test> SIZE={len(CONTENT)}" in sink.commands


async def test_a_relay_that_takes_less_than_it_announces_defers() -> None:
    behaviour = Behaviour(replies={"MAIL": b"552 5.3.4 too big"})

    (outcome,) = await outcomes_with(behaviour)

    assert (outcome.kind, outcome.code) == (OutcomeKind.DEFERRED, "552 5.3.4")


# What needs an extension is not sent, whether or not the relay has it.

EVERYTHING = b"250-relay\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-BINARYMIME\r\n250 CHUNKING"


async def test_a_recipient_outside_of_ascii_is_refused_before_there_is_a_connection() -> None:
    async with SmtpSink(Behaviour(replies={"EHLO": EVERYTHING})) as sink:
        outcome = await send_one(SmtpMailer(config(sink.port)), make_mail(recipient="zoë@x.test"))

    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "address")
    assert "recipient" in outcome.text
    assert sink.connections == 0


async def test_a_domain_with_other_letters_goes_out_in_ascii_and_without_an_extension() -> None:
    recipient = normal_address("sari@München.example")
    async with SmtpSink(Behaviour(replies={"EHLO": EVERYTHING})) as sink:
        mailer = SmtpMailer(config(sink.port))
        outcome = await send_one(mailer, make_mail(recipient=recipient))
        await mailer.aclose()

    assert outcome.kind is OutcomeKind.ACCEPTED
    assert sink.commands[1:4] == [
        "MAIL FROM:<b+abc@bounce.x.test>",  # without BODY= and SMTPUTF8: what we write is 7-bit (rule E-01)
        "RCPT TO:<sari@xn--mnchen-3ya.example>",
        "DATA",
    ]


# Connections that break.


@pytest.mark.parametrize("step", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_a_connection_lost_before_the_body_defers(step: str) -> None:
    (outcome,) = await outcomes_with(Behaviour(hang_up_at={step}))

    assert outcome.kind is OutcomeKind.DEFERRED


@pytest.mark.parametrize("step", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_no_answer_before_the_body_defers(step: str) -> None:
    (outcome,) = await outcomes_with(Behaviour(silent_at={step}), timeout_seconds=0.1)

    assert (outcome.kind, outcome.code) == (OutcomeKind.DEFERRED, "timeout")


async def test_a_connection_lost_in_the_body_defers() -> None:
    async with SmtpSink(Behaviour(cut_in_body=1)) as sink:
        mailer = SmtpMailer(config(sink.port))
        outcome = await send_one(mailer, make_mail(content=b"Subject: x\r\n\r\n" + b"y" * 70 * 1024 * 1024))

    assert outcome.kind is OutcomeKind.DEFERRED
    assert not sink.messages


async def test_a_relay_that_stops_reading_the_body_defers() -> None:
    never = asyncio.Event()

    async def stuck(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x\r\n250 x\r\n")
        await never.wait()
        writer.transport.abort()

    server = await asyncio.start_server(stuck, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    mailer = SmtpMailer(config(port, timeout_seconds=0.2))

    outcome = await send_one(mailer, make_mail())

    assert outcome.kind is OutcomeKind.DEFERRED
    never.set()
    server.close()


@pytest.mark.parametrize("taken", [True, False])
async def test_a_connection_lost_after_the_dot_is_uncertain_whatever_became_of_the_message(taken: bool) -> None:
    behaviour = Behaviour(drop_after_body=1) if taken else Behaviour(lose_after_body=1)

    (outcome,) = await outcomes_with(behaviour)

    assert outcome.kind is OutcomeKind.UNCERTAIN


async def test_no_answer_to_the_dot_is_uncertain() -> None:
    (outcome,) = await outcomes_with(Behaviour(silent_at={"."}), final_timeout_seconds=0.1)

    assert (outcome.kind, outcome.code) == (OutcomeKind.UNCERTAIN, "timeout")


GARBAGE = [
    b"hello",
    b"25",
    b"250-a\r\n251 b",
    b"250 ok\r",
    b"250_ok",
    b"999 x",
    b"354 go on",
    b"250 " + b"x" * 3000,
    b"250-x\r\n" * 200 + b"250 x",
    b"250 " + b"x" * 100_000,
    b"\x00\xff",
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
async def test_an_answer_to_the_dot_that_cannot_be_read_is_uncertain(garbage: bytes) -> None:
    (outcome,) = await outcomes_with(Behaviour(replies={".": garbage}))

    assert outcome.kind is OutcomeKind.UNCERTAIN


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
@pytest.mark.parametrize("step", ["CONNECT", "MAIL"])
async def test_an_unreadable_answer_before_the_body_defers(step: str, garbage: bytes) -> None:
    (outcome,) = await outcomes_with(Behaviour(replies={step: garbage}))

    assert outcome.kind is OutcomeKind.DEFERRED


async def test_an_answer_given_twice_is_not_taken_for_the_next_messages() -> None:
    behaviour = Behaviour(replies={".": b"250 2.0.0 one\r\n250 2.0.0 two"})
    async with SmtpSink(behaviour) as sink:
        mailer = SmtpMailer(config(sink.port))
        pairs = await send_all(mailer, [make_mail(1), make_mail(2)])
        await mailer.aclose()

    assert [outcome.kind.value for _, outcome in pairs if outcome] == ["accepted", "accepted"]
    assert sink.connections == 2


async def test_a_yes_before_the_dot_is_not_believed() -> None:
    (outcome,) = await outcomes_with(Behaviour(replies={"DATA": b"354 go on\r\n250 2.0.0 taken already"}))

    assert outcome.kind is OutcomeKind.DEFERRED


async def test_commands_are_said_at_once_only_to_a_relay_that_offers_it(pipelining: bool) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        await reader.readline()
        writer.write(b"250-relay\r\n250 PIPELINING\r\n" if pipelining else b"250 relay\r\n")
        said.append(await reader.readline())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE if pipelining else 0.2):  # it must not come, so this can't be awaited
                said.extend([await reader.readline(), await reader.readline()])
        writer.write(b"421 4.3.2 closing\r\n")
        writer.close()

    said: list[bytes] = []
    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        mailer = SmtpMailer(config(server.sockets[0].getsockname()[1], host="127.0.0.1"))
        outcome = await send_one(mailer, make_mail(1))
        await mailer.aclose()

    verbs = [line[:4] for line in said]
    assert verbs == ([b"MAIL", b"RCPT", b"DATA"] if pipelining else [b"MAIL"])
    assert (outcome.kind, outcome.code) == (OutcomeKind.DEFERRED, "421 4.3.2")


async def test_the_next_envelope_comes_with_a_final_dot_only_where_the_relay_offers_it(pipelining: bool) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        await reader.readline()
        writer.write(b"250-relay\r\n250 PIPELINING\r\n" if pipelining else b"250 relay\r\n")
        for answer in (b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
            await reader.readline()
            writer.write(answer)
        await reader.readuntil(b"\r\n.\r\n")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE if pipelining else 0.2):  # it must not come, so this can't be awaited
                said.extend([await reader.readline() for _ in range(3)])
        writer.write(b"550 5.7.1 no\r\n")
        writer.close()

    said: list[bytes] = []
    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        mailer = SmtpMailer(config(server.sockets[0].getsockname()[1], host="127.0.0.1"))
        call = mailer.send([make_mail(1), make_mail(2)], may_send=lambda _: True)
        _, outcome = await anext(call)
        await call.aclose()  # type: ignore[attr-defined]
        await mailer.aclose()

    assert [line[:4] for line in said] == ([b"MAIL", b"RCPT", b"DATA"] if pipelining else [])
    assert outcome is not None
    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "550 5.7.1")


async def test_whoever_leaves_between_the_announcement_and_the_message_gets_nothing(pipelining: bool) -> None:
    async with SmtpSink() as sink:
        mailer = SmtpMailer(config(sink.port))
        mails = [make_mail(1), make_mail(2), make_mail(3)]
        pairs = await send_all(mailer, mails, may_send=lambda delivery: delivery != 2 or not sink.messages)
        await mailer.aclose()

    assert [(delivery, outcome is None) for delivery, outcome in pairs] == [(1, False), (2, True), (3, False)]
    assert [taken.recipients for taken in sink.messages] == [("reader1@x.test",), ("reader3@x.test",)]
    assert sink.connections == (2 if pipelining else 1)


async def test_a_large_message_goes_out_between_small_ones() -> None:
    large = b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n" * 200_000
    async with SmtpSink() as sink:
        mailer = SmtpMailer(config(sink.port))
        pairs = await send_all(mailer, [make_mail(1), make_mail(2, content=large), make_mail(3)])
        await mailer.aclose()

    assert [outcome.kind.value for _, outcome in pairs if outcome] == ["accepted"] * 3
    assert [taken.content for taken in sink.messages] == [CONTENT, large, CONTENT]


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "TLS"])
async def test_an_answer_in_the_middle_of_a_large_message_is_not_believed(
    server_tls: ssl.SSLContext, ca_file: str, encrypted: bool
) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        for answer in (
            b"250 relay\r\n",
            b"250 ok\r\n",
            b"250 ok\r\n",
            b"354 go on\r\n",
            b"250 2.0.0 taken already\r\n",
        ):
            await reader.readline()
            writer.write(answer)
        with contextlib.suppress(ConnectionError):
            while await reader.read(1 << 20):
                pass
        writer.close()
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=server_tls if encrypted else None)
    way = {"tls": "tls", "ca_file": ca_file} if encrypted else {"host": "127.0.0.1"}
    async with server:
        mailer = SmtpMailer(config(server.sockets[0].getsockname()[1], **way))
        outcome = await send_one(mailer, make_mail(content=b"Subject: x\r\n\r\n" + b"y" * 30 * 1024 * 1024))
        await asyncio.wait_for(ended.wait(), PATIENCE)

    assert outcome.kind is OutcomeKind.DEFERRED


def flaky_relay(after_the_first: bytes, *, at_ehlo: Callable[[int], None], taken: list[bytes]) -> Any:
    """Takes one message a connection, says `after_the_first` behind its answer to the first, and hangs up."""
    greeted = 0

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal greeted
        greeted += 1
        writer.write(b"220 hi\r\n")
        await reader.readline()
        at_ehlo(greeted)
        writer.write(b"250-relay\r\n250 PIPELINING\r\n")
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            for answer in (b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
                await reader.readuntil(b"\n")
                writer.write(answer)
            message = await reader.readuntil(b"\r\n.\r\n")
            taken.append(message)
            writer.write(b"250 ok\r\n" + (after_the_first if greeted == 1 else b""))
        writer.close()

    return relay


async def test_who_leaves_while_a_lost_connection_is_made_anew_gets_nothing() -> None:
    left: set[int] = set()

    def leave(greeted: int) -> None:
        if greeted == 2:
            left.add(2)

    taken: list[bytes] = []
    server = await asyncio.start_server(flaky_relay(b"", at_ehlo=leave, taken=taken), "127.0.0.1", 0)
    async with server:
        mailer = SmtpMailer(config(server.sockets[0].getsockname()[1], host="127.0.0.1"))
        mails = [make_mail(1), make_mail(2)]
        pairs = await send_all(mailer, mails, may_send=lambda delivery: delivery not in left)
        await mailer.aclose()

    assert [(delivery, outcome is None) for delivery, outcome in pairs] == [(1, False), (2, True)]
    assert len(taken) == 1


async def test_a_relay_that_hangs_up_behind_its_answer_means_nobody_in_particular() -> None:
    taken: list[bytes] = []
    bye = b"421 4.3.2 bye\r\n"
    server = await asyncio.start_server(flaky_relay(bye, at_ehlo=lambda _: None, taken=taken), "127.0.0.1", 0)
    async with server:
        mailer = SmtpMailer(config(server.sockets[0].getsockname()[1], host="127.0.0.1"))
        pairs = await send_all(mailer, [make_mail(1), make_mail(2)])
        await mailer.aclose()

    assert [outcome.kind.value for _, outcome in pairs if outcome] == ["accepted", "accepted"]
    assert len(taken) == 2


async def test_a_relay_that_grants_data_after_a_refusal_gets_no_message() -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        await reader.readline()
        writer.write(b"250-relay\r\n250 PIPELINING\r\n")
        for _ in range(3):
            await reader.readline()
        writer.write(b"250 ok\r\n550 5.1.1 nobody\r\n354 go on\r\n")
        after.append(await reader.read())
        writer.close()

    after: list[bytes] = []
    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        mailer = SmtpMailer(config(server.sockets[0].getsockname()[1], host="127.0.0.1"))
        outcome = await send_one(mailer, make_mail(1))
        await mailer.aclose()
        await until(lambda: after != [])

    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "550 5.1.1")
    assert after == [b""]


async def test_after_a_loss_the_rest_goes_over_a_new_connection() -> None:
    async with SmtpSink(Behaviour(drop_after_body=2)) as sink:
        mailer = SmtpMailer(config(sink.port))
        pairs = await send_all(mailer, [make_mail(number) for number in range(1, 5)])
        await mailer.aclose()

    assert [outcome.kind.value for _, outcome in pairs if outcome] == ["accepted", "uncertain"] * 2
    assert len(sink.messages) == 4


async def test_when_no_connection_can_be_had_it_is_tried_once_a_call() -> None:
    async with SmtpSink(Behaviour(replies={"CONNECT": b"421 4.3.2 busy"})) as sink:
        pairs = await send_all(SmtpMailer(config(sink.port)), [make_mail(number) for number in range(1, 9)])

    assert [outcome.kind.value for _, outcome in pairs if outcome] == ["deferred"] * 8
    assert sink.connections == 1


async def test_a_closed_port_defers_in_words() -> None:
    async with SmtpSink() as sink:
        port = sink.port
    outcome = await send_one(SmtpMailer(config(port)), make_mail())

    assert (outcome.kind, outcome.code) == (OutcomeKind.DEFERRED, "connect")
    assert outcome.text


async def test_may_send_is_asked_when_the_connection_stands_and_nothing_was_said_of_the_mail() -> None:
    async with SmtpSink() as sink:
        seen: list[list[str]] = []

        def may_send(_: int) -> bool:
            seen.append(list(sink.commands))
            return False

        mailer = SmtpMailer(config(sink.port))
        pairs = await send_all(mailer, [make_mail(1)], may_send=may_send)
        await mailer.aclose()

    assert pairs == [(1, None)]
    assert seen == [["EHLO news.test"]]
    assert sink.commands == ["EHLO news.test", "QUIT"]


# TLS and signing in.


async def test_starttls_is_used_and_nothing_but_ehlo_is_said_before(server_tls: ssl.SSLContext, ca_file: str) -> None:
    behaviour = Behaviour(tls=server_tls, users={"news": "geheim"})
    async with SmtpSink(behaviour) as sink:
        mailer = SmtpMailer(config(sink.port, tls="starttls", ca_file=ca_file, username="news", password="geheim"))
        outcome = await send_one(mailer, make_mail())
        await mailer.aclose()

    assert outcome.kind is OutcomeKind.ACCEPTED
    assert sink.commands[:3] == ["EHLO news.test", "STARTTLS", "EHLO news.test"]


async def test_tls_from_the_first_byte(server_tls: ssl.SSLContext, ca_file: str) -> None:
    behaviour = Behaviour(tls=server_tls, implicit_tls=True)

    (outcome,) = await outcomes_with(behaviour, tls="tls", ca_file=ca_file)

    assert outcome.kind is OutcomeKind.ACCEPTED


@pytest.mark.parametrize("implicit", [True, False])
async def test_an_unknown_certificate_sends_nothing(server_tls: ssl.SSLContext, implicit: bool) -> None:
    behaviour = Behaviour(tls=server_tls, implicit_tls=implicit)
    async with SmtpSink(behaviour) as sink:
        outcome = await send_one(SmtpMailer(config(sink.port, tls="tls" if implicit else "starttls")), make_mail())

    assert (outcome.kind, outcome.code) == (OutcomeKind.DEFERRED, "tls")
    assert "our set-up" in outcome.text
    assert not any(line.startswith("MAIL") for line in sink.commands)


@pytest.mark.parametrize("behaviour", [Behaviour(), Behaviour(replies={"EHLO": b"250-x\r\n250 STARTTLS"})])
async def test_without_starttls_nothing_is_sent(behaviour: Behaviour) -> None:
    async with SmtpSink(behaviour) as sink:
        outcome = await send_one(SmtpMailer(config(sink.port, tls="starttls")), make_mail())

    assert outcome.kind is OutcomeKind.DEFERRED
    assert {line.partition(" ")[0] for line in sink.commands} <= {"EHLO", "STARTTLS"}


async def test_plain_text_behind_the_answer_to_starttls_is_not_believed(
    server_tls: ssl.SSLContext, ca_file: str
) -> None:
    behaviour = Behaviour(tls=server_tls, after_starttls=b"250 forged")

    (outcome,) = await outcomes_with(behaviour, tls="starttls", ca_file=ca_file)

    assert outcome.kind is OutcomeKind.DEFERRED


@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN", "CRAM-MD5 LOGIN PLAIN"])
async def test_signing_in_by_what_the_relay_offers(mechanisms: str) -> None:
    behaviour = Behaviour(users={"news": "geheim"}, mechanisms=mechanisms)

    (outcome,) = await outcomes_with(behaviour, username="news", password="geheim")

    assert outcome.kind is OutcomeKind.ACCEPTED


@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN", "CRAM-MD5"])
async def test_a_wrong_password_defers_and_is_not_told_on(mechanisms: str) -> None:
    behaviour = Behaviour(users={"news": "geheim"}, mechanisms=mechanisms)

    outcomes = await outcomes_with(behaviour, mails=2, username="news", password="rahasia")

    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.DEFERRED] * 2
    assert all("our set-up" in outcome.text for outcome in outcomes)
    assert not any("rahasia" in outcome.text or "AG5ld3MA" in outcome.text for outcome in outcomes)


def test_the_password_is_not_in_the_configs_repr() -> None:
    assert "rahasia" not in repr(config(25, username="news", password="rahasia"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"host": "relay:25"}, "host"),
        ({"host": "relay\r\nx"}, "host"),
        ({"ehlo_name": "x\r\nMAIL FROM:<a@b>"}, "ehlo_name"),
        ({"username": "u"}, "go together"),
        ({"host": "relay.test", "username": "u", "password": "p"}, "unencrypted"),
        ({"tls": "tls", "ca_file": "/nowhere.pem"}, "ca_file"),
    ],
)
def test_a_configuration_that_cannot_be_right_is_told_at_the_start(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        SmtpMailer(config(25, **changes))


# Connections kept and given back.


async def test_a_connection_is_used_again_by_the_next_call() -> None:
    async with SmtpSink() as sink:
        mailer = SmtpMailer(config(sink.port))
        for number in range(3):
            await send_one(mailer, make_mail(number))
        await mailer.aclose()

    assert sink.connections == 1
    assert sink.commands[-1] == "QUIT"


async def test_calls_at_once_have_a_connection_each() -> None:
    async with SmtpSink() as sink:
        mailer = SmtpMailer(config(sink.port))
        calls = [send_all(mailer, [make_mail(8 * call + number) for number in range(8)]) for call in range(4)]
        results = await asyncio.gather(*calls)
        await mailer.aclose()

    assert all(outcome and outcome.kind is OutcomeKind.ACCEPTED for pairs in results for _, outcome in pairs)
    assert len({taken.recipients for taken in sink.messages}) == 32
    assert sink.connections == 4


async def test_a_connection_is_given_up_after_enough_messages() -> None:
    async with SmtpSink() as sink:
        mailer = SmtpMailer(config(sink.port))
        await send_all(mailer, [make_mail(number) for number in range(REUSE + 1)])
        await mailer.aclose()

    assert sink.connections == 2
    assert len(sink.messages) == REUSE + 1


async def test_an_idle_connection_is_given_back_politely() -> None:
    async with SmtpSink() as sink:
        mailer = SmtpMailer(config(sink.port, idle_seconds=0.02))
        await send_one(mailer, make_mail(1))

        await until(lambda: sink.commands[-1] == "QUIT")
        await send_one(mailer, make_mail(2))
        await mailer.aclose()

    assert len(sink.messages) == 2


async def test_an_idle_connection_that_the_relay_ended_is_replaced_unseen() -> None:
    behaviour = Behaviour(hang_up_at={"."}, replies={".": b"250 2.0.0 ok\r\n421 4.4.2 good-bye"})
    async with SmtpSink(behaviour) as sink:
        mailer = SmtpMailer(config(sink.port))
        for number in range(3):
            assert (await send_one(mailer, make_mail(number))).kind is OutcomeKind.ACCEPTED
        await mailer.aclose()

    assert len(sink.messages) == 3


async def test_a_cancelled_call_leaves_no_half_used_connection_behind() -> None:
    async with SmtpSink(Behaviour(silent_at={"."})) as sink:
        mailer = SmtpMailer(config(sink.port))
        call = asyncio.create_task(send_all(mailer, [make_mail(1)]))
        await until(lambda: len(sink.messages) == 1)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        sink.behaviour.silent_at.clear()

        outcome = await send_one(mailer, make_mail(2))
        await mailer.aclose()

    assert outcome.kind is OutcomeKind.ACCEPTED
    assert sink.connections == 2


async def test_the_sinks_log_holds_what_it_accepted(tmp_path: Path) -> None:
    async with SmtpSink(Behaviour(drop_after_body=2, lose_after_body=3), log=tmp_path / "log") as sink:
        mailer = SmtpMailer(config(sink.port))
        await send_all(mailer, [make_mail(number) for number in range(1, 5)])
        await mailer.aclose()

    assert read_log(tmp_path / "log") == sink.messages
    assert [taken.recipients[0] for taken in sink.messages] == ["reader1@x.test", "reader2@x.test", "reader4@x.test"]


# T22: nothing in a message ends it early.

SMUGGLED = [
    b"\n.\nMAIL FROM:<q@q.test>\nRCPT TO:<v@v.test>\nDATA\nhi\n.\n",
    b"\r.\rMAIL FROM:<q@q.test>\r",
    b"\r\n.\nMAIL FROM:<q@q.test>\r\n",
    b"\n.\r\nMAIL FROM:<q@q.test>\r\n",
    b"\r\n.\rMAIL FROM:<q@q.test>\r\n",
    b"\r\n.\r\nMAIL FROM:<q@q.test>\r\n",
    b".\r\nMAIL FROM:<q@q.test>\r\n",
    b"x\r.\r\n.\r\n\r\r\n.\n\n",
]


class _Recorder:
    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 2.0.0 OK"


@pytest.mark.parametrize("smuggled", SMUGGLED)
async def test_smuggling_through_aiosmtpd_makes_exactly_one_message(smuggled: bytes) -> None:
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    recorder = _Recorder()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(recorder, hostname="sink.test"), "127.0.0.1", 0
    )
    mailer = SmtpMailer(config(server.sockets[0].getsockname()[1]))

    outcome = await send_one(mailer, make_mail(content=b"Subject: x\r\n\r\nbefore" + smuggled + b"after\r\n"))

    assert outcome.kind is OutcomeKind.ACCEPTED
    assert [envelope.mail_from for envelope in recorder.envelopes] == ["b+abc@bounce.x.test"]
    content = recorder.envelopes[0].content
    assert isinstance(content, bytes)
    assert content.endswith(b"after\r\n")
    await mailer.aclose()
    server.close()


@pytest.mark.parametrize("smuggled", SMUGGLED)
@pytest.mark.parametrize("lenient", [True, False])
async def test_smuggling_through_a_lenient_relay_makes_exactly_one_message(smuggled: bytes, lenient: bool) -> None:
    async with SmtpSink(Behaviour(lenient=lenient)) as sink:
        mailer = SmtpMailer(config(sink.port))
        await send_one(mailer, make_mail(content=b"Subject: x\r\n\r\nbefore" + smuggled + b"after"))
        await mailer.aclose()

    verbs = [line.partition(" ")[0] for line in sink.commands]
    assert verbs == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert [taken.recipients for taken in sink.messages] == [("reader1@x.test",)]
    assert sink.messages[0].content.endswith(b"after\r\n")


async def test_the_naive_way_is_smuggled_through_a_lenient_relay() -> None:
    async with SmtpSink(Behaviour(lenient=True)) as sink:
        _, writer = await asyncio.open_connection("127.0.0.1", sink.port)
        writer.write(b"EHLO x\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\nhi" + SMUGGLED[0] + b"\r\n.\r\n")
        await until(lambda: len(sink.messages) == 2)
        writer.close()

    assert sink.messages[1].sender == "q@q.test"


@pytest.mark.parametrize("value", [".", "..x", "\r\n.\r\n", "x" * 75 + ".", "a\n.b", "é" * 40 + "." * 80])
def test_what_the_splice_writes_needs_no_stuffing(value: str) -> None:
    """So a mail that says it is clean goes over the wire as it is."""
    head = Letterhead(from_name=value, from_address="a@x.test", date=datetime(2026, 11, 24, tzinfo=UTC))
    hole = "q" * 16 + "-name-"
    html, plain = f"<p>{value}</p>{hole}", f"{value}\n{value}\n{hole}\n.\n"
    variant = compile_variant(letterhead=head, subject=value, html=html, text=plain, mark="q" * 16)
    person = Addressee(address="b@x.test", name=value, message_id=".x@x.test", unsubscribe_url="https://x.test/.")

    message = variant.message(person, {"name": value})

    assert stuffed(message) == message


def test_stuffing_leaves_a_clean_message_alone() -> None:
    clean = b"Subject: x\r\n\r\nSelamat pagi.\r\n"

    assert stuffed(clean) is clean or stuffed(clean) == clean
    assert stuffed(b".a\r\n.b") == b"..a\r\n..b\r\n"
