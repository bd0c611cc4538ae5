"""Real mail servers take our mails as they are: each once, unchanged, still signed; refusals are one reader's."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import pytest

from syndicate.channels.mail.dkim import SigningKey
from syndicate.channels.mail.message import Addressee, compile_variant
from syndicate.channels.mail.smtp import SmtpConfig, SmtpMailer
from syndicate.domain.delivery import OutcomeKind
from syndicate.ports import Letterhead, Mail
from tests.channels.mails import make_signing_keys, send_all, verified
from tests.servers import relays
from tests.servers.relays import DOMAIN, Relay

MAILS = 50
MARK = "qwertyuiopasdfgh"
KNOWN = [f"pembaca{number}@{DOMAIN}" for number in range(MAILS) if number % 5]
NAMES = ("Sari Wulandari", "Zoë, A.", "", "Ὀδυσσεύς 李雷 😀", 'a"b\\c', "=?utf-8?q?x?=")
PATIENCE = 30.0  # seconds: a hang guard
RECEIVED = re.compile(rb"\A(?:Received: (?:[^\r\n]*\r\n[ \t])*[^\r\n]*\r\n)*\Z")
Open = Callable[[Sequence[str]], AbstractAsyncContextManager[Relay]]


@pytest.fixture(scope="module")
def keys() -> list[SigningKey]:
    return make_signing_keys("kabar.test")


def written(keys: Sequence[SigningKey]) -> list[Mail]:
    """An edition of everything that a relay might be tempted to change, for readers of whom every fifth is unknown."""
    letterhead = Letterhead(
        from_name="Kabar Lintang",
        from_address="pagi@kabar.test",
        date=datetime(2026, 11, 23, 23, 0, tzinfo=UTC),
        list_id="pagi.kabar.test",
        list_title="Kabar Pagi: “rob, surut”",
    )
    hard = "From rob\n.\n..\n.x \n\t\n" + "x" * 3000 + "\n" + "Ω😀" * 200 + "\nMAIL FROM:<q@q.test>\n\n\n"
    variant = compile_variant(
        letterhead=letterhead,
        subject="Banjir rob — surut " * 6,
        text=f"Halo {MARK}-name-\n{hard}{MARK}-link-\n",
        html=f'<p>Halo {MARK}-name-</p>\n{hard}<a href="{MARK}-link-">Berhenti</a>',
        mark=MARK,
        signing_keys=keys,
    )
    mails = []
    for number in range(MAILS):
        link, name = f"https://kabar.test/u/{number:044x}", NAMES[number % len(NAMES)]
        recipient = f"pembaca{number}@{DOMAIN}"
        person = Addressee(
            address=recipient, name=name, message_id=f"e1.abcdefgh{number}@kabar.test", unsubscribe_url=link
        )
        mails.append(
            Mail(
                delivery=number,
                name=f"e1.abcdefgh{number}",
                recipient=recipient,
                sender=f"b+abcdefgh{'abcdefghij'[number // 10]}{'abcdefghij'[number % 10]}@kabar.test",
                content=variant.message(person, {"name": name, "link": link}),
            )
        )
    return mails


@pytest.mark.parametrize("open_relay", [relays.aiosmtpd, relays.postfix, relays.opensmtpd], ids=lambda o: o.__name__)
async def test_each_mail_arrives_once_and_unchanged_and_only_unknown_readers_are_refused(
    open_relay: Open, keys: list[SigningKey]
) -> None:
    mails = written(keys)
    async with open_relay(KNOWN) as relay:
        config = SmtpConfig(name="r", host="127.0.0.1", port=relay.port, ehlo_name="news.test", tls="none")
        mailer = SmtpMailer(config)
        calls = [send_all(mailer, mails[begin : begin + 8]) for begin in range(0, MAILS, 8)]
        outcomes = dict(pair for pairs in await asyncio.gather(*calls) for pair in pairs)
        await mailer.aclose()
        async with asyncio.timeout(PATIENCE):
            while len(relay.arrived) < len(KNOWN):  # noqa: ASYNC110 - a sink has no event for each mail
                await asyncio.sleep(0.02)

    for mail in mails:
        outcome = outcomes[mail.delivery]
        assert outcome is not None
        if mail.recipient in KNOWN:
            assert outcome.kind is OutcomeKind.ACCEPTED
        else:
            assert (outcome.kind, outcome.code[:3]) == (OutcomeKind.REFUSED, "550")
    assert Counter(taken.recipients for taken in relay.arrived) == Counter((address,) for address in KNOWN)
    sent = {mail.recipient: mail for mail in mails}
    for taken in relay.arrived:
        mail = sent[taken.recipients[0]]
        assert taken.sender == mail.sender
        assert taken.content.endswith(mail.content)
        assert RECEIVED.match(taken.content.removesuffix(mail.content))
        assert verified(taken.content, keys) == [True, True]
