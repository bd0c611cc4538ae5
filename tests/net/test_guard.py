"""T01-T04: a URL from data never reaches an address that isn't public or opened by name, by no spelling, redirect
or trick of the name server. A canary counts connections; positive controls show that it would sing."""

import asyncio
import json
import re
import socket
import ssl
import threading
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import httpcore2
import httpx2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syndicate.errors import ConfigError
from syndicate.net.answer import Stopped
from syndicate.net.client import Client, Fetched, FetchFailed
from syndicate.net.connect import tls_context
from syndicate.net.guard import LOOKUPS_AT_ONCE, Allowed, Lookups, refuse
from syndicate.net.transport import GuardedTransport
from tests.net.conftest import QUICK, OpenClient
from tests.servers.http import Site, answer, redirect, serve

SHARED = Path(__file__).parents[2].parent / "shared" / "fixtures" / "security" / "ssrf_urls.json"
OWN = (
    "http://127.0.0.1/",
    "http://[::ffff:127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://0/",
    "http://127。0。0。1/",
    "http://localhost/",
    "http://localhost./",
    "http://example.com\\@127.0.0.1/",
    "http://u:p@127.0.0.1/",
    "http://[::1%25lo]/",
    "gopher://127.0.0.1/",
    "file:///etc/passwd",
    "http:///x",
    "http://10.0.0.1:0/",
    "http://10.0.0.1:99999/",
    "",
    "feed",
)
BLOCKED = ("refused_address", "bad_url")


def shared_urls() -> list[str]:
    return [str(url) for url in json.loads(SHARED.read_text())] if SHARED.exists() else []


def at_port(url: str, port: int) -> str:
    """The same URL with the canary's port, where it names none."""
    found = re.fullmatch(r"(http://)([^/]+)(/.*)", url)
    if found is None or re.search(r"[^:]:\d+$", found[2]):
        return url
    return f"{found[1]}{found[2]}:{port}{found[3]}"


def opened(site: Site) -> str:
    """Opens the canary's port on another address, so that it isn't the port that is refused."""
    return f"203.0.113.7:{site.port}"


async def naive_get(url: str) -> int:
    async with httpx2.AsyncClient(trust_env=False) as client:
        return (await client.get(url)).status_code


async def assert_unreachable(url: str, site: Site, client: Client) -> None:
    for form in (url, at_port(url, site.port)):
        outcome = await client.fetch("GET", form, caps=QUICK)
        assert isinstance(outcome, FetchFailed), form
        assert outcome.kind in BLOCKED, outcome
        assert not outcome.maybe_delivered
    assert site.connections == 0


@pytest.mark.parametrize("url", OWN)
async def test_no_spelling_of_a_private_address_makes_a_connection(
    url: str, site: Site, open_client: OpenClient
) -> None:
    await assert_unreachable(url, site, open_client(opened(site)))


@pytest.mark.skipif(not SHARED.exists(), reason="../shared with the whole list of URLs is absent")
@pytest.mark.parametrize("url", shared_urls())
async def test_no_url_of_the_shared_list_makes_a_connection(url: str, site: Site, open_client: OpenClient) -> None:
    await assert_unreachable(url, site, open_client(opened(site)))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://2130706433/", "http://127.1/", "http://localhost/", "http://0/"]
)
async def test_control_a_naive_client_does_reach_the_canary(url: str, site: Site) -> None:
    assert await naive_get(at_port(url, site.port)) == 404
    assert site.connections == 1


@pytest.mark.parametrize(
    "location",
    ["//10.0.0.1/x", "http://10.0.0.1/x", "gopher://127.0.0.1:25/_HELO", "http://2130706433/", "http://[::1]/"],
)
async def test_a_redirect_to_a_private_address_is_refused(location: str, site: Site, client: Client) -> None:
    site.on("/feed", redirect(location))

    outcome = await client.fetch("GET", site.url("/feed"), caps=QUICK)

    assert isinstance(outcome, FetchFailed)
    assert outcome.kind in BLOCKED
    assert len(site.requests) == 1


async def test_a_redirect_to_the_canary_is_refused_though_a_naive_client_follows_it(site: Site, client: Client) -> None:
    async with serve() as canary:
        site.on("/feed", redirect(canary.url()))

        outcome = await client.fetch("GET", site.url("/feed"), caps=QUICK)

        assert isinstance(outcome, FetchFailed)
        assert outcome.kind == "refused_address"
        assert canary.connections == 0
        async with httpx2.AsyncClient(trust_env=False, follow_redirects=True) as naive:
            await naive.get(site.url("/feed"))
        assert canary.connections == 1


class Rebinding:
    """A name server that first answers with a good address and from then on with the canary's."""

    def __init__(self, first: str, then: str) -> None:
        self.answers = [first, then]
        self.asked = 0

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return [self.answers[min(self.asked, 2) - 1]]


async def test_a_rebinding_name_is_looked_up_once_and_the_checked_address_is_dialled(open_client: OpenClient) -> None:
    async with serve({"*": answer(200, b"good")}, host="127.0.0.2") as good, serve(port=good.port) as canary:
        names = Rebinding("127.0.0.2", "127.0.0.1")
        client = open_client(f"127.0.0.2:{good.port}", resolver=names)

        first = await client.fetch("GET", f"http://rebind.test:{good.port}/", caps=QUICK)
        await client.aclose()
        second = await client.fetch("GET", f"http://rebind.test:{good.port}/", caps=QUICK)

        assert isinstance(first, Fetched)
        assert first.body == b"good"
        assert isinstance(second, FetchFailed)
        assert second.kind == "refused_address"
        assert (names.asked, canary.connections) == (2, 0)


async def test_control_check_then_get_falls_for_the_rebinding_name(site: Site) -> None:
    names = Rebinding("203.0.113.7", "127.0.0.1")
    checked = names("rebind.test", site.port)
    assert checked == ["203.0.113.7"]

    await naive_get(f"http://{names('rebind.test', site.port)[0]}:{site.port}/")

    assert site.connections == 1


@pytest.mark.parametrize("bad", ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "10.0.0.1", "fe80::1%lo"])
async def test_one_bad_address_among_good_ones_refuses_the_name(bad: str, site: Site, open_client: OpenClient) -> None:
    client = open_client(opened(site), resolver=lambda host, port: ["203.0.113.7", bad])

    outcome = await client.fetch("GET", f"http://mixed.test:{site.port}/", caps=QUICK)

    assert isinstance(outcome, FetchFailed)
    assert outcome.kind == "refused_address"
    assert site.connections == 0


async def test_a_mapped_address_reaches_what_is_opened_as_ipv4(site: Site, client: Client) -> None:
    site.on("/", answer(200, b"ok"))

    outcome = await client.fetch("GET", f"http://[::ffff:127.0.0.1]:{site.port}/", caps=QUICK)

    assert isinstance(outcome, Fetched), outcome


async def test_the_next_address_is_tried_when_one_is_dead(open_client: OpenClient) -> None:
    async with serve({"*": answer(200, b"ok")}) as site:
        client = open_client(f"127.0.0.0/8:{site.port}", resolver=lambda host, port: ["127.0.0.9", "127.0.0.1"])

        outcome = await client.fetch("GET", f"http://two.test:{site.port}/", caps=QUICK)

        assert isinstance(outcome, Fetched), outcome


class Elsewhere(httpcore2.AsyncNetworkBackend):
    """A network that connects to another address than asked (a transparent proxy, say)."""

    def __init__(self) -> None:
        self.inner = httpcore2.AnyIOBackend()

    async def connect_tcp(self, host: str, port: int, **rest: object) -> httpcore2.AsyncNetworkStream:  # type: ignore[override]
        return await self.inner.connect_tcp("127.0.0.1", port)


async def test_a_peer_that_is_not_the_dialled_address_gets_no_request(site: Site, authorities: ssl.SSLContext) -> None:
    allowed = Allowed.parse([f"127.0.0.2:{site.port}"])
    transport = GuardedTransport(allowed=allowed, tls=authorities, inner=Elsewhere())

    with pytest.raises(Exception, match=r"dialled 127\.0\.0\.2"):
        await transport.handle_async_request(httpx2.Request("GET", f"http://127.0.0.2:{site.port}/"))

    assert site.requests == []


async def test_a_name_without_address_is_no_connection(open_client: OpenClient) -> None:
    def nothing(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror("unknown")

    outcome = await open_client(resolver=nothing).fetch("GET", "http://nowhere.test/", caps=QUICK)

    assert isinstance(outcome, FetchFailed)
    assert (outcome.kind, outcome.maybe_delivered) == ("connect", False)


async def test_a_label_that_is_too_long_for_a_name_is_no_connection(open_client: OpenClient) -> None:
    outcome = await open_client().fetch("GET", f"http://{'a' * 64}.test/", caps=QUICK)

    assert isinstance(outcome, FetchFailed)
    assert outcome.kind == "connect"


async def test_hung_look_ups_are_bounded_and_cost_only_the_connect_time(open_client: OpenClient) -> None:
    release, running = threading.Event(), []

    def hang(host: str, port: int) -> Sequence[str]:
        running.append(host)
        release.wait(10)
        return []

    client = open_client(resolver=hang)
    urls = [f"http://h{number}.test/" for number in range(LOOKUPS_AT_ONCE + 8)]
    outcomes = await asyncio.gather(*(client.fetch("GET", url, caps=QUICK) for url in urls))
    release.set()

    assert {o.kind for o in outcomes if isinstance(o, FetchFailed)} == {"timeout"}
    assert len(running) == LOOKUPS_AT_ONCE


async def test_a_look_up_gives_each_address_once() -> None:
    found = await Lookups(lambda host, port: ["203.0.113.7", "203.0.113.7"]).addresses("a.test", 80)

    assert found == [ip_address("203.0.113.7")]


async def test_a_name_without_address_is_said_without_the_systems_number() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(Stopped) as why:
        await Lookups(unknown).addresses("tidak-ada.test", 80)

    assert why.value.detail == "tidak-ada.test has no address: Name or service not known"


NOT_GLOBAL_ENOUGH = (
    *("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.192"),
    *("192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::a00:1"),
    *("100::1", "2001:0:7f00:1::", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254"),
    *("fe80::1", "fec0::1", "ff02::1", "2606:4700::1%eth0"),
)


@pytest.mark.parametrize("address", NOT_GLOBAL_ENOUGH)
def test_an_address_outside_the_public_internet_is_refused_in_words(address: str) -> None:
    why = refuse(ip_address(address), 443, Allowed())

    assert why is not None
    assert str(ip_address(address)) in why


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_a_public_address_is_dialled(address: str) -> None:
    assert refuse(ip_address(address), 443, Allowed()) is None
    assert refuse(ip_address(address), 25, Allowed()) is not None


@pytest.mark.parametrize(
    ("entry", "address", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("127.0.0.1:8080", "::ffff:127.0.0.1", 8080),
        ("10.0.0.0/8:443", "10.1.2.3", 443),
        ("10.0.0.5:*", "10.0.0.5", 22),
        ("[::1]:8080", "::1", 8080),
        ("[fd00::/8]:443", "fd12::1", 443),
    ],
)
def test_an_entry_opens_its_addresses_with_its_port_only(entry: str, address: str, port: int) -> None:
    allowed = Allowed.parse([entry])

    assert refuse(ip_address(address), port, allowed) is None
    assert refuse(ip_address("192.168.7.7"), port, allowed) is not None
    if not entry.endswith("*"):
        assert refuse(ip_address(address), port + 1, allowed) is not None


@pytest.mark.parametrize(
    ("entry", "cure"),
    [
        ("localhost:8080", "not a name"),
        ("127.0.0.1", "ADDRESS:PORT"),
        ("::1:8080", "ADDRESS:PORT"),
        ("10.0.0.5/8:443", "host bits"),
        ("10.0.0.1:http", "1 to 65535"),
        ("10.0.0.1:0", "1 to 65535"),
        ("0.0.0.0/0:443", "turn the guard off"),
        ("[::/0]:*", "turn the guard off"),
        ("", "ADDRESS:PORT"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named_with_its_cure(entry: str, cure: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(repr(entry))) as refused:
        Allowed.parse(["127.0.0.1:1", entry])

    assert len(refused.value.problems) == 1
    assert cure in str(refused.value.problems[0])


def test_hosts_written_as_opened_addresses_are_known_by_name() -> None:
    allowed = Allowed.parse(["127.0.0.1:8080"])

    assert allowed.names("127.0.0.1")
    assert not allowed.names("localhost")
    assert not allowed.names("127.0.0.2")


TLS = tls_context()
hostile_text = st.text(alphabet=st.characters() | st.sampled_from("/\\:@[]%#?.0x127"), max_size=40)


@settings(max_examples=300, deadline=None)
@given(rest=hostile_text)
@example(rest="127.0.0.1\\@example.com")
@example(rest="[::1")
@example(rest="[::ffff:127.0.0.1]:80")
def test_whatever_the_url_fetch_returns_a_value_and_dials_no_private_address(rest: str) -> None:
    async def fetch() -> Fetched | FetchFailed:
        client = Client(allowed=Allowed(), user_agent="T", resolver=lambda host, port: ["10.0.0.1"], tls=TLS)
        try:
            return await client.fetch("GET", f"http://{rest}", caps=QUICK)
        finally:
            await client.aclose()

    outcome = asyncio.run(fetch())

    assert isinstance(outcome, FetchFailed)
    assert outcome.kind in (*BLOCKED, "connect", "timeout"), outcome
    assert not outcome.maybe_delivered
