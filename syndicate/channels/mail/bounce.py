"""Reads what mail systems write back: bounces, complaints, answers. Runs in the jail, on bytes that anybody may send.

It finds tokens and doesn't judge them: their keys stay outside. Order of trust: the report's own fields (RFC 3464,
RFC 5965), then flufl.bounce for those who write bounces without form (qmail, Exim, old Exchange …).
"""

import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import Message
from email.parser import BytesParser
from email.utils import getaddresses
from typing import Any

from flufl.bounce import all_failures

MOST_BYTES = 262_144  # read of one mail: a report stands at its begin, the mail it is about behind it
MOST_SECONDS = 0.5  # of the processor: a real report takes 0.01; junk that takes more must not cost a child as well
_AGAIN_SECONDS = 0.05  # a library may swallow what interrupts it
_MOST_BOUNDARIES = 40  # a real bounce has one to three; each level deeper costs the parser twice
_MOST_NOTICES = 50
_MOST_TOKENS = 10
_MOST_RECIPIENTS = 50  # of one notice
_MOST_TEXT = 500  # characters
_SEEN_TEXT = 8192  # characters of a bounce without form in which a reason is looked for

_ACTIONS = frozenset({"failed", "delayed", "delivered", "relayed", "expanded"})  # RFC 3464 §2.3.3
_DSN = ("message/delivery-status", "message/global-delivery-status")  # RFC 3464, RFC 6533
_MAILS = ("message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers")
_SENT_TO = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To", "X-RCPT-To", "To", "Cc")
_BOUNCE = re.compile(r"(?i)(?<![a-z0-9])b\+([a-z2-7]{29})@")
_LEAVE = re.compile(r"(?i)(?<![a-z0-9])u\+([a-z2-7]{53})@")
_LINK = re.compile(r"/u/([A-Za-z0-9_-]{44})(?![A-Za-z0-9_-])")
_LOCAL_PART = re.compile(r"[^\s<>()\[\],;:\"@]{1,64}@")
_BOUNDARY = re.compile(rb"(?i)boundary\s*=")
_STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?!\d)")
_TYPE = re.compile(r"\s*[a-z]{3,10}\s*;")  # "smtp;" before the words, RFC 3464 §2.1.2
_MAILBOX = re.compile(r"(?i)\s*(?:rfc822|utf-8)\s*;\s*<?([^\s<>;]{1,64}@[^\s<>;]{1,255}?)>?\s*")  # RFC 6533 §3
_ASCII = bytes(byte if byte < 128 else ord("?") for byte in range(256))  # 8-bit heads trip the library up
_MACHINE = re.compile(r"(?i)mailer-daemon|postmaster")
# RFC 3834 §5 and what was there before it. Our mails ask for none of these, and get them all the same.
_ANSWERS = re.compile(
    r"(?i)^(?:automatic reply|auto(?:matic)?[ -]?(?:reply|response|antwort)|out of (?:the )?office|"
    r"(?:balasan|jawaban|respons) otomatis|(?:di luar kantor|sedang cuti))"
)


def read_report(payload: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The fields of `domain.receipt.Report`. Raises ValueError for what no mail system writes."""
    try:
        with _in_time():
            return _read(payload), b""
    except _TooLong:
        raise ValueError("it takes too long") from None


class _TooLong(BaseException):
    """Not for the libraries within, which may catch what they take for theirs."""


@contextmanager
def _in_time() -> Iterator[None]:
    """Interrupts what Python does within, by the processor's time, so that a busy machine hurts nobody."""

    def stop(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS, _AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _read(payload: bytes) -> dict[str, Any]:
    if len(_BOUNDARY.findall(payload)) > _MOST_BOUNDARIES:
        raise ValueError("too many parts")
    mail = BytesParser().parsebytes(payload[:MOST_BYTES])
    form = _form(mail)
    parts = list(_parts(mail))
    notices = [notice for part in parts if part.get_content_type() in _DSN for notice in _notices(part)]
    feedback = next((part for part in parts if part.get_content_type() == "message/feedback-report"), None)
    automatic = form == "disposition-notification" or _is_answer(mail)
    if not notices and feedback is None and not automatic:
        notices = _guess(BytesParser().parsebytes(payload[:MOST_BYTES].translate(_ASCII)))
    quoted = "\n".join(_quoted(parts, feedback))
    sent_to = "\n".join(_values(mail, *_SENT_TO))
    return {
        "null_sender": [value.strip() for value in _values(mail, "Return-Path")[:1]] == ["<>"],
        "form": form,
        "automatic": automatic,
        "notices": notices[:_MOST_NOTICES],
        "feedback": "" if feedback is None else _word(_field(feedback, "Feedback-Type")),
        "bounce_tokens": _tokens(_BOUNCE, sent_to),
        "leave_tokens": _tokens(_LEAVE, sent_to),
        "quoted_bounce_tokens": _tokens(_BOUNCE, quoted),
        "quoted_leave_tokens": _tokens(_LINK, quoted, folded=False) + _tokens(_LEAVE, quoted),
    }


def _form(mail: Message) -> str:
    if mail.get_content_type() != "multipart/report":
        return ""
    said = mail.get_param("report-type", "")
    return _word(said if isinstance(said, str) else "")


def _parts(mail: Message) -> Iterator[Message]:
    """The parts of a mail, but not of the mails within it: what a reader forwards is no report to us."""
    if mail.get_content_maintype() == "multipart" and mail.is_multipart():
        for part in mail.get_payload():
            if isinstance(part, Message):
                yield from _parts(part)
    else:
        yield mail


def _notices(part: Message) -> list[dict[str, Any]]:
    """One for each recipient. The first block is about the whole."""
    found: list[dict[str, Any]] = []
    for block in _blocks(part):
        if (action := _word(_field(block, "Action"))) in _ACTIONS:
            status = _STATUS.match(_field(block, "Status"))
            text = _TYPE.sub("", _field(block, "Diagnostic-Code"), count=1)
            recipients = [_field(block, name) for name in ("Original-Recipient", "Final-Recipient")]
            who = [hit[1] for recipient in recipients if (hit := _MAILBOX.fullmatch(recipient))]
            found.append(_notice(action, status[1] if status else "", text, who))
    return found


def _notice(action: str, status: str, text: str, recipients: Sequence[str]) -> dict[str, Any]:
    return {"action": action, "status": status, "text": _line(text), "recipients": list(recipients)}


def _blocks(part: Message) -> list[Message]:
    """The parser makes a Message of each block, but not of those of RFC 6533: there the others are left as its text."""
    blocks = [block for block in part.get_payload() if isinstance(block, Message)]
    rest = blocks[0].get_payload(decode=True) if len(blocks) == 1 else None
    if not isinstance(rest, bytes):
        return blocks
    return [*blocks, *map(BytesParser().parsebytes, re.split(rb"\r?\n\r?\n", rest, maxsplit=_MOST_NOTICES))]


def _guess(mail: Message) -> list[dict[str, Any]]:
    """A bounce without form. Its reason is looked for in its first words."""
    parts = [part for part in _parts(mail) if part.get_content_type() not in _MAILS]
    text = next((_text(part) for part in parts if part.get_content_maintype() == "text"), "")
    if mail.is_multipart():
        mail.set_payload([*parts])  # the library looks into quoted mails too
    if not getaddresses([_field(mail, "From")]):
        del mail["From"]
        mail["From"] = "<>"  # the library's detector of Yale's bounces takes it for granted
    passing, lasting = all_failures(mail)
    if not passing and not lasting:
        return []
    found = [*lasting] if lasting else [*passing]
    who = sorted(address.decode("ascii", "replace") for address in found)[:_MOST_RECIPIENTS]
    return [_notice("failed" if lasting else "delayed", "", _reason(text), who)]


def _reason(text: str) -> str:
    """The lines from the first that bears a status or a reply's code on; without one, the first lines."""
    seen = text[:_SEEN_TEXT]
    hit = re.search(r"(?m)^.*(?<![\d.])(?:[45]\.\d{1,3}\.\d{1,3}|5\d\d)(?![\d.])", seen)
    return _line(seen[hit.start() :] if hit else seen)


def _is_answer(mail: Message) -> bool:
    """An answer by a machine. Bounces say `Auto-Submitted: auto-replied` too (Postfix, Exim), from their daemon."""
    if mail.get("X-Failed-Recipients") or _MACHINE.search(_field(mail, "From")):
        return False
    submitted = _word(_field(mail, "Auto-Submitted"))
    marked = any(mail.get(name) for name in ("X-Autoreply", "X-Autorespond", "X-Vacation"))
    return (
        submitted not in ("", "no")
        or marked
        or _word(_field(mail, "Precedence")) == "auto_reply"
        or _ANSWERS.match(_field(mail, "Subject").strip()) is not None
    )


def _quoted(parts: list[Message], feedback: Message | None) -> Iterator[str]:
    """The head of the mail that a report is about, and what a complaint says of its envelope (RFC 5965 §3.2)."""
    if feedback is not None:
        yield _field(feedback, "Original-Mail-From")
    for part in parts:
        if part.get_content_type() in _MAILS:
            inner = part.get_payload()
            if isinstance(inner, list):
                yield from (str(value) for one in inner[:1] if isinstance(one, Message) for value in one.values())
            else:
                yield _text(part)


def _field(block: Message, name: str) -> str:
    """A field of a block; `message/feedback-report` holds its fields as a Message of its own."""
    if name in block:
        raw = next(str(value) for field, value in block.raw_items() if field.lower() == name.lower())
        return raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # RFC 6533 has UTF-8 there
    inner = block.get_payload() if block.get_content_maintype() == "message" else None
    blocks = [one for one in inner if isinstance(one, Message)] if isinstance(inner, list) else []
    return next((str(one[name]) for one in blocks if name in one), "")


def _values(mail: Message, *names: str) -> list[str]:
    return [str(value) for name in names for value in mail.get_all(name, [])]


def _text(part: Message) -> str:
    raw = part.get_payload(decode=True)
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else ""


def _tokens(pattern: re.Pattern[str], text: str, *, folded: bool = True) -> list[str]:
    found = dict.fromkeys(hit.lower() if folded else hit for hit in pattern.findall(text))
    return list(found)[:_MOST_TOKENS]


def _word(text: str) -> str:
    """The first word of a value, in lower case, without comments and parameters."""
    hit = re.match(r"\s*([A-Za-z0-9_-]{1,40})", text)
    return hit[1].lower() if hit else ""


def _line(text: str) -> str:
    """For people, and without the names of people: a receipt outlives the reader that it is about."""
    text = _LOCAL_PART.sub("…@", text[: _MOST_TEXT * 4])
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MOST_TEXT]
