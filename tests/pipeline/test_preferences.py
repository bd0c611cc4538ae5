"""What a reader says by their own link: taken whole, noted with the text that was shown, and obeyed at once."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from syndicate.domain.audience import SubscriptionState
from syndicate.domain.consent import Said
from syndicate.domain.token import Purpose, Token, make_token, name_number
from syndicate.pipeline.preferences import Saved
from syndicate.store import audience, fence
from syndicate.store import preferences as store
from syndicate.store.db import Database
from tests.factories import NOW, RING, ScriptedMailer
from tests.pipeline.choosing import TEXT, Chooser, token_of


@pytest.fixture
def house(db: Database, tmp_path: Path) -> Chooser:
    return Chooser(db, tmp_path, ScriptedMailer())


def saved(outcome: Saved | None) -> Saved:
    assert outcome is not None
    assert outcome.flaws == ()
    return outcome


async def test_all_choices_are_saved_at_once_and_shown_at_the_next_visit(house: Chooser) -> None:
    person = await house.add()
    outcome = saved(
        await house.choose(
            token_of(person),
            newsletter=["pagi", "sore"],
            topics_pagi=["kota"],
            rhythm_sore=["weekly"],
            language=["en"],
            zone=["Asia/Jayapura"],
            hour=["7"],
            pause=["2026-12-01"],
        )
    )
    visit = await house.visit(token_of(person))

    assert visit is not None
    assert visit.chosen == outcome.visit.chosen
    assert [(one.newsletter, one.topics, one.rhythm.value) for one in visit.chosen.choices] == [
        ("pagi", ("kota",), "each"),
        ("sore", (), "weekly"),
    ]
    chosen = visit.chosen
    assert (chosen.language, chosen.timezone, chosen.hour) == ("en", "Asia/Jayapura", 7)
    assert chosen.paused_until == datetime(2026, 11, 30, 15, 0, tzinfo=UTC)


async def test_each_change_is_in_the_ledger_with_the_text_that_was_shown(house: Chooser) -> None:
    person = await house.add()
    saved(await house.choose(token_of(person), newsletter=["sore"], hour=["7"]))
    saved(await house.choose(token_of(person), rhythm_sore=["breaking"]))
    said = await house.consents(person)

    assert [(one.newsletter, one.what, one.note) for one in said] == [
        ("pagi", Said.ENDED, ""),
        ("sore", Said.CONFIRMED, "topics: all; rhythm: each"),
        ("", Said.CHANGED, "hour: 7"),
        ("sore", Said.CHANGED, "rhythm: breaking"),
    ]
    assert {(one.origin, one.network, one.language, one.text_version, one.text_hash) for one in said} == {
        ("link", "203.0.113.0/24", "id", 3, TEXT.digest)
    }


async def test_saving_what_is_there_already_writes_nothing(house: Chooser) -> None:
    person = await house.add()
    outcome = saved(await house.choose(token_of(person)))

    assert outcome.changed == ()
    assert await house.consents(person) == []


async def test_a_form_with_a_flaw_changes_nothing(house: Chooser) -> None:
    person = await house.add()
    before = await house.visit(token_of(person))
    outcome = await house.choose(token_of(person), newsletter=["sore"], hour=["99"])

    assert outcome is not None
    assert [flaw.name for flaw in outcome.flaws] == ["hour"]
    assert await house.visit(token_of(person)) == before
    assert await house.consents(person) == []


async def test_what_ends_here_ends_like_by_any_other_link(house: Chooser) -> None:
    """Also for mails that are marked already, and whatever database is restored later."""
    person = await house.add()
    saved(await house.choose(token_of(person), newsletter=[]))
    (noted,) = fence.departures(house.way_out.journal)

    assert (await house.subscriptions(person))["pagi"].state is SubscriptionState.ENDED
    assert house.room.revocations.left_since("pagi", person.id, NOW)
    assert (noted.newsletter, noted.reason, noted.at) == ("pagi", "unsubscribed", NOW)


async def test_a_journal_that_can_t_be_written_keeps_nobody_from_leaving(house: Chooser) -> None:
    person = await house.add()
    house.way_out.journal.mkdir()
    saved(await house.choose(token_of(person), newsletter=[]))

    assert (await house.subscriptions(person))["pagi"].state is SubscriptionState.ENDED


async def test_a_pause_that_is_over_is_none(house: Chooser) -> None:
    person = await house.add()
    saved(await house.choose(token_of(person), pause=["2026-11-26"]))
    house.clock.forward(days=3)
    visit = await house.visit(token_of(person))
    outcome = saved(await house.choose(token_of(person)))

    assert visit is not None
    assert visit.chosen.paused_until is None
    assert outcome.changed == ()


@pytest.mark.parametrize(("reason", "closed"), [("complaint", True), ("hard_bounce", True), ("suspended", False)])
async def test_nothing_more_begins_while_the_address_isn_t_written_to(
    house: Chooser, reason: str, closed: bool
) -> None:
    person = await house.add()
    async with house.db.write() as connection:
        await audience.suppress(connection, await audience.digest_of(connection, person.id), reason, now=NOW)
    outcome = await house.choose(token_of(person), newsletter=["pagi", "sore"])

    assert outcome is not None
    assert bool(outcome.flaws) is closed
    assert ("sore" in await house.subscriptions(person)) is not closed


async def test_t14_only_the_link_for_this_purpose_of_the_present_generation_opens_anything(house: Chooser) -> None:
    person, other = await house.add(1), await house.add(2)
    good = token_of(person)
    strangers = [
        make_token(RING, Token(purpose=purpose, subscriber=person.id, newsletter=newsletter, generation=generation))
        for purpose in Purpose
        for newsletter in (0, name_number("pagi"))
        for generation in (0, 1)
        if (purpose, newsletter, generation) != (Purpose.PREFERENCES, 0, 0)
    ]
    altered = [good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :] for place in range(len(good))]
    for link in (*strangers, *altered, good.lower(), good + "=", "", token_of(replace(other, id=999))):
        assert await house.visit(link) is None, link
        assert await house.choose(link, newsletter=[]) is None, link

    assert (await house.subscriptions(person))["pagi"].state is SubscriptionState.ACTIVE
    assert await house.visit(good) is not None


async def test_what_one_reader_says_counts_for_nobody_else(house: Chooser) -> None:
    person, other = await house.add(1), await house.add(2)
    before = await house.visit(token_of(other))
    saved(await house.choose(token_of(person), newsletter=["sore"], hour=["7"], language=["en"]))

    assert await house.visit(token_of(other)) == before


async def test_one_form_counts_after_the_other(postgres_db: Database, tmp_path: Path) -> None:
    """The second waits, and is held against what the first has left."""
    house = Chooser(postgres_db, tmp_path, ScriptedMailer())
    person = await house.add()
    async with postgres_db.write() as connection:
        await store.get(connection, person.id, lock=True)
        second = asyncio.create_task(house.choose(token_of(person), newsletter=["pagi"]))
        async with asyncio.timeout(60):  # a hang guard
            await until_one_waits(postgres_db)
        await audience.unsubscribe(connection, "pagi", person.id, now=NOW)
    async with asyncio.timeout(60):  # a hang guard
        outcome = saved(await second)

    assert [(one.newsletter, one.said) for one in outcome.changed] == [("pagi", Said.CONFIRMED)]
    assert (await house.subscriptions(person))["pagi"].state is SubscriptionState.ACTIVE


async def until_one_waits(db: Database) -> None:
    """Returns when a transaction waits for another one's row."""
    query = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
    waits = False
    while not waits:
        async with db.read() as connection:
            waits = bool(await connection.scalar(query))
