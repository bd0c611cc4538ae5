"""A small newspaper in a folder of its own, and the command line in this process."""

import logging
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from syndicate.cli.main import run

CONFIG = """
sample = true
[site]
title = "Lintas Pagi"
url = "https://lintaspagi.example"
[web]
public_url = "http://127.0.0.1:{port}"
listen = "127.0.0.1:{port}"
[net]
allow = ["127.0.0.1:{port}"]
[[sources]]
name = "newsroom"
kind = "folder"
path = "newsroom"
every = "1 s"
first_import = "mail"
[[feeds]]
name = "terkini"
title = "Terkini"
[[feeds]]
name = "mitra"
title = "Untuk mitra"
partners = ["portal"]
[[newsletters]]
name = "ringkasan"
title = "Ringkasan"
schedule = "every 1 min"
from = "Lintas Pagi <ringkasan@lintaspagi.example>"
channel = "outbox"
[channels.outbox]
kind = "maildir"
path = "var/outbox"
[[partners]]
name = "portal"
title = "Portal Warga"
[[endpoints]]
name = "portal"
partner = "portal"
kind = "webhook"
url = "http://127.0.0.1:{port}/sample/receiver"
secret = "file:keys/sample-endpoint.secret"
newsletters = ["ringkasan"]
"""
STORY = """+++
title = "{title}"
authors = ["Ratna Dewi"]
sections = ["Kota"]
published = 2026-11-2{number}T08:00:00+07:00
+++

{title} dibahas warga di balai kota pada hari ke-{number}.
"""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a call of the command line ended with."""

    code: int
    out: str
    err: str


Cli = Callable[..., Said]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_story(folder: Path, number: int, title: str) -> None:
    text = STORY.format(number=number, title=title)
    file = folder / "newsroom" / f"cerita-{number}.md"
    file.write_text(text, "utf-8")
    older = file.stat().st_mtime - 5  # a file of this very second may still be written: it would be left alone
    os.utime(file, (older, older))


def write_project(folder: Path, port: int) -> None:
    """Configuration and two stories; nothing was gathered yet."""
    (folder / "config").mkdir(parents=True)
    (folder / "newsroom").mkdir()
    (folder / "config" / "syndicate.toml").write_text(CONFIG.format(port=port), "utf-8")
    write_story(folder, 1, "Jembatan baru dibuka")
    write_story(folder, 2, "Harga cabai turun")


def started(*words: str, cwd: Path, **options: Any) -> subprocess.Popen[str]:
    """The command line as a process of its own."""
    program = [sys.executable, "-c", "from syndicate.cli.main import main; main()", *words]
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    pipe = subprocess.PIPE
    streams = {"stdout": pipe, "stderr": pipe} | options
    return subprocess.Popen(program, cwd=cwd, env=environ, text=True, **streams)


@pytest.fixture(scope="session")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A newspaper after one `once`: two stories gathered, published and mailed to three readers."""
    folder = tmp_path_factory.mktemp("printed") / "paper"
    write_project(folder, free_port())
    process = started("once", cwd=folder)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return folder


@pytest.fixture
def paper(printed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it of this test's own, as the working directory."""
    folder = tmp_path / "paper"
    shutil.copytree(printed, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def blank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A newspaper that nothing was done with yet, as the working directory."""
    folder = tmp_path / "paper"
    write_project(folder, free_port())
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """Calls the command line in this process; what it did to the log is undone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def call(*words: str) -> Said:
        capsys.readouterr()
        code = run(words)
        out, err = capsys.readouterr()
        return Said(code=code, out=out, err=err)

    yield call
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)
