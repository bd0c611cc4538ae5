"""What each feed holds, and articles as bytes."""

from dataclasses import replace
from datetime import timedelta

from syndicate.domain.article import ArticleState
from syndicate.domain.feed import Tombstone
from syndicate.domain.manifest import entry_line
from syndicate.store import articles, feeds
from syndicate.store.db import Database
from syndicate.store.feeds import FeedState, Fragment, Manifest, Plain, Quarantined
from tests.factories import NOW, add_article, make_article


async def test_a_feed_comes_back_as_it_was_saved(db: Database) -> None:
    state = FeedState(name="terkini", shape="s", manifest="m", updated_at=NOW, published_at=NOW)
    lines = tuple(entry_line(make_article(n, seq=n, loud_at=loud), modified=NOW) for n, loud in ((7, None), (5, NOW)))
    manifest = Manifest(state=state, lines=lines)
    empty = Manifest(state=replace(state, name="kosong"), lines=())
    async with db.write() as connection:
        await feeds.keep_lines(connection, lines)
        await feeds.save(connection, [manifest])
        await feeds.save(connection, [replace(manifest, state=replace(state, manifest="n")), empty])
        assert await feeds.states(connection) == {"terkini": replace(state, manifest="n"), "kosong": empty.state}
        found = await feeds.manifests(connection, ["terkini", "kosong", "unknown"])

    assert {name: one.lines for name, one in found.items()} == {"terkini": manifest.lines, "kosong": ()}


async def test_a_feed_is_plain_while_nothing_in_it_is_odd_or_buried(db: Database) -> None:
    state = FeedState(name="biasa", shape="s", manifest="m", updated_at=NOW, published_at=NOW)
    line, loud = (entry_line(make_article(n, seq=n, loud_at=at), modified=NOW) for n, at in ((7, None), (5, NOW)))
    stone = Tombstone(ref="tag:x", when=NOW, withdrawn_at=NOW, note="", language="id")
    manifests = [
        Manifest(state=state, lines=(line,), archive="2026-04"),
        Manifest(state=replace(state, name="lantang"), lines=(line, loud)),
        Manifest(state=replace(state, name="terkubur"), lines=(line,), gone=(stone,)),
    ]
    later = NOW + timedelta(hours=1)
    async with db.write() as connection:
        await feeds.keep_lines(connection, (line, loud))
        await feeds.save(connection, manifests)
        (plain,) = await feeds.plain(connection, ["biasa", "lantang", "terkubur"])
        await feeds.save_plain(connection, [plain._replace(manifest="n", updated_at=later, lines="")])
        found = await feeds.manifests(connection, ["biasa", "lantang", "terkubur"])

    assert plain == Plain(name="biasa", manifest="m", updated_at=NOW, lines="7", archive="2026-04")
    after = Manifest(state=replace(state, manifest="n", updated_at=later), lines=(), archive="2026-04")
    assert found == {"biasa": after, "lantang": manifests[1], "terkubur": manifests[2]}


async def test_articles_go_into_a_feed_and_out_of_it(db: Database) -> None:
    async with db.write() as connection:
        one, two = await add_article(connection, make_article(1)), await add_article(connection, make_article(2))
        await feeds.put_entries(connection, {"terkini": [one, two], "daerah": [one]})
        await feeds.remove_entries(connection, "terkini", [two.id])
        assert await feeds.holding(connection, [one.id, two.id]) == {("terkini", one.id), ("daerah", one.id)}
        await feeds.clear_entries(connection, ["terkini"])
        assert await feeds.holding(connection, [one.id]) == {("daerah", one.id)}


async def test_candidates_are_the_newest_published_and_the_loud(db: Database) -> None:
    day_ago = NOW - timedelta(days=1)
    stories = [make_article(n) for n in (1, 2, 3)]
    stories[0] = replace(stories[0], loud_at=day_ago)
    stories[2] = replace(stories[2], state=ArticleState.WITHDRAWN)
    async with db.write() as connection:
        await feeds.put_entries(connection, {"terkini": [await add_article(connection, s) for s in stories]})
        loud = await feeds.candidates(connection, "terkini", limit=1, loud_since=day_ago)
        quiet = await feeds.candidates(connection, "terkini", limit=1, loud_since=NOW)
        leaving = [stories[1].id]
        left = await feeds.candidates(connection, "terkini", limit=1, loud_since=NOW, without=leaving)

    assert {story.source_key for story in loud} == {"k1", "k2"}
    assert {story.source_key for story in quiet} == {"k2"}
    assert {story.source_key for story in left} == {"k1"}


async def test_a_fragment_is_of_one_version_in_one_flavour(db: Database) -> None:
    async with db.write() as connection:
        story = await add_article(connection, make_article())
        fragment = Fragment(flavour="rss-1", article_id=story.id, seq=story.seq, body=b"<item/>", squeezed=b"\x00")
        newer = replace(fragment, seq=story.seq + 1)
        await feeds.keep_fragments(connection, [fragment, newer])
        await feeds.keep_fragments(connection, [fragment])
        assert await feeds.kept_fragments(connection, "rss-1", [(story.id, story.seq)]) == [fragment]
        assert await feeds.have_fragments(connection, {story.id: newer.seq}) == {("rss-1", story.id)}
        assert await feeds.have_fragments(connection, {story.id: 99}) == set()
        assert await feeds.kept_fragments(connection, "rss-2", [(story.id, story.seq)]) == []


def key(fragment: Fragment) -> tuple[str, int]:
    return fragment.article_id, fragment.seq


async def test_lines_of_earlier_states_are_dropped_and_a_feed_left_behind_does_without(db: Database) -> None:
    old, new, other = (entry_line(make_article(n, seq=seq), modified=NOW) for n, seq in ((1, 3), (1, 4), (2, 5)))
    state = FeedState(name="tertinggal", shape="s", manifest="m", updated_at=NOW, published_at=NOW)
    async with db.write() as connection:
        await feeds.keep_lines(connection, (old, new, other))
        await feeds.save(connection, [Manifest(state=state, lines=(other, old))])
        await feeds.drop_earlier(connection, [make_article(1).id], [3])
        assert await feeds.lines(connection, ["3", "4", "5"]) == {"4": new, "5": other}
        assert (await feeds.manifests(connection, ["tertinggal"]))["tertinggal"].lines == (other,)


async def test_fragments_of_earlier_versions_and_releases_are_dropped(db: Database) -> None:
    async with db.write() as connection:
        one, two = await add_article(connection, make_article(1)), await add_article(connection, make_article(2))
        old = Fragment(flavour="rss-1", article_id=one.id, seq=one.seq, body=b"<item/>", squeezed=b"\x00")
        new, other = replace(old, seq=99), replace(old, article_id=two.id, seq=two.seq)
        await feeds.keep_fragments(connection, [old, new, other, replace(old, flavour="rss-0")])
        await feeds.drop_earlier(connection, [one.id], [one.seq])
        await feeds.drop_other_flavours(connection, ["rss-1"])
        kept = [
            await feeds.kept_fragments(connection, "rss-1", [(one.id, seq), (two.id, two.seq)]) for seq in (one.seq, 99)
        ]
        earlier = await feeds.kept_fragments(connection, "rss-0", [(one.id, one.seq)])

    assert ([sorted(map(key, found)) for found in kept], earlier) == (
        [[key(other)], sorted(map(key, (new, other)))],
        [],
    )


async def test_quarantine_is_a_format_at_a_time(db: Database) -> None:
    async with db.write() as connection:
        story = await add_article(connection, make_article())
        bad = Quarantined(article_id=story.id, format="rss", seq=1, problem="no", at=NOW)
        await feeds.put_quarantines(connection, [bad, replace(bad, format="atom")])
        await feeds.put_quarantines(connection, [replace(bad, seq=2)])
        await feeds.lift_quarantines(connection, [(story.id, "atom"), (story.id, "json")])
        assert await feeds.quarantined(connection) == [replace(bad, seq=2)]
        assert await articles.get(connection, story.id) is not None
