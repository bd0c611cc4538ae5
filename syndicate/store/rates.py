"""How often what may happen, as GCRA rows: one number for each key, and every process counts in the same place."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, case, delete, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.store.sets import among
from syndicate.store.tables import rates, to_instant

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """`burst` at once, then one for each `every` that passed: in any span at most burst + span / every - 1."""

    name: str  # tells the limits of one key apart
    burst: int
    every: timedelta

    @property
    def span(self) -> int:
        """`every` in microseconds."""
        return self.every // _MICROSECOND

    @property
    def slack(self) -> int:
        """How far ahead a row may be that still lets one pass, in microseconds."""
        return (self.burst - 1) * self.span


async def take(connection: AsyncConnection, wanted: Sequence[tuple[str, Limit]], *, now: datetime) -> str | None:
    """Takes one from each allowance, or none from any. Returns the first key that is spent; None: all were taken.

    Looks first, so that refusing a flood writes nothing. Rows are locked in the order given; so that two transactions
    never wait for each other, it is the same everywhere.
    """
    moment = to_instant(now)
    if spent := await _spent(connection, wanted, moment):
        return spent
    async with connection.begin_nested() as point:
        for key, limit in wanted:
            if not await _take_one(connection, _row(key, limit), limit, moment):
                await point.rollback()
                return key
    return None


async def forget(connection: AsyncConnection, *, now: datetime) -> None:
    """Drops the rows of allowances that are whole again."""
    await connection.execute(delete(rates).where(rates.c.free_at <= to_instant(now)))


async def _spent(connection: AsyncConnection, wanted: Sequence[tuple[str, Limit]], now: int) -> str | None:
    names = [_row(key, limit) for key, limit in wanted]
    query = select(rates.c.key, rates.c.free_at).where(among(connection, rates.c.key, names))
    free_at = {row.key: row.free_at for row in await connection.execute(query)}
    return next((key for key, limit in wanted if free_at.get(_row(key, limit), 0) > now + limit.slack), None)


async def _take_one(connection: AsyncConnection, name: str, limit: Limit, now: int) -> bool:
    """One statement, so that of two who ask at once the second sees what the first took."""
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    moment = literal(now, BigInteger)
    later = case((rates.c.free_at > moment, rates.c.free_at), else_=moment) + limit.span
    taken = (
        make(rates)
        .values(key=name, free_at=now + limit.span)
        .on_conflict_do_update(
            index_elements=["key"],
            set_={"free_at": later},
            where=rates.c.free_at <= now + limit.slack,
        )
    )
    done = await connection.execute(taken.execution_options(preserve_rowcount=True))
    return done.rowcount == 1


def _row(key: str, limit: Limit) -> str:
    return f"{key}/{limit.name}"
