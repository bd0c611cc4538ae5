"""A source is added to a config file that a person wrote: at its place, and nothing else is touched."""

import os
import tomllib
from pathlib import Path

import pytest

from syndicate.errors import ConfigError, Refused
from syndicate.settings.adding import add_source, with_source

BLOCK = '[[sources]]\nname = "baru"\nkind = "feed"\nurl = "https://baru.example/rss"  # catatan\n'
SITE = '[site]\ntitle = "Koran"\nurl = "https://koran.example"\n'
WEB = '[web]\npublic_url = "http://127.0.0.1:8080"\n'
OLD = '[[sources]]\nname = "lama"\nkind = "feed"\nurl = "https://lama.example/rss"\n'
FEED = '[[feeds]]\nname = "terkini"\ntitle = "Terkini"\n'

PLACES = {
    "behind the others": (OLD + "\n", FEED),
    "above the comment of what follows": (OLD + "\n", f"# Untuk pembaca\n# semua\n{FEED}"),
    "below the comment of a source": (f"{OLD}# every = '5 min'\n", FEED),
    "behind a source's own table": (f'{OLD}\n[sources.rules]\nbody = [".isi"]\n\n', FEED),
    "above the feeds where there is no source": (f"{SITE}\n", FEED),
    "at the end": (f"{SITE}\n{OLD}", ""),
    "at the end of a file without a last newline": (f"{SITE}\n{OLD}".rstrip(), ""),
    "at the end where the text misleads": ('[log]\nlevel = """\n[[sources]]\n[[feeds]]\n"""\n', ""),
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("place", PLACES)
def test_it_stands_at_its_place_and_all_else_is_as_it_was(place: str, newline: str) -> None:
    head, tail = (part.replace("\n", newline) for part in PLACES[place])

    made = with_source(head + tail, BLOCK)

    assert made.startswith(head)
    assert made.endswith(tail)
    middle = made[len(head) : len(made) - len(tail)]
    assert middle.strip() == BLOCK.replace("\n", newline).strip()
    assert tomllib.loads(made)["sources"][-1]["name"] == "baru"


def test_sources_written_as_one_list_can_not_be_added_to() -> None:
    with pytest.raises(Refused, match="by hand"):
        with_source('sources = [{ name = "lama" }]\n', BLOCK)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config" / "syndicate.toml"
    file.parent.mkdir()
    file.write_text(f"{SITE}{WEB}{OLD}{FEED}")
    return file


def test_a_table_with_a_fault_is_said_with_the_files_own_name_and_nothing_is_written(config: Path) -> None:
    before = config.read_bytes()

    with pytest.raises(ConfigError, match=r'^config/syndicate.toml: \[\[sources\]\] "baru": url'):
        add_source(config, BLOCK.replace("https:", "gopher:"), cwd=config.parents[1], environ={})

    assert config.read_bytes() == before
    assert os.listdir(config.parent) == ["syndicate.toml"]


def test_a_linked_file_stays_a_link_and_keeps_its_mode(config: Path, tmp_path: Path) -> None:
    config.chmod(0o600)
    link = tmp_path / "syndicate.toml"
    link.symlink_to(config)

    add_source(link, BLOCK, cwd=tmp_path, environ={})

    assert link.is_symlink()
    assert config.stat().st_mode & 0o777 == 0o600
    assert 'name = "baru"' in config.read_text()
