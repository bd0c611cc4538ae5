"""SQLite for asyncio with few trips to the database's thread.

aiosqlite makes four a statement (cursor, execute, fetch, close), and most of a short transaction is spent on them.
SQLAlchemy's adapter keeps all rows of a result in memory anyway, so here they come back with the statement; and
statements that take less time than the trip can be made without one.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import aiosqlite

BEGIN = "BEGIN IMMEDIATE"
_T = TypeVar("_T")


class Connection(aiosqlite.Connection):
    """aiosqlite's connection with other cursors."""

    _is_here = False

    def cursor(self) -> "Cursor":  # type: ignore[override]  # theirs can be awaited too, which SQLAlchemy doesn't do
        """A cursor that has nothing to do with the thread before its first statement."""
        return Cursor(self)

    async def rows_of(self, sql: str, parameters: Any) -> list[Any]:
        """Runs a statement and returns its rows."""
        return (await self.execute_whole(sql, parameters, many=False))[1]

    async def change_each(self, sql: str, rows: Iterable[Any]) -> None:
        """Runs a statement once for each row of parameters."""
        await self.execute_whole(sql, rows, many=True)

    async def execute_whole(self, sql: str, parameters: Any, *, many: bool) -> tuple[sqlite3.Cursor, list[Any]]:
        """Runs a statement and closes its cursor, which still tells of it."""

        def run() -> tuple[sqlite3.Cursor, list[Any]]:
            cursor = self._conn.cursor()
            (cursor.executemany if many else cursor.execute)(sql, parameters)
            rows = cursor.fetchall() if cursor.description else []
            cursor.close()
            return cursor, rows

        if self._is_here and sql == BEGIN:
            return await self._begin_here(run)
        whole: tuple[sqlite3.Cursor, list[Any]] = await self._execute(run)
        return whole

    @contextmanager
    def here(self) -> Iterator[None]:
        """For the length of a block, statements are made in the thread that asks for them, which waits meanwhile.

        Only BEGIN IMMEDIATE goes to the other one if it would have to wait for another process.
        """
        self._is_here = True
        try:
            yield
        finally:
            self._is_here = False

    async def commit_and(self, then: Callable[[], _T]) -> _T:
        """Commits, and then does something else where the disk may be waited for."""

        def run() -> _T:
            self._conn.commit()
            return then()

        done: _T = await self._execute(run)
        return done

    async def commit(self) -> None:
        """Goes to the thread only if there is something to commit."""
        if self.in_transaction:
            await super().commit()

    async def rollback(self) -> None:
        """Goes to the thread only if there is something to roll back: SQLAlchemy asks after each transaction."""
        if self.in_transaction:
            await super().rollback()

    async def _begin_here(self, run: Callable[[], _T]) -> _T:
        ((patience,),) = self._conn.execute("PRAGMA busy_timeout").fetchall()
        self._conn.execute("PRAGMA busy_timeout = 0")
        try:
            return run()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
        finally:
            self._conn.execute(f"PRAGMA busy_timeout = {int(patience)}")
        self._is_here = False  # the other thread has the connection now: who breaks the wait off must queue behind it
        begun: _T = await self._execute(run)
        self._is_here = True
        return begun

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._is_here:
            return fn(*args, **kwargs)
        return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]


class Cursor(aiosqlite.Cursor):
    """Executes at once and has all rows then. What the adapter of SQLAlchemy asks of a cursor, and no more."""

    def __init__(self, connection: Connection) -> None:
        self._whole = connection
        self._rows: list[Any] = []

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> Self:
        """One statement."""
        self._cursor, self._rows = await self._whole.execute_whole(sql, parameters or (), many=False)
        return self

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> Self:
        """One statement with many sets of parameters."""
        self._cursor, self._rows = await self._whole.execute_whole(sql, parameters, many=True)
        return self

    async def fetchall(self) -> list[Any]:
        """The rows, which are here already."""
        return self._rows

    async def close(self) -> None:
        """It is closed already."""


def open_file(path: str, **options: Any) -> Connection:
    """A connection to be awaited. Its thread doesn't keep a process alive that wants to end."""
    connection = Connection(lambda: sqlite3.connect(path, **options), iter_chunk_size=0)
    connection._thread.daemon = True
    return connection
