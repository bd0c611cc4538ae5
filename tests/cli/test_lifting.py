"""`syndicate subscribers lift` and `receipts retry`: a person's word against what a machine decided."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

RINI = "rini@pembaca.example"
WHY = "their mail server was broken for a week"
CONSENT = "the form of lintaspagi.example, double opt-in"


@pytest.fixture
def blocked(cli: Cli, paper: Path) -> str:
    """A reader whose address a list from elsewhere blocked."""
    assert cli("subscribers", "add", RINI, "ringkasan").code == 0
    (paper / "list.csv").write_text(f"address,state\n{RINI},blocked\n")
    took = cli("subscribers", "import", "list.csv", "--newsletter", "ringkasan", "--consent", CONSENT)
    assert took.code == 0, took.err
    return RINI


def suppressed(cli: Cli) -> str | None:
    found: str | None = json.loads(cli("subscribers", "show", RINI, "--json").out)["suppressed"]
    return found


def test_a_wrong_suppression_is_lifted_and_stays_so_at_the_next_start(cli: Cli, blocked: str) -> None:
    before = suppressed(cli)
    said = cli("subscribers", "lift", blocked.upper(), "--why", WHY)
    assert cli("once").code == 0
    lines = json.loads(cli("users", "log", "--json").out)

    assert before is not None
    assert before.startswith("blocked")
    assert (said.code, said.out.startswith("Lifted: blocked, since ")) == (0, True)
    assert suppressed(cli) is None
    assert [line["what"] for line in lines] == ["suppression_lifted", "list_imported"]
    assert lines[0]["note"] == f"blocked: {WHY}"
    assert RINI not in json.dumps(lines)


def test_it_speaks_json(cli: Cli, blocked: str) -> None:
    said = json.loads(cli("subscribers", "lift", blocked, "--why", WHY, "--json").out)

    assert (said["reason"], said["reopened"], said["journaled"]) == ("blocked", False, True)


def test_who_was_erased_comes_back_by_their_own_word_only(cli: Cli, paper: Path) -> None:
    assert cli("subscribers", "add", RINI, "ringkasan").code == 0
    assert cli("subscribers", "erase", RINI, "--yes").code == 0
    said = cli("subscribers", "lift", RINI, "--why", WHY, "--complaint")

    assert said.code == 1
    assert "nobody but the reader" in said.err


def test_there_must_be_something_to_lift_and_a_reason(cli: Cli, blocked: str) -> None:
    assert cli("subscribers", "lift", "lain@pembaca.example", "--why", WHY).code == 1
    assert cli("subscribers", "lift", blocked, "--why", "x").code == 1
    assert cli("subscribers", "lift", blocked).code == 2
    assert suppressed(cli) is not None


def test_receipts_that_did_not_fail_are_not_read_anew(cli: Cli, paper: Path) -> None:
    assert cli("once").code == 0

    assert cli("receipts", "retry").out == "To be read anew: 0 receipts.\n"
    assert json.loads(cli("receipts", "retry", "--json").out) == {"retried": 0}
    assert cli("receipts", "retry", "7").code == 1
