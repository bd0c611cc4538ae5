"""Why a partner or a feed did, or didn't, get a story: the rules that decided, after real steps."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.change import ChangeKind
from syndicate.domain.delivery import Outcome, OutcomeKind
from syndicate.domain.explanation import Answer, Explanation
from syndicate.domain.feed import Feed
from syndicate.domain.likeness import Link, LinkKind
from syndicate.domain.partner import Endpoint
from syndicate.domain.selection import Selection
from syndicate.errors import NotFound
from syndicate.formats import FORMATS
from syndicate.pipeline.explain_outlets import explain_feed, explain_partner
from syndicate.pipeline.notify import Courier, know_endpoints, plan_pushes, push_due
from syndicate.pipeline.publish import Press, publish_feeds
from syndicate.store import likeness, partners
from syndicate.store.db import Database
from syndicate.store.partners import Key
from tests.factories import (
    DEFERRED,
    NOW,
    REFUSED,
    SITE,
    ScriptedMailer,
    ScriptedPusher,
    SetClock,
    make_article,
    make_endpoint,
    make_feed,
)
from tests.pipeline.mailing import Postoffice
from tests.pipeline.stories import publish, revise
from tests.pipeline.test_explain import facts, rules, said

GONE = Outcome(kind=OutcomeKind.REFUSED, code="HTTP 410", gone=True)
EKONOMI = Selection(sections=frozenset({"ekonomi"}))
MITRA = make_feed(name="mitra", partners=("portal",))


class Outlet:
    """A partner with one endpoint, feeds, and somebody who asks."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db, self.folder, self.clock = db, folder, SetClock()
        self.endpoint = make_endpoint()

    def press(self, *feeds: Feed) -> Press:
        return Press(site=SITE, feeds=feeds, formats=tuple(FORMATS.values()), folder=self.folder)

    async def push(self, *answers: Outcome) -> None:
        await plan_pushes(self.db, [self.endpoint], now=NOW)
        pushers = {"scripted": ScriptedPusher(*answers)}
        courier = Courier(site=SITE, pushers=pushers, owner="a", clock=self.clock, chance=lambda: 0.5)
        await push_due(self.db, self.endpoint, courier)

    async def partner(
        self, number: int = 1, *feeds: Feed, endpoints: tuple[Endpoint, ...] | None = None
    ) -> Explanation:
        listed = (self.endpoint,) if endpoints is None else endpoints
        story = make_article(number).id
        return await explain_partner(self.db, "portal", story, listed, self.press(*feeds), now=NOW)

    async def feed(self, number: int = 1, *, now: Any = NOW, **changes: Any) -> Explanation:
        feed = make_feed(**changes)
        return await explain_feed(self.db, feed, make_article(number).id, self.press(feed), now=now)

    async def publish(self, *, now: Any = NOW, **changes: Any) -> None:
        await publish_feeds(self.db, self.press(make_feed(**changes)), now=now)


@pytest.fixture
async def outlet(db: Database, tmp_path: Path) -> Outlet:
    await publish(db, 90)  # of before the endpoint: it is not told
    await know_endpoints(db, [make_endpoint()])
    return Outlet(db, tmp_path)


async def test_a_partner_got_what_its_endpoint_took_over(outlet: Outlet) -> None:
    await publish(outlet.db, 1)
    await outlet.push()
    found = await outlet.partner()

    assert found.answer is Answer.YES
    assert rules(found) == ["article", "change.published", "endpoint.selection", "push.accepted"]


async def test_what_was_superseded_is_told_beside_what_went_instead(outlet: Outlet) -> None:
    await publish(outlet.db, 1)
    await outlet.push(DEFERRED)
    await revise(outlet.db, 1, title="Judul baru")
    await plan_pushes(outlet.db, [outlet.endpoint], now=NOW)
    found = await outlet.partner()

    assert (rules(found)[-2:], found.answer) == (["push.excluded", "push.due"], Answer.NOT_YET)
    assert "a newer version went in its place" in said(found, "push.excluded")


async def test_a_withdrawal_takes_nothing_from_what_was_got(outlet: Outlet) -> None:
    await publish(outlet.db, 1)
    await outlet.push()
    await revise(outlet.db, 1, ChangeKind.WITHDRAWN)
    await outlet.push()
    found = await outlet.partner()

    assert (rules(found)[-2:], found.answer) == (["push.accepted", "push.accepted"], Answer.YES)
    assert "article.withdrawn" in found.findings[-1].said


async def test_a_dead_letter_names_its_cure_and_what_was_said(outlet: Outlet) -> None:
    await publish(outlet.db, 1)
    await outlet.push(REFUSED)
    found = await outlet.partner()

    assert (rules(found)[-1], found.answer) == ("push.refused", Answer.NO)
    assert "`syndicate partners replay " in said(found, "push.refused")
    assert "550 5.1.1 no such user" in said(found, "push.refused")


async def test_an_endpoint_that_is_switched_off_is_said_first(outlet: Outlet) -> None:
    await publish(outlet.db, 1, 2)
    await outlet.push(GONE)
    found = await outlet.partner(2)

    assert found.answer is Answer.NO
    assert rules(found)[-3:] == ["endpoint.off", "endpoint.selection", "push.excluded"]
    assert "the endpoint was switched off" in said(found, "push.excluded")


async def test_a_story_that_isnt_planned_for_yet_is_ahead(outlet: Outlet) -> None:
    await publish(outlet.db, 1)
    found = await outlet.partner()

    assert (rules(found)[-1], found.answer) == ("endpoint.ahead", Answer.NOT_YET)


async def test_a_story_of_before_the_endpoint_was_not_pushed(outlet: Outlet) -> None:
    found = await outlet.partner(90)

    assert (rules(found)[-1], found.answer) == ("endpoint.passed", Answer.NO)


async def test_the_selection_of_an_endpoint_refuses_by_a_key(outlet: Outlet) -> None:
    outlet.endpoint = make_endpoint(selection=EKONOMI)
    await publish(outlet.db, 1)
    await outlet.push()
    found = await outlet.partner()

    assert (rules(found)[-1], found.answer) == ("endpoint.selection_refused", Answer.NO)
    assert "it asks for sections ekonomi" in said(found, "endpoint.selection_refused")


async def test_first_imports_and_second_postings_are_not_pushed(outlet: Outlet) -> None:
    await publish(outlet.db, 1, announced=False)
    first, second = await publish(outlet.db, 2, 3)
    async with outlet.db.write() as connection:
        link = Link(article_id=second.id, other_id=first.id, kind=LinkKind.DOUBLE, at=NOW)
        await likeness.add_link(connection, link)
    await outlet.push()

    assert rules(await outlet.partner(1))[-1] == "story.baseline"
    assert rules(await outlet.partner(3))[-1] == "story.double"
    assert (await outlet.partner(2)).answer is Answer.YES


async def test_an_edition_brings_the_story_too(db: Database, tmp_path: Path) -> None:
    outlet = Outlet(db, tmp_path)
    outlet.endpoint = make_endpoint(newsletters=("pagi",), selection=EKONOMI)
    await Postoffice(db, tmp_path, ScriptedMailer()).freeze(1, outlet.endpoint)
    await outlet.push()
    found = await outlet.partner()

    assert (rules(found)[-1], found.answer) == ("push.accepted", Answer.YES)
    assert facts(found, "push.accepted")["edition"] == "pagi/2026-11-24T0600"


async def test_a_private_feed_gives_it_to_who_has_a_key(outlet: Outlet) -> None:
    await publish(outlet.db, 1)
    await publish_feeds(outlet.db, outlet.press(MITRA), now=NOW)
    without = await outlet.partner(1, MITRA, endpoints=())
    async with outlet.db.write() as connection:
        key = Key(id="k", partner="portal", digest="d", created_at=NOW, revoked_at=None)
        await partners.add_key(connection, key)
    given = await outlet.partner(1, MITRA, endpoints=())

    assert (rules(without)[-3:], without.answer) == (["partner.no_key", "feed.selection", "feed.shown"], Answer.NO)
    assert (rules(given)[-2:], given.answer) == (["feed.selection", "feed.shown"], Answer.YES)


async def test_a_partner_with_nothing_gets_nothing(outlet: Outlet) -> None:
    found = await outlet.partner(90, endpoints=())

    assert (rules(found)[-1], found.answer) == ("partner.nothing", Answer.NO)


async def test_a_feed_shows_it_on_a_place(outlet: Outlet) -> None:
    await publish(outlet.db, 1)
    await outlet.publish()
    found = await outlet.feed(1)

    assert (rules(found)[-2:], found.answer) == (["feed.selection", "feed.shown"], Answer.YES)
    assert (facts(found, "feed.shown")["place"], facts(found, "feed.shown")["of"]) == (2, 2)


async def test_the_selection_of_a_feed_refuses_by_a_key(outlet: Outlet) -> None:
    await outlet.publish(selection=EKONOMI)
    found = await outlet.feed(90, selection=EKONOMI)

    assert (rules(found)[-1], found.answer) == ("feed.selection_refused", Answer.NO)


async def test_a_story_beyond_the_limit_has_left_the_feed(outlet: Outlet) -> None:
    await publish(outlet.db, 1)
    await outlet.publish(limit=1)
    found, later = await outlet.feed(1, limit=1), await outlet.feed(1, limit=1, now=NOW + timedelta(days=30))

    assert (rules(found)[-1], found.answer) == ("feed.beyond_limit", Answer.NO)
    assert rules(later)[-1] == "feed.archived"
    assert said(later, "feed.archived").endswith("/feeds/terkini/2026-11.atom")


async def test_a_withdrawn_story_is_shown_as_a_notice_and_then_leaves(outlet: Outlet) -> None:
    await publish(outlet.db, 1)
    await revise(outlet.db, 1, ChangeKind.WITHDRAWN)
    await outlet.publish()
    shown = await outlet.feed(1)
    await outlet.publish(now=NOW + timedelta(days=31))
    gone = await outlet.feed(1)

    assert "as the notice that it was withdrawn" in said(shown, "feed.shown")
    assert (rules(gone)[-1], gone.answer) == ("feed.withdrawn", Answer.NO)
    assert "a tombstone stands for it" in said(gone, "feed.withdrawn")


async def test_a_format_that_cant_write_it_is_named(outlet: Outlet) -> None:
    await publish(outlet.db, 1, url="javascript:alert(1)")
    await outlet.publish()
    found = await outlet.feed(1)

    assert "feed.quarantined" in rules(found)
    assert found.answer is Answer.NO


async def test_what_isnt_published_yet_is_not_shown_yet(outlet: Outlet) -> None:
    never = await outlet.feed(90)
    await outlet.publish()
    await publish(outlet.db, 1)
    ahead = await outlet.feed(1)

    assert (rules(never)[-1], never.answer) == ("feed.unpublished", Answer.NOT_YET)
    assert (rules(ahead)[-2:], ahead.answer) == (["feed.ahead", "feed.waits"], Answer.NOT_YET)


async def test_a_feed_whose_configuration_was_changed_waits_for_its_next_publishing(outlet: Outlet) -> None:
    await outlet.publish(selection=EKONOMI)

    assert rules(await outlet.feed(90))[-1] == "feed.waits"


async def test_a_story_nobody_knows_is_not_found(outlet: Outlet) -> None:
    with pytest.raises(NotFound, match="article"):
        await outlet.feed(99)
    with pytest.raises(NotFound, match="article"):
        await outlet.partner(99)
