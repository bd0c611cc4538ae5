"""T02 and the manners of hopping: what is followed, what goes along, what a new address is."""

import asyncio
import json
from dataclasses import replace

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.net.client import PUSH, Client, Fetched
from syndicate.net.hops import Ask, next_ask
from tests.net.conftest import QUICK, OpenClient, failed, fetched
from tests.servers.http import (
    Heard,
    Site,
    Wire,
    answer,
    echo,
    raw,
    redirect,
    serve,
)


async def test_four_redirects_are_followed_and_five_are_not(site: Site, client: Client) -> None:
    for number in range(5):
        site.on(f"/{number}", redirect(f"/{number + 1}"))
    site.on("/5", answer(200, b"there"))

    assert (await fetched(client, site.url("/1"))).url == site.url("/5")
    assert (await failed(client, site.url("/0"))).kind == "redirect"


async def test_only_permanent_redirects_all_the_way_give_a_new_address(site: Site, client: Client) -> None:
    site.on("/old", redirect("/newer", 301))
    site.on("/newer", redirect("/new#part", 308))
    site.on("/moved-for-now", redirect("/old", 302))
    site.on("/new", answer(200))

    assert (await fetched(client, site.url("/old"))).permanent_url == site.url("/new")
    assert (await fetched(client, site.url("/moved-for-now"))).permanent_url is None
    assert (await fetched(client, site.url("/new"))).permanent_url is None


async def test_redirects_are_returned_when_not_to_be_followed(site: Site, client: Client) -> None:
    site.on("/", redirect("/x", 301))

    outcome = await fetched(client, site.url(), follow=False)

    assert (outcome.status, outcome.headers["location"], outcome.permanent_url) == (301, "/x", None)


async def test_another_host_sees_no_secret_of_the_first(site: Site, open_client: OpenClient) -> None:
    async with serve({"/": echo}) as other:
        client = open_client(f"127.0.0.1:{site.port}", f"127.0.0.1:{other.port}")
        site.on("/", redirect(other.url()))
        secrets = {"Authorization": "Basic eA==", "Cookie": "id=7", "X-Api-Key": "k"}

        said = json.loads((await fetched(client, site.url(), headers={**secrets, "If-None-Match": '"1"'})).body)

    assert not {"authorization", "cookie", "x-api-key"} & set(said["headers"])
    assert said["headers"]["if-none-match"] == '"1"'


async def test_the_same_host_keeps_what_it_was_told(site: Site, client: Client) -> None:
    site.on("/", redirect("/b"))
    site.on("/b", echo)

    said = json.loads((await fetched(client, site.url(), headers={"Authorization": "Basic eA=="})).body)

    assert said["headers"]["authorization"] == "Basic eA=="


@pytest.mark.parametrize("status", [307, 308])
async def test_a_post_is_repeated_where_the_standard_says_the_same_again(
    status: int, site: Site, client: Client
) -> None:
    site.on("/", redirect("/b", status))
    site.on("/b", echo)

    outcome = await client.fetch("POST", site.url(), body=b"x", caps=PUSH)

    assert isinstance(outcome, Fetched)
    said = json.loads(outcome.body)
    assert (said["method"], said["body"]) == ("POST", "x")


@pytest.mark.parametrize("status", [301, 302])
async def test_a_post_never_turns_into_a_get_of_the_same(status: int, site: Site, client: Client) -> None:
    site.on("/", redirect("/b", status))

    outcome = await client.fetch("POST", site.url(), body=b"x", caps=PUSH)

    assert isinstance(outcome, Fetched)
    assert outcome.status == status
    assert [request.target for request in site.requests] == ["/"]


async def test_a_post_may_point_to_its_result(site: Site, client: Client) -> None:
    site.on("/", redirect("/b", 303))
    site.on("/b", echo)

    outcome = await client.fetch("POST", site.url(), body=b"x", caps=PUSH)

    assert isinstance(outcome, Fetched)
    said = json.loads(outcome.body)
    assert (said["method"], said["body"]) == ("GET", "")


async def test_a_location_in_raw_utf8_is_followed_as_browsers_do(site: Site, client: Client) -> None:
    site.on("/", raw("HTTP/1.1 302 Found\r\nLocation: /é\r\nContent-Length: 0\r\n\r\n".encode()))
    site.on("/%C3%A9", answer(200))

    assert (await fetched(client, site.url())).url.endswith("/%C3%A9")


@pytest.mark.parametrize("location", ["http://[::1", "http://x:y/", "https://["])
async def test_a_location_that_is_no_url_is_a_failure(location: str, site: Site, client: Client) -> None:
    site.on("/", redirect(location))

    assert (await failed(client, site.url())).kind in ("redirect", "bad_url")


async def test_all_hops_share_one_time(site: Site, client: Client) -> None:
    whole, loop = 0.4, asyncio.get_running_loop()
    began = loop.time()

    async def late(_: Heard, wire: Wire) -> None:
        """Answers when one more third of the whole time is over."""
        over = asyncio.Event()
        loop.call_at(began + len(site.requests) * whole / 3 + 0.01, over.set)
        await over.wait()
        await wire.respond(302, b"", {"Location": "/"})

    site.on("/", late)

    outcome = await failed(client, site.url(), caps=replace(QUICK, total_seconds=whole))

    assert outcome.kind == "timeout"
    assert len(site.requests) <= 3


@given(location=st.text(alphabet=st.characters(max_codepoint=255)), status=st.sampled_from([301, 302, 303, 307, 308]))
def test_whatever_the_location_the_next_step_is_a_value(location: str, status: int) -> None:
    base = httpx2.URL("https://a.test/x/y?z")
    ask = Ask(method="GET", url=base, headers={"Authorization": "s", "Accept": "*/*"}, body=None)

    after = next_ask(ask, Fetched(url=str(base), status=status, headers={"location": location}, body=b""))

    if isinstance(after, Ask):
        assert after.url.scheme != "http"
        assert after.url.host == "a.test" or "Authorization" not in after.headers
