"""Brings a database to the schema this version needs; refuses one from a later version."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from syndicate.errors import StoreTrouble
from syndicate.store.db import Database

_MIGRATIONS = Path(__file__).parent / "migrations"


async def migrate(db: Database) -> list[str]:
    """Applies what is missing, all of it or nothing, and returns the names of the migrations applied."""
    async with db.write() as connection:
        try:
            return await connection.run_sync(_upgrade)
        except DBAPIError as error:
            raise StoreTrouble(f"the database could not be migrated, and was left as it was: {error.orig}") from error


async def pending(db: Database) -> list[str]:
    """The migrations that are still to be applied."""
    async with db.read() as connection:
        return await connection.run_sync(_pending)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _pending(connection: Connection) -> list[str]:
    here = MigrationContext.configure(connection).get_current_revision()
    script = ScriptDirectory.from_config(_config())
    known = [revision.revision for revision in script.walk_revisions()][::-1]
    if here is not None and here not in known:
        raise StoreTrouble(
            f"the database is of a later version (migration {here}); install that version of Syndicate "
            "or restore a backup"
        )
    return known[known.index(here) + 1 :] if here else known


def _upgrade(connection: Connection) -> list[str]:
    missing = _pending(connection)
    if missing:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return missing
