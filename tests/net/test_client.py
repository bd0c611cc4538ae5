"""What a fetch sends, what an answer is, and how politeness shows."""

import asyncio
import json

import pytest

from syndicate.net.client import FEED, PAGE, PICTURE, PUSH, REST_PAGE, Client, Fetched
from syndicate.net.polite import Politeness
from tests.net.conftest import QUICK, OpenClient, failed, fetched
from tests.servers.http import (
    MIB,
    Handler,
    Heard,
    Site,
    Wire,
    answer,
    echo,
    gzipped,
    in_turn,
    raw,
)


async def test_headers_come_in_lower_case_each_with_its_first_value_byte_for_byte(site: Site, client: Client) -> None:
    site.on("/", raw(b'HTTP/1.1 200 OK\r\nETag: W/"\xe9\xff"\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 0\r\n\r\n'))

    outcome = await fetched(client, site.url())

    assert outcome.headers["etag"] == 'W/"éÿ"'
    assert outcome.headers["x-a"] == "1"


async def test_every_link_header_is_kept(site: Site, client: Client) -> None:
    site.on("/", raw(b"HTTP/1.1 200 OK\r\nLink: <a>; rel=self\r\nLink: <b>; rel=hub\r\nContent-Length: 0\r\n\r\n"))

    assert (await fetched(client, site.url())).links == ("<a>; rel=self", "<b>; rel=hub")


async def test_an_etag_is_sent_back_as_it_came(site: Site, client: Client) -> None:
    etag = '"é-ÿ"'
    site.on("/", echo)

    outcome = await fetched(client, site.url(), headers={"If-None-Match": etag})

    assert json.loads(outcome.body)["headers"]["if-none-match"] == etag


async def test_a_request_carries_our_name_asks_for_gzip_only_and_keeps_no_cookie(site: Site, client: Client) -> None:
    site.on("/", in_turn(answer(200, b"", {"Set-Cookie": "id=7"}), echo))

    await fetched(client, site.url())
    said = json.loads((await fetched(client, site.url(), headers={"Accept-Encoding": "br", "Host": "evil"})).body)

    assert said["headers"]["user-agent"] == "Test/1"
    assert said["headers"]["accept-encoding"] == "gzip"
    assert said["headers"]["host"] == f"127.0.0.1:{site.port}"
    assert "cookie" not in said["headers"]


async def test_a_proxy_named_in_the_environment_is_not_used(
    site: Site, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    site.on("/", answer(200))

    assert (await fetched(client, site.url())).status == 200


async def test_a_body_is_posted_with_its_length(site: Site, client: Client) -> None:
    site.on("/", echo)

    outcome = await client.fetch("post", site.url(), body=b"{}", headers={"Content-Type": "a/b"}, caps=PUSH)

    assert isinstance(outcome, Fetched)
    said = json.loads(outcome.body)
    assert (said["method"], said["body"], said["headers"]["content-length"]) == ("POST", "{}", "2")


async def test_a_connection_is_used_again(site: Site, client: Client) -> None:
    site.on("/", answer(200, b"ok"))

    for _ in range(3):
        await fetched(client, site.url())

    assert site.connections == 1


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_body_is_whole(status: int, site: Site, client: Client) -> None:
    site.on("/", answer(status))

    assert (await fetched(client, site.url())).body == b""


async def test_a_head_request_may_announce_more_than_the_cap(site: Site, client: Client) -> None:
    site.on("/", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"))

    outcome = await client.fetch("HEAD", site.url(), caps=QUICK)

    assert isinstance(outcome, Fetched)
    assert outcome.headers["content-length"] == "99999999"


async def test_of_an_error_only_the_beginning_of_the_body_is_read(site: Site, client: Client) -> None:
    site.on("/", answer(500, b"x" * MIB))

    outcome = await fetched(client, site.url())

    assert (outcome.status, outcome.body) == (500, b"x" * 4096)


@pytest.mark.parametrize(
    "broken",
    [
        answer(404, b"??", {"Content-Encoding": "br"}),
        answer(404, b"??", {"Content-Encoding": "gzip"}),
        raw(b"HTTP/1.1 404 No\r\nContent-Length: 50\r\n\r\nshort"),
    ],
)
async def test_a_flaw_in_an_errors_body_does_not_hide_its_status(broken: Handler, site: Site, client: Client) -> None:
    site.on("/", broken)

    assert (await fetched(client, site.url())).status == 404


async def test_gzip_is_undone(site: Site, client: Client) -> None:
    body = b"<rss/>" * 1000
    site.on("/", gzipped(body))

    assert (await fetched(client, site.url())).body == body


async def test_a_busy_answer_silences_the_whole_host_as_long_as_it_asked(site: Site, open_client: OpenClient) -> None:
    client = open_client(f"127.0.0.1:{site.port}", polite=Politeness(interval_seconds=0))
    site.on("/", answer(429, b"", {"Retry-After": "120"}))

    first = await fetched(client, site.url())
    second = await failed(client, site.url("/other"))

    assert first.status == 429
    assert (second.kind, second.maybe_delivered) == ("asked_to_wait", False)
    assert second.wait_seconds == pytest.approx(120, abs=10)
    assert len(site.requests) == 1


async def test_a_polite_client_has_one_connection_per_host(site: Site, open_client: OpenClient) -> None:
    at_once, most = 0, 0

    async def count(_: Heard, wire: Wire) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        await wire.respond(200)
        at_once -= 1

    site.on("/", count)
    client = open_client(f"127.0.0.1:{site.port}", polite=Politeness(interval_seconds=0))

    await asyncio.gather(*(fetched(client, site.url()) for _ in range(10)))

    assert (most, site.connections) == (1, 1)


def test_the_caps_are_those_of_the_architecture() -> None:
    assert (FEED.total_seconds, FEED.connect_seconds, FEED.read_seconds) == (20, 5, 10)
    assert (FEED.wire_bytes, FEED.body_bytes, FEED.hops) == (2 * MIB, 8 * MIB, 4)
    assert (REST_PAGE.body_bytes, PAGE.body_bytes, PICTURE.body_bytes) == (20 * MIB, 5 * MIB, 20 * MIB)
    assert PUSH.total_seconds == 5
