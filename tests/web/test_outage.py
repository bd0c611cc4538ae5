"""R07, R22: feeds outlive their database, and damage on the disk is not passed on."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.web.paper import Paper, eventually, fill, running, story

FEEDS = ["/feeds/terkini.rss", "/feeds/terkini.atom", "/feeds/terkini.json", "/feeds.opml"]


def ruin(paper: Paper, how: str) -> None:
    """The database is gone, or no database any more."""
    paper.do(paper.app.db.aclose())
    for file in (paper.folder / "var").glob("syndicate.db*"):
        if how == "removed":
            file.unlink()
        else:
            file.write_bytes(b"not a database at all " * 500)


@pytest.mark.parametrize("how", ["removed", "ruined"])
def test_r07_feeds_are_served_when_the_database_is_gone(own_paper: Paper, how: str) -> None:
    before = {path: paper_bytes(own_paper, path) for path in FEEDS}
    ruin(own_paper, how)
    for path in FEEDS:
        assert paper_bytes(own_paper, path) == before[path]
    assert own_paper.get("/feeds/").status_code == 200
    assert own_paper.get("/").status_code == 200
    assert own_paper.get("/healthz").status_code == 200
    ready = own_paper.get("/readyz")
    assert (ready.status_code, ready.text.startswith("not ready: ")) == (503, True)
    for path in ("/feeds/terkini/", "/editions/ringkasan/", f"/u/{own_paper.token()}"):
        answer = own_paper.get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30"), path
    key = {"authorization": f"Bearer {own_paper.keys['portal-warga']}"}
    assert own_paper.http.get("/feeds/mitra.rss", headers=key).status_code == 503
    assert "syndicate_store_up 0.0" in own_paper.get("/metrics").text


def paper_bytes(paper: Paper, path: str) -> tuple[int, bytes, str]:
    answer = paper.get(path)
    return answer.status_code, answer.content, answer.headers["etag"]


def test_r22_feeds_are_served_right_after_a_start_without_a_database(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        fill(first)
        before = first.get("/feeds/terkini.rss").content
    for file in (tmp_path / "var").glob("syndicate.db*"):
        file.unlink()
    with running(tmp_path) as second:
        answer = second.http.get("/feeds/terkini.rss")  # unchecked: it names the address of the first
        assert answer.status_code == 200
        assert answer.content == before


def test_a_new_story_is_seen_without_a_restart(own_paper: Paper) -> None:
    old = own_paper.get("/feeds/terkini.rss")
    own_paper.publish("baru.md", story("Kabar baru", "Baru saja.", published="2026-11-24T08:05:00+07:00"))
    eventually(lambda: own_paper.get("/feeds/terkini.rss", if_none_match=old.headers["etag"]).status_code == 200)
    assert "Kabar baru" in own_paper.get("/feeds/terkini.rss").text


def test_r07_a_damaged_document_is_not_served(own_paper: Paper) -> None:
    before = own_paper.get("/feeds/terkini.rss").content
    file = own_paper.folder / "var" / "feeds" / "terkini.rss.doc"
    file.write_bytes(file.read_bytes()[:-20])
    other = own_paper.folder / "var" / "feeds" / "terkini.atom.doc"
    other.unlink()
    own_paper.publish("baru.md", story("Kabar kota", "Baru saja.", published="2026-11-24T08:05:00+07:00"))
    eventually(lambda: "Kabar kota" in own_paper.get("/feeds/terkini.json").text)
    assert own_paper.get("/feeds/terkini.rss").status_code == 200
    assert before


def test_a_damaged_document_is_written_again_at_the_next_start(own_paper: Paper) -> None:
    file = own_paper.folder / "var" / "feeds" / "terkini.rss.doc"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    own_paper.turn(timedelta(minutes=1))
    assert file.read_bytes() == whole


def test_a_feed_that_is_not_published_yet_asks_for_a_little_patience(tmp_path: Path) -> None:
    with running(tmp_path) as paper:
        answer = paper.get("/feeds/terkini.rss")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert paper.get("/feeds.opml").status_code == 200


def test_ready_means_the_schema_of_this_version(tmp_path: Path) -> None:
    with running(tmp_path) as paper:
        assert paper.get("/readyz").status_code == 503
        fill(paper)
        assert (paper.get("/readyz").status_code, paper.get("/readyz").text) == (200, "ready\n")


def test_metrics_are_for_this_machine_only(paper: Paper) -> None:
    figures = paper.get("/metrics").text
    for name in ("syndicate_http_answers_total", "syndicate_deliveries_open 0.0", "syndicate_store_up 1.0"):
        assert name in figures
    assert 'syndicate_source_errors{source="newsroom"} 0.0' in figures
    assert paper.get("/metrics", host="paper.example").status_code == 400


def test_time_goes_on_for_the_age_of_the_last_look(own_paper: Paper) -> None:
    own_paper.clock.at += timedelta(hours=1)
    assert 'syndicate_source_age_seconds{source="newsroom"} 3720.0' in own_paper.get("/metrics").text
