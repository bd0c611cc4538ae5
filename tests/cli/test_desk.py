"""`syndicate articles correct|withdraw|restore`: said in words, shown beforehand, kept, and seen by readers."""

import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import Cli


def first_story(cli: Cli) -> str:
    return str(json.loads(cli("articles", "list", "--json").out)[0]["id"])


def story(cli: Cli, identifier: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cli("articles", "show", identifier, "--json").out)
    return found


def test_a_dry_run_says_what_would_follow_and_changes_nothing(cli: Cli, paper: Path) -> None:
    identifier = first_story(cli)
    said = cli("articles", "withdraw", identifier, "--note", "Keliru.", "--dry-run", "--json")
    drawn = cli("articles", "withdraw", identifier, "--note", "Keliru.", "--dry-run").out

    corrected = json.loads(cli("articles", "correct", identifier, "--note", "Ralat.", "--dry-run", "--json").out)

    found = json.loads(said.out)
    assert (said.code, found["done"], found["kind"], found["feeds"]) == (0, False, "withdrawn", ["mitra", "terkini"])
    assert found["mailed"] == {"1": 3}
    assert (found["pushes"], corrected["pushes"]) == ({}, {"portal": "published"})  # nothing reached the partner yet
    assert "version 1 to 3 readers" in drawn
    assert (story(cli, identifier)["state"], len(story(cli, identifier)["changes"])) == ("published", 1)


def test_a_withdrawal_and_a_return_are_in_the_log_and_in_the_feeds(cli: Cli, paper: Path) -> None:
    identifier = first_story(cli)
    withdrawn = cli("articles", "withdraw", identifier, "--note", "Ditarik setelah hak jawab.")
    cli("once")
    between = story(cli, identifier)
    feed = json.loads(cli("feeds", "show", "terkini", "--json").out)
    restored = cli("articles", "restore", identifier, "--note", "Sudah diperiksa.")

    after = story(cli, identifier)
    assert (withdrawn.code, restored.code) == (0, 0)
    assert (between["state"], between["note"]) == ("withdrawn", "Ditarik setelah hak jawab.")
    assert {entry["id"]: entry["state"] for entry in feed["entries"]}[identifier] == "withdrawn"
    assert [change["kind"] for change in after["changes"]] == ["published", "withdrawn", "restored"]
    log = json.loads(cli("users", "log", "--json").out)
    assert [(entry["what"], entry["subject"]) for entry in log] == [
        ("article_restored", identifier),
        ("article_withdrawn", identifier),
    ]
    assert all(entry["who"].startswith("cli:") for entry in log)


def test_a_correction_may_bring_new_text(cli: Cli, paper: Path) -> None:
    identifier = first_story(cli)
    (paper / "baru.md").write_text("Isi yang *benar*.\n", "utf-8")
    words = ("--title", "Judul benar", "--body", "baru.md", "--note", "Ralat: judul dan isi.")

    said = cli("articles", "correct", identifier, *words)

    assert (said.code, said.out.splitlines()[0]) == (0, f"{identifier} is corrected, in version 2: Judul benar")
    shown = json.loads(cli("articles", "show", identifier, "--version", "2", "--json").out)
    assert (shown["title"], shown["body_html"]) == ("Judul benar", "<p>Isi yang <em>benar</em>.</p>")
    assert story(cli, identifier)["editions"][0]["version"] == 1


def test_a_change_that_can_not_be_is_a_sentence(cli: Cli, paper: Path) -> None:
    identifier = first_story(cli)
    (paper / "biner.html").write_bytes(b"\xff\xfe")
    nothing = cli("articles", "restore", identifier, "--note", "x")
    nobody = cli("articles", "withdraw", "kota-x", "--note", "x")
    empty = cli("articles", "correct", identifier, "--note", " ")
    unread = cli("articles", "correct", identifier, "--note", "x", "--body", "biner.html")
    unsaid = cli("articles", "withdraw", identifier)

    assert [one.code for one in (nothing, nobody, empty, unread, unsaid)] == [1, 1, 1, 2, 2]
    assert all(len(one.err.splitlines()) == 1 for one in (nothing, nobody, empty, unread))
