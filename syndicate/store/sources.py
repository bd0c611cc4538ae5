"""What we remember of each source between two looks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.source import Look, Memory, SourceConfig, is_overdue
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
    errors: int  # looks in a row
    strikes: float  # the same, weighed by their faults
    failing_since: datetime | None
    look: Look | None  # None: not looked at yet
    problem: str
    problems: tuple[str, ...]
    suspended: bool
    left_out: frozenset[str]  # keys of stories that were too old for the first import
    confirmed: str  # the code in the memory when this was read


async def know(connection: AsyncConnection, names: Iterable[str], *, now: datetime) -> None:
    """Makes sure that every configured source has a row; a new one is due at once."""
    fresh = {"memory": {}, "imported": False, "looked_at": None, "next_at": now, "look": ""}
    fresh |= {"errors": 0, "strikes": 0.0, "failing_since": None}
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


async def due(connection: AsyncConnection, configs: Iterable[SourceConfig], *, now: datetime) -> list[str]:
    """Which of these sources are to be looked at now."""
    named = {config.name: config for config in configs}
    columns = (sources.c.name, sources.c.next_at, sources.c.looked_at, sources.c.look)
    query = select(*columns).where(sources.c.suspended.is_(False), among(connection, sources.c.name, named))
    rows = await connection.execute(query)
    return [name for name, *times in rows if _is_due(named[name], *times, now=now)]


async def importing(connection: AsyncConnection, names: Iterable[str]) -> list[str]:
    """Which of these sources are still in their first import. One that failed or came malformed is not waited for."""
    wanted = set(names)
    over = or_(sources.c.imported.is_(True), sources.c.look.in_([Look.FAILED.value, Look.DEGRADED.value]))
    rows = await connection.execute(select(sources.c.name).where(over))
    return sorted(wanted - {row.name for row in rows})


async def save(connection: AsyncConnection, state: SourceState) -> None:
    """Writes a look down, in the transaction that holds its articles: validators are never ahead of the stories.

    What the operator confirmed while the look ran is kept for the next one.
    """
    now_confirmed = await _confirmed(connection, state.name)
    late = {"confirmed": now_confirmed} if now_confirmed != state.confirmed else {}
    values = {
        "memory": {**state.memory.values, **late},
        "imported": state.imported,
        "looked_at": state.looked_at,
        "next_at": state.next_at,
        "errors": state.errors,
        "strikes": state.strikes,
        "failing_since": state.failing_since,
        "look": state.look.value if state.look else "",
        "problem": state.problem,
        "problems": list(state.problems),
        "suspended": state.suspended,
        "left_out": sorted(state.left_out),
    }
    await upsert(connection, sources, {"name": state.name}, values)


async def look_soon(connection: AsyncConnection, name: str, *, now: datetime) -> None:
    """The operator's word: look at the next chance. A suspension is lifted, and what led to it is forgiven."""
    values = {"next_at": now, "suspended": False, "strikes": 0.0, "failing_since": None}
    await connection.execute(update(sources).where(sources.c.name == name).values(values))


async def confirm(connection: AsyncConnection, name: str, code: str, *, problem: str) -> None:
    """The operator's word that this mass loss was meant; the source finds it in its memory, people in `problem`."""
    memory = (await connection.execute(_memory(name))).scalar_one()
    values = {"memory": memory | {"confirmed": code}, "problem": problem}
    await connection.execute(update(sources).where(sources.c.name == name).values(values))


async def _confirmed(connection: AsyncConnection, name: str) -> str:
    memory = (await connection.execute(_memory(name))).scalar_one_or_none()
    return memory.get("confirmed", "") if memory else ""


def _is_due(config: SourceConfig, next_at: datetime, looked_at: datetime | None, look: str, *, now: datetime) -> bool:
    """As planned, or by a rhythm that was changed since, or because the clock was set back."""
    if next_at <= now or (looked_at is not None and looked_at > now):
        return True
    return is_overdue(config, looked_at=looked_at, look=_look(look), now=now)


def _look(text: str) -> Look | None:
    return Look(text) if text else None


def _memory(name: str) -> Select[tuple[Any]]:
    """Locked, where rows can be locked: it is read to be written anew."""
    return select(sources.c.memory).where(sources.c.name == name).with_for_update()


def _state(row: Row[Any]) -> SourceState:
    data = row._asdict()
    data["confirmed"] = data["memory"].get("confirmed", "")
    data |= {"memory": Memory(values=data["memory"]), "look": _look(data["look"])}
    data |= {"problems": tuple(data["problems"]), "left_out": frozenset(data["left_out"])}
    return SourceState(**data)
