"""T05 and T06: whatever the peer answers, it costs no more than the caps, and a failure says what is known."""

import asyncio
import resource
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate.net.client import FEED, Client, Fetched, FetchFailed
from syndicate.net.connect import tls_context
from syndicate.net.guard import Allowed
from syndicate.net.polite import Politeness
from tests.net.conftest import QUICK, OpenClient, failed, fetched
from tests.servers.http import (
    MIB,
    Handler,
    Heard,
    Site,
    Wire,
    answer,
    cut_chunked,
    cut_gzip,
    drip,
    drip_head,
    endless,
    gzip_bomb,
    hang_up,
    many_headers,
    raw,
    serve,
    silence,
    truncated,
)

TLS = tls_context()


@pytest.fixture(scope="module")
def bomb() -> Handler:
    return gzip_bomb()


async def test_a_gibibyte_of_zeros_is_refused_at_little_cost(bomb: Handler, site: Site, client: Client) -> None:
    site.on("/", bomb)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    outcome = await failed(client, site.url(), caps=FEED)

    assert outcome.kind == "too_big"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB


async def test_a_high_ratio_is_refused_even_under_the_cap(site: Site, client: Client) -> None:
    site.on("/", gzip_bomb(4 * MIB))

    outcome = await failed(client, site.url())

    assert outcome.kind == "too_big"
    assert "200 times" in outcome.detail


@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "gzip, gzip", "gzip, identity", "nonsense"])
async def test_any_coding_but_one_gzip_is_refused(coding: str, site: Site, client: Client) -> None:
    site.on("/", answer(200, b"body", {"Content-Encoding": coding}))

    outcome = await failed(client, site.url())

    assert outcome.kind == "bad_encoding"
    assert outcome.status == 200


async def test_two_lines_of_content_encoding_are_two_codings(site: Site, client: Client) -> None:
    two = b"Content-Encoding: gzip\r\n" * 2
    site.on("/", raw(b"HTTP/1.1 200 OK\r\n" + two + b"Content-Length: 1\r\n\r\nx"))

    assert (await failed(client, site.url())).kind == "bad_encoding"


async def test_what_says_gzip_and_is_not_is_refused(site: Site, client: Client) -> None:
    site.on("/", answer(200, b"<rss/>", {"Content-Encoding": "gzip"}))

    assert (await failed(client, site.url())).kind == "bad_encoding"


@pytest.mark.parametrize("slow", [drip(), drip_head(), silence])
async def test_an_answer_that_is_not_whole_in_time_is_a_timeout(slow: Handler, site: Site, client: Client) -> None:
    site.on("/", slow)
    started = time.monotonic()

    outcome = await failed(client, site.url(), caps=replace(QUICK, total_seconds=0.4))

    assert outcome.kind == "timeout"
    assert outcome.maybe_delivered
    assert time.monotonic() - started < 4


async def test_silence_ends_after_the_read_time(site: Site, client: Client) -> None:
    site.on("/", silence)

    outcome = await failed(client, site.url(), caps=replace(QUICK, total_seconds=30, read_seconds=0.2))

    assert outcome.kind == "timeout"


async def test_an_endless_body_is_too_big(site: Site, client: Client) -> None:
    site.on("/", endless)

    outcome = await failed(client, site.url(), caps=replace(QUICK, total_seconds=20))

    assert (outcome.kind, outcome.status) == ("too_big", 200)


async def test_an_announced_length_over_the_cap_is_refused_unread(site: Site, client: Client) -> None:
    site.on("/", truncated(b"", announced=QUICK.wire_bytes + 1))

    assert "Content-Length" in (await failed(client, site.url())).detail


async def test_a_hundred_thousand_headers_are_too_big(site: Site, client: Client) -> None:
    site.on("/", many_headers(100_000))

    assert (await failed(client, site.url())).kind == "too_big"


async def test_a_flood_of_tiny_chunks_ends_at_the_deadline(site: Site, client: Client) -> None:
    async def flood(_: Heard, wire: Wire) -> None:
        await wire.head(200, {"Transfer-Encoding": "chunked"})
        while True:
            await wire.send(b"1\r\nx\r\n" * 10_000)

    site.on("/", flood)
    started = time.monotonic()

    outcome = await failed(client, site.url(), caps=replace(QUICK, total_seconds=0.5))

    assert outcome.kind in ("timeout", "too_big")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("cut", [truncated(b"half", announced=8), cut_chunked(b"half"), cut_gzip(b"whole" * 99)])
async def test_a_body_that_was_cut_short_is_a_failure_that_keeps_the_status(
    cut: Handler, site: Site, client: Client
) -> None:
    site.on("/", cut)

    outcome = await failed(client, site.url())

    assert (outcome.kind, outcome.status, outcome.maybe_delivered) == ("truncated", 200, True)


@pytest.mark.parametrize("odd", [hang_up, raw(b"SSH-2.0-OpenSSH_9\r\n"), raw(b"HTTP/1.1 OK\r\n\r\n")])
async def test_what_is_not_http_is_a_protocol_failure(odd: Handler, site: Site, client: Client) -> None:
    site.on("/", odd)

    outcome = await failed(client, site.url())

    assert (outcome.kind, outcome.maybe_delivered, outcome.status) == ("protocol", True, None)


async def test_a_closed_port_is_no_connection_and_nothing_was_delivered(open_client: OpenClient) -> None:
    async with serve() as gone:
        pass

    outcome = await failed(open_client(f"127.0.0.1:{gone.port}"), gone.url())

    assert (outcome.kind, outcome.maybe_delivered) == ("connect", False)


async def test_a_cancelled_fetch_leaves_the_client_usable(site: Site, client: Client) -> None:
    site.on("/slow", silence)
    site.on("/", answer(200, b"ok"))
    task = asyncio.create_task(client.fetch("GET", site.url("/slow"), caps=FEED))
    await site.heard(1)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (await fetched(client, site.url())).body == b"ok"


async def test_the_words_for_partners_tell_nothing_of_our_network(site: Site, open_client: OpenClient) -> None:
    outcome = await failed(open_client(), "http://10.1.2.3/")

    assert "10.1.2.3" in outcome.detail
    assert outcome.safe_words == "the address is not one we connect to"


odd_lines = st.sampled_from(
    [
        *("Content-Length: 5", "Content-Length: 00005", "Content-Length: -1", "Content-Length: 5, 5"),
        *("Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Content-Encoding: gzip"),
        *("Location: //", "Location: ?", "Retry-After: x", "Date: x", "X: \xff", ": no name", " folded", "X\x00: 1"),
        *("Connection: close", "Connection: upgrade", "Upgrade: h2c", "Content-Encoding: \xe9"),
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    status=st.sampled_from(
        ["100", "101", "103", "199", "200", "204", "206", "302", "304", "404", "600", "999", "0", "x"]
    ),
    lines=st.lists(odd_lines, max_size=4),
    body=st.binary(max_size=30) | st.just(b"5\r\nhello\r\n0\r\n\r\n"),
    polite=st.booleans(),
)
def test_whatever_the_answer_fetch_returns_a_value(status: str, lines: list[str], body: bytes, polite: bool) -> None:
    said = "\r\n".join([f"HTTP/1.1 {status} x", *lines, "", ""]).encode("latin-1") + body

    async def fetch() -> Fetched | FetchFailed:
        async with serve({"/": raw(said)}) as site:
            allowed = Allowed.parse([f"127.0.0.1:{site.port}"])
            politeness = Politeness(interval_seconds=0) if polite else None
            client = Client(allowed=allowed, user_agent="T", polite=politeness, tls=TLS)
            try:
                return await client.fetch("GET", site.url(), caps=QUICK)
            finally:
                await client.aclose()

    assert isinstance(asyncio.run(fetch()), Fetched | FetchFailed)
