"""Being forgotten: at once, also inside a send; and nobody but the person brings them back."""

import asyncio
import shutil
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.account import Deed, Entry
from syndicate.domain.audience import Subscriber, address_digest
from syndicate.domain.consent import Matter, Said, Via
from syndicate.errors import NotFound, Refused
from syndicate.pipeline.erase import Erased, erase_by_hand, erase_by_link, forget_replies
from syndicate.pipeline.reconcile import join
from syndicate.pipeline.replay import replay_departures
from syndicate.ports import Mail
from syndicate.store import accounts, audience, consents, fence, jobs, sign_ups
from syndicate.store.db import Database
from syndicate.store.tables import deliveries, metadata, receipts
from tests.factories import DEFERRED, NOW, PEPPER, REFUSED, ScriptedMailer
from tests.pipeline.choosing import token_of
from tests.pipeline.mailing import Postoffice, address


@pytest.fixture
def mailer() -> ScriptedMailer:
    return ScriptedMailer()


@pytest.fixture
def office(db: Database, tmp_path: Path, mailer: ScriptedMailer) -> Postoffice:
    return Postoffice(db, tmp_path, mailer)


def digest(number: int) -> str:
    return address_digest(PEPPER, address(number))


async def person(db: Database, number: int) -> Subscriber:
    async with db.read() as connection:
        found = await audience.by_address(connection, address(number))
    assert found is not None
    return found


async def erase(office: Postoffice, number: int) -> Erased:
    token = token_of(await person(office.db, number))
    erased = await erase_by_link(office.db, office.way_out, token, now=office.clock.at)
    assert erased is not None
    return erased


async def reasons(db: Database) -> dict[int, str]:
    async with db.read() as connection:
        rows = await connection.execute(select(deliveries.c.subscriber_id, deliveries.c.state, deliveries.c.reason))
    return {row.subscriber_id: row.reason or row.state for row in rows}


async def suppression(db: Database, number: int) -> str:
    async with db.read() as connection:
        held = await audience.suppression(connection, digest(number))
    return held[0] if held else ""


# ── at once ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_waits_for_a_forgotten_person_is_excluded_at_once_and_the_books_balance(
    office: Postoffice, mailer: ScriptedMailer
) -> None:
    edition = await office.freeze(3)
    numbers = [(await person(office.db, n)).id for n in range(3)]
    erased = await erase(office, 1)
    now = await reasons(office.db)
    books = await office.books(edition)
    await office.send(edition)

    assert erased == Erased(newsletters=("pagi",), mails=1)
    assert now == {numbers[0]: "due", numbers[1]: "erased", numbers[2]: "due"}
    assert books == {"excluded": 1, "open": 2}
    assert mailer.recipients() == [address(0), address(2)]
    assert await office.books(edition) == {"accepted": 2, "excluded": 1}


async def test_a_deferred_mail_is_excluded_too(office: Postoffice, mailer: ScriptedMailer) -> None:
    mailer.answers[address(0)] = deque([DEFERRED])
    edition = await office.freeze(1)
    await office.send(edition)
    assert await office.books(edition) == {"open": 1}
    await erase(office, 0)

    assert await office.books(edition) == {"excluded": 1}


async def test_inside_a_send_a_mail_that_is_marked_is_kept_off_the_wire(
    office: Postoffice, mailer: ScriptedMailer
) -> None:
    edition = await office.freeze(4)

    async def erase_the_others(mails: Sequence[Mail]) -> None:
        mailer.on_enter = nothing
        for number in range(4):
            office.clock.forward(milliseconds=1)
            await erase(office, number)

    async def nothing(_: Sequence[Mail]) -> None:
        """Only the first call is of interest."""

    mailer.on_enter = erase_the_others
    await office.send(edition)

    assert mailer.sent == []
    assert await office.books(edition) == {"excluded": 4}


async def test_a_mail_on_the_wire_ends_by_itself(office: Postoffice, mailer: ScriptedMailer) -> None:
    edition = await office.freeze(1)

    async def erase_now(mail: Mail) -> None:
        office.room.revocations.add = lambda *_, **__: None  # type: ignore[method-assign]  # it was asked a moment ago
        await erase(office, 0)

    mailer.on_mail = erase_now
    await office.send(edition)

    assert mailer.recipients() == [address(0)]
    assert await office.books(edition) == {"accepted": 1}


# ── nothing names them ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_no_row_names_the_person_any_more(office: Postoffice, mailer: ScriptedMailer) -> None:
    """Searched for in every column of text that there is."""
    who = address(0)
    refused = replace(REFUSED, text=f"550 5.1.1 <{who}> unknown", provider_ref=f"<{who}>")
    mailer.answers[who] = deque([refused])
    edition = await office.freeze(2)
    await office.send(edition)
    reader = await person(office.db, 0)
    async with office.db.write() as connection:
        delivery = await connection.scalar(select(deliveries.c.id).where(deliveries.c.subscriber_id == reader.id))
        for number, of in enumerate((delivery, None)):
            row = {"digest": f"{number}" * 64, "origin": "x", "received_at": NOW, "state": "done", "body": who.encode()}
            row |= {"verdict": "hard", "status": "", "text": f"<{who}> unknown", "step": "", "delivery_id": of}
            await connection.execute(insert(receipts).values(**row, subscriber_id=reader.id))
        await typed(connection, who, digest(0))
        await typed(connection, f"x{who}", "d", mover=reader.id)
    before = await naming(office.db, who)
    await erase(office, 0)

    assert before >= {"subscribers.address", "deliveries.text", "receipts.text", "receipts.body", "sign_ups.address"}
    assert await naming(office.db, who) == set()
    assert await naming(office.db, address(1)) == {"subscribers.address", "subscribers.folded"}


async def typed(connection: AsyncConnection, who: str, digested: str, *, mover: int | None = None) -> None:
    """Somebody writes an address into a form."""
    await sign_ups.add(
        connection,
        address=who,
        digest=digested,
        newsletters=["pagi"],
        language="id",
        via=Via.PAGE if mover is None else Via.LINK,
        now=NOW,
        matter=Matter.JOIN if mover is None else Matter.MOVE,
        subscriber_id=mover,
    )


async def naming(db: Database, who: str) -> set[str]:
    """Where an address stands."""
    found = set()
    async with db.read() as connection:
        for table in metadata.sorted_tables:
            for column in table.columns:
                if await stands_in(connection, table, column, who):
                    found.add(f"{table.name}.{column.name}")
    return found


async def stands_in(connection: AsyncConnection, table: Table, column: Column[Any], who: str) -> bool:
    values = await connection.execute(select(column).select_from(table))
    return any(who.encode() in (value if isinstance(value, bytes) else str(value).encode()) for (value,) in values)


async def test_replies_that_come_after_the_erasure_are_forgotten_later(office: Postoffice) -> None:
    await office.freeze(1)
    reader = await person(office.db, 0)
    await erase(office, 0)
    async with office.db.write() as connection:  # what was on the wire is settled now
        await connection.execute(update(deliveries).values(text=f"<{address(0)}> unknown"))
        (job,) = [one for one in await jobs.listed(connection, limit=99) if one.kind == "forget"]
    await forget_replies(office.db, job.ref["subscriber"])

    assert job.ref == {"subscriber": reader.id}
    assert (job.not_before - NOW).total_seconds() == 3600
    assert await naming(office.db, address(0)) == set()


async def test_the_ledger_of_consents_goes_on_telling_what_was_said(office: Postoffice) -> None:
    await office.freeze(1)
    await erase(office, 0)
    async with office.db.read() as connection:
        said = await consents.of_person(connection, digest(0))

    assert [(one.newsletter, one.what, one.origin) for one in said] == [
        ("pagi", Said.ENDED, "link"),
        ("", Said.ERASED, "link"),
    ]


async def test_the_link_opens_nothing_afterwards(office: Postoffice) -> None:
    await office.freeze(1)
    token = token_of(await person(office.db, 0))
    await erase(office, 0)

    assert await erase_by_link(office.db, office.way_out, token, now=NOW) is None


# ── nobody else brings them back ─────────────────────────────────────────────────────────────────────────────────────


async def test_an_operator_can_t_add_a_forgotten_person_again(office: Postoffice) -> None:
    await office.freeze(1)
    await erase(office, 0)
    again = Subscriber(id=0, address=address(0), created_at=NOW)
    with pytest.raises(Refused, match="erased"):
        await join(office.db, again, ["pagi"], digest=digest(0), origin="test")


async def test_a_restored_database_forgets_them_once_more(tmp_path: Path, migrated_sqlite: Path) -> None:
    newer, older = tmp_path / "syndicate.db", tmp_path / "older.db"
    shutil.copy(migrated_sqlite, newer)
    async with opened(newer) as db:
        edition = await Postoffice(db, tmp_path, ScriptedMailer()).freeze(2)
    shutil.copy(newer, older)  # closed, so it is whole
    async with opened(newer) as db:
        await erase(Postoffice(db, tmp_path, ScriptedMailer()), 0)
    async with opened(older) as restored:
        office = Postoffice(restored, tmp_path, ScriptedMailer())
        before = await naming(restored, address(0))
        await replay_departures(restored, office.way_out.journal, now=NOW)

        assert before == {"subscribers.address", "subscribers.folded"}
        assert await naming(restored, address(0)) == set()
        assert await suppression(restored, 0) == "erased"
        assert await office.books(edition) == {"excluded": 1, "open": 1}


@asynccontextmanager
async def opened(file: Path) -> AsyncIterator[Database]:
    db = Database(f"sqlite:///{file}")
    try:
        yield db
    finally:
        await db.aclose()


async def test_who_came_back_by_themselves_stays_at_the_next_start(office: Postoffice) -> None:
    await office.freeze(1)
    await erase(office, 0)
    office.clock.forward(days=1)
    async with office.db.write() as connection:  # as a confirmed sign-up does
        await audience.lift(connection, digest(0), until=office.clock.at)
        await audience.add(
            connection, Subscriber(id=0, address=address(0), created_at=office.clock.at), digest=digest(0)
        )
    await replay_departures(office.db, office.way_out.journal, now=office.clock.at)

    assert (await person(office.db, 0)).address == address(0)


async def test_a_journal_that_can_t_be_written_hinders_nobody(office: Postoffice) -> None:
    await office.freeze(1)
    office.way_out.journal.mkdir()
    await erase(office, 0)

    assert await suppression(office.db, 0) == "erased"


async def test_an_earlier_complaint_is_not_hidden_by_it(office: Postoffice) -> None:
    await office.freeze(1)
    async with office.db.write() as connection:
        await audience.suppress(connection, digest(0), "complaint", now=NOW)
    await erase(office, 0)

    assert await suppression(office.db, 0) == "complaint"


# ── by hand ──────────────────────────────────────────────────────────────────────────────────────────────────────────

ENTRY = Entry(at=NOW, who="cli:laksmi", what=Deed.ERASED, subject="reader 0123456789abcdef")


async def test_an_operator_erases_who_asks_in_another_way_and_it_is_in_the_audit_log(office: Postoffice) -> None:
    await office.freeze(1)
    erased = await erase_by_hand(office.db, office.way_out, digest(0), ENTRY, now=NOW)
    async with office.db.read() as connection:
        (line,) = await accounts.log(connection, limit=9)

    assert erased == Erased(newsletters=("pagi",), mails=1)
    assert line == ENTRY
    assert await naming(office.db, address(0)) == set()


async def test_an_address_that_was_only_typed_into_a_form_can_be_erased_too(office: Postoffice) -> None:
    async with office.db.write() as connection:
        await typed(connection, address(7), digest(7))
    erased = await erase_by_hand(office.db, office.way_out, digest(7), ENTRY, now=NOW)

    assert erased == Erased(requests=1)
    assert await naming(office.db, address(7)) == set()
    assert [one.reason for one in fence.departures(office.way_out.journal)] == ["erased"]


async def test_nobody_is_erased_who_isn_t_known(office: Postoffice) -> None:
    with pytest.raises(NotFound):
        await erase_by_hand(office.db, office.way_out, digest(9), ENTRY, now=NOW)

    assert await suppression(office.db, 9) == ""
    async with office.db.read() as connection:
        assert await accounts.log(connection, limit=9) == []


# ── two at once ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_erasing_and_sending_at_once_never_wait_for_each_other(postgres_db: Database, tmp_path: Path) -> None:
    """Both write deliveries and kept counts; each mail is sent or excluded, and the books say so."""
    office = Postoffice(postgres_db, tmp_path, mailer := ScriptedMailer())
    edition = await office.freeze(60)
    async with asyncio.timeout(120):  # a hang guard
        await asyncio.gather(office.send(edition), *(erase(office, number) for number in range(0, 60, 2)))
        await office.send(edition)
    books = await office.books(edition)

    assert books["accepted"] + books.get("excluded", 0) == 60
    assert len(mailer.sent) == books["accepted"]
    assert {address(n) for n in range(1, 60, 2)} <= set(mailer.recipients())
