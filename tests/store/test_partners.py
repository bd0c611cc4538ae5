"""Partners' keys, endpoints, and the ledger of pushes: strict order a story, withdrawals first."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.change import ChangeKind
from syndicate.domain.delivery import Exclusion, Standing, State
from syndicate.domain.edition import EditionState
from syndicate.domain.partner import EDITION_TYPE, Heard, Push, push_type
from syndicate.store import editions, partners
from syndicate.store.db import Database
from syndicate.store.partners import Key
from tests.factories import NOW
from tests.store.editions import frozen_edition

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
    await put_down(connection, push, state, owner=owner)


async def put_down(connection: AsyncConnection, push: Push, state: State, *, owner: str = "a") -> None:
    """The outcome of what is on the wire."""
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
        for seq, story in enumerate(("x", "y"), start=1):
            await add(connection, story, "updated", seq=seq)
        first = await claim(connection)
        assert [(p.article_id, p.seq) for p in first] == [("x", 1), ("y", 2)]
        await settle(connection, first[0], State.DEFERRED)
        assert await claim(connection) == []
        (again,) = await claim(connection, now=LATER)
        assert (again.seq, again.attempt) == (1, 1)
        assert await partners.mark(connection, again.id, owner="a")
        await add(connection, "x", "updated", seq=3)
        assert await claim(connection) == []
        await put_down(connection, again, State.ACCEPTED)
        assert [p.seq for p in await claim(connection)] == [3]


@pytest.mark.parametrize(
    ("sent", "waits", "goes"),
    [
        ("published", "withdrawn", "withdrawn"),
        ("published", "updated", "published"),
        ("published", "corrected", "published"),
        ("published", "restored", "published"),
        ("restored", "updated", "restored"),
        ("corrected", "updated", "corrected"),
        ("updated", "corrected", "corrected"),
        ("withdrawn", "restored", "restored"),
        ("updated", "withdrawn", "withdrawn"),
    ],
)
async def test_what_comes_back_unsent_makes_way_for_a_newer_one_that_says_its_part(
    db: Database, sent: str, waits: str, goes: str
) -> None:
    async with db.write() as connection:
        await add(connection, "x", sent, seq=1)
        (push,) = await claim(connection)
        assert await partners.mark(connection, push.id, owner="a")
        await add(connection, "x", waits, seq=2)
        await put_down(connection, push, State.DEFERRED)
        taken = await claim(connection)
        *_, old = await partners.lines(connection, limit=9)

    assert [(p.seq, p.type) for p in taken] == [(2, f"article.{goes}")]
    assert (old.type, old.state, old.reason, old.settled_at) == (f"article.{sent}", "excluded", "superseded", NOW)


@pytest.mark.parametrize("after_a_crash", [False, True])
async def test_what_is_given_back_from_the_wire_makes_way_too(db: Database, after_a_crash: bool) -> None:
    async with db.write() as connection:
        await add(connection, "x", seq=1)
        (push,) = await claim(connection)
        assert await partners.mark(connection, push.id, owner="a")
        await add(connection, "x", "withdrawn", seq=2)
        if after_a_crash:
            await partners.abandon(connection, alive=["b"])
        else:
            await partners.release(connection, [push.id], owner="a")
        assert [p.type for p in await claim(connection, owner="b")] == ["article.withdrawn"]


async def test_a_newer_push_of_another_story_or_endpoint_changes_nothing(db: Database) -> None:
    async with db.write() as connection:
        await add(connection, "x", seq=1)
        await add(connection, "y", "updated", seq=2)
        await add(connection, "x", "updated", seq=3, endpoint="other")
        assert [(p.seq, p.type) for p in await claim(connection)] == [(1, "article.published"), (2, "article.updated")]


async def test_a_push_about_a_held_edition_waits_for_its_release(db: Database) -> None:
    edition = await frozen_edition(db, 1)
    about: dict[str, Any] = {
        "article_id": None,
        "edition_id": edition.id,
        "subject": f"edition:{edition.id}",
        "type": EDITION_TYPE,
    }
    async with db.write() as connection:
        await add(connection, "", seq=0, **about)
        (push,) = await claim(connection)
        held = await editions.set_state(connection, edition.id, EditionState.HELD, came_from=[EditionState.FROZEN])
        assert held
        assert not await partners.mark(connection, push.id, owner="a")
        await partners.release(connection, [push.id], owner="a")
        assert (await claim(connection), await partners.next_time(connection, "portal")) == ([], None)
        await editions.set_state(connection, edition.id, EditionState.FROZEN, came_from=[EditionState.HELD])
        await partners.renew(connection, "portal", edition.id, now=LATER)
        assert [p.first_due for p in await claim(connection)] == [LATER]


async def test_a_withdrawal_goes_first(db: Database) -> None:
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


async def test_a_partner_has_heard_of_a_story_what_may_have_reached_it(db: Database) -> None:
    async with db.write() as connection:
        heard = []
        for seq, (kind, state) in enumerate(
            (
                ("withdrawn", State.ACCEPTED),  # of a story that never came
                ("published", State.REFUSED),
                ("published", State.ACCEPTED),
                ("withdrawn", State.REFUSED),
                ("withdrawn", State.ACCEPTED),
                ("restored", State.SENDING),
            ),
            start=1,
        ):
            await add(connection, "x", kind, seq=seq)
            (push,) = await claim(connection)
            assert await partners.mark(connection, push.id, owner="a")
            if state is not State.SENDING:
                await put_down(connection, push, state)
            heard.append(await partners.heard(connection, "portal", "article:x"))

    nothing, story, withdrawal = Heard
    assert heard == [nothing, nothing, story, story, withdrawal, story]


async def test_waiting_pushes_can_be_dropped_with_a_reason(db: Database) -> None:
    async with db.write() as connection:
        await add(connection, "x", "corrected", seq=1)
        ((number, kind),) = await partners.unsent(connection, "portal", "article:x")
        await partners.exclude(connection, [number], Exclusion.SUPERSEDED, now=NOW)
        (line,) = await partners.lines(connection, limit=9)
        assert kind is ChangeKind.CORRECTED
        assert (line.state, line.reason, line.settled_at) == ("excluded", "superseded", NOW)
        assert await partners.unsent(connection, "portal", "article:x") == []


async def test_a_disabled_endpoint_gets_nothing_more_until_it_is_enabled(db: Database) -> None:
    async with db.write() as connection:
        await add(connection, "x", seq=1)
        await add(connection, "y", seq=2)
        (push,) = await claim(connection, limit=1)
        await partners.disable(connection, "portal", "HTTP 410", now=NOW)
        assert not await partners.mark(connection, push.id, owner="a")
        assert {line.reason for line in await partners.lines(connection, limit=9)} == {"endpoint_disabled"}
        await add(connection, "z", seq=3)
        assert (await claim(connection), await partners.next_time(connection, "portal")) == ([], None)
        assert await partners.disabled(connection) == {"portal": "HTTP 410"}
        assert await partners.enable(connection, "portal", now=LATER)
        assert [(p.article_id, p.first_due) for p in await claim(connection)] == [("z", LATER)]


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
