"""The tests' WordPress by itself: the rules that no recording shows, its verbs, options and troubles."""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from lxml import etree, html
from PIL import Image

from tests.servers.http import Site
from tests.servers.wordpress import START, Options, Picture, Status, Trouble, Wordpress, jpeg, open_wordpress

MINUTE = timedelta(minutes=1)
TEXT = "MALANG – Jembatan dibuka.\n\nWarga senang.\n\nWali kota hadir.\n\nMacet berkurang.\n\nSelesai. (rex/aim)"
POSTS = "/wp-json/wp/v2/posts"


@pytest.fixture
async def site() -> AsyncIterator[Wordpress]:
    """A site with one article."""
    async with open_wordpress() as running:
        caption = "Jembatan di Malang. (FOTO: IST)"
        picture = Picture(name="jembatan.jpg", caption=caption, alt="Jembatan", data=jpeg("teal"))
        running.publish("jembatan", "Jembatan baru dibuka", TEXT, categories=["Malang Raya/Kota Batu"], picture=picture)
        running.now += MINUTE
        yield running


async def _slugs(site: Wordpress, query: str) -> list[str]:
    return [post["slug"] for post in (await site.ask(f"{POSTS}?{query}")).json()]


async def _record(site: Wordpress, slug: str) -> dict[str, Any]:
    found: dict[str, Any] = (await site.ask(f"{POSTS}/{site.post(slug).id}?_embed")).json()
    return found


@pytest.mark.parametrize(
    ("since", "found"),
    [
        ("2026-11-24T04:59:59Z", ["jembatan"]),
        ("2026-11-24T05:00:00Z", []),
        ("2026-11-24T11:59:59", ["jembatan"]),
        ("2026-11-24T12:00:00", []),
        ("2026-11-24T11:59:59%2B07:00", ["jembatan"]),
    ],
)
async def test_modified_after_is_strict_and_local_without_a_zone(site: Wordpress, since: str, found: list[str]) -> None:
    assert await _slugs(site, f"modified_after={since}") == found


async def test_a_list_tells_the_pages_beside_it(site: Wordpress) -> None:
    for number in range(4):
        site.publish(f"berita-{number}", "Berita", "Isi.")

    got = await site.ask(f"{POSTS}?per_page=2&page=2&orderby=id&order=asc")

    address = f"{site.home}{POSTS}?per_page=2&page={{}}&orderby=id&order=asc"
    assert got.headers["Link"] == f'<{address.format(1)}>; rel="prev", <{address.format(3)}>; rel="next"'
    assert [post["slug"] for post in got.json()] == ["berita-1", "berita-2"]


async def test_include_skips_what_is_not_public(site: Wordpress) -> None:
    hidden, shown = site.publish("rancangan", "Rancangan", "Isi.", status=Status.DRAFT), site.post("jembatan")

    assert await _slugs(site, f"include={hidden.id},{shown.id},999&orderby=include") == ["jembatan"]


@pytest.mark.parametrize(
    ("fields", "embeds"),
    [("id", False), ("id,_embedded", False), ("id,_links", False), ("id,_links.wp:term,_embedded", True)],
)
async def test_embedding_needs_links_and_embedded_among_the_fields(site: Wordpress, fields: str, embeds: bool) -> None:
    [record] = (await site.ask(f"{POSTS}?_embed&_fields={fields}")).json()

    assert ("_embedded" in record) is embeds


async def test_closed_users_are_embedded_as_the_error(site: Wordpress) -> None:
    site.options.users_closed = True

    assert (await site.ask("/wp-json/wp/v2/users")).status_code == 401
    assert (await _record(site, "jembatan"))["_embedded"]["author"][0]["data"]["status"] == 401


async def test_rest_answers_at_its_query_address_too(site: Wordpress) -> None:
    assert len((await site.ask("/?rest_route=/wp/v2/posts&per_page=5")).json()) == 1


@pytest.mark.parametrize(("rest", "status"), [("closed_401", 401), ("closed_403", 403), ("missing_404", 404)])
async def test_a_closed_rest_api_leaves_the_feed_open(rest: Any, status: int) -> None:
    async with open_wordpress(Options(rest=rest)) as site:
        assert (await site.ask(POSTS)).status_code == status
        assert (await site.ask("/feed/")).status_code == 200
        assert ("Link" in (await site.ask("/feed/")).headers) is (rest != "missing_404")


async def test_what_only_touches_what_hangs_on_a_post_does_not_modify_it(site: Wordpress) -> None:
    site.edit_caption("jembatan", "Lain. (FOTO: IST)")
    site.rename_author("Redaksi", "Redaksi Malang")
    site.rename_category("Kota Batu", "Batu")
    site.comment("jembatan", "Pembaca", "Bagus.")

    record = await _record(site, "jembatan")

    assert record["modified_gmt"] == "2026-11-24T05:00:00"
    embedded = record["_embedded"]
    assert embedded["wp:featuredmedia"][0]["caption"]["rendered"] == "<p>Lain. (FOTO: IST)</p>\n"
    assert (embedded["author"][0]["name"], embedded["wp:term"][0][0]["name"]) == ("Redaksi Malang", "Batu")
    assert site.changed() == START


async def test_an_edit_of_nothing_modifies_the_post(site: Wordpress) -> None:
    site.edit("jembatan")

    assert await _slugs(site, "modified_after=2026-11-24T05:00:30Z") == ["jembatan"]


async def test_a_back_dated_post_is_new_only_to_modified_after(site: Wordpress) -> None:
    for number in range(10):
        site.publish(f"berita-{number}", "Berita", "Isi.")
    site.back_date("berita-0", timedelta(days=90))

    assert "berita-0" not in (await site.ask("/feed/")).text
    assert "berita-0" in await _slugs(site, "modified_after=2026-11-24T05:00:30Z")


async def test_a_scheduled_post_comes_out_without_being_modified(site: Wordpress) -> None:
    site.publish("besok", "Besok", "Isi.", date_gmt=site.now + 2 * MINUTE)
    assert await _slugs(site, "slug=besok") == []

    site.now += 2 * MINUTE

    assert await _slugs(site, "after=2026-11-24T05:02:00Z") == ["besok"]
    assert await _slugs(site, "modified_after=2026-11-24T05:02:00Z") == []


@pytest.mark.parametrize(("verb", "status"), [("protect", 200), ("privatise", 401), ("trash", 401), ("delete", 404)])
async def test_verbs_take_a_post_away_each_in_its_way(site: Wordpress, verb: str, status: int) -> None:
    address = f"{POSTS}/{site.post('jembatan').id}"

    getattr(site, verb)("jembatan")

    got = await site.ask(address)
    assert got.status_code == status
    assert status != 200 or got.json()["content"] == {"rendered": "", "protected": True}
    assert "Warga senang" not in (await site.ask("/feed/")).text
    assert "Warga senang" not in (await site.ask("/jembatan/")).text


async def test_a_restored_post_is_modified_and_keeps_its_date(site: Wordpress) -> None:
    site.trash("jembatan")
    site.now += MINUTE

    site.restore("jembatan")

    record = await _record(site, "jembatan")
    assert (record["date_gmt"], record["modified_gmt"]) == ("2026-11-24T05:00:00", "2026-11-24T05:02:00")


async def test_a_renamed_post_is_found_at_its_old_address(site: Wordpress) -> None:
    site.rename_slug("jembatan", "jembatan-baru")

    got = await site.ask("/jembatan/")

    assert (got.status_code, got.headers["Location"]) == (301, site.link("jembatan-baru"))
    assert got.headers["X-Redirect-By"] == "WordPress"


def test_a_taken_slug_gets_a_number_and_many_can_be_lost() -> None:
    desk = Wordpress(site=Site(host="127.0.0.1"))

    made = [desk.publish("sama", "Sama", "Isi.").slug for _ in range(3)]

    assert made == ["sama", "sama-2", "sama-3"]
    assert desk.lose_many(2) == ["sama-3", "sama-2"]
    assert [post.slug for post in desk.public()] == ["sama"]


async def test_weak_etags_never_match(site: Wordpress) -> None:
    site.weak_etags = True
    etag = (await site.ask("/feed/")).headers["ETag"]

    assert etag.startswith('W/"')
    assert (await site.ask("/feed/", {"If-None-Match": etag})).status_code == 200
    assert (await site.ask("/feed/", {"If-None-Match": etag.removeprefix("W/")})).status_code == 304


async def test_refusals_are_for_the_next_requests_only_and_all_is_logged(site: Wordpress) -> None:
    site.refuse(2, status=503, retry_after="60")

    answers = [await site.ask("/feed/?x=1", {"If-None-Match": '"a"'}) for _ in range(3)]

    assert [got.headers.get("Retry-After") for got in answers] == ["60", "60", None]
    assert [asked.status for asked in site.seen("/feed/")] == [503, 503, 200]
    assert (site.log[0].query, site.log[0].conditional) == ({"x": "1"}, True)


async def test_maintenance_is_html_everywhere(site: Wordpress) -> None:
    site.trouble = Trouble.MAINTENANCE

    for path in ("/feed/", POSTS, "/jembatan/", "/robots.txt"):
        got = await site.ask(path)
        assert (got.status_code, got.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")


async def test_a_cut_answer_is_shorter_than_announced(site: Wordpress) -> None:
    site.trouble = Trouble.CUT_SHORT

    with pytest.raises(httpx2.RemoteProtocolError):
        await site.ask(POSTS)


async def test_a_slow_answer_is_the_right_one(site: Wordpress) -> None:
    site.trouble = Trouble.SLOW
    asking = asyncio.create_task(site.ask("/feed/"))
    await site.site.heard(1)

    assert not asking.done()
    site.hurry.set()
    assert (await asking).status_code == 200


async def test_a_picture_can_change_under_its_address(site: Wordpress) -> None:
    path = "/wp-content/uploads/2026/11/jembatan.jpg"
    old = await site.ask(path)

    site.replace_picture("jembatan", jpeg("maroon", 800, 600))

    unchanged = {"If-None-Match": old.headers["ETag"], "If-Modified-Since": old.headers["Last-Modified"]}
    new = await site.ask(path, unchanged)
    assert [Image.open(io.BytesIO(got.content)).size for got in (old, new)] == [(1200, 675), (800, 600)]
    assert (await site.ask(path, {"If-None-Match": new.headers["ETag"]})).status_code == 304


async def test_every_size_of_a_picture_is_there(site: Wordpress) -> None:
    details = (await _record(site, "jembatan"))["_embedded"]["wp:featuredmedia"][0]["media_details"]

    for size in details["sizes"].values():
        got = await site.ask(size["source_url"])
        assert Image.open(io.BytesIO(got.content)).size == (size["width"], size["height"])


async def test_sitemaps_come_in_parts_and_with_dates_if_told(site: Wordpress) -> None:
    site.options.sitemap_size, site.options.sitemap_lastmod = 1, True
    site.publish("kedua", "Kedua", "Isi.")

    second = await site.ask("/wp-sitemap-posts-post-2.xml")

    assert _addresses(second.content) == [site.link("kedua")]
    assert "<lastmod>2026-11-24T12:01:00+07:00</lastmod>" in second.text
    assert len(re.findall("posts-post", (await site.ask("/wp-sitemap.xml")).text)) == 2


async def test_the_plugins_sitemaps_leave_out_what_is_protected(site: Wordpress) -> None:
    site.options.sitemap, site.options.news_sitemap = "yoast", True
    site.publish("terkunci", "Terkunci", "Isi.")
    site.protect("terkunci")
    site.publish("lama", "Lama", "Isi.", date_gmt=site.now - timedelta(hours=49))

    news, posts = await site.ask("/news-sitemap.xml"), await site.ask("/post-sitemap.xml")

    assert _addresses(news.content) == [site.link("jembatan"), f"{site.home}/wp-content/uploads/2026/11/jembatan.jpg"]
    assert "/lama/" in posts.text
    assert "/terkunci/" not in posts.text
    assert re.findall("Sitemap: .*(/.*)", (await site.ask("/robots.txt")).text) == [
        "/sitemap_index.xml",
        "/news-sitemap.xml",
    ]


BODIES = {"tagdiv": "td-post-content", "tagdiv_cloud": "tdb_single_content", "default": "entry-content"}


@pytest.mark.parametrize("theme", BODIES)
async def test_every_theme_shows_the_article_among_other_things(site: Wordpress, theme: Any) -> None:
    site.options.theme, site.options.microdata = theme, True
    site.publish("lain", "Berita lain", "Isi.")

    page = (await site.ask("/jembatan/")).text

    document = html.fromstring(page)
    paragraphs = document.xpath(f"//*[contains(@class, '{BODIES[theme]}')]//p/text()")
    assert paragraphs == TEXT.split("\n\n")
    assert all(part in page for part in ("- Advertisement -", "Berita lain", 'itemprop="datePublished"'))
    assert ("Tuesday, November 24, 2026" in page) is (theme != "default")


async def test_a_bare_page_tells_machines_nothing(site: Wordpress) -> None:
    site.options.seo_plugin = site.options.advertisements = False

    page = (await site.ask("/jembatan/")).text

    assert not any(word in page for word in ("og:title", "ld+json", "itemprop", "Advertisement"))
    assert "yoast_head_json" not in await _record(site, "jembatan")


def _addresses(document: bytes) -> list[str]:
    return [str(found.text) for found in etree.fromstring(document).iter("{*}loc")]
