"""Sitemaps and the Google News sitemap: rule by rule, against the schemas, and to the second."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from syndicate.domain.feed import Site
from syndicate.formats.news_sitemap import NEWS, NewsStory, is_news, news_sitemap, news_story
from syndicate.formats.sitemap import Page, listable, sitemap, sitemap_index
from tests.formats.rules_sitemap import RULES, broken_sitemap, invalid
from tests.formats.samples import SITE, T0, make_article

NOW = T0 + timedelta(hours=10)
PAGES_URL = f"{SITE.public_url}/sitemap-pages.xml"
NEWS_URL = f"{SITE.public_url}/sitemap-news.xml"
PAGES = [Page(url=f"{SITE.public_url}/"), Page(url=f"{SITE.public_url}/articles/contoh-a?x=1&y=2", changed=T0)]


def told(number: int, **changes: object) -> NewsStory:
    story = news_story(make_article(number, **changes), SITE)
    assert story is not None
    return story


def pages() -> bytes:
    return sitemap(PAGES)


def news() -> bytes:
    return news_sitemap(SITE, [told(2), told(1)])


# rule: (good document, its address, pattern, replacement)
BREAKS = {
    "S-01": (pages, PAGES_URL, "<loc>", "<loc>&nbsp;"),
    "S-02": (pages, PAGES_URL, "</urlset>", "<url><loc>https://a.example/</loc></url>" * 50_001 + "</urlset>"),
    "S-03": (pages, PAGES_URL, "(<loc>[^<]*</loc>)(<lastmod>[^<]*</lastmod>)", r"\2\1"),
    "S-04": (pages, PAGES_URL, "<loc>[^<]*", "<loc>/articles/a b"),
    "S-05": (pages, PAGES_URL, "<loc>[^<]*", "<loc>https://elsewhere.example/"),
    "S-06": (pages, PAGES_URL, "(<url>.*?</url>)", r"\1\1"),
    "S-07": (pages, PAGES_URL, "<lastmod>2026", "<lastmod>2096"),
    "N-01": (news, NEWS_URL, "<news:publication_date>2026-11-23", "<news:publication_date>2026-11-20"),
    "N-02": (news, NEWS_URL, "(<news:news>.*?</news:news>)", r"\1\1"),
    "N-03": (news, NEWS_URL, "(<news:publication_date>[^<]*</[^>]*>)(<news:title>[^<]*</[^>]*>)", r"\2\1"),
    "N-04": (news, NEWS_URL, "<news:language>id", "<news:language>id-ID"),
    "N-05": (news, NEWS_URL, "<news:publication_date>[^<]*", "<news:publication_date>Mon, 23 Nov 2026"),
    "N-06": (news, NEWS_URL, "</news:title>", " - Contoh Pos</news:title>"),
    "N-07": (news, NEWS_URL.replace("news", "news-2026-11-23"), "^", ""),
}


def test_every_rule_has_a_broken_sample() -> None:
    assert set(BREAKS) == set(RULES)


@pytest.mark.parametrize("rule", BREAKS)
def test_rule_rejects_a_sitemap_that_breaks_it(rule: str) -> None:
    good, url, pattern, replacement = BREAKS[rule]
    broken = re.sub(pattern, replacement, good().decode(), count=1, flags=re.DOTALL).encode()

    found = broken_sitemap(broken, url=url, now=NOW)

    assert rule in found
    own = NEWS_URL if good is news else PAGES_URL
    assert broken_sitemap(good(), url=own, now=NOW) == {}


@pytest.mark.parametrize("document", [pages(), news()], ids=["pages", "news"])
def test_a_sitemap_is_valid_by_its_schemas(document: bytes, shared: Path) -> None:
    assert invalid(shared, document) == []


def test_the_schemas_reject_a_title_before_the_date(shared: Path) -> None:
    _, _, pattern, replacement = BREAKS["N-03"]

    assert invalid(shared, re.sub(pattern, replacement, news().decode()).encode()) != []


def test_an_index_names_sitemaps_with_the_last_change_in_them() -> None:
    index = sitemap_index([Page(url=PAGES_URL, changed=T0)])

    assert broken_sitemap(index, url=f"{SITE.public_url}/sitemap.xml", now=NOW) == {}
    assert b"<sitemap><loc>%s</loc><lastmod>2026-11-23T00:15:00+00:00</lastmod></sitemap>" % PAGES_URL.encode() in index


def test_without_news_the_list_is_empty_and_still_one() -> None:
    assert broken_sitemap(news_sitemap(SITE, []), url=NEWS_URL, now=NOW) == {}


def test_a_story_is_told_with_its_canonical_page_its_title_and_when_it_was_published() -> None:
    item = etree.fromstring(news_sitemap(SITE, [told(1, title="Cabai & bawang", published=T0)]))

    assert [node.text for node in item.iter() if node.text] == [
        "https://contohpos.example/kota/jembatan-1",
        "Contoh Pos",
        "id",
        "2026-11-23T00:15:00+00:00",
        "Cabai & bawang",
    ]


def test_a_story_without_a_page_of_the_newsroom_s_has_ours() -> None:
    article = make_article(1, url=None)

    assert told(1, url=None).url == f"{SITE.public_url}/articles/{article.id}"


@pytest.mark.parametrize(
    ("url", "is_ours"),
    [
        ("https://contohpos.example/a", True),
        ("https://www.contohpos.example/a", True),
        ("https://bola.contohpos.example/a", True),
        ("https://kabarlain.example/a", False),
        ("https://lain-contohpos.example/a", False),
    ],
)
def test_only_pages_of_the_paper_s_own_site_are_its_news(url: str, *, is_ours: bool) -> None:
    assert (news_story(make_article(1, url=url), SITE) is not None) is is_ours


@pytest.mark.parametrize("url", ["javascript:alert(1)", f"https://contohpos.example/{'a' * 2048}"])
def test_an_address_that_no_sitemap_can_hold_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"not an absolute|12 to 2,048"):
        news_story(make_article(1, url=url), SITE)


@pytest.mark.parametrize(("length", "fits"), [(11, False), (12, True), (2048, True), (2049, False)])
def test_an_address_has_12_to_2048_characters(length: int, *, fits: bool) -> None:
    url = "http://a.ex/".ljust(length, "a")[:length]
    if fits:
        assert listable(url) == url
    else:
        with pytest.raises(ValueError, match=f"has {length} characters"):
            listable(url)


@pytest.mark.parametrize(
    ("code", "written"),
    [("id", "id"), ("id-ID", "id"), ("in-ID", "id"), ("jv", "jv"), ("zh-TW", "zh-tw"), ("zh-Hant", "zh"), ("?", "id")],
)
def test_a_language_is_two_letters(code: str, written: str) -> None:
    assert told(1, language=code).language == written


@pytest.mark.parametrize(
    ("title", "name"), [("Contoh Pos (cetak) (pagi)", "Contoh Pos"), ("(Contoh)", "(Contoh)"), ("Pos (ID) Kota", None)]
)
def test_what_stands_in_brackets_behind_the_paper_s_name_is_left_out(title: str, name: str | None) -> None:
    site = Site(title=title, url=SITE.url, public_url=SITE.public_url, phrases=SITE.phrases)

    assert etree.fromstring(news_sitemap(site, [told(1)])).findtext(f".//{{{NEWS}}}name") == (name or title)


def test_a_character_that_xml_forbids_does_not_reach_the_list() -> None:
    assert broken_sitemap(news_sitemap(SITE, [told(1, title="Jem\x0bbatan\ufffe dibuka")]), url=NEWS_URL, now=NOW) == {}


@pytest.mark.parametrize(("seconds", "listed"), [(-1, True), (0, True), (1, False)])
def test_n08_a_story_is_news_for_48_hours_to_the_second(seconds: int, *, listed: bool) -> None:
    assert is_news(T0, now=T0 + timedelta(hours=48, seconds=seconds)) is listed


@pytest.mark.parametrize("hours", [7, 8, 9], ids=["WIB", "WITA", "WIT"])
def test_n08_the_zone_in_which_a_date_is_told_changes_nothing(hours: int) -> None:
    local = datetime.fromisoformat(f"2026-11-23T{hours:02}:15:00+{hours:02}:00")

    assert told(1, published=local).published == T0
    assert is_news(local, now=(T0 + timedelta(hours=48)).astimezone(UTC))
    assert not is_news(local, now=T0 + timedelta(hours=48, seconds=1))


def test_n08_an_edit_leaves_the_date_alone() -> None:
    assert told(1, published=T0, updated=T0 + timedelta(days=5)).published == T0
