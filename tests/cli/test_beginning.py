"""init, check, migrate and once: from an empty folder to the first mail."""

import json
import shutil
import stat
from pathlib import Path

import pytest

from syndicate.work import single_process
from tests.cli.conftest import Cli, free_port, write_story


def test_init_writes_what_check_and_once_accept(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "koran"

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
    assert f'url = "{url}"' in (tmp_path / "koran" / "config" / "syndicate.toml").read_text()
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

    findings = {finding["what"]: finding for finding in json.loads(said.out)}
    assert said.code == 1
    assert findings["channel outbox"]["ok"] is False
    assert all(finding["ok"] for what, finding in findings.items() if what != "channel outbox")


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
