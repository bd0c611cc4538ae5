"""New and edited articles → links to the ones they are like.

A double posting (the same newsroom posts a story twice) is gathered like any other story and linked to the first
posting. It stands in feeds, as it does on the newsroom's own site; who is told of the first posting, by mail or push,
is not told of the double. Copies at other sources are linked and otherwise left alone. Links are made in the
transaction of the change they belong to; what takes time, reading the texts, is done before it.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article, ArticleState, Content
from syndicate.domain.likeness import WINDOW, Link, LinkKind, Print, is_copy, is_double, print_of, sketch
from syndicate.store import articles, likeness
from syndicate.store.db import Database
from syndicate.store.likeness import CANDIDATES


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """What a story is like, found before it is written down."""

    hashes: tuple[int, ...]  # its sketch
    double: str = ""  # id of the first posting; "" for what is no double posting
    copies: tuple[str, ...] = ()  # ids of articles of other sources, as far as not linked yet
    gone: tuple[str, ...] = ()  # ids of linked articles that it is no longer like


@dataclass(frozen=True, kw_only=True)
class Kin:
    """The articles that one is linked with, as they stand now."""

    double_of: Article | None  # the first posting
    doubles: tuple[Article, ...]  # later postings of the same story
    also_at: tuple[Article, ...]  # of other sources, those that are published


@dataclass(frozen=True)
class Prints:
    """What is known of texts already: to read a long one takes a tenth of a second, too long for a transaction."""

    made: dict[tuple[str, datetime, str, str], Print] = field(default_factory=dict)

    async def make(self, contents: Iterable[Content]) -> None:
        """In a thread, each text once."""
        new = [content for content in contents if _text_of(content) not in self.made]
        self.made.update(await asyncio.to_thread(lambda: {_text_of(one): print_of(one) for one in new}))

    def of(self, content: Content) -> Print:
        """Made on the spot for what nobody foresaw: a text that another source brought in the same moment."""
        text = _text_of(content)
        if text not in self.made:
            self.made[text] = print_of(content)
        return self.made[text]


def says_the_same(one: Content, other: Content) -> bool:
    """True when nothing that stories are compared by differs: such an edit makes and takes back no links."""
    return _text_of(one) == _text_of(other)


async def foresee(db: Database, stories: Sequence[Content], *, now: datetime) -> Prints:
    """Reads stories and all that they will be compared with, while nobody waits for a transaction to end."""
    prints = Prints()
    await prints.make(stories)
    found: set[str] = set()
    async with db.read() as connection:
        for story in stories:
            hashes = sketch(prints.of(story))
            found.update(await likeness.candidates(connection, hashes, since=now - WINDOW, besides=""))
        others = await articles.by_ids(connection, found) if found else {}
    await prints.make(one.content for one in others.values())
    return prints


async def find_likeness(
    connection: AsyncConnection,
    source: str,
    content: Content,
    prints: Prints,
    *,
    now: datetime,
    held: Article | None = None,
) -> Likeness:
    """Compares a story with those of the last 14 days. `held` is the article that it is a new version of, if any.

    Only a new story can be a double posting: an edit doesn't take back what was announced.
    """
    story = prints.of(content)
    hashes = sketch(story)
    linked = await _linked_copies(connection, held.id) if held else frozenset()
    found = await likeness.candidates(connection, hashes, since=now - WINDOW, besides=held.id if held else "")
    others = await _compared(connection, found, linked)
    alike = {one.id for one in others if one.source != source and is_copy(story, prints.of(one.content))}
    same_house = [one for one in others if one.source == source and is_double(story, prints.of(one.content))]
    return Likeness(
        hashes=hashes,
        double="" if held else _earliest(same_house),
        copies=tuple(sorted(alike - linked)),
        gone=tuple(sorted(linked.intersection(one.id for one in others) - alike)),
    )


async def note_likeness(connection: AsyncConnection, article: Article, found: Likeness, *, now: datetime) -> None:
    """Writes down what was found of an article, once the article itself is written."""
    await likeness.put(connection, article.id, found.hashes, at=article.sort_at)
    if found.gone:
        await likeness.drop_links(connection, article.id, found.gone)
    links = [Link(article_id=article.id, other_id=one, kind=LinkKind.COPY, at=now) for one in found.copies]
    if found.double:
        links.append(Link(article_id=article.id, other_id=found.double, kind=LinkKind.DOUBLE, at=now))
    for link in links:
        await likeness.add_link(connection, link)


async def kin_of(connection: AsyncConnection, identifier: str) -> Kin:
    """What an article is linked with, the oldest link first."""
    links = await likeness.links_of(connection, identifier)
    standing = await articles.by_ids(connection, [link.other_than(identifier) for link in links]) if links else {}
    firsts = [one for one in links if one.kind is LinkKind.DOUBLE and one.article_id == identifier]
    later = [one for one in links if one.kind is LinkKind.DOUBLE and one.other_id == identifier]
    copies = [standing[one.other_than(identifier)] for one in links if one.kind is LinkKind.COPY]
    return Kin(
        double_of=standing[firsts[0].other_id] if firsts else None,
        doubles=tuple(standing[one.article_id] for one in later),
        also_at=tuple(one for one in copies if one.state is ArticleState.PUBLISHED),
    )


async def heir_of(connection: AsyncConnection, withdrawn: Article) -> Article | None:
    """The double that is the first posting from now on, for the newsroom took down the one that was. None for none."""
    doubles = (await kin_of(connection, withdrawn.id)).doubles
    published = [one for one in doubles if one.state is ArticleState.PUBLISHED]
    heir = min(published, key=lambda one: (one.first_seen, one.id), default=None)
    if heir is not None:
        await likeness.hand_over(connection, withdrawn.id, heir.id)
    return heir


async def firsts_of(connection: AsyncConnection, identifiers: Iterable[str]) -> dict[str, Article]:
    """The first postings of those articles that are doubles, as they stand now."""
    first = await likeness.firsts(connection, identifiers)
    standing = await articles.by_ids(connection, set(first.values())) if first else {}
    return {double: standing[one] for double, one in first.items()}


async def _compared(connection: AsyncConnection, found: list[str], linked: frozenset[str]) -> list[Article]:
    """What stands of the candidates, and what is linked already; of a text that everybody carries only so many."""
    wanted = {*found, *sorted(linked)[:CANDIDATES]}
    standing = await articles.by_ids(connection, wanted) if wanted else {}
    return [one for one in standing.values() if one.state is ArticleState.PUBLISHED or one.id in linked]


async def _linked_copies(connection: AsyncConnection, identifier: str) -> frozenset[str]:
    links = await likeness.links_of(connection, identifier)
    return frozenset(link.other_than(identifier) for link in links if link.kind is LinkKind.COPY)


def _earliest(postings: list[Article]) -> str:
    """Which of a newsroom's postings of one story is the first; "" for none."""
    return min(postings, key=lambda one: (one.first_seen, one.id)).id if postings else ""


def _text_of(content: Content) -> tuple[str, datetime, str, str]:
    """All that a print is made from."""
    return content.title, content.published, content.dateline, content.body_html
