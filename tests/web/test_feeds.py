"""Feeds over HTTP: what the rules of http_rules.py leave to be told by cases, against a running server."""

import gzip
import json
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
from sqlalchemy import event

from tests.web.http_rules import TYPES
from tests.web.paper import Paper, wire

PATHS = ["/feeds/terkini.rss", "/feeds/terkini.atom", "/feeds/terkini.json", "/feeds.opml"]


@pytest.mark.parametrize("form", ["{0}", "W/{0}", '"other", {0}', '"other" ,W/{0} , "more"', "*", '"x",*'])
def test_h02_a_known_tag_in_any_form_is_a_304(paper: Paper, form: str) -> None:
    tag = paper.get(PATHS[0]).headers["etag"]
    assert paper.get(PATHS[0], if_none_match=form.format(tag)).status_code == 304


@pytest.mark.parametrize("given", ['"other"', "", 'W/"other", "more"', "other", '"'])
def test_h02_another_tag_is_a_200_whatever_the_date_says(paper: Paper, given: str) -> None:
    modified = paper.get(PATHS[0]).headers["last-modified"]
    assert paper.get(PATHS[0], if_none_match=given, if_modified_since=modified).status_code == 200


@pytest.mark.parametrize(
    ("seconds", "form", "status"),
    [
        (0, "%a, %d %b %Y %H:%M:%S GMT", 304),  # Last-Modified itself
        (0, "%A, %d-%b-%y %H:%M:%S GMT", 304),  # RFC 850, obsolete but to be understood
        (-1, "%a, %d %b %Y %H:%M:%S GMT", 200),
    ],
)
def test_h03_a_date_alone_counts(paper: Paper, seconds: int, form: str, status: int) -> None:
    modified = parsedate_to_datetime(paper.get(PATHS[0]).headers["last-modified"])
    asked = (modified + timedelta(seconds=seconds)).strftime(form)

    assert paper.get(PATHS[0], if_modified_since=asked).status_code == status


@pytest.mark.parametrize("date", ["Tue, 24 Nov 2099 00:00:00 GMT", "yesterday", "Tue, 99 Nov 2026 99:99:99 GMT", "1"])
def test_h03_a_date_that_is_nonsense_or_the_future_is_ignored(paper: Paper, date: str) -> None:
    assert paper.get(PATHS[0], if_modified_since=date).status_code == 200


def test_h06_the_squeezed_bytes_are_the_same_document_every_time(paper: Paper) -> None:
    with paper.http.stream("GET", PATHS[0], headers={"accept-encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert raw[4:8] == b"\0\0\0\0", "mtime 0"
    assert gzip.decompress(raw) == paper.get(PATHS[0]).content


@pytest.mark.parametrize(
    ("offered", "gzipped"),
    [
        ("gzip", True),
        ("gzip, deflate", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("*", True),
        ("br;q=1.0, gzip;q=0.2", True),
        ("identity;q=0, *", True),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("gzip;q=0", False),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("identity;q=1, gzip;q=0.5", False),
        ("br, zstd", False),
        ("", False),
        ("gzip;q=much", False),
        (";,;=", False),
    ],
)
def test_h07_the_weights_of_accept_encoding_are_honoured(paper: Paper, offered: str, gzipped: bool) -> None:
    answer = paper.get(PATHS[0], accept_encoding=offered)
    assert (answer.headers.get("content-encoding") == "gzip") is gzipped


def test_h08_public_feeds_may_be_kept_for_five_minutes_and_longer_when_we_are_away(paper: Paper) -> None:
    kept = paper.get(PATHS[0]).headers["cache-control"]
    assert kept == "public, max-age=300, stale-while-revalidate=600, stale-if-error=86400"


@pytest.mark.parametrize("accept", ["application/atom+xml", "text/html", "*/*"])
def test_h14_an_address_has_one_representation_whatever_is_accepted(paper: Paper, accept: str) -> None:
    assert paper.get(PATHS[0], accept=accept).headers["content-type"] == TYPES["rss"]


@pytest.mark.parametrize("path", ["/feeds/terkini.json", "/feeds.opml"])
def test_h17_scripts_of_other_sites_may_read_what_is_made_for_programs(paper: Paper, path: str) -> None:
    answer = paper.get(path, origin="https://reader.example")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-expose-headers"] == "ETag, Last-Modified, Link"
    asked = {"origin": "https://reader.example", "access-control-request-headers": "if-none-match"}
    before = paper.http.options(path, headers=asked)
    assert before.status_code == 204
    assert before.headers["access-control-allow-methods"] == "GET, HEAD"
    assert "If-None-Match" in before.headers["access-control-allow-headers"]


def test_h17_other_feeds_say_which_methods_they_have(paper: Paper) -> None:
    assert paper.http.options(PATHS[0]).headers["allow"] == "GET, HEAD, OPTIONS"
    refused = paper.http.post(PATHS[0], content=b"x")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("wanted", ["bytes=0-10", "bytes=999999999-", "bytes=-1", "lines=1-2"])
def test_h21_a_range_gets_the_whole_feed(paper: Paper, wanted: str) -> None:
    answer = paper.get(PATHS[0], range=wanted)
    assert (answer.status_code, answer.headers["accept-ranges"]) == (200, "none")
    assert answer.content == paper.get(PATHS[0]).content


@pytest.mark.parametrize("query", ["?utm_source=x", "?", "?page=2&format=atom"])
def test_h22_other_parameters_change_nothing(paper: Paper, query: str) -> None:
    answer, plain = paper.get(PATHS[0] + query), paper.get(PATHS[0])
    assert answer.content == plain.content
    assert answer.headers["link"] == plain.headers["link"]


def test_a_public_feed_needs_no_key_and_a_private_one_is_listed_nowhere(paper: Paper) -> None:
    for path in ("/", "/feeds/", "/feeds.opml", "/feeds/terkini/"):
        assert "mitra" not in paper.get(path).text
    assert paper.get("/feeds/mitra/").status_code == 404


def bearer(key: str) -> dict[str, str]:
    return wire({"authorization": f"Bearer {key}"})


def test_h09_a_private_feed_opens_to_its_partners_key(paper: Paper) -> None:
    answer = paper.http.get("/feeds/mitra.json", headers=bearer(paper.keys["portal-warga"]))
    assert answer.status_code == 200
    assert len(json.loads(answer.content)["items"]) == 3
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["vary"] == "authorization, accept-encoding"
    assert "access-control-allow-origin" not in answer.headers
    assert paper.keys["portal-warga"] not in str(answer.headers) + answer.text
    again = bearer(paper.keys["portal-warga"]) | {"if-none-match": answer.headers["etag"]}
    assert paper.http.get("/feeds/mitra.json", headers=again).status_code == 304


@pytest.mark.parametrize(
    "authorization",
    [None, "Bearer", "Bearer nonsense", "Basic bnBfOg==", f"Bearer np_{'a' * 8}_{'A' * 43}", "bearer \xff"],
)
def test_h09_without_a_known_key_a_private_feed_asks_for_one(paper: Paper, authorization: str | None) -> None:
    headers = [(b"authorization", authorization.encode("latin-1"))] if authorization else []
    answer = paper.http.get("/feeds/mitra.rss", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer realm="feeds"')
    assert answer.headers["cache-control"] == "no-store"


def test_h09_a_known_tag_opens_nothing(paper: Paper) -> None:
    assert paper.get("/feeds/mitra.rss", if_none_match="*").status_code == 401


def test_h09_a_key_of_another_partner_is_forbidden(paper: Paper) -> None:
    assert paper.http.get("/feeds/mitra.rss", headers=bearer(paper.keys["portal-lain"])).status_code == 403


def test_a_changed_key_is_unknown(paper: Paper) -> None:
    key = paper.keys["portal-warga"]
    changed = key[:-1] + ("A" if key[-1] != "A" else "B")
    assert paper.http.get("/feeds/mitra.rss", headers=bearer(changed)).status_code == 401


@pytest.mark.parametrize("path", ["/feeds/mitra.rss", "/feeds/terkini.rss", "/feeds/", "/nothing"])
@pytest.mark.parametrize("name", ["api_key", "key", "access_token", "other"])
def test_t29_a_key_in_the_address_is_refused_and_not_written_down(
    paper: Paper, path: str, name: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    key = paper.keys["portal-warga"]
    answer = paper.get(f"{path}?{name}={key}")
    assert answer.status_code == 400
    written = capfd.readouterr()
    assert key not in caplog.text + written.out + written.err + answer.text


def test_an_unknown_feed_is_a_404(paper: Paper) -> None:
    for path in ("/feeds/nichts.rss", "/feeds/terkini.xml", "/feeds/terkini.rss/", "/feeds/TERKINI.rss"):
        assert paper.get(path).status_code == 404


def test_an_answer_takes_no_sql_statement(paper: Paper) -> None:
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    engines = [paper.app.db._reader.sync_engine, paper.app.db._writer.sync_engine]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    for path in PATHS:
        assert paper.get(path).status_code == 200
        assert paper.get(path, if_none_match="*").status_code == 304
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)
    assert statements == []
