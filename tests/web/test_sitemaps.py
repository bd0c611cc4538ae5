"""Sitemaps over HTTP: what stands in them, by the clock, and what never does."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from lxml import etree

from syndicate.domain.article import Article, ArticleState, Edit, content_hash
from syndicate.domain.change import ChangeKind
from syndicate.domain.edition import EditionState
from syndicate.store import articles, changes, editions
from syndicate.web import sitemaps
from syndicate.web.sitemaps import months_back
from tests.factories import add_article, make_article, make_change, make_edition
from tests.formats.rules_sitemap import NS, broken_sitemap, invalid
from tests.web.paper import BEGIN, Paper, running

NEWS = "/sitemap-news.xml"
MONTH = f"/sitemap-{BEGIN:%Y-%m}.xml"


@pytest.fixture
def empty_paper(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Paper]:
    """A newspaper that has no story yet."""
    (tmp_path / "var").mkdir()
    shutil.copy(migrated_sqlite, tmp_path / "var" / "syndicate.db")
    with running(tmp_path) as empty:
        yield empty


def own_story(number: int, at: datetime = BEGIN, *, source: str = "newsroom", url: str | None = None) -> Article:
    """A story without a page of the newsroom's, published at `at`."""
    dates = {"published": at, "updated": at, "sort_at": at, "first_seen": at, "changed_at": at}
    return make_article(number, source=source, url=url, **dates)


def add(paper: Paper, *stories: Article) -> list[Article]:
    """As gathering does."""

    async def write() -> list[Article]:
        async with paper.app.db.write() as connection:
            return [await add_article(connection, one) for one in stories]

    return paper.do(write())


def change_of(article: Article, kind: ChangeKind) -> dict[str, Any]:
    """A row of the change log, without the number that it gets."""
    row = vars(make_change(article, kind))
    return {name: value for name, value in row.items() if name != "seq"}


def parsed(paper: Paper, path: str) -> etree._Element:
    """A sitemap, after all rules were checked on it."""
    answer = paper.get(path)
    assert answer.status_code == 200, path
    assert broken_sitemap(answer.content, url=paper.origin + path, now=paper.clock.now()) == {}
    return etree.fromstring(answer.content)


def locations(paper: Paper, path: str) -> list[str]:
    return [node.text or "" for node in parsed(paper, path).findall("*/s:loc", NS)]


def listed(paper: Paper) -> list[str]:
    """Every page that the sitemaps name."""
    return [url for part in locations(paper, "/sitemap.xml") for url in locations(paper, urlsplit(part).path)]


def titles(paper: Paper) -> list[str]:
    return [node.text or "" for node in parsed(paper, NEWS).iterfind(".//news:title", NS)]


def modified(paper: Paper, path: str) -> datetime:
    return parsedate_to_datetime(paper.get(path).headers["last-modified"])


def test_the_index_leads_to_every_public_page_of_ours_and_all_of_them_are_there(paper: Paper) -> None:
    pages = listed(paper)

    assert len(set(pages)) == len(pages)
    assert {urlsplit(url).path.rpartition("/")[0] for url in pages} == {
        "",
        "/feeds",
        "/feeds/terkini",
        "/feeds/kota",
        "/articles",
        "/editions/ringkasan",
        "/editions/mingguan",
    }
    assert [url for url in pages if paper.get(url).status_code != 200] == []


def test_nothing_private_is_listed(paper: Paper) -> None:
    for url in listed(paper):
        assert not {"mitra", "u", "outbox", "sample", "metrics", "media"} & set(urlsplit(url).path.split("/")), url


def test_sitemaps_are_valid_by_their_schemas(paper: Paper, shared: Path) -> None:
    for path in ("/sitemap-pages.xml", MONTH, NEWS):
        assert invalid(shared, paper.get(path).content) == [], path


def test_a_story_whose_page_is_the_newsroom_s_is_not_a_page_of_ours(empty_paper: Paper) -> None:
    ours, _ = add(empty_paper, own_story(1), own_story(2, url="https://contohpos.example/tanggul"))

    assert locations(empty_paper, MONTH) == [f"{empty_paper.origin}/articles/{ours.id}"]
    assert parsed(empty_paper, MONTH).findtext("*/s:lastmod", namespaces=NS) == "2026-11-24T01:00:00+00:00"


def test_a_withdrawn_story_leaves_its_month_and_the_news_and_who_asks_by_date_is_told(empty_paper: Paper) -> None:
    kept, gone = add(empty_paper, own_story(1), own_story(2))
    before = {path: empty_paper.get(path).headers["last-modified"] for path in (MONTH, NEWS)}
    at = BEGIN + timedelta(hours=1)
    taken_back = replace(gone, state=ArticleState.WITHDRAWN, changed_at=at, loud_at=at)

    async def withdraw() -> None:
        async with empty_paper.app.db.write() as connection:
            await articles.set_state(connection, taken_back)
            await changes.append(connection, **change_of(taken_back, ChangeKind.WITHDRAWN))

    empty_paper.do(withdraw())
    empty_paper.clock.at = at + timedelta(minutes=1)

    for path, date in before.items():
        assert empty_paper.get(path, if_modified_since=date).status_code == 200
        assert locations(empty_paper, path) == [f"{empty_paper.origin}/articles/{kept.id}"]


@pytest.mark.parametrize("month", ["2019-01", "2026-13", "0000-01", "9999-12", "2026-1", "202611", "x"])
def test_a_month_without_anything_is_no_sitemap(paper: Paper, month: str) -> None:
    assert paper.get(f"/sitemap-{month}.xml").status_code == 404


def test_months_go_back_to_the_first_one() -> None:
    march, january = datetime(2026, 3, 31, 23, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)

    assert list(months_back(march, to=january)) == ["2026-03", "2026-02", "2026-01"]
    assert list(months_back(january, to=january - timedelta(days=1))) == ["2026-01", "2025-12"]
    assert list(months_back(march, to=march)) == ["2026-03"]


def test_the_index_names_the_months_that_have_something(empty_paper: Paper) -> None:
    assert locations(empty_paper, "/sitemap.xml") == [f"{empty_paper.origin}/sitemap-pages.xml"]
    add(empty_paper, own_story(1), own_story(2, BEGIN - timedelta(days=70)))

    empty_paper.clock.at += timedelta(minutes=2)

    parts = ("pages", "2026-11", "2026-09")
    assert locations(empty_paper, "/sitemap.xml") == [f"{empty_paper.origin}/sitemap-{part}.xml" for part in parts]


def test_a_held_edition_is_not_listed(empty_paper: Paper) -> None:
    async def compose() -> None:
        states = {"20261124T0100": EditionState.DONE, "20261124T0200": EditionState.HELD}
        async with empty_paper.app.db.write() as connection:
            for slot, state in states.items():
                made = make_edition(newsletter="ringkasan", slot=slot, created_at=BEGIN)
                edition = await editions.begin(connection, made)
                came_from = [EditionState.COMPOSING]
                await editions.set_state(connection, edition.id, state, came_from=came_from, frozen_at=BEGIN)

    empty_paper.do(compose())

    assert locations(empty_paper, MONTH) == [f"{empty_paper.origin}/editions/ringkasan/20261124T0100"]


def test_the_news_are_the_newest_stories_first(paper: Paper) -> None:
    dates = [node.text or "" for node in parsed(paper, NEWS).iterfind(".//news:publication_date", NS)]

    assert sorted(titles(paper)) == ["Jembatan Wening dibuka", "Panen raya", "Pasar & <pangan> murah"]
    assert dates == sorted(dates, reverse=True)


def test_n01_a_story_leaves_the_news_after_48_hours_by_the_clock_at_the_moment_of_asking(empty_paper: Paper) -> None:
    add(empty_paper, own_story(1), own_story(2, BEGIN + timedelta(hours=1)))
    empty_paper.clock.at = BEGIN + timedelta(hours=48)
    assert titles(empty_paper) == ["Berita 2", "Berita 1"]
    before = modified(empty_paper, NEWS)

    empty_paper.clock.at += timedelta(seconds=1)

    assert titles(empty_paper) == ["Berita 2"]
    assert before < modified(empty_paper, NEWS) == empty_paper.clock.now()


def test_n01_a_late_story_is_no_news(empty_paper: Paper) -> None:
    late = own_story(1, BEGIN - timedelta(days=3))
    add(empty_paper, replace(late, sort_at=BEGIN, first_seen=BEGIN, changed_at=BEGIN))

    assert titles(empty_paper) == []


def test_n08_an_edit_with_a_new_date_brings_no_old_story_back(empty_paper: Paper) -> None:
    (old,) = add(empty_paper, own_story(1, BEGIN - timedelta(days=3)))
    edited = replace(old, version=2, edit=Edit.MAJOR, content=replace(old.content, title="Lagi", published=BEGIN))

    async def edit() -> None:
        async with empty_paper.app.db.write() as connection:
            await articles.add_version(connection, edited, digest=content_hash(edited.content), churn=0)
            await changes.append(connection, **change_of(edited, ChangeKind.UPDATED))

    empty_paper.do(edit())

    assert titles(empty_paper) == []


def test_without_news_the_list_is_empty(empty_paper: Paper, shared: Path) -> None:
    assert len(parsed(empty_paper, NEWS)) == 0
    assert invalid(shared, empty_paper.get(NEWS).content) == []


def test_only_what_the_paper_s_own_newsrooms_have_on_its_own_site_is_its_news(empty_paper: Paper) -> None:
    own, partner = "https://www.contohpos.example/a", "https://kabarmitra.example/a"
    add(
        empty_paper,
        own_story(1, url=own),
        own_story(2, url=partner),
        own_story(3, url="javascript:alert(1)"),
        own_story(4, source="lain", url="https://contohpos.example/b"),
    )

    assert locations(empty_paper, NEWS) == [own]


def test_one_address_stands_once_in_the_news(empty_paper: Paper) -> None:
    address = "https://contohpos.example/a"
    add(empty_paper, own_story(1, url=address), own_story(2, url=address))

    assert locations(empty_paper, NEWS) == [address]


def test_n02_of_too_many_the_newest_stay(empty_paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    # A thousand stories would take a minute to write; the bound is lower, what it does is the same.
    monkeypatch.setattr(sitemaps, "MOST_NEWS", 3)
    monkeypatch.setattr(sitemaps, "_READ_AT_ONCE", 2)
    add(empty_paper, *(own_story(number, BEGIN - timedelta(minutes=number)) for number in range(1, 7)))

    assert titles(empty_paper) == ["Berita 1", "Berita 2", "Berita 3"]


def test_robots_txt_names_the_sitemaps_and_closes_what_is_nobody_else_s(paper: Paper) -> None:
    answer = paper.get("/robots.txt")

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.splitlines() == [
        "User-agent: *",
        "Disallow: /u/",
        "Disallow: /p/",
        "Disallow: /v/",
        "Disallow: /metrics",
        "Disallow: /healthz",
        "Disallow: /readyz",
        "Disallow: /outbox",
        "Disallow: /sample/",
        "",
        f"Sitemap: {paper.origin}/sitemap.xml",
        f"Sitemap: {paper.origin}/sitemap-news.xml",
    ]


def test_without_the_database_a_sitemap_asks_to_come_back(empty_paper: Paper) -> None:
    empty_paper.do(empty_paper.app.db.aclose())
    for file in (empty_paper.folder / "var").glob("syndicate.db*"):
        file.unlink()
    (empty_paper.folder / "var" / "syndicate.db").mkdir()

    for path in ("/sitemap.xml", "/sitemap-pages.xml", MONTH, NEWS):
        answer = empty_paper.get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30"), path
