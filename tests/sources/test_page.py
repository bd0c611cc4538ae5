"""Article pages read into clean stories: by rules and by guess, with all that may be wrong on a page (gather.md §3)."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syndicate.domain.markup import plain_text
from syndicate.domain.source import Relation, SourceConfig
from syndicate.errors import ConfigError
from syndicate.jail import Answer, Jail
from syndicate.net.client import Client
from syndicate.sources.guide import Link
from syndicate.sources.read.dates import read_date
from syndicate.sources.read.gate import faults_of
from syndicate.sources.read.items import found_articles
from syndicate.sources.read.page import read_listing, read_page
from syndicate.sources.read.rules import load_rules, make_rule, parse_rules
from syndicate.sources.reader import PageReader
from tests.servers.http import Site, answer
from tests.sources.conftest import NOW, REPOSITORY

CORPUS = REPOSITORY / "tests" / "corpus" / "pages"
RULES = [rule.as_option() for variants in load_rules(REPOSITORY / "page-rules").values() for rule in variants]
URL = "https://koran.example/berita-hari-ini/"
TEXT = "".join(
    f"<p>Paragraf nomor {number} ini bercerita tentang warga yang datang ke pasar untuk membeli beras dan cabai.</p>"
    for number in range(1, 6)
)


def read(html: str | bytes, url: str = URL, **options: Any) -> Any:
    payload = html.encode() if isinstance(html, str) else html
    value, _ = read_page(payload, {"content_type": "text/html", "url": url, "rules": RULES, "language": "id"} | options)
    return value


def story(html: str | bytes, url: str = URL, **options: Any) -> Any:
    return read(html, url, **options)["item"]


def page(head: str = "", body: str = TEXT, *, classes: str = "single") -> str:
    return f"<html lang=id><head>{head}</head><body class='{classes}'><h1>Judul</h1><div>{body}</div></body></html>"


def ld(**article: Any) -> str:
    node = {"@type": "NewsArticle", "headline": "Judul"} | article
    return f'<script type="application/ld+json">{json.dumps(node)}</script>'


@pytest.mark.parametrize("folder", sorted(CORPUS.iterdir()), ids=lambda path: path.name)
def test_a_page_is_read_as_expected(folder: Path) -> None:
    expected = json.loads((folder / "expected.json").read_text("utf-8"))
    value = read((folder / "page.html").read_bytes(), expected.pop("url"))
    value.pop("layers", None)
    assert value == expected


def test_the_seed_article_is_whole(fixtures: Path) -> None:
    expected = json.loads((fixtures / "seed_article_expected.json").read_text("utf-8"))
    item = story((fixtures / "seed_article_tagdiv.html").read_bytes(), expected["canonical"])

    assert plain_text(item["body"]).split("\n") == expected["paragraphs"]
    assert _times(item) == (expected["published"], expected["modified"])
    for key in ("title", "initials", "dateline", "sections", "tags", "language"):
        assert item[key] == expected[key], key
    assert item["authors"] == [expected["author"]]
    picture = item["picture"]
    expected_picture = (expected["image"], expected["image_caption"], expected["image_credit"])
    assert (picture["url"], picture["caption"], picture["credit"]) == expected_picture
    assert (item["link"], item["wp_id"], item["faults"]) == (expected["canonical"], 187654, [])
    assert not any(words in json.dumps(item) for words in expected["must_not_contain"])


def test_the_seed_article_is_whole_without_metadata_and_among_advertisements(fixtures: Path) -> None:
    expected = json.loads((fixtures / "seed_article_expected.json").read_text("utf-8"))
    value = read((fixtures / "seed_article_tagdiv_hard.html").read_bytes(), expected["canonical"])
    item, text = value["item"], plain_text(value["item"]["body"]).split("\n")

    assert [line for line in text if line in expected["paragraphs"]] == expected["paragraphs"]
    assert set(text) - set(expected["paragraphs"]) == {
        "KOMPAK: Peserta retret di Poltekad. (FOTO: MPM/REX)",
        "Pelayanan Publik",
        "https://www.instagram.com/p/ABC123/",
    }
    assert _times(item) == (expected["published"], expected["modified"])
    assert (item["title"], item["initials"]) == (expected["title"], expected["initials"])
    assert (item["picture"]["url"], item["picture"]["credit"]) == (expected["image"], expected["image_credit"])
    assert not any(words in json.dumps(value) for words in expected["must_not_contain"])
    assert (item["flags"], item["faults"]) == ([], [])


def _times(item: dict[str, Any]) -> tuple[str, ...]:
    """As the expectation writes them, in Jakarta's time."""
    found = (read_date(item[key], "UTC") for key in ("published", "updated"))
    return tuple(time.astimezone(ZoneInfo("Asia/Jakarta")).isoformat() for time in found if time)


@pytest.mark.parametrize("name", ["article", "article_embeds", "article_lazy", "article_nextpage"])
def test_recorded_pages_of_wordpress_give_their_story(fixtures: Path, name: str) -> None:
    item = story((fixtures / "wp" / f"{name}.html").read_bytes(), "http://127.0.0.1:8622/x/")
    assert "Berita Lainnya" not in item["body"]
    assert "iklan/" not in item["body"]
    assert item["title"]
    assert item["wp_id"]


@pytest.mark.parametrize("name", ["home", "listing_category", "not_found_404"])
def test_a_page_without_a_story_is_refused(fixtures: Path, name: str) -> None:
    assert "refused" in read((fixtures / "wp" / f"{name}.html").read_bytes(), "http://127.0.0.1:8622/x/")


# --- dates


def test_the_date_a_page_shows_is_never_taken() -> None:
    shown = '<time>Jumat, 4 Juli 2025</time><span class="tdb-head-date-txt">Friday, July 4, 2025</span>'
    item = story(page(body=shown + TEXT))
    assert (item["published"], item["updated"]) == ("", "")
    assert "No machine-readable date says when it was published." in item["faults"]


def test_a_date_with_a_zone_wins_over_an_earlier_layer_without() -> None:
    meta = '<meta property="article:published_time" content="2026-11-16T11:40:00+00:00">'
    assert story(page(ld(datePublished="2026-11-16") + meta))["published"] == "2026-11-16T11:40:00+00:00"


def test_a_date_without_a_zone_is_no_fault() -> None:
    item = story(page(ld(datePublished="2026-11-16 18:40:00")))
    assert item["published"] == "2026-11-16 18:40:00"
    assert item["faults"] == []


@pytest.mark.parametrize(
    ("said", "link", "known", "expected"),
    [
        ("2026-11-16T18:40:00+07:00", {"published": "2026-11-15T10:00:00Z"}, "2026-11-14T10:00:00Z", "16T18:40"),
        ("2026-11-16T18:40:00", {"published": "2026-11-15T10:00:00Z"}, "2026-11-14T10:00:00Z", "15T10:00"),
        ("2026-11-16T18:40:00", {"published": "2026-11-15"}, "2026-11-14T10:00:00Z", "14T10:00"),
        ("2026-11-16T18:40:00", {"changed": "2026-11-17T10:00:00Z"}, "", "16T18:40"),
        ("2026-11-16T18:40:00", {"published": "2026-11-15T10:00:00"}, "", "16T18:40"),
        ("", {"published": "2026-11-15T10:00:00", "changed": "2026-11-17T10:00:00Z"}, "", "15T10:00"),
        ("", {"changed": "2026-11-17T10:00:00Z"}, "", "17T10:00"),
    ],
)
async def test_the_surest_word_on_the_publication_is_taken(
    site: Site, client: Client, jail: Jail, said: str, link: dict[str, str], known: str, expected: str
) -> None:
    site.on("/berita/", answer(200, page(ld(datePublished=said)).encode(), {"Content-Type": "text/html"}))
    config = SourceConfig(name="koran", kind="page", location=site.url("/"), every=None, relation=Relation.OWNER)
    seen = await PageReader(config, client, jail, ()).read(Link(url=site.url("/berita/"), **link), published=known)

    assert seen.item is not None
    assert seen.item["published"].startswith(f"2026-11-{expected}")


# --- JSON-LD


def test_references_inside_json_ld_are_followed() -> None:
    graph = {
        "@graph": [
            {"@type": ["Article", "NewsArticle"], "headline": "Judul", "author": {"@id": "#p"}, "image": {"@id": "#i"}},
            {"@type": "ImageObject", "@id": "#i", "url": "/foto.jpg", "width": 1200, "caption": "Pasar (IST)"},
            {"@type": "Person", "@id": "#p", "name": "Budi"},
        ]
    }
    item = story(page(f'<script type="application/ld+json">{json.dumps(graph)}</script>'))
    assert item["authors"] == ["Budi"]
    assert item["picture"]["url"] == "https://koran.example/foto.jpg"
    assert (item["picture"]["caption"], item["picture"]["credit"]) == ("Pasar (IST)", "IST")


@pytest.mark.parametrize(
    "script",
    [
        '{"@type":"Article","headline":"Judul","description":"satu\ndua","author":"Budi",}',
        '/*<![CDATA[*/ [{"@type":"https://schema.org/NewsArticle","headline":"Judul","author":"Budi"}] /*]]>*/',
        '{"@type":"WebPage","mainEntity":{"@type":"BlogPosting","headline":"Judul","author":["Budi"]}}',
    ],
)
def test_untidy_json_ld_is_read(script: str) -> None:
    assert story(page(f'<script type="application/ld+json">{script}</script>'))["authors"] == ["Budi"]


def test_json_ld_of_another_story_is_not_believed() -> None:
    other = ld(headline="Lain Sama Sekali", url="https://koran.example/lain/", author="Budi")
    assert story(page(other))["authors"] == []


def test_broken_or_endless_json_ld_is_passed_over() -> None:
    scripts = "".join(
        f'<script type="application/ld+json">{text}</script>' for text in ("{", "[" * 5000, "null", '"x"')
    )
    assert story(page(scripts + ld(author="Budi")))["authors"] == ["Budi"]


# --- fields


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        ("Oleh: Budi Santosa", ["Budi Santosa"]),
        ("Redaksi", ["Redaksi"]),
        ("https://www.facebook.com/koran", []),
        ("admin", []),
        ("budi@koran.example", []),
        (["Budi", {"@type": "Person", "name": "Ani"}], ["Budi", "Ani"]),
        ("Dr. Ani, M.Si.", ["Dr. Ani, M.Si."]),
    ],
)
def test_an_author_is_a_name(author: Any, expected: list[str]) -> None:
    assert story(page(ld(author=author)))["authors"] == expected


@pytest.mark.parametrize("title", ["Judul - Koran", "Judul | Koran", "Judul – Koran"])
def test_the_sites_name_is_no_part_of_a_title(title: str) -> None:
    head = f'<meta property="og:site_name" content="Koran">{ld(headline=title)}'
    assert story(page(head))["title"] == "Judul"


def test_a_logo_is_no_picture() -> None:
    head = '<meta property="og:image" content="https://koran.example/uploads/logo-koran.png">'
    assert story(page(head))["picture"] is None


def test_a_picture_the_page_shows_may_be_called_a_logo() -> None:
    figure = '<div class="td-post-featured-image"><figure><img src="/logo-baru.jpg" alt="Logo"></figure></div>'
    item = story(page(body=f'{figure}<div class="td-post-content">{TEXT}</div>'))
    assert (item["picture"]["url"], item["picture"]["alt"]) == ("https://koran.example/logo-baru.jpg", "Logo")


@pytest.mark.parametrize(
    ("canonical", "link", "elsewhere"),
    [
        ("https://www.koran.example/berita-hari-ini/", "https://www.koran.example/berita-hari-ini/", ""),
        ("https://koran.example/", URL, ""),
        ("https://asal.example/cerita/", URL, "https://asal.example/cerita/"),
        ("/berita-hari-ini/amp/", URL, ""),
    ],
)
def test_the_canonical_address_is_believed_on_its_own_site(canonical: str, link: str, elsewhere: str) -> None:
    item = story(page(f'<link rel="canonical" href="{canonical}">'))
    assert (item["link"], item["elsewhere"]) == (link, elsewhere)


def test_wordpress_number_is_never_a_templates() -> None:
    html = page(
        '<link rel="shortlink" href="https://koran.example/?p=77">', f'<article id="template-id-1024">{TEXT}</article>'
    )
    assert story(html)["wp_id"] == 77


def test_further_pages_are_named_in_order() -> None:
    links = "".join(f'<a href="{URL}{number}/">{number}</a>' for number in (3, 2)) + '<a href="/tag/x/2/">2</a>'
    assert story(page(body=TEXT + links))["next_pages"] == [f"{URL}2/", f"{URL}3/"]


def test_a_language_that_the_text_belies_is_corrected() -> None:
    assert story(page().replace("lang=id", "lang=en-US"))["language"] == "id"


def test_the_pages_own_encoding_is_read() -> None:
    html = page('<meta charset="iso-8859-1">', TEXT + "<p>Kafé Senja buka sampai malam.</p>").encode("latin-1")
    assert "Kafé Senja" in story(html)["body"]


# --- the body and its guard


def test_of_several_bodies_the_one_with_most_text_is_taken() -> None:
    html = page(body=f'<div class="td-post-content"><p>Cuplikan.</p></div><div class="td-post-content">{TEXT}</div>')
    assert plain_text(story(html)["body"]).startswith("Paragraf nomor 1")


def test_a_rule_that_finds_too_little_gives_way_and_is_reported() -> None:
    prose = TEXT + "".join(
        f"<p>Alinea {n} yang panjang tentang pasar, beras, dan cabai di kota ini.</p>" for n in range(20)
    )
    html = page(body=f'<div class="td-post-content">{TEXT}</div><article><div class="isi">{prose}</div></article>')
    value = read(html)
    assert value["layers"]["body"]["won"] == "trafilatura"
    assert "rule_drift" in value["item"]["flags"]
    assert "Alinea 19" in value["item"]["body"]


def test_a_text_that_is_too_short_needs_a_look() -> None:
    assert "needs_review" in story(page(ld(), "<p>Pendek saja.</p>"))["flags"]


def test_lines_that_point_elsewhere_are_dropped_by_the_rule() -> None:
    rule = make_rule("sendiri", {"body": [".isi"], "related": ["^Artikel terkait"]})
    html = page(body=f'<div class="isi">{TEXT}<p>Artikel terkait Pasar Ikan</p></div>')
    assert "Artikel terkait" not in story(html, rules=[rule.as_option()])["body"]


@pytest.mark.parametrize("mark", ['"isAccessibleForFree":false', '"isAccessibleForFree":"False"'])
def test_a_story_behind_a_wall_is_shown_in_summary(mark: str) -> None:
    script = f'<script type="application/ld+json">{{"@type":"NewsArticle","headline":"Judul",{mark}}}</script>'
    item = story(page(script + '<meta name="description" content="Ringkasan redaksi.">'))
    assert (item["body"], "paywalled" in item["flags"]) == ("<p>Ringkasan redaksi.</p>", True)


def test_a_wall_shows_in_the_page_too() -> None:
    assert "paywalled" in story(page(body=TEXT + '<div class="paywall">Berlangganan</div>'))["flags"]
    free = ld(isAccessibleForFree=True)
    assert "paywalled" not in story(page(free, TEXT + '<div class="paywall"></div>'))["flags"]


def test_the_layers_tell_who_found_what() -> None:
    title = read(page(ld() + '<meta property="og:title" content="Judul Lain">'))["layers"]["title"]
    assert title == {"found": {"json-ld": "Judul", "page": "Judul", "meta": "Judul Lain"}, "won": "json-ld"}


def test_what_a_page_says_is_marked_as_the_pages() -> None:
    item = story(page(ld(datePublished="2026-11-16T18:40:00+07:00", author="Budi")))
    item["provenance"] = {"published": "feed"}
    config = SourceConfig(name="koran", kind="page", location=URL, every=NOW - NOW)
    (article,), _ = found_articles([item], config=config, home=URL, channel="page", now=NOW)
    provenance = article.content.provenance
    assert (provenance["authors"], provenance["published"], provenance["tags"]) == ("page", "feed", "page")


# --- the gate


def make_item(**changes: Any) -> dict[str, Any]:
    values = {"title": "J", "link": URL, "published": "2026-11-16T18:40:00+07:00", "body": TEXT, "flags": []}
    return values | changes


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"title": ""}, "It has no title."),
        ({"link": None}, "It has no address of its own."),
        ({"published": ""}, "No machine-readable date says when it was published."),
        ({"body": "<p>Satu.</p>"}, "It has fewer than 2 paragraphs."),
        (
            {"body": "<p>The cat of the man is in the house and that is it for the day to be at.</p>" * 2},
            "Its text is not in the language 'id'.",
        ),
        ({"body": f"{TEXT}<h4>Berita Lainnya</h4>"}, "'Berita Lainnya' is no line of a story."),
        ({"body": f"{TEXT}<p>- Advertisement -</p>"}, "'- Advertisement -' is no line of a story."),
        ({"body": f"{TEXT}<script>x</script>"}, "Its text holds active HTML."),
        ({"body": f"{TEXT}<p onclick=x>y</p>"}, "Its text holds active HTML."),
        ({"flags": ["text_lost"]}, "More than a tenth of its text was lost in cleaning."),
        ({"body": TEXT * 700}, "It is longer than 300,000 characters."),
    ],
)
def test_the_gate_says_what_is_wrong(changes: dict[str, Any], fault: str) -> None:
    assert faults_of(make_item(**changes), language="id") == [fault]


def test_a_sound_story_passes_the_gate() -> None:
    about = "<p>Berita Lainnya adalah nama kolom; kode javascript: dan onclick = pun boleh dibahas.</p>"
    assert faults_of(make_item(body=TEXT + about), language="id") == []


# --- lists


def links(html: str, url: str = "https://koran.example/") -> list[str]:
    value, _ = read_listing(html.encode(), {"content_type": "text/html", "url": url, "rules": RULES})
    found: list[str] = value["links"]
    return found


def test_a_list_gives_its_stories_in_order_and_once() -> None:
    html = (CORPUS / "listing" / "page.html").read_text("utf-8")
    assert links(html, "https://contohpos.example/category/kota/") == [
        "https://contohpos.example/pasar-ikan-pindah/",
        "https://contohpos.example/jembatan-gantung-sumbersari-dibuka-lagi/",
    ]


def test_without_a_rule_headings_and_teasers_lead_to_stories() -> None:
    html = """<nav><a href="/redaksi-koran-kami/">Redaksi</a></nav>
    <h2><a href="/pasar-ikan-pindah/">A</a></h2>
    <article><a href="/2026/11/banjir">B</a> <a href="/author/budi-san-tosa/">b</a></article>
    <h3><a href="https://lain.id/bukan-milik-kami/">C</a></h3><h3><a href="/category/kota-kita-semua/">D</a></h3>
    <h3><a href="/pedoman-media-siber/">E</a></h3><h3><a href="https://kota.koran.id/read/1234/x?fbclid=1">F</a></h3>"""
    assert links(html, "https://koran.id/") == [
        "https://koran.id/pasar-ikan-pindah/",
        "https://koran.id/2026/11/banjir",
        "https://kota.koran.id/read/1234/x",
    ]


def test_a_list_is_cut_at_two_hundred() -> None:
    assert len(links("".join(f'<h2><a href="/berita-nomor-{n}/">x</a></h2>' for n in range(300)))) == 200


# --- rules


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[a]\nbody = [":::"]', "a.body: ':::' is no CSS selector"),
        ('[a]\nrelated = ["("]', "a.related: '(' is no pattern"),
        ('[a]\nbodi = [".x"]', "a.bodi: is no key of a page rule"),
        ('[a]\nbody = ".x"', "a.body: must be a list of texts"),
        ("[a", "is no TOML"),
    ],
)
def test_a_rule_that_cant_be_used_names_its_place(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        parse_rules(text, file=Path("tema.toml"))


# --- in the jail


async def test_pages_are_read_in_the_jail(jail: Jail) -> None:
    options: dict[str, Any] = {"content_type": "text/html", "url": URL, "rules": RULES}
    short = page(body="<p>Terlalu pendek.</p><ul><li>Daftar</li></ul><form>x</form>").encode()  # all fall-backs at work
    for payload in (page().encode(), short):
        answer = await jail.call("syndicate.sources.read.page:read_page", payload, language="id", **options)
        assert isinstance(answer, Answer), answer
        assert answer.value["item"]["title"] == "Judul"
    listed = await jail.call("syndicate.sources.read.page:read_listing", b"<h2><a href=/a-b-c>x</a></h2>", **options)
    assert isinstance(listed, Answer)
    assert listed.value == {"links": ["https://koran.example/a-b-c"]}


CHECK = """
import json, sys
from pathlib import Path
from syndicate.sources.read.page import read_listing, read_page
pages = [path.read_bytes() for path in Path(sys.argv[1]).glob("*/page.html")] + [b"<p>x", b""]
rules = json.loads(sys.argv[2])
before, opened, watch = set(sys.modules), [], []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if watch and event == "open" else None)
watch.append(True)
for page in pages:
    for known in (rules, []):
        options = {"content_type": "text/html", "url": "https://k.example/a", "rules": known, "language": "id"}
        read_page(page, options)
        read_listing(page, options)
watch.clear()
print(opened, sorted(set(sys.modules) - before))
"""


def test_nothing_is_loaded_when_a_page_is_read() -> None:
    command = [sys.executable, "-c", CHECK, str(CORPUS), json.dumps(RULES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=REPOSITORY)
    assert done.stdout.strip() == "[] []", done.stdout + done.stderr


@pytest.mark.parametrize(
    "html",
    ["", "\x00", "<html>", "<body>", "<div>" * 3000, page(ld(image=[{}], author=[[]], publisher=3, keywords={"a": 1}))],
)
def test_whatever_comes_is_read_or_refused(html: str) -> None:
    value = read(html)
    assert "refused" in value or "item" in value
