"""Each checker of tests/formats/rules rejects what breaks its rule, and lets ours pass."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from syndicate.domain.article import Article
from tests.formats.rules import RULES, Document, broken_rules, broken_together, by_the_rules, together
from tests.formats.rules.jsonfeed import ITEM_KEYS, TOP_KEYS
from tests.formats.samples import (
    FEED,
    SITE,
    address,
    built,
    built_archive,
    built_directory,
    corrected,
    latest,
    make_article,
    tombstone,
)

OTHER = replace(FEED, name="kota", title="Kota")
STORIES = [make_article(1), make_article(2)]
GONE = [tombstone(9)]
# As it could be pushed to a partner (RFC 6721 §3); we write none.
DELETED = (
    b"<?xml version='1.0' encoding='UTF-8'?><at:deleted-entry xmlns:at=\"http://purl.org/atompub/tombstones/1.0\""
    b' ref="tag:contohpos.example,2026:9" when="2026-11-24T00:15:00Z"/>'
)


def full(kind: str) -> bytes:
    """With everything that a document can have."""
    return built(kind, STORIES, gone=GONE, archive="2026-10")


GOOD: dict[str, tuple[str, Callable[[], bytes]]] = {
    **{kind: (address(f".{kind}"), partial(full, kind)) for kind in ("rss", "atom", "json")},
    "archive": (address("/2026-09.atom"), lambda: built_archive("2026-09", STORIES, before="2026-07", after="2026-10")),
    "opml": (f"{SITE.public_url}/feeds.opml", lambda: built_directory(FEED, OTHER)),
    "tombstone": (address("/1.tombstone"), lambda: by_the_rules(address("/1.tombstone"), DELETED)),
}
# rule: (sample, pattern, replacement), applied once to a good document
BREAKS: dict[str, tuple[str, str, str]] = {
    "X-01": ("atom", r"<entry([^>]*)><id>tag:", r"<entry\1><id>12345"),
    "X-03": ("json", r'"date_modified":"2026', '"date_modified":"2019'),
    "X-04": ("rss", r"<lastBuildDate>[^<]*", "<lastBuildDate>Mon, 05 Jan 2015 00:00:00 GMT"),
    "X-06": ("rss", r"<item><title>", "<item><title>\x0b"),
    "X-07": ("atom", r"^", "\ufeff"),
    "X-08": ("rss", r"<item>(.*?)<link>[^<]*", r"<item>\1<link>/kota/jembatan satu"),
    "X-09": ("rss", r"<item><title>", "<item><title>A &amp;amp; &lt;b&gt;B&lt;/b&gt;"),
    "X-10": ("json", r'"content_html":"', '"content_html":"<script>x()</script>'),
    "X-11": ("rss", r"<pubDate>[^<]*", "<pubDate>Kam, 01 Okt 2026 07:15:00 WIB"),
    "X-12": ("atom", r"<published>[^<]*", "<published>2026-11-23T07:15+0700"),
    "X-13": ("rss", r"<language>id", "<language>in-ID"),
    "X-14": ("json", r'"date_published":"2026', '"date_published":"2096'),
    "X-15": ("atom", r"<at:deleted-entry.*?</at:deleted-entry>", ""),
    "R-01": ("rss", r"<description>.*?</description>", ""),
    "R-02": ("rss", r"terkini\.rss", "semua.rss"),
    "R-03": ("rss", r"<copyright>", '<atom:link rel="hub" href="/hub"/><copyright>'),
    "R-04": ("rss", r"feeds/terkini/<", "feeds/terkini.rss<"),
    "R-05": ("rss", r"<generator>.*?</generator>", ""),
    "R-06": ("rss", r" \(Contoh Pos\)", ""),
    "R-07": ("rss", r"<ttl>5", "<ttl>0"),
    "R-08": ("rss", r"updateFrequency>12", "updateFrequency>None"),
    "R-09": ("rss", r"<item>", "<image><url>https://a.example/a.webp</url></image><item>"),
    "R-10": ("rss", r'domain="[^"]*"', 'domain="kota"'),
    "R-11": ("rss", r"<item>", "<textInput/><item>"),
    "R-12": ("rss", r"</channel>", "<webMaster>a@b.example (A)</webMaster></channel>"),
    "R-13": ("rss", r"<docs>", '<cloud domain="a.example" port="80" path="/rpc" protocol="http-post"/><docs>'),
    "R-20": ("rss", r"<item>", "<item><title>Dua</title>"),
    "R-21": ("rss", r'isPermaLink="false"', 'isPermaLink="true"'),
    "R-22": ("rss", r"(<item>.*?)(<description>.*?</description>)(<content.*?</content:encoded>)", r"\1\3\2"),
    "R-23": ("rss", r"<content:encoded>[^<]*", "<content:encoded>polos"),
    "R-24": ("rss", r"<dc:creator>", "<author>a@b.example (A)</author><dc:creator>"),
    "R-25": ("rss", r'length="\d*"', 'length=""'),
    "R-26": ("rss", r"<guid", "<source>Antarkota</source><guid"),
    "R-27": ("rss", r"<guid", "<comments>#komentar</comments><guid"),
    "R-28": ("rss", r"<dcterms:modified>.*?</dcterms:modified>", ""),
    "R-29": ("rss", r"&amp;", "&nbsp;"),
    "M-01": ("rss", r'<media:content url="[^"]*"', "<media:content"),
    "M-02": ("rss", r"(<media:content.*?</media:content>)", r"<media:group>\1</media:group>"),
    "M-03": ("atom", r'role="photographer"', 'role="pewarta foto"'),
    "M-04": ("rss", r"<media:thumbnail[^>]*>", ""),
    "A-01": ("atom", r"<subtitle>", "<subtitle>Lagi</subtitle><subtitle>"),
    "A-02": ("atom", r'rel="enclosure" type="[^"]*"', 'rel="alternate" type="text/html"'),
    "A-03": ("atom", r"<id>tag:[^<]*", "<id>https://contohpos.example/feed"),
    "A-04": ("atom", r"<summary>", "<summary>Lagi</summary><summary>"),
    "A-05": ("atom", r'<content type="html">', '<content src="https://a.example/x">'),
    "A-06": ("atom", r'<content type="html">', '<content type="CDATA">'),
    "A-07": ("atom", r' rel="enclosure"', ""),
    "A-08": ("atom", r"<published>", "<source><title>Antarkota</title></source><published>"),
    "A-09": ("atom", r'<feed([^>]*) xml:lang="id"', r"<feed\1"),
    "A-10": ("atom", r"(<entry.*?</entry>)", r"\1\1"),
    "A-11": ("atom", r"(<at:deleted-entry.*</at:deleted-entry>)(.*)</feed>", r"\2\1</feed>"),
    "J-01": ("json", r'"version":"[^"]*",', ""),
    "J-02": ("json", r'"content_html":"(\\.|[^"\\])*",', ""),
    "J-03": ("json", r'"authors":\[', '"author":{"name":"A"},"authors":['),
    "J-04": ("json", r'"tags":\[', '"tags":["sungai",'),
    "J-05": ("json", r'"tags":', '"attachments":[{"url":"https://a.example/a.mp3"}],"tags":'),
    "J-06": ("json", r'"language":', '"hubs":[{"url":"https://a.example/"}],"language":'),
    "J-07": ("json", r'"feed_url":("[^"]*"),', r'"feed_url":\1,"next_url":\1,'),
    "J-08": ("json", r'"_syndicate"', '"syndicate"'),
    "J-09": ("json", r'"summary":"', '"summary":"' + "a" * 1_000_000),
    "P-01": ("atom", r"<subtitle>", '<link rel="next" href="https://a.example/2"/><subtitle>'),
    "P-02": ("atom", r"terkini/2026-10\.atom", "terkini.atom?page=2"),
    "P-03": ("archive", r'rel="current"', 'rel="related"'),
    "P-07": ("archive", r"terkini/2026-10\.atom", "terkini/2026-08.atom"),
    "P-08": ("rss", r"<copyright>", '<fh:archive xmlns:fh="http://purl.org/syndication/history/1.0"/><copyright>'),
    "T-01": ("atom", r' when="[^"]*"', ' when="kemarin"'),
    "T-02": ("atom", r"(<at:comment.*?</at:comment>)", r"\1\1"),
    "T-03": ("json", r'"deleted":\[(.*?)\]', r'"deleted":[\1,\1]'),
    "T-04": ("rss", r'(<at:deleted-entry ref=")[^"]*', r"\1" + STORIES[0].public_id),
    "T-05": ("atom", r'(<at:deleted-entry ref=")[^"]*', r"\1tag:antarkota.example,2026:7"),
    "T-06": ("tombstone", r' when="[^"]*"', ""),
    "O-01": ("opml", r"<title>.*?</title>", ""),
    "O-02": ("opml", r"</head>", "<docs>https://opml.org/spec2.opml</docs></head>"),
    "O-03": ("opml", r' title="[^"]*"', ""),
    "O-04": ("opml", r'type="rss"', 'type="atom"'),
    "O-05": ("opml", r'version="RSS2"', 'version="ATOM1"'),
    "O-06": ("opml", r"<outline", '<outline category="ekonomi"'),
    "O-07": ("opml", r'htmlUrl="[^"]*"', 'htmlUrl=""'),
    "O-08": ("opml", r"</body>", ""),
}


def test_every_rule_has_a_broken_sample() -> None:
    assert set(BREAKS) == set(RULES)


@pytest.mark.parametrize("rule", BREAKS)
def test_rule_rejects_a_document_that_breaks_it(rule: str, request: pytest.FixtureRequest) -> None:
    if rule == "A-11":
        request.getfixturevalue("shared")  # the grammar lies there
    sample, pattern, replacement = BREAKS[rule]
    url, good = GOOD[sample]
    kind = "atom" if sample == "archive" else sample

    before = good().decode()
    broken = re.sub(pattern, replacement, before, count=1, flags=re.DOTALL)

    assert broken != before
    found = broken_rules(kind, broken.encode(), url=url, now=latest(STORIES, GONE), withdrawn={GONE[0].ref})
    assert rule in found


@pytest.mark.parametrize("href", ["", "/hub", address(".rss")])
def test_a_hub_that_is_none_is_rejected_and_a_real_one_is_not(href: str) -> None:
    with_hub = full("rss").replace(b"<copyright>", b'<atom:link rel="hub" href="HUB"/><copyright>')

    assert "R-03" in broken_rules("rss", with_hub.replace(b"HUB", href.encode()), url=address(".rss"))
    assert broken_rules("rss", with_hub.replace(b"HUB", b"https://hub.contohpos.example/"), url=address(".rss")) == {}


def test_a_cloud_that_one_can_register_with_is_none_to_reject() -> None:
    cloud = b'<cloud domain="a.example" port="80" path="/rpc" registerProcedure="" protocol="http-post"/><docs>'

    assert broken_rules("rss", full("rss").replace(b"<docs>", cloud), url=address(".rss")) == {}


def test_the_keys_of_json_feed_are_those_of_its_schema(shared: Path) -> None:
    schema = json.loads((shared / "schemas" / "feed.json").read_text("utf-8"))

    assert schema["properties"].keys() - {"author"} == TOP_KEYS
    assert schema["definitions"]["item"]["properties"].keys() - {"author"} == ITEM_KEYS


def newest(stories: Sequence[Article], archive: str) -> Document:
    return Document(kind="atom", raw=built("atom", stories, archive=archive), url=address(".atom"))


def archived(
    month: str, stories: Sequence[Article], *, before: str | None = None, after: str | None = None
) -> Document:
    raw = built_archive(month, stories, before=before, after=after)
    return Document(kind="atom", raw=raw, url=address(f"/{month}.atom"))


def month_of_stories(first: int) -> list[Article]:
    return [make_article(number) for number in range(first, first + 3)]


def family() -> list[Document]:
    """A feed and its three archives; the newest document has a story of the last one too, and one put right since."""
    may, june, august = month_of_stories(1), month_of_stories(4), month_of_stories(7)
    june[1] = corrected(5)
    return [
        newest([make_article(10), august[2], june[1]], "2026-08"),
        archived("2026-08", august, before="2026-06"),
        archived("2026-06", june, before="2026-05", after="2026-08"),
        archived("2026-05", may, after="2026-06"),
    ]


def test_walking_the_archives_brings_every_story_exactly_once() -> None:
    documents = family()

    held = together.merged(together.walk(documents, documents[0]))

    assert broken_together(documents) == {}
    assert sorted(held) == sorted(make_article(number).public_id for number in range(1, 11))


def test_a_client_keeps_the_newest_of_two_and_of_equals_that_of_the_newest_document() -> None:
    old, new = make_article(1, title="Dulu"), corrected(1, title="Kini")
    documents = [newest([new], "2026-08"), archived("2026-08", [old])]

    assert [entry.title for entry in together.merged(documents).values()] == ["Kini"]
    assert [entry.title for entry in together.merged([*reversed(documents)]).values()] == ["Kini"]
    same = [newest([make_article(1, title="Kini")], "2026-08"), archived("2026-08", [old])]
    assert [entry.title for entry in together.merged(same).values()] == ["Kini"]


def changed(document: Document, old: str, new: str) -> Document:
    assert old in document.raw.decode()
    return replace(document, raw=document.raw.replace(old.encode(), new.encode()))


def broken_families() -> dict[str, list[Document]]:
    """By rule, documents that are right one by one, or nearly so, and not together."""
    current, august, june, may = family()
    renamed = changed(august, make_article(9).public_id, "tag:contohpos.example,2026:lain")
    return {
        "X-02": [current, renamed],
        "X-05": [current, newest([make_article(10)], "2026-08")],
        "P-02": [newest([make_article(10), corrected(5)], "2026-06"), august, june, may],
        "P-04": [current, changed(august, "2026:feed/terkini", "2026:feed/lain"), june, may],
        "P-05": [newest([make_article(10)], "2026-08"), august, june, may],
        "P-06": [current, august, archived("2026-06", [make_article(7)], before="2026-05", after="2026-08"), may],
    }


@pytest.mark.parametrize("rule", together.RULES)
def test_rule_rejects_documents_that_break_it_together(rule: str) -> None:
    assert rule in broken_together(broken_families()[rule])


def test_an_archive_that_nobody_is_led_to_is_found() -> None:
    current, august, _, may = family()

    assert "P-06" in broken_together([current, august, may])


def test_an_article_has_one_name_in_every_feed_and_format() -> None:
    documents = [
        Document(kind=kind, raw=built(kind, STORIES, feed), url=address(f".{kind}", feed))
        for feed in (FEED, OTHER)
        for kind in ("rss", "atom", "json")
    ]

    assert broken_together(documents) == {}
    assert {entry.id for doc in documents for entry in doc.entries} == {article.public_id for article in STORIES}
