"""Change log → edition: what was published since the last cut, once, and the same again after a crash."""

import asyncio
import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.change import ChangeKind
from syndicate.domain.edition import Edition, EditionState
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.slot import Slot
from syndicate.errors import Refused, StoreTrouble
from syndicate.pipeline.compose import ComposeReport, Composition, compose_edition, know_newsletters
from syndicate.pipeline.enqueue import (
    BATCH,
    cancel_edition,
    freeze_edition,
    hold_edition,
    release_edition,
)
from syndicate.pipeline.render import Studio
from syndicate.store import articles, audience, candidates, changes, editions, jobs, partners, sources
from syndicate.store.db import Database
from tests.factories import NOW, SITE, add_reader, make_endpoint, make_newsletter
from tests.pipeline.stories import publish, revise
from tests.store.editions import add_candidates

TEMPLATES = (Path(__file__).parents[2] / "templates" / "digest",)
STUDIO = Studio(site=SITE, templates=TEMPLATES, sources=(), mark=lambda: "q" * 16)


def slot(day: int = 24, *, late: timedelta = timedelta()) -> Slot:
    return Slot(at=NOW - late, name=f"2026-11-{day}T0600")


class Desk:
    """A newsletter and what its editions hold."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def compose(self, day: int = 24, *, studio: Studio = STUDIO, **newsletter: Any) -> ComposeReport:
        return await compose_edition(self.db, self.newsletter(**newsletter), slot(day), studio, now=NOW)

    async def freeze(self, report: ComposeReport, *, now: datetime = NOW, **endpoint: Any) -> Edition:
        assert report.edition is not None
        endpoints = [make_endpoint(**endpoint)] if endpoint else []
        ours: dict[str, Any] = {"newsletter": self.newsletter(), "studio": STUDIO}
        return (await freeze_edition(self.db, report.edition, endpoints, **ours, now=now)).edition

    async def issue(self, day: int = 24, **newsletter: Any) -> list[str]:
        """Composes and freezes; the stories shown."""
        report = await self.compose(day, **newsletter)
        if report.composition is not Composition.READY:
            return []
        return await self.shown(await self.freeze(report))

    async def shown(self, edition: Edition, *, left_out: str = "") -> list[str]:
        async with self.db.read() as connection:
            ids = [s.article_id for s in await editions.stories(connection, edition.id) if s.left_out == left_out]
            found = await articles.by_ids(connection, ids)
        return [found[i].source_key for i in ids]

    async def job_keys(self) -> list[str]:
        async with self.db.read() as connection:
            return [job.key for job in await jobs.listed(connection, limit=999)]

    @staticmethod
    def newsletter(**changes: Any) -> Newsletter:
        return make_newsletter(**changes)


@pytest.fixture
async def desk(db: Database) -> Desk:
    await publish(db, 90)  # before the newsletter: never mailed
    await know_newsletters(db, [make_newsletter()])
    async with db.write() as connection:
        for number in range(3):
            await add_reader(connection, number)
    return Desk(db)


async def test_an_edition_holds_what_was_published_since_the_last_cut(desk: Desk) -> None:
    await publish(desk.db, 1, 2)
    first = await desk.issue(24)
    await publish(desk.db, 3)
    await revise(desk.db, 1, title="Judul baru")
    second = await desk.issue(25)

    assert (first, second) == (["k2", "k1"], ["k3"])


async def test_a_story_withdrawn_between_composing_and_freezing_holds_the_edition(desk: Desk) -> None:
    await publish(desk.db, 1)
    report = await desk.compose()
    await revise(desk.db, 1, ChangeKind.WITHDRAWN)
    edition = await desk.freeze(report)

    assert (edition.state, edition.why) == (EditionState.HELD, "a story in it was withdrawn meanwhile")


async def test_knowing_a_newsletter_again_does_not_move_its_cut(desk: Desk) -> None:
    await publish(desk.db, 1)
    await know_newsletters(desk.db, [make_newsletter()])

    assert await desk.issue() == ["k1"]


async def test_a_story_is_told_in_its_newest_version_at_the_cut(desk: Desk) -> None:
    await publish(desk.db, 1)
    await revise(desk.db, 1, title="Judul baru")
    report = await desk.compose()

    assert report.edition is not None
    async with desk.db.read() as connection:
        (story,) = await editions.stories(connection, report.edition.id)
        rendering = await editions.rendering(connection, report.edition.id, "all")
    assert story.version == 2
    assert rendering is not None
    assert "Judul baru" in rendering.subject


async def test_a_story_corrected_before_the_cut_is_told_with_the_note(desk: Desk) -> None:
    await publish(desk.db, 1)
    await revise(desk.db, 1, ChangeKind.CORRECTED, note="Harga kemarin keliru.", title="Harga diralat")
    report = await desk.compose()

    assert report.proof is not None
    for part in (report.proof.rendering.html, report.proof.rendering.text):
        assert "Catatan redaksi, 24 November 2026:" in part
        assert "Harga kemarin keliru." in part


async def test_what_happens_after_the_cut_waits_for_the_next_edition(desk: Desk) -> None:
    await publish(desk.db, 1)
    report = await desk.compose()
    await publish(desk.db, 2)
    edition = await desk.freeze(report)

    assert await desk.shown(edition) == ["k1"]
    assert await desk.issue(25) == ["k2"]


async def test_a_back_dated_story_is_in_the_next_edition(desk: Desk) -> None:
    await publish(desk.db, 1, published=NOW - timedelta(days=500), sort_at=NOW)

    assert await desk.issue() == ["k1"]


async def test_a_withdrawn_story_stays_out_and_its_first_return_is_mailed_once(desk: Desk) -> None:
    await publish(desk.db, 1, 2)
    await revise(desk.db, 1, ChangeKind.WITHDRAWN)
    first = await desk.issue(24)
    await revise(desk.db, 1, ChangeKind.RESTORED)
    second = await desk.issue(25)
    await revise(desk.db, 1, ChangeKind.WITHDRAWN)
    await revise(desk.db, 1, ChangeKind.RESTORED)
    third = await desk.issue(26)

    assert (first, second, third) == (["k2"], ["k1"], [])


async def test_more_than_the_maximum_is_left_out_for_good(desk: Desk) -> None:
    await publish(desk.db, 1, 2, 3)
    report = await desk.compose(max=2)
    edition = await desk.freeze(report)

    assert await desk.shown(edition) == ["k3", "k2"]
    assert await desk.shown(edition, left_out="max") == ["k1"]
    assert await desk.issue(25) == []


async def test_fewer_stories_than_the_minimum_wait_for_the_next_edition(desk: Desk) -> None:
    await publish(desk.db, 1)
    report = await desk.compose(24, min=2)
    await publish(desk.db, 2)

    assert (report.composition, report.why) == (Composition.EMPTY, "1 of at least 2 stories")
    assert await desk.issue(25, min=2) == ["k2", "k1"]


async def test_nothing_new_is_no_edition(desk: Desk) -> None:
    report = await desk.compose()

    assert (report.composition, report.edition) == (Composition.EMPTY, None)


async def test_a_newsletter_that_does_not_skip_says_that_nothing_is_new(desk: Desk) -> None:
    report = await desk.compose(skip_empty=False)

    assert report.composition is Composition.READY
    assert await desk.shown(await desk.freeze(report)) == []


async def test_a_story_that_cannot_be_shown_stays_out_and_is_noted(desk: Desk) -> None:
    await publish(desk.db, 1)
    await publish(desk.db, 2, url="javascript:alert(1)")
    edition = await desk.freeze(await desk.compose())

    assert await desk.shown(edition) == ["k1"]
    assert await desk.shown(edition, left_out="unprintable") == ["k2"]


async def test_the_next_story_takes_the_place_of_one_that_cannot_be_shown(desk: Desk) -> None:
    await publish(desk.db, 1, 2)
    await publish(desk.db, 3, url="javascript:alert(1)")
    edition = await desk.freeze(await desk.compose(max=1))

    assert await desk.shown(edition) == ["k2"]
    assert await desk.shown(edition, left_out="unprintable") == ["k3"]
    assert await desk.shown(edition, left_out="max") == ["k1"]


async def test_an_edition_of_which_nothing_can_be_shown_waits_for_a_mended_story(desk: Desk) -> None:
    await publish(desk.db, 1, url="javascript:alert(1)")
    report = await desk.compose()
    await revise(desk.db, 1, url="https://lintaspagi.example/1")

    assert report.composition is Composition.EMPTY
    assert report.why == "0 of at least 1 stories, and 1 that can't be shown"
    assert await desk.issue(25) == ["k1"]


async def test_nothing_is_composed_before_a_first_import_is_whole(desk: Desk) -> None:
    await publish(desk.db, 1)
    studio = Studio(site=SITE, templates=TEMPLATES, sources=("lintas",), mark=STUDIO.mark)
    async with desk.db.write() as connection:
        await sources.know(connection, ["lintas"], now=NOW)
    report = await desk.compose(studio=studio)

    assert (report.composition, report.why) == (Composition.WAITS, "the first import of lintas isn't whole yet")


async def test_a_slot_has_one_edition(desk: Desk) -> None:
    await publish(desk.db, 1)
    edition = await desk.freeze(await desk.compose())
    await publish(desk.db, 2)
    again = await desk.compose()

    assert (again.composition, again.edition) == (Composition.EXISTS, edition)


@pytest.mark.parametrize(
    "where",
    ["editions.put_content", "candidates.add_keys", "candidates.add", "editions.put_books", "editions.count_books"],
)
async def test_a_crash_anywhere_goes_on_with_the_same_cut(
    desk: Desk, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(desk.db, 1)

    async def breaks(*_: Any, **__: Any) -> None:  # a crash at this very point can't be had from outside
        raise RuntimeError("power cut")

    monkeypatch.setattr(f"syndicate.store.{where}", breaks)
    with pytest.raises(RuntimeError, match="power cut"):
        await desk.issue()
    monkeypatch.undo()
    await publish(desk.db, 2)
    begun = where != "editions.put_content"  # begin and put_content are one transaction

    assert await desk.issue() == (["k1"] if begun else ["k2", "k1"])
    assert await desk.issue(25) == (["k2"] if begun else [])


async def test_a_crash_between_two_chunks_of_candidates_misses_nobody(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syndicate.pipeline.tailor.CHUNK", 2)
    await publish(desk.db, 1)
    report = await desk.compose()
    assert report.edition is not None
    async with desk.db.write() as connection:
        await add_candidates(connection, report.edition, after=0, limit=2)
    await desk.freeze(await desk.compose())

    async with desk.db.read() as connection:
        books = await editions.books(connection, report.edition.id)
    assert books is not None
    assert (books.candidates, books.open) == (3, 3)


async def test_two_slots_of_a_newsletter_composed_at_once_share_no_story(desk: Desk) -> None:
    await publish(desk.db, 1, 2)

    async def whole(day: int) -> list[str]:
        try:
            return await desk.issue(day)
        except Refused:
            return []

    shown = await asyncio.gather(*(whole(day) for day in (24, 25, 26)))

    assert sorted(key for keys in shown for key in keys) == ["k1", "k2"]


async def test_another_slot_waits_while_an_edition_is_being_composed(desk: Desk) -> None:
    await publish(desk.db, 1)
    await desk.compose(24)
    report = await desk.compose(25)

    assert (report.composition, "2026-11-24T0600" in report.why) == (Composition.WAITS, True)


async def test_an_edition_is_frozen_once(desk: Desk) -> None:
    await publish(desk.db, 1)
    report = await desk.compose()
    await desk.freeze(report)

    with pytest.raises(Refused, match="frozen by somebody else"):
        await desk.freeze(report)


async def test_a_frozen_edition_knows_its_content_and_asks_for_batches(desk: Desk) -> None:
    await publish(desk.db, 1)
    edition = await desk.freeze(await desk.compose())

    assert (edition.state, len(edition.content_hash), edition.frozen_at) == (EditionState.FROZEN, 64, NOW)
    async with desk.db.read() as connection:
        span = await editions.delivery_span(connection, edition.id)
        assert await changes.cursor(connection, "newsletter:pagi") == edition.cut_to
    assert span is not None
    assert await desk.job_keys() == [f"mail:{edition.id}:{span[0]}"]
    assert BATCH >= 3


async def test_suppressed_readers_are_candidates_that_are_excluded(desk: Desk) -> None:
    await publish(desk.db, 1)
    async with desk.db.write() as connection:
        (one, *_) = await audience.page(connection, after=0, limit=9)
        await audience.suppress(connection, await audience.digest_of(connection, one.id), "bounced", now=NOW)
    edition = await desk.freeze(await desk.compose())

    async with desk.db.read() as connection:
        books = await editions.books(connection, edition.id)
    assert books is not None
    assert (books.candidates, books.excluded, books.open) == (3, 1, 2)


async def test_a_missing_candidate_stops_the_freeze(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await publish(desk.db, 1)
    report = await desk.compose()

    async def nobody(*_: Any, **__: Any) -> list[Any]:  # a bug or a race that only a test can make
        return []

    monkeypatch.setattr(candidates, "page", nobody)
    with pytest.raises(StoreTrouble, match="misses candidates"):
        await desk.freeze(report)
    monkeypatch.undo()

    assert (await desk.freeze(await desk.compose())).state is EditionState.FROZEN


async def test_an_edition_without_readers_is_done_at_once(db: Database) -> None:
    desk = Desk(db)
    await know_newsletters(db, [make_newsletter()])
    await publish(db, 1)
    edition = await desk.freeze(await desk.compose())

    async with db.read() as connection:
        found = await editions.get(connection, edition.id)
    assert found is not None
    assert found.state is EditionState.DONE


async def test_a_slot_more_than_two_hours_late_is_held_and_a_person_releases_it(desk: Desk) -> None:
    await publish(desk.db, 1)
    edition = await desk.freeze(await desk.compose(), now=NOW + timedelta(hours=2, seconds=1))
    before = await desk.job_keys()
    await release_edition(desk.db, edition, [make_endpoint(newsletters=("pagi",))], now=NOW)

    assert (edition.state, edition.why) == (EditionState.HELD, "its slot was missed by more than two hours")
    assert before == []
    assert [key.split(":")[0] for key in await desk.job_keys()] == ["mail", "push"]
    with pytest.raises(Refused, match="only one on hold"):
        await release_edition(desk.db, edition, [], now=NOW)


def heavy(home: Path, size: str = "30000") -> Studio:
    """A publisher's template of which every story takes so many bytes."""
    (home / "heavy").mkdir()
    story = f'<h2>{{{{ story.title }}}}</h2><p>{{{{ "x" * ({size}) }}}}</p>'
    page = f"<html><body>{{% for story in stories %}}{story}{{% endfor %}}</body></html>"
    (home / "heavy" / "digest.html.j2").write_text(page)
    (home / "heavy" / "digest.txt.j2").write_text("{{ stories | map(attribute='title') | join(' ') }}")
    return replace(STUDIO, templates=(home, *TEMPLATES))


async def test_an_edition_too_large_for_a_mail_is_held_and_names_the_stories_to_drop(
    desk: Desk, tmp_path: Path
) -> None:
    await publish(desk.db, *range(1, 8))
    report = await desk.compose(studio=heavy(tmp_path), template="heavy")
    edition = await desk.freeze(report)

    assert edition.state is EditionState.HELD
    assert re.match(r"its HTML is 2\d\d,\d{3} bytes, over 90,000 mail programs cut it off; ", edition.why)
    dropped = "without the last 5 (“Berita 5”, “Berita 4”, “Berita 3”, 2 more): write max = 2"
    assert edition.why.endswith(dropped)
    assert len(await desk.shown(edition)) == 7
    assert await desk.job_keys() == []


async def test_a_person_may_release_an_edition_that_is_too_large(desk: Desk, tmp_path: Path) -> None:
    await publish(desk.db, 1, 2, 3)
    report = await desk.compose(studio=heavy(tmp_path), template="heavy")
    edition = await desk.freeze(report, now=NOW + timedelta(hours=3))
    await release_edition(desk.db, edition, [], now=NOW)

    assert edition.why.endswith("write max = 2; its slot was missed by more than two hours")
    assert [key.split(":")[0] for key in await desk.job_keys()] == ["mail"]


async def test_an_edition_that_is_large_goes_out_with_all_its_stories(desk: Desk, tmp_path: Path) -> None:
    await publish(desk.db, *range(1, 8))
    studio = heavy(tmp_path, size="50 if story.brief else 30000")
    report = await desk.compose(studio=studio, template="heavy")
    edition = await desk.freeze(report)

    assert (edition.state, edition.why) == (EditionState.FROZEN, "")
    assert len(await desk.shown(edition)) == 7
    assert report.proof is not None
    assert (report.proof.brief, report.proof.why_held) == (5, "")
    assert all(f"Berita {n}" in report.proof.rendering.html for n in range(1, 8))
    assert all(f"Berita {n}" in report.proof.rendering.text for n in range(1, 8))


async def test_a_held_edition_was_told_all_the_same(desk: Desk) -> None:
    await publish(desk.db, 1)
    await desk.freeze(await desk.compose(), now=NOW + timedelta(hours=3))
    await revise(desk.db, 1, ChangeKind.RESTORED)

    assert await desk.issue(25) == []


async def test_a_frozen_edition_is_told_to_the_partners_that_want_it(desk: Desk) -> None:
    await publish(desk.db, 1)
    await desk.freeze(await desk.compose(), newsletters=("pagi",))

    async with desk.db.read() as connection:
        (line,) = await partners.lines(connection, limit=9)
    assert (line.endpoint, line.type) == ("portal", "edition.published")


async def test_an_edition_can_be_held_and_cancelled_but_not_after_it_is_over(desk: Desk) -> None:
    await publish(desk.db, 1)
    edition = await desk.freeze(await desk.compose())
    await hold_edition(desk.db, edition, why="the lead is wrong")
    with pytest.raises(Refused, match="only one that is being sent"):
        await hold_edition(desk.db, edition, why="again")
    await cancel_edition(desk.db, edition, why="the lead is wrong", now=NOW)
    with pytest.raises(Refused, match="nothing left to cancel"):
        await cancel_edition(desk.db, edition, why="again", now=NOW)

    async with desk.db.read() as connection:
        books = await editions.books(connection, edition.id)
    assert books is not None
    assert (books.excluded, books.open) == (3, 0)
