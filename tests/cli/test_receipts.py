"""Bounces through the whole program: a mail goes out, what comes back lies in a Maildir, `once` reads it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.receipts import CORPUS, READER_S

RECEIPTS = """
[[receipts]]
name = "pantul"
kind = "maildir"
path = "pantul"
domains = ["lintaspagi.example"]
"""


@pytest.fixture
def mails_by_the_rules() -> None:
    """What lies in the folder of bounces is not by us."""


@pytest.fixture
def bounced(paper: Path) -> Path:
    """The newspaper with a folder for bounces; returns it."""
    config = paper / "config" / "syndicate.toml"
    config.write_text(config.read_text("utf-8") + RECEIPTS, "utf-8")
    for name in ("tmp", "new", "cur"):
        (paper / "pantul" / name).mkdir(parents=True)
    return paper / "pantul"


def come_back(paper: Path, bounces: Path, name: str) -> str:
    """Puts what is written back to the first mail in the outbox among the bounces. Returns its reader's address."""
    mail = sorted((paper / "var" / "outbox" / "new").iterdir())[0].read_text("ascii")
    hole = {"bounce": r"^Return-Path: <b\+(\w+)@", "link": r"/u/([\w-]{44})", "reader": r"^Delivered-To: (\S+)"}
    found = {key: re.search(pattern, mail, re.M) for key, pattern in hole.items()}
    values = {key: hit[1] for key, hit in found.items() if hit}
    text = (CORPUS / f"{name}.eml").read_text("utf-8").replace("{mailed}", "").replace("{name}", "")
    text = text.replace(READER_S, values["reader"])
    (bounces / "new" / f"{name}.mx").write_text(
        text.replace("{bounce}", values["bounce"]).replace("{link}", values["link"])
    )
    return values["reader"]


def told(cli: Cli, *words: str) -> Any:
    said = cli(*words, "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)


def test_a_complaint_in_the_mailbox_ends_it_for_the_reader(cli: Cli, paper: Path, bounced: Path) -> None:
    reader = come_back(paper, bounced, "complaint")
    assert cli("once").code == 0
    (receipt,) = told(cli, "receipts", "list")
    person = told(cli, "subscribers", "show", reader)
    listed = cli("receipts", "list").out

    assert (receipt["verdict"], receipt["step"], receipt["origin"]) == ("complaint", "suppress", "pantul")
    assert person["suppressed"].startswith("complaint, since")
    assert [one["state"] for one in person["subscriptions"]] == ["ended"]
    assert [one["receipt"] for one in person["history"]] == ["complained"]
    assert "complaint" in listed
    assert [path.name for path in (bounced / "cur").iterdir()] == ["complaint.mx:2,S"]


def test_the_mailbox_is_looked_into_at_every_once(cli: Cli, paper: Path, bounced: Path) -> None:
    cli("once")
    come_back(paper, bounced, "postfix_unknown")
    come_back(paper, bounced, "unclear")
    said = cli("once")
    unclear = told(cli, "receipts", "list", "--unclear")

    assert said.code == 0
    assert [one["verdict"] for one in told(cli, "receipts", "list")] == ["unclear", "hard"]
    assert [one["verdict"] for one in unclear] == ["unclear"]


def test_a_mailbox_that_can_t_be_read_is_told_and_stops_nothing_else(cli: Cli, paper: Path, bounced: Path) -> None:
    (bounced / "new").rmdir()
    said = cli("once")
    checked = cli("check")

    assert said.code == 1
    assert "mailbox.failed" in said.out
    assert "pantul/new: No such file or directory" in said.out
    assert checked.code == 1
    assert "is not there, or can't be read and written by us" in checked.out


def test_check_says_that_the_mailbox_can_be_read(cli: Cli, bounced: Path) -> None:
    said = cli("check", "--offline")

    assert said.code == 0
    assert re.search(r"receipts pantul +can be read", said.out)


def test_nothing_came_back(cli: Cli, paper: Path) -> None:
    assert cli("receipts", "list").out == "Nothing came back.\n"
