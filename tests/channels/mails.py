"""Mails for the tests of the channels, and one way to send them."""

from collections.abc import Callable, Sequence

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
