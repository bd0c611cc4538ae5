"""`syndicate subscribers import` and `export`: what a person sees of it, and the files it leaves."""

import csv
import json
import os
import pty
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, started

CORPUS = Path(__file__).parents[1] / "corpus" / "lists"
CONSENT = ("--consent", "sign-up form of lintaspagi.example, double opt-in")
BASIC = ("--newsletter", "ringkasan", *CONSENT)
BAD = "address,name,state\nrini@x.example,Rini,active\nno address,=1+1,active\nsari@x.example,Sari,maybe\n"


@pytest.fixture
def mails_by_the_rules() -> None:
    """No mail is written here."""


def bring(cli: Cli, file: Path, *words: str, code: int = 0) -> Any:
    said = cli("subscribers", "import", str(file), *BASIC, *words, "--json")
    assert said.code == code, said.err
    return json.loads(said.out)


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_an_import_is_told_and_shows_with_its_consent(cli: Cli, paper: Path) -> None:
    said = cli("subscribers", "import", str(CORPUS / "ghost.csv"), *BASIC, "--from", "ghost")
    shown = cli("subscribers", "show", "ratna@pembaca.example").out

    # Bagus is one of the sample readers.
    assert (said.code, said.out) == (0, "4 rows: 1 subscribed, 2 ended, 1 unchanged.\n")
    assert f"{CONSENT[1]} (since 2023-02-14T01:20:33.000Z)" in shown
    assert not (CORPUS / "ghost.rejects.csv").exists()


def test_what_was_not_done_lies_beside_the_file_and_is_no_formula(cli: Cli, paper: Path) -> None:
    report = bring(cli, written(paper / "list.csv", BAD), code=1)
    rejects = paper / "list.rejects.csv"
    with rejects.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    assert (report["rows"], report["subscribed"], report["rejected"]) == (3, 1, 2)
    assert report["rejects"] == str(rejects)
    assert [(row["line"], row["fate"]) for row in rows] == [("3", "rejected"), ("4", "rejected")]
    assert (rows[0]["address"], rows[0]["name"]) == ("no address", "'=1+1")
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600


def test_rejects_that_are_mended_are_gone_the_next_time(cli: Cli, paper: Path) -> None:
    file = written(paper / "list.csv", BAD)
    bring(cli, file, code=1)
    report = bring(cli, written(file, "address\nrini@x.example\n"))

    assert (report["unchanged"], report["rejects"]) == (1, None)
    assert not (paper / "list.rejects.csv").exists()


def test_a_dry_run_shows_rows_as_understood_and_every_refusal_by_its_line(cli: Cli, paper: Path) -> None:
    said = cli("subscribers", "import", str(written(paper / "list.csv", BAD)), *BASIC, "--dry-run")
    record = bring(cli, paper / "list.csv", "--dry-run", code=1)

    assert said.code == 1
    assert "rini@x.example" in said.out
    assert "line 3: rejected: it needs exactly one @" in said.out
    assert "line 4: rejected: state is 'maybe', and nobody knows what that means" in said.out
    assert said.out.endswith("Would be: 3 rows: 1 subscribed, 2 rejected.\n")
    assert [one["line"] for one in record["refusals"]] == [3, 4]
    assert not (paper / "list.rejects.csv").exists()
    assert cli("subscribers", "show", "rini@x.example").code == 1


def test_an_import_may_come_before_the_first_start(cli: Cli, paper: Path) -> None:
    file = written(paper / "list.csv", "address\nrini@x.example\n")
    for one in (paper / "var").glob("syndicate.db*"):
        one.unlink()

    assert bring(cli, file)["subscribed"] == 1


def test_a_progress_bar_is_drawn_on_a_terminal(paper: Path) -> None:
    file = written(paper / "list.csv", "address\n" + "".join(f"p{n}@x.example\n" for n in range(600)))
    ours, theirs = pty.openpty()
    process = started("subscribers", "import", str(file), *BASIC, cwd=paper, stdout=theirs)
    os.close(theirs)
    drawn = b""
    with suppress(OSError):  # a terminal that nobody holds any more ends with an error on Linux
        while piece := os.read(ours, 4096):
            drawn += piece
    os.close(ours)
    process.communicate(timeout=60)

    assert process.returncode == 0
    assert b"601" in drawn
    assert drawn.endswith(b"600 rows: 600 subscribed.\r\n")


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("--newsletter", "ringkasan"), 2, "--consent"),
        (CONSENT, 2, "--newsletter"),
        (("--newsletter", "ringkasan", "--consent", "form"), 1, "where these people agreed"),
        (("--newsletter", "malam", *CONSENT), 1, "no newsletter called 'malam'"),
        ((*BASIC, "--from", "substack"), 2, "--from"),
        ((*BASIC, "--from", "listmonk"), 1, "no column 'email'"),
        ((*BASIC, "--column", "surel=address"), 2, "FIELD=HEADER"),
        ((*BASIC, "--column", "address"), 2, "FIELD=HEADER"),
        ((*BASIC, "--column", "name=Nama"), 1, "no column 'Nama'"),
        ((*BASIC, "--delimiter", "::"), 2, "--delimiter"),
    ],
)
def test_an_order_that_is_not_clear_is_refused_in_words(
    words: tuple[str, ...], code: int, why: str, cli: Cli, paper: Path
) -> None:
    said = cli("subscribers", "import", str(written(paper / "list.csv", "address\nrini@x.example\n")), *words)

    assert said.code == code
    assert why in " ".join(said.err.replace("│", " ").split())
    assert cli("subscribers", "show", "rini@x.example").code == 1
    assert not (paper / "list.rejects.csv").exists()


def test_a_file_that_is_not_there_or_not_utf_8_is_one_sentence(cli: Cli, paper: Path) -> None:
    (paper / "latin.csv").write_bytes("address,name\nrini@x.example,André\n".encode("cp1252"))
    missing = cli("subscribers", "import", "gone.csv", *BASIC)
    latin = cli("subscribers", "import", "latin.csv", *BASIC)

    assert (missing.code, missing.err) == (1, "gone.csv: No such file or directory\n")
    assert latin.code == 1
    assert "line 2 is not UTF-8" in latin.err
    assert "iconv -f WINDOWS-1252 -t UTF-8 latin.csv > latin-utf8.csv" in latin.err


def test_mailchimp_s_people_who_never_agreed_are_refused_by_the_file_s_name(cli: Cli, paper: Path) -> None:
    file = paper / "nonsubscribed_email_audience_export_1a2b.csv"
    file.write_bytes((CORPUS / "mailchimp_subscribed.csv").read_bytes())
    said = cli("subscribers", "import", str(file), *BASIC, "--from", "mailchimp")

    assert said.code == 1
    assert "never agreed" in said.err
    assert bring(cli, file, "--from", "mailchimp", "--left")["ended"] == 2


def test_columns_and_delimiter_can_be_named(cli: Cli, paper: Path) -> None:
    file = written(paper / "list.csv", "Surel;Depan;Belakang\nrini@x.example;Rini;Sari\n")
    words = ("--delimiter", ";", "--column", "address=Surel", "--column", "name=Depan", "--column", "name=Belakang")
    bring(cli, file, *words)

    assert json.loads(cli("subscribers", "show", "rini@x.example", "--json").out)["subscriber"]["name"] == "Rini Sari"


def test_an_export_goes_to_stdout_or_into_a_file_for_us_alone(cli: Cli, paper: Path) -> None:
    out = cli("subscribers", "export", "--newsletter", "ringkasan")
    (paper / "out.csv").write_text("old")
    (paper / "out.csv").chmod(0o644)
    said = cli("subscribers", "export", "out.csv", "--json")
    text = (paper / "out.csv").read_bytes().decode()

    assert (out.code, out.err) == (0, "")
    assert text.replace("\r\n", "\n") == out.out.replace("\r\n", "\n")
    assert out.out.count("ringkasan") == 3
    assert json.loads(said.out) == {"file": "out.csv", "subscriptions": 3}
    assert stat.S_IMODE((paper / "out.csv").stat().st_mode) == 0o600
    assert sorted(path.name for path in paper.glob(".*")) == []


def test_an_export_that_can_t_be_made_leaves_the_old_file(cli: Cli, paper: Path) -> None:
    (paper / "out.csv").write_text("old")
    unknown = cli("subscribers", "export", "out.csv", "--newsletter", "malam")
    both = cli("subscribers", "export", "--json")

    assert (unknown.code, both.code) == (1, 2)
    assert (paper / "out.csv").read_text() == "old"
    assert list(paper.glob(".out*")) == []
