"""robots.txt (RFC 9309): whom it names, how long it is believed, and what its absence means."""

import asyncio
from typing import Any

import httpx2
import pytest

from syndicate.net.answer import KIB, Fetched, FetchFailed
from syndicate.net.guard import Allowed
from syndicate.net.polite import Politeness
from syndicate.net.robots import AGAIN, FRESH, KEPT, LONGEST_DELAY, MOST_SITES, Robots
from tests.net.conftest import OpenClient, failed, fetched
from tests.servers.http import Site, answer, hang_up, redirect, serve

AGENT = "Syndicate/0.1 (+https://koran.example)"


class Newsroom:
    """A robots.txt as the test wants it, on a clock that the test moves."""

    def __init__(self, text: str = "", status: int = 200) -> None:
        self.now = 1000.0
        self.said: Fetched | FetchFailed = _answer(text, status)
        self.asked: list[str] = []
        self.pauses: dict[str, float] = {}
        self.robots = Robots(self._ask, user_agent=AGENT, slow_down=self.pauses.__setitem__, clock=lambda: self.now)

    def says(self, text: str = "", status: int = 200) -> None:
        self.said = _answer(text, status)

    def breaks(self, kind: Any = "connect") -> None:
        self.said = FetchFailed(kind=kind, detail="x", maybe_delivered=False)

    async def refusal(self, path: str = "/feed/", host: str = "koran.example") -> FetchFailed | None:
        return await self.robots.refusal(httpx2.URL(f"https://{host}{path}"))

    async def allows(self, path: str = "/feed/") -> bool:
        return await self.refusal(path) is None

    async def _ask(self, url: str) -> Fetched | FetchFailed:
        self.asked.append(url)
        await asyncio.sleep(0)
        return self.said


def _answer(text: str, status: int) -> Fetched:
    return Fetched(url="https://koran.example/robots.txt", status=status, headers={}, body=text.encode())


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        ("User-agent: *\nDisallow: /", "/feed/", False),
        ("User-agent: syndicate\nDisallow: /feed", "/feed/", False),
        ("User-agent: Other\nDisallow: /", "/feed/", True),
        ("User-agent: *\nDisallow: /\n\nUser-agent: Syndicate\nDisallow: /admin", "/feed/", True),
        ("User-agent: *\nDisallow: /*/feed/$", "/kota/feed/", False),  # a pattern
        ("User-agent: *\nDisallow: /*/feed/$", "/kota/feed/?x", True),
        ("User-agent: *\nDisallow: /kota\nAllow: /kota/feed", "/kota/feed/", True),  # the longest match
        ("User-agent: *\nDisallow: /*?s=", "/?s=cabai", False),  # WordPress plugins write this
        ("\ufeffUser-agent: *\nDisallow: /", "/feed/", False),
        ("<!doctype html><title>Tidak ada</title>", "/feed/", True),  # a page for all that isn't there
        ("User-agent: koran\nDisallow: /", "/feed/", True),  # stands in our user agent, but isn't our name
        ("", "/feed/", True),
    ],
)
async def test_the_rules_for_our_name_are_those_that_count(rules: str, path: str, allowed: bool) -> None:
    assert await Newsroom(rules).allows(path) is allowed


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 301])
async def test_no_robots_txt_means_no_rules(status: int) -> None:
    assert await Newsroom("User-agent: *\nDisallow: /", status).allows()


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_robots_txt_that_is_out_of_order_means_no(status: int) -> None:
    assert not await Newsroom(status=status).allows()


async def test_a_robots_txt_out_of_reach_means_no_until_it_can_be_read() -> None:
    newsroom = Newsroom()
    newsroom.breaks()
    first = await newsroom.refusal()
    newsroom.says()

    assert first is not None
    assert (first.kind, first.wait_seconds) == ("robots", AGAIN)
    assert "could not be read" in first.detail
    assert not await newsroom.allows()
    newsroom.now += AGAIN
    assert await newsroom.allows()


async def test_redirects_that_lead_nowhere_mean_no_rules() -> None:
    newsroom = Newsroom()
    newsroom.breaks("redirect")

    assert await newsroom.allows()


async def test_rules_are_believed_for_a_day() -> None:
    newsroom = Newsroom("User-agent: *\nDisallow: /")
    await newsroom.refusal()
    newsroom.says("")
    newsroom.now += FRESH - 1
    held = await newsroom.refusal()
    newsroom.now += 1

    assert held is not None
    assert held.wait_seconds == 1
    assert await newsroom.allows()
    assert len(newsroom.asked) == 2


async def test_what_was_known_counts_for_thirty_days_while_robots_txt_is_out_of_reach() -> None:
    newsroom = Newsroom("User-agent: *\nDisallow: /admin")
    await newsroom.allows()
    newsroom.breaks()
    newsroom.now += KEPT

    assert await newsroom.allows()
    assert not await newsroom.allows("/admin")
    newsroom.now += AGAIN
    assert not await newsroom.allows()


async def test_half_a_mib_is_read_and_the_rest_is_not() -> None:
    filler = "# x\n" * (500 * KIB // 4)
    newsroom = Newsroom("User-agent: *\nDisallow: /a\n" + filler + "Disallow: /b")

    assert (await newsroom.allows("/a"), await newsroom.allows("/b")) == (False, True)


async def test_many_who_ask_at_once_ask_the_site_once() -> None:
    newsroom = Newsroom()
    await asyncio.gather(*(newsroom.refusal() for _ in range(9)))

    assert newsroom.asked == ["https://koran.example/robots.txt"]


async def test_each_origin_has_its_own_rules() -> None:
    newsroom = Newsroom()
    for url in ("https://a.example/", "http://a.example/", "https://a.example:8443/", "https://b.example/"):
        await newsroom.robots.refusal(httpx2.URL(url))

    assert newsroom.asked == [
        "https://a.example/robots.txt",
        "http://a.example/robots.txt",
        "https://a.example:8443/robots.txt",
        "https://b.example/robots.txt",
    ]


async def test_the_memory_of_sites_is_bounded() -> None:
    newsroom = Newsroom()
    for number in range(MOST_SITES + 9):
        await newsroom.refusal(host=f"k{number}.example")

    assert len(newsroom.robots._sites) == MOST_SITES


@pytest.mark.parametrize(
    ("written", "pause"), [("10", 10), ("0.5", 0.5), ("86400", LONGEST_DELAY), ("x", 0), ("-1", 0)]
)
async def test_crawl_delay_slows_us_down_up_to_half_a_minute(written: str, pause: float) -> None:
    newsroom = Newsroom(f"User-agent: *\nCrawl-delay: {written}")
    await newsroom.refusal()

    assert newsroom.pauses == {"koran.example": pause}


async def test_a_refusal_names_robots_txt_and_the_cure() -> None:
    refused = await Newsroom("User-agent: *\nDisallow: /").refusal()

    assert refused is not None
    assert refused.detail == (
        "https://koran.example/robots.txt keeps Syndicate away from https://koran.example/feed/; "
        'for the paper\'s own site write relation = "owner"'
    )
    assert (refused.maybe_delivered, refused.safe_words) == (False, "the site's robots.txt keeps us out")


# ── over the wire ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_client_asks_only_when_told_to(site: Site, open_client: OpenClient) -> None:
    client = open_client(f"127.0.0.1:{site.port}")
    site.on("/robots.txt", answer(200, b"User-agent: test\nDisallow: /feed"))
    site.on("/feed", answer(200, b"<rss/>"))

    assert (await fetched(client, site.url("/feed"))).status == 200
    assert [heard.path for heard in site.requests] == ["/feed"]
    assert (await failed(client, site.url("/feed"), obey_robots=True)).kind == "robots"
    assert [heard.path for heard in site.requests] == ["/feed", "/robots.txt"]


async def test_every_hop_is_asked_for(site: Site, open_client: OpenClient) -> None:
    async with serve({"/robots.txt": answer(200, b"User-agent: *\nDisallow: /"), "/": answer(200)}) as other:
        client = open_client(f"127.0.0.1:{site.port}", f"127.0.0.1:{other.port}")
        site.on("/", redirect(other.url()))

        refused = await failed(client, site.url(), obey_robots=True)

        assert refused.kind == "robots"
        assert [heard.path for heard in other.requests] == ["/robots.txt"]


async def test_robots_txt_is_followed_to_another_address(site: Site, open_client: OpenClient) -> None:
    site.on("/robots.txt", redirect("/1", 301))
    for number in range(1, 5):
        site.on(f"/{number}", redirect(f"/{number + 1}", 301))
    site.on("/5", answer(200, b"User-agent: *\nDisallow: /"))

    refused = await failed(open_client(f"127.0.0.1:{site.port}"), site.url(), obey_robots=True)

    assert "keeps Test away" in refused.detail


async def test_a_site_that_hangs_up_on_robots_txt_is_left_alone(site: Site, open_client: OpenClient) -> None:
    site.on("/robots.txt", hang_up)

    refused = await failed(open_client(f"127.0.0.1:{site.port}"), site.url(), obey_robots=True)

    assert refused.kind == "robots"
    assert refused.wait_seconds == pytest.approx(AGAIN, abs=10)


async def test_crawl_delay_is_the_pause_between_requests(site: Site, open_client: OpenClient) -> None:
    waited: list[float] = []
    now = 1000.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        waited.append(seconds)
        now += seconds

    allowed = Allowed.parse([f"127.0.0.1:{site.port}"])
    polite = Politeness(allowed=allowed, clock=lambda: now, sleep=sleep)
    client = open_client(f"127.0.0.1:{site.port}", polite=polite)
    site.on("/robots.txt", answer(200, b"User-agent: *\nCrawl-delay: 7"))
    site.on("/", answer(200))
    for _ in range(3):
        await fetched(client, site.url(), obey_robots=True)

    assert waited == [7, 7]
