"""`syndicate users …`: passwords are never arguments, and every change is in the log."""

import io
import json
import os
import pty
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, started

PASSWORD = "empat kata kenari hijau"
OTHER = "empat kata kenari kuning"


class Typed(io.TextIOWrapper):
    """Stdin that is no terminal."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(io.BytesIO(raw), "utf-8")


def typing(monkeypatch: pytest.MonkeyPatch, text: str | bytes) -> None:
    monkeypatch.setattr(sys, "stdin", Typed(text if isinstance(text, bytes) else text.encode()))


def test_an_account_is_made_listed_changed_and_ended(cli: Cli, paper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typing(monkeypatch, f"{PASSWORD}\n")
    added = cli("users", "add", "laksmi", "--role", "editor")
    typing(monkeypatch, OTHER)
    changed = cli("users", "password", "laksmi")
    raised = cli("users", "role", "laksmi", "operator")
    (row,) = json.loads(cli("users", "list", "--json").out)
    table = cli("users", "list").out
    removed = cli("users", "remove", "laksmi")
    log = json.loads(cli("users", "log", "--json").out)

    assert [one.code for one in (added, changed, raised, removed)] == [0, 0, 0, 0]
    assert added.out == "laksmi may sign in now, as editor.\n"
    assert (row["name"], row["role"], row["signed_in_at"], row["sessions"]) == ("laksmi", "operator", None, 0)
    assert table.splitlines()[1].startswith("laksmi   operator  2")
    assert [one["what"] for one in log] == ["account_removed", "role_changed", "password_changed", "account_added"]
    assert {one["who"] for one in log} == {log[0]["who"]}
    assert log[0]["who"].startswith("cli:")
    assert "no account" in cli("users", "list").out


def test_every_command_speaks_json(cli: Cli, paper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typing(monkeypatch, PASSWORD)
    assert json.loads(cli("users", "add", "laksmi", "--json").out) == {"name": "laksmi", "role": "viewer"}
    typing(monkeypatch, OTHER)
    assert json.loads(cli("users", "password", "laksmi", "--json").out) == {"name": "laksmi"}
    assert json.loads(cli("users", "role", "laksmi", "editor", "--json").out) == {"name": "laksmi", "role": "editor"}
    assert json.loads(cli("users", "remove", "laksmi", "--json").out) == {"removed": "laksmi"}


def test_the_password_may_lie_in_a_file(cli: Cli, paper: Path) -> None:
    (paper / "sandi").write_text(f"{PASSWORD}\r\n", "utf-8")

    assert cli("users", "add", "laksmi", "--password-file", "sandi").code == 0
    assert (
        cli("users", "password", "laksmi", "--password-file", "nowhere").err == "nowhere: No such file or directory\n"
    )


def test_on_a_terminal_the_password_is_asked_for_twice_and_not_shown(paper: Path) -> None:
    said = on_a_terminal(paper, [PASSWORD, PASSWORD], "users", "add", "laksmi")

    assert "Password: " in said
    assert "Once more: " in said
    assert "laksmi may sign in now, as viewer." in said
    assert PASSWORD not in said


def test_on_a_terminal_two_different_passwords_change_nothing(cli: Cli, paper: Path) -> None:
    said = on_a_terminal(paper, [PASSWORD, OTHER], "users", "add", "laksmi")

    assert "the two are not the same; nothing was changed" in said
    assert json.loads(cli("users", "list", "--json").out) == []


def on_a_terminal(paper: Path, typed: list[str], *words: str) -> str:
    """What a person sees who types these lines."""
    screen, keyboard = pty.openpty()
    process = started(*words, cwd=paper, stdin=keyboard, start_new_session=True)
    assert process.stderr is not None
    seen = ""
    for prompts, line in enumerate(typed, start=1):
        while seen.count(": ") < prompts:
            seen += process.stderr.read(1)
        os.write(screen, f"{line}\n".encode())
    out, err = process.communicate(timeout=60)
    os.close(keyboard)
    with suppress(OSError):  # a terminal that nobody holds any more ends with an error on Linux
        seen += os.read(screen, 10_000).decode()
    os.close(screen)
    return seen + out + err


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("pendek", "this can't be a password: it has 6 characters; take 12 or more, such as four words\n"),
        ("", "this can't be a password: it has 0 characters; take 12 or more, such as four words\n"),
        ("password1234", "this can't be a password: it is among the first that anybody would try\n"),
        (b"\xff\xfe empat kata kenari", "this can't be a password: it is not written in UTF-8\n"),
    ],
)
def test_a_bad_password_is_one_sentence(
    cli: Cli, paper: Path, monkeypatch: pytest.MonkeyPatch, typed: str | bytes, why: str
) -> None:
    typing(monkeypatch, typed)

    said = cli("users", "add", "laksmi")

    assert (said.code, said.out, said.err) == (1, "", why)


def test_a_name_or_role_that_is_none_is_refused(cli: Cli, paper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typing(monkeypatch, PASSWORD)
    assert "'Laksmi P' can't be a name" in cli("users", "add", "Laksmi P").err
    assert cli("users", "add", "laksmi", "--role", "admin").code == 2
    for words in (("role", "laksmi", "editor"), ("remove", "laksmi")):
        assert (cli("users", *words).code, cli("users", *words).err) == (1, "There is no account called 'laksmi'.\n")


def test_accounts_may_be_made_before_the_first_start(cli: Cli, blank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("init", "baru").code == 0
    monkeypatch.chdir(blank / "baru")
    typing(monkeypatch, PASSWORD)

    assert cli("users", "add", "laksmi", "--role", "operator").code == 0


def test_the_log_can_be_asked_about_one_account(cli: Cli, paper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("laksmi", "ratna"):
        typing(monkeypatch, PASSWORD)
        cli("users", "add", name)

    assert [one["subject"] for one in json.loads(cli("users", "log", "--account", "ratna", "--json").out)] == ["ratna"]
    assert "account added" in cli("users", "log", "--limit", "1").out
