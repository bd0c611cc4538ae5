"""The customer's seed page the whole way: from a newspaper's site to readers, subscribers and a partner's portal."""

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from syndicate.domain.markup import plain_text
from tests.end_to_end.house import EDITION, House, eventually, free_port
from tests.end_to_end.reading import FORMATS, opened_files, read_document
from tests.formats.rules import by_the_rules
from tests.servers.http import Site, answer, serve
from tests.servers.partner import Portal, open_partner
from tests.servers.wordpress import jpeg

PATH = "/retret-asn-langkah-nyata-wujudkan-birokrasi-kolaboratif/"
PHOTO = "/wp-content/uploads/2025/05/Retret-ASN-Poltekad.jpg"
CONFIG = """
[site]
title = "Malang Posco Media"
url = "{site}"
language = "id"

[web]
public_url = "{house.origin}"
listen = "127.0.0.1:{house.port}"

[net]
allow = ["127.0.0.1:*"]

[[sources]]
name = "koran"
kind = "page"
url = "{site}"
relation = "owner"
every = "1 s"
first_import = "mail"

[[feeds]]
name = "terkini"
title = "Terkini"

[[newsletters]]
name = "menit"
title = "Kabar Menit Ini"
schedule = "every 1 min"
from = "Malang Posco Media <kabar@malangposcomedia.example>"
channel = "pos"

[channels.pos]
kind = "maildir"
path = "var/outbox"

[[partners]]
name = "portal"
title = "Portal Warga"

[[endpoints]]
name = "warga"
partner = "portal"
kind = "webhook"
url = "{portal.url}"
secret = "env:WARGA_SECRET"
newsletters = ["menit"]
"""


def open_site(site: Site, fixtures: Path, photo: bytes) -> None:
    """The seed's page under our own address, a front page that leads to it, and its picture."""
    home = site.url("").encode()
    page = (fixtures / "seed_article_tagdiv.html").read_bytes().replace(b"https://malangposcomedia.id", home)
    front = f'<html><body class="home"><h3 class="td-module-title"><a href="{PATH}">Retret ASN</a></h3></body></html>'
    html = {"Content-Type": "text/html; charset=UTF-8"}
    site.on("/", answer(200, front.encode(), html))
    site.on(PATH, answer(200, page.replace(b"https:\\/\\/malangposcomedia.id", home.replace(b"/", b"\\/")), html))
    site.on(PHOTO, answer(200, photo, {"Content-Type": "image/jpeg"}))


@pytest.fixture
def expected(shared: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared / "fixtures/seed_article_expected.json").read_text("utf-8"))
    return found


async def test_the_seed_page_reaches_feeds_mails_and_a_partner(
    shared: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    async with serve() as site, open_partner() as portal, httpx2.AsyncClient() as client:
        house = House(folder=tmp_path, port=free_port(), environ={"WARGA_SECRET": portal.secret})
        (tmp_path / "syndicate.toml").write_text(CONFIG.format(site=site.url("/"), house=house, portal=portal), "utf-8")
        async with house.up():
            await eventually(partial(is_ready, client, house))
            await house.run("subscribers", "add", "ani@pembaca.example", "menit")
            open_site(site, shared / "fixtures", jpeg())  # not before somebody reads the newsletter
            await it_is_in_every_feed(client, house, expected)
            await it_is_in_an_indonesian_digest(tmp_path / "var/outbox", expected)
            await the_partner_has_it(portal, expected, site)


async def is_ready(client: httpx2.AsyncClient, house: House) -> None:
    assert (await client.get(f"{house.origin}/readyz")).status_code == 200


async def it_is_in_every_feed(client: httpx2.AsyncClient, house: House, expected: dict[str, Any]) -> None:
    for kind in FORMATS:
        content = await eventually(partial(document_with, client, f"{house.origin}/feeds/terkini.{kind}", expected))
        (story,) = read_document(kind, content)
        assert [line for line in plain_text(story.body).split("\n") if line in expected["paragraphs"]] == expected[
            "paragraphs"
        ]
        nothing_of_the_page_around(content.decode(), expected)


async def document_with(client: httpx2.AsyncClient, url: str, expected: dict[str, Any]) -> bytes:
    answer = await client.get(url)
    assert expected["title"] in answer.text
    return by_the_rules(url, answer.content, now=datetime.now(UTC))


async def it_is_in_an_indonesian_digest(outbox: Path, expected: dict[str, Any]) -> None:
    async def came() -> Any:
        letters = opened_files(outbox)
        assert len(letters) == 1
        return letters[0]

    letter = await eventually(came, within=EDITION)
    assert expected["title"] in letter.text
    assert "Senin, 19 Mei" in letter.text or "19 Mei" in letter.text
    nothing_of_the_page_around(letter.text + letter.html, expected)


async def the_partner_has_it(portal: Portal, expected: dict[str, Any], site: Site) -> None:
    async def told() -> list[Any]:
        assert {one.type for one in portal.taken} == {"article.published", "edition.published"}
        return portal.taken

    article, edition = sorted(await eventually(told), key=lambda one: one.type)
    assert article.verified
    assert article.data["title"] == expected["title"]
    assert article.data["url"] == site.url(PATH)
    assert article.data["sections"] == expected["sections"]
    assert article.data["picture"]["credit"] == expected["image_credit"]
    assert plain_text(article.data["content_html"]).split("\n") == expected["paragraphs"]
    assert expected["title"] in edition.data["html"]
    nothing_of_the_page_around(json.dumps([article.data, edition.data], ensure_ascii=False), expected)


def nothing_of_the_page_around(text: str, expected: dict[str, Any]) -> None:
    assert [words for words in expected["must_not_contain"] if words in text] == []
