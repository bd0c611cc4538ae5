"""What each feed holds, and articles as bytes."""

from dataclasses import replace
from datetime import timedelta

from syndicate.domain.article import ArticleState
from syndicate.store import articles, feeds
from syndicate.store.db import Database
from syndicate.store.feeds import FeedState, Fragment, Quarantined
from tests.factories import NOW, add_article, make_article


async def test_a_feed_comes_back_as_it_was_saved(db: Database) -> None:
    state = FeedState(name="terkini", shape="s", manifest="m", updated_at=NOW, published_at=NOW)
    async with db.write() as connection:
        await feeds.save(connection, state)
        await feeds.save(connection, replace(state, manifest="n"))
        assert await feeds.states(connection) == {"terkini": replace(state, manifest="n")}


async def test_articles_go_into_a_feed_and_out_of_it(db: Database) -> None:
    async with db.write() as connection:
        one, two = await add_article(connection, make_article(1)), await add_article(connection, make_article(2))
        await feeds.put_entries(connection, "terkini", [one, two])
        await feeds.put_entries(connection, "daerah", [one])
        await feeds.remove_entries(connection, "terkini", [two.id])
        assert await feeds.holding(connection, [one.id, two.id]) == {("terkini", one.id), ("daerah", one.id)}
        await feeds.clear_entries(connection, "terkini")
        assert await feeds.holding(connection, [one.id]) == {("daerah", one.id)}


async def test_candidates_are_the_newest_published_and_the_loud(db: Database) -> None:
    day_ago = NOW - timedelta(days=1)
    stories = [make_article(n) for n in (1, 2, 3)]
    stories[0] = replace(stories[0], loud_at=day_ago)
    stories[2] = replace(stories[2], state=ArticleState.WITHDRAWN)
    async with db.write() as connection:
        await feeds.put_entries(connection, "terkini", [await add_article(connection, s) for s in stories])
        loud = await feeds.candidates(connection, "terkini", limit=1, loud_since=day_ago)
        quiet = await feeds.candidates(connection, "terkini", limit=1, loud_since=NOW)
        leaving = [stories[1].id]
        left = await feeds.candidates(connection, "terkini", limit=1, loud_since=NOW, without=leaving)

    assert {story.source_key for story in loud} == {"k1", "k2"}
    assert {story.source_key for story in quiet} == {"k2"}
    assert {story.source_key for story in left} == {"k1"}


async def test_a_fragment_is_kept_until_its_article_changes(db: Database) -> None:
    async with db.write() as connection:
        story = await add_article(connection, make_article())
        fragment = Fragment(article_id=story.id, seq=story.seq, body=b"<item/>", squeezed=b"\x00")
        await feeds.keep_fragment(connection, "rss-1", replace(fragment, body=b"old"))
        await feeds.keep_fragment(connection, "rss-1", fragment)
        assert await feeds.kept_fragments(connection, "rss-1", [story]) == {story.id: fragment}
        assert await feeds.kept_fragments(connection, "rss-2", [story]) == {}
        assert await feeds.kept_fragments(connection, "rss-1", [replace(story, seq=9)]) == {}


async def test_quarantine_is_a_format_at_a_time(db: Database) -> None:
    async with db.write() as connection:
        story = await add_article(connection, make_article())
        bad = Quarantined(article_id=story.id, format="rss", seq=1, problem="no", at=NOW)
        for found in (bad, replace(bad, seq=2), replace(bad, format="atom")):
            await feeds.put_quarantine(connection, found)
        await feeds.lift_quarantine(connection, "atom", [story.id])
        assert await feeds.quarantined(connection) == [replace(bad, seq=2)]
        assert await articles.get(connection, story.id) is not None
