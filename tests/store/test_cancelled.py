"""A cancellation that meets a statement on its way goes on as a cancellation."""

import asyncio

import pytest

from syndicate.store import changes
from syndicate.store.db import Database

DEADLINE = 30  # seconds: only to end a hang


@pytest.mark.parametrize("steps", range(3))
async def test_a_cancellation_amid_a_statement_is_not_lost(steps: int, db: Database) -> None:
    """Lost, it would leave a loop running that was told to end, and a stop that never comes."""
    loop = asyncio.get_running_loop()

    async def write() -> None:
        async with db.write() as connection:
            await changes.move_cursor(connection, "a", 1)
            here = asyncio.current_task()
            assert here is not None
            loop.call_soon(here.cancel)
            for _ in range(steps):
                await changes.move_cursor(connection, "b", 1)
            await changes.head(connection)
            await asyncio.Event().wait()

    task = asyncio.create_task(write())
    await asyncio.wait({task}, timeout=DEADLINE)
    async with asyncio.timeout(DEADLINE), db.write() as connection:
        found = [await changes.cursor(connection, name) for name in ("a", "b")]

    assert task.cancelled(), task
    assert found == [None, None]
