"""Sockets to hosts that the operator wrote into the configuration (mail relays, mailboxes). They are trusted, often on
a private address, and therefore not guarded; never pass a host that came from data.
"""

import asyncio
import math
import re
import socket
import ssl
from pathlib import Path
from typing import cast

HANDSHAKE_SECONDS = 10.0
LONGEST_LINE = 65_536  # bytes that may come without a line end
MOST_UNREAD = 131_072  # bytes


def tls_context(verify: bool = True, ca_file: str | Path | None = None) -> ssl.SSLContext:
    """A client context with the system's authorities, or only those of `ca_file` (PEM).

    `verify=False` encrypts without knowing the peer: for a relay with a self-signed certificate, by the
    operator's explicit word only.
    """
    context = ssl.create_default_context(cafile=ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Line(asyncio.Protocol):
    """A connection on which the peer says lines, such as SMTP. One task at a time waits on it, until a deadline."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._heard = bytearray()
        self._ended = False
        self._trouble: Exception | None = None
        self._full = False  # something waits in our own buffer for the kernel to take it
        self._waiting: asyncio.Future[None] | None = None
        self._deadline = math.inf

    def allow(self, seconds: float) -> None:
        """How long what is waited for from now on may take in all; then it raises TimeoutError."""
        self._deadline = asyncio.get_running_loop().time() + seconds

    @property
    def has_unread(self) -> bool:
        """The peer has said something that nobody has read, or has hung up."""
        return self._ended or bool(self._heard)

    def heard_line(self) -> bytes | None:
        """The next line with its end, if it is here already."""
        end = self._heard.find(b"\n") + 1
        if end == 0:
            return None
        line = bytes(self._heard[:end])
        del self._heard[:end]
        return line

    def skip(self, lines: re.Pattern[bytes]) -> bool:
        """Takes what is here already for read, if it is these lines."""
        hit = lines.match(self._heard)
        if hit is not None:
            del self._heard[: hit.end()]
        return hit is not None

    async def read_line(self) -> bytes:
        """The next line with its end; one without is the last. Raises OSError, and ValueError where it is too long."""
        while (line := self.heard_line()) is None:
            if len(self._heard) > LONGEST_LINE:
                raise ValueError("a line without an end")
            if self._ended:
                return self._rest()
            await self._news()
        return line

    def write(self, data: bytes) -> None:
        """Hands over to the kernel what it takes; the rest follows as soon as it takes more.

        Raises OSError when the connection is lost: then the kernel has taken nothing of `data`.
        """
        if not self._transport.is_closing():
            self._transport.write(data)
        if self._transport.is_closing():
            raise self._trouble or ConnectionResetError("the connection was lost")

    async def drain(self) -> None:
        """Returns when the kernel has taken all, even if the connection was lost then. Raises OSError if it can't."""
        while self._full:
            if self._ended:
                raise self._trouble or ConnectionResetError("the connection was lost")
            await self._news()

    async def encrypt(self, context: ssl.SSLContext, *, host: str) -> None:
        """Turn TLS on after the peer agreed to STARTTLS.

        Refuses (ConnectionError) a peer that sent more than its agreement: those bytes are plain text and an attacker
        may have put them there to be read as if they came encrypted (CVE-2011-0411). Raises OSError only.
        """
        if self._heard:
            raise ConnectionError("plain text after the answer to STARTTLS")
        if self._ended:
            raise self._trouble or ConnectionError("the peer hung up at STARTTLS")
        transport = await asyncio.get_running_loop().start_tls(
            self._transport, self, context, server_hostname=host, ssl_handshake_timeout=HANDSHAKE_SECONDS
        )
        self.connection_made(cast(asyncio.Transport, transport))  # None only where the loop was told to give none

    @property
    def is_encrypted(self) -> bool:
        """Whether what is said goes through TLS."""
        return self._transport.get_extra_info("ssl_object") is not None

    def close(self) -> None:
        """Hangs up when all that was written has left."""
        self._transport.close()

    def abort(self) -> None:
        """Hangs up at once: what the kernel hasn't taken yet stays unsaid."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """`drain` shall mean that our own buffer is as good as empty, so more than one byte in it counts as full.

        Not one or none: asyncio's TLS transport would stay paused with an empty buffer.
        """
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by descent
        self._transport.set_write_buffer_limits(high=1, low=0)

    def data_received(self, data: bytes) -> None:
        """Keeps it. Who says more than anybody reads is hung up on."""
        self._heard += data
        if len(self._heard) > MOST_UNREAD:
            self._transport.abort()
        self._wake()

    def eof_received(self) -> None:
        """No more lines; the transport closes itself."""
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """No more lines, and nothing more can be said."""
        self._ended, self._trouble = True, exc
        self._wake()

    def pause_writing(self) -> None:
        """The kernel doesn't take more for now."""
        self._full = True

    def resume_writing(self) -> None:
        """The kernel has taken all."""
        self._full = False
        self._wake()

    def _rest(self) -> bytes:
        if self._trouble is not None:
            raise self._trouble
        rest = bytes(self._heard)
        self._heard.clear()
        return rest

    async def _news(self) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        timer = loop.call_at(self._deadline, self._expire) if self._deadline < math.inf else None
        try:
            await self._waiting
        finally:
            self._waiting = None
            if timer is not None:
                timer.cancel()

    def _expire(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(TimeoutError())

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


async def open_line(host: str, port: int, *, tls: ssl.SSLContext | None, connect_seconds: float) -> Line:
    """Connect, with TLS from the first byte when `tls` is given. The time covers look-up, connection, handshake.

    Raises OSError only: TimeoutError, ssl.SSLError and socket.gaierror are kinds of it.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(connect_seconds):
        _, line = await loop.create_connection(Line, host, port, ssl=tls, server_hostname=host if tls else None)
    return line


def open_socket(host: str, port: int, *, tls: ssl.SSLContext | None, seconds: float) -> socket.socket:
    """A blocking socket, for the library that speaks IMAP in a thread; `seconds` are for each step, later ones too.

    Raises OSError only.
    """
    plain = socket.create_connection((host, port), timeout=seconds)  # noqa: TID251  # this is syndicate.net
    if tls is None:
        return plain
    try:
        return tls.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
