"""Finished months of a feed: made when asked for, kept until a story changes, whole with the newest document."""

import gzip
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from syndicate.domain.change import ChangeKind
from syndicate.domain.feed import Feed
from syndicate.domain.selection import Selection
from syndicate.pipeline.archives import Archives
from syndicate.pipeline.printing import Printer, keep_files
from syndicate.pipeline.publish import Press, publish_feeds
from syndicate.store import files
from syndicate.store.db import Database
from tests.factories import SITE, make_feed
from tests.formats.rules import Document, broken_together, by_the_rules
from tests.pipeline.stories import publish, revise
from tests.pipeline.test_publish import NOT_AN_ADDRESS, make_press

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
SEPTEMBER, OCTOBER, NOVEMBER = (datetime(2026, month, 10, tzinfo=UTC) for month in (9, 10, 11))
ATOM = {"a": "http://www.w3.org/2005/Atom"}


async def dated(db: Database, number: int, at: datetime, **more: object) -> None:
    await publish(db, number, published=at, updated=at, sort_at=at, first_seen=at, changed_at=at, **more)


async def three_months(db: Database, press: Press) -> Archives:
    for number, at in enumerate((SEPTEMBER, OCTOBER, OCTOBER, NOVEMBER), start=1):
        await dated(db, number, at + timedelta(minutes=number))
    await publish_feeds(db, press, now=NOW)
    return Archives(db, press)


async def read(archives: Archives, month: str, feed: Feed | None = None) -> bytes | None:
    """The archive's bytes, by all rules."""
    document = await archives.document(feed or make_feed(), month, now=NOW)
    if document is None:
        return None
    assert gzip.decompress(document.gzipped) == document.plain
    return by_the_rules(f"{SITE.public_url}/feeds/terkini/{month}.atom", document.plain, now=NOW)


def titles(document: bytes | None) -> list[str]:
    assert document is not None
    found = etree.fromstring(document).xpath("/a:feed/a:entry/a:title/text()", namespaces=ATOM)
    return [str(title) for title in found]


def links(document: bytes | None) -> dict[str, str]:
    assert document is not None
    nodes = etree.fromstring(document).xpath("/a:feed/a:link", namespaces=ATOM)
    return {node.get("rel"): node.get("href").rpartition("/")[2] for node in nodes}


@pytest.fixture
def press(tmp_path: Path) -> Press:
    return make_press(tmp_path / "feeds")


async def test_an_archive_holds_its_month_newest_first(db: Database, press: Press) -> None:
    archives = await three_months(db, press)

    assert titles(await read(archives, "2026-10")) == ["Berita 3", "Berita 2"]
    assert titles(await read(archives, "2026-09")) == ["Berita 1"]


async def test_archives_name_their_neighbours_but_never_an_unfinished_month(db: Database, press: Press) -> None:
    archives = await three_months(db, press)
    september, october = links(await read(archives, "2026-09")), links(await read(archives, "2026-10"))

    assert (september.get("prev-archive"), september["next-archive"]) == (None, "2026-10.atom")
    assert (october["prev-archive"], october.get("next-archive")) == ("2026-09.atom", None)
    assert september["current"] == october["current"] == "terkini.atom"


@pytest.mark.parametrize("month", ["2026-11", "2026-12", "2026-08", "1999-01"])
async def test_a_month_that_is_not_over_or_has_nothing_has_no_archive(db: Database, press: Press, month: str) -> None:
    archives = await three_months(db, press)

    assert await read(archives, month) is None


async def test_a_month_ends_where_the_newspaper_is(db: Database, press: Press) -> None:
    await dated(db, 1, datetime(2026, 9, 30, 16, 59, tzinfo=UTC))  # 23:59 in Jakarta
    await dated(db, 2, datetime(2026, 9, 30, 17, 0, tzinfo=UTC))
    await publish_feeds(db, press, now=NOW)
    archives = Archives(db, press)

    assert titles(await read(archives, "2026-09")) == ["Berita 1"]
    assert titles(await read(archives, "2026-10")) == ["Berita 2"]


async def test_a_feed_for_partners_has_no_archives(db: Database, tmp_path: Path) -> None:
    private = make_feed(partners=("portal",))
    archives = await three_months(db, make_press(tmp_path, private))

    assert await read(archives, "2026-10", private) is None


async def test_an_archive_is_kept_as_it_is_until_one_of_its_stories_changes(db: Database, press: Press) -> None:
    archives = await three_months(db, press)
    first = await archives.document(make_feed(), "2026-10", now=NOW)
    later = await archives.document(make_feed(), "2026-10", now=NOW + timedelta(hours=1))
    await revise(db, 2, ChangeKind.CORRECTED, title="Berita 2 yang benar")
    await publish_feeds(db, press, now=NOW)
    mended = await archives.document(make_feed(), "2026-10", now=NOW)

    assert first is not None
    assert mended is not None
    assert later == first
    assert mended.etag != first.etag
    assert titles(mended.plain) == ["Berita 3", "Berita 2 yang benar"]


async def test_a_withdrawn_story_shows_only_its_notice_in_an_archive_too(db: Database, press: Press) -> None:
    archives = await three_months(db, press)
    await revise(db, 3, ChangeKind.WITHDRAWN, note="Salah orang.")
    await publish_feeds(db, press, now=NOW)

    assert titles(await read(archives, "2026-10")) == ["[DITARIK] Berita 3", "Berita 2"]


async def test_a_story_that_cannot_be_written_is_left_out(db: Database, press: Press) -> None:
    await dated(db, 9, OCTOBER, url=NOT_AN_ADDRESS)
    archives = await three_months(db, press)

    assert titles(await read(archives, "2026-10")) == ["Berita 3", "Berita 2"]


async def test_a_feed_with_the_longest_name_has_archives_too(db: Database, tmp_path: Path) -> None:
    feed = make_feed(name="n" * 40)
    archives = await three_months(db, make_press(tmp_path, feed))

    assert await archives.document(feed, "2026-10", now=NOW) is not None


async def test_a_damaged_archive_is_made_again(db: Database, press: Press) -> None:
    archives = await three_months(db, press)
    whole = await read(archives, "2026-10")
    (file,) = (press.folder / "archives").glob("*.doc")
    file.write_bytes(file.read_bytes()[:-9])

    assert await read(archives, "2026-10") == whole
    assert files.document_names(press.folder / "archives") == ["terkini-2026-10.atom"]


async def test_p06_whoever_walks_back_finds_every_story_once(db: Database, press: Press) -> None:
    feed = make_feed(limit=1, selection=Selection())
    press = replace(press, feeds=(feed,))
    archives = await three_months(db, press)
    found, month = ["Berita 4"], "2026-10"
    while month:
        document = await read(archives, month, feed)
        found += titles(document)
        month = links(document).get("prev-archive", "").removesuffix(".atom")

    assert found == ["Berita 4", "Berita 3", "Berita 2", "Berita 1"]


async def test_newest_document_and_archives_are_one_feed_by_all_rules(db: Database, press: Press) -> None:
    archives = await three_months(db, press)
    await revise(db, 2, ChangeKind.CORRECTED, title="Berita 2 yang benar")
    await publish_feeds(db, press, now=NOW)
    newest = {one.name: one.document().plain for one in await Printer(press).news(db)}["terkini.atom"]
    september, october = await read(archives, "2026-09"), await read(archives, "2026-10")
    assert september
    assert october
    url = f"{SITE.public_url}/feeds/terkini"
    documents = [
        Document(kind="atom", raw=newest, url=f"{url}.atom"),
        Document(kind="atom", raw=october, url=f"{url}/2026-10.atom"),
        Document(kind="atom", raw=september, url=f"{url}/2026-09.atom"),
    ]

    assert links(newest)["prev-archive"] == "2026-10.atom"
    assert broken_together(documents) == {}


async def test_an_archive_file_goes_with_its_feed(db: Database, tmp_path: Path) -> None:
    press = make_press(tmp_path / "feeds")
    archives = await three_months(db, press)
    await read(archives, "2026-10")
    await keep_files(press, [])
    kept = files.document_names(press.archives)
    await keep_files(replace(press, feeds=()), [])

    assert (kept, files.document_names(press.archives)) == (["terkini-2026-10.atom"], [])
