"""Explanations of what one reader's copy had: topics, what they had got already, rhythms, and the hour to come."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from syndicate.domain.article import Edit
from syndicate.domain.audience import Rhythm
from syndicate.domain.audience import address_digest as digest_of
from syndicate.domain.explanation import Answer, Explanation
from syndicate.domain.slot import Slot, parse_schedule
from syndicate.pipeline.explain import explain_edition, explain_story
from syndicate.store.db import Database
from tests.factories import NOW, PEPPER, SITE, make_article
from tests.pipeline.audience import PAGI, Town
from tests.pipeline.mailing import address
from tests.pipeline.stories import publish
from tests.pipeline.test_breaking import run
from tests.pipeline.test_seen import edit

FULL = replace(PAGI, roundup=parse_schedule("sun 07:00"), breaking=("gempa",))


class Asked(Town):
    """Readers who ask."""

    async def story(self, number: int = 1, reader: int = 1) -> Explanation:
        who, zone = address(reader), SITE.timezone
        story, known = make_article(number).id, self.newsletters
        return await explain_story(self.db, who, digest_of(PEPPER, who), story, known, zone=zone, now=NOW)

    async def edition(self, name: str, reader: int = 1) -> Explanation:
        who = address(reader)
        return await explain_edition(self.db, who, digest_of(PEPPER, who), name, zone=SITE.timezone)


@pytest.fixture
async def town(db: Database) -> Asked:
    asked = Asked(db, FULL, replace(FULL, name="sore"))
    await asked.open()
    return asked


def said(found: Explanation, rule: str) -> str:
    return next((one.said for one in found.findings if one.rule == rule), "")


async def test_a_story_of_none_of_a_reader_s_topics_was_left_out_of_their_copy(town: Asked) -> None:
    await town.reader(1, "pagi", topics=["ekonomi"])
    await publish(town.db, 1, sections=("Daerah",))
    await publish(town.db, 2, sections=("Ekonomi",))
    edition = await town.issue()
    out, inside = await town.story(1), await town.story(2)

    assert out.answer is Answer.NO
    assert "none of the topics" in said(out, "story.off_topic")
    assert inside.answer is Answer.NOT_YET
    assert said(await town.edition(f"pagi/{edition.slot}"), "story.off_topic").endswith(f": {make_article(1).id}.")


async def test_a_story_that_another_newsletter_brought_says_so_and_counts_as_got(town: Asked) -> None:
    person = await town.reader(1)
    await publish(town.db, 1)
    first = await town.issue("pagi")
    await publish(town.db, 2)
    await town.issue("sore")
    await town.settle(first, person, state="accepted")
    found = await town.story(1)

    assert found.answer is Answer.YES
    assert "an earlier edition had brought it" in said(found, "story.seen")


async def test_a_story_that_came_again_is_said_to_be_marked(town: Asked) -> None:
    await town.reader(1)
    await publish(town.db, 1)
    await town.issue("pagi")
    await edit(town.db, 1, Edit.MAJOR)
    await town.issue("sore")

    assert "updated since it was sent" in said(await town.story(1), "story.marked_updated")


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"topics": ["ekonomi"]}, "no story in it was of the topics"),
        ({"paused_until": NOW + timedelta(days=1)}, "the reader wanted nothing for a while"),
    ],
)
async def test_why_a_candidate_was_excluded_is_said(town: Asked, chosen: dict[str, Any], words: str) -> None:
    await town.reader(1, "pagi", **chosen)
    await publish(town.db, 1, sections=("Daerah",))
    edition = await town.issue()
    found = await town.edition(f"pagi/{edition.slot}")

    assert (found.answer, words in said(found, "delivery.excluded")) == (Answer.NO, True)


async def test_who_has_all_of_it_and_who_had_enough_for_a_day_are_told(town: Asked) -> None:
    town.change(breaking_max=1)
    await town.reader(1)
    await publish(town.db, 1, 2, tags=("gempa",), changed_at=NOW)
    _, second = await run(town)
    await publish(town.db, 3)
    await town.issue("pagi")
    third = await town.issue("sore")

    assert "as much breaking news" in said(await town.edition(f"pagi/{second.slot}"), "delivery.excluded")
    assert "had brought them all" in said(await town.edition(f"sore/{third.slot}"), "delivery.excluded")


async def test_a_mail_that_waits_for_the_reader_s_hour_says_until_when(town: Asked) -> None:
    await town.reader(1, "pagi", hour=12)
    await publish(town.db, 1)
    edition = await town.issue()
    found = await town.edition(f"pagi/{edition.slot}")

    assert found.answer is Answer.NOT_YET
    assert said(found, "delivery.due").endswith("from 2026-11-24 12:00:00 WIB on, when their own hour comes.")


async def test_who_wants_the_round_up_was_not_due_the_edition_and_gets_the_story_with_it(town: Asked) -> None:
    await town.reader(1, "pagi", rhythm="weekly")
    await publish(town.db, 1)
    edition = await town.issue()
    found, ahead = await town.edition(f"pagi/{edition.slot}"), await town.story(1)
    await town.issue(rhythm=Rhythm.WEEKLY, slot=Slot(at=NOW, name="2026-W48"))
    after = await town.story(1)

    assert found.answer is Answer.NO
    assert "only the round-up of the week" in said(found, "candidate.other_rhythm")
    assert ahead.answer is Answer.NOT_YET
    assert "its next slot, 2026-W48 at 2026-11-29 07:00:00 WIB" in said(ahead, "story.ahead")
    assert after.answer is Answer.NOT_YET
    assert [one.facts["edition"] for one in after.findings if one.rule == "story.told"][-1] == "pagi/2026-W48"


async def test_who_wants_only_breaking_news_is_told_what_is_none(town: Asked) -> None:
    await town.reader(1, "pagi", rhythm="breaking")
    await publish(town.db, 1)
    await publish(town.db, 2, tags=("gempa",), changed_at=NOW)
    none, ahead = await town.story(1), await town.story(2)
    await run(town)
    got = await town.story(2)

    assert (none.answer, "this is none" in said(none, "story.not_breaking")) == (Answer.NO, True)
    assert (ahead.answer, got.answer) == (Answer.NOT_YET, Answer.NOT_YET)
    assert said(got, "story.told") == "pagi/seq-2 tells the story in version 1."
