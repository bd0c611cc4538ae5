"""The schema is the same whether it was migrated or made from the tables, and is whole or not there."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from syndicate.domain.manifest import entry_line
from syndicate.errors import StoreTrouble
from syndicate.store import feeds, schema
from syndicate.store.db import Database
from syndicate.store.schema import migrate, pending
from syndicate.store.tables import metadata, subscribers
from tests.factories import NOW, add_article, add_reader, make_article


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


def migrate_to(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def test_what_feeds_show_and_hold_outlives_the_move_of_their_lines(database_url: str) -> None:
    """Migrations 0011 and 0012: the lines stood in each feed's row."""
    db, story = Database(database_url), make_article(1)
    plain, loud = (entry_line(make_article(n, seq=n, loud_at=at), modified=NOW) for n, at in ((7, None), (5, NOW)))
    add = text(
        "INSERT INTO feeds (name, shape, manifest, updated_at, published_at, lines) VALUES (:n, 's', 'm', 0, 0, :l)"
    )
    rows = [{"n": "dua", "l": f"{plain}\n{loud}"}, {"n": "satu", "l": plain}, {"n": "kosong", "l": ""}]
    async with db.write() as connection:
        await connection.run_sync(migrate_to, "0010")
        await add_article(connection, story)
        await connection.execute(add, rows)
        await connection.execute(text("INSERT INTO feed_entries VALUES ('dua', :id, 9)"), {"id": story.id})
    await migrate(db)
    async with db.read() as connection:
        shown = await feeds.manifests(connection, ["dua", "satu", "kosong"])
        not_odd = await feeds.plain(connection, ["dua", "satu", "kosong"])
        held = await feeds.holding(connection, [story.id])
    await db.aclose()

    assert {name: one.lines for name, one in shown.items()} == {"dua": (plain, loud), "satu": (plain,), "kosong": ()}
    assert {one.name: one.lines for one in not_odd} == {"satu": "7", "kosong": ""}
    assert held == {("dua", story.id)}


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
