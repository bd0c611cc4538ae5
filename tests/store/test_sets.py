"""Sets of values as one parameter."""

import pytest

from syndicate.store import changes
from syndicate.store.db import Database
from syndicate.store.sets import among
from syndicate.store.tables import counters, cursors

NAMES = ["a", "b'; DROP TABLE cursors --", 'c"]', "ä\n", ""]


@pytest.mark.parametrize("count", [0, 1, 1000])
async def test_numbers_are_found_among_any_number_of_numbers(db: Database, count: int) -> None:
    async with db.write() as connection:
        for seq in (1, 500, 5000):
            await changes.move_cursor(connection, f"c{seq}", seq)
        found = await connection.execute(cursors.select().where(among(connection, cursors.c.seq, range(1, count + 1))))

    assert {row.seq for row in found} == {seq for seq in (1, 500, 5000) if seq <= count}


async def test_strings_of_every_kind_are_found(db: Database) -> None:
    async with db.write() as connection:
        for name in NAMES:
            await changes.move_cursor(connection, name, 1)
        found = await connection.execute(cursors.select().where(among(connection, cursors.c.name, NAMES[1:])))
        none = await connection.execute(counters.select().where(among(connection, counters.c.name, ["x"])))

    assert {row.name for row in found} == set(NAMES[1:])
    assert none.all() == []


async def test_not_among_nothing_is_everything(db: Database) -> None:
    async with db.write() as connection:
        await changes.move_cursor(connection, "a", 1)
        found = await connection.execute(cursors.select().where(~among(connection, cursors.c.name, [])))

    assert len(found.all()) == 1
