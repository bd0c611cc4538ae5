"""Asking: one mail for an address, few from one place, and none for whoever must not be written to."""

import asyncio
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from syndicate.domain.consent import Said, Via, evidence
from syndicate.pipeline import signup
from syndicate.pipeline.signup import Verdict
from syndicate.store import audience, consents, sign_ups
from syndicate.store.db import Database
from tests.factories import ScriptedMailer, add_reader
from tests.pipeline.reception import DEWI, HOME, TEXT, Reception

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def mailer() -> ScriptedMailer:
    return ScriptedMailer()


@pytest.fixture
def house(db: Database, tmp_path: Path, mailer: ScriptedMailer) -> Reception:
    return Reception(db, tmp_path, mailer)


async def test_a_request_is_noted_with_what_was_shown_and_subscribes_nobody(house: Reception) -> None:
    assert await house.ask(DEWI, "pagi", "sore") is Verdict.ASKED

    said = await house.consents()
    assert [(one.newsletter, one.what, one.origin) for one in said] == [
        ("pagi", Said.ASKED, "page"),
        ("sore", Said.ASKED, "page"),
    ]
    assert {(one.network, one.language, one.text_version, one.text_hash) for one in said} == {
        ("203.0.113.0/24", "id", 1, TEXT.digest)
    }
    assert await house.subscriptions() == {}
    assert len(await house.waiting()) == 1


MANY = [500, pytest.param(10_000, marks=pytest.mark.long)]


@pytest.mark.parametrize("many", MANY)
async def test_t19_any_number_of_requests_for_one_address_makes_one_mail(
    house: Reception, mailer: ScriptedMailer, many: int
) -> None:
    spellings = (DEWI, DEWI.upper(), "Dewi@pembaca.example")
    for number in range(many):
        client = f"198.{number >> 16 & 1}.{number >> 8 & 255}.{number & 255}"
        await house.ask(spellings[number % 3], client=client)
        house.clock.forward(seconds=1)
    await house.post()

    assert mailer.recipients() == [DEWI]


@pytest.mark.parametrize("many", MANY)
async def test_t19_any_number_of_addresses_from_one_64_makes_twenty_mails_an_hour_at_most(
    house: Reception, mailer: ScriptedMailer, many: int
) -> None:
    for number in range(many):
        await house.ask(f"a{number}@korban{number}.example", client=f"2001:db8:1:2::{number:x}")
        house.clock.forward(seconds=3600 / many)
    await house.post()

    assert 10 <= len(mailer.sent) <= 20


async def test_t19_many_at_once_are_counted_like_many_in_a_row(house: Reception) -> None:
    verdicts = await asyncio.gather(*(house.ask(client=f"198.51.100.{number}") for number in range(20)))

    assert verdicts.count(Verdict.ASKED) == 1


async def test_an_address_may_be_asked_again_after_a_day_and_thrice_in_thirty(house: Reception) -> None:
    asked = []
    for day in range(30):
        asked.append(await house.ask() is Verdict.ASKED)
        house.clock.forward(hours=23, minutes=59, seconds=59)
        assert await house.ask() is not Verdict.ASKED or not asked[-1]
        house.clock.forward(seconds=1)
        if day == 0:
            assert asked == [True]

    assert sum(asked) == 3


async def test_a_rare_domain_gets_thirty_an_hour_and_a_common_one_any_number(house: Reception) -> None:
    async with house.db.write() as connection:
        for number in range(5):
            await add_reader(connection, number)  # …@pembaca.example
    for domain, most in (("kecil.example", 16), ("pembaca.example", 40)):
        verdicts = [await house.ask(f"b{n}@{domain}", client=f"198.51.{len(domain)}.{n}") for n in range(40)]
        assert verdicts.count(Verdict.ASKED) == most, domain
        assert set(verdicts[most:]) <= {Verdict.LIMITED}


async def test_what_one_limit_refuses_does_not_count_for_the_others(house: Reception) -> None:
    for number in range(16):
        await house.ask(f"b{number}@pembaca.example", client=f"198.51.100.{number}")
    assert await house.ask() is Verdict.LIMITED
    house.clock.forward(minutes=4)
    assert await house.ask() is Verdict.ASKED


@pytest.mark.parametrize(("calm", "passed"), [(10, 10), (100, 40)])
async def test_far_more_requests_than_usual_open_the_breaker_until_there_are_less(
    house: Reception, calm: int, passed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signup, "CALM", calm)  # two hundred requests would say the same more slowly
    verdicts = [await house.ask(f"c@d{n}.example", client=f"198.51.100.{n}") for n in range(40)]
    assert verdicts == [Verdict.ASKED] * passed + [Verdict.FLOOD] * (40 - passed)
    house.clock.forward(hours=1)
    assert await house.ask() is Verdict.ASKED


async def test_ten_times_the_usual_is_no_flood_where_much_is_usual(
    house: Reception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signup, "CALM", 10)
    now = house.clock.at
    async with house.db.write() as connection:
        for hour in range(100):
            at = now - (hour + 2) * HOUR
            for _ in range(2):
                await sign_ups.add(
                    connection, address=DEWI, digest="", newsletters=[], language="id", via=Via.PAGE, now=at
                )
    verdicts = [await house.ask(f"c@d{n}.example", client=f"198.51.100.{n}") for n in range(30)]

    assert verdicts == [Verdict.ASKED] * 20 + [Verdict.FLOOD] * 10


async def test_a_suppressed_address_is_not_written_to(house: Reception) -> None:
    async with house.db.write() as connection:
        await audience.suppress(connection, house.way_in.digest(DEWI), "complaint", now=house.clock.at)

    assert await house.ask() is Verdict.SUPPRESSED
    assert await house.waiting() == []


async def test_who_is_subscribed_is_asked_only_for_what_is_new(house: Reception) -> None:
    async with house.db.write() as connection:
        person = await add_reader(connection, 1)

    assert await house.ask(person.address) is Verdict.SUBSCRIBED
    house.clock.forward(days=1)
    assert await house.ask(person.address, "pagi", "sore") is Verdict.ASKED
    assert [one.newsletter for one in await house.consents(person.address)] == ["sore"]


async def test_who_said_that_it_was_not_them_is_left_alone_for_thirty_days(house: Reception) -> None:
    async with house.db.write() as connection:
        denied = evidence(Said.DENIED, ["pagi"], origin="link", client=ip_address(HOME), text=TEXT, now=house.clock.at)
        await consents.add(connection, house.way_in.digest(DEWI), denied)
    house.clock.forward(days=29)
    assert await house.ask() is Verdict.DENIED
    house.clock.forward(days=1)
    assert await house.ask() is Verdict.ASKED


async def test_from_one_place_no_more_than_the_limit_whoever_is_asked_for(house: Reception) -> None:
    verdicts = [await house.ask(f"d{number}@rumah.example") for number in range(7)]

    assert verdicts == [Verdict.ASKED] * 5 + [Verdict.LIMITED] * 2
    assert len(await house.waiting()) == 5
