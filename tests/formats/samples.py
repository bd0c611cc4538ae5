"""Made-up articles, a site and a feed. Every document the tests build goes through one of the `built…` functions, which
check the rules.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from syndicate.domain.article import Article, ArticleState, Content, Edit, Picture, article_id, public_id
from syndicate.domain.feed import Feed, Site, Tombstone, tombstone_of
from syndicate.domain.selection import Selection
from syndicate.formats import FORMATS
from syndicate.formats.atom import archive_parts
from syndicate.formats.opml import directory
from syndicate.formats.wording import wording
from tests.formats.rules import by_the_rules
from tests.phrases import PHRASES

T0 = datetime(2026, 11, 23, 0, 15, tzinfo=UTC)
SITE = Site(
    title="Contoh Pos",
    url="https://contohpos.example/",
    public_url="https://berita.contohpos.example",
    phrases=PHRASES,
    contact="redaksi@contohpos.example",
    tag_host="contohpos.example",
)
FEED = Feed(name="terkini", title="Contoh Pos Terkini", description="Kabar terbaru", selection=Selection())
PICTURE = Picture(
    media="5f2a" * 8,
    alt="Jembatan di atas sungai",
    caption="Jembatan dilihat dari tepi timur.",
    credit="Contoh Pos/Wira",
    width=1200,
    height=675,
    size_bytes=180_000,
)
_CONTENT = frozenset(Content.__dataclass_fields__)


def make_article(number: int = 1, **changes: Any) -> Article:
    """A decent article; `changes` go to it or to its content, by name."""
    identifier = article_id("contoh", f"k{number}")
    at = T0 + timedelta(minutes=number)
    content = Content(
        title=f"Jembatan ke-{number} dibuka",
        summary=f"Jembatan ke-{number} mulai dilalui warga.",
        body_html=f"<p>Warga & pejabat menyeberang, kali ke-{number}.</p>".replace("&", "&amp;"),
        published=at,
        updated=at + timedelta(minutes=5),
        url=f"https://contohpos.example/kota/jembatan-{number}",
        authors=("Sari Wulandari", "Rizal Hamonangan"),
        sections=("Daerah/Semarang",),
        tags=("jembatan", "sungai"),
        picture=PICTURE,
    )
    article = Article(
        id=identifier,
        public_id=public_id("contohpos.example", 2026, identifier),
        source="contoh",
        source_key=f"k{number}",
        version=1,
        content=replace(content, **{k: v for k, v in changes.items() if k in _CONTENT}),
        edit=Edit.FIRST,
        state=ArticleState.PUBLISHED,
        first_seen=at,
        sort_at=at,
        seq=number,
        changed_at=at,
        announced=True,
    )
    return replace(article, **{k: v for k, v in changes.items() if k not in _CONTENT})


def withdrawn(number: int = 1, **changes: Any) -> Article:
    """An article that the newsroom took back a day later."""
    at = T0 + timedelta(days=1)
    return make_article(number, **{"state": ArticleState.WITHDRAWN, "changed_at": at, "loud_at": at} | changes)


def corrected(number: int = 1, **changes: Any) -> Article:
    """An article with a correction a day later."""
    at = T0 + timedelta(days=1)
    return make_article(number, **{"changed_at": at, "loud_at": at, "note": "Nama wali kota diperbaiki."} | changes)


def awkward() -> list[Article]:
    """Everything legal that is hard to write."""
    return [
        make_article(1, title="Cabai & bawang < Rp60.000 \"kata\" 'mereka' 🌧", picture=None),
        make_article(2, body_html="<p>Kode: <code>a[b[0]]&gt; ]]> x</code></p>"),
        make_article(3, url=None, authors=(), sections=(), tags=(), language="en"),
        make_article(4, summary="", language="in-ID"),
        make_article(5, body_html="", picture=None),
        make_article(6, url="https://contohpos.example/kopi kafé?q=a b&r=100%#ä"),
        make_article(7, language="jv", picture=Picture(url="https://cdn.contohpos.example/foto satu.jpg")),
        make_article(8, tags=("jembatan", "Daerah/Semarang", "jembatan")),
        withdrawn(9, note="Sumber menarik keterangannya."),
        corrected(10),
        make_article(11, title="Pasar <pangan> murah & <b>", summary="Bila a <b, lalu <i>baca</i> <a <b> c>."),
    ]


def tombstone(number: int = 9, **changes: Any) -> Tombstone:
    """What stands for an article that was withdrawn, once its notice has left."""
    found = tombstone_of(withdrawn(number, **changes))
    assert found is not None
    return found


def latest(articles: Sequence[Article], gone: Sequence[Tombstone] = ()) -> datetime:
    """What a feed's own date has to be."""
    dates = [wording(article, SITE).modified for article in articles] + [one.when for one in gone]
    return max(dates, default=T0)


def fragments_of(kind: str, articles: Sequence[Article]) -> list[bytes]:
    return [FORMATS[kind].fragment(article, SITE) for article in articles]


def address(ending: str, feed: Feed = FEED) -> str:
    """Of a feed's document."""
    return f"{SITE.public_url}/feeds/{feed.name}{ending}"


def built(
    kind: str,
    articles: Sequence[Article],
    feed: Feed = FEED,
    *,
    gone: Sequence[Tombstone] = (),
    archive: str | None = None,
) -> bytes:
    """The document, after all rules were checked on it."""
    at = latest(articles, gone)
    parts = FORMATS[kind].parts(feed, SITE, fragments_of(kind, articles), updated=at, gone=gone, archive=archive)
    away = {a.public_id for a in articles if a.state is ArticleState.WITHDRAWN} | {one.ref for one in gone}
    return by_the_rules(address(f".{kind}", feed), b"".join(parts), now=at, withdrawn=away)


def built_archive(
    month: str, articles: Sequence[Article], *, before: str | None = None, after: str | None = None
) -> bytes:
    """The archive of a month, read a year later, after all rules were checked on it."""
    fragments, at = fragments_of("atom", articles), latest(articles)
    parts = archive_parts(FEED, SITE, fragments, updated=at, month=month, before=before, after=after)
    return by_the_rules(address(f"/{month}.atom"), b"".join(parts), now=at + timedelta(days=366))


def built_directory(*feeds: Feed, site: Site = SITE) -> bytes:
    """The OPML of these feeds, after all rules were checked on it."""
    return by_the_rules(f"{SITE.public_url}/feeds.opml", directory(site, feeds))
