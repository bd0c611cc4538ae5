"""The schema is the same whether it was migrated or made from the tables."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from syndicate.store.db import Database
from syndicate.store.schema import migrate, pending
from syndicate.store.tables import metadata


async def test_a_migrated_schema_is_the_schema_of_the_tables(db: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with db.read() as connection:
        found = await connection.run_sync(differences)

    assert found == []


async def test_migrating_twice_does_nothing_the_second_time(db: Database) -> None:
    assert await pending(db) == []
    assert await migrate(db) == []
