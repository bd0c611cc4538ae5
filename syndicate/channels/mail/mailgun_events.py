"""What Mailgun tells later, by webhook: who it says it is, and what it says of a mail.

The signature covers a time and a token, not what is told. So a token counts once; and what is told moves nothing in
the ledger without the bounce address that went out with that mail, which only we can have made.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Any

from syndicate.channels.mail.headers import one_line
from syndicate.domain.receipt import Notice, Report

# Seconds. Mailgun asks again for 8 hours when we were down and doesn't say that it signs anew; it warns of a narrow
# window (user manual, Securing webhooks, 2026-11-25). A replay is held off by its token, which is kept far longer.
OLDEST = 12 * 3600.0
_AHEAD = 300.0  # seconds that its clock may be before ours
_MOST_TEXT = 500  # characters
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,100}")
_TIMESTAMP = re.compile(r"\d{1,12}")
_BOUNCE = re.compile(r"(?i)b\+([a-z2-7]{29})@[a-z0-9.-]+")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_NO_SUCH_MAILBOX, _POLICY = "5.1.1", "5.7.1"  # RFC 3463
_ABUSE = "abuse"  # RFC 5965 §3.1
# Mailgun keeps lists of its own and doesn't try those who are on one: what it says then is what they once said.
_LISTED: Mapping[str, Mapping[str, Any]] = {
    "suppress-complaint": {"feedback": _ABUSE},
    "suppress-unsubscribe": {"leaves": True},
}


class Flaw(Enum):
    """Why a webhook isn't taken."""

    MALFORMED = "malformed"
    FORGED = "forged"
    STALE = "stale"


def check_signature(body: bytes, key: bytes, *, now: datetime) -> str | Flaw:
    """The token of a genuine and fresh webhook, by which it counts once; or what is wrong with it."""
    signature = _table(_read(body), "signature")
    token, timestamp, given = (_word(signature, name) for name in ("token", "timestamp", "signature"))
    if not _TOKEN.fullmatch(token) or not _TIMESTAMP.fullmatch(timestamp):
        return Flaw.MALFORMED
    expected = hmac.new(key, f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), given.encode()):
        return Flaw.FORGED
    return token if -_AHEAD <= now.timestamp() - int(timestamp) <= OLDEST else Flaw.STALE


def read_event(body: bytes) -> Report:
    """What an event says, as if a mail system had reported it."""
    event = _table(_read(body), "event-data")
    hit = _BOUNCE.fullmatch(_word(_table(event, "user-variables"), "bounce"))
    said = _said(event)
    told_by_machine = "leaves" not in said
    told = Report(**said, null_sender=told_by_machine, bounce_tokens=(hit[1].lower(),) if hit else ())
    recipient = _word(event, "recipient")
    about = tuple(replace(notice, recipients=(recipient,) if recipient else ()) for notice in told.notices)
    return replace(told, notices=about)


def _said(event: Mapping[str, Any]) -> Mapping[str, Any]:
    name, reason = _word(event, "event"), _word(event, "reason")
    status = _table(event, "delivery-status")
    text = one_line(_word(status, "message") or _word(status, "description") or reason)[:_MOST_TEXT]
    code = _word(status, "enhanced-code")
    code = code if _STATUS.fullmatch(code) else ""
    match name:
        case "delivered":
            return {"notices": (Notice(action="delivered", status=code, text=text),)}
        case "failed" if _word(event, "severity") == "temporary":
            return {"notices": (Notice(action="delayed", status=code, text=text),)}
        case "failed" if reason in _LISTED:
            return _LISTED[reason]
        case "failed":
            code = _NO_SUCH_MAILBOX if reason == "suppress-bounce" else code
            return {"notices": (Notice(action="failed", status=code, text=text),)}
        case "rejected":  # by Mailgun itself: no reader's doing
            text = one_line(_word(_table(event, "reject"), "reason"))[:_MOST_TEXT]
            return {"notices": (Notice(action="failed", status=_POLICY, text=text),)}
        case "complained":
            return {"feedback": _ABUSE}
        case "unsubscribed":
            return {"leaves": True}
        case _:  # opened, clicked …
            return {"automatic": True}


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _table(within: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = within.get(name)
    return found if isinstance(found, dict) else {}


def _word(within: Mapping[str, Any], name: str) -> str:
    """Without lone surrogates, which JSON can write and neither UTF-8 nor a database can."""
    found = within.get(name)
    return found.encode("utf-8", "replace").decode() if isinstance(found, str) else ""
