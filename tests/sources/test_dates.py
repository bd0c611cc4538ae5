"""Times as newsrooms write them (gather.md §1.7)."""

from datetime import UTC, datetime, timedelta

import pytest

from syndicate.sources.read.dates import choose_times, has_zone, read_date

NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
ZONE = "Asia/Jakarta"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("Mon, 19 May 2025 03:12:00 +0000", "2025-05-19T03:12:00"),
        ("Mon, 19 May 2025 10:12:00 WIB", "2025-05-19T03:12:00"),
        ("Sen, 19 Mei 2025 10:12:00 +0700", "2025-05-19T03:12:00"),
        ("Mon, 19 Mei 2025 10:12:00 GMT", "2025-05-19T10:12:00"),
        ("2025-05-19 10:12:00", "2025-05-19T03:12:00"),
        ("2025-05-19T10:12:00", "2025-05-19T03:12:00"),
        ("2025-05-19T03:12:00Z", "2025-05-19T03:12:00"),
        ("2025-05-19T03:12:00.123456Z", "2025-05-19T03:12:00"),
        ("2025-05-19T10:12:00+07:00", "2025-05-19T03:12:00"),
        ("2025-05-19T10:12+07:00", "2025-05-19T03:12:00"),
        ("20250519T101200+0700", "2025-05-19T03:12:00"),
        ("Senin, 19 Mei 2025 10:12 WIB", "2025-05-19T03:12:00"),
        ("31 Agustus 2025 | 07:05 WITA", "2025-08-30T23:05:00"),
        ("1 Agu 2025 23.30 WIT", "2025-08-01T14:30:00"),
        ("Jum'at, 5 Desember 2025 06:00 WIB", "2025-12-04T23:00:00"),
        ("Jum’at, 5 Desember 2025 pukul 06.00 WIB", "2025-12-04T23:00:00"),
        ("Jumat, 5 Des 2025 06:00:30", "2025-12-04T23:00:30"),
        ("Kamis Pon, 20 November 2025 08:00 WIB", "2025-11-20T01:00:00"),
        ("Ahad, 1 Nop 2025 08:00", "2025-11-01T01:00:00"),
        ("Minggu Legi 2 Pebruari 2025", "2025-02-01T17:00:00"),
        ("19/05/2025 10:12", "2025-05-19T03:12:00"),
        ("May 19, 2025 3:12 pm", "2025-05-19T08:12:00"),
        ("May 19, 2025 12:05 am", "2025-05-18T17:05:00"),
        ("Mon, 19 May 25 03:12:00 UT", "2025-05-19T03:12:00"),
        ("Mon, 19 May 2025 03:12:00 EDT", "2025-05-19T07:12:00"),
        ("19 May 2025 03:12:00 GMT+7", "2025-05-18T20:12:00"),
        ("Mon, 19 May 2025 24:00:00 +0000", "2025-05-20T00:00:00"),
        ("2025-05-19T03:12:60Z", "2025-05-19T03:12:59"),
        ("2025-05-19", "2025-05-18T17:00:00"),
        ("Mon, 30 Nov -0001 00:00:00 +0000", None),
        ("0000-00-00 00:00:00", None),
        ("0001-01-01T00:00:00Z", None),
        ("30 Februari 2025", None),
        ("2025-05-19 25:00", None),
        ("Sabtu (17/5) lalu", None),
        ("kemarin", None),
        ("", None),
        ("9" * 100_000, None),
    ],
)
def test_a_date_is_read_as_the_newsroom_meant_it(text: str, instant: str | None) -> None:
    expected = datetime.fromisoformat(instant).replace(tzinfo=UTC) if instant else None
    assert read_date(text, ZONE) == expected


def test_a_missing_date_is_now_and_flagged() -> None:
    assert choose_times("", "", zone=ZONE, now=NOW) == (NOW, NOW, ("date_guess",))


def test_the_update_stands_in_for_a_missing_publication_date() -> None:
    published, updated, flags = choose_times("", "2026-11-20T00:00:00Z", zone=ZONE, now=NOW)
    assert published == updated == datetime(2026, 11, 20, tzinfo=UTC)
    assert flags == ()


@pytest.mark.parametrize(("ahead", "flags"), [(600, ()), (601, ("date_future",))])
def test_the_future_is_clamped_and_flagged_beyond_ten_minutes(ahead: int, flags: tuple[str, ...]) -> None:
    claimed = (NOW + timedelta(seconds=ahead)).isoformat()
    assert choose_times(claimed, claimed, zone=ZONE, now=NOW) == (NOW, NOW, flags)


def test_no_story_changes_before_it_is_published() -> None:
    published, updated, _ = choose_times("2025-05-19T02:08:00Z", "2025-05-19T01:12:00Z", zone=ZONE, now=NOW)
    assert updated == published


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        ("2026-11-16T18:40:00+07:00", True),
        ("2026-11-16T11:40:00Z", True),
        ("Senin, 16 November 2026 18.40 WIB", True),
        ("2026-11-16 18:40:00", False),
        ("2026-11-16", False),
        ("tadi pagi", False),
    ],
)
def test_a_time_is_sure_when_it_names_its_zone(text: str, sure: bool) -> None:
    assert has_zone(text) is sure
