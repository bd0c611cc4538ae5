"""Variants: each reader gets what they chose, who get the same share a rendering, and a crash changes nothing."""

import email
import email.policy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.slot import Slot
from syndicate.domain.token import Purpose, name_number, read_token
from syndicate.domain.variant import MOST_SEEN
from syndicate.errors import StoreTrouble
from syndicate.pipeline import tailor
from syndicate.pipeline.render import read_choice
from syndicate.store import candidates, editions
from syndicate.store.db import Database
from tests.factories import DEFERRED, NOW, RING, SITE, ScriptedMailer
from tests.pipeline.audience import PAGI, Town
from tests.pipeline.mailing import Postoffice, address
from tests.pipeline.stories import publish
from tests.pipeline.test_mailgun import office_of as office_of_provider

SLOT = Slot(at=NOW, name="2026-11-24T0600")


@pytest.fixture
async def town(db: Database) -> Town:
    return await Town(db).open()


async def stories(db: Database) -> None:
    """k1 of the region, k2 of the economy, k3 of sports."""
    await publish(db, 1, sections=("Daerah/Semarang",))
    await publish(db, 2, sections=("Ekonomi",))
    await publish(db, 3, sections=(), tags=("olahraga",))


async def test_topics_choose_among_an_edition_s_stories(town: Town) -> None:
    all_of_it = await town.reader(1)
    money = await town.reader(2, topics=["ekonomi"])
    two = await town.reader(3, topics=["olahraga", "daerah"])
    await stories(town.db)
    got = await town.got(await town.issue())

    assert got == {all_of_it: "k3 k2 k1", money: "k2", two: "k3 k1"}


async def test_a_reader_for_whom_no_story_is_left_is_excluded_with_the_reason(town: Town) -> None:
    money = await town.reader(1, topics=["ekonomi"])
    await publish(town.db, 1, sections=("Daerah",))
    edition = await town.issue()
    row = (await town.rows(edition))[money]

    assert (row.state, row.reason, row.settled_at) == ("excluded", "nothing_for_them", NOW)


async def test_an_edition_without_stories_goes_to_everybody(town: Town) -> None:
    money = await town.reader(1, topics=["ekonomi"])
    town.change(skip_empty=False)
    edition = await town.issue()

    assert (await town.rows(edition))[money].state == "due"


async def test_the_count_of_what_had_no_room_is_of_the_reader_s_topics(town: Town) -> None:
    money = await town.reader(1, topics=["ekonomi"])
    sports = await town.reader(2, topics=["olahraga"])
    await publish(town.db, 1, 2, sections=("Ekonomi",))
    await publish(town.db, 3, 4, sections=("Olahraga",))
    town.change(max=3)
    edition = await town.issue()

    assert "berita lain" in (await town.rendering(edition, money)).text
    assert "berita lain" not in (await town.rendering(edition, sports)).text


async def test_the_mail_s_own_words_and_hours_are_the_reader_s_and_the_stories_stay_as_they_are(town: Town) -> None:
    here = await town.reader(1)
    away = await town.reader(2, language="en", timezone="Asia/Jayapura")
    await publish(town.db, 1)
    edition = await town.issue()
    own, other = await town.rendering(edition, here), await town.rendering(edition, away)

    assert ("Berhenti berlangganan" in own.text, "07.01 WIB" in own.text) == (True, True)
    assert ("Unsubscribe" in other.text, "09:01 WIT" in other.text) == (True, True)
    assert ("Berita 1" in own.html, "Berita 1" in other.html) == (True, True)
    assert '<html lang="en"' in other.html
    assert ' lang="id"' in other.html  # round the stories


async def test_readers_who_get_the_same_share_a_rendering_and_the_default_is_the_public_one(town: Town) -> None:
    people = [await town.reader(number, language="en", topics=["ekonomi"]) for number in range(4)]
    plain = await town.reader(9)
    await stories(town.db)
    edition = await town.issue()
    rows = await town.rows(edition)

    assert rows[plain].variant == 0
    assert {rows[person].variant for person in people} == {1}


async def test_a_zone_or_language_that_nobody_knows_is_the_newsletter_s(town: Town) -> None:
    lost = await town.reader(1, timezone="Mars/Olympus", language="tlh")
    await publish(town.db, 1)

    assert (await town.rows(await town.issue()))[lost].variant == 0


async def test_a_topic_that_is_no_longer_offered_keeps_nobody_from_the_rest(town: Town) -> None:
    money = await town.reader(1, topics=["ekonomi"])
    town.change(topics=("olahraga",))
    await stories(town.db)

    assert await town.got(await town.issue()) == {money: "k3 k2 k1"}


@pytest.mark.parametrize("chunk", [1, 2, 5000])
async def test_however_readers_are_cut_into_chunks_they_get_the_same(
    town: Town, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tailor, "CHUNK", chunk)
    topics: Sequence[list[str]] = ([], ["ekonomi"], ["daerah"], ["ekonomi", "daerah"])
    people = [await town.reader(number, topics=topics[number % 4]) for number in range(8)]
    await stories(town.db)
    edition = await town.issue()
    async with town.db.read() as connection:
        numbers = await editions.numbers(connection, edition.id)

    wanted = ("k3 k2 k1", "k2", "k1", "k2 k1")
    assert await town.got(edition) == {person: wanted[place % 4] for place, person in enumerate(people)}
    assert numbers == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("at", "after"),
    [
        ("candidates.add", 0),
        ("candidates.add", 1),
        ("candidates.add_keys", 1),
        ("editions.set_rendering", 0),
        ("editions.set_rendering", 1),
        ("editions.put_books", 0),
    ],
)
async def test_after_a_crash_the_same_readers_get_the_same(
    town: Town, at: str, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tailor, "CHUNK", 2)
    people = [await town.reader(number, topics=[["ekonomi"], ["daerah"], []][number % 3]) for number in range(6)]
    await stories(town.db)
    report = await town.compose(slot=SLOT)
    module, name = at.split(".")
    real, calls = getattr({"candidates": candidates, "editions": editions}[module], name), 0

    async def breaks(*values: Any, **named: Any) -> Any:  # a crash at this very point can't be had from outside
        nonlocal calls
        calls += 1
        if calls > after:
            raise RuntimeError("power cut")
        return await real(*values, **named)

    monkeypatch.setattr(f"syndicate.store.{at}", breaks)
    with pytest.raises(RuntimeError, match="power cut"):
        await town.freeze(report)
    monkeypatch.setattr(f"syndicate.store.{at}", real)
    edition = await town.freeze(await town.compose(slot=SLOT))

    wanted = ("k2", "k1", "k3 k2 k1")
    assert await town.got(edition) == {person: wanted[place % 3] for place, person in enumerate(people)}


async def test_after_a_crash_another_configuration_writes_the_readers_down_anew(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, money = await town.reader(1), await town.reader(2, topics=["ekonomi"])
    await stories(town.db)

    async def breaks(*_: Any, **__: Any) -> None:  # a crash at this very point can't be had from outside
        raise RuntimeError("power cut")

    monkeypatch.setattr(editions, "put_books", breaks)
    with pytest.raises(RuntimeError, match="power cut"):
        await town.freeze(await town.compose(slot=SLOT))
    monkeypatch.undo()
    town.change(max=1)
    edition = await town.freeze(await town.compose(slot=SLOT))

    assert await town.got(edition) == {reader: "k3", money: "nothing_for_them"}


async def test_an_edition_composed_anew_meanwhile_stops_the_freeze(town: Town) -> None:
    await town.reader(1)
    await stories(town.db)
    first = await town.compose(slot=SLOT)
    assert first.edition is not None
    seen = tailor.Tailor(
        edition=first.edition, newsletter=PAGI, site=SITE, choice=await read_choice(town.db, first.edition)
    )
    town.change(max=1)
    await town.compose(slot=SLOT)

    with pytest.raises(StoreTrouble, match="composed anew"):
        await tailor.write_candidates(town.db, seen, now=NOW)


async def test_what_is_too_large_for_some_readers_holds_the_edition(town: Town) -> None:
    await town.reader(1, language="en")
    town.change(max=100)
    await publish(town.db, *range(1, 100), title="Berita " + "panjang " * 100)
    edition = await town.issue()

    assert "bytes" in edition.why


async def test_beyond_the_most_sets_of_what_was_seen_readers_get_the_story_again_and_marked(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syndicate.domain.variant.MOST_SEEN", 1)
    town = await Town(db, PAGI, replace(PAGI, name="sore")).open()
    many = [await town.reader(number, topics=["ekonomi"]) for number in (1, 2)]
    few = await town.reader(3, topics=["daerah"])
    neither = await town.reader(4, "pagi")
    await stories(db)
    await town.issue("sore")
    await publish(db, 4, sections=("Daerah", "Ekonomi"))
    got = await town.got(await town.issue("pagi"))

    assert MOST_SEEN == 64
    assert got == {many[0]: "k4", many[1]: "k4", few: "k4 k1=", neither: "k4 k3 k2 k1"}


def office_of(db: Database, folder: Path) -> tuple[Postoffice, ScriptedMailer]:
    mailer = ScriptedMailer()
    return Postoffice(db, folder, mailer), mailer


async def test_each_reader_is_mailed_their_variant(town: Town, tmp_path: Path) -> None:
    office, mailer = office_of(town.db, tmp_path)
    for number, topics in enumerate(([], ["ekonomi"], ["daerah"], ["olahraga"]) * 3):
        await town.reader(number, topics=topics, language=("id", "en")[number % 2])
    await stories(town.db)
    edition = await town.issue()
    report = await office.send(edition)

    assert report.sent == {"accepted": 12}
    wanted = ({1, 2, 3}, {2}, {1}, {3})
    for mail in mailer.sent:
        text = _text(mail.content)
        place = int(mail.recipient.removeprefix("pembaca").partition("@")[0])
        assert {number for number in (1, 2, 3) if f"\nBerita {number}\n" in text} == wanted[place % 4]
        assert ("Unsubscribe" in text) is (place % 2 == 1)


async def test_read_in_browser_leads_to_the_reader_s_own_variant_and_names_only_the_mail(
    town: Town, tmp_path: Path
) -> None:
    office, mailer = office_of(town.db, tmp_path)
    plain, money = await town.reader(1), await town.reader(2, topics=["ekonomi"])
    await stories(town.db)
    edition = await town.issue()
    await office.send(edition)
    texts = {mail.recipient: mail for mail in mailer.sent}
    rows = await town.rows(edition)

    own = _text(texts[address(2)].content)
    token = own.partition("/v/")[2].split()[0]
    found = read_token(RING, Purpose.VIEW, token)
    assert found is not None
    assert (found.subscriber, found.newsletter) == (rows[money].id, name_number("pagi"))
    assert f"/editions/pagi/{edition.slot}" in _text(texts[address(1)].content)
    assert "/v/" not in _text(texts[address(1)].content)
    assert rows[plain].variant == 0


async def test_a_provider_is_told_one_variant_a_call(db: Database, tmp_path: Path) -> None:
    town = await Town(db).open()
    async with office_of_provider(db, tmp_path) as (office, provider):
        for number in range(9):
            await town.reader(number, topics=[[], ["ekonomi"], ["daerah"]][number % 3])
        await stories(db)
        edition = await town.issue()
        await office.send(edition)

        assert sorted(len(call.recipients) for call in provider.calls) == [3, 3, 3]
        wanted = ({1, 2, 3}, {2}, {1})
        for sent in provider.sent:
            place = int(sent.recipient.removeprefix("pembaca").partition("@")[0])
            assert {number for number in (1, 2, 3) if f"Berita {number}\n" in sent.text} == wanted[place % 3]
            assert ("/v/" in sent.text) is (place % 3 > 0)


async def test_a_retry_is_the_same_mail(town: Town, tmp_path: Path) -> None:
    mailer = ScriptedMailer({address(1): [DEFERRED]})
    office = Postoffice(town.db, tmp_path, mailer)
    tries: list[bytes] = []

    async def remember(mails: Sequence[Any]) -> None:
        tries.extend(mail.content for mail in mails)

    mailer.on_enter = remember
    await town.reader(1, topics=["ekonomi"])
    await stories(town.db)
    edition = await town.issue()
    await office.send(edition)
    office.clock.forward(minutes=2)
    await office.send(edition)

    assert len(tries) == 2
    assert tries[0] == tries[1]


def _text(content: bytes) -> str:
    body = email.message_from_bytes(content, policy=email.policy.default).get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")
