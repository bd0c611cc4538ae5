"""Puts the guard where the connection is made: one look-up, every answer judged, the literal dialled.

TLS stays above this layer and sees the *name*, so SNI, the certificate check and `Host` are as always; rewriting
the URL to an address would break all three. No proxy is ever used: behind one, the proxy would resolve the name.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from ipaddress import IPv6Address
from typing import Final

import httpcore2
import httpx2

from syndicate.net.answer import Stopped
from syndicate.net.connect import tls_context
from syndicate.net.guard import Allowed, IPAddress, Lookups, Resolver, literal, refuse, refuse_port

CONNECTIONS: Final = 128  # at once, over all hosts; fan-out pushes 100 at a time
KEPT_IDLE: Final = 32  # the pool looks at every one of them at each request: 100 cost a third of the speed
KEEPALIVE_SECONDS: Final = 5.0  # a kept connection was judged when it was made
ADDRESSES_TRIED: Final = 4
_EXTENSIONS: Final = ("timeout", "trace")  # not "sni_hostname": it would change whose certificate we accept

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


def check_url(url: httpx2.URL, allowed: Allowed) -> None:
    """Raise Stopped for a URL that no look-up could make right.

    Judges the very object that is then dialled: a second parser would see another host in
    `http://example.com\\@127.0.0.1/`.
    """
    host = url.raw_host.decode("ascii")
    if url.scheme not in ("http", "https"):
        raise Stopped("bad_url", f"scheme {url.scheme!r} is neither http nor https")
    if url.userinfo:
        raise Stopped("bad_url", "user name or password in the URL")
    if not host or host.endswith(".") or "%" in host:
        raise Stopped("bad_url", f"host {host!r} is empty, ends in a dot or has a zone")
    if why := refuse_port(port_of(url), allowed):
        raise Stopped("refused_address", why)


def port_of(url: httpx2.URL) -> int:
    """The port with the scheme's own filled in."""
    return url.port if url.port is not None else {"https": 443}.get(url.scheme, 80)


class PinnedBackend(httpcore2.AsyncNetworkBackend):
    """Dials only literals that passed `refuse`, and looks at who answered."""

    def __init__(self, allowed: Allowed, lookups: Lookups, inner: httpcore2.AsyncNetworkBackend | None = None) -> None:
        self._allowed = allowed
        self._lookups = lookups
        self._inner = inner or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                return await self._dial(await self._judged(host, port), port, timeout)
        except TimeoutError as late:
            raise httpcore2.ConnectTimeout(f"no connection to {host} in {timeout} s") from late

    async def _judged(self, host: str, port: int) -> list[IPAddress]:
        """The host's addresses, if all of them are allowed: one bad answer among good ones is an attack."""
        written = literal(host)
        addresses = [written] if written else await self._lookups.addresses(host, port)
        for address in addresses:
            if why := refuse(address, port, self._allowed):
                raise Stopped("refused_address", why if written else f"{host}: {why}")
        return addresses

    async def _dial(self, addresses: list[IPAddress], port: int, seconds: float | None) -> httpcore2.AsyncNetworkStream:
        """Try up to four addresses, each with its share of the time, so that a dead IPv6 route leaves some."""
        tried = addresses[:ADDRESSES_TRIED]
        share = seconds / len(tried) if seconds else None
        failure: Exception | None = None
        for address in tried:
            try:
                return await self._dial_one(_dialled_form(address), port, share)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as why:
                failure = why
        raise failure or httpcore2.ConnectError("no address")

    async def _dial_one(self, address: IPAddress, port: int, seconds: float | None) -> httpcore2.AsyncNetworkStream:
        stream = await self._inner.connect_tcp(str(address), port, timeout=seconds)
        peer = stream.get_extra_info("server_addr")
        if not peer or literal(str(peer[0])) != address:
            await stream.aclose()
            raise Stopped("refused_address", f"dialled {address}, but {peer} answered")
        return stream


def _dialled_form(address: IPAddress) -> IPAddress:
    """The kernel dials a mapped address as IPv4 and reports the peer so."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


class _Stream(httpx2.AsyncByteStream):
    """The raw body as httpcore2 hands it out (pieces of at most 64 KiB), undecoded."""

    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._response.aiter_stream():
            yield piece

    async def aclose(self) -> None:
        await self._response.aclose()


class GuardedTransport(httpx2.AsyncBaseTransport):
    """One request, one answer, through the guard. Keeps no cookies, reads no environment, follows nothing.

    Raises Stopped when refused, and httpcore2's own exceptions for the rest; `exchange` turns both into values.
    """

    def __init__(
        self,
        *,
        allowed: Allowed,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        inner: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allowed = allowed
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls or tls_context(),
            max_connections=CONNECTIONS,
            max_keepalive_connections=KEPT_IDLE,
            keepalive_expiry=KEEPALIVE_SECONDS,
            network_backend=PinnedBackend(allowed, Lookups(resolver), inner),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        check_url(request.url, self._allowed)
        answer = await self._pool.handle_async_request(_core_request(request))
        return httpx2.Response(answer.status, headers=answer.headers, stream=_Stream(answer))

    async def aclose(self) -> None:
        await self._pool.aclose()


def _core_request(request: httpx2.Request) -> httpcore2.Request:
    url = request.url
    return httpcore2.Request(
        method=request.method,
        url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=request.stream,
        extensions={name: request.extensions[name] for name in _EXTENSIONS if name in request.extensions},
    )
