"""Why a reader did, or didn't, get it: after real steps, the rules that decided are named in their order."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.audience import address_digest
from syndicate.domain.change import ChangeKind
from syndicate.domain.consent import Consent, Said
from syndicate.domain.delivery import Outcome
from syndicate.domain.edition import Edition
from syndicate.domain.explanation import Answer, Explanation
from syndicate.domain.likeness import Link, LinkKind
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.receipt import Receipt, Verdict
from syndicate.domain.selection import Selection
from syndicate.domain.slot import Slot
from syndicate.errors import NotFound
from syndicate.pipeline.compose import compose_edition, know_newsletters
from syndicate.pipeline.enqueue import cancel_edition, freeze_edition, hold_edition
from syndicate.pipeline.explain import explain_edition, explain_story
from syndicate.store import audience, consents, jobs, ledger, likeness, receipts
from syndicate.store.db import Database
from tests.factories import (
    DEFERRED,
    NOW,
    PEPPER,
    REFUSED,
    SITE,
    UNCERTAIN,
    ScriptedMailer,
    add_reader,
    make_article,
    make_newsletter,
)
from tests.pipeline.mailing import STUDIO, Postoffice, address
from tests.pipeline.stories import publish, revise

PAGI = "pagi/2026-11-24T0600"
DAERAH = Selection(sections=frozenset({"daerah"}))


def rules(found: Explanation) -> list[str]:
    return [one.rule for one in found.findings]


def said(found: Explanation, rule: str) -> str:
    return next(one.said for one in found.findings if one.rule == rule)


def facts(found: Explanation, rule: str) -> Mapping[str, Any]:
    return next(one.facts for one in found.findings if one.rule == rule)


def slot(day: int = 24) -> Slot:
    return Slot(at=NOW, name=f"2026-11-{day}T0600")


class Desk:
    """A newspaper whose steps are taken one by one, and somebody who asks."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db, self.mailer = db, ScriptedMailer()
        self.office = Postoffice(db, folder, self.mailer)
        self.known: dict[str, Newsletter] = {"pagi": make_newsletter()}

    async def issue(self, day: int = 24, *, now: datetime = NOW, **newsletter: Any) -> Edition | None:
        report = await compose_edition(self.db, make_newsletter(**newsletter), slot(day), STUDIO, now=now)
        ours: dict[str, Any] = {"newsletter": make_newsletter(**newsletter), "studio": STUDIO}
        return (await freeze_edition(self.db, report.edition, [], **ours, now=now)).edition if report.edition else None

    async def mail(self, *answers: Outcome) -> Edition:
        """The edition with story 1, handed over for the first reader with these answers."""
        self.mailer.answers[address(0)] = deque(answers)
        edition = await self.office.freeze(2)
        await self.office.send(edition)
        return edition

    async def edition(self, name: str = PAGI, reader: int = 0) -> Explanation:
        who = address(reader)
        return await explain_edition(self.db, who, address_digest(PEPPER, who), name, zone=SITE.timezone)

    async def story(self, number: int = 1, reader: int = 0, *, now: datetime = NOW) -> Explanation:
        who, digest = address(reader), address_digest(PEPPER, address(reader))
        story = make_article(number).id
        return await explain_story(self.db, who, digest, story, self.known, zone=SITE.timezone, now=now)

    async def leave(self, reader: int = 0, *, now: datetime = NOW) -> None:
        async with self.db.write() as connection:
            person = await audience.by_address(connection, address(reader))
            assert person is not None
            await audience.unsubscribe(connection, "pagi", person.id, now=now)

    async def suppress(self, reader: int = 0) -> None:
        async with self.db.write() as connection:
            await audience.suppress(connection, address_digest(PEPPER, address(reader)), "complaint", now=NOW)


@pytest.fixture
def desk(db: Database, tmp_path: Path) -> Desk:
    return Desk(db, tmp_path)


@pytest.fixture
async def begun(desk: Desk) -> Desk:
    """A newsletter with two readers, and nothing told yet."""
    await know_newsletters(desk.db, list(desk.known.values()))
    async with desk.db.write() as connection:
        await add_reader(connection, 0)
        await add_reader(connection, 1)
    return desk


async def test_who_got_an_edition_is_told_every_rule_in_order(desk: Desk) -> None:
    await desk.mail()
    found = await desk.edition()

    assert found.answer is Answer.YES
    assert rules(found) == [
        *("edition.composed", "edition.frozen", "edition.stories"),
        *("subscription.active", "candidate", "delivery.accepted"),
    ]
    assert said(found, "edition.frozen") == "Its stories and readers were final at 2026-11-24 09:00:00 WIB."
    assert facts(found, "edition.stories") == {"articles": [make_article(1).id]}


@pytest.mark.parametrize(
    ("outcome", "rule", "answer", "words"),
    [
        (REFUSED, "delivery.refused", Answer.NO, "550 5.1.1 no such user"),
        (UNCERTAIN, "delivery.uncertain", Answer.UNKNOWN, f"`syndicate editions doubts {PAGI}`"),
        (DEFERRED, "delivery.deferred", Answer.NOT_YET, "451 4.7.1 later"),
    ],
)
async def test_what_the_channel_said_decides(
    desk: Desk, outcome: Outcome, rule: str, answer: Answer, words: str
) -> None:
    await desk.mail(outcome)
    found = await desk.edition()

    assert (rules(found)[-1], found.answer) == (rule, answer)
    assert words in said(found, rule)


async def test_what_came_back_was_not_got(desk: Desk) -> None:
    edition = await desk.mail()
    async with desk.db.write() as connection:
        person = await audience.by_address(connection, address(0))
        assert person is not None
        sent = (await ledger.entries(connection, person.id, [edition.id]))[edition.id].id
        await receipts.add(connection, digest="d", origin="kotak", body=b"x", now=NOW)
        (arrived,) = await receipts.unread(connection, after=0, limit=9)
        await receipts.note(
            connection, arrived.id, Verdict.HARD, status="5.1.1", text="unknown", step="suppress", delivery_id=sent
        )
        await receipts.set_receipt(connection, sent, Receipt.BOUNCED)
    await desk.suppress()
    found = await desk.edition()

    assert found.answer is Answer.NO
    assert rules(found)[-4:] == ["delivery.accepted", "report", "receipt.bounced", "address.suppressed"]
    assert "hard 5.1.1 unknown; followed by: suppress" in said(found, "report")
    assert (await desk.edition(reader=1)).answer is Answer.YES


async def test_who_left_before_it_was_handed_over_was_excluded(desk: Desk) -> None:
    edition = await desk.office.freeze(2)
    await desk.leave()
    await desk.office.send(edition)
    found = await desk.edition()

    assert found.answer is Answer.NO
    assert rules(found)[-3:] == ["subscription.ended", "candidate", "delivery.excluded"]
    assert "the subscription had ended" in said(found, "delivery.excluded")


async def test_a_suppressed_address_was_excluded(begun: Desk) -> None:
    await publish(begun.db, 1)
    await begun.suppress()
    await begun.issue()
    found = await begun.edition()

    assert found.answer is Answer.NO
    assert facts(found, "delivery.excluded")["reason"] == "suppressed"
    assert "complaint" in said(found, "address.suppressed")


async def test_who_subscribed_after_the_edition_was_not_due_it(begun: Desk) -> None:
    await publish(begun.db, 1)
    await begun.issue(now=NOW - timedelta(days=10))
    found = await begun.edition()

    assert (rules(found)[-1], found.answer) == ("candidate.too_late", Answer.NO)


async def test_who_left_before_the_edition_was_not_due_it(begun: Desk) -> None:
    await publish(begun.db, 1)
    await begun.leave(now=NOW - timedelta(days=1))
    await begun.issue()

    assert rules(await begun.edition())[-1] == "candidate.ended"
    assert (await begun.edition()).answer is Answer.NO


async def test_a_held_edition_is_not_got_yet_and_says_why(desk: Desk) -> None:
    edition = await desk.office.freeze(1)
    await hold_edition(desk.db, edition, why="salah judul")
    held = await desk.edition()
    await cancel_edition(desk.db, edition, why="batal", now=NOW)
    cancelled = await desk.edition()

    assert (held.answer, said(held, "edition.held")) == (
        Answer.NOT_YET,
        "It is on hold, and waits for a person: salah judul.",
    )
    assert (cancelled.answer, said(cancelled, "edition.cancelled")) == (Answer.NO, "It is cancelled: batal.")
    assert facts(cancelled, "delivery.excluded")["reason"] == "cancelled"


async def test_an_edition_that_is_being_composed_is_not_got_yet(begun: Desk) -> None:
    await publish(begun.db, 1)
    await compose_edition(begun.db, make_newsletter(), slot(), STUDIO, now=NOW)
    found = await begun.edition()

    assert found.answer is Answer.NOT_YET
    assert {"edition.composing", "candidate.open"} <= set(rules(found))


async def test_a_slot_that_passed_without_an_edition_is_told_apart_from_one_that_never_came(begun: Desk) -> None:
    async with begun.db.write() as connection:
        await jobs.fire(connection, job="newsletter:pagi", slot=slot(), node="a", why="fired", now=NOW)
    found = await begun.edition()

    assert (rules(found)[0], found.answer) == ("edition.none", Answer.NO)
    with pytest.raises(NotFound, match="edition"):
        await begun.edition("pagi/2026-11-25T0600")


async def test_consents_are_evidence_also_of_somebody_who_is_no_subscriber(begun: Desk) -> None:
    await publish(begun.db, 1)
    await begun.issue()
    digest = address_digest(PEPPER, address(7))
    async with begun.db.write() as connection:
        asked = Consent(newsletter="pagi", what=Said.ASKED, at=NOW, origin="page")
        await consents.add(connection, digest, [asked])
    found = await begun.edition(reader=7)

    assert found.answer is Answer.NO
    assert rules(found)[-3:] == ["consent.asked", "subscription.none", "candidate.none"]
    with pytest.raises(NotFound, match="subscriber"):
        await begun.edition(reader=8)


async def test_of_somebody_who_was_erased_nobody_can_tell(begun: Desk) -> None:
    await publish(begun.db, 1)
    await begun.issue()
    async with begun.db.write() as connection:
        yes = Consent(newsletter="pagi", what=Said.CONFIRMED, at=NOW - timedelta(days=9), origin="page")
        await consents.add(connection, address_digest(PEPPER, address(7)), [yes])

    assert rules(await begun.edition(reader=7))[-1] == "reader.erased"
    assert (await begun.story(reader=7)).answer is Answer.UNKNOWN


async def test_a_story_was_got_with_the_edition_that_told_it_and_in_which_version(desk: Desk) -> None:
    await desk.mail()
    await revise(desk.db, 1, title="Judul baru")
    found = await desk.story()

    assert found.answer is Answer.YES
    assert rules(found)[:3] == ["article", "change.published", "change.updated"]
    assert facts(found, "story.told") == {"edition": PAGI, "version": 1}
    assert facts(found, "story.updated_since")["version"] == 2
    assert rules(found)[-1] == "delivery.accepted"


async def test_a_story_that_no_room_was_for_is_never_mailed(begun: Desk) -> None:
    await publish(begun.db, 1, 2)
    await begun.issue(max=1)
    older, newer = await begun.story(1), await begun.story(2)

    assert (older.answer, rules(older)[-1]) == (Answer.NO, "story.left_out_max")
    assert newer.answer is Answer.NOT_YET
    assert facts(await begun.edition(), "edition.left_out_max") == {"articles": [make_article(1).id]}


async def test_a_story_that_the_selection_refuses_says_by_which_key(begun: Desk) -> None:
    begun.known["pagi"] = make_newsletter(selection=DAERAH)
    await publish(begun.db, 1)
    await publish(begun.db, 2, sections=("Olahraga",))
    await begun.issue(selection=DAERAH)
    found = await begun.story(2)

    assert found.answer is Answer.NO
    assert rules(found)[-2:] == ["story.in_span", "story.selection"]
    assert "it asks for sections daerah, and the story has olahraga" in said(found, "story.selection")


async def test_a_story_that_is_ruled_out_says_by_which_key(begun: Desk) -> None:
    begun.known["pagi"] = make_newsletter(selection=Selection(exclude=Selection(tags=frozenset({"pangan"}))))
    await publish(begun.db, 1)
    found = await begun.story()

    assert (rules(found)[-2:], found.answer) == (["story.ahead", "story.selection"], Answer.NO)
    assert "it rules out tags pangan" in said(found, "story.selection")


async def test_a_story_ahead_of_the_cut_waits_for_the_next_slot(begun: Desk) -> None:
    await publish(begun.db, 1)
    found = await begun.story()

    assert (rules(found)[-1], found.answer) == ("story.ahead", Answer.NOT_YET)
    assert facts(found, "story.ahead")["slot"] == "2026-11-25T0600"


async def test_a_story_ahead_of_the_cut_is_not_for_who_left(begun: Desk) -> None:
    await publish(begun.db, 1)
    await begun.leave()

    assert (await begun.story()).answer is Answer.NO


async def test_a_first_import_is_not_mailed(begun: Desk) -> None:
    await publish(begun.db, 1, announced=False)
    found = await begun.story()

    assert (rules(found)[-1], found.answer) == ("story.baseline", Answer.NO)
    assert "first import" in said(found, "change.published")


async def test_a_story_of_before_the_newsletter_is_not_mailed(desk: Desk) -> None:
    await publish(desk.db, 5)
    await desk.mail()
    found = await desk.story(5)

    assert (rules(found)[-2:], found.answer) == (["story.passed", "newsletter.younger"], Answer.NO)


async def test_a_story_withdrawn_by_the_cut_stayed_out(begun: Desk) -> None:
    await publish(begun.db, 1, 2)
    await revise(begun.db, 1, ChangeKind.WITHDRAWN)
    await begun.issue()
    found = await begun.story()

    assert (rules(found)[-2:], found.answer) == (["story.in_span", "story.withdrawn"], Answer.NO)


async def test_a_second_posting_is_not_told(begun: Desk) -> None:
    first, second = await publish(begun.db, 1, 2)
    async with begun.db.write() as connection:
        link = Link(article_id=second.id, other_id=first.id, kind=LinkKind.DOUBLE, at=NOW)
        await likeness.add_link(connection, link)
    await begun.issue()
    found = await begun.story(2)

    assert (rules(found)[-1], found.answer) == ("story.double", Answer.NO)
    assert first.id in said(found, "story.double")


async def test_a_slot_that_passed_with_nothing_to_tell_is_said(begun: Desk) -> None:
    begun.known["pagi"] = make_newsletter(selection=DAERAH)
    await publish(begun.db, 2, sections=("Olahraga",))
    assert await begun.issue(selection=DAERAH) is None
    found = await begun.story(2)

    assert (rules(found)[-2:], found.answer) == (["story.passed", "story.selection"], Answer.NO)


async def test_a_selection_that_was_changed_since_is_not_taken_for_the_reason(begun: Desk) -> None:
    await publish(begun.db, 1)
    await publish(begun.db, 2, sections=("Olahraga",))
    await begun.issue(selection=DAERAH)
    found = await begun.story(2)

    assert (rules(found)[-1], found.answer) == ("story.otherwise", Answer.NO)


async def test_one_of_several_newsletters_is_enough(begun: Desk) -> None:
    begun.known["sore"] = make_newsletter(name="sore", selection=Selection(tags=frozenset({"cuaca"})))
    async with begun.db.write() as connection:
        person = await audience.by_address(connection, address(0))
        assert person is not None
        await audience.subscribe(connection, "sore", person.id, origin="form", now=NOW - timedelta(days=9))
    await publish(begun.db, 1)
    edition = await begun.issue()
    assert edition is not None
    await begun.office.send(edition)
    found = await begun.story()

    assert found.answer is Answer.YES
    assert rules(found)[-3:] == ["subscription.active", "story.ahead", "story.selection"]


async def test_a_story_of_a_newsletter_that_is_no_more_is_said(begun: Desk) -> None:
    await publish(begun.db, 1)
    begun.known.clear()

    assert rules(await begun.story())[-1] == "newsletter.gone"


async def test_a_story_nobody_knows_is_not_found(begun: Desk) -> None:
    with pytest.raises(NotFound, match="article"):
        await begun.story(99)
