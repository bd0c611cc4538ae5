"""Directions of the desk: obeyed by the next edition, and by one on hold of which nothing has gone out."""

import asyncio
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.account import Deed
from syndicate.domain.audience import address_digest
from syndicate.domain.change import ChangeKind
from syndicate.domain.direction import NEXT, Directions, Wish
from syndicate.domain.edition import Edition, EditionState
from syndicate.domain.explanation import Answer
from syndicate.domain.slot import Slot
from syndicate.errors import NotFound, Refused
from syndicate.pipeline.compose import Composition, compose_edition, know_newsletters, preview_edition
from syndicate.pipeline.direct import WAITS_FOR_DESK, Desk, direct_held, direct_next, freeze_anew
from syndicate.pipeline.enqueue import FreezeReport, freeze_edition, hold_edition, release_edition
from syndicate.pipeline.explain import explain_story
from syndicate.pipeline.render import VARIANT
from syndicate.store import accounts, directions, editions, jobs
from syndicate.store.db import Database
from syndicate.store.editions import Rendering
from tests.factories import DEFERRED, NOW, PEPPER, ScriptedMailer, add_reader, make_article, make_newsletter
from tests.pipeline.mailing import STUDIO, Postoffice, address
from tests.pipeline.stories import publish, revise

INTRO = "Selamat pagi, Malang & Batu.\nHari ini <cerah>."


class Newsroom:
    """A newsletter with stories 1 to 4 to tell, and three readers."""

    def __init__(self, office: Postoffice) -> None:
        self.db, self.office = office.db, office
        self.newsletter = make_newsletter()
        self.desk = Desk(newsletter=self.newsletter, studio=STUDIO, endpoints=[], who="cli:meja")

    async def say(self, **wish: Any) -> Directions:
        return await direct_next(self.db, self.desk, Wish(**wish), now=NOW)

    async def say_of(self, edition: Edition, **wish: Any) -> FreezeReport:
        return await direct_held(self.db, self.desk, edition, Wish(**wish), now=NOW)

    async def issue(self, day: int = 24, **newsletter: Any) -> Edition:
        ours = make_newsletter(**newsletter)
        slot = Slot(at=NOW, name=f"2026-11-{day}T0600")
        report = await compose_edition(self.db, ours, slot, STUDIO, now=NOW)
        assert report.edition is not None, report.why
        return (await freeze_edition(self.db, report.edition, [], newsletter=ours, studio=STUDIO, now=NOW)).edition

    async def held(self) -> Edition:
        edition = await self.issue()
        await hold_edition(self.db, edition, why="salah judul")
        return await self.now(edition)

    async def now(self, edition: Edition) -> Edition:
        async with self.db.read() as connection:
            found = await editions.get(connection, edition.id)
        assert found is not None
        return found

    async def shown(self, edition: Edition, *, left_out: str = "") -> list[int]:
        numbers = {make_article(number).id: number for number in range(1, 9)}
        async with self.db.read() as connection:
            listed = await editions.stories(connection, edition.id)
        return [numbers[one.article_id] for one in listed if one.left_out == left_out]

    async def rendering(self, edition: Edition) -> Rendering:
        async with self.db.read() as connection:
            found = await editions.rendering(connection, edition.id, VARIANT)
        assert found is not None
        return found


def ids(*numbers: int) -> tuple[str, ...]:
    return tuple(make_article(number).id for number in numbers)


@pytest.fixture
def mailer() -> ScriptedMailer:
    return ScriptedMailer()


@pytest.fixture
async def room(db: Database, tmp_path: Path, mailer: ScriptedMailer) -> Newsroom:
    await know_newsletters(db, [make_newsletter()])
    async with db.write() as connection:
        for number in range(3):
            await add_reader(connection, number)
    await publish(db, 1, 2, 3, 4)
    return Newsroom(Postoffice(db, tmp_path, mailer))


# ── the next edition ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_next_edition_comes_in_the_desk_s_order_without_what_it_dropped(room: Newsroom) -> None:
    await room.say(first=ids(1, 3))
    await room.say(drop=ids(4))
    edition = await room.issue()

    assert (await room.shown(edition), await room.shown(edition, left_out="desk")) == ([1, 3, 2], [4])
    assert (await room.rendering(edition)).subject.endswith("Berita 1")
    assert edition.state is EditionState.FROZEN


async def test_a_story_put_first_has_room_and_the_last_falls_out(room: Newsroom) -> None:
    await room.say(first=ids(1))
    edition = await room.issue(max=2)

    assert (await room.shown(edition), await room.shown(edition, left_out="max")) == ([1, 4], [3, 2])


async def test_a_dropped_story_is_told_by_no_later_edition(room: Newsroom) -> None:
    await room.say(drop=ids(4))
    await room.issue(24)
    await publish(room.db, 5)
    await revise(room.db, 4, ChangeKind.WITHDRAWN)
    await revise(room.db, 4, ChangeKind.RESTORED)

    assert await room.shown(await room.issue(25)) == [5]


async def test_directions_are_for_one_edition(room: Newsroom) -> None:
    await room.say(intro="Selamat pagi.", first=ids(1), hold="tunggu")
    first = await room.issue(24)
    await publish(room.db, 5, 6)
    second = await room.issue(25)

    assert (first.why, second.why, second.state) == ("tunggu", "", EditionState.FROZEN)
    assert "Selamat pagi." not in (await room.rendering(second)).html
    async with room.db.read() as connection:
        kept = await directions.of(connection, "pagi", first.slot)
        assert (kept.intro, kept.first_ids) == ("Selamat pagi.", ids(1))
        assert (await directions.of(connection, "pagi", NEXT)).revision == 0


@pytest.mark.parametrize("template", ["sections", "briefing", "breaking"])
@pytest.mark.parametrize("language", ["id", "en"])
async def test_an_intro_stands_as_text_above_the_stories_a_paragraph_a_line(
    room: Newsroom, template: str, language: str
) -> None:
    await room.say(intro=INTRO)
    rendering = await room.rendering(await room.issue(template=template, language=language))

    assert rendering.html.count("Selamat pagi, Malang &amp; Batu.</p>") == 1
    assert ">Hari ini &lt;cerah&gt;.</p>" in rendering.html
    assert "Selamat pagi, Malang & Batu.\n\nHari ini <cerah>.\n\n" in rendering.text
    assert rendering.text.index("Selamat pagi") < rendering.text.index("Berita 4")


async def test_a_preview_shows_what_the_desk_wants_and_uses_nothing_up(room: Newsroom) -> None:
    await room.say(first=ids(2), drop=ids(4), intro="Pagi.", hold="tunggu")
    for _ in range(2):
        found = await preview_edition(room.db, room.newsletter, STUDIO, now=NOW)
        assert [story.id for story in found.choice.stories] == [*ids(2, 3, 1)]
        assert [story.id for story in found.choice.dropped] == [*ids(4)]
        assert (found.proof.why_held, "Pagi." in found.rendering.html) == ("tunggu", True)


async def test_a_slot_that_passes_with_everything_dropped_keeps_stories_and_directions(room: Newsroom) -> None:
    await room.say(drop=ids(1, 2, 3, 4))
    slot = Slot(at=NOW, name="2026-11-24T0600")
    report = await compose_edition(room.db, room.newsletter, slot, STUDIO, now=NOW)
    await room.say(take_back=ids(2))

    assert (report.composition, report.why) == (
        Composition.EMPTY,
        "0 of at least 1 stories, and 4 that the desk dropped",
    )
    assert await room.shown(await room.issue(25)) == [2]


async def test_a_word_that_comes_while_the_edition_is_composed_is_not_lost(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    from syndicate.pipeline import compose, render

    real = render.render_choice
    said: list[asyncio.Task[Directions]] = []

    def slowly(*args: Any, **named: Any) -> Any:
        if not said:
            said.append(asyncio.ensure_future(room.say(drop=ids(4))))
        return real(*args, **named)

    # The moment between choosing and writing down can't be met from outside.
    monkeypatch.setattr(compose, "render_choice", slowly)
    slot = Slot(at=NOW, name="2026-11-24T0600")
    first = await compose_edition(room.db, room.newsletter, slot, STUDIO, now=NOW)
    await said[0]
    edition = first.edition or await room.issue()

    dropped = await room.shown(edition, left_out="desk")
    async with room.db.read() as connection:
        waiting = (await directions.of(connection, "pagi", NEXT)).dropped_ids
    assert (dropped == [4]) is (waiting == ())


async def test_a_story_that_is_not_there_is_refused_and_nothing_is_kept(room: Newsroom) -> None:
    with pytest.raises(NotFound):
        await room.say(first=("lintas-x",))

    async with room.db.read() as connection:
        assert (await directions.of(connection, "pagi", NEXT)).revision == 0
        assert await accounts.log(connection, limit=9) == []


async def test_explain_says_that_the_desk_took_a_story_out(room: Newsroom) -> None:
    await room.say(drop=ids(4))
    await room.issue()
    found = await explain_story(
        room.db,
        address(0),
        address_digest(PEPPER, address(0)),
        ids(4)[0],
        {"pagi": room.newsletter},
        zone="Asia/Jakarta",
        now=NOW,
    )

    assert found.answer is Answer.NO
    assert [one.said for one in found.findings if one.rule == "story.left_out_desk"] == [
        "pagi/2026-11-24T0600 left the story out, for good: a person of the newsroom took it out."
    ]


# ── an edition on hold ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_on_hold_is_written_down_anew_and_readers_get_the_new_one(
    room: Newsroom, mailer: ScriptedMailer
) -> None:
    before = await room.held()
    after = (await room.say_of(before, first=ids(1), drop=ids(4), intro="Pagi.")).edition
    await release_edition(room.db, after, [], now=NOW)
    await room.office.send(after)

    assert (after.state, after.why, after.id) == (EditionState.HELD, "salah judul", before.id)
    assert await room.shown(after) == [1, 3, 2]
    assert after.content_hash != before.content_hash
    assert after.subject.endswith("Berita 1")
    assert await room.office.books(after) == {"accepted": 3}
    assert all(b"Berita 4" not in mail.content and b"Pagi." in mail.content for mail in mailer.sent)


async def test_a_story_withdrawn_from_one_on_hold_can_be_taken_out_of_it(room: Newsroom) -> None:
    edition = await room.issue()
    await revise(room.db, 4, ChangeKind.WITHDRAWN)
    await hold_edition(room.db, edition, why="'Berita 4' was withdrawn meanwhile")
    after = (await room.say_of(await room.now(edition), drop=ids(4))).edition

    assert (after.why, after.state) == (WAITS_FOR_DESK, EditionState.HELD)
    assert await room.shown(after) == [3, 2, 1]


async def test_a_withdrawn_story_that_stays_in_it_is_still_its_reason(room: Newsroom) -> None:
    edition = await room.held()
    await revise(room.db, 4, ChangeKind.WITHDRAWN)

    after = (await room.say_of(edition, intro="Pagi.")).edition
    assert after.why == "salah judul; a story in it was withdrawn meanwhile"


async def test_what_was_dropped_before_can_be_taken_in_again(room: Newsroom) -> None:
    edition = (await room.say_of(await room.held(), drop=ids(4))).edition

    assert await room.shown((await room.say_of(edition, take_back=ids(4))).edition) == [4, 3, 2, 1]


@pytest.mark.parametrize("answers", [[], [DEFERRED]])
async def test_one_of_which_something_may_have_gone_out_can_not_be_changed(
    room: Newsroom, mailer: ScriptedMailer, answers: Sequence[Any]
) -> None:
    mailer.answers[address(0)] = deque(answers)
    edition = await room.issue()
    first = await _first(room, edition)
    await room.office.send(edition, last=first)
    await hold_edition(room.db, edition, why="salah judul")

    with pytest.raises(Refused, match="may be with readers or partners already"):
        await room.say_of(edition, intro="Pagi.")
    assert (await room.now(edition)).state is EditionState.HELD


async def _first(room: Newsroom, edition: Edition) -> int:
    async with room.db.read() as connection:
        span = await editions.delivery_span(connection, edition.id)
    assert span is not None
    return span[0]


async def test_one_that_is_not_on_hold_or_would_be_empty_can_not_be_changed(room: Newsroom) -> None:
    edition = await room.issue()
    with pytest.raises(Refused, match=f"`syndicate editions pause {edition.name}`"):
        await room.say_of(edition, intro="Pagi.")
    await hold_edition(room.db, edition, why="salah judul")

    with pytest.raises(Refused, match="nothing would be left"):
        await room.say_of(edition, drop=ids(1, 2, 3, 4))


async def test_later_editions_keep_their_place_in_the_change_log(room: Newsroom) -> None:
    edition = await room.held()
    await publish(room.db, 5)
    await room.issue(25)
    await room.say_of(edition, drop=ids(4))
    await publish(room.db, 6)

    assert await room.shown(await room.issue(26)) == [6]


async def test_one_that_was_written_down_half_is_gone_on_with(room: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    edition = await room.held()

    async def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("power cut")

    # A crash between two transactions can't be had from outside.
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="power cut"):
        patch.setattr("syndicate.pipeline.direct.freeze_edition", breaks)
        await room.say_of(edition, drop=ids(4))
    between = await room.now(edition)
    with pytest.raises(Refused):
        await release_edition(room.db, between, [], now=NOW)
    async with room.db.read() as connection:
        asked = [job.ref["slot"] for job in await jobs.listed(connection, limit=99) if job.kind == "compose"]
    after = (await freeze_anew(room.db, room.desk, between, now=NOW)).edition

    assert (between.state, asked) == (EditionState.COMPOSING, [edition.slot])
    assert (after.state, after.why) == (EditionState.HELD, "salah judul")
    assert await room.shown(after) == [3, 2, 1]
    assert await room.office.books(after) == {"open": 3}


async def test_who_directed_what_is_in_the_audit_log(room: Newsroom) -> None:
    await room.say(first=ids(1), intro="Pagi.")
    edition = await room.held()
    await room.say_of(edition, drop=ids(4))

    async with room.db.read() as connection:
        log = await accounts.log(connection, limit=9)
    assert [(one.what, one.who, one.subject, one.note) for one in log] == [
        (Deed.DIRECTED, "cli:meja", edition.name, f"dropped: {ids(4)[0]}"),
        (Deed.DIRECTED, "cli:meja", "pagi/next", f"first: {ids(1)[0]}; intro: 5 characters"),
    ]
