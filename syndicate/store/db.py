"""The database: one writer at a time on SQLite, a pool on PostgreSQL, and nothing half-written by a cancelled task."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import Any, TypeVar, cast

from sqlalchemy import URL, Row, Select, Table, TextClause, event, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from syndicate.errors import ConfigError, StoreTrouble
from syndicate.store import driver

BUSY_SECONDS = 30  # how long SQLite waits for another process's write
READERS = 4  # connections that only read
WRITERS = 4  # PostgreSQL; SQLite has one
RINGS = "rings the relay"  # key in a connection's info: this transaction wrote jobs
_R = TypeVar("_R")
_T = TypeVar("_T")


class Database:
    """Both databases behind two verbs. `store.tables` holds the schema, the other modules the statements."""

    def __init__(self, url: str) -> None:
        self.url = normal_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.jobs_added = asyncio.Event()  # rung after a commit that wrote jobs; the relay listens
        self.feeds_published = asyncio.Event()  # rung after a commit that wrote manifests; who serves feeds listens
        self._turn: AbstractAsyncContextManager[Any] = asyncio.Lock() if self.is_sqlite else nullcontext()
        self._writer = _sqlite(self.url, read_only=False) if self.is_sqlite else _postgres(self.url, WRITERS)
        self._reader = _sqlite(self.url, read_only=True) if self.is_sqlite else _postgres_reader(self.url)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is committed at the end, or never happened. Keep it under a second.

        On SQLite it begins IMMEDIATE: a deferred one could not be saved once another process had written.
        A cancellation that arrives during the commit waits for it. Raises StoreTrouble when the database can't be had.
        """
        async with self._turn:
            connection = await _connect(self._writer)
            try:
                transaction = await connection.begin()
                try:
                    yield connection
                except BaseException:
                    await _whole(transaction.rollback())
                    raise
                await _whole(transaction.commit())
                if connection.info.pop(RINGS, False):
                    self.jobs_added.set()
            finally:
                if not connection.invalidated:  # by a cancellation amid a statement; to ask it would be an error then
                    connection.info.pop(RINGS, None)
                await _whole(connection.close())

    async def write_swiftly(
        self, work: Callable[[AsyncConnection], Awaitable[_T]], *, then: Callable[[], _R]
    ) -> tuple[_T, _R]:
        """`write` for statements that touch a few rows by their keys and write no jobs; `then` follows the commit.

        On SQLite they are made in the thread of the event loop: going to the database's and back, with the
        interpreter's lock lost and won again at each step, would take many times longer than they do. The commit,
        where the disk is waited for, goes there together with `then`, and a cancellation waits for both.
        """
        if not self.is_sqlite:
            async with self.write() as connection:
                result = await work(connection)
            return result, await asyncio.to_thread(then)
        async with self._turn:
            connection = await _connect(self._writer)
            try:
                file = cast(driver.Connection, (await connection.get_raw_connection()).driver_connection)
                with file.here():
                    await connection.begin()
                    result = await work(connection)
                with _as_sqlalchemys("COMMIT"):
                    return result, await _whole(file.commit_and(then))
            finally:
                await _whole(connection.close())

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one state of the database and can't change it."""
        connection = await _connect(self._reader)
        try:
            async with connection.begin():
                yield connection
        finally:
            await _whole(connection.close())

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._reader.dispose()
        await self._writer.dispose()


def may_pass(error: Exception) -> bool:
    """True for trouble of the moment: the database is away, locked or full. False: the next try would fail as well."""
    if isinstance(error, DBAPIError) and not error.connection_invalidated:
        faulty = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR  # no such table, bad syntax …
        return isinstance(error, OperationalError) and not faulty
    return isinstance(error, (DBAPIError, StoreTrouble, NoConnectionFree))


def normal_url(url: str) -> URL:
    """The address with the driver we use: `sqlite` means aiosqlite, `postgresql` means psycopg 3."""
    parsed = make_url(url)
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
    backend = parsed.get_backend_name()
    if backend not in drivers:
        raise ConfigError(f"store = {parsed!r}: {backend} is not a database we know; use sqlite:/// or postgresql://")
    return parsed.set(drivername=drivers[backend])


def _sqlite(url: URL, *, read_only: bool) -> AsyncEngine:
    one_trip = {"async_creator_fn": driver.open_file}
    engine = create_async_engine(url, pool_size=READERS if read_only else 1, max_overflow=0, connect_args=one_trip)

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(dbapi: Any, _record: Any) -> None:
        dbapi.isolation_level = None  # we begin transactions ourselves
        cursor = dbapi.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")  # a mark that a power cut forgets is a double mail
        cursor.execute("PRAGMA foreign_keys = ON")
        if read_only:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else driver.BEGIN)

    return engine


def _postgres(url: URL, size: int) -> AsyncEngine:
    return create_async_engine(url, pool_size=size, max_overflow=4, pool_pre_ping=True)


def _postgres_reader(url: URL) -> AsyncEngine:
    """REPEATABLE READ: on SQLite too a transaction that reads sees one state from its first statement to its last."""
    return _postgres(url, READERS).execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")


async def _connect(engine: AsyncEngine) -> AsyncConnection:
    try:
        return await engine.connect()
    except (DBAPIError, OSError) as error:
        raise StoreTrouble(f"the database {engine.url!r} can't be opened: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    return str(getattr(error, "orig", error)).strip().splitlines()[0]


async def _whole(work: Awaitable[_T]) -> _T:
    """Lets `work` end even if we are cancelled meanwhile; the cancellation goes on afterwards."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            await asyncio.wait({task})
        raise


async def records(connection: AsyncConnection, query: Select[Any]) -> Sequence[Sequence[Any]]:
    """The rows of a query that is asked often while the process is busy; on SQLite with what JSON has for values.

    There each row that is fetched lets go of the interpreter's lock and must get it back from a busy event loop. So
    all of them come as one.
    """
    if connection.dialect.name != "sqlite":
        rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
        return rows
    columns = query.subquery().c
    text = (await connection.execute(select(func.json_group_array(func.json_array(*columns))))).scalar_one()
    found: list[list[Any]] = json.loads(text)
    return found


async def rows_of(
    connection: AsyncConnection, statement: TextClause, parameters: Mapping[str, object]
) -> Sequence[Sequence[Any]]:
    """Executes a statement that is needed for each handful of mails. Its parameters are what the driver takes.

    On SQLite it goes past SQLAlchemy, which would take longer to hand such a statement over than SQLite to do it.
    """
    if connection.dialect.name != "sqlite":
        return (await connection.execute(statement, parameters)).all()
    file = cast(driver.Connection, (await connection.get_raw_connection()).driver_connection)
    with _as_sqlalchemys(statement.text):
        return await file.rows_of(statement.text, parameters)


async def change_each(connection: AsyncConnection, statement: TextClause, rows: Iterable[Sequence[object]]) -> None:
    """Executes a statement with `?` for each row, in the same way, on SQLite: PostgreSQL takes rows as sets."""
    file = cast(driver.Connection, (await connection.get_raw_connection()).driver_connection)
    with _as_sqlalchemys(statement.text):
        await file.change_each(statement.text, rows)


@contextmanager
def _as_sqlalchemys(statement: str) -> Iterator[None]:
    """SQLite's own errors as SQLAlchemy tells them."""
    try:
        yield
    except sqlite3.Error as error:
        raise DBAPIError.instance(statement, None, error, sqlite3.Error, hide_parameters=True) from error


async def upsert(
    connection: AsyncConnection, table: Table, key: Mapping[str, object], values: Mapping[str, object]
) -> None:
    """Writes one row whether or not its key is there already."""
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = make(table).values(**key, **values)
    changed = statement.on_conflict_do_update(index_elements=list(key), set_=dict(values))
    await connection.execute(changed if values else statement.on_conflict_do_nothing(index_elements=list(key)))


async def upsert_all(
    connection: AsyncConnection, table: Table, key: Sequence[str], rows: Sequence[Mapping[str, object]]
) -> None:
    """Writes rows of the same columns, whether or not their keys are there already. For hundreds, not for volume."""
    if not rows:
        return
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = make(table)
    others = {name: statement.excluded[name] for name in rows[0] if name not in key}
    await connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=others), rows)


async def insert_new(connection: AsyncConnection, table: Table, row: Mapping[str, object]) -> bool:
    """Inserts unless a unique key says it is there already. True: it was new."""
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = make(table).values(**row).on_conflict_do_nothing()
    # SQLAlchemy drops the row count of an INSERT on PostgreSQL unless asked to keep it.
    done = await connection.execute(statement.execution_options(preserve_rowcount=True))
    return done.rowcount == 1
