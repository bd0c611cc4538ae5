"""Sketches find like stories by an index; links are seen from both ends."""

from datetime import timedelta
from typing import Any

from syndicate.domain.likeness import Link, LinkKind
from syndicate.store import likeness
from syndicate.store.db import Database
from syndicate.store.likeness import CANDIDATES
from tests.factories import NOW, add_article, make_article

HASHES = (-(2**63), -5, 0, 7, 2**63 - 1)
LONG_AGO = NOW - timedelta(days=14)


async def test_candidates_share_two_hashes_the_likest_first(db: Database) -> None:
    async with db.write() as connection:
        two, all_five, one, old = [(await add_article(connection, make_article(n))).id for n in (1, 2, 3, 4)]
        await likeness.put(connection, two, HASHES[:2], at=NOW)
        await likeness.put(connection, all_five, HASHES, at=LONG_AGO)
        await likeness.put(connection, one, (*HASHES[:1], 99), at=NOW)
        await likeness.put(connection, old, HASHES, at=LONG_AGO - timedelta(seconds=1))

        assert await likeness.candidates(connection, HASHES, since=LONG_AGO, besides="") == [all_five, two]
        assert await likeness.candidates(connection, HASHES, since=LONG_AGO, besides=all_five) == [two]
        assert await likeness.candidates(connection, (), since=LONG_AGO, besides="") == []


async def test_a_story_is_compared_with_a_few_others_at_most(db: Database) -> None:
    async with db.write() as connection:
        for number in range(CANDIDATES + 3):
            story = await add_article(connection, make_article(number))
            await likeness.put(connection, story.id, HASHES, at=NOW)
        found = await likeness.candidates(connection, HASHES, since=LONG_AGO, besides="")

    assert len(found) == CANDIDATES


async def test_the_sketch_of_a_new_version_takes_the_place_of_the_old_one(db: Database) -> None:
    async with db.write() as connection:
        story = await add_article(connection, make_article(1))
        await likeness.put(connection, story.id, HASHES, at=NOW)
        await likeness.put(connection, story.id, (1, 2), at=NOW)
        asked: dict[str, Any] = {"since": LONG_AGO, "besides": ""}
        assert await likeness.candidates(connection, HASHES, **asked) == []
        assert await likeness.candidates(connection, (1, 2), **asked) == [story.id]

        await likeness.put(connection, story.id, (), at=NOW)
        assert await likeness.candidates(connection, (1, 2), **asked) == []


async def test_old_sketches_are_forgotten(db: Database) -> None:
    async with db.write() as connection:
        old, new = [(await add_article(connection, make_article(n))).id for n in (1, 2)]
        await likeness.put(connection, old, HASHES, at=LONG_AGO - timedelta(seconds=1))
        await likeness.put(connection, new, HASHES, at=LONG_AGO)
        await likeness.forget_before(connection, LONG_AGO)
        long_ago = NOW - timedelta(days=900)
        assert await likeness.candidates(connection, HASHES, since=long_ago, besides="") == [new]


async def test_a_link_is_made_once_seen_from_both_ends_and_taken_back_from_either(db: Database) -> None:
    async with db.write() as connection:
        one, two, three = [(await add_article(connection, make_article(n))).id for n in (1, 2, 3)]
        double = Link(article_id=two, other_id=one, kind=LinkKind.DOUBLE, at=NOW)
        copy = Link(article_id=three, other_id=one, kind=LinkKind.COPY, at=NOW + timedelta(hours=1))
        for link in (copy, double, double):
            await likeness.add_link(connection, link)
        assert await likeness.links_of(connection, one) == [double, copy]
        assert await likeness.links_of(connection, two) == [double]
        assert copy.other_than(one) == three
        assert copy.other_than(three) == one

        await likeness.drop_links(connection, one, [three])
        assert await likeness.links_of(connection, one) == [double]
        await likeness.drop_links(connection, two, [one])
        assert await likeness.links_of(connection, one) == []
