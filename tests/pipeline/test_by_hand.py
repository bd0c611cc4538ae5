"""What a person asks for from outside the daily round: a preview, a test send, a release, a reader, a push again."""

from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from syndicate.domain.audience import Subscriber, address_digest
from syndicate.domain.delivery import Standing, State
from syndicate.domain.partner import Push
from syndicate.domain.token import delivery_name
from syndicate.errors import Refused
from syndicate.pipeline.compose import cut_name, know_newsletters, preview_edition
from syndicate.pipeline.enqueue import hold_edition, release_edition
from syndicate.pipeline.notify import enable_endpoint, replay_push
from syndicate.pipeline.reconcile import join
from syndicate.pipeline.render import VARIANT
from syndicate.pipeline.trial import Trial, send_test
from syndicate.store import articles, audience, changes, editions, jobs, ledger, partners
from syndicate.store.db import Database
from tests.factories import DEFERRED, NOW, PEPPER, RING, ScriptedMailer, add_reader, make_newsletter
from tests.pipeline.mailing import STUDIO, Postoffice
from tests.pipeline.stories import publish

DESK = "meja@lintaspagi.example"


async def trial_of(office: Postoffice, *, language: str = "id") -> Trial:
    """A test send of a frozen edition with three readers."""
    edition = await office.freeze()
    async with office.db.read() as connection:
        rendering = await editions.rendering(connection, edition.id, VARIANT)
    assert rendering is not None
    digest = address_digest(PEPPER, DESK)
    return Trial(edition=edition, rendering=rendering, address=DESK, digest=digest, secret=lambda: "abc")


async def test_a_test_send_is_one_marked_mail_that_stands_in_no_ledger(db: Database, tmp_path: Path) -> None:
    mailer = ScriptedMailer()
    office = Postoffice(db, tmp_path, mailer)
    trial = await trial_of(office)

    await send_test(db, office.room, trial)

    (mail,) = mailer.sent
    parsed = message_from_bytes(mail.content, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    assert (mail.delivery, mail.name, mail.recipient) == (0, "test.abc", DESK)
    assert (parsed["Subject"], parsed["List-Unsubscribe"]) == (f"[TES] {trial.rendering.subject}", None)
    assert await office.books(trial.edition) == {"open": 3}
    assert mail.name not in {delivery_name(RING, trial.edition.id, number) for number in range(1000)}


async def test_a_test_in_another_language_is_marked_so(db: Database, tmp_path: Path) -> None:
    mailer = ScriptedMailer()
    office = Postoffice(db, tmp_path, mailer)
    trial = await trial_of(office)
    english = {"pagi": replace(office.newsletter, language="en-GB")}

    await send_test(db, replace(office.room, newsletters=english), trial)

    assert b"Subject: [TEST] " in mailer.sent[0].content


async def test_a_test_send_says_what_the_channel_said_and_tries_once(db: Database, tmp_path: Path) -> None:
    mailer = ScriptedMailer({DESK: [DEFERRED]})
    office = Postoffice(db, tmp_path, mailer)

    outcome = await send_test(db, office.room, await trial_of(office))

    assert (outcome, mailer.sent) == (DEFERRED, [])


async def test_a_suppressed_address_gets_no_test(db: Database, tmp_path: Path) -> None:
    mailer = ScriptedMailer()
    office = Postoffice(db, tmp_path, mailer)
    trial = await trial_of(office)
    async with db.write() as connection:
        await audience.suppress(connection, trial.digest, "complained", now=NOW)

    with pytest.raises(Refused, match="must not be written to: complained"):
        await send_test(db, office.room, trial)

    assert mailer.sent == []


async def test_a_preview_shows_the_next_edition_and_writes_nothing(db: Database) -> None:
    newsletter = make_newsletter()
    await know_newsletters(db, [newsletter])
    async with db.write() as connection:
        await add_reader(connection, 1)
        await add_reader(connection, 2, None)
    await publish(db, 1, 2)

    preview = await preview_edition(db, newsletter, STUDIO, now=NOW)

    async with db.read() as connection:
        written = await editions.newest(connection, limit=5)
        cut = await changes.cursor(connection, cut_name("pagi"))
    assert [story.content.title for story in preview.choice.stories] == ["Berita 2", "Berita 1"]
    assert (preview.edition.slot, preview.readers, preview.skipped) == ("2026-11-25T0600", 1, False)
    assert (written, cut) == ([], 0)


async def test_a_preview_says_that_too_little_would_be_skipped(db: Database) -> None:
    newsletter = make_newsletter(min=2)
    await know_newsletters(db, [newsletter])
    await publish(db, 1)

    preview = await preview_edition(db, newsletter, STUDIO, now=NOW)

    assert preview.skipped


async def test_a_preview_counts_only_what_can_be_shown(db: Database) -> None:
    newsletter = make_newsletter(min=2)
    await know_newsletters(db, [newsletter])
    await publish(db, 1)
    await publish(db, 2, url="javascript:alert(1)")

    preview = await preview_edition(db, newsletter, STUDIO, now=NOW)

    assert preview.skipped
    assert [story.content.title for story in preview.choice.unprintable] == ["Berita 2"]


async def test_a_preview_names_the_first_import_that_it_waits_for(db: Database) -> None:
    preview = await preview_edition(db, make_newsletter(), replace(STUDIO, sources=("baru",)), now=NOW)

    assert preview.importing == ("baru",)


async def test_the_72_hours_of_a_held_mail_begin_when_it_is_released(db: Database, tmp_path: Path) -> None:
    waits = ["pembaca0@pembaca.example", "pembaca1@pembaca.example"]  # one was tried before the hold, one was not
    office = Postoffice(db, tmp_path, ScriptedMailer({reader: [DEFERRED] * 99 for reader in waits}))
    edition = await office.freeze(2)
    await office.send_first(edition)
    await hold_edition(db, edition, why="the lead is wrong")
    released = office.clock.forward(days=4)
    await release_edition(db, edition, [], now=released)
    while not (report := await office.send(edition)).finished:
        assert report.again_at is not None
        office.clock.at = report.again_at

    assert office.clock.now() - released == timedelta(hours=72)
    assert await office.books(edition) == {"refused": 2}


async def joined(db: Database, *newsletters: str, origin: str = "formulir") -> list[str]:
    person = Subscriber(id=0, address=DESK, name="Meja", created_at=NOW)
    return await join(db, person, newsletters, digest=address_digest(PEPPER, DESK), origin=origin)


async def test_a_person_joins_each_newsletter_once(db: Database) -> None:
    first = await joined(db, "pagi", "sore")
    second = await joined(db, "sore", "malam")

    async with db.read() as connection:
        person = await audience.by_address(connection, DESK)
        assert person is not None
        chosen = await audience.subscriptions_of(connection, person.id)
        pagi = await audience.page(connection, after=0, limit=9, newsletter="pagi")
        counts = [await audience.readers(connection, name) for name in ("pagi", "sore", "nothing")]
    assert (first, second) == (["pagi", "sore"], ["malam"])
    assert [one.newsletter for one in chosen] == ["malam", "pagi", "sore"]
    assert ([one.address for one in pagi], counts) == ([DESK], [1, 1, 0])


async def test_who_left_is_listed_no_more(db: Database) -> None:
    await joined(db, "pagi")
    async with db.write() as connection:
        person = await audience.by_address(connection, DESK)
        assert person is not None
        await audience.unsubscribe(connection, "pagi", person.id, now=NOW)

    async with db.read() as connection:
        assert await audience.page(connection, after=0, limit=9, newsletter="pagi") == []
        assert await audience.readers(connection, "pagi") == 0
        assert len(await audience.page(connection, after=0, limit=9)) == 1


async def test_a_suppressed_person_can_not_be_added(db: Database) -> None:
    async with db.write() as connection:
        await audience.suppress(connection, address_digest(PEPPER, DESK), "bounced", now=NOW)

    with pytest.raises(Refused, match="bounced"):
        await joined(db, "pagi")

    async with db.read() as connection:
        assert await audience.by_address(connection, DESK) is None


async def put_dead_letter(db: Database) -> int:
    push = Push(
        id=0,
        endpoint="portal",
        subject="article:x",
        seq=1,
        type="article.published",
        state=State.DUE,
        attempt=0,
        article_id=None,
        first_due=NOW,
    )
    refused = Standing(state=State.REFUSED, attempt=9, first_due=NOW, code="HTTP 400", text="no")
    async with db.write() as connection:
        await partners.add_push(connection, push, at=NOW)
        ((held, _),) = await partners.claim(connection, "portal", owner="a", limit=1, now=NOW)
        await partners.mark(connection, held.id, owner="a")
        await partners.settle(connection, held.id, refused, doubtful=False, owner="a", now=NOW)
    return held.id


async def test_a_dead_letter_is_due_again_with_a_job_in_one_transaction(db: Database) -> None:
    number = await put_dead_letter(db)

    endpoint = await replay_push(db, number, now=NOW + timedelta(days=1))

    async with db.read() as connection:
        line = await partners.line(connection, number)
        (job,) = await jobs.listed(connection, limit=9)
        assert await jobs.get(connection, job.id) == job
    assert line is not None
    assert (endpoint, line.state, line.attempt, job.key) == ("portal", "due", 0, "push:portal")


async def test_what_is_no_dead_letter_is_not_replayed(db: Database) -> None:
    number = await put_dead_letter(db)
    await replay_push(db, number, now=NOW)

    for other in (number, number + 1):
        with pytest.raises(Refused, match="no dead letter"):
            await replay_push(db, other, now=NOW)


async def test_an_endpoint_is_switched_on_once_with_a_job_for_what_waits(db: Database) -> None:
    async with db.write() as connection:
        await partners.disable(connection, "portal", "HTTP 410", now=NOW)

    await enable_endpoint(db, "portal", now=NOW)
    with pytest.raises(Refused, match="portal is not switched off"):
        await enable_endpoint(db, "portal", now=NOW)

    async with db.read() as connection:
        (job,) = await jobs.listed(connection, limit=9)
        assert (job.key, await partners.disabled(connection)) == ("push:portal", {})


async def test_the_editions_that_hold_an_article_are_known_with_its_version(db: Database, tmp_path: Path) -> None:
    edition = await Postoffice(db, tmp_path, ScriptedMailer()).freeze()

    async with db.read() as connection:
        (article,) = await articles.latest(connection, limit=5)
        (held,) = await editions.holding(connection, article.id)
    assert (held.newsletter, held.slot, held.version, held.left_out) == ("pagi", edition.slot, 1, "")
    assert held.state is edition.state


async def test_what_a_worker_has_on_the_wire_is_counted(db: Database, tmp_path: Path) -> None:
    edition = await Postoffice(db, tmp_path, ScriptedMailer()).freeze(3)
    span = {"edition_id": edition.id, "first": 1, "last": 10**15}
    async with db.write() as connection:
        held = await ledger.claim(connection, **span, owner="a", limit=2, now=NOW)
        await ledger.mark(connection, [held[0].id], owner="a", now=NOW)
        counts = [await ledger.on_the_wire(connection, owner) for owner in ("a", "b")]

    assert counts == [1, 0]
