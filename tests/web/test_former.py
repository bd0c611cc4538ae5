"""Feeds that have another name now, that are no more, and the address that says no format (H-10, H-11, H-14)."""

import pytest

from tests.web.paper import Paper, wire


@pytest.mark.parametrize("rest", [".rss", ".atom", ".json", "/", "/2026-05.atom"])
def test_h10_every_address_of_a_renamed_feed_leads_to_the_new_one_for_good(paper: Paper, rest: str) -> None:
    for query in ("", "?lang=en"):
        answer = paper.get(f"/feeds/kabupaten{rest}{query}")

        assert (answer.status_code, answer.headers["location"]) == (301, f"{paper.origin}/feeds/kota{rest}{query}")


def test_h10_a_reader_that_follows_gets_the_feed_itself(paper: Paper) -> None:
    answer = paper.get("/feeds/kabupaten.rss")

    assert paper.get(answer.headers["location"]).content == paper.get("/feeds/kota.rss").content


def test_a03_a_renamed_feed_keeps_the_id_it_had_under_its_first_name(paper: Paper) -> None:
    assert ":feed/kabupaten</id>" in paper.get("/feeds/kota.atom").text
    assert ":feed/terkini</id>" in paper.get("/feeds/terkini.atom").text


def test_h10_scripts_may_follow_to_what_is_open_to_them(paper: Paper) -> None:
    assert paper.get("/feeds/kabupaten.json").headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in paper.get("/feeds/kabupaten.rss").headers
    assert "access-control-allow-origin" not in paper.get("/feeds/mitra-lama.json").headers


def test_h10_a_renamed_private_feed_has_no_page_and_still_asks_for_the_key(paper: Paper) -> None:
    new = paper.get("/feeds/mitra-lama.json").headers["location"]
    key = {"authorization": f"Bearer {paper.keys['portal-warga']}"}

    assert new == f"{paper.origin}/feeds/mitra.json"
    assert paper.get(new).status_code == 401
    assert paper.http.get(new, headers=wire(key)).status_code == 200
    assert [paper.get(f"/feeds/mitra-lama{rest}").status_code for rest in ("", "/")] == [404, 404]


def test_h10_a_name_that_only_begins_like_a_former_one_is_unknown(paper: Paper) -> None:
    for path in ("/feeds/kabupaten-lain.rss", "/feeds/kabupaten.xml", "/feeds/kabupaten.rss/", "/feeds/kabupatenrss"):
        assert paper.get(path).status_code == 404, path


@pytest.mark.parametrize("rest", ["", "/", ".rss", ".atom", ".json", "/2026-05.atom"])
def test_h11_a_closed_feed_says_in_a_few_words_that_it_won_t_come_back(paper: Paper, rest: str) -> None:
    answer = paper.get(f"/feeds/piala{rest}")

    assert (answer.status_code, answer.headers["content-type"]) == (410, "text/plain; charset=utf-8")
    assert answer.text == f"Feed ini sudah ditutup dan tidak akan kembali. Feed yang ada: {paper.origin}/feeds/\n"


def test_h14_an_address_without_a_format_leads_to_the_page(paper: Paper) -> None:
    answer = paper.get("/feeds/kota?lang=en", accept="application/atom+xml")

    assert (answer.status_code, answer.headers["location"]) == (301, f"{paper.origin}/feeds/kota/?lang=en")
    assert paper.get("/feeds/kabupaten").headers["location"] == f"{paper.origin}/feeds/kota/"
    assert [paper.get(f"/feeds/{name}").status_code for name in ("mitra", "nichts")] == [404, 404]
