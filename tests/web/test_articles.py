"""A story's page names the other newsrooms that carry the same text."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.likeness import Link, LinkKind
from syndicate.store import articles, likeness
from tests.factories import NOW, add_article, make_article
from tests.web.paper import Paper


async def link_copies(paper: Paper, kinds: Sequence[dict[str, Any]]) -> Article:
    """Makes one story of the paper a copy of others at other sources."""
    async with paper.app.db.write() as connection:
        (story,) = await articles.latest(connection, limit=1)
        for number, changes in enumerate(kinds):
            article = replace(make_article(number, **changes), source=f"lain-{number}")
            other = await add_article(connection, article)
            await likeness.add_link(
                connection, Link(article_id=story.id, other_id=other.id, kind=LinkKind.COPY, at=NOW)
            )
    return story


def test_an_article_leads_to_the_copies_on_other_newsrooms_own_pages(own_paper: Paper) -> None:
    kinds: list[dict[str, Any]] = [
        {"url": 'https://www.lain.example/tanggul?a="><script>'},
        {"url": None},
        {"url": "javascript:alert(1)"},
        {"url": "https://ditarik.example/tanggul", "state": ArticleState.WITHDRAWN},
    ]
    story = own_paper.do(link_copies(own_paper, kinds))

    page = own_paper.get(f"/articles/{story.id}?lang=id").text

    address = "https://www.lain.example/tanggul?a=%22%3E%3Cscript%3E"
    assert f'Juga di:</span> <a href="{address}">lain.example</a></p>' in page
    assert "Also at:" in own_paper.get(f"/articles/{story.id}?lang=en").text
    assert "javascript:" not in page
    assert "ditarik.example" not in page


def test_a_story_without_copies_says_nothing_of_them(paper: Paper) -> None:
    url = paper.get("/feeds/terkini.json").json()["items"][0]["url"]

    assert "Juga di:" not in paper.get(url, accept_language="id").text
