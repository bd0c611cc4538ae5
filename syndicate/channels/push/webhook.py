"""Webhooks by the rules of Standard Webhooks 1.0.0 (standardwebhooks.com): signed, numbered, safe to repeat.

The id is the same on every try, so a partner drops doubles, and a lost answer is worth another try instead of a doubt.
A partner's mistake (404 after a deploy, a wrong redirect) must not lose a story, so it defers; only age and 410 end it.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta

from syndicate.domain.delivery import Outcome, OutcomeKind
from syndicate.domain.partner import Endpoint
from syndicate.net.answer import PUSH, Fetched, FetchFailed
from syndicate.net.client import Client
from syndicate.net.polite import parse_retry_after
from syndicate.ports import Parcel

_SECRET_OCTETS = range(24, 65)
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_GONE = 410


class Webhook:
    """Posts parcels. The client is the guarded one for pushes and stays the caller's to close."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def push(self, endpoint: Endpoint, parcel: Parcel, *, now: datetime) -> Outcome:
        """One try, at most 5 s. `now` is this try's time: partners refuse signatures older than five minutes."""
        body = _body(parcel)
        seconds = int(now.timestamp())
        headers = {
            "content-type": "application/json",
            "webhook-id": parcel.id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": " ".join(sign(secret, parcel.id, seconds, body) for secret in endpoint.secrets),
        }
        answer = await self._client.fetch("POST", endpoint.url, headers=headers, body=body, caps=PUSH, follow=False)
        return _failure(answer) if isinstance(answer, FetchFailed) else _outcome(answer, now)


def sign(secret: bytes, identifier: str, seconds: int, body: bytes) -> str:
    """The `v1` signature: HMAC-SHA256 over `id.timestamp.body`. `seconds` is Unix time."""
    if not _ID.fullmatch(identifier):
        raise ValueError(f"{identifier!r} can't be a webhook id: a dot in it would blur what is signed")
    digest = hmac.digest(secret, f"{identifier}.{seconds}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def parse_secret(text: str) -> bytes:
    """The bytes of `whsec_<base64>`. Raises ValueError with words for the person who set it, never with the secret."""
    prefix, _, encoded = text.partition("_")
    if prefix != "whsec" or not encoded:
        raise ValueError("a webhook secret looks like whsec_ and then base64")
    try:
        secret = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise ValueError("what follows whsec_ is not base64") from None
    if len(secret) not in _SECRET_OCTETS:
        raise ValueError(f"a webhook secret has 24 to 64 bytes, this one has {len(secret)}")
    return secret


def _body(parcel: Parcel) -> bytes:
    record = {"type": parcel.type, "timestamp": parcel.at.isoformat().replace("+00:00", "Z"), "data": parcel.data}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _outcome(answer: Fetched, now: datetime) -> Outcome:
    code = f"HTTP {answer.status}"
    if answer.status // 100 == 2:
        return Outcome(kind=OutcomeKind.ACCEPTED, code=code)
    if answer.status == _GONE:
        return Outcome(kind=OutcomeKind.REFUSED, code=code, text="the endpoint says it is gone for good", gone=True)
    seconds = parse_retry_after(answer.headers.get("retry-after"), answer.headers.get("date"), now)
    return _deferred(code, "the endpoint did not take it", seconds)


def _failure(failed: FetchFailed) -> Outcome:
    """A 2xx whose body was of no use is still a yes: our trouble with reading is no reason to send again."""
    if failed.status is not None and failed.status // 100 == 2:
        return Outcome(kind=OutcomeKind.ACCEPTED, code=f"HTTP {failed.status}")
    deferred = _deferred(failed.kind, failed.safe_words, failed.wait_seconds)
    return replace(deferred, doubtful=failed.maybe_delivered and failed.status is None)


def _deferred(code: str, text: str, seconds: float | None) -> Outcome:
    wait = None if seconds is None else timedelta(seconds=seconds)
    return Outcome(kind=OutcomeKind.DEFERRED, code=code, text=text, retry_after=wait)
