"""Requests that wait, how many are usual, and the ledger of consents that only grows."""

from datetime import datetime, timedelta

import pytest

from syndicate.domain.consent import Consent, Said, Via
from syndicate.domain.delivery import Standing, State
from syndicate.store import audience, consents, sign_ups
from syndicate.store.db import Database
from tests.factories import NOW, add_reader

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)


async def asked(db: Database, at: datetime, times: int = 1) -> int:
    number = 0
    async with db.write() as connection:
        for _ in range(times):
            number = await sign_ups.add(
                connection,
                address="dewi@pembaca.example",
                digest="d" * 64,
                newsletters=["pagi", "sore"],
                language="id",
                via=Via.PAGE,
                now=at,
            )
    return number


async def test_a_request_says_what_was_asked_and_how_its_mail_stands(db: Database) -> None:
    number = await asked(db, NOW)
    async with db.write() as connection:
        new = await sign_ups.get(connection, number)
        sent = Standing(state=State.ACCEPTED, attempt=1, first_due=NOW, code="250", text="queued")
        await sign_ups.set_standing(connection, number, sent)
        await sign_ups.set_answer(connection, number, Said.DENIED)
        later = await sign_ups.get(connection, number, lock=True)

    assert new is not None
    assert later is not None
    assert (new.address, new.newsletters, new.via, new.asked_at, new.answer) == (
        "dewi@pembaca.example",
        ("pagi", "sore"),
        Via.PAGE,
        NOW,
        None,
    )
    assert new.standing == Standing(state=State.DUE, first_due=NOW)
    assert (later.standing, later.answer) == (sent, Said.DENIED)


async def test_the_usual_is_the_median_of_all_hours_also_of_those_without_any(db: Database) -> None:
    for hour in range(100):  # of 168
        await asked(db, NOW - WEEK + hour * HOUR + timedelta(minutes=30), times=3 if hour % 2 else 1)
    async with db.read() as connection:
        assert await sign_ups.usual_per_hour(connection, since=NOW - WEEK, now=NOW) == 1
        assert await sign_ups.usual_per_hour(connection, since=NOW - 4 * WEEK, now=NOW) == 0
        assert await sign_ups.count(connection, since=NOW - WEEK) == 200


async def test_what_is_old_goes_and_its_number_is_not_given_again(db: Database) -> None:
    old, new = await asked(db, NOW - WEEK), await asked(db, NOW - WEEK + HOUR)
    async with db.write() as connection:
        await sign_ups.forget(connection, before=NOW - WEEK)
        assert await sign_ups.get(connection, old) is None
        assert await sign_ups.get(connection, new) is not None
        await sign_ups.forget(connection, before=NOW)
    assert await asked(db, NOW) > new


async def test_consents_come_back_as_they_were_noted_in_their_order(db: Database) -> None:
    said = [
        Consent(
            newsletter="pagi",
            what=what,
            at=NOW,
            origin="page",
            network="203.0.113.0/24",
            language="id",
            text_version=1,
            text_hash="e" * 64,
        )
        for what in Said
    ]
    async with db.write() as connection:
        await consents.add(connection, "d" * 64, said)
        await consents.add(connection, "f" * 64, [Consent(newsletter="pagi", what=Said.ENDED, at=NOW, origin="link")])
        await consents.add(connection, "d" * 64, [])
        assert await consents.of_person(connection, "d" * 64) == said


async def test_a_denial_is_remembered_for_a_while(db: Database) -> None:
    async with db.write() as connection:
        denied = Consent(newsletter="pagi", what=Said.DENIED, at=NOW, origin="link")
        await consents.add(connection, "d" * 64, [denied])
        assert await consents.has_denied(connection, "d" * 64, since=NOW - HOUR)
        assert not await consents.has_denied(connection, "d" * 64, since=NOW)
        assert not await consents.has_denied(connection, "e" * 64, since=NOW - HOUR)


def test_the_ledger_has_no_way_to_change_or_drop_a_row() -> None:
    assert {name for name in vars(consents) if not name.startswith("_")} & {"update", "delete", "upsert"} == set()


@pytest.mark.parametrize(
    ("domain", "share"), [("pembaca.example", 1.0), ("lain.example", 0.0), ("embaca.example", 0.0), ("%", 0.0)]
)
async def test_the_share_of_a_domain_is_of_whole_domains(db: Database, domain: str, share: float) -> None:
    async with db.write() as connection:
        assert await audience.share_of(connection, domain) == 0
        for number in range(3):
            await add_reader(connection, number)
        assert await audience.share_of(connection, domain) == share
