"""init, check, migrate and once: from an empty folder to the first mail."""

import json
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from syndicate.work import single_process
from tests.cli.conftest import Cli, Said, free_port, write_story

RSS = b"""<rss version="2.0"><channel><title>Umpan</title><link>https://umpan.example</link>
<item><title>Kabar</title><link>https://umpan.example/1</link><guid>1</guid></item></channel></rss>"""


@dataclass
class Heard:
    """What a feed's server was asked."""

    port: int
    paths: list[str]


@contextmanager
def listening(body: bytes) -> Iterator[Heard]:
    """A server in a thread of its own: the command line has a loop of its own."""
    heard = Heard(port=0, paths=[])

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.paths.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "application/rss+xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        heard.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield heard
        server.shutdown()


def test_init_writes_what_check_and_once_accept(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "koran"
    monkeypatch.setattr("sys.argv", ["syndicate"])  # else its hints would name the command line of the test run

    made = cli("init", str(folder), "--title", "Kabar Lereng", "--site-url", "https://kabarlereng.example")
    monkeypatch.chdir(folder)
    checked, once = cli("check"), cli("once")

    assert (made.code, checked.code, once.code) == (0, 0, 0), checked.out + checked.err + once.err
    assert "syndicate up" in made.out
    assert "newsroom: 1 story published." in once.out
    assert stat.S_IMODE((folder / "keys" / "master-1.key").stat().st_mode) == 0o600
    assert "Kabar Lereng" in cli("feeds", "list").out


def test_init_overwrites_nothing(cli: Cli, paper: Path) -> None:
    before = (paper / "config" / "syndicate.toml").read_text()

    said = cli("init", str(paper))

    assert said.code == 1
    assert "is there already" in said.err
    assert (paper / "config" / "syndicate.toml").read_text() == before


def test_init_reports_a_newsroom_that_can_not_be_reached_but_writes(cli: Cli, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/feed"

    said = cli("init", str(tmp_path / "koran"), "--url", url)

    assert said.code == 1
    assert url in said.err
    assert len(said.err.splitlines()) == 1
    assert "`syndicate sources add URL` adds one" in said.err
    assert "sources add URL" in said.out
    assert "[[feeds]]" in (tmp_path / "koran" / "config" / "syndicate.toml").read_text()
    assert not (tmp_path / "koran" / "newsroom").exists()


def test_init_refuses_what_is_no_web_address(cli: Cli, tmp_path: Path) -> None:
    assert cli("init", str(tmp_path / "koran"), "--url", "ftp://x").code == 2
    assert not (tmp_path / "koran").exists()


def test_check_changes_nothing_and_tells_of_pending_migrations(cli: Cli, paper: Path) -> None:
    shutil.rmtree(paper / "var")

    said = cli("check")

    assert said.code == 0
    assert "will be applied at the next start" in said.out
    assert not (paper / "var" / "outbox").exists()


def test_check_finds_a_relay_that_does_not_answer(cli: Cli, paper: Path) -> None:
    config = paper / "config" / "syndicate.toml"
    relay = f'kind = "smtp"\nhost = "127.0.0.1"\nport = {free_port()}\ntls = "none"'
    config.write_text(config.read_text().replace('kind = "maildir"\npath = "var/outbox"', relay))

    said = cli("check", "--json")

    fine = {what: fine for what, (_, fine) in findings(said).items()}
    assert (said.code, fine.pop("channel outbox")) == (1, False)
    assert all(fine.values())


def findings(said: Said) -> dict[str, tuple[str, bool]]:
    return {finding["what"]: (finding["found"], finding["ok"]) for finding in json.loads(said.out)}


def test_check_counts_the_stories_of_a_folder_and_their_flaws(cli: Cli, paper: Path) -> None:
    write_story(paper, 7, 'Tanda "kutip" yang salah')

    said = cli("check", "--json")

    assert said.code == 0
    found = "2 stories, 1 flaw (`syndicate sources test newsroom` names each)"
    assert findings(said)["source newsroom"] == (found, True)


def test_check_finds_a_folder_that_is_not_there(cli: Cli, paper: Path) -> None:
    (paper / "newsroom").rename(paper / "elsewhere")

    said = cli("check", "--json")

    text, fine = findings(said)["source newsroom"]
    assert (said.code, fine) == (1, False)
    assert text == f"The folder {paper / 'newsroom'} can't be listed: No such file or directory."


def add_feed(paper: Path, port: int) -> None:
    config = paper / "config" / "syndicate.toml"
    source = f'[[sources]]\nname = "umpan"\nkind = "feed"\nurl = "http://127.0.0.1:{port}/"\n[[feeds]]'
    text = config.read_text().replace("[[feeds]]", source, 1)
    config.write_text(text.replace("allow = [", f'allow = ["127.0.0.1:{port}", '))


def test_check_fetches_a_feed_once(cli: Cli, paper: Path) -> None:
    with listening(RSS) as heard:
        add_feed(paper, heard.port)
        said = cli("check", "--json")

    assert findings(said)["source umpan"] == ("1 story", True)
    assert heard.paths == ["/"]


def test_check_finds_a_feed_that_does_not_answer(cli: Cli, paper: Path) -> None:
    add_feed(paper, free_port())

    said = cli("check", "--json")

    text, fine = findings(said)["source umpan"]
    assert (said.code, fine) == (1, False)
    assert "could not be fetched" in text


def test_check_offline_leaves_feeds_and_relays_out(cli: Cli, paper: Path) -> None:
    add_feed(paper, free_port())
    config = paper / "config" / "syndicate.toml"
    relay = f'\n[channels.relay]\nkind = "smtp"\nhost = "127.0.0.1"\nport = {free_port()}\ntls = "none"\n'
    config.write_text(config.read_text() + relay)

    said = cli("check", "--offline", "--json")

    found = findings(said)
    assert said.code == 0
    assert found["source umpan"] == found["channel relay"] == ("not looked at (--offline)", True)
    assert (found["source newsroom"], found["channel outbox"]) == (("2 stories", True), ("takes mail", True))


def test_check_finds_keys_that_are_missing(cli: Cli, paper: Path) -> None:
    (paper / "keys" / "pepper.key").unlink()

    said = cli("check")

    assert said.code == 2
    assert "pepper.key is missing" in said.err


def test_migrate_brings_a_database_up_and_says_so(cli: Cli, paper: Path) -> None:
    shutil.rmtree(paper / "var")

    first, second = cli("migrate"), cli("migrate", "--json")

    assert (first.code, second.code) == (0, 0)
    assert first.out.startswith("Applied: 0001")
    assert json.loads(second.out) == {"applied": []}


def test_once_mails_a_story_once(cli: Cli, blank: Path) -> None:
    first, second = cli("once"), cli("once", "--json")

    mails = list((blank / "var" / "outbox" / "new").iterdir())
    assert (first.code, second.code) == (0, 0)
    assert "newsroom: 2 stories published." in first.out
    assert "3 mails accepted." in first.out
    assert len(mails) == 3
    assert "edition.done" not in second.out
    assert json.loads(second.out)["jobs"] >= 0


def test_a_dry_once_changes_nothing(cli: Cli, paper: Path) -> None:
    write_story(paper, 6, "Belum dikumpulkan")
    before = cli("articles", "list", "--json").out

    said = cli("once", "--dry-run")

    assert said.code == 0
    assert "newsroom" in said.out
    assert cli("articles", "list", "--json").out == before
    assert isinstance(json.loads(cli("once", "--dry-run", "--json").out)["jobs"], list)


@pytest.mark.parametrize("words", [["once"], ["migrate"]])
def test_once_and_migrate_refuse_beside_a_running_one(words: list[str], cli: Cli, paper: Path) -> None:
    with single_process(paper / "var"):
        said = cli(*words)

    assert said.code == 1
    assert said.err.startswith("another Syndicate is running")


def test_gather_beside_a_running_one_asks_it(cli: Cli, paper: Path) -> None:
    with single_process(paper / "var"):
        said = cli("gather", "newsroom")

    assert (said.code, said.out) == (0, "newsroom: the running Syndicate was asked to look at once.\n")
