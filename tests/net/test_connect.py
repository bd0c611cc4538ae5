"""Sockets to trusted relays: TLS from the start, STARTTLS, and what must not slip through it."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from syndicate.net.connect import open_stream, start_tls, tls_context

Talk = Callable[[StreamReader, StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@asynccontextmanager
async def relay(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def greet(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"220 hello\r\n")
    await writer.drain()


async def test_a_relay_on_a_private_address_is_reached_because_config_names_it() -> None:
    async with relay(greet) as port:
        reader, writer = await open_stream("127.0.0.1", port, tls=None, connect_seconds=5)
        assert await reader.readline() == b"220 hello\r\n"
        writer.close()


async def test_tls_from_the_first_byte_checks_the_name(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    async with relay(greet, server_tls) as port:
        reader, writer = await open_stream("localhost", port, tls=tls_context(ca_file=ca_file), connect_seconds=5)
        assert await reader.readline() == b"220 hello\r\n"
        writer.close()
        with pytest.raises(ssl.SSLError):
            await open_stream("127.0.0.1", port, tls=tls_context(ca_file=ca_file), connect_seconds=5)
        with pytest.raises(ssl.SSLError):
            await open_stream("localhost", port, tls=tls_context(), connect_seconds=5)


async def test_a_self_signed_relay_is_reached_only_when_told_not_to_verify(server_tls: ssl.SSLContext) -> None:
    async with relay(greet, server_tls) as port:
        reader, writer = await open_stream("127.0.0.1", port, tls=tls_context(verify=False), connect_seconds=5)
        assert await reader.readline() == b"220 hello\r\n"
        writer.close()


async def test_a_relay_that_never_shakes_hands_is_a_timeout() -> None:
    async def mute(reader: StreamReader, _: StreamWriter) -> None:
        await reader.read()

    async with relay(mute) as port:
        with pytest.raises(TimeoutError):
            await open_stream("localhost", port, tls=tls_context(), connect_seconds=0.2)


def upgrading(server_tls: ssl.SSLContext, injected: bytes = b"") -> Talk:
    async def talk(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readline()
        writer.write(b"220 go ahead\r\n" + injected)
        await writer.drain()
        await writer.start_tls(server_tls)
        writer.write(b"250 " + await reader.readline())
        await writer.drain()

    return talk


async def test_after_starttls_the_same_streams_go_on_encrypted(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    async with relay(upgrading(server_tls)) as port:
        reader, writer = await open_stream("127.0.0.1", port, tls=None, connect_seconds=5)
        writer.write(b"STARTTLS\r\n")
        await reader.readline()

        reader, writer = await start_tls(reader, writer, context=tls_context(ca_file=ca_file), host="localhost")

        writer.write(b"EHLO us\r\n")
        assert await reader.readline() == b"250 EHLO us\r\n"
        assert writer.get_extra_info("ssl_object") is not None
        writer.close()


async def test_plain_text_slipped_in_before_the_encryption_is_refused(
    server_tls: ssl.SSLContext, ca_file: Path
) -> None:
    async with relay(upgrading(server_tls, injected=b"250 evil\r\n")) as port:
        reader, writer = await open_stream("127.0.0.1", port, tls=None, connect_seconds=5)
        writer.write(b"STARTTLS\r\n")
        await reader.readline()

        with pytest.raises(ConnectionError, match="plain text"):
            await start_tls(reader, writer, context=tls_context(ca_file=ca_file), host="localhost")
        writer.close()
