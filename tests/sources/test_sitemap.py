"""Sitemaps: where a newsroom has them, and which stories they lead to, the newest first."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from syndicate.domain.source import Relation, SourceConfig
from syndicate.jail import Jail
from syndicate.net.client import Client
from syndicate.net.guard import Allowed
from syndicate.sources.guide import MOST_LINKS, GuideReader, Link
from syndicate.sources.ladder import Closed, Trouble
from syndicate.sources.sitemap import SitemapMemory, Sitemaps
from tests.factories import make_config
from tests.servers.http import Handler, Heard, Site, Wire, answer, gzip_bomb, redirect
from tests.servers.wordpress import Options, Wordpress, open_wordpress
from tests.sources.conftest import NOW

XML = {"Content-Type": "application/xml; charset=UTF-8"}


@dataclass(kw_only=True)
class Looking:
    """Looks at one site's sitemaps every five minutes."""

    config: SourceConfig
    client: Client
    jail: Jail
    memory: str = ""
    now = NOW

    async def links(self, *, minutes: int = 5) -> list[Link]:
        self.now += timedelta(minutes=minutes)
        memory = SitemapMemory.of(self.memory)
        sitemaps = Sitemaps(self.config, self.client, GuideReader(self.config, self.client, self.jail, ()))
        found = await sitemaps.links(memory, now=self.now)
        self.memory = memory.text()
        return list(found)

    async def slugs(self, **more: Any) -> list[str]:
        return [link.url.rstrip("/").rpartition("/")[2] for link in await self.links(**more)]


@pytest.fixture
async def looking(site: Site, client: Client, jail: Jail) -> Looking:
    """At a site of which a test says what it has; it has nothing yet."""
    config = make_config(location=site.url("/"), relation=Relation.OWNER)
    return Looking(config=config, client=client, jail=jail)


@asynccontextmanager
async def open_newsroom(options: Options, jail: Jail) -> AsyncIterator[tuple[Wordpress, Looking]]:
    async with open_wordpress(options) as site:
        client = Client(allowed=Allowed.parse([f"127.0.0.1:{site.site.port}"]), user_agent="Test/1")
        yield site, Looking(config=make_config(location=f"{site.home}/"), client=client, jail=jail)
        await client.aclose()


def write(site: Wordpress, *slugs: str) -> None:
    for slug in slugs:
        site.publish(slug, f"Judul {slug}", "Isi berita.")
        site.now += timedelta(minutes=1)


def sitemap(site: Site, *paths: str, more: str = "") -> Handler:
    urls = "".join(f"<url><loc>{site.url(path)}</loc>{more}</url>" for path in paths)
    return answer(200, _urlset(urls), XML)


def index(site: Site, *paths: str) -> Handler:
    maps = "".join(f"<sitemap><loc>{site.url(path)}</loc></sitemap>" for path in paths)
    body = f'<?xml version="1.0"?><sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{maps}'
    return answer(200, f"{body}</sitemapindex>".encode(), XML)


def _urlset(urls: str) -> bytes:
    head = '<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
    return f"{head}{urls}</urlset>".encode()


# WordPress.


async def test_old_wordpress_has_its_newest_stories_last_and_says_no_times(jail: Jail) -> None:
    async with open_newsroom(Options(sitemap="core"), jail) as (site, looking):
        write(site, "satu", "dua", "tiga")

        assert await looking.slugs() == ["tiga", "dua", "satu"]


async def test_what_was_modified_last_comes_first_where_the_sitemap_says_it(jail: Jail) -> None:
    async with open_newsroom(Options(sitemap="core", sitemap_lastmod=True), jail) as (site, looking):
        write(site, "satu", "dua", "tiga")
        site.edit("satu", title="Disunting")
        links = await looking.links()

    assert [link.url.rstrip("/").rpartition("/")[2] for link in links] == ["satu", "tiga", "dua"]
    assert links[0].changed.endswith("+07:00")


@pytest.mark.parametrize("kind", ["core", "yoast"])
async def test_only_the_newest_parts_are_read(jail: Jail, kind: Any) -> None:
    async with open_newsroom(Options(sitemap=kind, sitemap_size=60), jail) as (site, looking):
        write(site, *(f"berita-{number}" for number in range(200)))
        slugs = await looking.slugs()
        asked = [one.path for one in site.log]

    assert slugs == [f"berita-{number}" for number in range(199, 119, -1)]  # 20 of the last part, 60 of the one before
    assert len([path for path in asked if "post" in path]) == 2
    assert not [path for path in asked if "taxonomies" in path or "users" in path]


async def test_the_news_sitemap_tells_when_stories_were_published(jail: Jail) -> None:
    async with open_newsroom(Options(sitemap="core", news_sitemap=True), jail) as (site, looking):
        write(site, "lama")
        site.now += timedelta(days=3)
        write(site, "baru")
        links = await looking.links()

    assert [(bool(link.published), link.title) for link in links] == [(True, "Judul baru"), (False, "")]


async def test_without_a_sitemap_the_channel_is_closed(jail: Jail) -> None:
    async with open_newsroom(Options(sitemap="none"), jail) as (_, looking):
        with pytest.raises(Closed, match="has none that leads to stories"):
            await looking.links()


# Any site.


async def test_robots_txt_says_where_the_sitemaps_are(looking: Looking, site: Site) -> None:
    told = f"User-agent: *\nsitemap: {site.url('/peta/berita.xml')}\nSitemap:https://lain.example/sitemap.xml\n"
    site.on("/robots.txt", answer(200, told.encode()))
    site.on("/peta/berita.xml", sitemap(site, "/satu/", "/"))

    assert await looking.slugs() == ["satu"]
    assert [one.path for one in site.requests] == ["/robots.txt", "/peta/berita.xml"]


async def test_where_robots_txt_says_nothing_the_usual_places_are_tried(looking: Looking, site: Site) -> None:
    site.on("/sitemap_index.xml", index(site, "/post-sitemap.xml", "/page-sitemap.xml"))
    site.on("/post-sitemap.xml", sitemap(site, "/satu/"))
    site.on("/news-sitemap.xml", sitemap(site, "/dua/"))
    site.on("/sitemap.xml", redirect(site.url("/sitemap_index.xml"), 301))
    first = await looking.slugs()
    site.requests.clear()
    await looking.slugs()

    assert first == ["satu", "dua"]
    assert [one.path for one in site.requests] == ["/sitemap_index.xml", "/post-sitemap.xml", "/news-sitemap.xml"]


async def test_what_has_not_changed_is_not_sent_again(looking: Looking, site: Site) -> None:
    async def conditional(request: Heard, wire: Wire) -> None:
        if request.headers.get("if-none-match") == 'W/"7"':
            await wire.respond(304, headers={"ETag": 'W/"7"'})
        else:
            body = _urlset(f"<url><loc>{site.url('/satu/')}</loc><lastmod>2026-11-24</lastmod></url>")
            await wire.respond(200, body, {**XML, "ETag": 'W/"7"'})

    site.on("/sitemap.xml", conditional)
    first, second = await looking.links(), await looking.links()

    assert first == second == [Link(url=site.url("/satu/"), changed="2026-11-24")]
    assert [one.headers.get("if-none-match") for one in site.requests if one.path == "/sitemap.xml"] == [None, 'W/"7"']


async def test_a_packed_sitemap_is_read(looking: Looking, site: Site) -> None:
    packed = gzip.compress(_urlset(f"<url><loc>{site.url('/satu/')}</loc></url>"))
    site.on("/robots.txt", answer(200, f"Sitemap: {site.url('/peta.xml.gz')}".encode()))
    site.on("/peta.xml.gz", answer(200, packed, {"Content-Type": "application/gzip"}))

    assert await looking.slugs() == ["satu"]


async def test_stories_of_other_sites_are_left_out(looking: Looking, site: Site) -> None:
    urls = f"<url><loc>https://lain.example/berita/</loc></url><url><loc>{site.url('/satu/')}</loc></url>"
    site.on("/sitemap.xml", answer(200, _urlset(urls), XML))

    assert await looking.slugs() == ["satu"]


async def test_ten_thousand_addresses_are_capped(looking: Looking, site: Site) -> None:
    site.on("/sitemap.xml", sitemap(site, *(f"/berita-{number}/" for number in range(10_000))))

    assert len(await looking.links()) == MOST_LINKS


async def test_a_page_where_a_sitemap_should_be_is_none(looking: Looking, site: Site) -> None:
    site.on("*", answer(200, b"<!doctype html><html><h1>Halaman tidak ditemukan</h1></html>"))

    with pytest.raises(Closed, match="has none"):
        await looking.links()


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (answer(503, b"", {"Retry-After": "600"}), "answered 503"),
        (answer(200, b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]><urlset/>"), "DOCTYPE"),
        (answer(200, b"<urlset><url>"), "has none"),
        (gzip_bomb(), "too big"),
        (redirect("http://169.254.169.254/sitemap.xml"), "not one we connect to"),
    ],
)
async def test_a_broken_or_hostile_sitemap_is_told_in_words(
    looking: Looking, site: Site, handler: Handler, words: str
) -> None:
    site.on("/sitemap.xml", handler)

    with pytest.raises((Trouble, Closed), match=words):
        await looking.links()


@pytest.mark.parametrize("part", ["/post-sitemap2.xml", "/news-sitemap.xml"])
@pytest.mark.parametrize("handler", [answer(404), answer(403), answer(200, b"<html><h1>Masuk</h1></html>")])
async def test_a_part_that_is_closed_is_passed_over(looking: Looking, site: Site, part: str, handler: Handler) -> None:
    parts = ("/news-sitemap.xml", "/post-sitemap.xml", "/post-sitemap2.xml")
    site.on("/sitemap.xml", index(site, *parts))
    for path, slug in zip(parts, ("/baru/", "/lama/", "/sedang/"), strict=True):
        site.on(path, handler if path == part else sitemap(site, slug))

    assert await looking.slugs() == (["baru"] if "post" in part else ["sedang", "lama"])


async def test_an_older_part_that_says_its_times_stands_in_for_one_that_is_closed(looking: Looking, site: Site) -> None:
    site.on("/sitemap.xml", index(site, "/post-sitemap.xml", "/post-sitemap2.xml"))
    dated = f"<url><loc>{site.url('/lama/')}</loc><lastmod>2026-11-01T05:00:00+07:00</lastmod></url>"
    site.on("/post-sitemap.xml", answer(200, _urlset(dated), XML))

    assert await looking.slugs() == ["lama"]


async def test_a_sitemap_that_can_not_be_read_keeps_nobody_from_the_others(looking: Looking, site: Site) -> None:
    site.on("/sitemap.xml", index(site, "/news-sitemap.xml", "/post-sitemap.xml"))
    site.on("/news-sitemap.xml", sitemap(site, "/baru/"))
    site.on("/post-sitemap.xml", gzip_bomb())

    assert await looking.slugs() == ["baru"]


async def test_digits_of_the_sites_own_address_make_no_part_the_newest(looking: Looking, site: Site) -> None:
    site.on("/sitemap.xml", index(site, "/post-sitemap.xml", "/post-sitemap2.xml"))
    site.on("/post-sitemap.xml", sitemap(site, "/lama/"))
    site.on("/post-sitemap2.xml", sitemap(site, "/baru/"))

    assert await looking.slugs() == ["baru", "lama"]


async def test_with_every_part_closed_the_channel_is_closed(looking: Looking, site: Site) -> None:
    site.on("/sitemap.xml", index(site, "/post-sitemap.xml"))

    with pytest.raises(Closed, match="has none that leads to stories"):
        await looking.links()


async def test_with_a_part_in_trouble_the_newer_ones_do(looking: Looking, site: Site) -> None:
    """What stands before it doesn't stand in for it: a sitemap that fails for an hour makes no archive news."""
    site.on("/sitemap.xml", index(site, "/post-sitemap.xml", "/post-sitemap2.xml", "/news-sitemap.xml"))
    site.on("/news-sitemap.xml", sitemap(site, "/baru/"))
    site.on("/post-sitemap2.xml", sitemap(site, "/sedang/"))
    site.on("/post-sitemap.xml", sitemap(site, "/arsip/"))
    before = await looking.slugs()
    site.on("/post-sitemap2.xml", answer(500))

    assert (before, await looking.slugs()) == (["baru", "sedang", "arsip"], ["baru"])


async def test_with_one_of_its_sitemaps_in_trouble_a_site_is_read_from_the_others(looking: Looking, site: Site) -> None:
    told = f"Sitemap: {site.url('/satu.xml')}\nSitemap: {site.url('/dua.xml')}\n"
    site.on("/robots.txt", answer(200, told.encode()))
    site.on("/satu.xml", sitemap(site, "/satu/"))
    site.on("/dua.xml", sitemap(site, "/dua/"))
    first = await looking.slugs()
    site.on("/satu.xml", answer(500))
    second = await looking.slugs()
    site.on("/satu.xml", sitemap(site, "/satu/"))

    assert (first, second, await looking.slugs()) == (["satu", "dua"], ["dua"], ["satu", "dua"])


async def test_a_first_look_wants_every_sitemap_for_what_it_lacks_would_be_news_later(
    looking: Looking, site: Site
) -> None:
    told = f"Sitemap: {site.url('/satu.xml')}\nSitemap: {site.url('/dua.xml')}\n"
    site.on("/robots.txt", answer(200, told.encode()))
    site.on("/satu.xml", answer(500))
    site.on("/dua.xml", sitemap(site, "/dua/"))

    with pytest.raises(Trouble, match="answered 500"):
        await looking.links()


async def test_a_sitemap_that_wants_to_be_left_alone_is(looking: Looking, site: Site) -> None:
    site.on("/sitemap.xml", index(site, "/post-sitemap.xml", "/news-sitemap.xml"))
    site.on("/news-sitemap.xml", answer(503, b"", {"Retry-After": "600"}))
    site.on("/post-sitemap.xml", sitemap(site, "/satu/"))

    with pytest.raises(Trouble) as caught:
        await looking.links()

    assert caught.value.wait == timedelta(minutes=10)
    assert "/post-sitemap.xml" not in [one.path for one in site.requests]


async def test_sitemaps_that_moved_are_found_again(looking: Looking, site: Site) -> None:
    site.on("/sitemap.xml", sitemap(site, "/satu/"))
    await looking.links()
    site.on("/sitemap.xml", answer(404))
    site.on("/sitemap_index.xml", sitemap(site, "/dua/"))
    with pytest.raises(Closed):
        await looking.links()

    assert await looking.slugs(minutes=60 * 24 * 7) == ["dua"]
