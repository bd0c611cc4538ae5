"""The desk's word: written like a change of the newsroom's own, and not undone by what the source goes on showing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.account import Deed
from syndicate.domain.article import Article, ArticleState
from syndicate.domain.change import ChangeKind
from syndicate.domain.delivery import Exclusion
from syndicate.domain.desk import DeskChange
from syndicate.domain.edition import EditionState
from syndicate.errors import NotFound, Refused
from syndicate.jail import Jail
from syndicate.pipeline.correct import Text, change_article, foresee_change, read_text
from syndicate.pipeline.notify import know_endpoints, plan_pushes
from syndicate.pipeline.record import log_withdrawal
from syndicate.store import accounts, desk, editions, jobs, partners
from syndicate.store.db import Database
from tests.factories import NOW, ScriptedMailer, make_article, make_endpoint, make_feed
from tests.pipeline.mailing import Postoffice
from tests.pipeline.newsroom import Room
from tests.pipeline.stories import publish

WITHDRAW = DeskChange(kind=ChangeKind.WITHDRAWN, note="Ditarik setelah hak jawab.")
RESTORE = DeskChange(kind=ChangeKind.RESTORED, note="Kembali setelah diperiksa.")
WHO = "cli:meja"


def correction(**says: str) -> DeskChange:
    return DeskChange(kind=ChangeKind.CORRECTED, note="Ralat: nama pejabat.", says=says)


@pytest.fixture
async def room(db: Database, tmp_path: Path) -> Room:
    """One story, after the first import."""
    room = await Room(db, tmp_path).imported()
    room.source.publish("a")
    await room.look()
    return room


async def say(room: Room, change: DeskChange) -> None:
    await change_article(room.db, (await room.story("a")).id, change, who=WHO, now=room.clock.forward(minutes=1))


async def test_a_withdrawn_story_stays_so_while_the_source_goes_on_showing_it(room: Room) -> None:
    await say(room, WITHDRAW)
    report = await room.look()

    story = await room.story("a")
    assert (story.state, story.note, report.changed) == (ArticleState.WITHDRAWN, WITHDRAW.note, 0)
    assert await room.kinds() == ["published", "withdrawn"]


async def test_a_small_edit_at_the_source_does_not_bring_it_back_but_is_not_lost(room: Room) -> None:
    await say(room, WITHDRAW)
    room.source.edit("a", summary="Ringkasan baru.")
    await room.look()
    between = await room.story("a")
    await say(room, RESTORE)

    story = await room.story("a")
    assert (between.state, between.version) == (ArticleState.WITHDRAWN, 1)
    assert (story.state, story.version, story.content.summary) == (ArticleState.PUBLISHED, 2, "Ringkasan baru.")
    assert await room.kinds() == ["published", "withdrawn", "restored"]
    assert (await room.look()).changed == 0


async def test_a_story_that_the_newsroom_reworked_comes_back_by_itself(room: Room) -> None:
    await say(room, WITHDRAW)
    room.source.edit("a", title="Judul setelah hak jawab")
    report = await room.look()

    assert (report.restored, report.updated) == (1, 1)
    assert await room.kinds() == ["published", "withdrawn", "restored", "updated"]
    async with room.db.read() as connection:
        assert await desk.words(connection, [(await room.story("a")).id]) == {}


async def test_a_story_taken_down_by_the_source_too_comes_back_when_the_source_shows_it_again(room: Room) -> None:
    await say(room, WITHDRAW)
    shown = room.source.stories["a"]
    room.source.withdraw("a")
    await room.look()
    room.source.stories["a"] = shown
    await room.look()

    assert await room.kinds() == ["published", "withdrawn", "restored"]


async def test_a_restored_story_is_not_withdrawn_again_by_what_the_source_said_before(room: Room) -> None:
    shown = room.source.stories["a"]
    room.source.withdraw("a")
    await room.look()
    await say(room, RESTORE)
    room.source.next_look(gone=frozenset({"a"}))
    await room.look()
    stood = await room.kinds()
    room.source.stories["a"] = shown
    await room.look()
    room.source.withdraw("a")
    await room.look()

    assert stood == ["published", "withdrawn", "restored"]
    assert await room.kinds() == ["published", "withdrawn", "restored", "withdrawn"]


async def test_a_correction_is_a_version_that_the_unchanged_source_does_not_undo(room: Room) -> None:
    await say(room, correction(title="Harga cabai naik"))
    await room.look()
    room.source.edit("a", tags=("pangan", "harga"))
    await room.look()

    story = await room.story("a")
    assert (story.version, story.content.title, story.content.tags) == (3, "Harga cabai naik", ("pangan", "harga"))
    assert (story.note, story.loud_at is not None) == ("Ralat: nama pejabat.", True)
    assert await room.kinds() == ["published", "corrected", "updated"]


async def test_a_correction_gives_way_once_the_source_changes_what_was_corrected(room: Room) -> None:
    await say(room, correction(title="Harga cabai naik"))
    room.source.edit("a", title="Harga cabai naik dua kali")
    await room.look()

    assert (await room.story("a")).content.title == "Harga cabai naik dua kali"
    assert await room.kinds() == ["published", "corrected", "updated"]


async def test_a_note_alone_corrects_the_version_that_stands(room: Room) -> None:
    await say(room, correction())
    await room.look()

    story = await room.story("a")
    assert (story.version, story.note) == (1, "Ralat: nama pejabat.")
    assert await room.kinds() == ["published", "corrected"]


async def test_who_said_what_is_in_the_audit_log_and_feeds_and_pushes_are_asked_for(room: Room) -> None:
    async with room.db.write() as connection:
        for job in await jobs.listed(connection, limit=9):
            await jobs.finish(connection, job)
    await say(room, WITHDRAW)

    async with room.db.read() as connection:
        (entry,) = await accounts.log(connection, limit=9)
        asked = {job.kind for job in await jobs.listed(connection, limit=9)}
    assert (entry.who, entry.what, entry.note) == (WHO, Deed.WITHDRAWN, WITHDRAW.note)
    assert entry.subject == (await room.story("a")).id
    assert asked == {"publish", "notify"}


async def test_a_refused_change_writes_nothing(room: Room) -> None:
    with pytest.raises(Refused, match="isn't withdrawn"):
        await say(room, RESTORE)
    with pytest.raises(NotFound):
        await change_article(room.db, "lintas-x", WITHDRAW, who=WHO, now=NOW)

    assert await room.kinds() == ["published"]
    async with room.db.read() as connection:
        assert await accounts.log(connection, limit=9) == []


async def test_a_story_of_a_first_import_is_corrected_for_feeds_alone(db: Database, tmp_path: Path) -> None:
    room = Room(db, tmp_path)
    room.source.publish("a")
    await room.look()
    await say(room, WITHDRAW)

    assert [change.baseline for change in await room.log()] == [True, True]


async def test_what_would_follow_is_said_and_nothing_is_written(db: Database, tmp_path: Path) -> None:
    office = Postoffice(db, tmp_path, ScriptedMailer())
    endpoints = [make_endpoint(), make_endpoint(name="mati"), make_endpoint(name="baru")]
    await know_endpoints(db, endpoints[:2])
    edition = await office.freeze(3)
    await plan_pushes(db, endpoints[:2], now=NOW)
    await know_endpoints(db, endpoints[2:])
    await office.send_first(edition, 2)
    async with db.write() as connection:
        for name in ("portal", "mati"):
            ((push, _),) = await partners.claim(connection, name, owner="a", limit=1, now=NOW)
            assert await partners.mark(connection, push.id, owner="a")
            await partners.release(connection, [push.id], owner="a")  # it may be there
        await partners.disable(connection, "mati", "HTTP 410", now=NOW)

    forecast = await foresee_change(db, make_article(1).id, WITHDRAW, feeds=[make_feed()], endpoints=endpoints, now=NOW)

    (told,) = forecast.editions
    assert forecast.feeds == ("terkini",)
    assert forecast.pushes == {"portal": ChangeKind.WITHDRAWN, "mati": ChangeKind.WITHDRAWN}
    assert forecast.switched_off == ("mati",)
    assert (told.name, told.state, told.version) == ("pagi/2026-11-24T0600", EditionState.FROZEN, 1)
    assert (told.mails, told.unsent) == (2, 1)
    async with db.read() as connection:
        assert await accounts.log(connection, limit=9) == []


async def test_an_edition_that_is_being_sent_with_a_withdrawn_story_is_put_on_hold(
    db: Database, tmp_path: Path
) -> None:
    mailer = ScriptedMailer()
    office = Postoffice(db, tmp_path, mailer)
    edition = await office.freeze(3)
    await office.send_first(edition)
    await change_article(db, make_article(1).id, WITHDRAW, who=WHO, now=NOW)
    await office.send(edition)

    async with db.read() as connection:
        held = await editions.get(connection, edition.id)
    assert held is not None
    assert (held.state, held.why) == (EditionState.HELD, "'Berita 1' was withdrawn meanwhile")
    assert len(mailer.sent) == 1


async def test_a_source_and_the_desk_take_turns_over_one_story(
    postgres_db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL two transactions may want the same story; the later one must see what the earlier one said."""
    room = await Room(postgres_db, tmp_path).imported()
    room.source.publish("a")
    await room.look()
    room.source.edit("a", summary="Ringkasan baru.")
    identifier = (await room.story("a")).id
    real, inside, go_on = log_withdrawal, asyncio.Event(), asyncio.Event()

    async def slowly(*args: Any, **named: Any) -> Article:
        inside.set()
        await go_on.wait()
        return await real(*args, **named)

    # The moment between reading and writing, made long: it can't be met from outside.
    monkeypatch.setattr("syndicate.pipeline.correct.log_withdrawal", slowly)
    saying = asyncio.create_task(change_article(postgres_db, identifier, WITHDRAW, who=WHO, now=NOW))
    await inside.wait()
    looking = asyncio.create_task(room.look())
    await asyncio.wait({looking}, timeout=0.3)
    assert not looking.done()
    go_on.set()
    await saying
    await looking

    assert (await room.story("a")).state is ArticleState.WITHDRAWN
    assert await room.kinds() == ["published", "withdrawn"]


@pytest.fixture
async def jail() -> AsyncIterator[Jail]:
    jail = Jail()
    yield jail
    await jail.aclose()


async def test_a_new_body_passes_the_sanitiser_and_the_summary_made_from_the_old_one_is_made_anew(jail: Jail) -> None:
    article = make_article(summary="Lama sekali.", body_html="<p>Lama sekali.</p>")
    says = await read_text(jail, article, Text(body="Baru **benar**.<script>alert(1)</script>", body_format="markdown"))

    assert says == {"body_html": "<p>Baru <strong>benar</strong>.</p>", "summary": "Baru benar."}


async def test_a_summary_of_the_newsroom_s_own_stays_with_a_new_body(jail: Jail) -> None:
    article = make_article(summary="Kata redaksi.", body_html="<p>Lama sekali.</p>")

    assert await read_text(jail, article, Text(body="<p>Baru.</p>")) == {"body_html": "<p>Baru.</p>"}


@pytest.mark.parametrize("text", [Text(title=" \n"), Text(body="<script>1</script>")])
async def test_an_empty_text_is_refused(text: Text, jail: Jail) -> None:
    with pytest.raises(Refused, match="withdraw it"):
        await read_text(jail, make_article(), text)


async def test_a_title_is_one_line_without_what_could_turn_it_round(jail: Jail) -> None:
    says = await read_text(jail, make_article(), Text(title="Harga\n\u202ecabai\x00 turun"))

    assert says == {"title": "Harga cabai turun"}


async def test_pushes_tell_a_partner_of_the_desk_s_word_in_order(db: Database) -> None:
    endpoint = make_endpoint()
    await know_endpoints(db, [endpoint])
    await publish(db, 1)
    identifier = make_article(1).id
    await plan_pushes(db, [endpoint], now=NOW)
    await change_article(db, identifier, correction(title="Benar"), who=WHO, now=NOW)
    await plan_pushes(db, [endpoint], now=NOW)

    async with db.read() as connection:
        first, second = await partners.about(connection, ["portal"], [f"article:{identifier}"])
    assert (first.reason, second.type) == (Exclusion.SUPERSEDED, "article.published")
