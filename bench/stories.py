"""Stories and feeds to measure building with, and what feedgen alone makes of them.

The bodies are those of the first measurements: 2.9 kB of HTML, three categories, a picture as enclosure and as media.
"""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator

from bench.newsroom import word
from syndicate.domain.article import Article, ArticleState, Content, Edit, Picture, article_id, public_id

NEWEST = datetime(2026, 5, 4, 6, 0, tzinfo=UTC)
_BODY = 2_900  # bytes
_HOST = "contohpos.example"
SECTION = "daerah"  # of every story


def article(number: int, *, seq: int = 0) -> Article:
    """The story of a number: always the same, a minute after the one before."""
    chance = random.Random(number)
    at = NEWEST + timedelta(minutes=number)
    identifier = article_id("newsroom", str(number))
    picture = Picture(
        url=f"https://{_HOST}/foto/{number}.jpg",
        alt="Jembatan dari sisi timur",
        mime_type="image/jpeg",
        width=1200,
        height=800,
    )
    content = Content(
        title=" ".join(word(chance) for _ in range(8)).capitalize(),
        summary=" ".join(word(chance) for _ in range(25)),
        body_html=_body(chance),
        published=at,
        updated=at,
        url=f"https://{_HOST}/berita/{number}",
        authors=("Ratna Dewi",),
        sections=(SECTION,),
        tags=("pangan", "cuaca"),
        picture=picture,
    )
    return Article(
        id=identifier,
        public_id=public_id(_HOST, 2026, identifier),
        source="newsroom",
        source_key=str(number),
        version=1,
        content=content,
        edit=Edit.FIRST,
        state=ArticleState.PUBLISHED,
        first_seen=at,
        sort_at=at,
        seq=seq,
        changed_at=at,
        announced=True,
    )


def feed_tables(count: int) -> str:
    """The configuration of so many feeds, each with a selection of its own that holds every story."""
    return "\n".join(
        f'[[feeds]]\nname = "feed-{n}"\ntitle = "Contoh Pos {n}"\n'
        f'select = {{ sections = ["{SECTION}", "topik-{n}"] }}\n'
        for n in range(count)
    )


def feedgen_documents(name: str, stories: Sequence[Article]) -> tuple[bytes, bytes]:
    """RSS and Atom of a feed with what ours say, the way feedgen's own examples build them."""
    feed = FeedGenerator()
    feed.load_extension("media", atom=True, rss=True)
    feed.load_extension("dc", atom=False, rss=True)
    feed.id(f"https://{_HOST}/feeds/{name}")
    feed.title(f"Contoh Pos {name}")
    feed.description("Semua berita")
    feed.language("id")
    feed.link(href=f"https://{_HOST}/feeds/{name}.rss", rel="self")
    feed.link(href=f"https://{_HOST}/", rel="alternate")
    for story in stories:
        _add(feed.add_entry(order="append"), story)
    return feed.rss_str(), feed.atom_str()


def _add(entry: FeedEntry, story: Article) -> None:
    content = story.content
    picture = content.picture
    assert picture is not None
    entry.id(story.public_id)
    entry.title(content.title)
    entry.link(href=content.url)
    entry.summary(content.summary)
    entry.content(content.body_html, type="html")
    entry.author(name=content.authors[0])
    entry.category([{"term": name} for name in (*content.sections, *content.tags)])
    entry.published(content.published)
    entry.updated(content.updated)
    entry.enclosure(picture.url, 0, "image/jpeg")
    entry.dc.dc_creator(content.authors[0])
    size = {"width": "1200", "height": "800"}
    entry.media.content({"url": picture.url, "type": "image/jpeg", "medium": "image", "group": None, **size})
    entry.media.thumbnail(url=picture.url, width="1200", height="800")


def _body(chance: random.Random) -> str:
    body = ""
    while len(body) < _BODY:
        body += f"<p>{' '.join(word(chance) for _ in range(40))}.</p>"
    return body
