"""From any address of a newsroom to its best channel, and to stories as they would be gathered."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from syndicate.domain.source import Look
from syndicate.errors import Refused
from syndicate.jail import Jail
from syndicate.net.client import Client
from syndicate.net.guard import Allowed
from syndicate.pipeline.discover import Discovery, discover
from syndicate.pipeline.inspect import glance
from syndicate.settings import assets
from syndicate.sources import Tools, open_source
from syndicate.sources.read.rules import load_rules
from tests.factories import make_config
from tests.servers import http
from tests.servers.wordpress import START, Options, Picture, Wordpress, open_wordpress

TITLES = (
    "Jembatan baru dibuka",
    "Harga cabai turun",
    "Kereta pagi ditambah",
    "Pasar pagi pindah",
    "Air bersih kembali",
)
TEXT = "MALANG POSCO MEDIA, MALANG – Pemerintah kota menyatakan bahwa {0} sesuai dengan rencana yang dibahas warga."
MORE = "Warga yang ditemui di balai kota mengatakan bahwa mereka akan menunggu hasil dari rapat pada pekan depan itu."


HTML = {"Content-Type": "text/html; charset=utf-8"}


class Site:
    """A newsroom, and a person who pastes one of its addresses."""

    def __init__(self, wordpress: Wordpress, tools: Tools) -> None:
        self.wordpress, self.tools = wordpress, tools
        self.told: list[str] = []

    async def found_by(self, url: str) -> Discovery:
        like = make_config(name="koran", kind="", location=url)
        return await discover(url, like, self.tools, tell=self.told.append, now=self.wordpress.now)


@asynccontextmanager
async def open_site(options: Options, *, stories: int = 5) -> AsyncIterator[Site]:
    async with open_wordpress(options) as wordpress:
        for title in TITLES[:stories]:
            slug = title.lower().replace(" ", "-")
            text = f"{TEXT.format(title.lower())}\n\n{MORE}\n\n{MORE} (rex/aim)"
            picture = Picture(name=f"{slug}.jpg", caption="Suasana (FOTO: ANTARA)")
            wordpress.publish(slug, title, text, categories=["Malang Raya/Kota"], tags=[slug], picture=picture)
            wordpress.now += timedelta(minutes=1)
        client = Client(allowed=Allowed.parse([f"127.0.0.1:{wordpress.site.port}"]), user_agent="Test/1")
        jail = Jail(wall_seconds=10.0)
        rules = tuple(rule for variants in load_rules(assets("page-rules")).values() for rule in variants)
        yield Site(wordpress, Tools(client=client, jail=jail, rules=rules))
        await client.aclose()
        await jail.aclose()


def states(found: Discovery) -> list[str]:
    return [f"{one.name} {one.state} {one.status or ''}".strip() for one in found.channels]


async def test_a_glance_that_brings_flaws_and_no_story_is_a_failed_look() -> None:
    async with open_site(Options()) as site:
        for slug in [post.slug for post in site.wordpress.posts.values()]:
            site.wordpress.protect(slug)
        config = make_config(name="koran", kind="wordpress", location=f"{site.wordpress.home}/")
        seen = await glance(config, open_source(config, site.tools), site.tools, now=site.wordpress.now)

    assert (seen.look, seen.articles) == (Look.FAILED, ())
    assert "behind a password" in seen.problem


SITES = {
    "REST open": (Options(), "rest", "wordpress"),
    "REST shut, feed": (Options(rest="closed_401"), "feed", "wordpress"),
    "feed of excerpts": (Options(rest="missing_404", excerpts_only=True), "feed", "wordpress"),
    "REST and feed shut, sitemap": (Options(rest="closed_403", feed="closed_403"), "sitemap", "wordpress"),
    "front page alone": (Options(rest="missing_404", feed="missing_404", sitemap="none"), "page", "wordpress"),
}


@pytest.mark.parametrize("name", SITES)
async def test_the_best_channel_that_is_open_is_chosen_and_brings_whole_stories(name: str) -> None:
    options, channel, kind = SITES[name]
    async with open_site(options) as site:
        found = await site.found_by(f"{site.wordpress.home}/")

    assert found.best is not None
    assert found.config is not None
    assert (found.best.name, found.config.kind, found.config.location) == (channel, kind, f"{site.wordpress.home}/")
    assert [one.content.title for one in found.sample.articles] == list(reversed(TITLES))
    newest = found.sample.articles[0].content
    assert newest.body_html.count("<p>") == 3
    assert newest.flags == ()


async def test_what_is_shut_and_what_is_not_there_are_told_apart() -> None:
    async with open_site(Options(rest="closed_401", feed="missing_404", sitemap="none")) as site:
        found = await site.found_by(site.wordpress.home)

    assert states(found) == ["rest shut 401", "feed none 404", "sitemap none", "page open"]


PASTED = (
    *("{home}", "{home}/", "{home}/jembatan-baru-dibuka/", "{home}/feed/", "{home}/wp-json/", "{home}/wp-sitemap.xml"),
    *("{host}", "{host}/jembatan-baru-dibuka/"),
)


async def test_any_address_of_the_site_leads_to_it() -> None:
    async with open_site(Options(), stories=1) as site:
        home = site.wordpress.home
        pasted = [one.format(home=home, host=home.removeprefix("http://")) for one in PASTED]
        found = [await site.found_by(url) for url in pasted]

    assert [one.config and (one.config.kind, one.config.location) for one in found] == [
        ("wordpress", f"{home}/") for _ in PASTED
    ]
    assert [states(one)[:2] for one in found] == [["rest open", "feed open"] for _ in PASTED]


async def test_a_site_without_stories_has_channels_but_nothing_to_show() -> None:
    async with open_site(Options(), stories=0) as site:
        found = await site.found_by(site.wordpress.home)

    assert (found.best, found.config, found.sample.articles) == (None, None, ())
    assert states(found) == ["rest open", "feed none", "sitemap none", "page none"]


async def test_a_site_that_can_not_be_reached_is_one_sentence() -> None:
    async with open_site(Options(), stories=0) as site:
        with pytest.raises(
            Refused, match=r"could not be reached.*write its address into \[net\] allow: \"127.0.0.1:9\""
        ):
            await site.found_by("http://127.0.0.1:9/berita")


@pytest.mark.parametrize(("retry_after", "cure"), [("90", "Try again in 2 min"), (None, "Try again later")])
async def test_a_site_that_is_out_of_order_is_one_sentence_that_says_when_to_try_again(
    retry_after: str | None, cure: str
) -> None:
    async with open_site(Options(), stories=1) as site:
        site.wordpress.refuse(99, status=503, retry_after=retry_after)
        with pytest.raises(Refused, match=f"/ answered 503: the site is too busy or out of order just now. {cure}$"):
            await site.found_by(f"{site.wordpress.home}/")


@pytest.mark.parametrize("name", SITES)
async def test_no_more_stories_are_read_than_shown(name: str) -> None:
    async with open_site(SITES[name][0]) as site:
        for number in range(30):
            text = f"{TEXT.format(number)}\n\n{MORE}\n\n{MORE}"
            site.wordpress.publish(f"lama-{number}", f"Lama {number}", text, date_gmt=START)
        await site.found_by(f"{site.wordpress.home}/")

    pages = [asked for asked in site.wordpress.log if asked.path.strip("/").count("-") and "." not in asked.path]
    stories = [asked for asked in pages if not asked.path.startswith("/wp-json")]
    lists = [asked for asked in site.wordpress.log if "_embed" in asked.query]
    assert len(stories) <= 5
    assert [asked.query["per_page"] for asked in lists] == (["5"] if name == "REST open" else [])


# Sites that aren't WordPress.

PAGE = """<!doctype html><html lang="id"><head><title>{title}</title><meta property="og:type" content="article">
<meta property="article:published_time" content="2026-11-23T08:00:00+07:00"></head>
<body><h1>{title}</h1><article><p>{first}</p><p>{more}</p><p>{more}</p></article></body></html>"""
ITEM = "<item><title>{title}</title><link>{url}</link><guid>{url}</guid><description>{text}</description></item>"


@asynccontextmanager
async def open_plain(*, text: str, with_page: bool) -> AsyncIterator[tuple[http.Site, Tools]]:
    """One story, in a feed that the front page names, and on its own page."""
    async with http.serve() as site:
        story = {"title": "Jembatan baru dibuka", "url": site.url("/berita/jembatan-baru-dibuka")}
        feed = f"<rss version='2.0'><channel><title>Koran</title>{ITEM.format(**story, text=text)}</channel></rss>"
        head = '<link rel="alternate" type="application/rss+xml" href="/umpan">'
        site.on("/", http.answer(200, f"<html><head>{head}</head><body>Koran</body></html>".encode(), HTML))
        site.on("/umpan", http.answer(200, feed.encode(), {"Content-Type": "application/rss+xml"}))
        if with_page:
            page = PAGE.format(title=story["title"], first=TEXT.format("jembatan"), more=MORE)
            site.on("/berita/jembatan-baru-dibuka", http.answer(200, page.encode(), HTML))
        client = Client(allowed=Allowed.parse([f"127.0.0.1:{site.port}"]), user_agent="Test/1")
        jail = Jail(wall_seconds=10.0)
        yield site, Tools(client=client, jail=jail)
        await client.aclose()
        await jail.aclose()


@pytest.mark.parametrize(
    ("text", "with_page", "kind"),
    [
        (f"{TEXT.format('jembatan')} {MORE} {MORE}", False, "feed"),
        ("Jembatan dibuka kemarin.", True, "page"),
        ("Jembatan dibuka kemarin.", False, "feed"),
    ],
    ids=["whole stories", "excerpts", "excerpts without pages"],
)
@pytest.mark.parametrize("path", ["/", "/umpan"])
async def test_a_feed_is_read_alone_only_where_pages_have_no_more(
    text: str, with_page: bool, kind: str, path: str
) -> None:
    async with open_plain(text=text, with_page=with_page) as (site, tools):
        like = make_config(name="koran", kind="", location=site.url())
        found = await discover(site.url(path), like, tools, tell=lambda _words: None, now=START)

    assert found.config is not None
    assert (found.config.kind, found.config.location) == (kind, site.url("/umpan"))
    assert [one.content.title for one in found.sample.articles] == ["Jembatan baru dibuka"]
