"""Who is alive and who leads. A holder raises a counter; observers judge by their own clock if it stands still."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.store.db import insert_new, upsert
from syndicate.store.tables import leases, nodes


@dataclass(frozen=True, kw_only=True)
class Node:
    """A process that works on this database. `id` is HOST:PID:RANDOM."""

    id: str
    host: str
    pid: int
    beat: int
    seen_at: datetime


@dataclass(frozen=True, kw_only=True)
class Lease:
    """Something only one node does."""

    name: str
    node: str
    beat: int


async def beat(connection: AsyncConnection, node: Node) -> None:
    """Shows that a node lives. Its counter only grows."""
    values = {"host": node.host, "pid": node.pid, "beat": node.beat, "seen_at": node.seen_at}
    await upsert(connection, nodes, {"id": node.id}, values)


async def all_nodes(connection: AsyncConnection) -> list[Node]:
    """Every process that has not said goodbye or been buried."""
    return [Node(**row._asdict()) for row in await connection.execute(select(nodes))]


async def bury(connection: AsyncConnection, node_id: str) -> None:
    """Takes a node off, and every lease it held."""
    await connection.execute(delete(leases).where(leases.c.node == node_id))
    await connection.execute(delete(nodes).where(nodes.c.id == node_id))


async def lease(connection: AsyncConnection, name: str) -> Lease | None:
    """Who holds it."""
    row = (await connection.execute(select(leases).where(leases.c.name == name))).one_or_none()
    return Lease(**row._asdict()) if row else None


async def take(connection: AsyncConnection, name: str, node_id: str, *, instead_of: Lease | None) -> bool:
    """Takes a lease that nobody holds, or whose holder stood still at exactly the beat we watched.

    False: somebody was faster, or the holder moved after all.
    """
    if instead_of is None:
        return await insert_new(connection, leases, {"name": name, "node": node_id, "beat": 0})
    watched = and_(leases.c.name == name, leases.c.node == instead_of.node, leases.c.beat == instead_of.beat)
    done = await connection.execute(update(leases).where(watched).values(node=node_id, beat=instead_of.beat + 1))
    return done.rowcount == 1


async def renew(connection: AsyncConnection, name: str, node_id: str) -> bool:
    """Raises the counter. False: the lease is somebody else's now; stop leading at once."""
    mine = and_(leases.c.name == name, leases.c.node == node_id)
    done = await connection.execute(update(leases).where(mine).values(beat=leases.c.beat + 1))
    return done.rowcount == 1


async def leave(connection: AsyncConnection, name: str, node_id: str) -> None:
    """Gives a lease back, for an instant hand-over."""
    await connection.execute(delete(leases).where(leases.c.name == name, leases.c.node == node_id))
