"""What is kept for a time only, and what stays."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from syndicate.domain.account import Deed, Entry
from syndicate.pipeline import keep as module
from syndicate.pipeline.keep import NETWORKS_KEPT, RECEIPTS_KEPT, keep
from syndicate.store import accounts, rates, receipts
from syndicate.store.db import Database
from syndicate.store.rates import Limit
from syndicate.store.tables import rates as allowances
from tests.factories import NOW

DAY = timedelta(days=1)
HOUR = Limit(name="hour", burst=1, every=timedelta(hours=1))


async def receipt(db: Database, number: int, at: datetime) -> None:
    async with db.write() as connection:
        await receipts.add(connection, digest=f"d{number}", origin="kotak", body=b"x", now=at)


async def numbers(db: Database) -> list[int]:
    async with db.read() as connection:
        return sorted(one.id for one in await receipts.listed(connection, limit=99))


async def test_receipts_of_half_a_year_ago_go_by_handfuls_and_younger_ones_stay(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    for number, days in enumerate((181, 181, 181, 180, 179)):
        await receipt(db, number, NOW - days * DAY)
    before = await numbers(db)
    gone = [(await keep(db, now=NOW)).receipts for _ in range(2)]

    assert gone == [3, 0]
    assert await numbers(db) == before[3:]
    assert RECEIPTS_KEPT == 180 * DAY


async def test_the_audit_log_forgets_where_people_were_and_keeps_what_they_did(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 1)
    async with db.write() as connection:
        for days in (190, 180, 179):
            entry = Entry(at=NOW - days * DAY, who="laksmi", what=Deed.SIGNED_IN, network="203.0.113.0/24")
            await accounts.note(connection, entry)
    report = await keep(db, now=NOW)
    async with db.read() as connection:
        networks = [one.network for one in await accounts.log(connection, limit=9)]

    assert (report.networks, networks) == (2, ["203.0.113.0/24", "", ""])
    assert NETWORKS_KEPT == 180 * DAY


async def test_spent_allowances_go_without_anybody_signing_up(db: Database) -> None:
    async with db.write() as connection:
        await rates.take(connection, [("sign-in:a", HOUR)], now=NOW - timedelta(hours=2))
        await rates.take(connection, [("sign-in:b", HOUR)], now=NOW)
    await keep(db, now=NOW)
    async with db.read() as connection:
        left = await connection.scalar(select(func.count()).select_from(allowances))

    assert left == 1


async def test_a_suspension_that_is_over_goes(db: Database) -> None:
    async with db.write() as connection:
        await receipts.suspend(connection, "a", until=NOW, now=NOW - DAY)
        await receipts.suspend(connection, "b", until=NOW + DAY, now=NOW - DAY)

    assert (await keep(db, now=NOW)).suspensions == 1
