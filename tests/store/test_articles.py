"""Articles, their versions, and the names they go by."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from syndicate.domain.article import ArticleState, Edit, Picture, content_hash
from syndicate.domain.change import ChangeKind
from syndicate.domain.source import Media
from syndicate.store import articles, changes
from syndicate.store.db import Database
from tests.factories import NOW, add_article, make_article, make_change

STORY = make_article(picture=Picture(media="a" * 32, alt="Pasar"), flags=("date_guess",), note="ä\n")


async def test_an_article_comes_back_as_it_was_written(db: Database) -> None:
    async with db.write() as connection:
        story = await add_article(connection, STORY)
        assert await articles.get(connection, story.id) == story
        assert await articles.get(connection, "lintas-none") is None
        assert await articles.by_ids(connection, [story.id, "x"]) == {story.id: story}
        assert await articles.version(connection, story.id, 1) == story.content
        assert await articles.version(connection, story.id, 2) is None
        assert await articles.taken(connection, story.id)
        assert not await articles.taken(connection, "x")


async def test_versions_are_kept_and_the_newest_is_shown(db: Database) -> None:
    async with db.write() as connection:
        first = await add_article(connection, STORY)
        content = replace(first.content, title="Judul baru")
        second = replace(first, version=2, content=content, edit=Edit.MAJOR, changed_at=NOW, loud_at=NOW)
        await articles.add_version(connection, second, digest=content_hash(content), churn=3)
        assert await articles.get(connection, first.id) == second
        assert await articles.held_hash(connection, first.id) == (content_hash(content), 3)
        assert await articles.versions(connection, first.id) == [
            (1, Edit.FIRST, first.changed_at, first.content),
            (2, Edit.MAJOR, NOW, content),
        ]


async def test_a_version_is_written_once(db: Database) -> None:
    with pytest.raises(IntegrityError):
        async with db.write() as connection:
            story = await add_article(connection, STORY)
            await articles.add_version(connection, story, digest="x", churn=0)


async def test_an_article_is_read_as_it_stood_at_a_cut(db: Database) -> None:
    async with db.write() as connection:
        first = await add_article(connection, STORY)
        second = replace(first, version=2, content=replace(first.content, title="Judul baru"), changed_at=NOW, note="x")
        await articles.add_version(connection, second, digest="x", churn=0)
        for kind in (ChangeKind.UPDATED, ChangeKind.WITHDRAWN):
            change = make_change(second, kind)
            await changes.append(
                connection,
                article_id=second.id,
                version=2,
                kind=kind,
                edit=change.edit,
                baseline=False,
                at=NOW,
                note="x",
            )
        found = [(await articles.at_cut(connection, [first.id], cut)).get(first.id) for cut in range(4)]

    shown = [(a.content.title, a.version, a.state, a.seq) if a else None for a in found]
    assert shown == [
        None,
        ("Berita 1", 1, ArticleState.PUBLISHED, 1),
        ("Judul baru", 2, ArticleState.PUBLISHED, 2),
        ("Judul baru", 2, ArticleState.WITHDRAWN, 3),
    ]


async def test_when_an_article_was_corrected_is_read_as_it_stood_at_a_cut(db: Database) -> None:
    days = [NOW + timedelta(days=day) for day in range(3)]
    kinds = (ChangeKind.CORRECTED, ChangeKind.UPDATED, ChangeKind.WITHDRAWN)
    async with db.write() as connection:
        story = await add_article(connection, STORY)
        for kind, at in zip(kinds, days, strict=True):
            await changes.append(
                connection, article_id=story.id, version=1, kind=kind, edit=Edit.MAJOR, baseline=False, at=at, note="x"
            )
        await articles.set_state(connection, replace(story, loud_at=days[2]))
        found = [(await articles.at_cut(connection, [story.id], cut))[story.id].loud_at for cut in range(1, 5)]

    assert found == [None, days[0], days[0], days[2]]


async def test_a_story_is_known_by_key_and_alias_inside_its_source(db: Database) -> None:
    async with db.write() as connection:
        one, two = await add_article(connection, make_article(1)), await add_article(connection, make_article(2))
        await articles.add_aliases(connection, "lintas", one.id, ["/satu", "k2"])
        await articles.add_aliases(connection, "lintas", two.id, ["/satu"])
        assert await articles.known(connection, "lintas", ["k1", "/satu", "k2", "none"]) == {
            "k1": one.id,
            "/satu": one.id,  # the first owner keeps a name
            "k2": two.id,  # a key counts more than an alias
        }
        assert await articles.known(connection, "lain", ["k1", "/satu"]) == {}


async def test_a_story_may_be_announced_later(db: Database) -> None:
    async with db.write() as connection:
        story = await add_article(connection, replace(STORY, announced=False))
        await articles.set_state(connection, replace(story, announced=True))
        assert await articles.get(connection, story.id) == replace(story, announced=True)


async def test_a_renamed_story_keeps_its_id(db: Database) -> None:
    async with db.write() as connection:
        story = await add_article(connection, STORY)
        await articles.rename(connection, story, "baru")
        assert await articles.known(connection, "lintas", ["baru", "k1"]) == {"baru": story.id}


async def test_pages_and_the_newest_are_in_order(db: Database) -> None:
    async with db.write() as connection:
        stories = [await add_article(connection, make_article(n, sort_at=NOW + timedelta(hours=n))) for n in (1, 2, 3)]
        newest = await articles.latest(connection, limit=2)
        ids = sorted(story.id for story in stories)
        assert [story.source_key for story in newest] == ["k3", "k2"]
        assert await articles.latest(connection, limit=2, source="lain") == []
        assert [story.id for story in await articles.after(connection, ids[0], limit=9)] == ids[1:]


async def test_a_picture_is_noted_with_its_type(db: Database) -> None:
    picture = Media(hash="b" * 32, mime_type="image/png", width=8, height=6, body=b"png")
    async with db.write() as connection:
        for _ in range(2):
            await articles.add_media(connection, picture, now=NOW)
        assert await articles.media_type(connection, "b" * 32) == "image/png"
        assert await articles.media_type(connection, "c" * 32) is None
