"""Partners' keys, endpoints, and the ledger of pushes: strict order a story, retractions first."""

from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.change import ChangeKind
from syndicate.domain.delivery import Exclusion, Standing, State
from syndicate.domain.partner import Push, push_type
from syndicate.store import partners
from syndicate.store.db import Database
from syndicate.store.partners import Key
from tests.factories import NOW

LATER = NOW + timedelta(minutes=1)


async def add(connection: AsyncConnection, story: str, kind: str = "published", *, seq: int, **more: Any) -> bool:
    push: dict[str, Any] = {"subject": f"article:{story}", "type": push_type(ChangeKind(kind)), "article_id": story}
    common: dict[str, Any] = {
        "id": 0,
        "endpoint": "portal",
        "seq": seq,
        "state": State.DUE,
        "attempt": 0,
        "first_due": NOW,
    }
    return await partners.add_push(connection, Push(**common | push | more), at=NOW)


async def claim(connection: AsyncConnection, *, owner: str = "a", limit: int = 9, now: Any = NOW) -> list[Push]:
    return [push for push, _ in await partners.claim(connection, "portal", owner=owner, limit=limit, now=now)]


async def settle(connection: AsyncConnection, push: Push, state: State, *, owner: str = "a") -> None:
    assert await partners.mark(connection, push.id, owner=owner)
    wait = LATER if state is State.DEFERRED else None
    after = Standing(state=state, attempt=1, first_due=NOW, not_before=wait, code="HTTP 200")
    await partners.settle(connection, push.id, after, doubtful=False, owner=owner, now=NOW)


async def test_a_change_is_written_down_once_for_an_endpoint(db: Database) -> None:
    async with db.write() as connection:
        assert await add(connection, "x", seq=1)
        assert not await add(connection, "x", seq=1)
        assert await add(connection, "x", seq=1, endpoint="other")


async def test_one_story_goes_strictly_in_order(db: Database) -> None:
    async with db.write() as connection:
        for seq, story in enumerate(("x", "y", "x"), start=1):
            await add(connection, story, "updated", seq=seq)
        first = await claim(connection)
        assert [(p.article_id, p.seq) for p in first] == [("x", 1), ("y", 2)]
        await settle(connection, first[0], State.DEFERRED)
        assert await claim(connection) == []
        (again,) = await claim(connection, now=LATER)
        assert (again.seq, again.attempt) == (1, 1)
        await settle(connection, again, State.ACCEPTED)
        assert [p.seq for p in await claim(connection)] == [3]


async def test_a_retraction_goes_first(db: Database) -> None:
    async with db.write() as connection:
        await add(connection, "x", seq=1)
        await add(connection, "y", "withdrawn", seq=2)
        assert [p.article_id for p in await claim(connection)] == ["y", "x"]


async def test_two_workers_never_get_the_same_push(db: Database) -> None:
    async with db.write() as connection:
        for seq in range(1, 5):
            await add(connection, f"s{seq}", seq=seq)
        one, other = await claim(connection, limit=3), await claim(connection, owner="b")
        assert (len(one), len(other)) == (3, 1)
        assert not await partners.mark(connection, one[0].id, owner="b")
        await partners.release(connection, [one[0].id], owner="b")
        await partners.release(connection, [one[0].id], owner="a")
        assert [p.id for p in await claim(connection, owner="b")] == [one[0].id]


async def test_what_a_dead_worker_held_is_due_again(db: Database) -> None:
    async with db.write() as connection:
        await add(connection, "x", seq=1)
        await add(connection, "y", seq=2)
        x, y = await claim(connection)
        assert await partners.mark(connection, x.id, owner="a")
        await partners.abandon(connection, alive=["a"])
        assert await claim(connection) == []
        await partners.abandon(connection, alive=["b"])
        assert {p.id for p in await claim(connection, owner="b")} == {x.id, y.id}


async def test_something_was_sent_until_it_is_taken_back(db: Database) -> None:
    async with db.write() as connection:
        await add(connection, "x", seq=1)
        assert not await partners.ever_sent(connection, "portal", "article:x")
        (push,) = await claim(connection)
        await settle(connection, push, State.ACCEPTED)
        assert await partners.ever_sent(connection, "portal", "article:x")
        await add(connection, "x", "withdrawn", seq=2)
        (gone,) = await claim(connection)
        await settle(connection, gone, State.ACCEPTED)
        assert not await partners.ever_sent(connection, "portal", "article:x")


async def test_waiting_pushes_can_be_dropped_with_a_reason(db: Database) -> None:
    async with db.write() as connection:
        await add(connection, "x", "corrected", seq=1)
        ((number, kind),) = await partners.unsent(connection, "portal", "article:x")
        await partners.exclude(connection, [number], Exclusion.SUPERSEDED, now=NOW)
        (line,) = await partners.lines(connection, limit=9)
        assert kind is ChangeKind.CORRECTED
        assert (line.state, line.reason, line.settled_at) == ("excluded", "superseded", NOW)
        assert await partners.unsent(connection, "portal", "article:x") == []


async def test_a_disabled_endpoint_gets_nothing_more(db: Database) -> None:
    async with db.write() as connection:
        await add(connection, "x", seq=1)
        await add(connection, "y", seq=2)
        (push,) = await claim(connection, limit=1)
        await partners.disable(connection, "portal", "HTTP 410", now=NOW)
        assert not await partners.mark(connection, push.id, owner="a")
        assert {line.reason for line in await partners.lines(connection, limit=9)} == {"endpoint_disabled"}
        await add(connection, "z", seq=3)
        assert await claim(connection) == []
        assert await partners.disabled(connection) == {"portal": "HTTP 410"}


async def test_a_dead_letter_is_listed_and_replayed(db: Database) -> None:
    async with db.write() as connection:
        await add(connection, "x", seq=1)
        (push,) = await claim(connection)
        await settle(connection, push, State.REFUSED)
        (dead,) = await partners.lines(connection, limit=9, dead_only=True)
        assert (dead.id, dead.code) == (push.id, "HTTP 200")
        assert await partners.next_time(connection, "portal") is None
        assert await partners.replay(connection, push.id, now=LATER) == "portal"
        assert await partners.replay(connection, push.id, now=LATER) is None
        assert await partners.next_time(connection, "portal") == LATER
        (again,) = await claim(connection)
        assert (again.attempt, again.first_due) == (0, LATER)


async def test_a_key_lives_until_it_is_revoked(db: Database) -> None:
    key = Key(id="abcdefgh", partner="portal", digest="d", created_at=NOW, revoked_at=None)
    async with db.write() as connection:
        await partners.add_key(connection, key)
        assert await partners.key(connection, "abcdefgh") == key
        assert await partners.revoke_key(connection, "abcdefgh", now=LATER)
        assert not await partners.revoke_key(connection, "abcdefgh", now=LATER)
        assert await partners.key(connection, "abcdefgh") is None
        assert [one.revoked_at for one in await partners.keys(connection)] == [LATER]
