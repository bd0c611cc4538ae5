"""The schema is the same whether it was migrated or made from the tables, and is whole or not there."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from syndicate.errors import StoreTrouble
from syndicate.store import schema
from syndicate.store.db import Database
from syndicate.store.schema import migrate, pending
from syndicate.store.tables import metadata, subscribers
from tests.factories import add_reader


async def test_a_migrated_schema_is_the_schema_of_the_tables(db: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with db.read() as connection:
        found = await connection.run_sync(differences)

    assert found == []


def test_every_migration_s_file_begins_with_its_number_and_they_follow_one_another() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    revisions = list(ScriptDirectory.from_config(config).walk_revisions())[::-1]

    assert [one.revision for one in revisions] == sorted(Path(one.path).name.partition("_")[0] for one in revisions)


async def test_migrating_twice_does_nothing_the_second_time(db: Database) -> None:
    assert await pending(db) == []
    assert await migrate(db) == []


async def test_a_number_is_never_given_twice(db: Database) -> None:
    async with db.write() as connection:
        first = await add_reader(connection, 1, newsletter=None)
        await connection.execute(subscribers.delete())
        second = await add_reader(connection, 2, newsletter=None)

    assert second.id > first.id


async def test_a_database_of_a_later_version_is_refused_in_words(db: Database) -> None:
    async with db.write() as connection:
        here = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(StoreTrouble, match=r"of a later version \(migration 9999\); install that version"):
            await migrate(db)
        with pytest.raises(StoreTrouble, match="later version"):
            await pending(db)
    finally:
        async with db.write() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = :here"), {"here": here})


async def test_a_failed_migration_leaves_nothing(database_url: str) -> None:
    db = Database(database_url)
    async with db.write() as connection:
        await connection.execute(text("CREATE TABLE pushes (id INTEGER)"))  # in the way of a table near the end
    with pytest.raises(StoreTrouble, match="could not be migrated, and was left as it was"):
        await migrate(db)
    async with db.read() as connection:
        names = await connection.run_sync(lambda c: inspect(c).get_table_names())
    await db.aclose()

    assert [name for name in names if not name.startswith("sqlite_")] == ["pushes"]
