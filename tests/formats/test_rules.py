"""Each checker of rules.py rejects a document that breaks its rule, and lets ours pass."""

import re

import pytest

from tests.formats.rules import RULES, broken_rules
from tests.formats.samples import FEED, SITE, built, make_article

# rule: (kind, pattern, replacement), applied once to a good document
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
    "R-01": ("rss", r"<description>.*?</description>", ""),
    "R-02": ("rss", r"terkini\.rss", "semua.rss"),
    "R-04": ("rss", r"feeds/terkini/<", "feeds/terkini.rss<"),
    "R-05": ("rss", r"<generator>.*?</generator>", ""),
    "R-06": ("rss", r" \(Contoh Pos\)", ""),
    "R-07": ("rss", r"<ttl>5", "<ttl>0"),
    "R-08": ("rss", r"updateFrequency>12", "updateFrequency>None"),
    "R-09": ("rss", r"<item>", "<image><url>https://a.example/a.webp</url></image><item>"),
    "R-10": ("rss", r'domain="[^"]*"', 'domain="kota"'),
    "R-11": ("rss", r"<item>", "<textInput/><item>"),
    "R-12": ("rss", r"</channel>", "<webMaster>a@b.example (A)</webMaster></channel>"),
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
    "J-01": ("json", r'"version":"[^"]*",', ""),
    "J-02": ("json", r'"content_html":"(\\.|[^"\\])*",', ""),
    "J-03": ("json", r'"authors":\[', '"author":{"name":"A"},"authors":['),
    "J-04": ("json", r'"tags":\[', '"tags":["sungai",'),
    "J-05": ("json", r'"tags":', '"attachments":[{"url":"https://a.example/a.mp3"}],"tags":'),
    "J-06": ("json", r'"language":', '"hubs":[{"url":"https://a.example/"}],"language":'),
    "J-07": ("json", r'"feed_url":("[^"]*"),', r'"feed_url":\1,"next_url":\1,'),
    "J-08": ("json", r'"_syndicate"', '"syndicate"'),
    "J-09": ("json", r'"summary":"', '"summary":"' + "a" * 1_000_000),
}


def test_every_rule_has_a_broken_sample() -> None:
    assert set(BREAKS) == set(RULES)


@pytest.mark.parametrize("rule", BREAKS)
def test_rule_rejects_a_document_that_breaks_it(rule: str) -> None:
    kind, pattern, replacement = BREAKS[rule]
    good = built(kind, [make_article(1), make_article(2)]).decode()

    broken = re.sub(pattern, replacement, good, count=1, flags=re.DOTALL)

    assert broken != good
    assert rule in broken_rules(kind, broken.encode(), url=f"{SITE.public_url}/feeds/{FEED.name}.{kind}")
