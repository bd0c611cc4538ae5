"""A bounce as a real mail server writes it, to the address that our mail was sent from."""

import asyncio

import pytest

from syndicate.channels.mail.bounce import read_report
from syndicate.channels.mail.smtp import SmtpConfig, SmtpMailer
from syndicate.domain.delivery import OutcomeKind
from syndicate.domain.receipt import Notice, Verdict, kindest
from syndicate.domain.token import read_verp, verp_token
from syndicate.ports import Mail
from tests.channels.mails import send_all
from tests.factories import RING
from tests.servers import relays

PATIENCE = 30.0  # seconds: a hang guard
GONE = f"pembaca1@{relays.DOMAIN}"


@pytest.fixture
def mails_by_the_rules() -> None:
    """A bounce is not by us."""


async def test_postfix_s_bounce_names_the_delivery_and_says_that_the_mailbox_is_not_there() -> None:
    content = b"From: pagi@kabar.test\r\nTo: pembaca1@pembaca.test\r\nSubject: Kabar\r\n\r\nHalo.\r\n"
    mail = Mail(delivery=7, name="e1.a", recipient=GONE, sender=f"b+{verp_token(RING, 7)}@kabar.test", content=content)
    async with relays.postfix([], gone=[GONE]) as relay:
        config = SmtpConfig(name="r", host="127.0.0.1", port=relay.port, ehlo_name="news.test", tls="none")
        mailer = SmtpMailer(config)
        ((_, outcome),) = await send_all(mailer, [mail])
        await mailer.aclose()
        async with asyncio.timeout(PATIENCE):
            while not relay.arrived:  # noqa: ASYNC110  # the queue of another program
                await asyncio.sleep(0.02)
        (bounce,) = relay.arrived
    # As a delivery agent lays it down, RFC 5321 §4.4.
    envelope = f"Return-Path: <{bounce.sender}>\r\nDelivered-To: {bounce.recipients[0]}\r\n".encode()
    report, _ = read_report(envelope + bounce.content, {})
    notices = [Notice(**one) for one in report["notices"]]

    assert outcome is not None
    assert outcome.kind is OutcomeKind.ACCEPTED
    assert (report["null_sender"], report["form"]) == (True, "delivery-status")
    assert [read_verp(RING, token) for token in report["bounce_tokens"]] == [7]
    assert kindest(notices, GONE) is Verdict.HARD
    assert notices[0].text == "550 5.1.1 no such reader"
