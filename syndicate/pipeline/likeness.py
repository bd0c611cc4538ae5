"""New and edited articles → links to the ones they are like.

A double posting (the same newsroom posts a story twice) is gathered like any other story and linked to the first
posting. It stands in feeds, as it does on the newsroom's own site; who is told of the first posting, by mail or push,
is not told of the double. Copies at other sources are linked and otherwise left alone. Links are made in the
transaction of the change they belong to.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article, ArticleState, Content
from syndicate.domain.likeness import WINDOW, Link, LinkKind, Print, is_copy, is_double, print_of, sketch
from syndicate.store import articles, likeness


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


async def find_likeness(
    connection: AsyncConnection, source: str, content: Content, *, now: datetime, held: Article | None = None
) -> Likeness:
    """Compares a story with those of the last 14 days. `held` is the article that it is a new version of, if any.

    Only a new story can be a double posting: an edit doesn't take back what was announced.
    """
    story = print_of(content)
    hashes = sketch(story)
    linked = await _linked_copies(connection, held.id) if held else frozenset()
    found = await likeness.candidates(connection, hashes, since=now - WINDOW, besides=held.id if held else "")
    others = await _compared(connection, found, linked)
    copies = {one.id for one in others if one.source != source and is_copy(story, print_of(one.content))}
    return Likeness(
        hashes=hashes,
        double="" if held else _first_posting(story, [one for one in others if one.source == source]),
        copies=tuple(sorted(copies - linked)),
        gone=tuple(sorted(linked - copies)),
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
    """What stands of the candidates, and all that is linked already."""
    if not found and not linked:
        return []
    standing = await articles.by_ids(connection, {*found, *linked})
    return [one for one in standing.values() if one.state is ArticleState.PUBLISHED or one.id in linked]


async def _linked_copies(connection: AsyncConnection, identifier: str) -> frozenset[str]:
    links = await likeness.links_of(connection, identifier)
    return frozenset(link.other_than(identifier) for link in links if link.kind is LinkKind.COPY)


def _first_posting(story: Print, others: list[Article]) -> str:
    """The earliest of a newsroom's stories of which this one is a double posting; "" for none."""
    firsts = [one for one in others if is_double(story, print_of(one.content))]
    return min(firsts, key=lambda one: (one.first_seen, one.id)).id if firsts else ""
