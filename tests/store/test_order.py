"""Stories of one moment are in order of their ids by code point, whatever collation a PostgreSQL was made with."""

import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import make_url

from syndicate.store import articles, sitemap
from syndicate.store.db import Database
from syndicate.store.schema import migrate
from syndicate.store.sitemap import Span
from tests.conftest import absent
from tests.factories import NOW, add_article, make_article

IDS = ["lintas-z", "lintasa-a", "lintasb-a"]  # a collation that passes over hyphens puts the first one last
SPAN = Span(start=NOW, end=NOW + timedelta(days=1), newsletters=())


@pytest.fixture
async def passing_over_hyphens(postgres_server: str) -> AsyncIterator[Database]:
    """A PostgreSQL in which text is compared as dictionaries do."""
    name = f"syndicate_test_{secrets.token_hex(8)}"
    locale = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'id-u-ka-shifted'"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        try:
            admin.execute(f'CREATE DATABASE "{name}" {locale}')
        except psycopg.Error as error:
            absent("postgres", f"with ICU: {error}")
    database = Database(make_url(postgres_server).set(database=name).render_as_string(hide_password=False))
    await migrate(database)
    yield database
    await database.aclose()
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


async def test_stories_of_one_moment_are_in_order_of_their_ids_by_code_point(passing_over_hyphens: Database) -> None:
    async with passing_over_hyphens.write() as connection:
        for number, identifier in enumerate(IDS):
            row = {"id": identifier, "public_id": identifier, "url": None, "sort_at": NOW}
            await add_article(connection, make_article(number, **row))
        newest = await articles.latest(connection, limit=2)
        listed = await sitemap.own_pages(connection, SPAN, limit=2)
        pages, below = list[str](), None
        while page := await articles.published_since(connection, ["lintas"], NOW, limit=1, below=below):
            pages.append(page[0].id)
            below = page[-1].sort_at, page[-1].id

    assert [article.id for article in newest] == ["lintasb-a", "lintasa-a"]
    assert [identifier for identifier, _ in listed] == ["lintasb-a", "lintasa-a"]
    assert pages == sorted(IDS, reverse=True)
