"""Sketches of articles, by which like ones are found without reading them all, and the links between them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, delete, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.likeness import IN_COMMON, Link, LinkKind
from syndicate.store.db import insert_new
from syndicate.store.sets import among, by_code_point
from syndicate.store.tables import Json, article_links, article_sketches

CANDIDATES = 16  # articles at most that one story is compared with


async def candidates(connection: AsyncConnection, hashes: Sequence[int], *, since: datetime, besides: str) -> list[str]:
    """Articles that share hashes with a sketch, the likest first. `besides` is left out."""
    query = (
        select(article_sketches.c.article_id)
        .where(
            among(connection, article_sketches.c.hash, hashes),
            article_sketches.c.at >= since,
            article_sketches.c.article_id != besides,
        )
        .group_by(article_sketches.c.article_id)
        .having(func.count() >= IN_COMMON)
        .order_by(func.count().desc(), by_code_point(connection, article_sketches.c.article_id))
        .limit(CANDIDATES)
    )
    return list(await connection.scalars(query))


async def put(connection: AsyncConnection, identifier: str, hashes: Sequence[int], *, at: datetime) -> None:
    """Keeps the sketch of an article's newest version in place of an older one."""
    await connection.execute(delete(article_sketches).where(article_sketches.c.article_id == identifier))
    if hashes:
        moment = bindparam(None, at, type_=article_sketches.c.at.type, unique=True)
        rows = select(_each(connection, hashes), literal(identifier), moment)
        await connection.execute(insert(article_sketches).from_select(["hash", "article_id", "at"], rows))


async def forget_before(connection: AsyncConnection, at: datetime) -> None:
    """Drops the sketches that nothing is compared with any more. Links stay."""
    await connection.execute(delete(article_sketches).where(article_sketches.c.at < at))


async def add_link(connection: AsyncConnection, link: Link) -> None:
    """Links two articles, unless they are linked already."""
    await insert_new(connection, article_links, vars(link) | {"kind": link.kind.value})


async def drop_links(connection: AsyncConnection, identifier: str, others: Iterable[str]) -> None:
    """Takes back links between an article and others, whichever came first."""
    listed = list(others)
    one, other = article_links.c.article_id, article_links.c.other_id
    forth = (one == identifier) & among(connection, other, listed)
    back = (other == identifier) & among(connection, one, listed)
    await connection.execute(delete(article_links).where(or_(forth, back)))


async def links_of(connection: AsyncConnection, identifier: str) -> list[Link]:
    """Every link of an article, the oldest first."""
    either = or_(article_links.c.article_id == identifier, article_links.c.other_id == identifier)
    query = select(article_links).where(either)
    rows = await connection.execute(
        query.order_by(article_links.c.at, article_links.c.article_id, article_links.c.other_id)
    )
    return [Link(**row._asdict() | {"kind": LinkKind(row.kind)}) for row in rows]


async def firsts(connection: AsyncConnection, identifiers: Iterable[str]) -> dict[str, str]:
    """Of which first posting each of these articles is a double; only doubles are in it."""
    doubles = article_links.c.kind == LinkKind.DOUBLE.value
    query = select(article_links).where(doubles, among(connection, article_links.c.article_id, identifiers))
    return {row.article_id: row.other_id for row in await connection.execute(query)}


async def postings(connection: AsyncConnection, identifiers: Iterable[str]) -> dict[str, frozenset[str]]:
    """The other postings of the same story by its newsroom, earlier and later ones, of those that have any."""
    listed = list(identifiers)
    either = or_(
        among(connection, article_links.c.article_id, listed), among(connection, article_links.c.other_id, listed)
    )
    found: dict[str, set[str]] = {}
    doubles = select(article_links).where(article_links.c.kind == LinkKind.DOUBLE.value, either)
    for row in await connection.execute(doubles):
        found.setdefault(row.article_id, set()).add(row.other_id)
        found.setdefault(row.other_id, set()).add(row.article_id)
    return {one: frozenset(others) for one, others in found.items()}


async def hand_over(connection: AsyncConnection, first: str, heir: str) -> None:
    """From now on `heir` is the first posting, and what was the first is its double, like all other doubles of it."""
    doubles = and_(article_links.c.other_id == first, article_links.c.kind == LinkKind.DOUBLE.value)
    swapped = update(article_links).where(doubles, article_links.c.article_id == heir)
    await connection.execute(swapped.values(article_id=first, other_id=heir))
    await connection.execute(update(article_links).where(doubles).values(other_id=heir))


def _each(connection: AsyncConnection, hashes: Sequence[int]) -> Any:
    """The hashes as rows, from one bound parameter."""
    if connection.dialect.name == "sqlite":
        return func.json_each(bindparam(None, hashes, type_=Json(), unique=True)).table_valued("value").c.value
    return func.unnest(bindparam(None, list(hashes), type_=ARRAY(BigInteger), unique=True))
