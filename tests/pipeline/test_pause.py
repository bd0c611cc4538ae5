"""A paused newsletter sends nothing, loses nothing, and goes on where it was."""

from collections import deque
from datetime import timedelta
from pathlib import Path

import pytest

from syndicate.domain.account import Deed
from syndicate.domain.audience import address_digest
from syndicate.domain.change import ChangeKind
from syndicate.domain.desk import Pause
from syndicate.domain.edition import Edition, EditionState
from syndicate.domain.explanation import Answer
from syndicate.errors import Refused
from syndicate.pipeline.enqueue import hold_edition, release_edition
from syndicate.pipeline.explain import explain_story
from syndicate.pipeline.pause import Resumed, foresee_resume, pause_newsletter, resume_newsletter
from syndicate.pipeline.reconcile import resend_doubts
from syndicate.schedule.slots import fire_due
from syndicate.store import accounts, editions, jobs
from syndicate.store.db import Database
from tests.factories import NOW, PEPPER, UNCERTAIN, ScriptedMailer, make_article, make_newsletter
from tests.pipeline.mailing import Postoffice, address
from tests.pipeline.stories import publish, revise

PAUSE = Pause(newsletter="pagi", at=NOW, who="cli:meja", why="salah alamat pengirim")


async def state(db: Database, edition: Edition) -> tuple[EditionState, str]:
    async with db.read() as connection:
        found = await editions.get(connection, edition.id)
    assert found is not None
    return found.state, found.why


async def resume(db: Database) -> Resumed:
    return await resume_newsletter(db, "pagi", [], who="cli:meja", now=NOW)


@pytest.fixture
def mailer() -> ScriptedMailer:
    return ScriptedMailer()


@pytest.fixture
def office(db: Database, tmp_path: Path, mailer: ScriptedMailer) -> Postoffice:
    return Postoffice(db, tmp_path, mailer)


async def test_what_is_being_sent_stops_at_once_and_goes_on_afterwards(
    office: Postoffice, mailer: ScriptedMailer
) -> None:
    edition = await office.freeze(3)
    await office.send_first(edition)
    stopped = await pause_newsletter(office.db, PAUSE)
    await office.send(edition)
    between = len(mailer.sent)
    resumed = await resume(office.db)
    await office.send(edition)

    assert [one.id for one in stopped] == [edition.id]
    assert (between, len(mailer.sent)) == (1, 3)
    assert [one.id for one in resumed.released] == [edition.id]
    assert await office.books(edition) == {"accepted": 3}


async def test_an_edition_that_is_frozen_meanwhile_is_frozen_on_hold(office: Postoffice) -> None:
    await pause_newsletter(office.db, PAUSE)
    edition = await office.freeze(2)
    held = await state(office.db, edition)
    foreseen = await foresee_resume(office.db, "pagi")
    await resume(office.db)

    assert held == (EditionState.HELD, "pagi is paused: salah alamat pengirim")
    assert [one.id for one in foreseen.released] == [edition.id]
    assert await state(office.db, edition) == (EditionState.FROZEN, "")


async def test_what_was_on_hold_before_stays_on_hold(office: Postoffice) -> None:
    edition = await office.freeze(2)
    await hold_edition(office.db, edition, why="salah judul")
    await pause_newsletter(office.db, PAUSE)
    resumed = await resume(office.db)

    assert ([one.id for one in resumed.held], resumed.released) == ([edition.id], ())
    assert await state(office.db, edition) == (EditionState.HELD, "salah judul")


async def test_a_story_withdrawn_during_the_pause_keeps_its_edition_on_hold(office: Postoffice) -> None:
    edition = await office.freeze(2)
    await pause_newsletter(office.db, PAUSE)
    await revise(office.db, 1, ChangeKind.WITHDRAWN)
    await resume(office.db)

    assert await state(office.db, edition) == (EditionState.HELD, "a story in it was withdrawn meanwhile")


async def test_no_single_edition_of_a_paused_newsletter_is_released(office: Postoffice) -> None:
    edition = await office.freeze(2)
    await pause_newsletter(office.db, PAUSE)

    with pytest.raises(Refused, match="`syndicate newsletters resume pagi`"):
        await release_edition(office.db, edition, [], now=NOW)


async def test_what_is_sent_again_during_a_pause_waits_for_its_end(office: Postoffice, mailer: ScriptedMailer) -> None:
    mailer.answers[address(0)] = deque([UNCERTAIN])
    edition = await office.freeze(1)
    await office.send(edition)
    await pause_newsletter(office.db, PAUSE)
    await resend_doubts(office.db, edition, now=NOW)
    await office.send(edition)

    assert (await state(office.db, edition))[0] is EditionState.HELD
    assert mailer.sent == []


async def test_slots_of_a_paused_newsletter_are_not_fired_and_the_newest_is_afterwards(db: Database) -> None:
    newsletter = make_newsletter()
    await pause_newsletter(db, PAUSE)
    during = await fire_due(db, newsletter, node="a", now=NOW)
    await resume(db)
    after = await fire_due(db, newsletter, node="a", now=NOW + timedelta(days=2))

    assert during is None
    assert after is not None
    assert after.name == "2026-11-26T0600"
    async with db.read() as connection:
        assert [job.key for job in await jobs.listed(connection, limit=9)] == ["compose:pagi:2026-11-26T0600"]


async def test_a_pause_is_said_once_and_ended_once_and_both_are_in_the_audit_log(db: Database) -> None:
    with pytest.raises(Refused, match="isn't paused"):
        await resume(db)
    await pause_newsletter(db, PAUSE)
    with pytest.raises(Refused, match="paused already"):
        await pause_newsletter(db, PAUSE)
    await resume(db)
    with pytest.raises(Refused, match="isn't paused"):
        await foresee_resume(db, "pagi")

    async with db.read() as connection:
        log = await accounts.log(connection, limit=9)
    assert [(one.what, one.who, one.subject) for one in log] == [
        (Deed.RESUMED, "cli:meja", "pagi"),
        (Deed.PAUSED, "cli:meja", "pagi"),
    ]


async def test_explain_says_that_the_newsletter_is_paused(office: Postoffice) -> None:
    await office.freeze(1)
    await publish(office.db, 2)
    await pause_newsletter(office.db, PAUSE)
    digest = address_digest(PEPPER, address(0))
    newsletters = {"pagi": make_newsletter()}
    story = make_article(2).id
    found = await explain_story(office.db, address(0), digest, story, newsletters, zone="Asia/Jakarta", now=NOW)

    (said,) = [one for one in found.findings if one.rule == "newsletter.paused"]
    assert found.answer is Answer.NOT_YET
    assert said.said.startswith("pagi is paused: salah alamat pengirim, since 2026-11-24 09:00:00 WIB.")
