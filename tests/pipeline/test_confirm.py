"""The mail that asks, sent once; and the reader's word, which counts once."""

from collections import deque
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from syndicate.channels.mail.maildir import MaildirConfig, MaildirMailer
from syndicate.channels.mail.smtp import SmtpConfig, SmtpMailer
from syndicate.domain.audience import SubscriptionState
from syndicate.domain.consent import ConsentText, Said
from syndicate.domain.delivery import Outcome, Standing, State
from syndicate.domain.token import Purpose, Token, make_token, name_number
from syndicate.pipeline.confirm import send_confirmation
from syndicate.pipeline.reconcile import join, leave, read_leaving
from syndicate.pipeline.signup import LIFE, Verdict
from syndicate.store import audience, fence, sign_ups
from syndicate.store.db import Database
from syndicate.store.sign_ups import SignUp
from tests.factories import DEFERRED, NOW, REFUSED, RING, UNCERTAIN, ScriptedMailer, add_reader
from tests.pipeline.reception import DEWI, TEXT, Reception, only, parsed, token_of
from tests.servers.smtp import Behaviour, SmtpSink


@pytest.fixture
def mailer() -> ScriptedMailer:
    return ScriptedMailer()


@pytest.fixture
def house(db: Database, tmp_path: Path, mailer: ScriptedMailer) -> Reception:
    return Reception(db, tmp_path, mailer)


def relay(sink: SmtpSink) -> SmtpMailer:
    return SmtpMailer(
        SmtpConfig(name="post", host="127.0.0.1", port=sink.port, ehlo_name="berita.lintaspagi.example", tls="none")
    )


async def asked(house: Reception, *newsletters: str, address: str = DEWI) -> int:
    assert await house.ask(address, *newsletters) is Verdict.ASKED
    return (await house.waiting())[-1]


async def row(house: Reception, number: int) -> SignUp:
    async with house.db.read() as connection:
        found = await sign_ups.get(connection, number)
    assert found is not None
    return found


async def link(house: Reception, mailer: ScriptedMailer, *newsletters: str) -> str:
    """The token that a reader got by mail."""
    await asked(house, *newsletters)
    await house.post()
    return token_of(only(mailer.sent))


# ── the mail ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_mail_says_what_was_asked_for_and_leads_to_a_page(house: Reception, mailer: ScriptedMailer) -> None:
    await asked(house, "pagi", "sore")
    await house.post()

    mail = parsed(only(mailer.sent))
    text, html = (part.get_content() for part in mail.iter_parts())
    assert mail["To"] == DEWI
    assert mail["Subject"] == "Konfirmasi langganan: Pagi, Sore"
    assert mail["List-Unsubscribe"] is None
    assert mailer.sent[0].sender == "pagi@lintaspagi.example"
    for part in (text, html):
        assert "Pagi, Sore" in " ".join(part.split())
        assert "https://berita.lintaspagi.example/c/" in part
        assert "Selasa, 1 Desember 2026" in part


async def test_the_mail_speaks_the_language_of_the_form(house: Reception, mailer: ScriptedMailer) -> None:
    english = ConsentText(version=1, language="en", words="I want to receive.")
    await house.ask(text=english)
    await house.post()

    assert parsed(only(mailer.sent))["Subject"] == "Confirm your subscription: Pagi"


async def test_by_smtp_and_signed_as_the_newsletter_s_own(db: Database, tmp_path: Path) -> None:
    async with SmtpSink() as sink:
        house = Reception(db, tmp_path, relay(sink))
        await asked(house)
        await house.post()
        await house.post()
        await house.room.mailers["post"].aclose()

    assert [taken.recipients for taken in sink.messages] == [(DEWI,)]
    assert await house.say(token_of(sink.messages[0].content)) is not None
    assert set(await house.subscriptions()) == {"pagi"}


async def test_into_a_maildir_and_only_once(db: Database, tmp_path: Path) -> None:
    house = Reception(db, tmp_path, MaildirMailer(MaildirConfig(name="post", path=tmp_path / "mail")))
    await asked(house)
    await house.post()
    await house.post()

    assert len(list((tmp_path / "mail" / "new").iterdir())) == 1


async def test_a_mail_that_was_marked_when_we_stopped_is_not_sent_again(
    house: Reception, mailer: ScriptedMailer
) -> None:
    number = await asked(house)
    async with house.db.write() as connection:
        await sign_ups.set_standing(connection, number, Standing(state=State.SENDING, first_due=NOW))
    await house.post()

    assert mailer.sent == []
    assert ((await row(house, number)).standing.state, (await row(house, number)).standing.code) == (
        State.UNCERTAIN,
        "interrupted",
    )


async def test_a_lost_reply_leaves_the_mail_uncertain_and_unrepeated(db: Database, tmp_path: Path) -> None:
    async with SmtpSink(Behaviour(drop_after_body=1)) as sink:
        house = Reception(db, tmp_path, relay(sink))
        number = await asked(house)
        await house.post()
        await house.post()
        await house.room.mailers["post"].aclose()

    assert len(sink.messages) == 1
    assert (await row(house, number)).standing.state is State.UNCERTAIN


async def test_what_is_deferred_comes_back_and_is_given_up_after_three_days(
    house: Reception, mailer: ScriptedMailer
) -> None:
    mailer.answers[DEWI] = deque([DEFERRED] * 100)
    number = await asked(house)
    tries = 0
    while again_at := await send_confirmation(house.db, house.way_in, number):
        assert again_at > house.clock.at
        house.clock.at = again_at
        tries += 1

    assert house.clock.at == NOW + timedelta(hours=72)
    assert 20 < tries < 60
    assert (await row(house, number)).standing.code == "expired"


@pytest.mark.parametrize(("outcome", "state"), [(REFUSED, State.REFUSED), (UNCERTAIN, State.UNCERTAIN)])
async def test_what_the_channel_says_is_kept(db: Database, tmp_path: Path, outcome: Outcome, state: State) -> None:
    mailer = ScriptedMailer({DEWI: [outcome]})
    house = Reception(db, tmp_path, mailer)
    number = await asked(house)
    await house.post()
    await house.post()

    assert (await row(house, number)).standing.state is state
    assert mailer.sent == []


async def test_who_was_suppressed_meanwhile_gets_no_mail(house: Reception, mailer: ScriptedMailer) -> None:
    number = await asked(house)
    async with house.db.write() as connection:
        await audience.suppress(connection, house.way_in.digest(DEWI), "complaint", now=NOW)
    await house.post()

    assert mailer.sent == []
    assert (await row(house, number)).standing.code == "suppressed"


async def test_a_newsletter_that_is_no_more_asks_nobody(house: Reception, mailer: ScriptedMailer) -> None:
    number = await asked(house, "sore")
    del house.newsletters["sore"]
    await house.post()

    assert mailer.sent == []
    assert (await row(house, number)).standing.code == "newsletter"


async def test_while_everything_is_on_hold_the_mail_waits(house: Reception, mailer: ScriptedMailer) -> None:
    number = await asked(house)
    async with house.db.write() as connection:
        await fence.hold(connection, "fence", "restored", now=NOW)
    again_at = await send_confirmation(house.db, house.way_in, number)
    async with house.db.write() as connection:
        await fence.release(connection, "fence")

    assert again_at is not None
    assert again_at > NOW
    assert mailer.sent == []
    await house.post()
    assert mailer.recipients() == [DEWI]


# ── the word ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_word_begins_the_subscriptions_and_is_evidence(house: Reception, mailer: ScriptedMailer) -> None:
    token = await link(house, mailer, "pagi", "sore")
    house.clock.forward(hours=3)
    pending = await house.say(token)

    assert pending is not None
    assert (pending.answer, [one.name for one in pending.newsletters]) == (None, ["pagi", "sore"])
    chosen = await house.subscriptions()
    begun = (SubscriptionState.ACTIVE, house.clock.at, "page")
    assert {name: (one.state, one.since, one.origin) for name, one in chosen.items()} == {"pagi": begun, "sore": begun}
    said = [one for one in await house.consents() if one.what is Said.CONFIRMED]
    assert [(one.newsletter, one.origin, one.at, one.text_hash) for one in said] == [
        (name, "link", house.clock.at, TEXT.digest) for name in ("pagi", "sore")
    ]


async def test_looking_changes_nothing(house: Reception, mailer: ScriptedMailer) -> None:
    token = await link(house, mailer)
    for _ in range(3):
        pending = await house.read(token)
        assert pending is not None
        assert pending.answer is None

    assert await house.subscriptions() == {}
    assert [one.what for one in await house.consents()] == [Said.ASKED]


async def test_not_me_ends_the_request_for_good(house: Reception, mailer: ScriptedMailer) -> None:
    token = await link(house, mailer)
    await house.say(token, Said.DENIED)
    again = await house.say(token)

    assert again is not None
    assert again.answer is Said.DENIED
    assert await house.subscriptions() == {}
    assert [one.what for one in await house.consents()] == [Said.ASKED, Said.DENIED]


async def test_a_used_link_brings_nobody_back_who_left(house: Reception, mailer: ScriptedMailer) -> None:
    token = await link(house, mailer)
    await house.say(token)
    async with house.db.read() as connection:
        person = await audience.by_address(connection, DEWI)
    assert person is not None
    leaving = await read_leaving(
        house.db,
        house.office.way_out,
        make_token(
            RING,
            Token(purpose=Purpose.UNSUBSCRIBE, subscriber=person.id, newsletter=name_number("pagi"), generation=0),
        ),
    )
    assert leaving is not None
    house.clock.forward(hours=1)
    await leave(house.db, house.office.way_out, leaving, now=house.clock.at)
    again = await house.say(token)

    assert again is not None
    assert again.answer is Said.CONFIRMED
    assert (await house.subscriptions())["pagi"].state is SubscriptionState.ENDED
    assert [one.what for one in await house.consents()] == [Said.ASKED, Said.CONFIRMED, Said.ENDED]


async def test_a_link_ends_after_a_week(house: Reception, mailer: ScriptedMailer) -> None:
    token = await link(house, mailer)
    house.clock.at = NOW + LIFE - timedelta(seconds=1)
    assert await house.read(token) is not None
    house.clock.at = NOW + LIFE
    assert await house.read(token) is None
    assert await house.say(token) is None
    assert await house.subscriptions() == {}


async def test_a_link_of_another_purpose_or_for_another_address_is_none(
    house: Reception, mailer: ScriptedMailer
) -> None:
    await link(house, mailer)
    number = (await house.waiting())[0]
    about = name_number(house.way_in.digest(DEWI))
    good = Token(purpose=Purpose.CONFIRM, subscriber=number, newsletter=about, generation=0)
    bad = [
        replace(good, purpose=Purpose.UNSUBSCRIBE),
        replace(good, subscriber=number + 1),
        replace(good, newsletter=name_number(house.way_in.digest("bagus@pembaca.example"))),
        replace(good, newsletter=name_number("pagi")),
    ]

    assert await house.read(make_token(RING, good)) is not None
    for token in bad:
        assert await house.say(make_token(RING, token)) is None
    assert await house.subscriptions() == {}


async def test_who_must_not_be_written_to_can_not_confirm(house: Reception, mailer: ScriptedMailer) -> None:
    token = await link(house, mailer)
    async with house.db.write() as connection:
        await audience.suppress(connection, house.way_in.digest(DEWI), "complaint", now=NOW)

    assert await house.say(token) is None


async def test_a_known_person_keeps_their_row_and_adds_to_it(house: Reception, mailer: ScriptedMailer) -> None:
    async with house.db.write() as connection:
        person = await add_reader(connection, 1)
    await house.ask(person.address.upper().replace("PEMBACA.EXAMPLE", "pembaca.example"), "sore")
    await house.post()
    await house.say(token_of(only(mailer.sent)))

    assert set(await house.subscriptions(person.address)) == {"pagi", "sore"}


async def test_what_an_operator_adds_is_evidence_too(house: Reception) -> None:
    async with house.db.write() as connection:
        person = await add_reader(connection, 1, newsletter=None)
    digest = house.way_in.digest(person.address)
    await join(house.db, person, ["pagi", "sore"], digest=digest, origin="kartu pameran 12 Nov")
    await join(house.db, person, ["pagi"], digest=digest, origin="again")

    said = await house.consents(person.address)
    assert [(one.newsletter, one.what, one.origin) for one in said] == [
        (name, Said.CONFIRMED, "kartu pameran 12 Nov") for name in ("pagi", "sore")
    ]
