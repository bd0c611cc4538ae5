"""Suppressions that end: by whose word, what is kept of it, and that no restart and no restored copy undoes it."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from syndicate.domain.account import Deed
from syndicate.domain.audience import address_digest
from syndicate.domain.consent import Said
from syndicate.domain.receipt import Suppressed
from syndicate.domain.suppression import LIFTED, REOPENED
from syndicate.errors import Refused
from syndicate.pipeline.lift import Lift, lift
from syndicate.pipeline.replay import replay_departures
from syndicate.pipeline.signup import Verdict
from syndicate.store import accounts, audience, consents, fence
from syndicate.store.db import Database
from syndicate.store.fence import Departure
from tests.factories import NOW, PEPPER, ScriptedMailer
from tests.pipeline.reception import DEWI, Reception, only, token_of

DIGEST = address_digest(PEPPER, DEWI)
WHY = "the mail server was broken for a week"
HOUR = timedelta(hours=1)
Suppress = Callable[..., Awaitable[None]]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "departures.jsonl"


@pytest.fixture
def suppress(db: Database, journal: Path) -> Suppress:
    """As a receipt does: in the journal, then in the database."""

    async def suppress(reason: str, *, at: datetime = NOW - HOUR) -> None:
        fence.note_departure(journal, Departure(digest=DIGEST, newsletter="", reason=reason, at=at))
        await in_database(db, reason, at=at)

    return suppress


async def in_database(db: Database, reason: str, *, at: datetime = NOW - HOUR) -> None:
    async with db.write() as connection:
        await audience.suppress(connection, DIGEST, reason, now=at)


async def held(db: Database) -> str:
    async with db.read() as connection:
        found = await audience.suppression(connection, DIGEST)
    return found[0] if found else ""


async def by_hand(db: Database, journal: Path, *, complaint: bool = False, now: datetime = NOW) -> None:
    order = Lift(digest=DIGEST, why=WHY, who="cli:root", complaint=complaint)
    await lift(db, journal, order, now=now)


@pytest.mark.parametrize("reason", ["hard_bounce", "suspended", "blocked", "blocklisted", "unsubscribed"])
async def test_an_operator_lifts_it_and_who_did_so_and_why_is_kept(
    db: Database, journal: Path, suppress: Suppress, reason: str
) -> None:
    await suppress(reason)
    await by_hand(db, journal)
    async with db.read() as connection:
        (said,) = await consents.of_person(connection, DIGEST)
        (line,) = await accounts.log(connection, limit=9)

    assert await held(db) == ""
    assert (said.what, said.origin, said.note, said.at) == (Said.LIFTED, WHY, reason, NOW)
    assert (line.who, line.what, line.note) == ("cli:root", Deed.LIFTED, f"{reason}: {WHY}")
    assert DEWI not in f"{line}{said}"


async def test_nothing_is_lifted_where_nothing_holds_or_nobody_says_why(db: Database, journal: Path) -> None:
    with pytest.raises(Refused, match="not suppressed"):
        await by_hand(db, journal)
    await in_database(db, "hard_bounce")
    with pytest.raises(Refused, match="why the address"):
        await lift(db, journal, Lift(digest=DIGEST, why=" a ", who="cli:root"), now=NOW)

    assert await held(db) == "hard_bounce"
    assert list(fence.departures(journal)) == []


@pytest.mark.parametrize("reason", ["erased", REOPENED])
async def test_only_the_reader_lifts_that_they_were_erased(db: Database, journal: Path, reason: str) -> None:
    await in_database(db, reason)

    with pytest.raises(Refused, match="nobody but the reader"):
        await by_hand(db, journal, complaint=True)
    assert await held(db) == reason


async def test_a_lift_outlives_every_start(db: Database, journal: Path, suppress: Suppress) -> None:
    await suppress("hard_bounce")
    await by_hand(db, journal)
    for hours in (1, 2):
        await replay_departures(db, journal, now=NOW + hours * HOUR)

    assert await held(db) == ""


async def test_a_lift_outlives_a_copy_of_the_database_in_which_it_was_suppressed(
    db: Database, journal: Path, suppress: Suppress
) -> None:
    await suppress("hard_bounce")
    await by_hand(db, journal)
    await in_database(db, "hard_bounce")  # as the backup has it
    await replay_departures(db, journal, now=NOW + HOUR)

    assert await held(db) == ""


async def test_whoever_was_suppressed_again_after_a_lift_stays_so(
    db: Database, journal: Path, suppress: Suppress
) -> None:
    await suppress("hard_bounce")
    await by_hand(db, journal)
    await suppress("complaint", at=NOW + HOUR)
    async with db.write() as connection:  # restored from between
        await audience.lift(connection, DIGEST, until=NOW + HOUR)
    await replay_departures(db, journal, now=NOW + 2 * HOUR)

    assert await held(db) == "complaint"


async def test_a_lift_of_before_undoes_no_suppression_that_the_journal_lost(
    db: Database, journal: Path, suppress: Suppress
) -> None:
    await suppress("hard_bounce")
    await by_hand(db, journal)
    await in_database(db, "hard_bounce", at=NOW + HOUR)  # a full disk kept its line out
    await replay_departures(db, journal, now=NOW + 2 * HOUR)

    assert await held(db) == "hard_bounce"


async def test_a_lift_whose_line_was_lost_is_found_at_the_next_start(
    db: Database, journal: Path, suppress: Suppress, tmp_path: Path
) -> None:
    await suppress("hard_bounce")
    (tmp_path / "gone").mkdir()
    await by_hand(db, tmp_path / "gone")  # a folder: the line can't be written
    await replay_departures(db, journal, now=NOW + HOUR)

    assert await held(db) == ""
    assert [one.reason for one in fence.departures(journal)] == ["hard_bounce", LIFTED]


async def test_a_complaint_hides_behind_no_other_reason(db: Database, journal: Path, suppress: Suppress) -> None:
    await suppress("hard_bounce")
    await suppress("complaint", at=NOW - HOUR / 2)
    await replay_departures(db, journal, now=NOW)

    with pytest.raises(Refused, match="--complaint"):
        await by_hand(db, journal)
    assert await held(db) == "complaint"


async def test_a_complaint_is_not_lifted_by_an_operator_but_opened_to_the_reader(
    db: Database, journal: Path, suppress: Suppress
) -> None:
    await suppress("complaint")
    await by_hand(db, journal, complaint=True)
    await in_database(db, "complaint")
    await replay_departures(db, journal, now=NOW + HOUR)

    assert await held(db) == REOPENED


# ── the reader's own word ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def mailer() -> ScriptedMailer:
    return ScriptedMailer()


@pytest.fixture
def reception(db: Database, tmp_path: Path, mailer: ScriptedMailer) -> Reception:
    return Reception(db, tmp_path, mailer)


async def come_back(reception: Reception, mailer: ScriptedMailer) -> None:
    assert await reception.ask() is Verdict.ASKED
    await reception.post()
    assert await reception.say(token_of(only(mailer.sent))) is not None


@pytest.mark.parametrize("reason", ["unsubscribed", "erased", "hard_bounce", "suspended"])
async def test_a_reader_s_own_confirmation_lifts_it_for_good(
    db: Database, reception: Reception, mailer: ScriptedMailer, journal: Path, suppress: Suppress, reason: str
) -> None:
    await suppress(reason)
    await come_back(reception, mailer)
    await in_database(db, reason)  # as a backup has it
    await replay_departures(db, journal, now=NOW + HOUR)
    said = [(one.newsletter, one.what, one.note) for one in await reception.consents()]

    assert await held(db) == ""
    assert [one.state for one in (await reception.subscriptions()).values()] == ["active"]
    assert said == [("pagi", Said.ASKED, ""), ("", Said.LIFTED, reason), ("pagi", Said.CONFIRMED, "")]


async def test_asking_alone_lifts_nothing(
    db: Database, reception: Reception, mailer: ScriptedMailer, suppress: Suppress
) -> None:
    await suppress("hard_bounce")
    await reception.ask()
    await reception.post()
    await reception.say(token_of(only(mailer.sent)), Said.DENIED)

    assert await held(db) == "hard_bounce"
    assert await reception.subscriptions() == {}


async def test_who_gets_it_already_but_could_not_be_reached_is_asked_all_the_same(
    db: Database, reception: Reception, mailer: ScriptedMailer, suppress: Suppress
) -> None:
    await come_back(reception, mailer)
    await suppress("hard_bounce", at=NOW)
    mailer.sent.clear()
    reception.clock.forward(hours=25)
    await come_back(reception, mailer)

    assert await held(db) == ""


@pytest.mark.parametrize("reason", ["complaint", "blocked", "blocklisted", "bounced"])
async def test_a_reader_s_word_lifts_nothing_else(
    db: Database, reception: Reception, suppress: Suppress, reason: str
) -> None:
    await suppress(reason)

    assert await reception.ask() is Verdict.SUPPRESSED
    assert await reception.waiting() == []
    assert await held(db) == reason


async def test_a_complaint_while_the_mail_is_under_way_closes_its_link(
    db: Database, reception: Reception, mailer: ScriptedMailer, suppress: Suppress
) -> None:
    await suppress("hard_bounce")
    await reception.ask()
    await reception.post()
    await suppress("complaint", at=NOW)

    assert await reception.say(token_of(only(mailer.sent))) is None
    assert await held(db) == "complaint"


async def test_a_complaint_ends_by_an_operator_s_word_and_the_reader_s_own_together(
    db: Database, reception: Reception, mailer: ScriptedMailer, journal: Path, suppress: Suppress
) -> None:
    await suppress("complaint")
    await by_hand(db, journal, complaint=True)
    await come_back(reception, mailer)
    await in_database(db, Suppressed.COMPLAINT.value)
    await replay_departures(db, journal, now=NOW + HOUR)

    assert await held(db) == ""
    assert [one.reason for one in fence.departures(journal)] == ["complaint", REOPENED, LIFTED]


async def test_a_complaint_after_it_was_opened_counts_again(
    db: Database, reception: Reception, journal: Path, suppress: Suppress
) -> None:
    await suppress("complaint")
    await by_hand(db, journal, complaint=True)
    await suppress("complaint", at=NOW + HOUR)
    await replay_departures(db, journal, now=NOW + 2 * HOUR)

    assert await held(db) == "complaint"
    assert await reception.ask() is Verdict.SUPPRESSED
