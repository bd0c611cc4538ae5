"""Mails for the tests of the channels, ways to send them, and who says of a signature that it is good."""

from collections.abc import Callable, Sequence

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from syndicate.channels.mail.dkim import SigningKey
from syndicate.domain.delivery import Outcome
from syndicate.ports import Mail, Mailer

CONTENT = b"From: a@x.test\r\nTo: b@x.test\r\nSubject: Halo\r\n\r\nSelamat pagi.\r\n"


def make_mail(
    delivery: int = 1, *, content: bytes = CONTENT, recipient: str | None = None, sender: str = "b+abc@bounce.x.test"
) -> Mail:
    return Mail(
        delivery=delivery,
        name=f"e17.name{delivery}",
        recipient=recipient if recipient is not None else f"reader{delivery}@x.test",
        sender=sender,
        content=content,
    )


async def send_all(
    mailer: Mailer, mails: Sequence[Mail], *, may_send: Callable[[int], bool] = lambda _: True
) -> list[tuple[int, Outcome | None]]:
    return [pair async for pair in mailer.send(mails, may_send=may_send)]


async def send_one(mailer: Mailer, mail: Mail) -> Outcome:
    ((_, outcome),) = await send_all(mailer, [mail])
    assert outcome is not None
    return outcome


def make_signing_keys(domain: str) -> list[SigningKey]:
    """One of each kind, as a newsletter has them."""
    return [
        SigningKey(domain=domain, selector="s1-rsa", private=generate_private_key(65537, 2048)),
        SigningKey(domain=domain, selector="s1-ed", private=Ed25519PrivateKey.generate()),
    ]


def verified(message: bytes, keys: Sequence[SigningKey]) -> list[bool]:
    """What dkimpy says of each signature, with these keys in the DNS."""
    return [_is_verified(message, number, keys) for number in range(len(keys))]


def _is_verified(message: bytes, number: int, keys: Sequence[SigningKey]) -> bool:
    records = {f"{key.place}.".encode(): key.record().encode() for key in keys}
    try:
        return bool(dkim.DKIM(message).verify(idx=number, dnsfunc=lambda name, timeout=5: records[name]))
    except dkim.ValidationError:
        return False
