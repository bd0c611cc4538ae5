"""The tests' WordPress against recordings of a real one (6.1.9): loaded with the same posts, it answers in the same
way. Statuses, headers, feeds and error bodies are compared whole, records by their shape and what they say.
"""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree, html

from tests.servers.wordpress import Options, Wordpress, open_wordpress
from tests.servers.wordpress_recorded import BEGUN, Recorded, Recordings, kept, load_recorded

CHANGED = datetime(2026, 11, 24, 3, 7, 3, tzinfo=UTC)

RECORDS = (
    *("posts_list", "posts_embed", "post_single_embed", "posts_fields", "posts_modified_after", "post_password"),
    *("post_entities", "post_lazy", "post_embeds", "post_more", "post_nextpage", "post_script"),
    *("categories", "tags", "users", "media"),
)
ERRORS = (
    *("posts_page_too_far_400", "posts_per_page_101_400", "posts_bad_tz_400", "post_missing_404"),
    *("post_draft_401", "post_private_401"),
)
FEEDS = (
    *("feed", "feed_weak_etag_200", "feed_paged2", "feed_paged99_404", "feed_atom", "feed_category_pemerintahan"),
    *("feed_category_parent", "feed_tag_arema", "feed_author_rex", "feed_search", "feed_comments"),
    "feed_article_comments",
)
ARTICLES = ("article", "article_embeds", "article_lazy", "article_nextpage", "article_nextpage2")
LISTINGS = ("home", "home_page2", "listing_category")
PLAIN = (
    *("feed_304", "root", "not_found_404", "shortlink_301", "renamed_301"),
    *("sitemap_index", "sitemap_posts", "robots"),
)
AFTER_A_CHANGE = (
    *("feed_after_update", "post_trashed_401", "article_trashed_404", "feed_after_trash_ims_only_304"),
    *("feed_after_trash_inm_200", "post_deleted_404", "feed_excerpt_only"),
)
NOT_COVERED = {
    "feed_rdf": "RSS 1.0: no source asks for it",
    "types": "no source asks for it",
    "statuses": "no source asks for it",
    "oembed": "no source asks for it",
    "push_no_auth_401": "creating posts by REST is the push's matter; here every write is refused",
    "push_create_201": "as push_no_auth_401",
    "push_update_200": "as push_no_auth_401",
    "push_trash_200": "as push_no_auth_401",
    "push_delete_force_200": "as push_no_auth_401",
    "push_repeat_delete_404": "as push_no_auth_401",
}


@pytest.fixture
async def wordpress(shared: Path) -> AsyncIterator[Wordpress]:
    """A site with the posts of the one that was recorded."""
    options = Options(name="Malang Posco Media (uji)", tagline="Situs uji lokal")
    async with open_wordpress(options) as site:
        site.now = BEGUN
        load_recorded(site, Recordings(folder=shared / "fixtures" / "wp", home=site.home))
        yield site


@pytest.fixture
def recordings(shared: Path, wordpress: Wordpress) -> Recordings:
    return Recordings(folder=shared / "fixtures" / "wp", home=wordpress.home)


def test_every_recorded_answer_is_compared_or_has_a_reason(shared: Path) -> None:
    rows = (shared / "fixtures" / "wp" / "INDEX.tsv").read_text().splitlines()
    covered = (*RECORDS, *ERRORS, *FEEDS, *ARTICLES, *LISTINGS, *PLAIN, *AFTER_A_CHANGE)

    assert sorted((*covered, *NOT_COVERED)) == sorted(row.split(".")[0] for row in rows)


@pytest.mark.parametrize("name", [*RECORDS, *ERRORS, *FEEDS, *ARTICLES, *LISTINGS, *PLAIN])
async def test_status_and_headers_are_the_real_ones(wordpress: Wordpress, recordings: Recordings, name: str) -> None:
    recorded = recordings[name]

    got = await wordpress.ask(recorded.path, recorded.asked)

    assert (got.status_code, kept(got.headers.multi_items())) == (recorded.status, recorded.headers)


@pytest.mark.parametrize("name", ERRORS)
async def test_errors_are_worded_as_the_real_ones(wordpress: Wordpress, recordings: Recordings, name: str) -> None:
    recorded = recordings[name]

    got = await wordpress.ask(recorded.path)

    assert got.text == recorded.body


@pytest.mark.parametrize("name", RECORDS)
async def test_records_have_the_real_shape_and_content(wordpress: Wordpress, recordings: Recordings, name: str) -> None:
    recorded = recordings[name]

    got = await wordpress.ask(recorded.path)

    assert _shape(got.json()) == _shape(json.loads(recorded.body))
    assert _said(got.json()) == _said(json.loads(recorded.body))
    assert "\\/" in got.text


_INVENTED = {"avatar_urls", "author_avatar_urls", "media_details", "description", "yoast_head_json"}


def _shape(value: Any) -> Any:
    """Keys in their order, and types."""
    if isinstance(value, dict):
        return [(key, _shape(below)) for key, below in value.items()]
    return [_shape(below) for below in value] if isinstance(value, list) else type(value).__name__


def _said(value: Any) -> Any:
    """The values, without what no source reads. A real avatar's digest is of an address, ours of a name."""
    if isinstance(value, dict):
        return {key: _said(below) for key, below in value.items() if key not in _INVENTED}
    return [_said(below) for below in value] if isinstance(value, list) else value


async def test_the_root_has_the_real_shape(wordpress: Wordpress, recordings: Recordings) -> None:
    recorded = json.loads(recordings["root"].body)

    got = (await wordpress.ask("/wp-json/")).json()

    told = ("name", "description", "url", "home", "gmt_offset", "timezone_string", "site_logo", "_links")
    assert list(got) == list(recorded)
    assert [got[key] for key in told] == [recorded[key] for key in told]


@pytest.mark.parametrize("name", FEEDS)
async def test_feeds_are_element_by_element_the_real_ones(
    wordpress: Wordpress, recordings: Recordings, name: str
) -> None:
    recorded = recordings[name]

    got = await wordpress.ask(recorded.path, recorded.asked)

    assert _tree(got.content) == _tree(recorded.body.encode())


def _tree(document: bytes) -> Any:
    def as_list(element: etree._Element) -> Any:
        return [element.tag, dict(element.attrib), (element.text or "").strip(), *(as_list(child) for child in element)]

    return as_list(etree.fromstring(document))


async def test_a_feed_of_excerpts_is_the_real_one(wordpress: Wordpress, recordings: Recordings) -> None:
    wordpress.options.excerpts_only = True

    got = await wordpress.ask("/feed/")

    assert _tree(got.content) == _tree(recordings["feed_excerpt_only"].body.encode())


@pytest.mark.parametrize("name", ARTICLES)
async def test_articles_say_the_same_to_machines(wordpress: Wordpress, recordings: Recordings, name: str) -> None:
    recorded = recordings[name]

    got = await wordpress.ask(recorded.path)

    assert _to_machines(got.text) == _to_machines(recorded.body)


_ON_A_PAGE = {
    "id": "//body/@class[contains(., 'postid-')]",
    "title": "//h1[@class='entry-title']//text()",
    "time": "//*[@class='td-post-header']//time/@datetime",
    "canonical": "//link[@rel='canonical']/@href",
    "short": "//link[@rel='shortlink']/@href",
    "record": "//link[@rel='alternate'][@type='application/json']/@href",
    "api": "//link[@rel='https://api.w.org/']/@href",
    "feeds": "//link[@rel='alternate'][@type='application/rss+xml']/@href",
    "property": "//meta[@property]/@property",
    "content": "//meta[@property][@property != 'og:description']/@content",
    "author": "//*[@class='td-post-author-name']/a//text()",
    "sections": "//li[@class='entry-category']/a/@href",
    "tags": "//ul[contains(@class, 'td-tags')]//a/@href",
    "text": "//*[contains(@class, 'td-post-content')]//p[not(contains(@class, 'page-links'))]//text()",
    "caption": "//figcaption/text()",
    "advertisement": "boolean(//*[contains(@class, 'td-post-content')]//*[@class='td-adspot-title'])",
    "others": "//*[contains(@class, 'td_module_related_posts')]//a/@href",
}


def _to_machines(page: str) -> dict[str, Any]:
    document = html.fromstring(page)
    found: dict[str, Any] = {name: document.xpath(query) for name, query in _ON_A_PAGE.items()}
    found["id"] = re.findall(r"postid-\d+|paged-\d+", str(found["id"]))
    found["others"] = bool(found["others"])
    data = document.xpath("//script[@type='application/ld+json']/text()")
    return found | {"data": [json.loads(part) for part in data]}


@pytest.mark.parametrize("name", LISTINGS)
async def test_listings_show_the_same_teasers(wordpress: Wordpress, recordings: Recordings, name: str) -> None:
    recorded = recordings[name]

    got = await wordpress.ask(recorded.path)

    assert _teasers(got.text) == _teasers(recorded.body)


def _teasers(page: str) -> list[list[str]]:
    modules = html.fromstring(page).xpath("//*[contains(@class, 'td_module_10')]")
    queries = (
        "string(.//h3/a/@href)",
        "string(.//h3)",
        "string(.//time/@datetime)",
        "string(.//*[@class='td-excerpt'])",
    )
    return [[module.xpath(query).strip() for query in queries] for module in modules]


async def test_the_sitemap_lists_the_real_addresses(wordpress: Wordpress, recordings: Recordings) -> None:
    recorded = recordings["sitemap_posts"]

    got = await wordpress.ask(recorded.path)

    assert _addresses(got.content) == _addresses(recorded.body.encode())


async def test_the_sitemap_index_lists_the_real_ones_but_that_of_static_pages(
    wordpress: Wordpress, recordings: Recordings
) -> None:
    recorded = recordings["sitemap_index"]

    got = await wordpress.ask(recorded.path)

    real = [address for address in _addresses(recorded.body.encode()) if "posts-page" not in address]
    assert _addresses(got.content) == real


def _addresses(document: bytes) -> list[str]:
    return [str(found.text) for found in etree.fromstring(document).iter("{*}loc")]


async def test_robots_txt_is_the_real_one(wordpress: Wordpress, recordings: Recordings) -> None:
    got = await wordpress.ask("/robots.txt")

    assert got.text == recordings["robots"].body


async def test_a_post_comes_is_trashed_and_goes_as_recorded(wordpress: Wordpress, recordings: Recordings) -> None:
    wordpress.now, dated = CHANGED, datetime(2025, 6, 3, 1, 0, tzinfo=UTC)
    wordpress.publish(
        "kiriman-uji",
        "Kiriman uji (ralat)",
        "<p>Isi.</p>",
        excerpt="Ringkas.",
        date_gmt=dated,
        by_rest=True,
        post_id=45,
    )

    await _is_as_recorded(wordpress, recordings["feed_after_update"])
    wordpress.trash("kiriman-uji")
    await _is_as_recorded(wordpress, recordings["post_trashed_401"])
    await _is_as_recorded(wordpress, recordings["article_trashed_404"])
    await _is_as_recorded(wordpress, recordings["feed_after_trash_ims_only_304"])
    await _is_as_recorded(wordpress, recordings["feed_after_trash_inm_200"])
    wordpress.delete("kiriman-uji")
    await _is_as_recorded(wordpress, recordings["post_deleted_404"])


async def _is_as_recorded(site: Wordpress, recorded: Recorded) -> None:
    got = await site.ask(recorded.path, recorded.asked)
    assert (got.status_code, kept(got.headers.multi_items())) == (recorded.status, recorded.headers)
    if "json" in got.headers["Content-Type"]:
        assert got.text == recorded.body
    elif "xml" in got.headers["Content-Type"] and got.content:
        assert _tree(got.content) == _tree(recorded.body.encode())
