"""Another address: asked for by the reader's link, true once the new one said yes, and then the old one is told."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from sqlalchemy import insert

from syndicate.domain.audience import Subscriber, address_digest
from syndicate.domain.consent import Said
from syndicate.domain.delivery import State
from syndicate.domain.receipt import Step, judge
from syndicate.pipeline.erase import erase_by_link
from syndicate.pipeline.moving import Removal, ask_to_move
from syndicate.pipeline.preferences import Visit, read_visit
from syndicate.pipeline.signup import Verdict
from syndicate.store import audience, receipts, sign_ups
from syndicate.store.db import Database
from syndicate.store.tables import deliveries, editions
from tests.factories import NOW, PEPPER, REFUSED, ScriptedMailer, add_reader
from tests.pipeline.choosing import token_of
from tests.pipeline.reception import DEWI, HOME, TEXT, Reception, parsed
from tests.pipeline.reception import token_of as link_in

NEW, OTHER = "dewi.baru@pembaca.example", "dewi.lain@pembaca.example"


@pytest.fixture
def mailer() -> ScriptedMailer:
    return ScriptedMailer()


@pytest.fixture
def house(db: Database, tmp_path: Path, mailer: ScriptedMailer) -> Reception:
    return Reception(db, tmp_path, mailer)


async def reader(house: Reception, *newsletters: str) -> Subscriber:
    """Dewi, who reads these."""
    async with house.db.write() as connection:
        dewi = Subscriber(id=0, address=DEWI, created_at=NOW)
        added = await audience.add(connection, dewi, digest=house.way_in.digest(DEWI))
        for name in newsletters:
            await audience.subscribe(connection, name, added.id, origin="form", now=NOW)
    return added


async def visit(house: Reception, person: Subscriber) -> Visit | None:
    return await read_visit(house.db, house.office.way_out, token_of(person), now=house.clock.at)


async def ask(house: Reception, person: Subscriber, address: str = NEW) -> Verdict:
    found = await visit(house, person)
    assert found is not None
    removal = Removal(address=address, client=ip_address(HOME), shown=TEXT)
    return await ask_to_move(house.db, house.way_in, found, removal, now=house.clock.at)


async def moved(house: Reception, mailer: ScriptedMailer, person: Subscriber, address: str = NEW) -> None:
    """Asks, gets the mail, says yes."""
    assert await ask(house, person, address) is Verdict.ASKED
    await house.post()
    assert await house.say(link_in(mailer.sent[-1].content)) is not None


async def now_at(house: Reception, person: Subscriber) -> str:
    async with house.db.read() as connection:
        found = await audience.get(connection, person.id)
    return found.address if found else ""


async def test_nothing_changes_until_the_new_address_says_yes(house: Reception, mailer: ScriptedMailer) -> None:
    person = await reader(house, "pagi")
    await ask(house, person)
    await house.post()
    token = link_in(mailer.sent[0].content)
    shown = await house.read(token)

    assert [mail.recipient for mail in mailer.sent] == [NEW]
    assert DEWI not in str(parsed(mailer.sent[0].content))
    assert shown is not None
    assert shown.moves
    assert await now_at(house, person) == DEWI
    await house.say(token)
    assert await now_at(house, person) == NEW
    assert set(await house.subscriptions(NEW)) == {"pagi"}


async def test_the_mail_comes_from_a_newsletter_that_is_read_or_from_the_first(
    house: Reception, mailer: ScriptedMailer
) -> None:
    await ask(house, await reader(house))
    await house.post()

    assert mailer.sent[0].sender == "pagi@lintaspagi.example"


async def test_the_old_address_is_told_once_and_no_address_stands_in_it(
    house: Reception, mailer: ScriptedMailer
) -> None:
    person = await reader(house, "pagi")
    await moved(house, mailer, person)
    await house.post()
    await house.post()
    question, notice = mailer.sent
    text = str(parsed(notice.content))

    assert (question.recipient, notice.recipient) == (NEW, DEWI)
    assert NEW not in text
    assert "/c/" not in text


async def test_links_of_before_open_nothing_and_there_is_a_new_one(house: Reception, mailer: ScriptedMailer) -> None:
    person = await reader(house, "pagi")
    await moved(house, mailer, person)

    assert await visit(house, person) is None
    found = await visit(house, replace(person, generation=1))
    assert found is not None
    assert (found.reader.person.id, found.reader.person.address, found.reader.moved_at) == (person.id, NEW, NOW)


async def test_both_addresses_have_it_in_the_ledger(house: Reception, mailer: ScriptedMailer) -> None:
    person = await reader(house, "pagi")
    await moved(house, mailer, person)

    assert [(one.what, one.newsletter) for one in await house.consents(DEWI)] == [(Said.MOVED, "")]
    assert [(one.what, one.newsletter, one.origin, one.text_hash) for one in await house.consents(NEW)] == [
        (Said.ASKED, "pagi", "link", TEXT.digest),
        (Said.CONFIRMED, "pagi", "link", TEXT.digest),
    ]


async def test_a_request_of_before_the_move_is_worth_nothing(house: Reception, mailer: ScriptedMailer) -> None:
    """Whoever had the old link may have asked for an address of their own."""
    person = await reader(house, "pagi")
    await ask(house, person, OTHER)
    await house.post()
    stale = link_in(mailer.sent[0].content)
    await moved(house, mailer, person)

    assert await house.read(stale) is None
    assert await house.say(stale) is None
    assert await now_at(house, person) == NEW


async def test_a_link_is_good_for_one_move(house: Reception, mailer: ScriptedMailer) -> None:
    person = await reader(house, "pagi")
    await moved(house, mailer, person)
    first = link_in(mailer.sent[0].content)
    await moved(house, mailer, replace(person, generation=1), OTHER)
    again = await house.say(first)

    assert again is None
    assert await now_at(house, person) == OTHER


async def test_nobody_moves_to_an_address_that_is_a_reader_s_by_then(house: Reception, mailer: ScriptedMailer) -> None:
    person = await reader(house, "pagi")
    await ask(house, person)
    await house.post()
    async with house.db.write() as connection:
        other = Subscriber(id=0, address=NEW.upper(), created_at=NOW)
        await audience.add(connection, other, digest=house.way_in.digest(NEW))

    assert await house.say(link_in(mailer.sent[0].content)) is None
    assert await now_at(house, person) == DEWI


@pytest.mark.parametrize(
    ("address", "verdict"),
    [
        (DEWI, Verdict.SUBSCRIBED),
        (DEWI.upper(), Verdict.SUBSCRIBED),
        ("pembaca5@pembaca.example", Verdict.SUBSCRIBED),
        ("lapor@x.example", Verdict.SUPPRESSED),
    ],
)
async def test_what_stands_against_an_address_is_for_the_log_alone(
    house: Reception, mailer: ScriptedMailer, address: str, verdict: Verdict
) -> None:
    person = await reader(house, "pagi")
    async with house.db.write() as connection:
        await add_reader(connection, 5, None)
        await audience.suppress(connection, address_digest(PEPPER, "lapor@x.example"), "complaint", now=NOW)

    assert await ask(house, person, address) is verdict
    await house.post()
    assert mailer.sent == []


async def test_a_move_counts_against_the_limits_of_sign_ups(house: Reception) -> None:
    person = await reader(house, "pagi")

    assert await ask(house, person) is Verdict.ASKED
    assert await house.ask(NEW, "pagi") is Verdict.LIMITED
    assert await ask(house, person) is Verdict.LIMITED


async def test_who_said_not_me_isn_t_asked_again(house: Reception, mailer: ScriptedMailer) -> None:
    person = await reader(house, "pagi")
    await ask(house, person)
    await house.post()
    await house.say(link_in(mailer.sent[0].content), Said.DENIED)
    house.clock.forward(days=2)

    assert await now_at(house, person) == DEWI
    assert await ask(house, person) is Verdict.DENIED


async def test_a_forgotten_person_moves_nowhere(house: Reception, mailer: ScriptedMailer) -> None:
    person = await reader(house, "pagi")
    await ask(house, person)
    await house.post()
    await erase_by_link(house.db, house.office.way_out, token_of(person), now=NOW)

    assert await house.say(link_in(mailer.sent[0].content)) is None
    async with house.db.read() as connection:
        assert await sign_ups.of_person(connection, house.way_in.digest(DEWI), person.id) == []


async def test_a_notice_that_waits_isn_t_a_flood_and_ends_with_the_person(
    house: Reception, mailer: ScriptedMailer
) -> None:
    person = await reader(house, "pagi")
    await moved(house, mailer, person)
    async with house.db.read() as connection:
        counted = await sign_ups.count(connection, since=NOW.replace(hour=0))
    await erase_by_link(house.db, house.office.way_out, token_of(replace(person, generation=1)), now=house.clock.at)
    await house.post()

    assert counted == 1
    assert [mail.recipient for mail in mailer.sent] == [NEW]


async def test_what_bounced_at_the_old_address_isn_t_held_against_the_new_one(
    house: Reception, mailer: ScriptedMailer
) -> None:
    person = await reader(house, "pagi")
    await bounced(house, person)
    async with house.db.read() as connection:
        before = judge(await receipts.traces(connection, person.id))
    house.clock.forward(minutes=1)
    await moved(house, mailer, person)
    async with house.db.read() as connection:
        after = judge(await receipts.traces(connection, person.id))

    assert (before.step, after.step) == (Step.SUPPRESS, Step.NONE)


async def bounced(house: Reception, person: Subscriber) -> None:
    """Refused for good on two days."""
    async with house.db.write() as connection:
        for number in range(2):
            book = {"newsletter": "pagi", "slot": f"s{number}", "slot_at": NOW, "state": "done", "cut_from": 0}
            book |= {"cut_to": 0, "subject": "", "content_hash": "", "created_at": NOW, "why": ""}
            made = await connection.scalar(insert(editions).values(**book).returning(editions.c.id))
            row = {"edition_id": made, "subscriber_id": person.id, "state": State.REFUSED.value, "reason": ""}
            row |= {"attempt": 1, "first_due": NOW, "owner": "", "code": REFUSED.code, "text": REFUSED.text}
            at = NOW - timedelta(days=number)
            await connection.execute(insert(deliveries).values(**row, provider_ref="", settled_at=at))
