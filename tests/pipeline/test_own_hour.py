"""A reader's own hour and pause: when a mail comes, and that it waits for nobody else."""

from datetime import timedelta
from pathlib import Path

import pytest

from syndicate.domain.retry import PATIENCE
from syndicate.store.db import Database
from tests.factories import DEFERRED, NOW, ScriptedMailer
from tests.pipeline.audience import Town
from tests.pipeline.mailing import Postoffice, address
from tests.pipeline.stories import publish


@pytest.fixture
async def town(db: Database) -> Town:
    """Its slot is at 09:00 in Jakarta."""
    return await Town(db).open()


async def test_a_mail_waits_for_the_reader_s_hour_and_holds_nobody_else_up(town: Town, tmp_path: Path) -> None:
    mailer = ScriptedMailer()
    office = Postoffice(town.db, tmp_path, mailer)
    for number, hour in enumerate((None, 9, 12, 8)):
        await town.reader(number, hour=hour)
    await publish(town.db, 1)
    edition = await town.issue()
    first = await office.send(edition)
    office.clock.forward(hours=3, seconds=-1)
    await office.send(edition)
    before_noon = mailer.recipients()
    office.clock.forward(seconds=1)
    second = await office.send(edition)
    office.clock.forward(hours=20)
    last = await office.send(edition)

    assert (first.sent, first.again_at, first.finished) == ({"accepted": 2}, NOW + timedelta(hours=3), False)
    assert before_noon == [address(0), address(1)]
    assert (second.sent, second.again_at) == ({"accepted": 1}, NOW + timedelta(hours=23))
    assert (last.sent, last.finished) == ({"accepted": 1}, True)


async def test_the_hour_is_by_the_reader_s_own_clock(town: Town) -> None:
    east = await town.reader(1, hour=12, timezone="Asia/Jayapura")
    await publish(town.db, 1)
    row = (await town.rows(await town.issue()))[east]

    assert row.first_due == row.not_before == NOW + timedelta(hours=1)


async def test_an_edition_frozen_after_the_hour_goes_out_at_once(town: Town) -> None:
    reader = await town.reader(1, hour=9)
    await publish(town.db, 1)
    later = NOW + timedelta(minutes=90)
    row = (await town.rows(await town.freeze(await town.compose(), now=later)))[reader]

    assert (row.first_due, row.not_before) == (later, None)


async def test_the_72_hours_of_a_mail_begin_with_its_hour(town: Town, tmp_path: Path) -> None:
    mailer = ScriptedMailer({address(1): [DEFERRED] * 99})
    office = Postoffice(town.db, tmp_path, mailer)
    await town.reader(1, hour=8)
    await publish(town.db, 1)
    edition = await town.issue()
    office.clock.at = due = NOW + timedelta(hours=23)
    while not (report := await office.send(edition)).finished:
        assert report.again_at is not None
        office.clock.at = report.again_at

    assert office.clock.at == due + PATIENCE
    assert report.sent == {"refused": 1}


async def test_a_paused_reader_is_a_candidate_that_is_excluded_with_the_reason(town: Town) -> None:
    paused = await town.reader(1, paused_until=NOW + timedelta(days=1))
    back = await town.reader(2, paused_until=NOW)
    await publish(town.db, 1)

    assert await town.got(await town.issue()) == {paused: "paused", back: "k1"}
