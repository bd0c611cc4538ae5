"""A story's page: whose story it is, which other newsrooms carry the same text, and nothing said twice."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.likeness import Link, LinkKind
from syndicate.store import articles, likeness
from tests.factories import NOW, add_article, make_article
from tests.web.paper import Paper, story


async def link_copies(paper: Paper, kinds: Sequence[dict[str, Any]]) -> Article:
    """Makes one story of the paper a copy of others at other sources."""
    async with paper.app.db.write() as connection:
        (first,) = await articles.latest(connection, limit=1)
        for number, changes in enumerate(kinds):
            article = replace(make_article(number, **changes), source=f"lain-{number}")
            other = await add_article(connection, article)
            await likeness.add_link(
                connection, Link(article_id=first.id, other_id=other.id, kind=LinkKind.COPY, at=NOW)
            )
    return first


def test_an_article_leads_to_the_copies_on_other_newsrooms_own_pages(own_paper: Paper) -> None:
    kinds: list[dict[str, Any]] = [
        {"url": 'https://www.lain.example/tanggul?a="><script>'},
        {"url": None},
        {"url": "javascript:alert(1)"},
        {"url": "https://ditarik.example/tanggul", "state": ArticleState.WITHDRAWN},
    ]
    own = own_paper.do(link_copies(own_paper, kinds))

    page = own_paper.get(f"/articles/{own.id}?lang=id").text

    address = "https://www.lain.example/tanggul?a=%22%3E%3Cscript%3E"
    assert f'Juga di:</span> <a href="{address}">lain.example</a></p>' in page
    assert "Also at:" in own_paper.get(f"/articles/{own.id}?lang=en").text
    assert "javascript:" not in page
    assert "ditarik.example" not in page


def test_a_story_without_copies_says_nothing_of_them(paper: Paper) -> None:
    url = paper.get("/feeds/terkini.json").json()["items"][0]["url"]

    assert "Juga di:" not in paper.get(url, accept_language="id").text


async def page_of(paper: Paper, title: str) -> str:
    """The address of a story's page, in Indonesian."""
    async with paper.app.db.read() as connection:
        (found,) = (one for one in await articles.latest(connection, limit=9) if one.content.title == title)
    return f"/articles/{found.id}?lang=id"


def test_a_partner_s_story_names_the_partner_and_leads_to_its_site(own_paper: Paper) -> None:
    address = "https://www.kabarmalang.example/tanggul"
    own_paper.publish("tanggul.md", story("Tanggul selesai", "Tanggul itu selesai.", url=address))

    page = own_paper.get(own_paper.do(page_of(own_paper, "Tanggul selesai"))).text
    listing = own_paper.get("/feeds/terkini/?lang=id").text

    assert '<span class="author">Laksmi Paramesti</span> · kabarmalang.example · <time' in page
    assert f'href="{address}">Baca di kabarmalang.example</a>' in page
    assert '<p class="meta">kabarmalang.example · <time' in listing


def test_the_paper_s_own_story_leads_to_its_own_site_by_its_title(own_paper: Paper) -> None:
    address = "https://www.contohpos.example/tanggul"
    own_paper.publish("tanggul.md", story("Tanggul selesai", "Tanggul itu selesai.", url=address))

    page = own_paper.get(own_paper.do(page_of(own_paper, "Tanggul selesai"))).text

    assert '<span class="author">Laksmi Paramesti</span> · <time' in page
    assert f'href="{address}">Baca di Contoh Pos</a>' in page


def test_a_page_says_a_credit_once_and_the_beginning_of_its_text_once(own_paper: Paper) -> None:
    lead = "Tanggul itu selesai sebelum musim hujan."
    picture = {"image": "jembatan.jpg", "image_caption": "Tanggul (Foto: Siti/Koran)", "image_credit": "Siti/Koran"}
    own_paper.publish("tanggul.md", story("Tanggul selesai", f"{lead} Warga lega.", summary=lead, **picture))

    page = own_paper.get(own_paper.do(page_of(own_paper, "Tanggul selesai"))).text

    assert "<figcaption>Tanggul (Foto: Siti/Koran)</figcaption>" in page
    assert 'class="standfirst"' not in page
    assert page.partition("</head>")[2].count(lead) == 1


def test_a_copy_at_the_paper_s_own_site_bears_its_title(own_paper: Paper) -> None:
    own = own_paper.do(link_copies(own_paper, [{"url": "https://contohpos.example/tanggul"}]))

    page = own_paper.get(f"/articles/{own.id}?lang=id").text

    assert '<a href="https://contohpos.example/tanggul">Contoh Pos</a>' in page
