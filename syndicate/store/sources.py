"""What we remember of each source between two looks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.source import Look, Memory
from syndicate.store.db import insert_new, upsert
from syndicate.store.sets import among
from syndicate.store.tables import sources


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """A source as of its last look."""

    name: str
    memory: Memory
    imported: bool
    looked_at: datetime | None
    next_at: datetime
    errors: int
    look: Look | None  # None: not looked at yet
    problem: str
    problems: tuple[str, ...]
    suspended: bool
    left_out: frozenset[str]  # keys of stories that were too old for the first import


async def know(connection: AsyncConnection, names: Iterable[str], *, now: datetime) -> None:
    """Makes sure that every configured source has a row; a new one is due at once."""
    fresh = {"memory": {}, "imported": False, "looked_at": None, "next_at": now, "errors": 0, "look": ""}
    fresh |= {"problem": "", "problems": [], "suspended": False, "left_out": []}
    for name in names:
        await insert_new(connection, sources, {"name": name, **fresh})


async def get(connection: AsyncConnection, name: str) -> SourceState | None:
    """One source's state."""
    row = (await connection.execute(select(sources).where(sources.c.name == name))).one_or_none()
    return _state(row) if row else None


async def all_states(connection: AsyncConnection) -> dict[str, SourceState]:
    """Every source's state by name."""
    return {row.name: _state(row) for row in await connection.execute(select(sources))}


async def due(connection: AsyncConnection, names: Iterable[str], *, now: datetime) -> list[str]:
    """Which of these sources are to be looked at now."""
    clock_set_back = sources.c.looked_at > now
    query = select(sources.c.name).where(or_(sources.c.next_at <= now, clock_set_back), sources.c.suspended.is_(False))
    rows = await connection.execute(query.where(among(connection, sources.c.name, names)))
    return [row.name for row in rows]


async def importing(connection: AsyncConnection, names: Iterable[str]) -> list[str]:
    """Which of these sources are still in their first import. One whose look failed is not waited for."""
    wanted = set(names)
    over = or_(sources.c.imported.is_(True), sources.c.look == Look.FAILED.value)
    rows = await connection.execute(select(sources.c.name).where(over))
    return sorted(wanted - {row.name for row in rows})


async def save(connection: AsyncConnection, state: SourceState) -> None:
    """Writes a look down, in the transaction that holds its articles: validators are never ahead of the stories."""
    values = {
        "memory": dict(state.memory.values),
        "imported": state.imported,
        "looked_at": state.looked_at,
        "next_at": state.next_at,
        "errors": state.errors,
        "look": state.look.value if state.look else "",
        "problem": state.problem,
        "problems": list(state.problems),
        "suspended": state.suspended,
        "left_out": sorted(state.left_out),
    }
    await upsert(connection, sources, {"name": state.name}, values)


async def look_soon(connection: AsyncConnection, name: str, *, now: datetime) -> None:
    """The operator's word: look at the next chance, even if it was suspended."""
    changed = update(sources).where(sources.c.name == name).values(next_at=now, suspended=False)
    await connection.execute(changed)


def _state(row: Row[Any]) -> SourceState:
    data = row._asdict()
    data |= {"memory": Memory(values=data["memory"]), "look": Look(data["look"]) if data["look"] else None}
    data |= {"problems": tuple(data["problems"]), "left_out": frozenset(data["left_out"])}
    return SourceState(**data)
