"""Transactions: whole or not at all, one writer at a time on SQLite, readers that can't write."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.errors import ConfigError, StoreTrouble
from syndicate.store import changes, jobs
from syndicate.store.db import Database, insert_new, may_pass, normal_url, rows_of, upsert
from syndicate.store.schema import migrate
from syndicate.store.tables import cursors
from tests.factories import NOW

DEADLINE = 10  # seconds: only to end a hang


async def place(db: Database, name: str = "a") -> int | None:
    async with db.read() as connection:
        return await changes.cursor(connection, name)


def move(name: str, to: int) -> Callable[[AsyncConnection], Awaitable[int]]:
    async def work(connection: AsyncConnection) -> int:
        await changes.move_cursor(connection, name, to)
        return to

    return work


async def prepared_sqlite(folder: Path) -> Database:
    db = Database(f"sqlite:///{folder}/x.db")
    await migrate(db)
    return db


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


async def test_a_swift_transaction_is_whole_or_never_happened(db: Database) -> None:
    async def fail(connection: AsyncConnection) -> None:
        await changes.move_cursor(connection, "a", 2)
        raise RuntimeError("half way")

    followed: list[str] = []
    found = await db.write_swiftly(move("a", 1), then=lambda: "followed")
    with pytest.raises(RuntimeError, match="half way"):
        await db.write_swiftly(fail, then=lambda: followed.append("no"))

    assert (found, followed, await place(db)) == ((1, "followed"), [], 1)


async def test_what_follows_a_swift_commit_sees_it_done(tmp_path: Path) -> None:
    db = await prepared_sqlite(tmp_path)

    def look() -> int:
        with closing(sqlite3.connect(tmp_path / "x.db")) as other:
            ((seq,),) = other.execute("SELECT seq FROM cursors")
        return int(seq)

    _, seen = await db.write_swiftly(move("a", 1), then=look)
    await db.aclose()

    assert seen == 1


async def test_a_swift_transaction_waits_for_another_process_and_the_event_loop_goes_on(tmp_path: Path) -> None:
    db = await prepared_sqlite(tmp_path)
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(db.write_swiftly(move("a", 1), then=lambda: None))
        for _ in range(20):  # the loop is free: each of these is a turn of it
            await asyncio.sleep(0.001)
        waits = not writing.done()
        other.execute("COMMIT")
        await asyncio.wait_for(writing, DEADLINE)
    async with db.read() as connection:
        patience = await connection.scalar(text("PRAGMA busy_timeout"))
    found = await place(db)
    await db.aclose()

    assert (waits, found, patience) == (True, 1, 30_000)


async def test_a_cancellation_during_a_swift_commit_waits_for_it(db: Database) -> None:
    def cancel() -> None:
        loop.call_soon_threadsafe(task.cancel)

    loop = asyncio.get_running_loop()
    task = asyncio.create_task(db.write_swiftly(move("a", 1), then=cancel))
    await asyncio.wait({task})

    assert await place(db) == 1


async def test_trouble_in_a_swift_transaction_is_told_apart_like_any_other(tmp_path: Path) -> None:
    db = await prepared_sqlite(tmp_path)
    lost = text("SELECT nothing FROM nowhere")
    full = text("PRAGMA max_page_count = 1")  # a disk with no room left

    async def fill(connection: AsyncConnection) -> None:
        await connection.execute(full)
        for number in range(1000):
            await changes.move_cursor(connection, f"cursor {number}", number)

    with pytest.raises(DBAPIError) as wrong:
        await db.write_swiftly(lambda connection: rows_of(connection, lost, {}), then=lambda: None)
    with pytest.raises(DBAPIError) as crowded:
        await db.write_swiftly(fill, then=lambda: None)
    await db.aclose()

    assert (may_pass(wrong.value), may_pass(crowded.value)) == (False, True)


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


async def test_whoever_breaks_a_swift_transaction_off_while_it_waits_leaves_a_good_connection(tmp_path: Path) -> None:
    """The connection is with the database's thread then, and closing it from here would crash the process."""
    db = await prepared_sqlite(tmp_path)
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as other:
        for number in range(24):
            other.execute("BEGIN IMMEDIATE")
            waiting = asyncio.create_task(db.write_swiftly(move("a", 1_000), then=lambda: None))
            for _ in range(number % 8):
                await asyncio.sleep(0.001)  # it comes to its wait, or doesn't: either must be well
            waiting.cancel()
            await asyncio.sleep(0.002)
            other.execute("COMMIT")
            await asyncio.wait({waiting}, timeout=DEADLINE)
            await db.write_swiftly(move("b", number), then=lambda: None)
            assert await place(db, "b") == number
    await db.aclose()
