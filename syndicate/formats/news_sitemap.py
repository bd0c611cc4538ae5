"""The Google News sitemap: what the newspaper published in the last two days, at the addresses of its pages.

https://developers.google.com/search/docs/crawling-indexing/sitemaps/news-sitemap. Only the four values that it asks for
are written; genres, keywords and stock tickers are no longer read.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from lxml import etree

from syndicate.domain.article import Article
from syndicate.domain.feed import Site
from syndicate.domain.markup import legal
from syndicate.formats.dates import rfc3339, whole_second
from syndicate.formats.sitemap import SITEMAP, add_place, listable
from syndicate.formats.wording import article_url, language_tag, newsroom_of

NEWS = "http://www.google.com/schemas/sitemap-news/0.9"
NEWS_LASTS = timedelta(days=2)
MOST_NEWS = 1000  # stories of a file
_PARENTHETICALS = re.compile(r"(?:\s*\([^()]*\))+$")
_LANGUAGE = re.compile(r"zh-(?:cn|tw)|[a-z]{2,3}(?![a-z])")


@dataclass(frozen=True, kw_only=True)
class NewsStory:
    """A story as the sitemap tells it."""

    url: str  # of its canonical page
    title: str
    language: str  # ISO 639, without a country
    published: datetime  # first, in whole seconds; an edit leaves it


def news_story(article: Article, site: Site) -> NewsStory | None:
    """What the sitemap says of `article`; None when its page belongs to another newsroom, which has to name it itself.

    Raises ValueError when its address is none that a sitemap can hold.
    """
    content = article.content
    if newsroom_of(content, site):
        return None
    return NewsStory(
        url=listable(article_url(article, site)),
        title=legal(content.title),
        language=_language(content.language) or _language(site.language) or "id",
        published=whole_second(content.published),
    )


def is_news(published: datetime, *, now: datetime) -> bool:
    """True until a story is more than two days old, to the second."""
    return now - published <= NEWS_LASTS


def news_sitemap(site: Site, stories: Iterable[NewsStory]) -> bytes:
    """The sitemap of these stories, `MOST_NEWS` at most. Without any it is an empty list, which Google takes."""
    root = etree.Element(f"{{{SITEMAP}}}urlset", nsmap={None: SITEMAP, "news": NEWS})
    name = _PARENTHETICALS.sub("", site.title) or site.title  # Google leaves "(edisi cetak)" out of a paper's name
    for story in stories:
        news = etree.SubElement(add_place(root, "url", story.url), f"{{{NEWS}}}news")
        publication = etree.SubElement(news, f"{{{NEWS}}}publication")
        etree.SubElement(publication, f"{{{NEWS}}}name").text = name
        etree.SubElement(publication, f"{{{NEWS}}}language").text = story.language
        etree.SubElement(news, f"{{{NEWS}}}publication_date").text = rfc3339(story.published)
        etree.SubElement(news, f"{{{NEWS}}}title").text = story.title
    document: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document


def _language(code: str) -> str:
    found = _LANGUAGE.match(language_tag(code.lower()))
    return found[0] if found else ""
