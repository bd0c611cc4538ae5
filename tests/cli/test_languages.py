"""A language of one's own on the command line: what `check` says of it, and how a flaw in it is told."""

import json
import shutil
from pathlib import Path

from tests.cli.conftest import Cli

POLISH = Path(__file__).resolve().parents[1] / "locale" / "pl.po"


def languages(cli: Cli) -> str:
    """What `check` found."""
    said = cli("check", "--offline", "--json")
    assert said.code == 0, said.out + said.err
    return next(str(one["found"]) for one in json.loads(said.out) if one["what"] == "languages")


def test_check_says_which_languages_there_are_and_what_they_lack(cli: Cli, paper: Path) -> None:
    before = languages(cli)
    (paper / "locale").mkdir()
    text = POLISH.read_text("utf-8") + '\nmsgctxt "page"\nmsgid "skipp"\nmsgstr "Przejdź"\n'
    (paper / "locale" / "pl.po").write_text(text, "utf-8")

    after = languages(cli)

    assert before == "id, en"
    assert after.startswith("id, en, pl; pl lacks ")
    assert "phrases, said in English" in after
    assert after.endswith("nothing uses skipp of pl")


def test_check_names_a_newsletter_in_a_language_that_no_catalogue_is_of(cli: Cli, paper: Path) -> None:
    config = paper / "config" / "syndicate.toml"
    config.write_text(config.read_text("utf-8").replace('title = "Ringkasan"', 'title = "Ringkasan"\nlanguage = "jv"'))

    assert languages(cli) == "id, en; ringkasan is in jv, and speaks Bahasa Indonesia around its stories"


def test_a_folder_of_another_name_is_read_where_the_configuration_says_so(cli: Cli, paper: Path) -> None:
    config = paper / "config" / "syndicate.toml"
    config.write_text(f'locale = "kata"\n{config.read_text("utf-8")}')
    (paper / "kata").mkdir()
    shutil.copy(POLISH, paper / "kata")

    assert languages(cli).startswith("id, en, pl;")


def test_a_flaw_in_a_catalogue_is_told_with_file_line_and_cure_beside_those_of_the_configuration(
    cli: Cli, paper: Path
) -> None:
    (paper / "locale").mkdir()
    text = POLISH.read_text("utf-8").replace("Czytaj {site}", "Czytaj {strona}")
    (paper / "locale" / "pl.po").write_text(text, "utf-8")
    line = text.partition("{strona}")[0].count("\n")  # of the msgid

    said = cli("check")

    assert said.code == 2
    told = " ".join(said.err.split())
    assert f'pl.po: line {line}: "feeds_about" must have {{site}}, and has {{strona}}' in told
