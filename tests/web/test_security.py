"""Hosts, headers, paths, sizes and deadlines."""

import socket
import time
from pathlib import Path

import pytest

from syndicate.web.deadline import DeadlineProtocol
from syndicate.web.security import PAGE_POLICY
from tests.web.paper import PATIENCE, Paper, running

EVERYWHERE = {"content-security-policy", "x-content-type-options", "referrer-policy"}


def raw(paper: Paper, request: bytes) -> bytes:
    """What comes back for bytes that no client would send."""
    host, _, port = paper.origin.removeprefix("http://").partition(":")
    with socket.socket() as wire:
        wire.settimeout(PATIENCE)
        wire.connect((host, int(port)))
        wire.sendall(request)
        found = b""
        while chunk := wire.recv(65536):
            found += chunk
    return found


def ask(paper: Paper, *lines: str, path: str = "/feeds/") -> bytes:
    return raw(paper, "\r\n".join([f"GET {path} HTTP/1.1", *lines, "Connection: close", "", ""]).encode("latin-1"))


@pytest.mark.parametrize(
    "hosts",
    [
        ["evil.example"],
        ["127.0.0.1:1/x?"],
        ["127.0.0.1", "evil.example"],
        ["evil.example", "127.0.0.1"],
        ["127.0.0.1.evil.example"],
        ["127.0.0.1@evil.example"],
        [""],
        [],
    ],
)
def test_t33_a_foreign_or_doubtful_host_is_turned_away(paper: Paper, hosts: list[str]) -> None:
    assert ask(paper, *(f"Host: {host}" for host in hosts)).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("path", ["/", "/feeds/", "/feeds/terkini/", "/feeds/terkini.rss", "/feeds.opml", "/nothing"])
def test_t33_no_header_of_a_request_gets_into_an_address(paper: Paper, path: str) -> None:
    given = ["X-Forwarded-Host: evil.example", "X-Forwarded-Proto: gopher", "Forwarded: host=evil.example"]
    host = "Host: localhost:9"
    answer = ask(paper, host, *given, "X-Forwarded-For: 6.6.6.6", path=path)
    for trace in (b"evil.example", b"gopher", b"localhost:9", b"6.6.6.6"):
        assert trace not in answer
    assert path == "/nothing" or answer.startswith(b"HTTP/1.1 200 ")


def test_t33_our_own_names_are_answered(paper: Paper) -> None:
    for host in (paper.origin.removeprefix("http://"), "localhost", "[::1]:80", "127.0.0.1"):
        assert ask(paper, f"Host: {host}").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/..%2f..%2fsyndicate.toml",
        "/assets/%2e%2e/words.toml",
        "/assets/words.toml",
        "/assets//etc/passwd",
        "/assets/page.css%00",
        "/media/..%2fsyndicate.db",
        "/media/%2e%2e%2fsyndicate.db",
        "/media/C:%5Cwindows",
        "/media/" + "a" * 31,
        "/outbox/..%2f..%2fsyndicate.db",
        "/outbox/..%2fnew.syndicate/html",
        "/outbox/.syndicate",
        "/articles/..%2f..",
        "/articles/a%00b",
        "/editions/ringkasan/..%2fx",
        "/editions/ringkasan/a%00b",
        "/editions/%2e%2e/x",
        "/feeds/..%2fx.rss",
        "//etc/passwd",
    ],
)
def test_t35_no_path_reaches_another_file(paper: Paper, path: str) -> None:
    answer = ask(paper, "Host: 127.0.0.1", path=path)
    assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 ")), answer[:200]


def headers(paper: Paper, path: str) -> dict[str, str]:
    return dict(paper.get(path).headers)


def test_t47_every_kind_of_answer_has_the_headers_that_it_should_have(paper: Paper) -> None:
    edition = paper.get("/editions/ringkasan/").text.split('href="/editions/ringkasan/')[1].split('"')[0]
    picture = next((paper.folder / "var" / "media").iterdir()).name
    mail = paper.get("/outbox").text.split('href="/outbox/')[1].split('"')[0]
    origin = paper.origin
    archive = (
        f"default-src 'none'; img-src https: data: {origin}; style-src 'unsafe-inline'; form-action 'none'; "
        "base-uri 'none'; frame-ancestors"
    )
    expected = {
        "/": ("public, max-age=60", PAGE_POLICY, "strict-origin-when-cross-origin"),
        "/feeds/": ("public, max-age=60", PAGE_POLICY, "strict-origin-when-cross-origin"),
        "/feeds/terkini/": ("public, max-age=60", PAGE_POLICY, "strict-origin-when-cross-origin"),
        "/nothing": ("no-store", PAGE_POLICY, "strict-origin-when-cross-origin"),
        "/editions/ringkasan/": ("public, max-age=60", PAGE_POLICY, "strict-origin-when-cross-origin"),
        f"/editions/ringkasan/{edition}": (
            "public, max-age=3600",
            f"sandbox; {archive} 'none'",
            "strict-origin-when-cross-origin",
        ),
        f"/u/{paper.token()}": ("no-store", PAGE_POLICY, "no-referrer"),
        "/u/unknown": ("no-store", PAGE_POLICY, "no-referrer"),
        "/subscribe": ("no-store", PAGE_POLICY, "strict-origin-when-cross-origin"),
        "/api/v1/subscriptions": ("no-store", PAGE_POLICY, "strict-origin-when-cross-origin"),
        "/c/unknown": ("no-store", PAGE_POLICY, "no-referrer"),
        f"/media/{picture}": (
            "public, max-age=31536000, immutable",
            "sandbox; default-src 'none'",
            "strict-origin-when-cross-origin",
        ),
        "/outbox": ("no-store", PAGE_POLICY, "strict-origin-when-cross-origin"),
        f"/outbox/{mail}/html": (
            "no-store",
            f"sandbox allow-popups allow-popups-to-escape-sandbox; {archive} 'self'",
            "strict-origin-when-cross-origin",
        ),
        "/healthz": ("no-store", PAGE_POLICY, "strict-origin-when-cross-origin"),
    }
    for path, (kept, policy, referrer) in expected.items():
        found = headers(paper, path)
        assert found["cache-control"] == kept, path
        assert found["content-security-policy"] == policy, path
        assert found["referrer-policy"] == referrer, path
        assert found["x-content-type-options"] == "nosniff", path
        assert not {"server", "set-cookie", "x-powered-by"} & set(found), path
    for path in (f"/u/{paper.token()}", "/u/unknown", "/c/unknown"):
        assert headers(paper, path)["x-robots-tag"] == "noindex, nofollow"


def test_a_body_larger_than_a_page_takes_is_refused(paper: Paper) -> None:
    answer = paper.http.post("/sample/receiver", content=b"x" * 1_100_000)
    assert answer.status_code == 413
    assert "html" in answer.headers["content-type"]


def test_another_method_is_a_readable_405(paper: Paper) -> None:
    answer = paper.http.delete("/feeds/")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_our_own_mistake_shows_no_inside(own_paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("kenari-4711")

    monkeypatch.setattr("syndicate.web.directory.feeds.shown", broken)  # no input makes a page fail
    answer = own_paper.get("/feeds/terkini/")
    assert answer.status_code == 500
    assert "kenari" not in answer.text
    assert "Traceback" not in answer.text
    assert set(answer.headers) >= EVERYWHERE


# ── deadlines ────────────────────────────────────────────────────────────────────────────────────────────────────────


class HastyProtocol(DeadlineProtocol):
    """The same, with less patience, so that the test is short."""

    head_seconds = 0.5
    body_seconds = 0.5
    stall_seconds = 0.5


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /sample/receiver HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nhalf",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /he",
    ],
)
def test_slow_senders_are_ended(tmp_path: Path, sent: bytes) -> None:
    with running(tmp_path, protocol=HastyProtocol) as paper:
        began = time.monotonic()
        answer = raw(paper, sent)
        assert time.monotonic() - began < PATIENCE / 2
        assert b"HTTP/1.1 408 " in answer or sent.startswith(b"POST")


def test_a_client_that_drips_one_byte_after_the_other_is_ended_too(tmp_path: Path) -> None:
    with running(tmp_path, protocol=HastyProtocol) as paper, socket.socket() as wire:
        wire.settimeout(0.1)
        host, _, port = paper.origin.removeprefix("http://").partition(":")
        wire.connect((host, int(port)))
        deadline = time.monotonic() + PATIENCE
        while still_open(wire):
            assert time.monotonic() < deadline, "nobody ended it"


def still_open(wire: socket.socket) -> bool:
    """Sends one more byte of a path and waits a moment for an end."""
    try:
        wire.send(b"G")
        return wire.recv(1000) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def test_a_head_without_an_end_is_ended(paper: Paper) -> None:
    line = b"X-Long: " + b"y" * 4000 + b"\r\n"
    answer = raw_until_closed(paper, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + line * 40)
    assert answer in (b"", b"reset") or answer.startswith(b"HTTP/1.1 431 ")


def raw_until_closed(paper: Paper, request: bytes) -> bytes:
    try:
        return raw(paper, request)
    except ConnectionError:
        return b"reset"


def test_uvicorn_still_has_what_the_deadlines_hang_on() -> None:
    """The canary: another uvicorn may call other methods, and the deadlines would silently be gone."""
    for name in ("connection_made", "data_received", "on_message_begin", "on_headers_complete", "on_message_complete"):
        assert name in DeadlineProtocol.__mro__[1].__dict__, name
