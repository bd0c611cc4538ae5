"""What a sitemap lists: which stories have only our page, by month, and a migration that finds them."""

import importlib
from datetime import timedelta

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, select, text

from syndicate.domain.article import ArticleState, Edit, content_hash
from syndicate.domain.edition import EditionState
from syndicate.store import articles, editions, sitemap
from syndicate.store.db import Database
from syndicate.store.sitemap import ListedEdition, Span
from syndicate.store.tables import articles as article_table
from tests.factories import NOW, add_article, make_article, make_edition

SPAN = Span(start=NOW - timedelta(days=1), end=NOW + timedelta(days=1), newsletters=("pagi",))
BEFORE = Span(start=NOW - timedelta(days=9), end=SPAN.start, newsletters=("pagi",))


async def test_only_published_stories_without_a_page_of_the_newsroom_s_are_listed(db: Database) -> None:
    async with db.write() as connection:
        ours = [await add_article(connection, make_article(number, url=None)) for number in (1, 2)]
        await add_article(connection, make_article(3))
        await add_article(connection, make_article(4, url=None, state=ArticleState.WITHDRAWN, changed_at=NOW))

        assert await sitemap.own_pages(connection, SPAN, limit=9) == [(a.id, a.changed_at) for a in reversed(ours)]
        assert await sitemap.own_pages(connection, SPAN, limit=1) == [(ours[1].id, ours[1].changed_at)]
        assert await sitemap.own_pages(connection, BEFORE, limit=9) == []
        assert await sitemap.last_listed(connection, SPAN) == ours[1].changed_at
        assert await sitemap.last_changed(connection, SPAN) == NOW
        assert await sitemap.last_listed(connection, BEFORE) is None
        assert await sitemap.begin(connection, ["pagi"]) == ours[0].sort_at


async def test_a_story_that_gets_a_page_at_the_newsroom_is_no_longer_listed(db: Database) -> None:
    async with db.write() as connection:
        first = await add_article(connection, make_article(1, url=None))
        moved = make_article(1, version=2, edit=Edit.MINOR, seq=first.seq)
        await articles.add_version(connection, moved, digest=content_hash(moved.content), churn=0)

        assert await sitemap.own_pages(connection, SPAN, limit=9) == []
        assert await articles.get(connection, first.id) == moved


async def test_editions_that_anybody_may_read_are_listed(db: Database) -> None:
    kinds = {"a": EditionState.FROZEN, "b": EditionState.DONE, "c": EditionState.HELD, "d": EditionState.CANCELLED}
    async with db.write() as connection:
        for slot, state in kinds.items():
            made = await editions.begin(connection, make_edition(slot=slot))
            await editions.set_state(connection, made.id, state, came_from=[EditionState.COMPOSING], frozen_at=NOW)
        await editions.begin(connection, make_edition(newsletter="gone", created_at=NOW - timedelta(days=5)))

        found = [ListedEdition(newsletter="pagi", slot=slot, frozen_at=NOW) for slot in ("b", "a")]
        assert await sitemap.readable_editions(connection, SPAN, limit=9) == found
        assert await sitemap.last_listed(connection, SPAN) == NOW
        assert await sitemap.readable_editions(connection, BEFORE, limit=9) == []
        assert await sitemap.begin(connection, ["pagi"]) == NOW
        assert await sitemap.begin(connection, []) is None


async def test_news_is_read_a_page_at_a_time_and_each_story_once(db: Database) -> None:
    async with db.write() as connection:
        for number in range(1, 6):
            await add_article(connection, make_article(number, sort_at=NOW - timedelta(minutes=number // 2)))
        await add_article(connection, make_article(6, state=ArticleState.WITHDRAWN, sort_at=NOW))
        await add_article(connection, make_article(7, source="lain", sort_at=NOW))
        await add_article(connection, make_article(8, sort_at=NOW - timedelta(days=3)))

        found, below = [], None
        while page := await articles.published_since(
            connection, ["lintas", "x"], NOW - timedelta(days=2), limit=2, below=below
        ):
            found += page
            below = page[-1].sort_at, page[-1].id

    assert sorted(a.source_key for a in found) == ["k1", "k2", "k3", "k4", "k5"]
    assert found == sorted(found, key=lambda a: (a.sort_at, a.id), reverse=True)


async def test_the_migration_finds_the_stories_that_were_there(db: Database) -> None:
    def again(connection: Connection) -> None:
        for statement in (
            "DROP INDEX ix_articles_own_page_sort_at",
            "DROP INDEX ix_editions_created_at",
            "ALTER TABLE articles DROP COLUMN own_page",
        ):
            connection.execute(text(statement))
        with Operations.context(MigrationContext.configure(connection)):
            importlib.import_module("syndicate.store.migrations.versions.0009_own_pages").upgrade()

    async with db.write() as connection:
        await add_article(connection, make_article(1, url=None))
        await add_article(connection, make_article(2))
        await connection.run_sync(again)
        rows = await connection.execute(select(article_table.c.source_key, article_table.c.own_page))

        assert {row.source_key: row.own_page for row in rows} == {"k1": True, "k2": False}
