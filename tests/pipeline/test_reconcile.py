"""After a crash, after a restore, and when a reader leaves."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from syndicate.channels.mail.maildir import MaildirConfig, MaildirMailer
from syndicate.domain.article import ArticleState
from syndicate.domain.audience import Subscriber
from syndicate.domain.edition import Edition, EditionState
from syndicate.domain.token import Keyring, Purpose, Token, make_token, name_number
from syndicate.errors import Refused
from syndicate.pipeline.dispatch import close_edition
from syndicate.pipeline.enqueue import cancel_edition, hold_edition
from syndicate.pipeline.postroom import Letter as MailLetter
from syndicate.pipeline.postroom import encode, unsubscribe_url, write_mail
from syndicate.pipeline.reconcile import (
    GAP,
    Leaving,
    accept_restored,
    check_fence,
    leave,
    read_leaving,
    repair,
    resend_doubts,
)
from syndicate.pipeline.replay import replay_departures
from syndicate.ports import Mail
from syndicate.store import audience, editions, fence, jobs, ledger, tables
from syndicate.store.db import Database
from syndicate.store.fence import Departure
from syndicate.store.ledger import Claimed
from syndicate.store.tables import articles
from tests.factories import NOW, RING, SITE, ScriptedMailer, add_reader, make_edition
from tests.pipeline.mailing import Postoffice, address
from tests.pipeline.mailing import numbers as numbers_of
from tests.store.editions import add_candidates


async def on_the_wire(office: Postoffice, edition: Edition, *, limit: int = 2, owner: str = "dead") -> list[Claimed]:
    """What a worker that is killed now leaves marked."""
    async with office.db.write() as connection:
        span: dict[str, Any] = {"edition_id": edition.id, "first": 1, "last": 10**15, "limit": limit, "now": NOW}
        found = await ledger.claim(connection, owner=owner, **span)
        await ledger.mark(connection, [one.id for one in found], owner=owner, now=NOW)
    return found


async def deliver(office: Postoffice, mailer: MaildirMailer, edition: Edition, one: Claimed) -> None:
    """The mail reached the channel; the outcome was never written down."""
    async with office.db.read() as connection:
        rendering = await editions.rendering(connection, edition.id, "all")
    assert rendering is not None
    letter = MailLetter(edition=edition, newsletter=office.newsletter, variant=encode(office.room, edition, rendering))
    mail = write_mail(office.room, letter, one.subscriber, delivery=one.id)
    assert isinstance(mail, Mail)
    async for _ in mailer.send([mail], may_send=lambda _: True):
        pass


async def reader(db: Database, number: int = 0) -> Subscriber:
    async with db.read() as connection:
        person = await audience.by_address(connection, address(number))
    assert person is not None
    return person


async def test_a_folder_shows_what_was_taken_over_before_the_crash(db: Database, tmp_path: Path) -> None:
    mailer = MaildirMailer(MaildirConfig(name="post", path=tmp_path / "mail"))
    office = Postoffice(db, tmp_path, mailer)
    edition = await office.freeze(4)
    sent, _unsent = await on_the_wire(office, edition)
    await deliver(office, mailer, edition, sent)
    report = await repair(db, office.room, alive=["a"], now=NOW)
    books = await office.books(edition)
    await office.send(edition)

    assert (report.doubts, report.proven_sent, report.proven_unsent) == (2, 1, 1)
    assert (report.resumed, books) == ([edition.id], {"accepted": 1, "open": 3})
    assert await office.books(edition) == {"accepted": 4}
    assert len(list((tmp_path / "mail" / "new").iterdir())) == 4


async def test_a_channel_that_an_edition_did_not_go_by_is_no_witness(db: Database, tmp_path: Path) -> None:
    office = Postoffice(db, tmp_path, MaildirMailer(MaildirConfig(name="lain", path=tmp_path / "lain")))
    edition = await office.freeze(4)
    async with db.write() as connection:
        await connection.execute(tables.editions.update().values(channel="yang-lama"))
    await on_the_wire(office, edition)
    report = await repair(db, office.room, alive=["a"], now=NOW)

    assert (report.doubts, report.proven_unsent) == (2, 0)
    assert await office.books(edition) == {"uncertain": 2, "open": 2}


async def test_a_channel_without_evidence_leaves_the_doubt_listed_and_unsent(db: Database, tmp_path: Path) -> None:
    office = Postoffice(db, tmp_path, mailer := ScriptedMailer())
    edition = await office.freeze(3)
    doubtful = await on_the_wire(office, edition)
    report = await repair(db, office.room, alive=["a"], now=NOW)
    await office.send(edition)
    await repair(db, office.room, alive=["a"], now=NOW)

    assert (report.doubts, report.proven_sent, report.proven_unsent) == (2, 0, 0)
    assert await office.books(edition) == {"uncertain": 2, "accepted": 1}
    assert not set(mailer.recipients()) & {one.subscriber.address for one in doubtful}
    async with db.read() as connection:
        assert [d.id for d in await ledger.doubts(connection, edition.id)] == [one.id for one in doubtful]


async def done_with_doubts(office: Postoffice, count: int = 2) -> Edition:
    """A done edition with three readers, of which so many are uncertain."""
    edition = await office.freeze(3)
    await on_the_wire(office, edition, limit=count)
    async with office.db.write() as connection:
        await ledger.abandon(connection, edition.id, alive=["a"], now=NOW)
    await office.send(edition)
    await close(office, edition)
    return await current(office, edition)


async def close(office: Postoffice, edition: Edition) -> None:
    async with office.db.write() as connection:
        for job in await jobs.listed(connection, limit=9):
            await jobs.finish(connection, job)
    assert await close_edition(office.db, edition.id, now=NOW) is not None


async def current(office: Postoffice, edition: Edition) -> Edition:
    async with office.db.read() as connection:
        found = await editions.get(connection, edition.id)
    assert found is not None
    return found


async def test_doubts_of_a_done_edition_are_looked_for_at_every_start(db: Database, tmp_path: Path) -> None:
    mailer = MaildirMailer(MaildirConfig(name="post", path=tmp_path / "mail"))
    office = Postoffice(db, tmp_path, mailer)
    edition = await done_with_doubts(office)
    report = await repair(db, office.room, alive=["a"], now=NOW)
    reopened = await current(office, edition)
    await office.send(edition)
    await close(office, edition)

    assert (report.proven_unsent, report.resumed) == (2, [edition.id])
    assert (edition.state, reopened.state, reopened.done_at) == (EditionState.DONE, EditionState.FROZEN, None)
    assert await office.books(edition) == {"accepted": 3}


async def test_doubts_are_sent_again_at_the_operators_word(db: Database, tmp_path: Path) -> None:
    office = Postoffice(db, tmp_path, mailer := ScriptedMailer())
    edition = await done_with_doubts(office)
    again = await resend_doubts(db, edition, now=NOW)
    async with db.read() as connection:
        asked = await jobs.any_of(connection, f"mail:{edition.id}:")
    await office.send(edition)
    await close(office, edition)

    assert (again, asked) == (2, True)
    assert numbers_of(mailer.recipients()) == ["0", "1", "2"]
    assert await office.books(edition) == {"accepted": 3}
    with pytest.raises(Refused, match="no delivery of the edition is uncertain"):
        await resend_doubts(db, edition, now=NOW)


async def test_doubts_of_an_edition_with_a_withdrawn_story_wait_for_its_release(db: Database, tmp_path: Path) -> None:
    office = Postoffice(db, tmp_path, mailer := ScriptedMailer())
    edition = await done_with_doubts(office)
    sent = len(mailer.sent)
    async with db.write() as connection:
        (story,) = await editions.stories(connection, edition.id)
        withdrawn = update(articles).where(articles.c.id == story.article_id)
        await connection.execute(withdrawn.values(state=ArticleState.WITHDRAWN.value))
    await resend_doubts(db, edition, now=NOW)
    held = await current(office, edition)
    await office.send(edition)

    assert (held.state, held.why) == (EditionState.HELD, "a story in it was withdrawn meanwhile")
    assert len(mailer.sent) == sent
    assert await office.books(edition) == {"accepted": 1, "open": 2}


async def test_nothing_of_a_cancelled_edition_is_sent_again(db: Database, tmp_path: Path) -> None:
    mailer = MaildirMailer(MaildirConfig(name="post", path=tmp_path / "mail"))
    office = Postoffice(db, tmp_path, mailer)
    edition = await office.freeze(3)
    await on_the_wire(office, edition)
    await cancel_edition(db, edition, why="the lead is wrong", now=NOW)
    with pytest.raises(Refused, match="was cancelled"):
        await resend_doubts(db, edition, now=NOW)
    report = await repair(db, office.room, alive=["a"], now=NOW)

    assert (report.doubts, report.proven_unsent) == (2, 2)
    assert await office.books(edition) == {"excluded": 3}


async def test_the_living_are_left_alone(db: Database, tmp_path: Path) -> None:
    office = Postoffice(db, tmp_path, ScriptedMailer())
    edition = await office.freeze(3)
    await on_the_wire(office, edition, owner="a")

    assert (await repair(db, office.room, alive=["a"], now=NOW)).doubts == 0
    assert await office.books(edition) == {"open": 3}


@pytest.mark.parametrize("stop", [hold_edition, cancel_edition])
async def test_a_crash_in_an_edition_that_was_stopped_leaves_doubts_too(
    db: Database, tmp_path: Path, stop: Any
) -> None:
    office = Postoffice(db, tmp_path, ScriptedMailer())
    edition = await office.freeze(3)
    await on_the_wire(office, edition)
    await stop(db, edition, why="the lead is wrong", **({} if stop is hold_edition else {"now": NOW}))
    report = await repair(db, office.room, alive=["a"], now=NOW)

    assert (report.doubts, report.resumed) == (2, [])
    assert (await office.books(edition))["uncertain"] == 2


async def test_an_edition_whose_last_outcome_was_written_is_closed(db: Database, tmp_path: Path) -> None:
    office = Postoffice(db, tmp_path, ScriptedMailer())
    edition = await office.freeze(1)
    await office.send(edition)
    async with db.write() as connection:
        (job,) = await jobs.listed(connection, limit=9)
        await jobs.finish(connection, job)
    report = await repair(db, office.room, alive=["a"], now=NOW)

    async with db.read() as connection:
        found = await editions.get(connection, edition.id)
    assert found is not None
    assert (found.state, report.resumed) == (EditionState.DONE, [])


@pytest.mark.parametrize(("disk", "known", "held"), [(3, 2, True), (2, 2, False), (2, 3, False), (0, 0, False)])
async def test_a_disk_ahead_of_its_database_holds_the_house(
    db: Database, tmp_path: Path, disk: int, known: int, held: bool
) -> None:
    path = tmp_path / "fence"
    if disk:
        fence.raise_disk(path, disk)
    async with db.write() as connection:
        await fence.raise_value(connection, "here", known)

    why = await check_fence(db, "here", path, now=NOW)

    assert (why is not None) is held
    assert why is None or "is an older copy: it knows 2 groups of sends, this machine made 3" in why


async def test_a_hold_lasts_over_starts_until_a_person_accepts(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "fence"
    fence.raise_disk(path, 9)
    office = Postoffice(db, tmp_path, mailer := ScriptedMailer())
    edition = await office.freeze(2)
    await check_fence(db, "here", path, now=NOW)
    await office.send(edition)
    held = (await check_fence(db, "here", path, now=NOW), mailer.sent.copy())
    assert await accept_restored(db)
    assert not await accept_restored(db)
    await office.send(edition)

    assert held[0] is not None
    assert held[1] == []
    assert await check_fence(db, "here", path, now=NOW) is None
    assert numbers_of(mailer.recipients()) == ["0", "1"]
    assert fence.disk_value(path) > 9


async def next_numbers(db: Database, name: int) -> list[int]:
    """What the next subscriber, edition and delivery of this database are called."""
    async with db.write() as connection:
        person = await add_reader(connection, name)
        edition = await editions.begin(connection, make_edition(slot=f"slot-{name}"))
        await add_candidates(connection, edition, after=person.id - 1, limit=1, now=NOW)
        span = await editions.delivery_span(connection, edition.id)
        await editions.set_state(connection, edition.id, EditionState.DONE, came_from=[EditionState.COMPOSING])
    assert span is not None
    return [person.id, edition.id, span[0]]


async def test_numbers_that_a_lost_database_gave_are_not_given_again(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "fence"
    numbers = [await next_numbers(db, 1)]
    for disk in (3, 4):  # restored twice, sent with in between
        fence.raise_disk(path, disk)
        assert await check_fence(db, "here", path, now=NOW) is not None
        numbers.append(await next_numbers(db, 10 * disk))
        assert await check_fence(db, "here", path, now=NOW) is not None  # another start while it is on hold
        numbers.append(await next_numbers(db, 10 * disk + 1))

    before, restored, held, again, _ = (dict(enumerate(found)) for found in numbers)
    for kind in range(3):
        assert restored[kind] >= before[kind] + 3 * GAP
        assert restored[kind] < held[kind] < restored[kind] + 10
        assert again[kind] >= held[kind] + 4 * GAP


async def test_an_edition_that_a_restore_caught_while_it_was_composed_keeps_its_numbers_together(
    db: Database, tmp_path: Path
) -> None:
    async with db.write() as connection:
        for number in range(4):
            await add_reader(connection, number)
        edition = await editions.begin(connection, make_edition())
        await add_candidates(connection, edition, after=0, limit=2, now=NOW)
    fence.raise_disk(tmp_path / "fence", 5)
    await check_fence(db, "here", tmp_path / "fence", now=NOW)
    async with db.write() as connection:
        await add_candidates(connection, edition, after=0, limit=9, now=NOW)
        span = await editions.delivery_span(connection, edition.id)

    assert span is not None
    assert span[1] - span[0] == 3


async def test_whoever_left_stays_gone_in_a_restored_database(db: Database, tmp_path: Path) -> None:
    office = Postoffice(db, tmp_path, ScriptedMailer())
    await office.freeze(3)
    journal = tmp_path / "departures.jsonl"
    async with db.read() as connection:
        digests = [await audience.digest_of(connection, (await reader(db, n)).id) for n in range(3)]
    fence.note_departure(journal, Departure(digest=digests[0], newsletter="pagi", reason="unsubscribed", at=NOW))
    early = NOW - timedelta(days=30)  # left, and came back later
    fence.note_departure(journal, Departure(digest=digests[1], newsletter="pagi", reason="unsubscribed", at=early))
    fence.note_departure(journal, Departure(digest=digests[2], newsletter="", reason="bounced", at=NOW))
    fence.note_departure(journal, Departure(digest="nobody", newsletter="pagi", reason="unsubscribed", at=NOW))

    assert await replay_departures(db, journal, now=NOW) == 1
    assert await replay_departures(db, journal, now=NOW) == 0
    async with db.read() as connection:
        state = [(await audience.subscriptions_of(connection, (await reader(db, n)).id))[0].state for n in range(3)]
        assert state == ["ended", "active", "active"]
        assert await audience.suppression(connection, digests[2]) == ("bounced", NOW)


async def test_leaving_twice_changes_nothing_and_is_noted_once(db: Database, tmp_path: Path) -> None:
    office = Postoffice(db, tmp_path, ScriptedMailer())
    await office.freeze(1)
    leaving = Leaving(subscriber=await reader(db), newsletter="pagi", title="")

    said = [await leave(db, office.way_out, leaving, now=NOW) for _ in range(2)]

    assert said == [True, False]
    assert [d.newsletter for d in fence.departures(tmp_path / "departures.jsonl")] == ["pagi"]
    assert office.room.revocations.left_since("pagi", leaving.subscriber.id, NOW)


async def test_a_journal_that_can_not_be_written_keeps_nobody_from_leaving(db: Database, tmp_path: Path) -> None:
    office = Postoffice(db, tmp_path, ScriptedMailer())
    await office.freeze(1)
    (tmp_path / "departures.jsonl").mkdir()
    leaving = Leaving(subscriber=await reader(db), newsletter="pagi", title="")

    assert await leave(db, office.way_out, leaving, now=NOW)
    async with db.read() as connection:
        assert not await audience.is_active(connection, "pagi", leaving.subscriber.id)


async def test_the_link_in_a_mail_says_who_leaves_what(db: Database, tmp_path: Path) -> None:
    office = Postoffice(db, tmp_path, ScriptedMailer())
    await office.freeze(1)
    person = await reader(db)
    text = unsubscribe_url(SITE, RING, "pagi", person).rpartition("/")[2]

    said = Leaving(subscriber=person, newsletter="pagi", title=office.newsletter.title)
    assert await read_leaving(db, office.way_out, text) == said


async def test_the_link_of_a_newsletter_that_is_no_more_works_for_ever(db: Database, tmp_path: Path) -> None:
    office = Postoffice(db, tmp_path, ScriptedMailer())
    await office.freeze(1)
    person = await reader(db)
    text = unsubscribe_url(SITE, RING, "pagi", person).rpartition("/")[2]
    renamed = replace(office.way_out, newsletters={"fajar": replace(office.newsletter, name="fajar")})

    leaving = await read_leaving(db, renamed, text)
    assert leaving == Leaving(subscriber=person, newsletter="pagi", title="pagi")
    said = [await leave(db, renamed, leaving, now=NOW) for _ in range(2)]

    assert said == [True, False]
    assert await read_leaving(db, renamed, text) == leaving  # also when they have left


async def test_links_that_are_none_of_ours_say_nothing(db: Database, tmp_path: Path) -> None:
    office = Postoffice(db, tmp_path, ScriptedMailer())
    await office.freeze(1)
    person = await reader(db)

    def link(ring: Keyring = RING, **changes: Any) -> str:
        token: dict[str, Any] = {
            "purpose": Purpose.UNSUBSCRIBE,
            "subscriber": person.id,
            "newsletter": name_number("pagi"),
        }
        return make_token(ring, Token(**token | {"generation": 0} | changes))

    texts: Sequence[str] = (
        "",
        "x" * 44,
        link(purpose=Purpose.VIEW),
        link(subscriber=person.id + 999),
        link(newsletter=name_number("sore")),
        link(ring=Keyring(keys={1: b"x" * 32})),
    )
    assert [await read_leaving(db, office.way_out, text) for text in texts] == [None] * len(texts)
