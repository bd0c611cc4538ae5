"""A real HTTP/1.1 server on a port of its own that can misbehave on purpose: the base of the tests' newsrooms,
webhook receivers and hostile peers.

    async with serve() as site:
        site.on("/feed/", answer(200, b"<rss/>", {"ETag": '"1"'}))
        ... site.url("/feed/") ... site.requests ... site.connections
"""

import asyncio
import gzip
import json
import ssl
import struct
import zlib
from asyncio import IncompleteReadError, StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

MIB = 1024 * 1024
PATIENCE = 10.0  # seconds a test waits for something that should happen at once


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A request as it came; header names in lower case, of repeated ones the last."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass
class Wire:
    """What a handler writes to. `keep` lets the next request come over the same connection."""

    writer: StreamWriter
    keep: bool = False

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status: int, headers: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        lines = "".join(f"{name}: {value}\r\n" for name, value in pairs)
        await self.send(f"HTTP/1.1 {status} As Told\r\n{lines}\r\n".encode("latin-1"))

    async def respond(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """A well-behaved answer; the connection stays open."""
        length = {} if status in (204, 304) else {"Content-Length": str(len(body))}
        await self.head(status, {**length, **(headers or {})})
        await self.send(body)
        self.keep = True


Handler = Callable[[Heard, Wire], Awaitable[None]]


@dataclass
class Site:
    """The running server. `requests` and `connections` tell what reached it."""

    host: str
    scheme: str = "http"
    port: int = 0
    routes: dict[str, Handler] = field(default_factory=dict)
    requests: list[Heard] = field(default_factory=list)
    connections: int = 0
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _busy: set["asyncio.Task[None]"] = field(default_factory=set)

    def on(self, path: str, handler: Handler) -> None:
        """Answer this path (without its query) so; "*" is what all other paths get, else 404."""
        self.routes[path] = handler

    def url(self, path: str = "/") -> str:
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}{path}"

    async def heard(self, requests: int, *, within: float = PATIENCE) -> list[Heard]:
        """Wait until so many requests came. Raises TimeoutError."""
        async with asyncio.timeout(within), self._news:
            await self._news.wait_for(lambda: len(self.requests) >= requests)
        return self.requests

    async def connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        if task is not None:
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
        with suppress(ConnectionError, IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            await self._converse(reader, writer)
        writer.close()

    async def hang_up(self) -> None:
        """End all conversations, also the endless ones."""
        for task in tuple(self._busy):
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    async def _converse(self, reader: StreamReader, writer: StreamWriter) -> None:
        wire = Wire(writer, keep=True)
        while wire.keep and (request := await _read_request(reader)):
            wire.keep = False
            async with self._news:
                self.requests.append(request)
                self._news.notify_all()
            handler = self.routes.get(request.path) or self.routes.get("*") or answer(404, b"not here")
            await handler(request, wire)


@asynccontextmanager
async def serve(
    routes: Mapping[str, Handler] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Site]:
    """Listen until the block ends; port 0 takes a free one."""
    site = Site(host=host, scheme="https" if tls else "http", routes=dict(routes or {}))
    server = await asyncio.start_server(site.connected, host, port, ssl=tls, limit=MIB)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        await site.hang_up()


async def _read_request(reader: StreamReader) -> Heard | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Heard(method=method, target=target, headers=headers, body=body)


# Handlers: the well-behaved.


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Handler:
    async def handler(_: Heard, wire: Wire) -> None:
        await wire.respond(status, body, headers)

    return handler


def redirect(to: str, status: int = 302) -> Handler:
    return answer(status, b"elsewhere", {"Location": to})


def gzipped(body: bytes, headers: Mapping[str, str] | None = None) -> Handler:
    return answer(200, gzip.compress(body), {"Content-Encoding": "gzip", **(headers or {})})


async def echo(request: Heard, wire: Wire) -> None:
    """The request as JSON: method, target, headers, body (latin-1)."""
    said = {
        "method": request.method,
        "target": request.target,
        "headers": dict(request.headers),
        "body": request.body.decode("latin-1"),
    }
    await wire.respond(200, json.dumps(said).encode(), {"Content-Type": "application/json"})


def in_turn(*handlers: Handler) -> Handler:
    """One after the other; the last one goes on."""
    turns = count()

    async def handler(request: Heard, wire: Wire) -> None:
        await handlers[min(next(turns), len(handlers) - 1)](request, wire)

    return handler


# Handlers: the hostile and the broken.


def raw(data: bytes) -> Handler:
    """These bytes, then the connection closes."""

    async def handler(_: Heard, wire: Wire) -> None:
        await wire.send(data)

    return handler


def drip(body: bytes = b"x" * 1000, *, every_seconds: float = 0.1, status: int = 200) -> Handler:
    """One byte at a time: never silent long enough for a read timeout."""

    async def handler(_: Heard, wire: Wire) -> None:
        await wire.head(status, {"Content-Length": str(len(body))})
        for byte in body:
            await wire.send(bytes([byte]))
            await asyncio.sleep(every_seconds)

    return handler


def drip_head(*, every_seconds: float = 0.1) -> Handler:
    """A head that never ends, slowly."""

    async def handler(_: Heard, wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\n")
        for number in count():
            await wire.send(b"X-%d: y\r\n" % number)
            await asyncio.sleep(every_seconds)

    return handler


async def silence(_: Heard, __: Wire) -> None:
    """Take the request and say nothing until the server ends."""
    await asyncio.Event().wait()


async def hang_up(_: Heard, __: Wire) -> None:
    """Take the request and close."""


async def endless(_: Heard, wire: Wire) -> None:
    """A body without announced length and without end."""
    await wire.head(200)
    while True:
        await wire.send(b"x" * 65536)


def many_headers(number: int) -> Handler:
    async def handler(_: Heard, wire: Wire) -> None:
        await wire.head(200, ((f"X-Header-{i}", "x" * 20) for i in range(number)))

    return handler


def truncated(body: bytes, announced: int) -> Handler:
    """Shorter than its Content-Length."""
    return raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (announced, body))


def cut_chunked(body: bytes) -> Handler:
    """Chunked, without the last chunk (RFC 9112 §8)."""
    return raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(body), body))


def cut_gzip(body: bytes) -> Handler:
    """A whole HTTP message around half a gzip stream."""
    packed = gzip.compress(body)
    return answer(200, packed[: len(packed) // 2], {"Content-Encoding": "gzip"})


def gzip_bomb(size: int = 1024 * MIB) -> Handler:
    """Zeros: 1 GiB of them travel in 1 MB."""
    return answer(200, _packed_zeros(size), {"Content-Encoding": "gzip"})


def _packed_zeros(size: int) -> bytes:
    """One packed MiB again and again: valid gzip (RFC 1952), made in a twentieth of the time."""
    zeros, check = bytes(MIB), 0
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(size // MIB):
        check = zlib.crc32(zeros, check)
    head, last_block = b"\x1f\x8b\x08\0\0\0\0\0\0\xff", b"\x03\0"
    return head + block * (size // MIB) + last_block + struct.pack("<II", check, size)
