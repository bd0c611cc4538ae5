"""Source → versions and the change log: every story once, its edits by how much they matter, nothing lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.article import CHURN_LIMIT, Article, ArticleState, Content, article_id
from syndicate.domain.edition import EditionState
from syndicate.domain.likeness import Print, print_of
from syndicate.domain.source import Look, Media, Memory
from syndicate.pipeline import gather as step
from syndicate.pipeline import likeness as comparing
from syndicate.pipeline.gather import FIRST_IMPORT
from syndicate.store import articles, editions, jobs, sources
from syndicate.store.db import Database
from tests.factories import NOW, make_config, make_edition
from tests.pipeline.newsroom import Room
from tests.wire import AGENCY, OWN_REPORT, html, long_text


@pytest.fixture
async def room(db: Database, tmp_path: Path) -> Room:
    return await Room(db, tmp_path).imported()


async def test_a_new_story_is_published_and_asks_for_feeds_and_pushes(room: Room) -> None:
    room.source.publish("a")
    report = await room.look()

    story = await room.story("a")
    assert (report.published, report.changed, report.ids) == (1, 1, [story.id])
    assert (story.id, story.version, story.announced) == (article_id("lintas", "a"), 1, True)
    assert story.public_id == f"tag:lintaspagi.example,2026:{story.id}"
    async with room.db.read() as connection:
        assert {job.kind for job in await jobs.listed(connection, limit=9)} == {"publish", "notify"}


async def test_a_second_look_at_the_same_story_says_nothing(room: Room) -> None:
    room.source.publish("a")
    await room.look()

    assert (await room.look()).changed == 0
    assert await room.kinds() == ["published"]


@pytest.mark.parametrize(
    ("edit", "kind", "size"),
    [
        (
            {
                "body_html": "<div><p>Harga cabai di pasar induk turun sejak pagi karena pasokan dari lereng kembali "
                "lancar.</p></div>"
            },
            "updated",
            "cosmetic",
        ),
        ({"summary": "lain"}, "updated", "minor"),
        ({"title": "Judul lain"}, "updated", "major"),
        ({"body_html": "<p>RALAT: harga naik.</p>"}, "corrected", "major"),
    ],
)
async def test_an_edit_is_a_new_version_with_its_size(room: Room, edit: dict[str, Any], kind: str, size: str) -> None:
    room.source.publish("a")
    await room.look()
    room.source.edit("a", **edit)
    await room.look()

    story = await room.story("a")
    assert await room.kinds() == ["published", kind]
    assert (story.version, story.edit.value) == (2, size)
    assert (story.loud_at is not None) is (kind == "corrected")
    assert (story.content.updated == room.clock.now()) is (size != "cosmetic")


async def test_a_withdrawn_story_comes_back_as_restored(room: Room) -> None:
    room.source.publish("a")
    await room.look()
    room.source.withdraw("a")
    await room.look()
    away = await room.story("a")
    room.source.publish("a", summary="lain")
    await room.look()
    back = await room.story("a")

    assert (away.state, away.loud_at) == (ArticleState.WITHDRAWN, away.changed_at)
    assert (back.state, back.id, back.version) == (ArticleState.PUBLISHED, away.id, 2)
    assert await room.kinds() == ["published", "withdrawn", "restored", "updated"]


async def test_a_story_that_only_left_the_feed_is_not_withdrawn(room: Room) -> None:
    room.source.publish("a")
    await room.look()
    room.source.stories.clear()
    await room.look()

    assert (await room.story("a")).state is ArticleState.PUBLISHED


async def test_withdrawing_twice_or_something_unknown_says_nothing(room: Room) -> None:
    room.source.publish("a")
    await room.look()
    for _ in range(2):
        room.source.withdraw("a", "unknown")
        await room.look()

    assert await room.kinds() == ["published", "withdrawn"]


async def test_a_renamed_story_keeps_its_id_and_its_old_place_is_free(room: Room) -> None:
    room.source.publish("a")
    await room.look()
    room.source.rename("a", "b")
    await room.look()
    moved = await room.story("b")
    room.source.publish("a", title="Berita yang sama sekali lain")
    await room.look()

    assert moved.id == article_id("lintas", "a")
    assert (await room.story("a")).id not in (moved.id, article_id("lintas", "b"))
    assert await room.kinds() == ["published", "published"]


async def test_a_story_known_by_another_name_is_withdrawn_under_its_new_key(room: Room) -> None:
    room.source.publish("lama", aliases=("/a",))
    await room.look()
    before = await room.story("lama")
    room.source.withdraw("lama")
    room.source.publish("baru", aliases=("/a",))
    await room.look()
    moved = await room.story("baru")
    room.source.withdraw("baru")
    await room.look()

    after = await room.story("baru")
    assert (moved.id, moved.state) == (before.id, ArticleState.PUBLISHED)
    assert (after.id, after.state) == (before.id, ArticleState.WITHDRAWN)


async def test_a_withdrawal_holds_the_editions_that_are_being_sent_with_the_story(room: Room) -> None:
    room.source.publish("a")
    await room.look()
    story = await room.story("a")
    async with room.db.write() as connection:
        edition = await editions.begin(connection, make_edition(state=EditionState.FROZEN))
        shown = editions.Story(article_id=story.id, version=1, position=0, left_out="")
        await editions.put_content(connection, edition.id, [shown], [])
    room.source.withdraw("a")
    await room.look()

    async with room.db.read() as connection:
        held = await editions.get(connection, edition.id)
    assert held is not None
    assert (held.state, "withdrawn" in held.why) == (EditionState.HELD, True)


async def test_a_changed_guid_with_the_same_link_is_the_same_story(room: Room) -> None:
    room.source.publish("a", aliases=("/cabai",))
    await room.look()
    room.source.stories.clear()
    room.source.publish("b", aliases=("/cabai",), title="Berita a", url="https://lintaspagi.example/a")
    for _ in range(2):
        await room.look()

    assert await room.kinds() == ["published"]
    assert (await room.story("b")).id == article_id("lintas", "a")


async def test_two_stories_that_share_a_link_stay_two(room: Room) -> None:
    for key in ("a", "b"):
        room.source.publish(key, aliases=("/langsung",))
    for _ in range(2):
        await room.look()

    assert await room.kinds() == ["published", "published"]
    assert (await room.story("a")).id != (await room.story("b")).id


async def test_of_two_new_stories_that_claim_an_old_one_by_its_link_only_the_first_is_it(room: Room) -> None:
    room.source.publish("lama", aliases=("/cabai",))
    await room.look()
    room.source.stories.clear()
    for key in ("baru-a", "baru-b"):
        room.source.publish(key, aliases=("/cabai",), title=f"Judul {key}")
    for _ in range(2):
        await room.look()

    assert await room.kinds() == ["published", "updated", "published"]
    assert (await room.story("baru-a")).content.title == "Judul baru-a"
    assert (await room.story("baru-b")).content.title == "Judul baru-b"


async def test_a_very_long_name_is_found_again(room: Room) -> None:
    name = "https://lintaspagi.example/" + "panjang-" * 200
    room.source.publish("a", aliases=(name,))
    await room.look()
    room.source.stories.clear()
    room.source.publish("b", aliases=(name,), title="Berita a", url="https://lintaspagi.example/a")

    assert (await room.look()).published == 0


async def test_a_story_keeps_wordpress_own_number_when_a_channel_shows_only_its_address(room: Room) -> None:
    link = "https://lintaspagi.example/cabai"
    room.source.publish("wp:7", aliases=(link,), url=link)
    await room.look()
    room.source.stories.clear()
    room.source.publish(link, url=link, title="Berita wp:7")
    await room.look()
    room.source.stories.clear()
    room.source.withdraw("wp:7")
    await room.look()

    assert await room.kinds() == ["published", "withdrawn"]


async def test_what_a_lesser_channel_leaves_out_is_no_edit(room: Room) -> None:
    fields = ("title", "summary", "body_html", "authors", "sections", "tags", "picture", "url")
    room.source.publish("wp:7", provenance=dict.fromkeys(fields, "rest"))
    await room.look()
    room.source.edit("wp:7", sections=(), summary="", provenance=dict.fromkeys(fields, "feed"))
    await room.look()

    assert await room.kinds() == ["published"]


async def test_a_key_that_a_look_brings_twice_is_one_story(room: Room) -> None:
    room.source.publish("a")
    (story,) = room.source.stories.values()
    room.source.next_look(articles=(story, story))
    report = await room.look()

    assert report.published == 1


async def test_a_back_dated_story_stands_on_top(room: Room) -> None:
    room.source.publish("a", published=NOW - timedelta(days=400))
    await room.look()

    assert (await room.story("a")).sort_at == room.clock.now()


async def test_stories_are_told_in_the_order_they_were_written(room: Room) -> None:
    for number in (3, 1, 2):
        room.source.publish(f"k{number}", published=NOW + timedelta(seconds=number))
    await room.look()

    async with room.db.read() as connection:
        found = await articles.by_ids(connection, [change.article_id for change in await room.log()])
    assert [found[change.article_id].source_key for change in await room.log()] == ["k1", "k2", "k3"]


@pytest.mark.parametrize("mail", [False, True])
async def test_a_first_import_brings_its_newest_200_unannounced_unless_it_may_be_mailed(
    db: Database, tmp_path: Path, mail: bool
) -> None:
    room = Room(db, tmp_path)
    for number in range(FIRST_IMPORT + 30):
        room.source.publish(f"k{number}", published=NOW - timedelta(hours=number))
    report = await room.look(first_import_mail=mail)
    again = await room.look(first_import_mail=mail)

    assert (report.published, again.published) == (FIRST_IMPORT, 0)
    assert {change.baseline for change in await room.log()} == {not mail}
    newest = await room.story("k0")
    assert (newest.announced, newest.sort_at) == (mail, newest.content.published)


async def test_what_a_first_import_left_out_stays_out_but_a_late_story_comes_in(db: Database, tmp_path: Path) -> None:
    room = Room(db, tmp_path)
    for number in range(FIRST_IMPORT + 5):
        room.source.publish(f"k{number}", published=NOW - timedelta(hours=number))
    await room.look()
    room.source.publish("late", published=NOW - timedelta(hours=FIRST_IMPORT + 2))
    report = await room.look()

    assert report.ids == [article_id("lintas", "late")]


async def test_a_page_that_changes_at_every_look_is_left_alone_after_24_undated_edits(room: Room) -> None:
    room.source.publish("a")
    for number in range(CHURN_LIMIT + 6):
        room.source.edit("a", summary=f"Dibaca {number} kali")
        await room.look()
    left_alone = (await room.story("a")).version
    room.source.edit("a", title="Judul lain", updated=room.clock.now() + timedelta(minutes=5))
    await room.look()

    assert left_alone == CHURN_LIMIT + 1
    assert (await room.story("a")).version == CHURN_LIMIT + 2


async def cut_power_at(number: int, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that breaks off at its n-th story; a crash inside a transaction can't be had from outside."""
    real, calls = step._take_story, []

    async def breaks(*args: Any) -> Article:
        calls.append(args)
        if len(calls) == number:
            raise RuntimeError("power cut")
        return await real(*args)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="power cut"):
        patch.setattr(step, "_take_story", breaks)
        await room.look()


async def test_memory_is_never_ahead_of_the_stories(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await room.state()
    for number in range(70):
        room.source.publish(f"k{number}", published=NOW + timedelta(seconds=number))
    await cut_power_at(65, room, monkeypatch)

    assert await room.state() == before
    assert len(await room.log()) == 60  # the first chunk is whole, the second never happened
    assert (await room.look()).published == 10
    assert (await room.state()).memory != before.memory


async def test_no_text_is_read_for_likeness_while_others_wait_for_the_database(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = long_text(10)
    for number in range(3):
        room.source.publish(f"lama{number}", body_html=html(*text), published=NOW + timedelta(seconds=number))
    await room.look()
    writing, reads = [], []
    real_write = room.db.write

    @asynccontextmanager
    async def write() -> AsyncIterator[Any]:
        async with real_write() as connection:
            writing.append(1)
            yield connection
            writing.pop()

    def reading(content: Content) -> Print:
        reads.append(len(writing))
        return print_of(content)

    # When a look reads a text, and whether a transaction is open then, can't be seen from outside: both go on as ever.
    monkeypatch.setattr(room.db, "write", write)
    monkeypatch.setattr(comparing, "print_of", reading)
    room.source.edit("lama1", body_html=html(*text, OWN_REPORT[0]))
    for number in range(3):
        room.source.publish(f"baru{number}", body_html=html(*text), title=f"Lain {number}")
    report = await room.look()

    assert (report.published, report.updated) == (3, 1)
    assert len(reads) >= 4
    assert set(reads) == {0}


async def test_an_edit_that_leaves_the_text_alone_is_not_compared_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.source.publish("a", body_html=html(*AGENCY))
    await room.look()
    read: list[Content] = []
    monkeypatch.setattr(comparing, "print_of", read.append)  # what a look reads can't be seen from outside
    room.source.edit("a", tags=("banjir",))
    report = await room.look()

    assert (report.updated, read) == (1, [])


async def test_a_transaction_takes_only_so_much_text(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        body = html(*long_text(250, seed=number))
        room.source.publish(f"k{number}", body_html=body, published=NOW + timedelta(seconds=number))
    await cut_power_at(3, room, monkeypatch)

    assert len(await room.log()) == 2


async def test_a_source_gets_back_what_it_wanted_remembered(room: Room) -> None:
    await room.look()
    room.source.next_look(memory=None)
    await room.look()
    await room.look()

    assert [memory.values.get("look") for memory in room.source.seen] == [None, "1", "2", "2"]


async def test_a_failing_source_backs_off_and_the_others_are_not_affected(room: Room) -> None:
    gaps = []
    for _ in range(3):
        room.source.fail("connection refused")
        report = await room.look()
        state = await room.state()
        gaps.append(state.next_at - room.clock.now())
    other = await room.look(name="kedua")

    assert (report.look, state.problem, state.errors) == (Look.FAILED, "connection refused", 3)
    assert gaps == [timedelta(minutes=5), timedelta(minutes=7.5), timedelta(minutes=12.5)]
    assert other.look is Look.OK
    assert (await room.state()).memory == Memory(values={"look": "1"})


async def test_a_first_look_that_fails_is_no_first_import(db: Database, tmp_path: Path) -> None:
    room = Room(db, tmp_path)
    room.source.fail()
    await room.look()
    room.source.publish("a")
    await room.look()

    assert (await room.log())[0].baseline


async def test_a_malformed_first_look_leaves_the_first_import_open_but_not_for_ever(
    db: Database, tmp_path: Path
) -> None:
    room = Room(db, tmp_path)
    room.source.publish("a")
    room.source.next_look(look=Look.DEGRADED)
    await room.look()
    room.source.publish("b")
    room.source.next_look(look=Look.DEGRADED)
    await room.look()
    async with db.read() as connection:
        waited_for = await sources.importing(connection, ["lintas"])
    room.clock.forward(hours=24)
    room.source.next_look(look=Look.DEGRADED)
    await room.look()
    room.source.publish("c")
    await room.look()

    assert [change.baseline for change in await room.log()] == [True, True, False]
    assert waited_for == []


async def test_a_source_that_is_gone_for_good_is_suspended(room: Room) -> None:
    room.source.fail(suspend=True)
    await room.look()
    async with room.db.read() as connection:
        assert await sources.due(connection, [make_config()], now=NOW + timedelta(days=9)) == []


async def test_pictures_are_on_disk_and_noted(room: Room) -> None:
    picture = Media(hash="c" * 32, mime_type="image/jpeg", width=4, height=3, body=b"jpeg")
    room.source.publish("a")
    story = room.source.stories["a"]
    room.source.next_look(articles=(type(story)(key="a", content=story.content, media=(picture,)),))
    await room.look()

    assert (room.album.folder / ("c" * 32)).read_bytes() == b"jpeg"
    async with room.db.read() as connection:
        assert await articles.media_type(connection, "c" * 32) == "image/jpeg"
