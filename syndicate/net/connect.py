"""Sockets to hosts that the operator wrote into the configuration (mail relays). They are trusted, often on a
private address, and therefore not guarded; never pass a host that came from data.
"""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from pathlib import Path

HANDSHAKE_SECONDS = 10.0


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


async def open_stream(
    host: str, port: int, *, tls: ssl.SSLContext | None, connect_seconds: float
) -> tuple[StreamReader, StreamWriter]:
    """Connect, with TLS from the first byte when `tls` is given. The time covers look-up, connection, handshake.

    Raises OSError only: TimeoutError, ssl.SSLError and socket.gaierror are kinds of it.
    """
    async with asyncio.timeout(connect_seconds):
        return await asyncio.open_connection(host, port, ssl=tls, server_hostname=host if tls else None)


async def start_tls(
    reader: StreamReader, writer: StreamWriter, *, context: ssl.SSLContext, host: str
) -> tuple[StreamReader, StreamWriter]:
    """Turn TLS on after the peer agreed to STARTTLS; the same two streams go on, encrypted.

    Refuses (ConnectionError) a peer that sent more than its agreement: those bytes are plain text and an attacker
    may have put them there to be read as if they came encrypted (CVE-2011-0411). Raises OSError only.
    """
    await _refuse_leftover(reader)
    await writer.start_tls(context, server_hostname=host, ssl_handshake_timeout=HANDSHAKE_SECONDS)
    return reader, writer


async def _refuse_leftover(reader: StreamReader) -> None:
    """A read with no time to wait gives only what already lies in the buffer."""
    try:
        async with asyncio.timeout(0):
            leftover = await reader.read(1)
    except TimeoutError:
        return
    raise ConnectionError("plain text after the answer to STARTTLS" if leftover else "the peer hung up at STARTTLS")
