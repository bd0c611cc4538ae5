"""`syndicate explain`: the answer in sentences and as JSON, with exit codes for what nobody knows of."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, write_story


def told(cli: Cli, *words: str) -> Any:
    said = cli(*words, "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)


def newest(cli: Cli) -> str:
    (story,) = told(cli, "articles", "list", "--limit", "1")
    return str(story["id"])


def edition(cli: Cli) -> str:
    (one,) = told(cli, "editions", "list")
    return str(one["name"])


def test_a_reader_got_an_edition_and_its_story(cli: Cli, paper: Path) -> None:
    name, story = edition(cli), newest(cli)
    by_edition = told(cli, "explain", "subscriber", "dewi@pembaca.example", "edition", name)
    by_story = told(cli, "explain", "subscriber", "Dewi@pembaca.example", "article", story)

    assert by_edition["answer"] == by_story["answer"] == "yes"
    assert "edition.done" in [one["rule"] for one in by_edition["findings"]]
    assert by_story["findings"][-1]["rule"] == "delivery.accepted"
    assert by_story["findings"][-1]["facts"]["edition"] == name


def test_a_partner_and_its_private_feed_got_the_story(cli: Cli, paper: Path) -> None:
    story = newest(cli)
    partner = told(cli, "explain", "partner", "portal", "article", story)
    feed = told(cli, "explain", "feed", "mitra", "article", story)

    assert {"partner.no_key", "feed.shown"} <= {one["rule"] for one in partner["findings"]}
    assert (feed["answer"], feed["findings"][-1]["facts"]["place"]) == ("yes", 1)


def test_the_rules_are_numbered_sentences_in_the_zone_of_the_site(cli: Cli, paper: Path) -> None:
    said = cli("explain", "subscriber", "dewi@pembaca.example", "edition", edition(cli))

    assert said.out.startswith("Yes.\n  1. ringkasan/")
    assert "WIB" in said.out


def test_a_no_is_done_as_well(cli: Cli, paper: Path) -> None:
    write_story(paper, 3, "Pasar malam ditunda")
    assert cli("gather").code == 0
    said = cli("explain", "subscriber", "dewi@pembaca.example", "article", newest(cli))

    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Not yet.\n")
    assert "its next slot" in said.out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("subscriber siapa@pembaca.example edition {edition}", 1),
        ("subscriber dewi@pembaca.example edition ringkasan/20200101T000000Z", 1),
        ("subscriber dewi@pembaca.example article tidak-ada", 1),
        ("subscriber bukan-alamat article {story}", 1),
        ("partner siapa article {story}", 1),
        ("feed apa article {story}", 1),
        ("feed terkini article tidak-ada", 1),
        ("subscriber dewi@pembaca.example edition ringkasan", 2),
        ("subscriber dewi@pembaca.example story {story}", 2),
        ("partner portal edition {edition}", 2),
        ("feed terkini", 2),
    ],
)
def test_what_nobody_knows_of_is_1_and_what_is_typed_wrong_is_2(words: str, code: int, cli: Cli, paper: Path) -> None:
    said = cli("explain", *words.format(edition=edition(cli), story=newest(cli)).split())

    assert (said.code, said.out) == (code, "")
    assert said.err
