"""Allowances: no span ever holds more than was allowed, and they are taken together or not at all."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from syndicate.pipeline.signup import ADDRESS, CLIENT, DOMAIN
from syndicate.store import rates
from syndicate.store.db import Database
from syndicate.store.rates import Limit
from syndicate.store.tables import rates as table
from tests.factories import NOW

DEADLINE = 10  # seconds: only to end a hang
WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
SLOW = Limit(name="slow", burst=1, every=timedelta(hours=1))
FAST = Limit(name="fast", burst=3, every=timedelta(minutes=1))


async def take(db: Database, *wanted: tuple[str, Limit], at: datetime = NOW) -> bool:
    async with db.write() as connection:
        return await rates.take(connection, wanted, now=at) is None


async def test_a_burst_passes_and_then_one_for_each_span(db: Database) -> None:
    assert [await take(db, ("a", FAST)) for _ in range(5)] == [True, True, True, False, False]
    assert [await take(db, ("a", FAST), at=NOW + timedelta(seconds=59))] == [False]
    assert [await take(db, ("a", FAST), at=NOW + timedelta(minutes=1)) for _ in range(2)] == [True, False]
    assert [await take(db, ("a", FAST), at=NOW + timedelta(days=1)) for _ in range(4)] == [True, True, True, False]


async def test_keys_and_limits_are_counted_apart(db: Database) -> None:
    assert await take(db, ("a", SLOW))
    assert await take(db, ("b", SLOW))
    assert await take(db, ("a", FAST))
    assert not await take(db, ("a", SLOW))


async def test_what_is_refused_takes_nothing_from_the_others(db: Database) -> None:
    await take(db, ("b", SLOW))
    assert [await take(db, ("a", FAST), ("b", SLOW)) for _ in range(9)] == [False] * 9
    assert [await take(db, ("a", FAST)) for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize(
    ("limits", "span", "most"),
    [
        (CLIENT, timedelta(minutes=1), 5),
        (CLIENT, timedelta(hours=1), 20),
        (ADDRESS, timedelta(hours=24), 1),
        (ADDRESS, timedelta(days=30), 3),
        ((DOMAIN,), timedelta(hours=1), 30),
    ],
)
async def test_no_span_of_the_settled_length_holds_more_than_was_settled(
    db: Database, limits: tuple[Limit, ...], span: timedelta, most: int
) -> None:
    step = span / 40
    passed: list[datetime] = []
    async with db.write() as connection:
        for number in range(120):
            at = NOW + number * step
            if await rates.take(connection, [("a", limit) for limit in limits], now=at) is None:
                passed.append(at)
    counts = [sum(begin <= at < begin + span for at in passed) for begin in passed]

    assert max(counts) <= most
    assert max(counts) > most / 4, "who asks within reason is let in"


async def test_rows_that_say_nothing_any_more_are_dropped(db: Database) -> None:
    await take(db, ("a", SLOW), ("a", FAST))
    async with db.write() as connection:
        await rates.forget(connection, now=NOW + timedelta(minutes=1))
        left = (await connection.execute(select(table.c.key))).scalars().all()
        await rates.forget(connection, now=NOW + timedelta(hours=1))
        none = await connection.scalar(select(func.count()).select_from(table))

    assert (left, none) == (["a/slow"], 0)


async def test_of_many_who_ask_at_once_no_more_pass_than_of_those_one_after_the_other(db: Database) -> None:
    taken = await asyncio.gather(*(take(db, ("a", FAST), ("b", FAST)) for _ in range(20)))

    assert sum(taken) == 3


async def test_what_was_taken_before_a_race_was_lost_is_given_back(postgres_db: Database) -> None:
    async with postgres_db.write() as first:
        assert await rates.take(first, [("b", SLOW)], now=NOW) is None
        second = asyncio.create_task(take(postgres_db, ("a", SLOW), ("b", SLOW)))
        async with asyncio.timeout(DEADLINE), postgres_db.write() as watching:
            while not await watching.scalar(WAITING):  # noqa: ASYNC110 - the database tells
                await asyncio.sleep(0.01)

    assert not await second
    assert await take(postgres_db, ("a", SLOW))
