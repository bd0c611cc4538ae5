"""The fence that notices a restored backup, holds, and the journal of departures."""

from datetime import timedelta
from pathlib import Path

from syndicate.store import fence
from syndicate.store.db import Database
from syndicate.store.fence import Departure
from tests.factories import NOW, add_reader

LEFT = Departure(digest="d" * 64, newsletter="pagi", reason="unsubscribed", at=NOW)


def test_a_fence_on_disk_is_zero_before_it_is_raised(tmp_path: Path) -> None:
    path = tmp_path / "fence"
    assert fence.disk_value(path) == 0

    fence.raise_disk(path, 7)
    fence.raise_disk(path, 12)

    assert fence.disk_value(path) == 12
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_first_fence_that_a_full_disk_kept_out_is_zero(tmp_path: Path) -> None:
    path = tmp_path / "fence"
    path.touch()

    assert fence.disk_value(path) == 0


async def test_numbers_are_skipped_before_the_first_row_and_after_it(db: Database) -> None:
    async with db.write() as connection:
        await fence.skip_numbers(connection, 1000)
        first = await add_reader(connection, 1)
        await fence.skip_numbers(connection, 1000)
        second = await add_reader(connection, 2)

    assert first.id > 1000
    assert first.id + 1000 < second.id < first.id + 1010


async def test_the_database_keeps_a_fence_for_each_install(db: Database) -> None:
    async with db.write() as connection:
        assert await fence.value(connection, "here") == 0
        await fence.raise_value(connection, "here", 3)
        await fence.raise_value(connection, "there", 9)
        assert await fence.value(connection, "here") == 3


async def test_a_hold_keeps_its_first_reason_until_it_is_released(db: Database) -> None:
    async with db.write() as connection:
        await fence.hold(connection, "fence", "an older copy", now=NOW)
        await fence.hold(connection, "fence", "again", now=NOW)
        assert await fence.held(connection) == {"fence": "an older copy"}
        assert await fence.release(connection, "fence")
        assert not await fence.release(connection, "fence")
        assert await fence.held(connection) == {}


def test_the_journal_is_read_in_order(tmp_path: Path) -> None:
    path, later = tmp_path / "journal", Departure(digest="e", newsletter="", reason="bounced", at=NOW + timedelta(1))
    assert list(fence.departures(path)) == []

    for departure in (LEFT, later):
        fence.note_departure(path, departure)

    assert list(fence.departures(path)) == [LEFT, later]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_last_line_that_a_crash_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    fence.note_departure(path, LEFT)
    whole = path.read_bytes()
    for length in range(len(whole) - 1):
        path.write_bytes(whole + whole[:length])
        assert list(fence.departures(path)) == [LEFT]


def test_what_is_noted_after_a_cut_line_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    fence.note_departure(path, LEFT)
    path.write_bytes(path.read_bytes() + b'{"digest": "half')

    fence.note_departure(path, LEFT)

    assert list(fence.departures(path)) == [LEFT, LEFT]


def test_the_name_of_an_install_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "install"

    assert fence.new_install(path, b"\x01" * 16) == fence.new_install(path, b"\x02" * 16) == "01" * 16
