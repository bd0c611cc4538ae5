"""`syndicate editions reorder|intro|drop|hold`: what the desk wants of the next edition, or of one on hold."""

import json
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.edition import EditionState
from tests.cli.conftest import Cli, write_story
from tests.cli.test_acting import edition_name, free_slot, put_edition, test_mails


def next_one(cli: Cli) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cli("newsletters", "preview", "ringkasan", "--json").out)
    return found


@pytest.fixture
def news(cli: Cli, paper: Path) -> list[str]:
    """Two stories that the next edition will tell, newest first. Its slot is there already, whatever minute it is."""
    free_slot(paper)
    write_story(paper, 3, "Pasar pagi dibuka")
    write_story(paper, 4, "Trem kembali")
    cli("gather")
    return [story["id"] for story in next_one(cli)["stories"]]


def test_the_next_edition_is_directed_and_shown(cli: Cli, news: list[str]) -> None:
    newest, older = news
    reordered = json.loads(cli("editions", "reorder", "ringkasan/next", older, "--json").out)
    dropped = cli("editions", "drop", "ringkasan/next", newest)
    written = cli("editions", "intro", "ringkasan/next", "Selamat pagi.\nHari ini cerah.")
    held = cli("editions", "hold", "ringkasan/next", "--why", "tunggu redaktur")

    found = next_one(cli)
    assert [one["id"] for one in reordered["stories"]] == [older, newest]
    assert ([one["id"] for one in found["stories"]], [one["id"] for one in found["dropped"]]) == ([older], [newest])
    assert (found["intro"], found["why_held"]) == ("Selamat pagi.\nHari ini cerah.", "tunggu redaktur")
    assert [dropped.code, written.code, held.code] == [0, 0, 0]
    assert "desk" in dropped.out
    assert "tunggu redaktur" in held.out


def test_what_was_said_can_be_taken_back(cli: Cli, news: list[str]) -> None:
    cli("editions", "drop", "ringkasan/next", news[0])
    cli("editions", "intro", "ringkasan/next", "Selamat pagi.")
    cli("editions", "hold", "ringkasan/next")
    cli("editions", "drop", "ringkasan/next", news[0], "--undo")
    cli("editions", "intro", "ringkasan/next", "--nothing")
    cli("editions", "release", "ringkasan/next")

    found = next_one(cli)
    assert [one["id"] for one in found["stories"]] == news
    assert (found["intro"], found["why_held"]) == ("", "")


def test_an_edition_on_hold_is_written_down_anew(cli: Cli, paper: Path, news: list[str]) -> None:
    cli("editions", "hold", "ringkasan/next", "--why", "tunggu redaktur")
    cli("once")
    name = edition_name(cli)
    (paper / "intro.txt").write_text("Selamat pagi.\n", "utf-8")
    said = cli("editions", "intro", name, "--file", "intro.txt", "--json")
    dropped = json.loads(cli("editions", "drop", name, news[0], "--json").out)
    cli("editions", "release", name)
    cli("once")

    assert (said.code, json.loads(said.out)["intro"]) == (0, "Selamat pagi.")
    assert (dropped["state"], dropped["why"], dropped["readers"]) == ("held", "tunggu redaktur", 3)
    shown = json.loads(cli("editions", "show", name, "--json").out)
    assert (shown["state"], [one["left_out"] for one in shown["stories"]]) == ("done", ["", "desk"])
    assert (shown["books"]["accepted"], shown["obstacles"]) == (3, [])


def test_one_that_went_out_is_refused_in_words(cli: Cli, paper: Path) -> None:
    put_edition(paper, EditionState.HELD)
    name = edition_name(cli)
    out = cli("editions", "intro", name, "Selamat pagi.")
    nothing = cli("editions", "intro", name)
    nobody = cli("editions", "drop", "lain/next", "x")
    no_story = cli("editions", "drop", "ringkasan/next", "kota-x")
    long = cli("editions", "intro", "ringkasan/next", "x" * 1001)

    assert [one.code for one in (out, nothing, nobody, no_story, long)] == [1, 2, 1, 1, 1]
    assert "may be with readers or partners already" in out.err
    assert "1001 characters" in long.err


def test_a_test_of_the_next_edition_shows_what_the_desk_wants_to_each_address(
    cli: Cli, paper: Path, news: list[str]
) -> None:
    cli("editions", "intro", "ringkasan/next", "Selamat pagi.")
    said = cli("editions", "send-test", "ringkasan/next", "a@lintaspagi.example", "b@lintaspagi.example", "--json")

    sent = json.loads(said.out)["sent"]
    mails = test_mails(paper)
    assert [(one["to"], one["outcome"]) for one in sent] == [
        ("a@lintaspagi.example", "accepted"),
        ("b@lintaspagi.example", "accepted"),
    ]
    assert sorted(str(mail["To"]) for mail in mails) == ["a@lintaspagi.example", "b@lintaspagi.example"]
    for mail in mails:
        text = mail.get_body(("plain",))
        assert text is not None
        assert "Selamat pagi." in text.get_content()
    (entry, *_) = json.loads(cli("users", "log", "--json").out)
    assert (entry["what"], entry["note"]) == ("test_sent", "to 2 addresses")
