"""Change log → feeds: only what is touched, never a broken document, the same bytes for the same state."""

import gzip
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from syndicate.domain.article import Article
from syndicate.domain.change import ChangeKind
from syndicate.domain.feed import Feed, Site
from syndicate.domain.selection import Selection
from syndicate.formats import FORMATS
from syndicate.formats.rss import Rss
from syndicate.pipeline.printing import Printer, keep_files
from syndicate.pipeline.publish import (
    CURSOR,
    STALE,
    Press,
    PublishReport,
    _publish_span,
    ask_for_publishing,
    publish_feeds,
)
from syndicate.store import changes, feeds, files, jobs
from syndicate.store.db import Database
from tests.factories import NOW, SITE, make_content, make_feed
from tests.formats.rules import by_the_rules
from tests.pipeline.stories import publish, revise

EKONOMI = make_feed(name="ekonomi", title="Ekonomi", selection=Selection(sections=frozenset({"ekonomi"})))
NOT_AN_ADDRESS = "javascript:alert(1)"


def make_press(folder: Path, *all_feeds: Feed) -> Press:
    return Press(site=SITE, feeds=all_feeds or (make_feed(),), formats=tuple(FORMATS.values()), folder=folder)


@pytest.fixture
def press(tmp_path: Path) -> Press:
    return make_press(tmp_path / "feeds")


async def printed(db: Database, press: Press, *, now: datetime = NOW) -> PublishReport:
    report = await publish_feeds(db, press, now=now)
    await keep_files(press, await Printer(press).news(db))
    for name in files.document_names(press.folder):
        if (document := files.read_document(press.folder, name)) is not None:
            by_the_rules(f"{press.site.public_url}/feeds/{name}", document.plain)
    return report


def titles(press: Press, feed: str = "terkini") -> list[str]:
    document = files.read_document(press.folder, f"{feed}.json")
    assert document is not None
    return [item["title"] for item in json.loads(document.plain)["items"]]


def deleted(press: Press) -> list[str]:
    """The stories that tombstones stand for in Atom, by their public ids."""
    document = files.read_document(press.folder, "terkini.atom")
    assert document is not None
    return [node.get("ref", "") for node in etree.fromstring(document.plain).iter("{*}deleted-entry")]


def last_modified(press: Press, name: str = "terkini.rss") -> int:
    document = files.read_document(press.folder, name)
    assert document is not None
    return document.last_modified


class Tearing(Rss):
    """A real format that breaks the way bugs do, not the way articles do."""

    flavour = "rss-torn"

    def fragment(self, article: Article, site: Site) -> bytes:
        raise RuntimeError("torn")


async def breaks_off(db: Database, press: Press) -> None:
    """A publishing that has begun to rebuild the feeds and gets as far as the first entry."""
    with pytest.raises(RuntimeError, match="torn"):
        await publish_feeds(db, replace(press, formats=(Tearing(), *press.formats[1:])), now=NOW)


async def asked_for(db: Database, press: Press) -> list[str]:
    """What a start asks for."""
    await ask_for_publishing(db, press, now=NOW)
    async with db.read() as connection:
        return [job.kind for job in await jobs.listed(connection, limit=9)]


def bytes_of(press: Press) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in press.folder.glob("*.doc")}


async def test_a_feed_is_printed_in_all_its_formats(db: Database, press: Press) -> None:
    await publish(db, 1, 2)
    report = await printed(db, press)

    assert report.feeds == ["terkini"]
    assert titles(press) == ["Berita 2", "Berita 1"]
    for name in files.document_names(press.folder):
        document = files.read_document(press.folder, name)
        assert document is not None
        assert gzip.decompress(document.gzipped) == document.plain


async def test_an_empty_feed_is_printed_too(db: Database, press: Press) -> None:
    await printed(db, press)

    assert titles(press) == []


async def test_only_the_feeds_that_hold_what_changed_are_printed(db: Database, tmp_path: Path) -> None:
    press = make_press(tmp_path, make_feed(), EKONOMI)
    await printed(db, press)
    await publish(db, 1)
    first = await printed(db, press)
    await publish(db, 2, sections=("Ekonomi",))
    second = await printed(db, press)

    assert first.feeds == ["terkini"]
    assert second.feeds == ["ekonomi", "terkini"]
    assert (await printed(db, press)).feeds == []


async def test_a_story_that_leaves_a_selection_leaves_its_feed(db: Database, tmp_path: Path) -> None:
    press = make_press(tmp_path, EKONOMI)
    await publish(db, 1, sections=("Ekonomi",))
    await printed(db, press)
    await revise(db, 1, sections=("Olahraga",))
    await printed(db, press)

    assert titles(press, "ekonomi") == []


async def test_the_place_of_a_story_that_leaves_is_filled_at_once(db: Database, tmp_path: Path) -> None:
    press = make_press(tmp_path, replace(EKONOMI, limit=1))
    await publish(db, 1, 2, sections=("Ekonomi",))
    await printed(db, press)
    await revise(db, 2, sections=("Olahraga",))
    await printed(db, press)

    assert titles(press, "ekonomi") == ["Berita 1"]


async def test_a_story_that_leaves_while_printing_breaks_off_is_gone_from_the_next_print(
    db: Database, tmp_path: Path
) -> None:
    press = make_press(tmp_path / "feeds", EKONOMI)
    await publish(db, 1, 2, sections=("Ekonomi",))
    await printed(db, press)
    await revise(db, 1, sections=("Olahraga",))
    await breaks_off(db, press)
    await printed(db, press)

    assert titles(press, "ekonomi") == ["Berita 2"]


async def test_withdrawn_and_corrected_stories_are_shown(db: Database, press: Press) -> None:
    await publish(db, 1, 2)
    await revise(db, 1, ChangeKind.WITHDRAWN)
    await revise(db, 2, ChangeKind.CORRECTED, title="Berita 2 yang benar")
    await printed(db, press)

    assert titles(press) == ["Berita 2 yang benar", "[DITARIK] Berita 1"]


async def test_a_withdrawn_story_leaves_after_30_days_although_nothing_else_happened(
    db: Database, press: Press
) -> None:
    await publish(db, 1, 2)
    await revise(db, 1, ChangeKind.WITHDRAWN)
    await printed(db, press)
    await printed(db, press, now=NOW + timedelta(days=31))

    assert titles(press) == ["Berita 2"]


async def test_t01_for_30_days_more_a_tombstone_stands_for_a_withdrawn_story_that_left(
    db: Database, press: Press
) -> None:
    (story, _) = await publish(db, 1, 2)
    await revise(db, 1, ChangeKind.WITHDRAWN)
    shown: list[list[str]] = []
    for days in (29, 31, 59, 61):
        await printed(db, press, now=NOW + timedelta(days=days))
        shown.append(deleted(press))

    assert shown == [[], [story.public_id], [story.public_id], []]


async def test_a_feed_that_is_busy_all_the_time_is_looked_through_all_the_same(db: Database, press: Press) -> None:
    (story,) = await publish(db, 1)
    await revise(db, 1, ChangeKind.WITHDRAWN)
    for number in range(2, 42):
        await publish(db, number)
        await printed(db, press, now=NOW + timedelta(hours=19 * number))

    assert deleted(press) == [story.public_id]


async def test_who_was_overtaken_by_another_publisher_writes_nothing(db: Database, press: Press) -> None:
    await publish(db, 1)
    await publish_feeds(db, press, now=NOW)
    await revise(db, 1, title="Lama")
    async with db.read() as connection:
        head = await changes.head(connection)
        place = await changes.cursor(connection, CURSOR) or 0
    await revise(db, 1, title="Baru")
    await publish_feeds(db, press, now=NOW)
    report = PublishReport()
    reached = await _publish_span(db, press, set(), report, after=place, upto=head, now=NOW)
    await printed(db, press)

    assert (reached, report.feeds, titles(press)) == (head, [], ["Baru"])


async def test_t04_a_story_that_comes_back_has_no_tombstone_any_more(db: Database, press: Press) -> None:
    await publish(db, 1, 2)
    await revise(db, 1, ChangeKind.WITHDRAWN)
    later = NOW + timedelta(days=31)
    await printed(db, press, now=later)
    buried = deleted(press)
    await revise(db, 1, ChangeKind.RESTORED)
    await printed(db, press, now=later)

    assert len(buried) == 1
    assert (deleted(press), titles(press)) == ([], ["Berita 2", "Berita 1"])


async def test_an_entry_is_kept_only_as_long_as_a_manifest_names_it(db: Database, press: Press) -> None:
    (story,) = await publish(db, 1)
    await printed(db, press)
    revised = await revise(db, 1, title="Berita 1, lebih lengkap")
    await printed(db, press)

    async with db.read() as connection:
        kept = [await feeds.have_fragments(connection, {story.id: seq}) for seq in (story.seq, revised.seq)]
        lines = await feeds.lines(connection, [str(story.seq), str(revised.seq)])
    assert [len(found) for found in kept] == [0, 3]
    assert list(lines) == [str(revised.seq)]


async def test_more_changes_than_fit_into_one_transaction_are_all_published(db: Database, press: Press) -> None:
    await publish(db, *range(1, 251))
    await printed(db, press)

    assert titles(press) == [f"Berita {n}" for n in range(250, 200, -1)]


async def test_stories_put_on_top_one_by_one_make_the_manifest_that_looking_through_makes(
    db: Database, tmp_path: Path
) -> None:
    press = make_press(tmp_path, make_feed(limit=3))
    stories: dict[str, int] = {}
    for numbers in ((), (1,), (2,), (4, 5), (6, 7, 8, 9), (3,)):
        stories |= {story.content.title: story.seq for story in await publish(db, *numbers)}
        await publish_feeds(db, press, now=NOW)
    async with db.read() as connection:
        (one_by_one,) = await feeds.plain(connection, ["terkini"])
        kept = await feeds.lines(connection, [str(stories[f"Berita {number}"]) for number in (6, 7, 8, 9)])
    await printed(db, press, now=NOW + STALE)
    async with db.read() as connection:
        (looked_through,) = await feeds.plain(connection, ["terkini"])

    assert one_by_one == looked_through
    assert titles(press) == ["Berita 9", "Berita 8", "Berita 7"]
    assert len(kept) == 3  # what was never shown was never made


async def test_a_story_that_came_late_does_not_stand_on_top(db: Database, press: Press) -> None:
    for number in (1, 3, 2):
        await publish(db, number)
        await printed(db, press)

    assert titles(press) == ["Berita 3", "Berita 2", "Berita 1"]


async def test_a_corrected_story_stays_although_newer_ones_come_on_top(db: Database, tmp_path: Path) -> None:
    press = make_press(tmp_path, make_feed(limit=2))
    await publish(db, 1, 2)
    await printed(db, press)
    await revise(db, 1, ChangeKind.CORRECTED, title="Berita 1 yang benar")
    await printed(db, press)
    for number in (3, 4):
        await publish(db, number)
        await printed(db, press)

    assert titles(press) == ["Berita 4", "Berita 3", "Berita 1 yang benar"]


async def test_a_printer_takes_in_only_what_is_new(db: Database, tmp_path: Path) -> None:
    press = make_press(tmp_path, make_feed(), EKONOMI)
    await publish(db, 1, sections=("Ekonomi",))
    await publish_feeds(db, press, now=NOW)
    printer = Printer(press)
    first = {one.name for one in await printer.news(db)}
    await publish(db, 2)
    await publish_feeds(db, press, now=NOW)
    second, third = await printer.news(db), await printer.news(db)

    assert len(first) == 6
    assert {one.name for one in second} == {"terkini.rss", "terkini.atom", "terkini.json"}
    assert third == []


async def test_a_story_that_cannot_be_written_is_quarantined_and_the_feed_goes_on(db: Database, press: Press) -> None:
    await publish(db, 1)
    await publish(db, 2, url=NOT_AN_ADDRESS, title="Rusak")
    report = await printed(db, press)

    assert titles(press) == ["Berita 1"]
    assert {bad.format for bad in report.quarantined} == {"rss", "atom", "json"}
    assert "'Rusak' can't be written as rss" in report.quarantined[0].problem


async def test_a_quarantine_is_lifted_when_the_story_is_mended(db: Database, press: Press) -> None:
    await publish(db, 1, url=NOT_AN_ADDRESS)
    await printed(db, press)
    await revise(db, 1, url="https://lintaspagi.example/1")
    await printed(db, press)

    async with db.read() as connection:
        assert await feeds.quarantined(connection) == []
    assert titles(press) == ["Berita 1"]


async def test_a_story_edited_into_something_unwritable_leaves_whole_documents(db: Database, press: Press) -> None:
    await publish(db, 1, 2)
    await printed(db, press)
    await revise(db, 2, url=NOT_AN_ADDRESS)
    await printed(db, press)

    for name, raw in bytes_of(press).items():
        document = files.read_document(press.folder, name.removesuffix(".doc"))
        assert document is not None, raw
        assert json.loads(document.plain) if "json" in name else len(etree.fromstring(document.plain))
    assert titles(press) == ["Berita 1"]


async def test_a_changed_selection_rebuilds_the_feed(db: Database, tmp_path: Path) -> None:
    await publish(db, 1)
    await publish(db, 2, sections=("Ekonomi",))
    await printed(db, make_press(tmp_path, EKONOMI))
    wider = replace(EKONOMI, selection=Selection())
    await printed(db, make_press(tmp_path, wider))

    assert titles(make_press(tmp_path), "ekonomi") == ["Berita 2", "Berita 1"]


async def test_a_feed_whose_rebuild_broke_off_is_whole_again_under_its_old_selection(
    db: Database, tmp_path: Path
) -> None:
    wide = make_press(tmp_path / "feeds", replace(EKONOMI, selection=Selection()))
    await publish(db, 1)
    await publish(db, 2, sections=("Ekonomi",))
    await printed(db, wide)
    await breaks_off(db, make_press(tmp_path / "feeds", EKONOMI))
    await publish(db, 3)
    await printed(db, wide)

    assert titles(wide, "ekonomi") == ["Berita 3", "Berita 2", "Berita 1"]


async def test_a_removed_feed_leaves_no_files_and_comes_back_whole(db: Database, tmp_path: Path) -> None:
    both, one = make_press(tmp_path, make_feed(), EKONOMI), make_press(tmp_path, make_feed())
    await publish(db, 1, sections=("Ekonomi",))
    await printed(db, both)
    await printed(db, one)
    without = files.document_names(tmp_path)
    await publish(db, 2, sections=("Ekonomi",))
    await printed(db, one)
    await printed(db, both)

    assert without == ["terkini.atom", "terkini.json", "terkini.rss"]
    assert titles(both, "ekonomi") == ["Berita 2", "Berita 1"]


async def test_a_format_that_is_no_longer_offered_is_taken_off(db: Database, tmp_path: Path) -> None:
    await printed(db, make_press(tmp_path))
    await printed(db, make_press(tmp_path, make_feed(formats=("atom",))))

    assert files.document_names(tmp_path) == ["terkini.atom"]


async def test_the_same_state_is_the_same_bytes(db: Database, press: Press, tmp_path: Path) -> None:
    await publish(db, 1, 2, 3)
    await printed(db, press)
    first = bytes_of(press)
    for path in press.folder.iterdir():
        path.unlink()
    await printed(db, press, now=NOW + timedelta(hours=1))
    await printed(db, press, now=NOW + STALE * 2)

    assert bytes_of(press) == first
    assert len(first) == 3


async def test_a_back_dated_story_moves_last_modified(db: Database, press: Press) -> None:
    await publish(db, 1)
    await printed(db, press)
    before = last_modified(press)
    old = make_content(title="Lama", published=NOW - timedelta(days=90), updated=NOW - timedelta(days=90))
    await publish(db, 2, content=old, changed_at=NOW + timedelta(hours=1))
    await printed(db, press, now=NOW + timedelta(hours=1))

    assert last_modified(press) == int((NOW + timedelta(hours=1)).timestamp()) > before


async def test_a_story_that_only_leaves_moves_last_modified(db: Database, tmp_path: Path) -> None:
    press = make_press(tmp_path, EKONOMI)
    await publish(db, 1, 2, sections=("Ekonomi",))
    await printed(db, press)
    before = last_modified(press, "ekonomi.rss")
    await revise(db, 2, sections=("Olahraga",))
    later = NOW + timedelta(hours=1, milliseconds=900)
    await printed(db, press, now=later)

    assert before < last_modified(press, "ekonomi.rss") == int(later.timestamp())


async def test_a_story_that_leaves_after_30_days_moves_last_modified(db: Database, press: Press) -> None:
    await publish(db, 1, 2)
    await revise(db, 1, ChangeKind.WITHDRAWN)
    await printed(db, press)
    later = NOW + timedelta(days=31)
    await printed(db, press, now=later)

    assert last_modified(press) == int(later.timestamp())


async def test_last_modified_never_goes_back(db: Database, press: Press) -> None:
    await publish(db, 1)
    await printed(db, press)
    await publish(db, 2)
    await printed(db, press, now=NOW - timedelta(hours=1))  # the clock was set

    assert (titles(press), last_modified(press)) == (["Berita 2", "Berita 1"], int(NOW.timestamp()))


@pytest.mark.parametrize("damage", [b"", b"not a document", b"\n"])
async def test_a_damaged_document_is_printed_again_as_it_was(db: Database, press: Press, damage: bytes) -> None:
    await publish(db, 1)
    await printed(db, press)
    whole = bytes_of(press)
    file = press.folder / "terkini.rss.doc"
    file.write_bytes(damage or file.read_bytes()[:-1])

    await printed(db, press, now=NOW + timedelta(hours=1))
    assert bytes_of(press) == whole


async def test_a_start_asks_for_feeds_of_another_configuration(db: Database, tmp_path: Path) -> None:
    await publish(db, 1)
    await printed(db, make_press(tmp_path, make_feed()))

    assert await asked_for(db, make_press(tmp_path, make_feed(title="Lain"))) == ["publish"]


async def test_a_start_asks_for_nothing_while_every_feed_is_as_it_should_be(db: Database, press: Press) -> None:
    before_the_first_story = await asked_for(db, press)
    await publish(db, 1)
    await printed(db, press)

    assert (before_the_first_story, await asked_for(db, press)) == ([], [])


async def test_a_lost_document_is_printed_again(db: Database, press: Press) -> None:
    await publish(db, 1)
    await printed(db, press)
    (press.folder / "terkini.rss.doc").unlink()

    await printed(db, press)
    assert "terkini.rss" in files.document_names(press.folder)


async def test_a_new_public_address_is_in_every_entry_at_once(db: Database, tmp_path: Path) -> None:
    await publish(db, 1, url=None)
    await printed(db, make_press(tmp_path))
    moved = replace(make_press(tmp_path), site=replace(SITE, public_url="https://baru.example"))
    await printed(db, moved)

    document = files.read_document(tmp_path, "terkini.json")
    assert document is not None
    assert b"https://baru.example/articles/" in document.plain
    assert SITE.public_url.encode() not in document.plain
