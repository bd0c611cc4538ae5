"""`syndicate subscribers erase`: asks first, forgets for good, and says so in the audit log."""

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

RINI = "rini@pembaca.example"


@pytest.fixture
def rini(cli: Cli, paper: Path) -> str:
    """A reader's address."""
    assert cli("subscribers", "add", RINI, "ringkasan").code == 0
    return RINI


def test_a_person_is_forgotten_and_can_t_be_added_again(cli: Cli, rini: str) -> None:
    said = cli("subscribers", "erase", rini.upper(), "--yes")
    again = cli("subscribers", "add", rini, "ringkasan")
    (line, *_) = json.loads(cli("users", "log", "--json").out)

    assert (said.code, said.out.splitlines()[0]) == (0, "Erased. Subscriptions that ended: ringkasan.")
    assert cli("subscribers", "show", rini).code == 1
    assert again.code == 1
    assert "erased" in again.err
    assert (line["what"], line["who"].partition(":")[0]) == ("subscriber_erased", "cli")
    assert rini not in json.dumps(line)


def test_it_speaks_json(cli: Cli, rini: str) -> None:
    said = cli("subscribers", "erase", rini, "--yes", "--json")

    assert json.loads(said.out) == {"newsletters": ["ringkasan"], "mails": 0, "requests": 0}


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_where_nobody_can_be_asked_it_wants_the_word_beforehand(cli: Cli, rini: str, words: list[str]) -> None:
    said = cli("subscribers", "erase", rini, *words)

    assert said.code == 1
    assert "--yes" in said.err
    assert cli("subscribers", "show", rini).code == 0


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_a_person_at_the_terminal_is_asked(
    cli: Cli, rini: str, answer: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A terminal of its own would not let the test read what is said; the two questions are all that is made up.
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda _: answer == "y")

    assert cli("subscribers", "erase", rini).code == code
    assert cli("subscribers", "show", rini).code == 1 - code


@pytest.mark.parametrize("address", ["nobody@pembaca.example", "no address"])
def test_who_isn_t_known_is_not_erased(cli: Cli, rini: str, address: str) -> None:
    said = cli("subscribers", "erase", address, "--yes")

    assert said.code == 1
    assert len(said.err.splitlines()) == 1
    assert json.loads(cli("users", "log", "--json").out) == []


def test_show_tells_what_a_reader_chose(cli: Cli, rini: str) -> None:
    shown = json.loads(cli("subscribers", "show", rini, "--json").out)

    assert shown["chosen"]["choices"] == [{"newsletter": "ringkasan", "topics": [], "rhythm": "each"}]
    assert (shown["chosen"]["hour"], shown["chosen"]["paused_until"]) == (None, None)
    assert "each    all" in cli("subscribers", "show", rini).out
