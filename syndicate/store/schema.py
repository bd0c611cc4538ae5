"""Brings a database to the schema this version needs; refuses one from a later version.

Alembic is imported only when there is something to apply: it takes an eighth of the time of a `syndicate once`.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text
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


async def is_new(db: Database) -> bool:
    """True before the first start: then there is nothing in it, which is no trouble for who only looks."""
    async with db.read() as connection:
        return await connection.run_sync(_standing) is None


def _pending(connection: Connection) -> list[str]:
    here = _standing(connection)
    known = sorted(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))
    if here is not None and here not in known:
        raise StoreTrouble(
            f"the database is of a later version (migration {here}); install that version of Syndicate "
            "or restore a backup"
        )
    return known[known.index(here) + 1 :] if here else known


def _standing(connection: Connection) -> str | None:
    """The migration the database stands at, as Alembic keeps it; None before the first."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection) -> list[str]:
    missing = _pending(connection)
    if missing:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return missing
