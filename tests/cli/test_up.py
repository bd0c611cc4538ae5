"""`syndicate up` as a process: it begins, tells, serves, works, and stops when it is asked to."""

import asyncio
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from syndicate.cli import running
from tests.cli.conftest import Cli, started, write_story
from tests.formats.rules import by_the_rules

PATIENCE = 120.0  # seconds: a hang guard


class Up:
    """A running `up` and what it has said so far."""

    def __init__(self, paper: Path) -> None:
        self.process = started("up", cwd=paper)
        self.lines: list[str] = []
        self._heard = threading.Condition()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def hears(self, text: str) -> str:
        """The first line that holds `text`; waits for it."""
        with self._heard:
            self._heard.wait_for(lambda: self._line(text) is not None or self._over(), PATIENCE)
            line = self._line(text)
        assert line is not None, "\n".join(self.lines)
        return line

    def stop(self, *signals: signal.Signals) -> tuple[int, str]:
        """Sends signals and waits for the end; the exit code and what stood on stderr."""
        for number in signals:
            self.process.send_signal(number)
        errors = self.process.stderr.read() if self.process.stderr else ""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code, errors

    def _line(self, text: str) -> str | None:
        return next((line for line in self.lines if text in line), None)

    def _over(self) -> bool:
        return self.process.poll() is not None

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._heard:
                self.lines.append(line.rstrip("\n"))
                self._heard.notify_all()
        with self._heard:
            self._heard.notify_all()


@contextmanager
def up(paper: Path) -> Iterator[Up]:
    one = Up(paper)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait(PATIENCE)
        for pipe in (one.process.stdout, one.process.stderr):
            one._reader.join(PATIENCE)
            if pipe is not None:
                pipe.close()


def origin(paper: Path) -> str:
    text = (paper / "config" / "syndicate.toml").read_text()
    return next(line.split('"')[1] for line in text.splitlines() if line.startswith("public_url"))


def page(url: str) -> httpx2.Response:
    with httpx2.Client(trust_env=False) as client:
        return client.get(url)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, "it never came true"
        pause.wait(0.05)


def mails(paper: Path) -> list[str]:
    return sorted(file.name for file in (paper / "var" / "outbox" / "new").iterdir())


def test_up_gathers_serves_mails_and_stops_clean(blank: Path) -> None:
    feed = f"{origin(blank)}/feeds/terkini.rss"
    with up(blank) as one:
        one.hears("newsroom: 2 stories published.")
        done = one.hears("3 mails accepted. Read it: ")
        until(lambda: page(feed).status_code == 200)
        edition = page(done.rpartition("Read it: ")[2])
        write_story(blank, 3, "Pasar malam kembali")
        until(lambda: "Pasar malam kembali" in page(feed).text)
        by_the_rules(feed, page(feed).content, now=datetime.now(UTC))
        code, errors = one.stop(signal.SIGTERM)

    assert (code, errors) == (0, "")
    assert edition.status_code == 200
    assert one.lines[-1] == "Stopped. 0 deliveries uncertain."
    assert one.lines.index(done) < 15  # the beginning is told in few lines
    assert len(mails(blank)) == 3
    greeting = "\n".join(one.lines[:8])
    for place in ("/feeds/", "/outbox", "/sample/receiver"):
        assert f"{origin(blank)}{place}" in greeting


def test_a_second_start_mails_nothing_again_and_shows_the_newest_edition(paper: Path) -> None:
    before = mails(paper)
    with up(paper) as one:
        one.hears(f"{origin(paper)}/editions/ringkasan/")
        one.hears("Ctrl-C stops it")
        until(lambda: page(f"{origin(paper)}/readyz").status_code == 200)
        code, _ = one.stop(signal.SIGINT)

    assert code == 0
    assert mails(paper) == before


def test_with_the_json_format_every_line_is_a_record(blank: Path) -> None:
    config = blank / "config" / "syndicate.toml"
    config.write_text(config.read_text() + '[log]\nformat = "json"\n')
    with up(blank) as one:
        one.hears('"feeds.published"')
        code, _ = one.stop(signal.SIGTERM)

    records = [json.loads(line) for line in one.lines]
    events = [record["event"] for record in records]
    assert code == 0
    assert {"process.started", "source.gathered", "process.stopping"} <= set(events)
    assert (events[-1], records[-1]["uncertain"]) == ("process.stopped", 0)


def test_an_address_that_is_taken_is_one_sentence_with_the_cure(blank: Path) -> None:
    host, _, port = origin(blank).removeprefix("http://").partition(":")
    with socket.create_server((host, int(port))), up(blank) as one:
        code, errors = one.stop()

    assert code == 1
    assert len(errors.splitlines()) == 1
    assert errors == f"{host}:{port} is in use; stop what uses it, or change [web] listen\n"
    assert one.lines == []
    assert not (blank / "var" / "syndicate.db").exists()


def test_a_second_up_on_the_same_folder_is_refused(paper: Path) -> None:
    with up(paper) as first:
        first.hears("Ctrl-C stops it")
        with up(paper) as second:
            code, errors = second.stop()
        first.stop(signal.SIGTERM)

    assert (code, len(errors.splitlines())) == (1, 1)
    assert errors.startswith("another Syndicate is running")


def test_a_second_signal_stops_at_once(blank: Path) -> None:
    """A newsroom that takes the connection and says nothing keeps a look going for ten seconds."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE)
        port = silent.getsockname()[1]
        config = blank / "config" / "syndicate.toml"
        source = f'[[sources]]\nname = "silent"\nkind = "feed"\nurl = "http://127.0.0.1:{port}/"\n[[feeds]]'
        text = config.read_text().replace("[[feeds]]", source, 1)
        config.write_text(text.replace("allow = [", f'allow = ["127.0.0.1:{port}", '))
        with up(blank) as one:
            accepted, _ = silent.accept()  # the look has begun
            one.process.send_signal(signal.SIGTERM)
            one.hears("Stopping:")
            code, _ = one.stop(signal.SIGTERM)
            accepted.close()

    assert code == 1
    assert one.lines[-1].startswith("Stopped at once.")


def test_when_the_server_dies_everything_stops_with_exit_code_1(
    cli: Cli, blank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dying(_listener: object, _app: object, *, started: Callable[[str], None], stop: asyncio.Event) -> None:
        started("here")
        raise RuntimeError("the server died")

    # A stand-in: nothing that a test could do from outside makes the real server die.
    monkeypatch.setattr(running, "serve_on", dying)

    said = cli("up")

    assert said.code == 1
    assert said.err.startswith("a part of Syndicate ended by itself")
    assert "the server died" in said.out
