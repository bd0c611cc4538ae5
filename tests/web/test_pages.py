"""Pages: they say what is there, in two languages, in valid HTML, and every link leads somewhere."""

import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import html5lib
import pytest

from syndicate.settings import assets
from tests.web.paper import Paper, running, story

HOSTILE = '"><img src=x onerror=alert(1)>'


def links(base: str, markup: str) -> set[str]:
    """Everything that a page leads to or loads, absolute, without fragments."""
    tree = html5lib.parse(markup, namespaceHTMLElements=False)
    found = [node.get(name) for node in tree.iter() for name in ("href", "src", "action") if node.get(name)]
    return {urljoin(base, value).partition("#")[0] for value in found}


def crawl(paper: Paper) -> dict[str, str]:
    """Every page that can be reached from the front page, by address; fails at a link that leads nowhere."""
    seen: dict[str, str] = {}
    waiting = [f"{paper.origin}/", f"{paper.origin}/u/{paper.token()}"]
    while waiting:
        address = waiting.pop()
        answer = paper.get(address, accept="text/html")
        assert answer.status_code == 200, address
        seen[address] = answer.text if "text/html" in answer.headers["content-type"] else ""
        if seen[address]:
            ours = {link for link in links(address, seen[address]) if link.startswith(paper.origin + "/")}
            waiting += [link for link in ours if link not in seen and link not in waiting]
    return seen


def test_every_internal_link_of_every_page_resolves_and_all_pages_are_valid_html(paper: Paper) -> None:
    pages = crawl(paper)
    kinds = {urlsplit(address).path.split("/")[1] for address in pages}
    assert kinds >= {"", "feeds", "articles", "media", "editions", "u", "outbox", "sample", "assets", "feeds.opml"}
    for address, markup in pages.items():
        if markup and "/html" not in address and not re.search(r"/editions/\w+/\w", address):
            html5lib.HTMLParser(strict=True).parse(markup)
            check_reach(address, markup)


def check_reach(address: str, markup: str) -> None:
    """What keyboards and screen readers need: a language, one h1, a way past the head, names on pictures."""
    tree = html5lib.parse(markup, namespaceHTMLElements=False)
    assert tree.get("lang") in ("id", "en"), address
    assert len(tree.findall(".//h1")) == 1, address
    assert tree.find(".//a[@class='skip']") is not None, address
    assert all(picture.get("alt") is not None for picture in tree.iter("img")), address
    assert not list(tree.iter("script")), address
    assert not [node for node in tree.iter() if any(name.startswith("on") for name in node.attrib)], address
    assert not [node for node in tree.iter() if node.get("style")], address


@pytest.mark.parametrize("path", ["/nothing", "/u/unknown", "/articles/nothing", "/editions/ringkasan/nothing"])
def test_error_pages_are_pages_too(paper: Paper, path: str) -> None:
    answer = paper.get(path)
    assert answer.status_code == 404
    html5lib.HTMLParser(strict=True).parse(answer.text)
    check_reach(path, answer.text)


def test_h18_every_page_names_the_feeds_and_a_feeds_page_its_own_first(paper: Paper) -> None:
    for path, first in (("/", "terkini"), ("/feeds/kota/", "kota")):
        tree = html5lib.parse(paper.get(path).text, namespaceHTMLElements=False)
        named = [link for link in tree.iter("link") if link.get("rel") == "alternate"]
        assert [link.get("type") for link in named[:3]] == [
            "application/rss+xml",
            "application/atom+xml",
            "application/feed+json",
        ]
        assert {link.get("href") for link in named[:3]} == {
            f"{paper.origin}/feeds/{first}.{ending}" for ending in ("rss", "atom", "json")
        }
        titles = [link.get("title") for link in named]
        assert len(set(titles)) == len(titles) == 6


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("", "", "id"),
        ("", "en-GB,en;q=0.9", "en"),
        ("", "de, en;q=0.5, id;q=0.6", "id"),
        ("", "jv", "id"),
        ("?lang=en", "id", "en"),
        ("?lang=id", "en", "id"),
        ("?lang=xx", "en", "en"),
        ("", "en;q=nonsense, id;q=0.1", "id"),
    ],
)
def test_the_language_is_asked_for_accepted_or_the_papers_own(
    paper: Paper, query: str, accepted: str, language: str
) -> None:
    answer = paper.get(f"/feeds/{query}", accept_language=accepted)
    assert f'<html lang="{language}">' in answer.text
    assert answer.headers["vary"] == "accept-language"


def test_a_chosen_language_stays_on_the_way(paper: Paper) -> None:
    page = paper.get("/?lang=en").text
    assert 'href="/feeds/?lang=en"' in page
    assert 'href="/feeds/"' not in page


def test_an_article_has_all_that_the_newsroom_wrote(paper: Paper) -> None:
    feed = paper.get("/feeds/terkini.json").json()
    item = next(item for item in feed["items"] if item["title"].startswith("Jembatan"))
    page = paper.get(item["url"]).text
    for words in (
        "Laksmi Paramesti",
        "Ringkasnya begini.",
        "panjangnya 300 meter",
        "Jembatan baru",
        "(CP)",
        "07.00 WIB",
    ):
        assert words in page
    assert 'alt="Jembatan"' in page
    assert "canonical" not in page, "this page is the only one"


def test_a_picture_is_served_as_what_it_is_and_never_changes(paper: Paper) -> None:
    digest = next((paper.folder / "var" / "media").iterdir()).name
    answer = paper.get(f"/media/{digest}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["etag"] == f'"{digest}"'
    assert answer.content[:3] == b"\xff\xd8\xff"
    assert paper.get(f"/media/{digest}", if_none_match=f'"{digest}"').status_code == 304
    part = paper.get(f"/media/{digest}", range="bytes=0-2")
    assert (part.status_code, part.content) == (206, b"\xff\xd8\xff")


def test_a_withdrawn_article_is_gone_with_a_notice(own_paper: Paper) -> None:
    paper = own_paper
    url = next(i["url"] for i in paper.get("/feeds/terkini.json").json()["items"] if i["title"].startswith("Panen"))
    (paper.folder / "newsroom" / "panen.md").unlink()
    paper.turn(timedelta(minutes=10))
    answer = paper.get(url, accept_language="id")
    assert answer.status_code == 410
    assert "Artikel ini ditarik oleh redaksi" in answer.text
    assert "Padi menguning" not in answer.text


def test_t10_t13_hostile_words_are_shown_as_words(own_paper: Paper) -> None:
    paper = own_paper
    title = "{{7*7}} {% raw %} %%UNSUB%% ${env} {0.__class__} " + HOSTILE
    paper.publish("hostile.md", story(title, f"Isi <script>alert(2)</script> {HOSTILE}", summary=HOSTILE))
    paper.turn(timedelta(minutes=2))
    pages = crawl(paper)
    shown = [markup for markup in pages.values() if "{{7*7}}" in markup]
    assert len(shown) >= 4
    for markup in pages.values():
        tree = html5lib.parse(markup, namespaceHTMLElements=False) if markup else None
        if tree is None:
            continue
        assert not list(tree.iter("script"))
        assert not [n for n in tree.iter() if isinstance(n.tag, str) and any(a.startswith("on") for a in n.attrib)]


def test_t12_an_edition_is_shown_in_a_box_without_scripts_and_without_a_readers_own_links(paper: Paper) -> None:
    slot = re.findall(r'href="/editions/ringkasan/([^"]+)"', paper.get("/editions/ringkasan/").text)[0]
    answer = paper.get(f"/editions/ringkasan/{slot}")
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'; img-src https: data:")
    assert "set-cookie" not in answer.headers
    assert "Jembatan Wening dibuka" in answer.text
    assert "/u/" not in answer.text
    assert f"{paper.origin}/editions/ringkasan/{slot}" in answer.text
    assert "<script" not in answer.text


def test_templates_mark_nothing_as_safe() -> None:
    for template in (assets("templates") / "web").glob("*.j2"):
        assert not re.search(r"\|\s*safe|autoescape|\son\w+=|style=", template.read_text("utf-8")), template.name


def test_outbox_and_receiver_exist_only_in_the_sample(tmp_path: Path) -> None:
    with running(tmp_path, sample=False) as paper:
        assert paper.get("/sample/receiver").status_code == 404
        assert paper.get("/outbox").status_code == 200, "this listens on loopback"


def test_the_outbox_shows_a_mail_with_headers_html_and_text(paper: Paper) -> None:
    name = re.findall(r'href="/outbox/([^"]+)"', paper.get("/outbox").text)[0]
    page = paper.get(f"/outbox/{name}").text
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    assert "RINGKASAN CONTOH POS" in page
    assert '<base target="_blank">' in paper.get(f"/outbox/{name}/html").text


def test_the_sample_receiver_shows_what_arrived_and_whether_it_was_signed(own_paper: Paper) -> None:
    paper = own_paper
    page = paper.get("/sample/receiver?lang=en").text
    assert page.count("signature ok") == 4, "three articles and an edition"
    assert "edition.published" in page
    forged = {"type": "article.published", "timestamp": "2026-11-24T00:00:00Z", "data": {"title": HOSTILE}}
    answer = paper.http.post("/sample/receiver", json=forged, headers={"webhook-id": "msg_1", "webhook-timestamp": "1"})
    assert answer.status_code == 204
    assert paper.get("/sample/receiver?lang=en").text.count("signature wrong") == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"type": 1, "data": []}', b"\xff", b"[" * 100_000])
def test_what_is_no_webhook_is_refused(paper: Paper, body: bytes) -> None:
    assert paper.http.post("/sample/receiver", content=body, headers={"webhook-id": "m"}).status_code == 400
