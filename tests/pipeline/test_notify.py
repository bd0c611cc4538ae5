"""Change log → partners: in order, each once, newer over older, corrections and withdrawals included."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.change import ChangeKind
from syndicate.domain.delivery import Outcome, OutcomeKind
from syndicate.domain.partner import Endpoint
from syndicate.domain.selection import Selection
from syndicate.pipeline.enqueue import hold_edition, release_edition
from syndicate.pipeline.notify import Courier, NotifyReport, know_endpoints, plan_pushes, push_due
from syndicate.ports import Parcel
from syndicate.store import jobs, partners
from syndicate.store.db import Database
from tests.factories import (
    DEFERRED,
    NOW,
    REFUSED,
    SITE,
    ScriptedMailer,
    ScriptedPusher,
    SetClock,
    make_endpoint,
)
from tests.pipeline.mailing import Postoffice
from tests.pipeline.stories import publish, revise

GONE = Outcome(kind=OutcomeKind.REFUSED, code="HTTP 410", gone=True)
LOST = replace(DEFERRED, doubtful=True)  # the answer was lost: it may have arrived
WITHDRAWN, RESTORED, CORRECTED = ChangeKind.WITHDRAWN, ChangeKind.RESTORED, ChangeKind.CORRECTED


class SlowPusher(ScriptedPusher):
    """A partner that takes its time: something happens here while the first push is on the wire."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self._meanwhile: Callable[[], Awaitable[object]] | None = meanwhile

    async def push(self, endpoint: Endpoint, parcel: Parcel, *, now: datetime) -> Outcome:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return await super().push(endpoint, parcel, now=now)


class Portal:
    """A partner with one endpoint, and the courier that goes there."""

    def __init__(self, db: Database) -> None:
        self.db, self.endpoint, self.pusher, self.clock = db, make_endpoint(), ScriptedPusher(), SetClock()

    async def plan(self, endpoint: Endpoint | None = None) -> int:
        return await plan_pushes(self.db, [endpoint or self.endpoint], now=self.clock.now())

    async def push(self, *answers: Outcome) -> NotifyReport:
        self.pusher.answers.extend(answers)
        courier = Courier(site=SITE, pushers={"scripted": self.pusher}, owner="a", clock=self.clock, chance=lambda: 0.5)
        return await push_due(self.db, self.endpoint, courier)

    async def tell(self, *answers: Outcome) -> NotifyReport:
        await self.plan()
        return await self.push(*answers)

    def while_on_the_wire(self, kind: ChangeKind, **content: Any) -> None:
        """Story 1 changes while the next push is on the wire."""

        async def change() -> None:
            await revise(self.db, 1, kind, **content)
            await self.plan()

        self.pusher = SlowPusher(change)

    async def lines(self, **which: Any) -> list[tuple[str, str, str]]:
        async with self.db.read() as connection:
            found = await partners.lines(connection, limit=99, **which)
        return [(line.type, line.state, line.reason) for line in reversed(found)]


@pytest.fixture
async def portal(db: Database) -> Portal:
    await publish(db, 90)  # of before the endpoint: it is not told
    await know_endpoints(db, [make_endpoint()])
    await know_endpoints(db, [make_endpoint()])
    return Portal(db)


async def test_every_change_is_told_once_and_in_order(portal: Portal) -> None:
    await publish(portal.db, 1)
    await portal.tell()
    await revise(portal.db, 1, title="Judul baru")
    await portal.tell()
    await portal.tell()

    assert portal.pusher.types() == ["article.published", "article.updated"]
    assert [parcel.data["title"] for parcel in portal.pusher.got] == ["Berita 1", "Judul baru"]


async def test_planning_asks_for_a_job_of_the_endpoints_own(portal: Portal) -> None:
    await publish(portal.db, 1, 2)

    assert (await portal.plan(), await portal.plan()) == (2, 0)
    async with portal.db.read() as connection:
        (job,) = await jobs.listed(connection, limit=9)
    assert (job.lane, job.kind, job.key) == ("push", "push", "push:portal")


async def test_a_newer_version_takes_the_place_of_an_unsent_one(portal: Portal) -> None:
    await publish(portal.db, 1)
    await portal.plan()
    await revise(portal.db, 1, CORRECTED, title="Judul yang benar")
    await portal.tell()

    assert portal.pusher.types() == ["article.published"]
    assert portal.pusher.got[0].data["title"] == "Judul yang benar"
    assert ("article.published", "excluded", "superseded") in await portal.lines()


async def test_a_correction_is_not_lost_under_a_later_update(portal: Portal) -> None:
    await publish(portal.db, 1)
    await portal.tell()
    await revise(portal.db, 1, CORRECTED, title="Judul yang benar")
    await portal.plan()
    await revise(portal.db, 1, title="Judul yang indah")
    await portal.tell()

    assert portal.pusher.types() == ["article.published", "article.corrected"]
    assert portal.pusher.got[1].data["title"] == "Judul yang indah"


async def test_a_withdrawal_goes_first_and_carries_no_text(portal: Portal) -> None:
    await publish(portal.db, 1)
    await portal.tell()
    await publish(portal.db, 2, 3)
    await revise(portal.db, 1, WITHDRAWN, note="Sumber menarik keterangannya.")
    await portal.tell()

    assert portal.pusher.types()[1:] == ["article.withdrawn", "article.published", "article.published"]
    assert portal.pusher.got[1].data["note"] == "Sumber menarik keterangannya."
    assert not {"content_html", "summary", "picture"} & portal.pusher.got[1].data.keys()


async def test_a_story_withdrawn_before_it_was_sent_is_never_mentioned(portal: Portal) -> None:
    await publish(portal.db, 1)
    await portal.plan()
    await revise(portal.db, 1, WITHDRAWN)
    await portal.tell()

    assert portal.pusher.tries == 0


async def test_a_story_that_a_partner_refused_to_take_is_never_mentioned_when_withdrawn(portal: Portal) -> None:
    await publish(portal.db, 1)
    await portal.tell(DEFERRED)
    await revise(portal.db, 1, WITHDRAWN)
    await portal.tell()

    assert portal.pusher.types() == []


async def test_a_story_whose_answer_was_lost_is_withdrawn_over_there(portal: Portal) -> None:
    await publish(portal.db, 1)
    await portal.tell(LOST)
    await revise(portal.db, 1, title="Judul baru")
    await portal.plan()
    await revise(portal.db, 1, WITHDRAWN)
    await portal.tell()

    assert portal.pusher.types() == ["article.withdrawn"]


async def test_what_was_on_the_wire_at_a_crash_is_withdrawn_over_there(portal: Portal) -> None:
    await publish(portal.db, 1)
    await portal.plan()
    async with portal.db.write() as connection:
        ((push, _),) = await partners.claim(connection, "portal", owner="dead", limit=1, now=NOW)
        await partners.mark(connection, push.id, owner="dead")
        await partners.abandon(connection, alive=["a"])
    await revise(portal.db, 1, WITHDRAWN)
    await portal.tell()

    assert portal.pusher.types() == ["article.withdrawn"]


async def test_a_story_that_leaves_the_selection_is_withdrawn_over_there(portal: Portal) -> None:
    portal.endpoint = make_endpoint(selection=Selection(tags=frozenset({"pangan"})))
    await publish(portal.db, 1)
    await portal.tell()
    await revise(portal.db, 1, tags=("cuaca",))
    await portal.tell()
    await revise(portal.db, 1, title="Judul baru")
    await portal.tell()

    assert portal.pusher.types() == ["article.published", "article.withdrawn"]


@pytest.mark.parametrize("answer", [DEFERRED, LOST])
async def test_a_story_withdrawn_while_it_is_on_the_wire_is_not_sent_again(portal: Portal, answer: Outcome) -> None:
    portal.while_on_the_wire(WITHDRAWN)
    await publish(portal.db, 1)
    await portal.tell(answer)
    portal.clock.forward(days=1)
    await portal.push()

    assert portal.pusher.types() == ["article.withdrawn"]


@pytest.mark.parametrize("answer", [DEFERRED, LOST])
@pytest.mark.parametrize("kind", [ChangeKind.UPDATED, CORRECTED])
async def test_an_edit_while_the_first_version_is_on_the_wire_goes_as_published_if_that_fails(
    portal: Portal, kind: ChangeKind, answer: Outcome
) -> None:
    portal.while_on_the_wire(kind, title="Judul baru")
    await publish(portal.db, 1)
    await portal.tell(answer)
    portal.clock.forward(days=1)
    await portal.push()

    assert [(one.type, one.data["title"]) for one in portal.pusher.got] == [("article.published", "Judul baru")]


async def test_an_edit_while_the_first_version_is_on_the_wire_follows_it_if_that_arrives(portal: Portal) -> None:
    portal.while_on_the_wire(ChangeKind.UPDATED, title="Judul baru")
    await publish(portal.db, 1)
    await portal.tell()

    assert portal.pusher.types() == ["article.published", "article.updated"]


async def test_a_story_that_was_withdrawn_over_there_comes_back_as_restored(portal: Portal) -> None:
    await publish(portal.db, 1)
    for kind in (WITHDRAWN, RESTORED):
        await portal.tell()
        await revise(portal.db, 1, kind)
    await portal.tell()

    assert portal.pusher.types() == ["article.published", "article.withdrawn", "article.restored"]


async def test_a_story_that_was_restored_before_the_partner_had_it_is_new_there(portal: Portal) -> None:
    await publish(portal.db, 1)
    await portal.tell(DEFERRED)
    for kind in (WITHDRAWN, RESTORED):
        await revise(portal.db, 1, kind)
        await portal.tell()

    assert portal.pusher.types() == ["article.published"]


async def test_a_withdrawal_whose_answer_was_lost_is_not_forgotten_over_a_later_edit(portal: Portal) -> None:
    portal.endpoint = make_endpoint(selection=Selection(tags=frozenset({"pangan"})))
    await publish(portal.db, 1)
    await portal.tell()
    await revise(portal.db, 1, tags=("cuaca",))
    await portal.tell(LOST)
    await revise(portal.db, 1, title="Judul baru")
    await portal.tell()

    assert portal.pusher.types() == ["article.published", "article.withdrawn"]


async def test_a_first_import_is_not_pushed(portal: Portal) -> None:
    await publish(portal.db, 1, announced=False)

    assert await portal.plan() == 0


async def test_a_deferred_push_waits_and_keeps_its_id(portal: Portal) -> None:
    await publish(portal.db, 1)
    report = await portal.tell(DEFERRED)
    early = await portal.push()
    portal.clock.forward(seconds=10)
    await portal.push()

    assert (report.again_at, early.sent) == (NOW + timedelta(seconds=10), {})
    assert portal.pusher.types() == ["article.published"]


async def test_one_story_is_not_overtaken_while_it_is_put_off(portal: Portal) -> None:
    await publish(portal.db, 1)
    await portal.tell()
    await revise(portal.db, 1, title="Dua")
    await portal.tell(DEFERRED)
    await revise(portal.db, 1, title="Tiga")
    await portal.tell()

    assert [parcel.data["title"] for parcel in portal.pusher.got] == ["Berita 1", "Tiga"]


async def test_a_partner_that_is_down_for_three_days_ends_in_dead_letters_that_can_be_replayed(portal: Portal) -> None:
    await publish(portal.db, 1)
    await portal.plan()
    while (report := await portal.push(DEFERRED)).again_at is not None:
        portal.clock.at = report.again_at
    async with portal.db.read() as connection:
        (dead,) = await partners.lines(connection, limit=9, dead_only=True)
    async with portal.db.write() as connection:
        await partners.replay(connection, dead.id, now=portal.clock.now())
    portal.pusher.answers.clear()
    await portal.push()

    assert (dead.state, dead.code) == ("refused", "expired")
    assert portal.clock.now() - NOW == timedelta(hours=72)
    assert portal.pusher.types() == ["article.published"]


async def test_a_partner_that_is_down_for_just_under_72_hours_loses_nothing(portal: Portal) -> None:
    await publish(portal.db, 1)
    await portal.plan()
    answer = [DEFERRED]
    while (report := await portal.push(*answer)).again_at is not None:
        portal.clock.at = report.again_at
        answer = [DEFERRED] if portal.clock.at - NOW < timedelta(hours=72) else []

    assert portal.pusher.types() == ["article.published"]


async def test_an_old_version_is_not_replayed_after_a_newer_one(portal: Portal) -> None:
    await publish(portal.db, 1)
    await portal.tell(REFUSED)
    await revise(portal.db, 1, title="Judul baru")
    await portal.tell()
    async with portal.db.write() as connection:
        (dead,) = await partners.lines(connection, limit=9, dead_only=True)
        assert await partners.replay(connection, dead.id, now=NOW) is None


async def test_an_address_that_is_no_more_is_switched_off(portal: Portal) -> None:
    await publish(portal.db, 1, 2)
    report = await portal.tell(GONE)
    await publish(portal.db, 3)
    await portal.tell()

    assert report.disabled == "it answered HTTP 410: the address is no more"
    assert portal.pusher.tries == 1
    assert ("article.published", "excluded", "endpoint_disabled") in await portal.lines()


async def test_after_three_deferrals_in_a_row_the_endpoint_is_left_alone(portal: Portal) -> None:
    await publish(portal.db, 1, 2, 3, 4, 5)
    report = await portal.tell(*[DEFERRED] * 9)

    assert portal.pusher.tries == 3
    assert report.sent == {"deferred": 3}
    assert report.again_at is not None
    assert report.again_at > NOW


async def test_a_story_that_cannot_be_put_into_words_stops_nobody_behind_it(portal: Portal) -> None:
    await publish(portal.db, 1, url="javascript:alert(1)")
    await publish(portal.db, 2)
    report = await portal.tell()

    assert report.sent == {"refused": 1, "accepted": 1}
    assert await portal.lines(dead_only=True) == [("article.published", "refused", "")]


async def test_a_pusher_that_breaks_leaves_its_push_to_be_tried_again(portal: Portal) -> None:
    await publish(portal.db, 1)
    await portal.plan()
    portal.endpoint = make_endpoint(kind="unknown")
    with pytest.raises(KeyError):
        await portal.push()
    portal.endpoint = make_endpoint()
    await portal.push()

    assert portal.pusher.types() == ["article.published"]


async def test_an_edition_is_told_with_its_mail_as_everybody_may_read_it(db: Database, tmp_path: Path) -> None:
    portal, office = Portal(db), Postoffice(db, tmp_path, ScriptedMailer())
    edition = await office.freeze(1, make_endpoint(newsletters=("pagi",)))
    await portal.push()

    (parcel,) = portal.pusher.got
    assert parcel.type == "edition.published"
    assert parcel.data["url"] == f"{SITE.public_url}/editions/pagi/{edition.slot}"
    assert "Berita 1" in str(parcel.data["html"])
    assert "q" * 16 not in str(parcel.data["html"]) + str(parcel.data["text"])
    assert "/u/" not in str(parcel.data["text"])


async def test_a_held_edition_is_told_when_it_is_released_and_only_once(db: Database, tmp_path: Path) -> None:
    portal, office = Portal(db), Postoffice(db, tmp_path, ScriptedMailer())
    wants = make_endpoint(newsletters=("pagi",))
    edition = await office.freeze(1, wants)
    pushed = []
    for _ in range(2):
        await hold_edition(db, edition, why="the lead is wrong")
        held = await portal.push()
        await release_edition(db, edition, [wants], now=portal.clock.forward(days=4))
        released = await portal.push()
        pushed.append((held.sent, held.again_at, released.sent))

    assert pushed == [({}, None, {"accepted": 1}), ({}, None, {})]


async def test_a_push_about_an_edition_has_its_72_hours_from_the_release(db: Database, tmp_path: Path) -> None:
    portal, office = Portal(db), Postoffice(db, tmp_path, ScriptedMailer())
    wants = make_endpoint(newsletters=("pagi",))
    edition = await office.freeze(1, wants)
    await portal.push(DEFERRED)
    await hold_edition(db, edition, why="the lead is wrong")
    await release_edition(db, edition, [wants], now=portal.clock.forward(days=4))

    assert (await portal.push(DEFERRED)).sent == {"deferred": 1}


async def test_ids_differ_between_changes_endpoints_and_houses(portal: Portal) -> None:
    await publish(portal.db, 1, 2)
    await portal.tell()
    await revise(portal.db, 1, title="Baru")
    await portal.tell()

    assert len({parcel.id for parcel in portal.pusher.got}) == 3
    assert all(parcel.id.startswith("msg_") for parcel in portal.pusher.got)
