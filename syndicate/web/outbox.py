"""`/outbox`: what is being sent, and the mails in the Maildir channels, to be seen before there is a relay. Only looks.

Mails hold addresses and links that act: where others than this machine can ask, it is for accounts (`site.py`).
"""

import asyncio
import email.policy
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Literal

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from syndicate.channels.mail.maildir import MaildirConfig
from syndicate.web.editions import mail_policy
from syndicate.web.pages import NEVER, Front, Moment, missing, moment, page
from syndicate.web.sending import COUNTS, show_sending

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}\.syndicate(?::2,[A-Za-z]{0,20})?")
_LISTED = 100  # mails on the page
_SCANNED = 20_000  # file names looked at; with more, the list is of some of them
_HEAD_BYTES = 32 * 1024
_LARGEST = 4 * 1024 * 1024  # bytes of a mail that is shown
# Links open beside the outbox: their pages refuse to be framed.
_SANDBOX = "sandbox allow-popups allow-popups-to-escape-sandbox"


@dataclass(frozen=True, kw_only=True)
class Line:
    """A mail in the list."""

    name: str
    subject: str
    sender: str
    recipient: str
    when: Moment


async def show_outbox(front: Front, request: Request) -> Response:
    """The newest editions with their books, and the newest mails."""
    found = await asyncio.to_thread(_newest, _folders(front))
    lines = [
        Line(
            name=path.name,
            subject=_text(head, "subject"),
            sender=_text(head, "from"),
            recipient=_text(head, "delivered-to"),
            when=moment(front, request, at),
        )
        for path, at, head in found
    ]
    sending = await show_sending(front, request)
    return page(
        front, request, "outbox.html.j2", cache=NEVER, lines=lines, most=_LISTED, sending=sending, counts=COUNTS
    )


async def show_mail(front: Front, request: Request) -> Response:
    """One mail: what its headers say, how it looks, and its plain text."""
    mail = await _mail(front, request.path_params["name"])
    if mail is None:
        return missing(front, request, cache=NEVER)
    policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; base-uri 'none'; "
    return page(
        front,
        request,
        "mail.html.j2",
        cache=NEVER,
        headers={"content-security-policy": policy + "form-action 'self'; frame-ancestors 'none'"},
        name=request.path_params["name"],
        subject=_text(mail, "subject"),
        headlines=[(name, _text(mail, name)) for name in ("From", "To", "Date") if name in mail],
        headers_raw=[(name, str(value)) for name, value in mail.raw_items()],
        has_html=_body(mail, "html") is not None,
        text=_body(mail, "plain"),
    )


async def show_mail_html(front: Front, request: Request) -> Response:
    """The HTML part in a box of its own."""
    mail = await _mail(front, request.path_params["name"])
    html = _body(mail, "html") if mail else None
    if html is None:
        return missing(front, request, cache=NEVER)
    policy = mail_policy(front.app.site.public_url, sandbox=_SANDBOX, framed_by="'self'")
    beside = html.replace("<head>", '<head><base target="_blank">', 1)
    return HTMLResponse(beside, headers={"cache-control": NEVER, "content-security-policy": policy})


def _folders(front: Front) -> list[Path]:
    channels = front.app.settings.mail_channels()
    roots = [channel.path for channel in channels if isinstance(channel, MaildirConfig)]
    return [root / folder for root in roots for folder in ("new", "cur")]


def _newest(folders: list[Path]) -> list[tuple[Path, datetime, EmailMessage]]:
    stamped = sorted(_stamped(folders), reverse=True)[:_LISTED]
    found: list[tuple[Path, datetime, EmailMessage]] = []
    for seconds, path in stamped:
        with suppress(OSError), path.open("rb") as file:
            head = BytesParser(EmailMessage, policy=email.policy.default).parsebytes(
                file.read(_HEAD_BYTES), headersonly=True
            )
            found.append((path, datetime.fromtimestamp(seconds, UTC), head))
    return found


def _stamped(folders: list[Path]) -> Iterator[tuple[float, Path]]:
    looked = 0
    for folder in folders:
        with suppress(FileNotFoundError):
            for path in folder.iterdir():
                looked += 1
                if looked > _SCANNED:
                    return
                if _NAME.fullmatch(path.name):
                    with suppress(FileNotFoundError):
                        yield path.stat().st_mtime, path


async def _mail(front: Front, name: str) -> EmailMessage | None:
    if not _NAME.fullmatch(name):
        return None
    return await asyncio.to_thread(_read, _folders(front), name)


def _read(folders: list[Path], name: str) -> EmailMessage | None:
    for folder in folders:
        with suppress(FileNotFoundError), (folder / name).open("rb") as file:
            return BytesParser(EmailMessage, policy=email.policy.default).parsebytes(file.read(_LARGEST))
    return None


def _text(mail: EmailMessage, name: str) -> str:
    return str(mail.get(name, ""))


def _body(mail: EmailMessage, kind: Literal["html", "plain"]) -> str | None:
    part = mail.get_body((kind,))
    return str(part.get_content()) if part is not None else None
