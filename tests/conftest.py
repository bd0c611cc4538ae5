"""What all tests share: both databases, and services that are skipped with a reason or, in CI, demanded."""

import asyncio
import os
import secrets
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from syndicate.store.db import Database
from syndicate.store.schema import migrate
from syndicate.store.tables import metadata
from tests.channels.mail_rules import INBOX, assert_by_the_rules, in_maildirs

SHARED = Path(__file__).resolve().parents[2] / "shared"
POSTGRES = os.environ.get("SYNDICATE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
REQUIRED = frozenset(filter(None, os.environ.get("SYNDICATE_TEST_REQUIRE", "").split(",")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the tests that wait for a minute to come round, one a worker (workers take two at a time)."""
    waiting = [item for item in items if "end_to_end" in item.nodeid or "cli/test_up" in item.nodeid]
    others = [item for item in items if item not in waiting]
    first = [item for pair in zip(waiting, others, strict=False) for item in pair]
    items[:] = first + others[len(waiting) :] + waiting[len(others) :]


def absent(service: str, why: str) -> None:
    """Skips with the reason; where SYNDICATE_TEST_REQUIRE names the service, fails instead."""
    if service in REQUIRED:
        pytest.fail(f"{service} is required here: {why}")
    pytest.skip(f"{service} is absent: {why}")


@pytest.fixture(autouse=True)
def mails_by_the_rules(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever mail a test receives, by SMTP, in a Maildir of its folder or from a scripted channel, keeps all rules.

    Tests of the channels that send what no writer of ours would write turn this off by a fixture of the same name.
    """
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    INBOX.letters.clear()
    yield
    assert_by_the_rules([*INBOX.letters, *(in_maildirs(folder) if folder else ())])


@pytest.fixture(scope="session")
def shared() -> Path:
    """The inputs that lie beside the repository."""
    if not SHARED.is_dir():
        absent("shared", "the folder ../shared is not there")
    return SHARED


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a system browser."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        absent("chromium", "no chromium on the PATH")
    return str(found)


@pytest.fixture(scope="session")
def opendkim() -> str:
    """The path of OpenDKIM, which verifies for many mail servers."""
    found = shutil.which("opendkim", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        absent("opendkim", "no opendkim on the PATH or in /usr/sbin")
    return str(found)


@pytest.fixture(scope="session")
def spamassassin() -> str:
    """The path of the filter that many mail servers ask."""
    found = shutil.which("spamassassin")
    if found is None:
        absent("spamassassin", "no spamassassin on the PATH")
    return str(found)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A database of this run's own, as a URL; dropped at the end."""
    name = f"syndicate_test_{os.getpid()}_{secrets.token_hex(4)}"
    try:
        admin = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        absent("postgres", str(error).strip().splitlines()[0])
    with admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        # We kill our own processes, never the server: what it told them is committed stays so without the disk.
        admin.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    yield make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(POSTGRES, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def postgres_store(postgres_server: str) -> Iterator[str]:
    """A schema of its own in a real PostgreSQL."""
    schema = f"t_{secrets.token_hex(8)}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f'CREATE SCHEMA "{schema}"')
    url = make_url(postgres_server).update_query_dict({"options": f"-csearch_path={schema}"})
    yield url.render_as_string(hide_password=False)
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f'DROP SCHEMA "{schema}" CASCADE')


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/syndicate.db"
    url: str = request.getfixturevalue("postgres_store")
    return url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to be copied: a migration takes a hundred times longer."""
    path = tmp_path_factory.mktemp("migrated") / "syndicate.db"
    asyncio.run(_migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> str:
    """A migrated schema that one test after the other uses and leaves empty."""
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA migrated")
    url = make_url(postgres_server).update_query_dict({"options": "-csearch_path=migrated"})
    text = url.render_as_string(hide_password=False)
    asyncio.run(_migrate(text))
    return text


@pytest.fixture
def empty_postgres(postgres_server: str, migrated_postgres: str) -> Iterator[str]:
    """A migrated, empty PostgreSQL."""
    yield migrated_postgres
    tables = [table.name for table in reversed(metadata.sorted_tables) if table.name != "counters"]
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        emptied = "; ".join(f"DELETE FROM {table}" for table in tables)  # TRUNCATE takes ten times longer
        admin.execute(f"SET search_path TO migrated; {emptied}; UPDATE counters SET value = 0")


@pytest.fixture(params=["sqlite", "postgres"])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated, empty database: a real SQLite file of the test's own, then a real PostgreSQL."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "syndicate.db")
        return f"sqlite:///{tmp_path}/syndicate.db"
    url: str = request.getfixturevalue("empty_postgres")
    return url


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    """A database for one test.

    At its end it waits for the threads of connections that the test broke off: they still talk to the loop. Those that
    were there before belong to others, who may need them for the whole session.
    """
    before = set(threading.enumerate())
    database = Database(url)
    yield database
    await database.aclose()
    for thread in set(threading.enumerate()) - before:
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 30)


@pytest.fixture
async def postgres_db(empty_postgres: str) -> AsyncIterator[Database]:
    """For what only PostgreSQL can do: two transactions that write at once."""
    async with _opened(empty_postgres) as database:
        yield database


@pytest.fixture
async def db(migrated_url: str) -> AsyncIterator[Database]:
    """A migrated database."""
    async with _opened(migrated_url) as database:
        yield database


async def _migrate(url: str) -> None:
    database = Database(url)
    await migrate(database)
    await database.aclose()
