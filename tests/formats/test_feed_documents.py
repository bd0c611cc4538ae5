"""What feeds say about articles, in all three formats, and that a document is the sum of its fragments."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import feedparser
import pytest
from feedgen.feed import FeedGenerator
from lxml import etree

from syndicate.domain.article import Article, Picture
from syndicate.domain.feed import CORRECTIONS_STAY, Tombstone
from syndicate.formats import FORMATS, entry
from syndicate.formats.dates import rfc3339
from syndicate.formats.pack import Frame, Piece, kept_flavour, squeeze
from syndicate.formats.wording import web_address
from syndicate.ports import Format
from tests.formats.rules import NS, Document, broken_together
from tests.formats.samples import (
    FEED,
    PICTURE,
    SITE,
    T0,
    address,
    awkward,
    built,
    built_archive,
    built_directory,
    corrected,
    fragments_of,
    latest,
    make_article,
    tombstone,
    withdrawn,
)

KINDS = ("rss", "atom", "json")


def many(count: int) -> list[Article]:
    return [make_article(number) for number in range(1, count + 1)]


def whole_build(
    kind: str, articles: Sequence[Article], *, gone: Sequence[Tombstone] = (), archive: str | None = None
) -> bytes:
    """The same feed by feedgen alone, without fragments."""
    updated = latest(articles, gone)
    if kind == "rss":
        return written(kind, entry.rss_feed(FEED, SITE, updated=updated, gone=gone), articles)
    return written(kind, entry.atom_feed(FEED, SITE, updated=updated, gone=gone, archive=archive), articles)


def written(kind: str, generator: FeedGenerator, articles: Sequence[Article]) -> bytes:
    for article in articles:
        generator.add_entry(entry.article_entry(article, SITE), order="append")
    return cast(bytes, generator.rss_str() if kind == "rss" else generator.atom_str())


def rss_item(article: Article) -> etree._Element:
    item = etree.fromstring(built("rss", [article])).find("channel/item")
    assert item is not None
    return item


def json_item(article: Article) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads(built("json", [article]))["items"][0])


def parsed(kind: str, article: Article) -> Any:
    """As a reader sees it."""
    return feedparser.parse(built(kind, [article])).entries[0]


@pytest.mark.parametrize("kind", ["rss", "atom"])
@pytest.mark.parametrize("count", [0, 1, 50, 500])
def test_joined_fragments_are_byte_equal_to_a_whole_build(kind: str, count: int) -> None:
    assert built(kind, many(count)) == whole_build(kind, many(count))


@pytest.mark.parametrize("kind", ["rss", "atom"])
@pytest.mark.parametrize("count", [0, 1, 50])
def test_tombstones_and_an_archive_in_the_head_leave_it_byte_equal_to_a_whole_build(kind: str, count: int) -> None:
    more: dict[str, Any] = {"gone": [tombstone(101, note="Sumber & redaksi"), tombstone(102)], "archive": "2026-10"}

    assert built(kind, many(count), **more) == whole_build(kind, many(count), **more)


@pytest.mark.parametrize(
    ("before", "after"), [(None, None), ("2026-09", None), (None, "2026-12"), ("2026-09", "2026-12")]
)
@pytest.mark.parametrize("count", [1, 500])
def test_an_archive_is_byte_equal_to_a_whole_build(count: int, before: str | None, after: str | None) -> None:
    neighbours: dict[str, Any] = {"before": before, "after": after}
    whole = entry.atom_archive(FEED, SITE, updated=latest(many(count)), month="2026-11", **neighbours)

    assert built_archive("2026-11", many(count), **neighbours) == written("atom", whole, many(count))


@pytest.mark.parametrize("kind", ["rss", "atom"])
def test_awkward_articles_are_byte_equal_to_a_whole_build(kind: str) -> None:
    assert built(kind, awkward()) == whole_build(kind, awkward())


@pytest.mark.parametrize("kind", KINDS)
def test_awkward_articles_keep_every_rule(kind: str) -> None:
    document = built(kind, awkward())

    assert len(feedparser.parse(document).entries if kind != "json" else json.loads(document)["items"]) == 11


def test_an_article_has_one_name_in_all_formats() -> None:
    article = make_article()

    names = {parsed("rss", article).id, parsed("atom", article).id, json_item(article)["id"]}

    assert names == {article.public_id}


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_is_the_same_under_every_hash_seed(kind: str) -> None:
    code = (
        "import sys; from tests.formats.samples import built, awkward, tombstone;"
        f"sys.stdout.buffer.write(built({kind!r}, awkward(), gone=[tombstone(12)], archive='2026-10'))"
    )
    root = Path(__file__).resolve().parents[2]
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env=os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": locale},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed, locale in (("1", "C"), ("2", "C.UTF-8"))
    ]

    here = built(kind, awkward(), gone=[tombstone(12)], archive="2026-10")
    builds = [Document(kind=kind, raw=raw, url=address(f".{kind}")) for raw in (here, *outputs)]

    assert broken_together(builds) == {}


def test_formats_load_without_feedgen_and_lxml() -> None:
    code = "import sys, syndicate.formats; print([m for m in ('feedgen', 'lxml', 'jinja2') if m in sys.modules])"
    root = Path(__file__).resolve().parents[2]

    out = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, check=True, timeout=60, text=True
    ).stdout

    assert out.strip() == "[]"


def test_the_lead_picture_stands_before_a_body_that_lacks_it() -> None:
    body = json_item(make_article())["content_html"]

    assert body.startswith('<figure><img src="https://berita.contohpos.example/media/5f2a')
    assert "<figcaption>Jembatan dilihat dari tepi timur. (Contoh Pos/Wira)</figcaption></figure><p>" in body


def test_a_feed_says_a_credit_once() -> None:
    said = replace(PICTURE, caption="Jembatan baru. (Foto: Contoh Pos/Wira)")

    assert (
        "<figcaption>Jembatan baru. (Foto: Contoh Pos/Wira)</figcaption>"
        in json_item(make_article(picture=said))["content_html"]
    )


def test_a_picture_that_the_body_shows_is_not_shown_twice() -> None:
    url = "https://cdn.contohpos.example/a.jpg?w=1&h=2"
    body = '<p><img src="https://cdn.contohpos.example/a.jpg?w=1&amp;h=2" alt="x"></p>'

    shown = json_item(make_article(body_html=body, picture=Picture(url=url)))["content_html"]

    assert shown == body


def test_rss_carries_the_picture_with_its_credit() -> None:
    item = rss_item(make_article())
    media = item.find("media:content", NS)
    enclosure = item.find("enclosure")

    assert media is not None
    assert enclosure is not None
    assert media.get("url") == enclosure.get("url") == f"{SITE.public_url}/media/{PICTURE.media}"
    assert (media.get("width"), media.get("fileSize"), enclosure.get("length")) == ("1200", "180000", "180000")
    assert media.findtext("media:credit", namespaces=NS) == "Contoh Pos/Wira"
    assert item.find("media:group", NS) is None


def test_a_reader_opens_the_article_and_not_its_picture() -> None:
    article = make_article()

    assert parsed("atom", article).link == article.content.url
    assert [link.rel for link in parsed("atom", article).links] == ["alternate", "enclosure"]


def test_sections_have_a_taxonomy_and_tags_have_none() -> None:
    categories = [(node.text, node.get("domain")) for node in rss_item(make_article()).findall("category")]

    assert categories == [
        ("Daerah/Semarang", f"{SITE.public_url}/sections"),
        ("jembatan", None),
        ("sungai", None),
    ]


def test_every_author_is_named_once() -> None:
    article = make_article()

    creators = [node.text for node in rss_item(article).findall("dc:creator", NS)]

    assert tuple(creators) == article.content.authors
    assert [author.name for author in parsed("atom", article).authors] == list(article.content.authors)


def test_an_article_without_a_page_of_its_own_links_to_ours() -> None:
    article = make_article(url=None)

    assert json_item(article)["url"] == f"{SITE.public_url}/articles/{article.id}"


@pytest.mark.parametrize("kind", ["rss", "atom"])
def test_a_withdrawn_article_keeps_its_name_and_shows_only_the_notice(kind: str) -> None:
    article = withdrawn(note="Sumber & redaksi menarik keterangannya.")

    seen = parsed(kind, article)

    assert seen.id == article.public_id
    assert seen.title == "[DITARIK] Jembatan ke-1 dibuka"
    assert "Artikel ini ditarik oleh redaksi pada 24 November 2026. Sumber" in seen.content[0].value
    assert b"menyeberang" not in built(kind, [article])
    assert b"/media/" not in built(kind, [article])
    assert seen.updated_parsed[:5] == article.changed_at.timetuple()[:5]


def test_a_withdrawn_article_says_so_in_json_and_in_its_own_language() -> None:
    item = json_item(withdrawn(language="en", note="The source took it back."))

    assert item["title"].startswith("[WITHDRAWN] ")
    assert item["summary"].startswith("This article was withdrawn by the newsroom on 24 November 2026.")
    assert item["_syndicate"] == {"version": 1, "state": "withdrawn", "note": "The source took it back."}
    assert "image" not in item


def test_the_date_of_a_notice_is_the_newsroom_s_own() -> None:
    late_evening_utc = T0.replace(day=24, hour=18)

    body = json_item(withdrawn(changed_at=late_evening_utc))["content_html"]

    assert "25 November 2026" in body


@pytest.mark.parametrize("kind", ["rss", "atom"])
def test_words_that_look_like_a_tag_are_not_dropped_by_readers(kind: str) -> None:
    article = make_article(title="Pasar <pangan> murah, <2> hari", summary="Bila a < b & c > d, <i>baca</i> <a <b> c>.")

    seen = parsed(kind, article)

    assert seen.title == json_item(article)["title"] == "Pasar ‹pangan› murah, ‹2› hari"
    assert json_item(article)["summary"] == "Bila a < b & c > d, ‹i›baca‹/i› ‹a ‹b› c›."


@pytest.mark.parametrize("kind", KINDS)
def test_a_story_that_left_is_named_with_what_its_notice_said(kind: str) -> None:
    gone = tombstone(note="Sumber & redaksi menarik keterangannya.")

    document = built(kind, many(2), gone=[gone])

    assert deleted(kind, document) == [
        {
            "name": gone.ref,
            "when": rfc3339(gone.withdrawn_at + CORRECTIONS_STAY),
            "comment": f"Artikel ini ditarik oleh redaksi pada 24 November 2026. {gone.note}",
        }
    ]


def deleted(kind: str, document: bytes) -> list[dict[str, str | None]]:
    if kind == "json":
        told = json.loads(document)["_syndicate"]["deleted"]
        return [{"name": one["id"], "when": one["when"], "comment": one["comment"]} for one in told]
    return [
        {"name": node.get("ref"), "when": node.get("when"), "comment": node.findtext("at:comment", namespaces=NS)}
        for node in etree.fromstring(document).iterfind(".//at:deleted-entry", NS)
    ]


@pytest.mark.parametrize("kind", ["rss", "atom"])
def test_a_reader_that_knows_no_tombstones_reads_the_feed_all_the_same(kind: str) -> None:
    seen = feedparser.parse(built(kind, many(2), gone=[tombstone()]))

    assert not seen.bozo
    assert (seen.feed.title, len(seen.entries)) == (FEED.title, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_note_that_no_xml_can_carry_does_not_lose_the_feed(kind: str) -> None:
    document = built(kind, many(2), gone=[tombstone(note="Sumber\x0b \ud800menarik.")])

    assert "Sumber menarik." in document.decode()


@pytest.mark.parametrize("kind", KINDS)
def test_without_tombstones_a_head_says_nothing_of_them(kind: str) -> None:
    document = built(kind, many(2), gone=())

    assert b"tombstones" not in document
    assert b"deleted" not in document


def test_only_the_newest_atom_document_leads_to_the_archives() -> None:
    documents = {kind: built(kind, many(2), archive="2026-10") for kind in KINDS}

    links = feedparser.parse(documents["atom"]).feed.links
    assert [link.href for link in links if link.rel == "prev-archive"] == [address("/2026-10.atom")]
    assert [kind for kind, raw in documents.items() if b"2026-10" in raw] == ["atom"]


def test_a03_a_renamed_feed_keeps_its_id_and_has_its_new_address() -> None:
    renamed = replace(FEED, name="terbaru", first_name=FEED.name)
    before, after = (feedparser.parse(built("atom", many(2), feed)).feed for feed in (FEED, renamed))

    assert (before.id, after.id) == ("tag:contohpos.example,2026:feed/terkini",) * 2
    assert {link.href for link in after.links if link.rel == "self"} == {address(".atom", renamed)}
    assert json.loads(built("json", many(2), renamed))["feed_url"] == address(".json", renamed)


def test_an_archive_is_the_same_feed_at_an_address_of_its_own() -> None:
    seen = feedparser.parse(built_archive("2026-10", many(2), before="2026-08", after="2026-11")).feed

    assert seen.id == feedparser.parse(built("atom", many(2))).feed.id
    assert {link.rel: link.href for link in seen.links} == {
        "self": address("/2026-10.atom"),
        "current": address(".atom"),
        "prev-archive": address("/2026-08.atom"),
        "next-archive": address("/2026-11.atom"),
        "alternate": address("/"),
    }


def test_a_correction_stands_on_top_of_the_body_and_moves_the_date() -> None:
    article = corrected()
    item = json_item(article)

    assert item["content_html"].startswith(
        "<p><strong>Catatan redaksi, 24 November 2026:</strong> Nama wali kota diperbaiki.</p><figure>"
    )
    assert item["date_modified"] == article.changed_at.isoformat()
    assert item["_syndicate"]["state"] == "corrected"


def test_a_touched_page_moves_no_date() -> None:
    article = make_article(changed_at=T0.replace(year=2027))

    assert json_item(article)["date_modified"] == article.content.updated.isoformat()


@pytest.mark.parametrize("kind", ["rss", "atom"])
@pytest.mark.parametrize("bad", ["\x0b", "\ufffe", "\ud800", "\x00"])
@pytest.mark.parametrize("where", ["title", "summary", "body_html"])
def test_illegal_characters_are_a_valueerror_with_the_article_s_name(kind: str, bad: str, where: str) -> None:
    changes: dict[str, Any] = {where: f"a{bad}b"}
    article = make_article(**changes)

    with pytest.raises(ValueError, match=f"article {article.id}, version 1, can't be written as"):
        FORMATS[kind].fragment(article, SITE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [{"url": "javascript:alert(1)"}, {"url": "/kota/1"}, {"title": "a\ud800"}])
def test_bad_addresses_and_lone_surrogates_are_refused_everywhere(kind: str, change: dict[str, Any]) -> None:
    article = make_article(**change)

    with pytest.raises(ValueError, match=f"article {article.id}"):
        FORMATS[kind].fragment(article, SITE)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("https://contohpos.example/kopi kafé", "https://contohpos.example/kopi%20kaf%C3%A9"),
        ("https://contohpos.example/a%20b?x=100%", "https://contohpos.example/a%20b?x=100%25"),
        ("https://kopikafé.example/", "https://xn--kopikaf-hya.example/"),
        ("http://127.0.0.1:8080/a", "http://127.0.0.1:8080/a"),
        ("http://[::1]:8080/a", "http://[::1]:8080/a"),
    ],
)
def test_addresses_are_written_as_uris(given: str, written: str) -> None:
    assert web_address(given) == written


@pytest.mark.parametrize(
    "bad", ["", "kota/1", "ftp://a.example/", "https://", "https://user:pw@a.example/", "https://a.example:99999/"]
)
def test_what_is_no_web_address_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        web_address(bad)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 1, 50])
def test_a_sheet_is_the_document_plain_and_as_gzip(kind: str, count: int) -> None:
    pieces = [Piece(body, squeeze(body)) for body in fragments_of(kind, many(count))]
    document = built(kind, many(count))

    sheet = Frame(FORMATS[kind], FEED, SITE).sheet(pieces, updated=latest(many(count)))

    assert sheet.plain() == document
    assert gzip.decompress(sheet.gzipped()) == document
    assert sheet.gzipped() == sheet.gzipped()


@pytest.mark.parametrize("kind", KINDS)
def test_fragments_stand_among_the_parts_unchanged_and_in_order(kind: str) -> None:
    fragments = fragments_of(kind, many(3))

    parts = FORMATS[kind].parts(FEED, SITE, fragments, updated=T0, gone=[tombstone()], archive="2026-10")

    assert [part for part in parts if part in fragments] == fragments


def test_a_flavour_is_told_apart_by_the_address_that_stands_in_fragments() -> None:
    elsewhere = replace(SITE, public_url="https://lain.example")
    kind: Format = FORMATS["rss"]

    assert kept_flavour(kind, SITE) != kept_flavour(kind, elsewhere)
    assert kept_flavour(kind, SITE).startswith(kind.flavour)


def test_the_directory_lists_the_rss_addresses() -> None:
    outline = etree.fromstring(built_directory(FEED)).find("body/outline")

    assert outline is not None
    assert dict(outline.attrib) == {
        "text": FEED.title,
        "title": FEED.title,
        "type": "rss",
        "version": "RSS2",
        "xmlUrl": f"{SITE.public_url}/feeds/terkini.rss",
        "htmlUrl": f"{SITE.public_url}/feeds/terkini/",
        "language": "id",
        "description": FEED.description,
    }


def test_the_directory_has_no_docs_element_and_names_its_owner() -> None:
    head = etree.fromstring(built_directory()).find("head")

    assert head is not None
    assert [(node.tag, node.text) for node in head] == [
        ("title", "Contoh Pos"),
        ("ownerName", "Contoh Pos"),
        ("ownerEmail", "redaksi@contohpos.example"),
    ]
