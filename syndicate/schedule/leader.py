"""One leader among many processes, and who of them is alive.

A holder raises a counter; an observer declares it dead when the counter stands still for 8 s of the observer's own
monotonic clock, so a wall clock that jumps ends no lease. A dead process of the same host is seen at once. The lease
only avoids noise: what makes two leaders harmless is that a slot fires once.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.ports import Clock
from syndicate.store import leases
from syndicate.store.db import Database
from syndicate.store.leases import Node

LEASE = "schedule"
RENEW = 2.0  # seconds
STILL = 8.0  # seconds without a beat


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What one look around brought."""

    leading: bool
    gained: bool  # leading since this look
    dead: tuple[str, ...]  # nodes that were buried at this look


@dataclass(kw_only=True)
class Leader:
    """Call `look` every RENEW seconds. Not leading is told by its answer; act on it before anything else."""

    db: Database
    node: Node
    clock: Clock
    monotonic: Callable[[], float]
    _leading: bool = False
    _beat: int = 0
    _seen: dict[str, tuple[int, float]] = field(default_factory=dict)

    async def look(self) -> Standing:
        """Beats, buries the dead, and takes or keeps the lease."""
        self._beat += 1
        async with self.db.write() as connection:
            me = Node(
                id=self.node.id, host=self.node.host, pid=self.node.pid, beat=self._beat, seen_at=self.clock.now()
            )
            await leases.beat(connection, me)
            dead = [node.id for node in await leases.all_nodes(connection) if self._is_dead(node)]
            for node_id in dead:
                await leases.bury(connection, node_id)
            was = self._leading
            self._leading = await self._keep(connection) if was else await self._take(connection)
        return Standing(leading=self._leading, gained=self._leading and not was, dead=tuple(dead))

    async def leave(self) -> None:
        """Says goodbye, so that another process takes over at once."""
        async with self.db.write() as connection:
            await leases.bury(connection, self.node.id)
        self._leading = False

    async def _keep(self, connection: AsyncConnection) -> bool:
        return await leases.renew(connection, LEASE, self.node.id)

    async def _take(self, connection: AsyncConnection) -> bool:
        held = await leases.lease(connection, LEASE)
        if held is not None and held.node == self.node.id:
            return await leases.renew(connection, LEASE, self.node.id)
        if held is not None and not self._stands_still(f"lease:{held.node}", held.beat):
            return False
        return await leases.take(connection, LEASE, self.node.id, instead_of=held)

    def _is_dead(self, node: Node) -> bool:
        if node.id == self.node.id:
            return False
        if node.host == self.node.host and not process_lives(node.pid):
            return True
        return self._stands_still(node.id, node.beat)

    def _stands_still(self, name: str, beat: int) -> bool:
        """True when we have watched this very beat for 8 s."""
        now = self.monotonic()
        last, since = self._seen.get(name, (None, now))
        if last != beat:
            self._seen[name] = (beat, now)
            return False
        return now - since >= STILL


def process_lives(pid: int) -> bool:
    """True when a process with this number runs on this host."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
