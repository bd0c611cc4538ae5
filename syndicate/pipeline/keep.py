"""What is kept for a time only: personal data goes when it has served, and what is spent makes room."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.pipeline.signup import LIFE
from syndicate.store import accounts, rates, receipts, sign_ups
from syndicate.store.db import Database

EVERY = timedelta(hours=1)
RECEIPTS_KEPT = timedelta(days=180)  # then a bounce of so long ago says nothing of today
UNCLEAR_KEPT = timedelta(days=30)  # the bytes of what nobody understood
NETWORKS_KEPT = timedelta(days=180)  # in the audit log; its lines stay
_AT_ONCE = 2000  # rows in one transaction: some 50 ms
_Step = Callable[[AsyncConnection], Awaitable[int]]


@dataclass(frozen=True, kw_only=True)
class KeepReport:
    """How many went."""

    receipts: int
    networks: int
    suspensions: int


async def keep(db: Database, *, now: datetime) -> KeepReport:
    """Lets go of what is old. Saying it twice changes nothing."""
    async with db.write() as connection:
        await rates.forget(connection, now=now)
        await sign_ups.forget(connection, before=now - LIFE)
        await receipts.forget_bodies(connection, before=now - UNCLEAR_KEPT)
        suspensions = await receipts.end_suspensions(connection, now=now)
    old = await _all(db, lambda c: receipts.forget_old(c, before=now - RECEIPTS_KEPT, limit=_AT_ONCE))
    networks = await _all(db, lambda c: accounts.forget_networks(c, before=now - NETWORKS_KEPT, limit=_AT_ONCE))
    return KeepReport(receipts=old, networks=networks, suspensions=suspensions)


async def _all(db: Database, step: _Step) -> int:
    """By handfuls, so that nobody waits long for a turn to write."""
    whole = 0
    while True:
        async with db.write() as connection:
            done = await step(connection)
        whole += done
        if done < _AT_ONCE:
            return whole
