"""The words of the command line: all are documented, all have help, errors are sentences with the right exit code."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from syndicate.cli.main import build, config_first
from tests.cli.conftest import Cli

DOC = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^### `syndicate ([\w -]+)`\n(.*?)(?=^##|\Z)", DOC, re.M | re.S))
PRINT_NO_DATA = {
    "domains resume",
    "up",
    "init",
    "partners replay",
    "partners enable",
    "jobs retry",
    "sources confirm",
}
MAY_SEND = {
    "domains resume",
    "once",
    "articles correct",
    "articles withdraw",
    "articles restore",
    "editions doubts",
    "newsletters resume",
    "editions release",
    "editions resume",
    "editions cancel",
    "editions retry",
    "editions send-test",
    "partners replay",
    "jobs retry",
    "subscribers import",  # who is sent to from then on
}
COMMON = {"--help", "-h"}


def commands(tree: Any = None, path: str = "") -> Iterator[tuple[str, Any]]:
    whole: Any = typer.main.get_command(build()) if tree is None else tree
    for name, command in whole.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} ")
        else:
            yield f"{path}{name}", command


TREE = dict(commands())


def options(name: str) -> set[str]:
    return {word for parameter in TREE[name].params for word in parameter.opts if word.startswith("-")} - COMMON


def test_exactly_the_commands_that_exist_are_documented() -> None:
    assert set(SECTIONS) == set(TREE)


@pytest.mark.parametrize("name", TREE)
def test_exactly_the_options_that_exist_are_documented(name: str) -> None:
    assert set(re.findall(r"--[a-z-]+", SECTIONS[name])) == options(name)


@pytest.mark.parametrize("name", TREE)
def test_every_command_and_argument_has_help(name: str) -> None:
    assert TREE[name].help
    assert all(parameter.help for parameter in TREE[name].params)


def test_every_command_that_prints_data_speaks_json() -> None:
    assert {name for name in TREE if "--json" not in options(name)} == PRINT_NO_DATA


def test_wherever_something_may_be_sent_there_is_a_dry_run() -> None:
    assert {name for name in TREE if "--dry-run" in options(name)} == MAY_SEND


def test_a_word_that_is_no_command_is_a_usage_error(cli: Cli) -> None:
    said = cli("publis")

    assert said.code == 2
    assert "No such command 'publis'" in said.err


def test_a_missing_argument_is_a_usage_error(cli: Cli) -> None:
    assert cli("articles", "show").code == 2


def test_no_config_file_is_a_configuration_error_with_the_cure(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    said = cli("articles", "list")

    assert said.code == 2
    assert "syndicate init DIR" in said.err


def test_every_fault_of_the_configuration_is_said_at_once(cli: Cli, paper: Path) -> None:
    config = paper / "config" / "syndicate.toml"
    broken = config.read_text().replace('schedule = "every 1 min"', 'schedule = "often"').replace("first_", "frist_")
    config.write_text(broken)

    said = cli("check")

    assert said.code == 2
    assert len(said.err.strip().splitlines()) == 2
    assert "Traceback" not in said.err


def test_with_json_every_fault_of_the_configuration_is_a_record(cli: Cli, paper: Path) -> None:
    config = paper / "config" / "syndicate.toml"
    config.write_text(config.read_text().replace('title = "Terkini"', "limit = 900"))

    for words in (["check"], ["articles", "list"], ["once"], ["sources", "test", "newsroom"]):
        said = cli(*words, "--json")

        assert (said.code, said.err) == (2, "")
        assert json.loads(said.out) == {
            "ok": False,
            "problems": [
                {
                    "file": "config/syndicate.toml",
                    "place": '[[feeds]] "terkini": title',
                    "value": "",
                    "message": "is missing; write title = …, see docs/configuration.md",
                },
                {
                    "file": "config/syndicate.toml",
                    "place": '[[feeds]] "terkini": limit',
                    "value": "900",
                    "message": "too large; write 500 or less",
                },
            ],
        }


def without_secrets(paper: Path) -> None:
    """The endpoint's secret file is gone, and a relay's password isn't in the environment."""
    config = paper / "config" / "syndicate.toml"
    (paper / "keys" / "sample-endpoint.secret").unlink()
    relay = '[channels.relay]\nkind = "smtp"\nhost = "127.0.0.1"\nusername = "a"\npassword = "env:NOT_THERE_9B2D"\n'
    config.write_text(config.read_text().replace("sample = true", "sample = false") + relay)


@pytest.mark.parametrize(
    "words",
    [
        "articles list",
        "feeds show terkini",
        "editions list",
        "partners list",
        "sources test newsroom",
        "gather",
        "newsletters preview ringkasan",
        "subscribers add rini@pembaca.example ringkasan",
        "migrate",
    ],
)
def test_a_missing_secret_does_not_stop_what_needs_none(words: str, cli: Cli, paper: Path) -> None:
    without_secrets(paper)

    said = cli(*words.split())

    assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize(
    "words", ["up", "once", "check", "editions send-test --newsletter ringkasan a@pembaca.example"]
)
def test_a_missing_secret_stops_what_hands_out_before_it_begins(words: str, cli: Cli, paper: Path) -> None:
    without_secrets(paper)

    said = cli(*words.split())

    assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 2)
    assert '[[endpoints]] "portal": secret = "file:keys/sample-endpoint.secret": ' in said.err
    assert "the environment has no NOT_THERE_9B2D; set it before the start" in said.err


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("words", [["--config", "other.toml"], ["--config=other.toml"]])
def test_the_config_file_may_be_named_anywhere_on_the_line(place: int, words: list[str]) -> None:
    line = ["feeds", "list"]

    assert config_first(line[:place] + words + line[place:]) == [*words, "feeds", "list"]


def test_a_database_that_is_not_there_yet_is_one_sentence(cli: Cli, paper: Path) -> None:
    for file in (paper / "var").glob("syndicate.db*"):
        file.unlink()

    said = cli("editions", "list")

    assert said.code == 1
    assert said.err == "the database isn't ready for this version; run `syndicate migrate`, or `syndicate up`\n"


def test_a_database_that_is_none_is_one_sentence(cli: Cli, paper: Path) -> None:
    for file in (paper / "var").glob("syndicate.db*"):
        file.write_bytes(b"no database" * 500)

    said = cli("editions", "list")

    assert said.code == 1
    assert len(said.err.splitlines()) == 1


def test_help_waits_for_no_slow_module() -> None:
    slow = "('sqlalchemy', 'rich', 'pydantic', 'structlog', 'httpx2', 'lxml', 'starlette')"
    program = "import sys; from syndicate.cli.main import run; run(['--help'])\n"
    program += f"print(sorted(set({slow}) & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.splitlines()[-1] == "[]"


def test_once_does_not_wait_for_alembic_where_nothing_is_to_be_migrated(paper: Path) -> None:
    program = "import sys; from syndicate.cli.main import run; code = run(['once'])\n"
    program += "print(code, 'alembic' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=paper, capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.splitlines()[-1] == "0 False"
