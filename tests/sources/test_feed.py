"""A newsroom seen through its feed, over real HTTP and through the real jail (gather.md §1.1 to §1.8)."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from syndicate.domain.article import Content
from syndicate.domain.markup import plain_text
from syndicate.domain.source import Fault, Gathered, Look, Memory, Relation
from syndicate.jail import Jail
from syndicate.net.client import Client
from syndicate.sources import moves
from syndicate.sources.feed import FeedSource
from tests.servers.http import Handler, Site, answer, hang_up, redirect, truncated
from tests.sources.conftest import NOW, MakeConfig, Recorded

EMPTY = Memory()


def rss(*items: str, build: str = "", title: str = "Koran") -> bytes:
    stamp = f"<lastBuildDate>{build}</lastBuildDate>" if build else ""
    body = "".join(items)
    return (
        f'<rss version="2.0"><channel><title>{title}</title><link>https://koran.example/</link>'
        f"<description>x</description>{stamp}{body}</channel></rss>"
    ).encode()


def item(number: int = 1, text: str = "Isi.") -> str:
    return (
        f"<item><title>Berita {number}</title><link>https://koran.example/{number}</link>"
        f"<guid>https://koran.example/?p={number}</guid><pubDate>Fri, 20 Nov 2026 01:00:00 +0000</pubDate>"
        f"<description>{text}</description></item>"
    )


@pytest.fixture
def source(site: Site, client: Client, jail: Jail, make_config: MakeConfig) -> FeedSource:
    return FeedSource(make_config(site.url("/feed/")), client, jail)


async def look(source: FeedSource, memory: Memory = EMPTY, *, later: timedelta = timedelta()) -> Gathered:
    return await source.gather(memory, now=NOW + later)


def remembered(gathered: Gathered) -> Memory:
    assert gathered.memory is not None, gathered
    return gathered.memory


async def test_wordpress_is_read_and_its_validators_come_with_the_stories(
    site: Site, source: FeedSource, recorded: Recorded
) -> None:
    site.on("/feed/", recorded("feed"))
    first = await look(source)
    assert first.look is Look.OK
    keys = [article.key for article in first.articles]
    assert keys == ["wp:18", "wp:11", "wp:10", "wp:43", "wp:9", "wp:8", "wp:7", "wp:6", "wp:12"]
    assert remembered(first).values["etag"] == '"f723c12edfd160f8cdfe51cea8ea1e4d"'
    assert remembered(first).values["last_modified"] == "Mon, 02 Jun 2025 05:00:00 GMT"
    assert len(first.problems) == 1
    assert "password" in first.problems[0]


async def test_both_validators_are_sent_byte_for_byte_and_304_is_unchanged(
    site: Site, source: FeedSource, recorded: Recorded
) -> None:
    site.on("/feed/", recorded("feed"))
    first = await look(source)
    site.on("/feed/", recorded("feed_304"))
    second = await look(source, remembered(first))
    assert second.look is Look.UNCHANGED
    assert site.requests[1].headers["if-none-match"] == '"f723c12edfd160f8cdfe51cea8ea1e4d"'
    assert site.requests[1].headers["if-modified-since"] == "Mon, 02 Jun 2025 05:00:00 GMT"
    assert second.memory == first.memory


async def test_a_304_may_bring_newer_validators(site: Site, source: FeedSource) -> None:
    site.on("/feed/", answer(200, rss(item()), {"ETag": 'W/"a"', "Last-Modified": "Mon, 02 Jun 2025 05:00:00 GMT"}))
    first = await look(source)
    site.on("/feed/", answer(304, headers={"ETag": 'W/"b"'}))
    second = await look(source, remembered(first))
    assert site.requests[1].headers["if-none-match"] == 'W/"a"'
    assert remembered(second).values["etag"] == 'W/"b"'
    assert remembered(second).values["last_modified"] == "Mon, 02 Jun 2025 05:00:00 GMT"


async def test_a_304_that_nobody_asked_for_is_a_failure(site: Site, source: FeedSource) -> None:
    site.on("/feed/", answer(304))
    assert (await look(source)).look is Look.FAILED


async def test_strip_weak_etag_sends_the_strong_form(
    site: Site, client: Client, jail: Jail, make_config: MakeConfig
) -> None:
    source = FeedSource(make_config(site.url("/feed/"), strip_weak_etag=True), client, jail)
    site.on("/feed/", answer(200, rss(item()), {"ETag": 'W/"a"'}))
    first = await look(source)
    await look(source, remembered(first))
    assert site.requests[1].headers["if-none-match"] == '"a"'


async def test_the_same_body_sent_again_is_unchanged_whatever_its_build_date(site: Site, source: FeedSource) -> None:
    site.on("/feed/", answer(200, rss(item(), build="Mon, 02 Jun 2025 05:00:00 GMT"), {"ETag": '"a"'}))
    first = await look(source)
    site.on("/feed/", answer(200, rss(item(), build="Tue, 03 Jun 2025 05:00:00 GMT")))
    second = await look(source, remembered(first))
    assert second.look is Look.UNCHANGED
    assert "etag" not in remembered(second).values


async def test_wordpress_sends_all_again_for_a_weakened_tag_and_it_is_unchanged(
    site: Site, source: FeedSource, recorded: Recorded
) -> None:
    site.on("/feed/", recorded("feed"))
    first = await look(source)
    site.on("/feed/", recorded("feed_weak_etag_200"))
    assert (await look(source, remembered(first))).look is Look.UNCHANGED


async def test_validators_are_ignored_when_expires_is_zero(site: Site, source: FeedSource) -> None:
    site.on("/feed/", answer(200, rss(item()), {"ETag": '"a"', "Expires": "0"}))
    assert "etag" not in remembered(await look(source)).values


async def test_another_zone_asks_anew(
    site: Site, source: FeedSource, client: Client, jail: Jail, make_config: MakeConfig
) -> None:
    site.on("/feed/", answer(200, rss(item()), {"ETag": '"a"'}))
    first = await look(source)
    other = FeedSource(make_config(site.url("/feed/"), zone="Asia/Makassar"), client, jail)
    again = await look(other, remembered(first))
    assert again.look is Look.OK
    assert "if-none-match" not in site.requests[1].headers


async def test_an_updated_story_is_seen_and_leaving_the_feed_is_no_evidence(
    site: Site, source: FeedSource, recorded: Recorded
) -> None:
    site.on("/feed/", recorded("feed"))
    first = await look(source)
    site.on("/feed/", recorded("feed_after_update"))
    second = await look(source, remembered(first))
    assert second.look is Look.OK
    assert {a.key for a in second.articles} != {a.key for a in first.articles} or second.articles != first.articles
    assert second.gone == {"wp:13"}  # the newsroom put it behind a password
    site.on("/feed/", recorded("feed_after_trash_inm_200"))
    third = await look(source, remembered(second))
    assert third.look is Look.OK
    assert third.gone == {"wp:13"}


@pytest.mark.parametrize("name", ["feed_atom", "feed_rdf", "feed_category_parent", "feed_paged2", "feed_excerpt_only"])
async def test_other_feeds_of_wordpress_are_read(name: str, site: Site, source: FeedSource, fixtures: Path) -> None:
    site.on("/feed/", answer(200, (fixtures / "wp" / f"{name}.xml").read_bytes()))
    gathered = await look(source)
    assert gathered.look is Look.OK, gathered.problem
    assert gathered.articles


async def test_atom_and_rss_of_one_site_give_the_same_stories(
    site: Site, source: FeedSource, recorded: Recorded
) -> None:
    site.on("/feed/", recorded("feed"))
    from_rss = await look(source)
    site.on("/feed/", recorded("feed_atom"))
    from_atom = await look(source)
    pairs = zip(from_rss.articles, from_atom.articles, strict=True)
    for one, other in pairs:
        assert (one.key, one.aliases) == (other.key, other.aliases)
        assert _essence(one.content) == _essence(other.content)


def _essence(content: Content) -> tuple[object, ...]:
    return (content.title, content.url, content.published, content.body_html, content.tags, content.authors)


@pytest.mark.parametrize("name", ["seed_article_rss", "seed_article_rss_excerpt_only"])
async def test_the_seed_article(
    name: str, site: Site, client: Client, jail: Jail, make_config: MakeConfig, fixtures: Path
) -> None:
    expected = json.loads((fixtures / "seed_article_expected.json").read_text())
    site.on("/feed/", answer(200, (fixtures / f"{name}.xml").read_bytes()))
    config = make_config(site.url("/feed/"), sections=("kota-malang", "Pemerintahan"))
    (article,) = (await look(FeedSource(config, client, jail))).articles
    content = article.content
    assert (content.title, content.url) == (expected["title"], expected["canonical"])
    assert content.published.isoformat() == "2025-05-19T03:12:00+00:00"
    assert content.tags == tuple(expected["tags"])
    assert content.sections == ("kota-malang", "Pemerintahan")
    assert content.authors == (expected["author"],)
    assert article.key == "wp:187654"
    assert content.summary.startswith("Pelatihan Leadership")
    assert not any(word in content.body_html for word in expected["must_not_contain"])
    if name == "seed_article_rss":
        assert plain_text(content.body_html).split("\n") == expected["paragraphs"]
        assert content.flags == ()
    else:
        assert content.flags == ("excerpt_only",)


async def test_titles_and_entities_of_wordpress(site: Site, source: FeedSource, recorded: Recorded) -> None:
    site.on("/feed/", recorded("feed"))
    by_key = {article.key: article.content for article in (await look(source)).articles}
    assert by_key["wp:6"].title == "Harga Cabai & Bawang “Naik” – Warga Sawojajar Mengeluh"
    assert "🌶" in by_key["wp:6"].body_html
    assert by_key["wp:8"].summary == "Ringkasan yang ditulis redaksi."
    picture = by_key["wp:11"].picture
    assert picture is not None
    assert picture.url == "http://127.0.0.1:8622/wp-content/uploads/iklan-top.jpg"
    assert picture.credit == "IST"
    assert "youtube.com/watch?v=" in by_key["wp:10"].body_html
    assert "script" not in by_key["wp:18"].body_html


async def test_a_changed_guid_keeps_the_link_as_a_common_name(site: Site, source: FeedSource) -> None:
    site.on("/feed/", answer(200, rss(item(1))))
    (old,) = (await look(source)).articles
    site.on("/feed/", answer(200, rss(item(1).replace("?p=1<", "?p=901<"))))
    (new,) = (await look(source)).articles
    assert old.key != new.key
    assert set(old.aliases) & set(new.aliases) == {"https://koran.example/1"}


async def test_at_most_500_entries_are_taken(site: Site, source: FeedSource) -> None:
    site.on("/feed/", answer(200, rss(*(item(number) for number in range(1, 700)))))
    gathered = await look(source)
    assert (gathered.look, len(gathered.articles)) == (Look.OK, 500)


# Everything that is not a good feed.


@pytest.mark.parametrize("content_type", ["text/html", "application/rss+xml"])
async def test_html_where_a_feed_was_due_is_the_wrong_type(content_type: str, site: Site, source: FeedSource) -> None:
    page = b"<!DOCTYPE html><html><head><title>Login</title></head><body><p>Masuk</p></body></html>"
    site.on("/feed/", answer(200, page, {"Content-Type": content_type, "ETag": '"x"'}))
    gathered = await look(source)
    assert (gathered.look, gathered.memory, gathered.articles) == (Look.FAILED, None, ())
    assert "wrong type" in gathered.problem


@pytest.mark.parametrize(
    "body", [b"", b"   ", b"maaf", b"{}", b"[1]", b'{"version": 1}', b"<doctype><p>", b"\xff\xfe\x00"]
)
async def test_what_is_no_feed_fails(body: bytes, site: Site, source: FeedSource) -> None:
    site.on("/feed/", answer(200, body))
    assert (await look(source)).look is Look.FAILED


async def test_no_entries_where_there_were_some_is_a_failure_and_the_validators_stay(
    site: Site, source: FeedSource
) -> None:
    site.on("/feed/", answer(200, rss()))
    assert (await look(source)).look is Look.OK
    site.on("/feed/", answer(200, rss(item()), {"ETag": '"a"'}))
    first = await look(source)
    site.on("/feed/", answer(200, rss(), {"ETag": '"b"'}))
    second = await look(source, remembered(first))
    assert (second.look, second.memory, second.gone) == (Look.FAILED, None, frozenset())


async def test_a_readable_but_malformed_feed_is_taken_without_its_validators(site: Site, source: FeedSource) -> None:
    site.on("/feed/", answer(200, rss(item(1, "Hujan & angin")), {"ETag": '"a"'}))
    gathered = await look(source)
    assert (gathered.look, gathered.memory) == (Look.DEGRADED, None)
    assert "line 1" in gathered.problem
    assert [article.key for article in gathered.articles] == ["wp:1"]


async def test_a_truncated_body_is_a_failure(site: Site, source: FeedSource) -> None:
    body = rss(item(1), item(2))
    site.on("/feed/", truncated(body[: len(body) // 2], len(body)))
    gathered = await look(source)
    assert (gathered.look, gathered.articles) == (Look.FAILED, ())
    assert "cut short" in gathered.problem


async def test_no_answer_is_a_failure(site: Site, source: FeedSource) -> None:
    site.on("/feed/", hang_up)
    assert (await look(source)).look is Look.FAILED


@pytest.mark.parametrize("status", [201, 204, 206, 226, 400, 418, 451, 500, 502])
async def test_other_answers_are_failures(status: int, site: Site, source: FeedSource) -> None:
    site.on("/feed/", answer(status, b"" if status == 204 else rss(item())))
    gathered = await look(source)
    assert (gathered.look, gathered.suspend, gathered.articles) == (Look.FAILED, False, ())
    assert str(status) in gathered.problem


async def test_wordpress_answers_404_with_a_valid_feed_and_the_status_counts(
    site: Site, source: FeedSource, recorded: Recorded
) -> None:
    site.on("/feed/", recorded("feed_paged99_404"))
    gathered = await look(source)
    assert gathered.look is Look.FAILED
    assert "etag" not in remembered(gathered).values


async def test_404_suspends_after_five_in_three_days_and_a_good_answer_forgets_them(
    site: Site, source: FeedSource
) -> None:
    site.on("/feed/", answer(200, rss(item())))
    memory = remembered(await look(source))
    site.on("/feed/", answer(404))
    suspended = []
    for day in range(5):
        gathered = await look(source, memory, later=timedelta(days=day))
        memory = remembered(gathered)
        suspended.append(gathered.suspend)
    assert suspended == [False, False, False, False, True]
    site.on("/feed/", answer(200, rss(item())))
    assert "missing" not in remembered(await look(source, memory)).values


async def test_410_suspends_at_once(site: Site, source: FeedSource) -> None:
    site.on("/feed/", answer(410))
    assert (await look(source)).suspend


@pytest.mark.parametrize("status", [401, 403])
async def test_a_closed_door_is_tried_again_in_a_day(status: int, site: Site, source: FeedSource) -> None:
    site.on("/feed/", answer(status, b"", {"cf-mitigated": "challenge"}))
    gathered = await look(source)
    assert gathered.retry_after == timedelta(days=1)
    assert "Cloudflare" in gathered.problem


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "120"}, timedelta(seconds=120)),
        (
            {"Retry-After": "Tue, 01 Jan 2030 00:10:00 GMT", "Date": "Tue, 01 Jan 2030 00:00:00 GMT"},
            timedelta(minutes=10),
        ),
        ({"Retry-After": "99999999"}, timedelta(days=1)),
        ({"Retry-After": "nanti"}, timedelta(minutes=10)),
        ({}, timedelta(minutes=10)),
    ],
)
async def test_a_request_to_wait_is_heeded(
    status: int, headers: dict[str, str], wait: timedelta, site: Site, source: FeedSource
) -> None:
    site.on("/feed/", answer(status, b"", headers))
    assert (await look(source)).retry_after == wait


async def test_a_permanent_move_is_followed_and_told(site: Site, source: FeedSource) -> None:
    site.on("/feed/", redirect(site.url("/baru/"), 301))
    site.on("/baru/", answer(200, rss(item())))
    gathered = await look(source)
    assert gathered.look is Look.OK
    assert f"has moved for good to {site.url('/baru/')}; please change its url" in gathered.problem
    again = await look(source, remembered(gathered))
    assert (again.look, again.problem) == (Look.UNCHANGED, gathered.problem)


async def looks_at(source: FeedSource, site: Site, *hours: int, memory: Memory = EMPTY) -> tuple[list[str], Memory]:
    """Which paths were asked first in looks at these hours, and what is remembered after them."""
    asked = []
    for hour in hours:
        before = len(site.requests)
        memory = remembered(await look(source, memory, later=timedelta(hours=hour)))
        asked.append(site.requests[before].path)
    return asked, memory


async def test_the_new_address_is_asked_after_three_good_looks_over_a_day(site: Site, source: FeedSource) -> None:
    site.on("/feed/", redirect(site.url("/baru/"), 308))
    site.on("/baru/", answer(200, rss(item()), {"ETag": '"a"'}))
    asked, memory = await looks_at(source, site, 0, 1, 2, 23, 24, 25)
    last = await look(source, memory, later=timedelta(hours=26))
    assert asked == ["/feed/"] * 5 + ["/baru/"]
    old, new = site.url("/feed/"), site.url("/baru/")
    assert last.problem == f"The feed {old} moved for good to {new} and is asked there; please change its url."


async def test_a_day_alone_does_not_make_an_address_the_right_one(site: Site, source: FeedSource) -> None:
    site.on("/feed/", redirect(site.url("/baru/"), 301))
    site.on("/baru/", answer(200, rss(item())))
    asked, _ = await looks_at(source, site, 0, 48, 49)
    assert asked == ["/feed/"] * 3


async def test_a_move_that_is_taken_back_in_between_is_counted_anew(site: Site, source: FeedSource) -> None:
    site.on("/baru/", answer(200, rss(item())))
    site.on("/feed/", redirect(site.url("/baru/"), 301))
    _, memory = await looks_at(source, site, 0, 1)
    site.on("/feed/", answer(200, rss(item())))
    _, memory = await looks_at(source, site, 2, memory=memory)
    site.on("/feed/", redirect(site.url("/baru/"), 301))
    asked, _ = await looks_at(source, site, 25, 26, 27, memory=memory)
    assert asked == ["/feed/"] * 3


async def test_what_is_not_the_same_feed_is_never_taken_for_its_new_address(site: Site, source: FeedSource) -> None:
    site.on("/feed/", answer(200, rss(item(1), item(2))))
    _, memory = await looks_at(source, site, 0)
    site.on("/feed/", redirect(site.url("/komentar/"), 301))
    site.on("/komentar/", answer(200, rss(item(8), item(9))))
    asked, _ = await looks_at(source, site, 1, 20, 30, 40, 50, memory=memory)
    assert asked == ["/feed/"] * 5


def test_a_move_to_another_site_waits_for_the_operator() -> None:
    old, new = "https://koran.example/feed/", "https://lain.example/feed/"
    assert moves.watched({}, old, new_url=new, is_same=True, now=NOW) == {}
    assert moves.notice({}, old, new_url=new) == (
        f"has moved for good to another site, {new}; if that is right, please change its url"
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://koran.co.id/feed/", "https://www.koran.co.id/umpan", True),
        ("https://koran.co.id/", "https://media.kota.koran.co.id/", True),
        ("https://koran.co.id/", "https://lain.co.id/", False),
        ("https://koran.github.io/", "https://lain.github.io/", False),
        ("https://koran.example/", "https://www.koran.example/", True),  # no public suffix: all but `www.` counts
        ("http://127.0.0.1:80/", "http://127.0.0.2:80/", False),
        ("http://[::1]/", "http://[::1]:8080/", True),
    ],
)
def test_one_site_is_one_registrable_domain(one: str, other: str, same: bool) -> None:
    assert moves.same_site(one, other) is same


async def test_another_address_in_the_config_forgets_the_move(
    site: Site, client: Client, jail: Jail, make_config: MakeConfig
) -> None:
    site.on("/feed/", redirect(site.url("/baru/"), 301))
    site.on("/baru/", answer(200, rss(item())))
    old = FeedSource(make_config(site.url("/feed/")), client, jail)
    _, memory = await looks_at(old, site, 0, 12, 24)
    new = FeedSource(make_config(site.url("/baru/")), client, jail)
    assert (await look(new, memory, later=timedelta(hours=25))).problem == ""


@pytest.mark.parametrize("status", [404, 410])
async def test_when_the_new_address_is_gone_the_old_one_is_asked_again(
    status: int, site: Site, source: FeedSource
) -> None:
    site.on("/feed/", redirect(site.url("/baru/"), 301))
    site.on("/baru/", answer(200, rss(item())))
    _, memory = await looks_at(source, site, 0, 12, 24)
    site.on("/baru/", answer(status))
    site.on("/feed/", answer(200, rss(item())))
    gone = await look(source, memory, later=timedelta(hours=25))
    asked, _ = await looks_at(source, site, 26, memory=remembered(gone))
    assert (gone.look, gone.suspend, site.url("/baru/") in gone.problem) == (Look.FAILED, False, True)
    assert asked == ["/feed/"]


async def test_a_temporary_move_is_followed_in_silence(site: Site, source: FeedSource) -> None:
    site.on("/feed/", redirect(site.url("/baru/"), 302))
    site.on("/baru/", answer(200, rss(item())))
    assert (await look(source)).problem == ""


# What we owe the newsroom.


@pytest.mark.parametrize(
    ("handler", "fault"),
    [
        (answer(200, b"<!doctype html><title>Masuk</title>"), Fault.HARD),
        (answer(200, b""), Fault.HARD),
        (answer(403), Fault.HARD),
        (answer(200, rss(item()), {"Content-Encoding": "br"}), Fault.HARD),
        (answer(500), Fault.SOFT),
        (answer(404), Fault.SOFT),
        (answer(503), Fault.TEMPORARY),
        (answer(429), Fault.TEMPORARY),
        (hang_up, Fault.SOFT),
        (truncated(b"<rss>", 900), Fault.TEMPORARY),
    ],
)
async def test_a_failure_says_whether_waiting_may_mend_it(
    handler: Handler, fault: Fault, site: Site, source: FeedSource
) -> None:
    site.on("/feed/", handler)
    assert (await look(source)).fault is fault


@pytest.mark.parametrize(
    ("module", "hours"),
    [
        ("<sy:updatePeriod>\n\thourly\t</sy:updatePeriod>\n<sy:updateFrequency>\n\t1\t</sy:updateFrequency>", 1),
        ("<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>", 6),
        ("<sy:updatePeriod>weekly</sy:updatePeriod><sy:updateFrequency>0</sy:updateFrequency>", 168),
        ("<sy:updatePeriod>seldom</sy:updatePeriod>", None),
        ("", None),
    ],
)
async def test_the_interval_a_feed_asks_for_is_told_at_every_look(
    module: str, hours: int | None, site: Site, source: FeedSource
) -> None:
    feed = rss(item()).replace(b"<rss ", b'<rss xmlns:sy="http://purl.org/rss/1.0/modules/syndication/" ')
    site.on("/feed/", answer(200, feed.replace(b"<item>", module.encode() + b"<item>", 1)))
    first = await look(source)
    second = await look(source, remembered(first))
    wanted = timedelta(hours=hours) if hours else None
    assert (first.asked_interval, second.look, second.asked_interval) == (wanted, Look.UNCHANGED, wanted)


@pytest.mark.parametrize(
    ("relation", "kept_out"), [(Relation.OWNER, False), (Relation.PARTNER, False), (Relation.STRANGER, True)]
)
async def test_robots_txt_keeps_us_out_of_the_feeds_of_strangers(
    relation: Relation, kept_out: bool, site: Site, client: Client, jail: Jail, make_config: MakeConfig
) -> None:
    site.on("/robots.txt", answer(200, b"User-agent: *\nDisallow: /feed"))
    site.on("/feed/", answer(200, rss(item())))
    source = FeedSource(make_config(site.url("/feed/"), relation=relation), client, jail)
    gathered = await look(source)
    assert (gathered.look is Look.FAILED) is kept_out
    assert ("/robots.txt" in gathered.problem) is kept_out
    assert ('relation = "owner"' in gathered.problem) is kept_out
    assert (gathered.retry_after is not None) is kept_out
    assert ([heard.path for heard in site.requests] == ["/robots.txt"]) is kept_out
