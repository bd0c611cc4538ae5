"""Transactions: whole or not at all, one writer at a time on SQLite, readers that can't write."""

import asyncio
import sqlite3
import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from syndicate.errors import ConfigError, StoreTrouble
from syndicate.store import changes, jobs
from syndicate.store.db import Database, insert_new, may_pass, normal_url, upsert
from syndicate.store.tables import cursors
from tests.factories import NOW

DEADLINE = 10  # seconds: only to end a hang


async def place(db: Database, name: str = "a") -> int | None:
    async with db.read() as connection:
        return await changes.cursor(connection, name)


async def test_a_transaction_that_fails_never_happened(db: Database) -> None:
    with pytest.raises(RuntimeError, match="half way"):
        async with db.write() as connection:
            await changes.move_cursor(connection, "a", 1)
            raise RuntimeError("half way")

    assert await place(db) is None


async def test_a_cancelled_transaction_never_happened_and_the_next_one_goes_on(db: Database) -> None:
    inside = asyncio.Event()

    async def never_ending() -> None:
        async with db.write() as connection:
            await changes.move_cursor(connection, "a", 1)
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(never_ending())
    await inside.wait()
    task.cancel()
    await asyncio.wait({task})
    async with db.write() as connection:
        await changes.move_cursor(connection, "b", 2)

    assert task.cancelled()
    assert (await place(db), await place(db, "b")) == (None, 2)


async def test_a_cancellation_during_the_commit_waits_for_it(db: Database) -> None:
    task: asyncio.Task[None]

    async def write() -> None:
        async with db.write() as connection:
            await changes.move_cursor(connection, "a", 1)
            asyncio.get_running_loop().call_soon(task.cancel)  # arrives once the commit is awaited

    task = asyncio.create_task(write())
    await asyncio.wait({task})

    assert task.cancelled()
    assert await place(db) == 1


async def test_a_reader_cannot_write(db: Database) -> None:
    with pytest.raises(DBAPIError):
        async with db.read() as connection:
            await changes.move_cursor(connection, "a", 1)

    assert await place(db) is None


@pytest.mark.parametrize("statement", ["SELECT nothing FROM nowhere", "INSERT INTO cursors (name) VALUES (NULL)"])
async def test_what_is_wrong_with_a_statement_will_not_pass(db: Database, statement: str) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with db.write() as connection:
            await connection.execute(text(statement))

    assert not may_pass(caught.value)


@pytest.mark.parametrize(
    "trouble",
    [
        StoreTrouble("the database can't be opened"),
        OperationalError("COMMIT", None, sqlite3.OperationalError("database is locked")),
        DBAPIError("COMMIT", None, Exception("the connection is lost"), connection_invalidated=True),
        NoConnectionFree("QueuePool limit reached"),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
def test_a_database_that_is_away_or_locked_may_come_back(trouble: Exception) -> None:
    assert may_pass(trouble)


async def test_writers_wait_for_each_other(db: Database) -> None:
    async def add_one() -> None:
        async with db.write() as connection:
            await changes._next_seq(connection)

    await asyncio.gather(*(add_one() for _ in range(20)))

    async with db.read() as connection:
        assert await changes.head(connection) == 20


async def test_two_processes_can_write_the_same_file(db: Database) -> None:
    other = Database(db.url.render_as_string(hide_password=False))
    try:
        async with db.write() as connection:
            await changes.move_cursor(connection, "a", 1)
        async with other.write() as connection:
            await changes.move_cursor(connection, "a", 2)
    finally:
        await other.aclose()

    assert await place(db) == 2


async def test_the_relay_is_rung_only_by_a_commit_that_wrote_jobs(db: Database) -> None:
    async with db.write() as connection:
        await changes.move_cursor(connection, "a", 1)
    quiet = db.jobs_added.is_set()
    with pytest.raises(RuntimeError):
        async with db.write() as connection:
            await jobs.add(connection, lane="work", kind="x", key="x", ref={}, now=NOW)
            raise RuntimeError
    async with db.write() as connection:
        await changes.move_cursor(connection, "a", 2)
    rolled_back = db.jobs_added.is_set()
    async with db.write() as connection:
        await jobs.add(connection, lane="work", kind="x", key="x", ref={}, now=NOW)

    assert (quiet, rolled_back, db.jobs_added.is_set()) == (False, False, True)


async def test_upsert_and_insert_new_tell_what_was_there(db: Database) -> None:
    async with db.write() as connection:
        assert await insert_new(connection, cursors, {"name": "a", "seq": 1})
        assert not await insert_new(connection, cursors, {"name": "a", "seq": 2})
        await upsert(connection, cursors, {"name": "a"}, {"seq": 3})
        await upsert(connection, cursors, {"name": "b"}, {"seq": 4})

    assert (await place(db), await place(db, "b")) == (3, 4)


async def test_sqlite_is_durable_and_checks_its_references(tmp_path: object) -> None:
    db = Database(f"sqlite:///{tmp_path}/x.db")
    found = {}
    async with db.write() as connection:
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout"):
            found[name] = await connection.scalar(text(f"PRAGMA {name}"))
    await db.aclose()

    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


@pytest.mark.parametrize("url", ["sqlite:////no/such/folder/x.db", "postgresql://nobody@127.0.0.1:1/x"])
async def test_a_database_that_is_not_there_is_trouble_in_words(url: str) -> None:
    db = Database(url)
    with pytest.raises(StoreTrouble, match="can't be opened"):
        async with db.write():
            pass
    with pytest.raises(StoreTrouble, match="can't be opened"):
        async with db.read():
            pass
    await db.aclose()
    for thread in threading.enumerate():  # aiosqlite's own ends a moment after the failed opening
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, DEADLINE)


def test_the_driver_is_ours_and_other_databases_are_refused() -> None:
    assert normal_url("postgresql://h/x").drivername == "postgresql+psycopg"
    assert normal_url("sqlite:///x.db").drivername == "sqlite+aiosqlite"
    with pytest.raises(ConfigError, match="mysql is not a database we know"):
        normal_url("mysql://h/x")
