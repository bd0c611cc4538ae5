"""Sockets to trusted relays: TLS from the start, STARTTLS, and what must not slip through it."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trustme

from syndicate.net.connect import LONGEST_LINE, MOST_UNREAD, Line, open_line, tls_context

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


async def call(port: int, host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None, seconds: float = 5) -> Line:
    return await open_line(host, port, tls=tls, connect_seconds=seconds)


async def test_a_relay_on_a_private_address_is_reached_because_config_names_it() -> None:
    async with relay(greet) as port:
        line = await call(port)
        assert await line.read_line() == b"220 hello\r\n"
        line.close()


async def test_tls_from_the_first_byte_checks_the_name(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    async with relay(greet, server_tls) as port:
        line = await call(port, "localhost", tls=tls_context(ca_file=ca_file))
        assert await line.read_line() == b"220 hello\r\n"
        assert line.is_encrypted
        line.close()
        with pytest.raises(ssl.SSLError):
            await call(port, tls=tls_context(ca_file=ca_file))
        with pytest.raises(ssl.SSLError):
            await call(port, "localhost", tls=tls_context())


async def test_a_self_signed_relay_is_reached_only_when_told_not_to_verify(server_tls: ssl.SSLContext) -> None:
    async with relay(greet, server_tls) as port:
        line = await call(port, tls=tls_context(verify=False))
        assert await line.read_line() == b"220 hello\r\n"
        line.close()


async def mute(reader: StreamReader, _: StreamWriter) -> None:
    await reader.read()


async def test_a_relay_that_never_shakes_hands_is_a_timeout() -> None:
    async with relay(mute) as port:
        with pytest.raises(TimeoutError):
            await call(port, "localhost", tls=tls_context(), seconds=0.2)


async def test_a_line_is_waited_for_until_the_deadline_and_not_after_it() -> None:
    async with relay(mute) as port:
        line = await call(port)
        line.allow(0.05)
        with pytest.raises(TimeoutError):
            await line.read_line()
        line.abort()


async def test_what_comes_after_the_last_line_end_is_read_and_then_nothing() -> None:
    async def cut_short(_: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"220 hello\r\n221 good-b")

    async with relay(cut_short) as port:
        line = await call(port)
        line.allow(5)
        said = [await line.read_line() for _ in range(3)]

    assert said == [b"220 hello\r\n", b"221 good-b", b""]
    assert line.has_unread  # it has hung up, and nobody may take it for silent


@pytest.mark.parametrize("length", [LONGEST_LINE + 1, MOST_UNREAD + 1])
async def test_a_line_without_an_end_is_not_kept_for_ever(length: int) -> None:
    async def flood(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"2" * length)
        await reader.read()

    async with relay(flood) as port:
        line = await call(port)
        line.allow(5)
        with pytest.raises(ValueError, match="without an end"):
            await line.read_line()
        line.abort()


async def test_nothing_can_be_said_on_a_lost_connection() -> None:
    async def gone(_: StreamReader, writer: StreamWriter) -> None:
        writer.transport.abort()

    async with relay(gone) as port:
        line = await call(port)
        line.allow(5)
        with suppress(OSError):
            await line.read_line()
        with pytest.raises(OSError, match=r"lost|reset"):
            line.write(b"QUIT\r\n")


async def test_who_stops_reading_is_waited_for_until_the_deadline() -> None:
    never = asyncio.Event()

    async def deaf(_: StreamReader, __: StreamWriter) -> None:
        await never.wait()

    async with relay(deaf) as port:
        line = await call(port)
        line.write(b"x" * 70 * 1024 * 1024)
        line.allow(0.05)
        with pytest.raises(TimeoutError):
            await line.drain()
        line.abort()
        never.set()


def upgrading(server_tls: ssl.SSLContext, injected: bytes = b"") -> Talk:
    async def talk(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readline()
        writer.write(b"220 go ahead\r\n" + injected)
        await writer.drain()
        await writer.start_tls(server_tls)
        writer.write(b"250 " + await reader.readline())
        await writer.drain()

    return talk


async def test_after_starttls_the_same_line_goes_on_encrypted(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    async with relay(upgrading(server_tls)) as port:
        line = await call(port)
        line.write(b"STARTTLS\r\n")
        await line.read_line()

        await line.encrypt(tls_context(ca_file=ca_file), host="localhost")

        line.write(b"EHLO us\r\n")
        assert await line.read_line() == b"250 EHLO us\r\n"
        assert line.is_encrypted
        line.close()


async def test_plain_text_slipped_in_before_the_encryption_is_refused(
    server_tls: ssl.SSLContext, ca_file: Path
) -> None:
    async with relay(upgrading(server_tls, injected=b"250 evil\r\n")) as port:
        line = await call(port)
        line.write(b"STARTTLS\r\n")
        await line.read_line()

        with pytest.raises(ConnectionError, match="plain text"):
            await line.encrypt(tls_context(ca_file=ca_file), host="localhost")
        line.abort()
