"""New and edited stories → links: double postings are known before they are written, copies are linked both ways."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from syndicate.domain.article import Article, ArticleState, article_id, content_hash
from syndicate.domain.likeness import WINDOW, Link, LinkKind
from syndicate.pipeline.likeness import (
    Likeness,
    Prints,
    find_likeness,
    firsts_of,
    heir_of,
    kin_of,
    note_likeness,
)
from syndicate.store import articles, likeness
from syndicate.store.db import Database
from syndicate.store.likeness import CANDIDATES
from tests.factories import NOW, add_article, make_article
from tests.wire import AGENCY, ANOTHER, OWN_REPORT, edited, html, long_text


class Desk:
    """Takes stories in as gathering does."""

    def __init__(self, db: Database) -> None:
        self.db, self.now = db, NOW

    async def take(self, number: int, *paragraphs: str, source: str = "lintas", **changes: Any) -> Article:
        """A new story."""
        story = make_article(
            number,
            **{"id": article_id(source, f"k{number}"), "public_id": f"tag:{source},{number}", "title": "Tanggul"}
            | {"source": source, "body_html": html(*paragraphs), "sort_at": self.now, "first_seen": self.now}
            | changes,
        )
        async with self.db.write() as connection:
            found = await find_likeness(connection, source, story.content, Prints(), now=self.now)
            story = await add_article(connection, story)
            await note_likeness(connection, story, found, now=self.now)
        return story

    async def edit(self, story: Article, *paragraphs: str) -> Likeness:
        """The next version of a story."""
        content = replace(story.content, body_html=html(*paragraphs))
        async with self.db.write() as connection:
            held = await articles.get(connection, story.id)
            assert held is not None
            found = await find_likeness(connection, story.source, content, Prints(), now=self.now, held=held)
            after = replace(held, version=held.version + 1, content=content)
            await articles.add_version(connection, after, digest=content_hash(content), churn=0)
            await note_likeness(connection, after, found, now=self.now)
        return found

    async def withdraw(self, story: Article) -> Article | None:
        """The story is no more; returns the one that is to be announced instead."""
        async with self.db.write() as connection:
            away = replace(story, state=ArticleState.WITHDRAWN)
            await articles.set_state(connection, away)
            return await heir_of(connection, away)

    async def links(self, story: Article) -> list[Link]:
        async with self.db.read() as connection:
            return await likeness.links_of(connection, story.id)


@pytest.fixture
def desk(db: Database) -> Desk:
    return Desk(db)


async def test_a_double_posting_is_linked_to_the_first(desk: Desk) -> None:
    first = await desk.take(1, *AGENCY)
    second, third = await desk.take(2, *AGENCY), await desk.take(3, *AGENCY, "Editor: Ratna Dewi")

    assert await desk.links(second) == [
        Link(article_id=second.id, other_id=first.id, kind=LinkKind.DOUBLE, at=desk.now),
    ]
    assert {link.article_id for link in await desk.links(first)} == {second.id, third.id}


@pytest.mark.parametrize(
    "changes",
    [{"title": "Tanggul baru"}, {"published": NOW - timedelta(hours=51)}, {"body_html": html(*AGENCY[:5])}],
    ids=["another title", "two days before", "a shorter text"],
)
async def test_what_is_told_anew_is_no_double(desk: Desk, changes: dict[str, Any]) -> None:
    await desk.take(1, *AGENCY)

    story = await desk.take(2, *AGENCY, **changes)

    assert await desk.links(story) == []


async def test_a_story_posted_again_after_its_withdrawal_is_no_double(desk: Desk) -> None:
    await desk.withdraw(await desk.take(1, *AGENCY))

    assert await desk.links(await desk.take(2, *AGENCY)) == []


@pytest.mark.parametrize("paragraphs", [AGENCY, edited(), AGENCY[:4], (*AGENCY, OWN_REPORT[0])])
async def test_copies_at_other_sources_are_linked_both_ways(desk: Desk, paragraphs: tuple[str, ...]) -> None:
    first = await desk.take(1, *AGENCY)

    copy = await desk.take(2, *paragraphs, source="lain")

    link = Link(article_id=copy.id, other_id=first.id, kind=LinkKind.COPY, at=desk.now)
    assert await desk.links(copy) == await desk.links(first) == [link]


async def test_the_second_half_of_a_long_story_at_another_source_is_linked(desk: Desk) -> None:
    text = long_text(80)
    first = await desk.take(1, *text)

    half = await desk.take(2, *text[40:], source="lain")

    assert [link.article_id for link in await desk.links(first)] == [half.id]


async def test_of_a_text_that_everybody_carries_only_the_likest_are_linked(desk: Desk) -> None:
    for number in range(CANDIDATES + 3):
        last = await desk.take(number, *AGENCY, source=f"koran-{number}")

    assert len(await desk.links(last)) == CANDIDATES


async def test_another_report_or_an_old_story_is_not_linked(desk: Desk) -> None:
    await desk.take(1, *AGENCY)
    own = await desk.take(2, *OWN_REPORT, source="lain")
    desk.now += WINDOW + timedelta(seconds=1)
    late = await desk.take(3, *AGENCY, source="lain")

    assert await desk.links(own) == await desk.links(late) == []


async def test_an_edit_makes_and_takes_back_links_to_copies(desk: Desk) -> None:
    first, other = await desk.take(1, *AGENCY), await desk.take(2, *OWN_REPORT, source="lain")

    await desk.edit(other, *AGENCY[:4])
    made = await desk.links(first)
    again = await desk.edit(first, *AGENCY, ANOTHER[0])
    kept = await desk.links(first)
    await desk.edit(first, *ANOTHER)

    assert [(link.article_id, link.kind) for link in made] == [(other.id, LinkKind.COPY)]
    assert (again.copies, again.gone, kept) == ((), (), made)
    assert await desk.links(other) == []


async def test_a_link_outlives_the_time_in_which_copies_are_looked_for(desk: Desk) -> None:
    first, copy = await desk.take(1, *AGENCY), await desk.take(2, *AGENCY, source="lain")
    desk.now += WINDOW * 2

    await desk.edit(copy, *edited())

    assert len(await desk.links(first)) == 1


async def test_an_edit_is_no_double_and_a_double_stays_one(desk: Desk) -> None:
    first, second, third = await desk.take(1, *AGENCY), await desk.take(2, *AGENCY), await desk.take(3, *ANOTHER)

    assert (await desk.edit(third, *AGENCY)).double == ""
    await desk.edit(second, *ANOTHER)

    assert [link.article_id for link in await desk.links(first)] == [second.id]


async def test_when_the_first_posting_is_withdrawn_its_earliest_double_takes_its_place(desk: Desk) -> None:
    first, second = await desk.take(1, *AGENCY), await desk.take(2, *AGENCY)
    desk.now += timedelta(minutes=5)
    third = await desk.take(3, *AGENCY)

    heir = await desk.withdraw(first)

    assert heir is not None
    assert heir.id == second.id
    assert [(link.article_id, link.other_id) for link in await desk.links(second)] == [
        (first.id, second.id),
        (third.id, second.id),
    ]


async def test_the_other_postings_of_a_story_are_known_from_each_of_them(desk: Desk) -> None:
    first, second, alone = await desk.take(1, *AGENCY), await desk.take(2, *AGENCY), await desk.take(3, *ANOTHER)

    async with desk.db.read() as connection:
        postings = await likeness.postings(connection, [second.id, alone.id])
        firsts = await firsts_of(connection, [first.id, second.id, alone.id])

    assert postings == {second.id: frozenset({first.id}), first.id: frozenset({second.id})}
    assert {double: one.id for double, one in firsts.items()} == {second.id: first.id}


async def test_kin_are_shown_as_they_stand(desk: Desk) -> None:
    first, again = await desk.take(1, *AGENCY), await desk.take(2, *AGENCY)
    copy, away = [await desk.take(n, *AGENCY, source=source) for n, source in ((3, "lain"), (4, "jauh"))]
    await desk.withdraw(away)

    async with desk.db.read() as connection:
        of_first, of_again = await kin_of(connection, first.id), await kin_of(connection, again.id)
        of_copy = await kin_of(connection, copy.id)

    assert (of_first.double_of, of_first.doubles, of_first.also_at) == (None, (again,), (copy,))
    assert (of_again.double_of, of_again.doubles) == (first, ())
    assert set(of_copy.also_at) == {first, again}
