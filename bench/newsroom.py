"""Newsrooms to measure with: the shipped sample, and one of which every run gets the same 50 stories."""

import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.processes import ROOT

STORIES = 50  # a full feed
_WORDS = 138  # a story; with it the RSS document is about 40 kB on the wire
_SYLLABLES = [first + last for last in "aiu" for first in "bcdghjklmnprstwy"]
_ENDINGS = ("", "", "n", "ng", "r", "s", "t", "h", "kan", "nya")
_NEWEST = datetime(2026, 5, 4, 6, 0, tzinfo=UTC)

_CONFIG = """\
[site]
title = "Contoh Pos"
url = "https://contohpos.example"

[web]
public_url = "http://127.0.0.1:8080"
listen = "127.0.0.1:8080"

[[sources]]
name = "newsroom"
kind = "folder"
path = "newsroom"
every = "1 d"

[[feeds]]
name = "terkini"
title = "Contoh Pos: Terkini"

[[newsletters]]
name = "ringkasan"
title = "Ringkasan Contoh Pos"
schedule = "mon 06:00"
from = "Contoh Pos <ringkasan@contohpos.example>"
channel = "outbox"

[channels.outbox]
kind = "maildir"
path = "var/outbox"
"""


def copy_sample(folder: Path, *, port: int) -> Path:
    """The shipped configuration as it is, on another port and with its data in `folder`. Returns the config file."""
    shipped = (ROOT / "config" / "syndicate.toml").read_text("utf-8")
    return _write_config(folder, shipped.replace("127.0.0.1:8080", f"127.0.0.1:{port}"))


def make_newsroom(folder: Path) -> Path:
    """A small newspaper whose source is looked at once a day. Returns the config file."""
    stories = folder / "newsroom"
    stories.mkdir()
    chance = random.Random(50)
    for number in range(STORIES):
        _write_story(stories / f"cerita-{number:02}.md", number, chance)
    return _write_config(folder, _CONFIG)


def make_site(folder: Path, feeds: str) -> Path:
    """The same newspaper with other feeds (tables of the configuration) and no stories. Returns the config file."""
    (folder / "newsroom").mkdir()
    return _write_config(folder, f"{_CONFIG}\n{feeds}")


def _write_config(folder: Path, text: str) -> Path:
    path = folder / "config" / "syndicate.toml"
    path.parent.mkdir()
    path.write_text(text, "utf-8")
    return path


def _write_story(path: Path, number: int, chance: random.Random) -> None:
    title = " ".join(word(chance) for _ in range(7)).capitalize()
    paragraphs = [" ".join(word(chance) for _ in range(_WORDS // 3)).capitalize() + "." for _ in range(3)]
    published = _NEWEST - timedelta(minutes=17 * number)
    front = f'+++\ntitle = "{title}"\npublished = {published.isoformat()}\nsections = ["Kota"]\n+++\n'
    path.write_text(front + "\n\n".join(paragraphs) + "\n", "utf-8")
    os.utime(path, (published.timestamp(), published.timestamp()))  # an old file: nobody is still writing it


def word(chance: random.Random) -> str:
    """A word that nobody wrote: text of them compresses about as real text does, and is the same in every run."""
    return "".join(chance.choices(_SYLLABLES, k=chance.choice((1, 2, 2, 3)))) + chance.choice(_ENDINGS)
