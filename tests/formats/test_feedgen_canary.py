"""feedgen 1.0.0 still has each defect that formats/entry.py works around. When one of these fails, upstream mended it.

Beside each canary stands what we write instead, where that isn't shown elsewhere.
"""

import locale
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import feedgen.entry
import feedgen.feed
import feedgen.util
import pytest
from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator
from lxml import etree

from tests.formats.samples import T0, awkward, built, make_article

ROOT = Path(__file__).resolve().parents[2]


def plain_feed() -> Any:
    generator = FeedGenerator()
    generator.id("tag:contohpos.example,2026:feed")
    generator.title("Contoh Pos")
    generator.description("Kabar")
    generator.link(href="https://contohpos.example/", rel="alternate")
    generator.updated(T0)
    return generator


def plain_entry() -> Any:
    entry = FeedEntry()
    entry.id("tag:contohpos.example,2026:1")
    entry.title("Jembatan dibuka")
    entry.link(href="https://contohpos.example/1", rel="alternate")
    entry.updated(T0)
    return entry


def rss_of(*entries: Any) -> str:
    generator = plain_feed()
    for entry in entries:
        generator.add_entry(entry, order="append")
    return str(generator.rss_str().decode())


def test_01_atom_entry_links_lose_their_attributes() -> None:
    entry = plain_entry()
    entry.link(href="https://contohpos.example/1.jpg", rel="enclosure", type="image/jpeg")

    assert [dict(node.attrib) for node in entry.atom_entry().findall("link")] == [
        {"href": "https://contohpos.example/1"},
        {"href": "https://contohpos.example/1.jpg"},
    ]
    assert b'rel="enclosure" type="image/jpeg"' in built("atom", [make_article()])


def test_02_rss_drops_the_hub() -> None:
    generator = plain_feed()
    generator.link(href="https://hub.example/", rel="hub")
    generator.link(href="https://contohpos.example/", rel="alternate")

    assert b"hub" not in generator.rss_str()


def test_03_syndication_elements_begin_with_a_capital() -> None:
    generator = plain_feed()
    generator.load_extension("syndication")
    generator.syndication.update_period("hourly")

    assert b"UpdatePeriod" in generator.rss_str()
    assert b"<sy:updatePeriod>hourly</sy:updatePeriod>" in built("rss", [])


def test_04_media_goes_into_a_group_of_one() -> None:
    entry = plain_entry()
    entry.load_extension("media")
    entry.media.content({"url": "https://contohpos.example/1.jpg", "medium": "image"})

    assert ":group" in rss_of(entry)
    assert b"group" not in built("rss", [make_article()])


@pytest.mark.parametrize(
    ("bad", "error"), [("\x0b", ValueError), ("\ufffe", ValueError), ("\ud800", UnicodeEncodeError)]
)
def test_05_one_illegal_character_loses_the_whole_feed(bad: str, error: type[Exception]) -> None:
    entry = plain_entry()
    entry.title(f"a{bad}")

    with pytest.raises(error):
        rss_of(entry)


def test_06_dates_switch_the_locale_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    switched: list[object] = []
    # a spy, because the switch is undone before anybody could see it
    monkeypatch.setattr(locale, "setlocale", lambda *arguments: switched.append(arguments))

    feedgen.util.formatRFC2822(T0)

    assert (locale.LC_ALL, "C") in switched


def test_06_we_never_call_what_switches_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(date: datetime) -> str:
        raise AssertionError(f"formatRFC2822 was called for {date}")

    monkeypatch.setattr(feedgen.entry, "formatRFC2822", refuse)
    monkeypatch.setattr(feedgen.feed, "formatRFC2822", refuse)

    assert b"<pubDate>Mon, 23 Nov 2026 00:16:00 GMT</pubDate>" in built("rss", [make_article()])


def test_07_updated_is_the_time_of_day_unless_set() -> None:
    before = datetime.now(UTC)

    assert FeedEntry().updated() >= before
    assert FeedGenerator().updated() >= before
    assert str(before.year + 1).encode() not in built("atom", awkward())
    assert re.findall(rb"<updated>([^<]*)", built("atom", [])) == [T0.isoformat().encode()]


def test_08_entries_are_put_in_front() -> None:
    generator = plain_feed()
    first, second = generator.add_entry(), generator.add_entry()

    assert generator.entry() == [second, first]
    titles = re.findall(rb"<item><title>([^<]*)", built("rss", [make_article(1), make_article(2)]))
    assert titles == [b"Jembatan ke-1 dibuka", b"Jembatan ke-2 dibuka"]


def test_09_the_channel_s_link_is_the_last_one() -> None:
    generator = plain_feed()
    generator.link(href="https://contohpos.example/feed.rss", rel="self")

    assert b"<link>https://contohpos.example/feed.rss</link>" in generator.rss_str()
    assert b"<link>https://berita.contohpos.example/feeds/terkini/</link>" in built("rss", [])


def test_10_authors_are_doubled_or_lost_in_rss() -> None:
    entry = plain_entry()
    entry.author([{"name": "A", "email": "a@b.example"}, {"name": "B", "email": "b@b.example"}, {"name": "C"}])

    assert rss_of(entry).count("<author>") == 2
    assert "C" not in re.sub(r"</?[^>]*>", "", rss_of(entry)).replace("Contoh", "").replace("GMT", "")


def test_11_cdata_leaks_into_atom() -> None:
    entry = plain_entry()
    entry.content("<p>x</p>", type="CDATA")

    assert b'type="CDATA"' in etree.tostring(entry.atom_entry())


def test_12_content_elsewhere_loses_its_type() -> None:
    entry = plain_entry()
    entry.content(src="https://contohpos.example/1.pdf", type="application/pdf")

    assert b"application/pdf" not in etree.tostring(entry.atom_entry())


def test_13_a_description_becomes_atom_content_without_a_type() -> None:
    entry = plain_entry()
    entry.description("<p>x</p>")

    content = entry.atom_entry().find("content")
    assert content.get("type") is None


def test_14_xhtml_breaks_on_html_entities() -> None:
    entry = plain_entry()
    entry.content("a&nbsp;b<br>", type="xhtml")

    with pytest.raises(etree.XMLSyntaxError):
        entry.atom_entry()


def test_15_entries_refuse_link_relations() -> None:
    with pytest.raises(ValueError, match="rel"):
        plain_entry().link(href="https://contohpos.example/l", rel="license")


def test_16_an_atom_source_has_neither_id_nor_date() -> None:
    entry = plain_entry()
    entry.source(url="https://antarkota.example/feed", title="Antarkota")

    assert [node.tag for node in entry.atom_entry().find("source")] == ["title", "link"]


def test_17_text_input_is_written_as_attributes() -> None:
    generator = plain_feed()
    generator.textInput("Cari", "Cari berita", "q", "https://contohpos.example/cari")

    assert b'<textInput title="Cari"' in generator.rss_str()


def test_18_logo_and_image_overwrite_each_other() -> None:
    generator = plain_feed()
    generator.image("https://contohpos.example/a.png", width="500")
    generator.logo("https://contohpos.example/b.png")

    assert b"a.png" not in generator.rss_str()


def test_19_numbers_fail_only_when_written() -> None:
    entry = plain_entry()
    entry.load_extension("media")
    entry.media.content({"url": "https://contohpos.example/1.jpg", "width": 1200}, group=None)

    with pytest.raises(TypeError):
        rss_of(entry)


def test_20_days_come_in_the_order_of_the_hash_seed() -> None:
    code = (
        "import lxml.etree; from feedgen.feed import FeedGenerator; f = FeedGenerator();"
        "f.skipDays(['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']); print(list(f.skipDays()))"
    )
    orders = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True, timeout=60
        ).stdout
        for seed in ("1", "2", "3", "4", "5")
    }

    assert len(orders) > 1
    assert b"skipDays" not in built("rss", awkward())


def test_21_an_entry_can_t_say_its_language() -> None:
    assert not hasattr(FeedEntry(), "language")
    assert b'<entry xml:lang="en">' in built("atom", [make_article(language="en")])


def test_22_bad_addresses_and_double_ids_are_accepted() -> None:
    entry = plain_entry()
    entry.link(href="bukan alamat", rel="alternate")

    assert rss_of(entry, entry).count("<link>bukan alamat</link>") == 2


def test_23_the_atom_tree_has_no_namespace_in_memory() -> None:
    assert plain_entry().atom_entry().tag == "entry"


def test_23_its_util_module_can_t_be_imported_alone() -> None:
    done = subprocess.run([sys.executable, "-c", "import feedgen.util"], cwd=ROOT, capture_output=True, timeout=60)

    assert b"AttributeError" in done.stderr


def test_24_the_last_enclosure_wins() -> None:
    entry = plain_entry()
    entry.enclosure("https://contohpos.example/1.jpg", "1", "image/jpeg")
    entry.enclosure("https://contohpos.example/2.jpg", "1", "image/jpeg")

    assert re.findall(r'<enclosure url="([^"]*)"', rss_of(entry)) == ["https://contohpos.example/2.jpg"]
