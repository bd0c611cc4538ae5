"""One request and its answer, at a bounded price: whatever the peer sends, we keep at most what the caps say."""

import asyncio
import ssl
from contextlib import suppress
from typing import Final

import httpcore2
import httpx2

from syndicate.net.answer import KIB, Caps, FailureKind, Fetched, FetchFailed, Stopped
from syndicate.net.body import Body
from syndicate.net.transport import GuardedTransport

HEADERS_TOO_BIG: Final = 431  # the status h11 suggests when an answer's head passes its cap of 100 KiB

_ERROR_BODY: Final = Caps(wire_bytes=4 * KIB, body_bytes=4 * KIB)  # for the operator's eyes
_BROKEN: Final = (httpcore2.NetworkError, httpcore2.ProtocolError, OSError)


class _Seen:
    """How far the exchange came; httpcore2 reports its steps to `trace`."""

    def __init__(self) -> None:
        self.begun = False
        self.status: int | None = None

    async def trace(self, step: str, _: object) -> None:
        if step == "http11.send_request_headers.started":
            self.begun = True

    def failed(self, kind: FailureKind, why: object) -> FetchFailed:
        return FetchFailed(kind=kind, detail=str(why), maybe_delivered=self.begun, status=self.status)


async def exchange(
    transport: GuardedTransport, request: httpx2.Request, caps: Caps, seconds_left: float
) -> Fetched | FetchFailed:
    """Send the request and read the answer within the caps and the time left. Redirects are not followed."""
    seen = _Seen()
    request.extensions = {"trace": seen.trace, "timeout": _timeouts(caps)}
    try:
        async with asyncio.timeout(seconds_left):
            return await _ask(transport, request, caps, seen)
    except Stopped as why:
        return seen.failed(why.kind, why.detail)
    except (TimeoutError, httpcore2.TimeoutException) as late:
        return seen.failed("timeout", str(late) or f"not done in {caps.total_seconds} s")
    except _BROKEN as why:
        return seen.failed(_kind_of(why, seen), why)


def _timeouts(caps: Caps) -> dict[str, float]:
    return {
        "connect": caps.connect_seconds,
        "read": caps.read_seconds,
        "write": caps.read_seconds,
        "pool": caps.total_seconds,
    }


def _kind_of(why: Exception, seen: _Seen) -> FailureKind:
    """httpcore2 wraps the real cause as its only argument (its pool cuts `__cause__` off)."""
    cause = why.args[0] if why.args else None
    if isinstance(why, ssl.SSLError) or isinstance(cause, ssl.SSLError):
        return "tls"
    if getattr(cause, "error_status_hint", None) == HEADERS_TOO_BIG:
        return "too_big"
    if seen.status is not None:
        return "truncated"
    return "protocol" if isinstance(why, httpcore2.ProtocolError) else "connect"


async def _ask(transport: GuardedTransport, request: httpx2.Request, caps: Caps, seen: _Seen) -> Fetched:
    response = await transport.handle_async_request(request)
    seen.status = response.status_code
    try:
        body = b"" if request.method == "HEAD" else await _read_body(response, caps)
    finally:
        await response.aclose()
    headers = _headers(response)
    return Fetched(
        url=str(request.url.copy_with(fragment=None)),
        status=response.status_code,
        headers=dict(reversed(headers)),  # so that the first of equal names wins
        body=body,
        links=tuple(value for name, value in headers if name == "link"),
    )


def _headers(response: httpx2.Response) -> list[tuple[str, str]]:
    """Names in lower case, values byte for byte."""
    return [(name.decode("ascii").lower(), value.decode("latin-1")) for name, value in response.headers.raw]


async def _read_body(response: httpx2.Response, caps: Caps) -> bytes:
    """All of a 2xx, the beginning of an error, nothing of a redirect."""
    if response.is_success:
        return await _read_whole(response, caps)
    return b"" if response.status_code < 400 else await _read_beginning(response)


async def _read_whole(response: httpx2.Response, caps: Caps) -> bytes:
    body = Body(_coding(response), caps)
    announced = int(response.headers.get("content-length", "0"))  # h11 lets only digits through
    if announced > caps.wire_bytes:
        raise Stopped("too_big", f"Content-Length {announced} is over the cap of {caps.wire_bytes}")
    async for piece in response.aiter_raw():
        body.add(piece)
    return body.whole()


async def _read_beginning(response: httpx2.Response) -> bytes:
    """What an error's body begins with. Its flaws must not hide its status, so they only end the reading."""
    pieces = b""
    with suppress(Stopped, *_BROKEN):
        body = Body(_coding(response), _ERROR_BODY)
        with suppress(Stopped, *_BROKEN):
            async for piece in response.aiter_raw():
                body.add(piece)
        pieces = body.so_far()
    return pieces[: _ERROR_BODY.body_bytes]


def _coding(response: httpx2.Response) -> str:
    """All the codings that any Content-Encoding line names; two lines mean the same as one with a comma."""
    return ", ".join(response.headers.get_list("content-encoding"))
