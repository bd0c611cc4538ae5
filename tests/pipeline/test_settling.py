"""A receipt settles a doubt in the very moment in which its edition is closed: the books balance, whoever is first."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from syndicate.domain.edition import EditionState
from syndicate.pipeline.dispatch import close_edition
from syndicate.pipeline.receipts import FollowReport, collect, follow_new
from syndicate.store import editions, ledger
from syndicate.store.db import Database
from syndicate.store.tables import jobs
from tests.factories import NOW, UNCERTAIN, ScriptedMailer
from tests.pipeline.mailing import Postoffice, address
from tests.pipeline.test_accounts import somebody_waits
from tests.pipeline.test_receipts import OpenDoor, Pigeonhole, Returns

PATIENCE = 60.0  # seconds: a hang guard


@pytest.fixture
async def returns(postgres_db: Database, tmp_path: Path) -> Returns:
    """An edition of which one mail is in doubt, whose bounce is there, and whose last batch just ended."""
    office = Postoffice(postgres_db, tmp_path, ScriptedMailer({address(0): [UNCERTAIN]}))
    edition = await office.freeze(2)
    await office.send(edition)
    async with postgres_db.write() as connection:
        await connection.execute(delete(jobs))
    returns = Returns(postgres_db, office, OpenDoor(), edition)
    await collect(postgres_db, Pigeonhole(await returns.mail("postfix_full")), "kotak", now=NOW)
    return returns


async def until_it_waits(db: Database, other: "asyncio.Task[Any]") -> None:
    """Until the other transaction wants a lock of ours."""
    async with asyncio.timeout(PATIENCE):
        while not await somebody_waits(db):
            assert not other.done(), "it did not wait for the one who has the edition"


async def assert_it_balances(returns: Returns) -> None:
    assert await returns.office.books(returns.edition) == {"accepted": 2}
    assert await returns.standing() == ("accepted", "bounced")
    async with returns.db.read() as connection:
        edition = await editions.get(connection, returns.edition.id)
    assert edition is not None
    assert edition.state is EditionState.DONE


async def test_a_receipt_that_comes_while_its_edition_is_closed_waits_for_that(
    returns: Returns, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, following_now = editions.count_books, list["asyncio.Task[FollowReport]"]()

    async def count_and_wait(*given: Any) -> Any:
        books = await count(*given)
        if not following_now:
            following_now.append(asyncio.create_task(follow_new(returns.db, returns.way_out, returns.jail, now=NOW)))
            await until_it_waits(returns.db, following_now[0])
        return books

    monkeypatch.setattr(editions, "count_books", count_and_wait)
    await close_edition(returns.db, returns.edition.id, now=NOW)
    await asyncio.wait_for(following_now[0], PATIENCE)

    await assert_it_balances(returns)


async def test_closing_an_edition_waits_for_a_receipt_that_settles_one_of_its_doubts(
    returns: Returns, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve, closing = ledger.resolve, list["asyncio.Task[Any]"]()

    async def resolve_and_wait(*given: Any, **more: Any) -> None:
        closing.append(asyncio.create_task(close_edition(returns.db, returns.edition.id, now=NOW)))
        await until_it_waits(returns.db, closing[0])
        await resolve(*given, **more)

    monkeypatch.setattr(ledger, "resolve", resolve_and_wait)
    await follow_new(returns.db, returns.way_out, returns.jail, now=NOW)
    await asyncio.wait_for(closing[0], PATIENCE)

    await assert_it_balances(returns)
