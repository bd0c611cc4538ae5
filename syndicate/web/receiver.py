"""`/sample/receiver`: plays the partner in the sample. It takes webhooks, checks their signature and shows them."""

import base64
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from syndicate.web.pages import NEVER, Front, moment, page

PATH = "/sample/receiver"
LARGEST = 1024 * 1024  # bytes: an edition comes with its HTML
_KEPT = 200


@dataclass(frozen=True, kw_only=True)
class Received:
    """One delivery."""

    at: datetime
    id: str
    type: str
    about: str
    signed: bool  # by a secret of an endpoint that leads here


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """Keeps the newest deliveries in memory; a restart forgets them."""

    secrets: tuple[bytes, ...]
    received: deque[Received] = field(default_factory=lambda: deque(maxlen=_KEPT))


def open_receiver(front: Front) -> Receiver:
    """With the secrets of the endpoints whose address is ours."""
    ours = [one for one in front.app.endpoints.values() if urlsplit(one.url).path == PATH]
    return Receiver(secrets=tuple(secret for one in ours for secret in one.secrets))


async def take_delivery(front: Front, receiver: Receiver, request: Request) -> Response:
    """A partner's side of Standard Webhooks 1.0: 204, or 400 for what is no webhook."""
    body = await request.body()
    identifier = request.headers.get("webhook-id", "")
    told = _told(body)
    if told is None or not identifier:
        return PlainTextResponse("This is no webhook.\n", 400, headers={"cache-control": NEVER})
    kind, about = told
    signed = _is_signed(receiver.secrets, identifier, request.headers, body)
    receiver.received.appendleft(
        Received(at=front.app.clock.now(), id=identifier[:100], type=kind, about=about, signed=signed)
    )
    return Response(status_code=204, headers={"cache-control": NEVER})


async def show_deliveries(front: Front, receiver: Receiver, request: Request) -> Response:
    """What arrived, newest first."""
    listed = [(one, moment(front, request, one.at)) for one in receiver.received]
    return page(front, request, "receiver.html.j2", cache=NEVER, listed=listed, most=_KEPT)


def _told(body: bytes) -> tuple[str, str] | None:
    """The type of a parcel and what it is about; None if it has not the shape of one."""
    try:
        parcel = json.loads(body)
        kind, data = parcel["type"], parcel["data"]
        about = data.get("title") or data.get("subject") or ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return _sound(kind)[:100], _sound(about)[:300]


def _sound(said: object) -> str:
    """JSON can write lone surrogates, which no page can."""
    return str(said).encode("utf-8", "replace").decode()


def _is_signed(secrets: Iterable[bytes], identifier: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Any `v1` signature by any of the secrets. Its own code, so that it also proves the sender's."""
    signed = f"{identifier}.{headers.get('webhook-timestamp', '')}.".encode() + body
    shown = headers.get("webhook-signature", "").encode().split()
    good = [b"v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)) for secret in secrets]
    return any(hmac.compare_digest(one, other) for one in shown for other in good)
