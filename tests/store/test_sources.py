"""What is remembered of a source between two looks."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from syndicate.domain.source import Look, Memory
from syndicate.store import sources
from syndicate.store.db import Database
from tests.factories import NOW, make_config


async def test_a_new_source_is_due_at_once_and_known_once(db: Database) -> None:
    async with db.write() as connection:
        await sources.know(connection, ["lintas"], now=NOW)
        await sources.know(connection, ["lintas", "kedua"], now=NOW + timedelta(hours=1))
        assert await sources.due(connection, [make_config(), make_config(name="kedua")], now=NOW) == ["lintas"]
        assert set(await sources.all_states(connection)) == {"lintas", "kedua"}
        assert await sources.get(connection, "lain") is None


async def test_a_look_comes_back_as_it_was_saved(db: Database) -> None:
    async with db.write() as connection:
        await sources.know(connection, ["lintas"], now=NOW)
        state = await sources.get(connection, "lintas")
        assert state is not None
        looked = replace(
            state,
            memory=Memory(values={"etag": 'W/"ä"'}),
            imported=True,
            looked_at=NOW,
            next_at=NOW + timedelta(minutes=5),
            errors=2,
            strikes=1.25,
            failing_since=NOW - timedelta(days=1),
            look=Look.FAILED,
            problem="timeout",
            problems=("a: no title",),
        )
        await sources.save(connection, looked)
        assert await sources.get(connection, "lintas") == looked
        assert await sources.due(connection, [make_config()], now=NOW) == []


async def test_a_clock_set_back_makes_a_source_due(db: Database) -> None:
    async with db.write() as connection:
        await sources.know(connection, ["lintas"], now=NOW)
        state = await sources.get(connection, "lintas")
        assert state is not None
        await sources.save(connection, replace(state, looked_at=NOW, next_at=NOW + timedelta(hours=1)))
        assert await sources.due(connection, [make_config()], now=NOW - timedelta(hours=3)) == ["lintas"]


@pytest.mark.parametrize(
    ("look", "every", "is_due"),
    [(Look.OK, 5, True), (Look.OK, 20, False), (Look.OK, None, False), (Look.FAILED, 5, False)],
    ids=["shorter now", "still longer", "follows the newsroom", "failing"],
)
async def test_a_rhythm_that_was_shortened_counts_at_once(
    db: Database, look: Look, every: int | None, *, is_due: bool
) -> None:
    config = make_config(every=every and timedelta(minutes=every))
    async with db.write() as connection:
        await sources.know(connection, ["lintas"], now=NOW)
        state = await sources.get(connection, "lintas")
        assert state is not None
        planned = replace(state, look=look, looked_at=NOW, next_at=NOW + timedelta(days=1))
        await sources.save(connection, planned)

        due = await sources.due(connection, [config], now=NOW + timedelta(minutes=10))

    assert due == (["lintas"] if is_due else [])


async def test_a_suspended_source_waits_for_a_person(db: Database) -> None:
    async with db.write() as connection:
        await sources.know(connection, ["lintas"], now=NOW)
        state = await sources.get(connection, "lintas")
        assert state is not None
        await sources.save(connection, replace(state, suspended=True))
        assert await sources.due(connection, [make_config()], now=NOW) == []
        await sources.look_soon(connection, "lintas", now=NOW)
        assert await sources.due(connection, [make_config()], now=NOW) == ["lintas"]


async def test_an_operator_who_says_look_again_forgives_what_led_to_the_suspension(db: Database) -> None:
    async with db.write() as connection:
        await sources.know(connection, ["lintas"], now=NOW)
        state = await sources.get(connection, "lintas")
        assert state is not None
        await sources.save(connection, replace(state, strikes=10.0, failing_since=NOW - timedelta(days=9)))
        await sources.look_soon(connection, "lintas", now=NOW)
        again = await sources.get(connection, "lintas")
    assert again is not None
    assert (again.strikes, again.failing_since) == (0, None)


async def test_a_first_import_is_over_when_it_is_whole_or_failed(db: Database) -> None:
    async with db.write() as connection:
        await sources.know(connection, ["a", "b", "c"], now=NOW)
        changes: dict[str, dict[str, Any]] = {"a": {"imported": True}, "b": {"look": Look.FAILED}}
        for name, values in changes.items():
            state = await sources.get(connection, name)
            assert state is not None
            await sources.save(connection, replace(state, **values))
        assert await sources.importing(connection, ["a", "b", "c", "d"]) == ["c", "d"]


async def begin_look(db: Database, *, code: str = "") -> sources.SourceState:
    """What a look gets to know that begins now, possibly after the operator's word."""
    async with db.write() as connection:
        await sources.know(connection, ["lintas"], now=NOW)
        if code:
            await sources.confirm(connection, "lintas", code, problem="")
        state = await sources.get(connection, "lintas")
    assert state is not None
    return state


async def test_a_confirmation_is_in_the_memory_until_a_look_leaves_it_out(db: Database) -> None:
    state = await begin_look(db, code="0a1b2c3d")
    async with db.write() as connection:
        await sources.save(connection, replace(state, memory=Memory(values={"etag": "x"})))
        after = await sources.get(connection, "lintas")

    assert state.memory.values["confirmed"] == "0a1b2c3d"
    assert after is not None
    assert after.memory.values == {"etag": "x"}


async def test_a_confirmation_that_comes_during_a_look_is_not_lost(db: Database) -> None:
    state = await begin_look(db)
    await begin_look(db, code="0a1b2c3d")
    async with db.write() as connection:
        await sources.save(connection, replace(state, memory=Memory(values={"etag": "x"})))
        after = await sources.get(connection, "lintas")

    assert after is not None
    assert after.memory.values == {"etag": "x", "confirmed": "0a1b2c3d"}
