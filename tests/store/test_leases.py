"""Who is alive and who leads."""

from dataclasses import replace

from syndicate.store import leases
from syndicate.store.db import Database
from syndicate.store.leases import Lease, Node
from tests.factories import NOW

NODE = Node(id="host:1:a", host="host", pid=1, beat=1, seen_at=NOW)


async def test_a_free_lease_is_taken_by_the_first(db: Database) -> None:
    async with db.write() as connection:
        assert await leases.take(connection, "schedule", "a", instead_of=None)
        assert not await leases.take(connection, "schedule", "b", instead_of=None)
        assert await leases.lease(connection, "schedule") == Lease(name="schedule", node="a", beat=0)


async def test_a_lease_is_taken_only_at_the_beat_that_was_watched(db: Database) -> None:
    async with db.write() as connection:
        await leases.take(connection, "schedule", "a", instead_of=None)
        watched = await leases.lease(connection, "schedule")
        await leases.renew(connection, "schedule", "a")
        assert not await leases.take(connection, "schedule", "b", instead_of=watched)
        watched = await leases.lease(connection, "schedule")
        assert await leases.take(connection, "schedule", "b", instead_of=watched)
        assert not await leases.renew(connection, "schedule", "a")
        assert await leases.renew(connection, "schedule", "b")


async def test_leaving_frees_only_ones_own_lease(db: Database) -> None:
    async with db.write() as connection:
        await leases.take(connection, "schedule", "a", instead_of=None)
        await leases.leave(connection, "schedule", "b")
        assert await leases.lease(connection, "schedule") is not None
        await leases.leave(connection, "schedule", "a")
        assert await leases.lease(connection, "schedule") is None


async def test_a_beat_is_one_row_a_node_and_burying_takes_its_leases(db: Database) -> None:
    async with db.write() as connection:
        await leases.beat(connection, NODE)
        await leases.beat(connection, replace(NODE, beat=2))
        await leases.take(connection, "schedule", NODE.id, instead_of=None)
        assert await leases.all_nodes(connection) == [replace(NODE, beat=2)]
        await leases.bury(connection, NODE.id)
        assert await leases.all_nodes(connection) == []
        assert await leases.lease(connection, "schedule") is None
