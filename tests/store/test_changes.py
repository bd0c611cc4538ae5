"""The change log: numbers in commit order, and everybody's place in it."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Edit
from syndicate.domain.change import ChangeKind
from syndicate.store import changes
from syndicate.store.db import Database
from tests.factories import NOW, add_article, make_article, make_change

DEADLINE = 10  # seconds: only to end a hang


async def append(connection: AsyncConnection, kind: ChangeKind = ChangeKind.UPDATED) -> int:
    return await changes.append(
        connection, article_id=make_article().id, version=1, kind=kind, edit=Edit.MINOR, baseline=False, at=NOW
    )


async def test_whoever_appends_second_waits_for_the_first_to_commit(db: Database) -> None:
    async with db.write() as connection:
        await add_article(connection, make_article())
    order: list[str] = []

    async def second() -> None:
        async with db.write() as connection:
            await append(connection)
        order.append("second committed")

    async with db.write() as connection:
        await append(connection)
        waiting = asyncio.create_task(second())
        done, _ = await asyncio.wait({waiting}, timeout=0.2)
        async with db.read() as reader:
            assert [c.seq for c in await changes.span(reader, 0, 99)] == [1]
        order.append("first commits")
    await asyncio.wait_for(waiting, DEADLINE)

    assert (done, order) == (set(), ["first commits", "second committed"])


async def test_a_reader_that_saw_a_number_never_sees_a_smaller_one_appear(db: Database) -> None:
    async with db.write() as connection:
        await add_article(connection, make_article())
    seen: list[list[int]] = []

    async def write() -> None:
        for _ in range(5):
            async with db.write() as connection:
                await append(connection)

    async def read() -> None:
        while not seen or len(seen[-1]) < 21:
            async with db.read() as connection:
                seen.append([c.seq for c in await changes.span(connection, 0, 99)])

    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(read(), *(write() for _ in range(4)))

    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in seen)


async def test_a_transaction_that_fails_leaves_no_gap(db: Database) -> None:
    async with db.write() as connection:
        await add_article(connection, make_article())
    try:
        async with db.write() as connection:
            await append(connection)
            raise RuntimeError
    except RuntimeError:
        pass
    async with db.write() as connection:
        assert await append(connection) == 2
    async with db.read() as connection:
        assert await changes.head(connection) == 2


async def test_a_span_is_open_at_its_start_and_ends_where_asked(db: Database) -> None:
    async with db.write() as connection:
        story = await add_article(connection, make_article())
        for _ in range(4):
            await append(connection)

    async with db.read() as connection:
        assert [c.seq for c in await changes.span(connection, 1, 4)] == [2, 3, 4]
        assert [c.seq for c in await changes.span(connection, 1, 5, limit=2)] == [2, 3]
        assert await changes.span(connection, 5, 5) == []
        assert (await changes.of_article(connection, story.id))[0] == make_change(story, at=story.changed_at)


async def test_a_cursor_is_none_before_it_begins_and_then_where_it_was_put(db: Database) -> None:
    async with db.write() as connection:
        assert await changes.cursor(connection, "feeds") is None
        await changes.move_cursor(connection, "feeds", 3)
        await changes.move_cursor(connection, "feeds", 5)
        assert await changes.cursor(connection, "feeds") == 5


async def test_where_a_reader_stands_and_where_the_log_ends_are_asked_at_once(db: Database) -> None:
    async with db.write() as connection:
        assert await changes.unread(connection, "feeds") == (0, 0)
        await add_article(connection, make_article(1))
        await add_article(connection, make_article(2))
        await changes.move_cursor(connection, "feeds", 1)
        assert await changes.unread(connection, "feeds") == (1, 2)


async def test_a_reader_moves_on_only_from_where_it_stood(db: Database) -> None:
    async with db.write() as connection:
        moved = [
            await changes.move_on(connection, "feeds", after=after, upto=upto)
            for after, upto in ((0, 3), (0, 4), (3, 5), (5, 5), (3, 9))
        ]
        assert moved == [True, False, True, True, False]
        assert await changes.cursor(connection, "feeds") == 5


async def test_what_a_span_is_about_comes_with_its_whole_history(db: Database) -> None:
    async with db.write() as connection:
        one, two = await add_article(connection, make_article(1)), await add_article(connection, make_article(2))
        for _ in range(2):
            await append(connection)  # 3 and 4, about the first

    async with db.read() as connection:
        assert await changes.touched(connection, 0, 4, limit=9) == (4, {one.id: [1, 3, 4], two.id: [2]})
        assert await changes.touched(connection, 2, 4, limit=9) == (4, {one.id: [1, 3, 4]})
        assert await changes.touched(connection, 1, 4, limit=2) == (3, {one.id: [1, 3, 4], two.id: [2]})
        assert await changes.touched(connection, 4, 4, limit=2) == (4, {})
