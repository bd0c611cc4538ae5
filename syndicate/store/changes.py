"""The change log and everybody's place in it."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Row, and_, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Edit
from syndicate.domain.change import Change, ChangeKind
from syndicate.store.db import upsert
from syndicate.store.sets import among
from syndicate.store.tables import changes, counters, cursors

_SEQ = "seq"


async def append(
    connection: AsyncConnection,
    *,
    article_id: str,
    version: int,
    kind: ChangeKind,
    edit: Edit,
    baseline: bool,
    at: datetime,
    note: str = "",
) -> int:
    """Adds a row and returns its seq.

    The number comes from a counter row inside the caller's transaction. Whoever appends next waits for that row until
    we commit, so seq follows commit order and a reader that has seen n will never be handed a smaller one.
    """
    seq = await _next_seq(connection)
    row = {"seq": seq, "article_id": article_id, "version": version, "kind": kind.value, "edit": edit.value}
    await connection.execute(insert(changes).values(**row, baseline=baseline, at=at, note=note))
    return seq


async def head(connection: AsyncConnection) -> int:
    """The newest seq, 0 when the log is empty."""
    return await connection.scalar(select(counters.c.value).where(counters.c.name == _SEQ)) or 0


async def span(connection: AsyncConnection, after: int, upto: int, limit: int = 10_000) -> list[Change]:
    """The changes with after < seq ≤ upto, oldest first."""
    rows = await connection.execute(
        select(changes).where(changes.c.seq > after, changes.c.seq <= upto).order_by(changes.c.seq).limit(limit)
    )
    return [_change(row) for row in rows]


async def touched(
    connection: AsyncConnection, after: int, upto: int, *, limit: int
) -> tuple[int, dict[str, list[int]]]:
    """Where the next `limit` changes with after < seq ≤ upto end, and every seq of the articles they are about."""
    within = changes.c.seq > after, changes.c.seq <= upto
    span = select(changes.c.article_id).where(*within).order_by(changes.c.seq).limit(limit).subquery()
    query = select(changes.c.article_id, changes.c.seq).where(changes.c.article_id.in_(select(span.c.article_id)))
    found: dict[str, list[int]] = {}
    for identifier, seq in await connection.execute(query):
        found.setdefault(identifier, []).append(seq)
    within_span = sorted(seq for seqs in found.values() for seq in seqs if after < seq <= upto)
    return within_span[limit - 1] if len(within_span) >= limit else upto, found


async def of_article(connection: AsyncConnection, article_id: str) -> list[Change]:
    """The history of one article, oldest first."""
    rows = await connection.execute(select(changes).where(changes.c.article_id == article_id).order_by(changes.c.seq))
    return [_change(row) for row in rows]


async def rewritten(connection: AsyncConnection, article_ids: Iterable[str], *, upto: int) -> dict[str, list[int]]:
    """When these articles changed in what they say: the seqs of corrections and major edits, for those with any."""
    mattered = or_(
        changes.c.kind == ChangeKind.CORRECTED.value,
        and_(changes.c.kind == ChangeKind.UPDATED.value, changes.c.edit == Edit.MAJOR.value),
    )
    query = select(changes.c.article_id, changes.c.seq).where(
        among(connection, changes.c.article_id, article_ids), changes.c.seq <= upto, mattered
    )
    found: dict[str, list[int]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.article_id, []).append(row.seq)
    return found


async def unread(connection: AsyncConnection, name: str) -> tuple[int, int]:
    """How far a reader has read, 0 if it has never begun, and the newest seq: what is between is news to it."""
    place = select(cursors.c.seq).where(cursors.c.name == name).scalar_subquery()
    newest = select(counters.c.value).where(counters.c.name == _SEQ).scalar_subquery()
    row = (await connection.execute(select(place, newest))).one()
    return row[0] or 0, row[1] or 0


async def cursor(connection: AsyncConnection, name: str, *, lock: bool = False) -> int | None:
    """How far a reader has read; None if it has never begun. `lock`: nobody else moves or locks it until we commit."""
    query = select(cursors.c.seq).where(cursors.c.name == name)
    return await connection.scalar(query.with_for_update() if lock else query)


async def move_cursor(connection: AsyncConnection, name: str, seq: int) -> None:
    """Sets a reader's place."""
    await upsert(connection, cursors, {"name": name}, {"seq": seq})


async def forget_cursor(connection: AsyncConnection, name: str) -> None:
    """A reader that is no more. One of its name that comes later begins anew."""
    await connection.execute(delete(cursors).where(cursors.c.name == name))


async def move_on(connection: AsyncConnection, name: str, *, after: int, upto: int) -> bool:
    """Sets a reader's place if it is still where we read on from; nobody else moves it until we commit.

    False: somebody else reads for the same reader, and was faster.
    """
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    there = make(cursors).values(name=name, seq=upto)
    moved = there.on_conflict_do_update(index_elements=["name"], set_={"seq": upto}, where=cursors.c.seq == after)
    return await connection.scalar(moved.returning(cursors.c.seq)) is not None


async def _next_seq(connection: AsyncConnection) -> int:
    raised = update(counters).where(counters.c.name == _SEQ).values(value=counters.c.value + 1)
    seq = await connection.scalar(raised.returning(counters.c.value))
    if seq is None:
        raise LookupError("the counter row 'seq' is missing; the migrations make it")
    return int(seq)


def _change(row: Row[tuple[object, ...]]) -> Change:
    data = row._asdict()
    return Change(**{**data, "kind": ChangeKind(data["kind"]), "edit": Edit(data["edit"])})
