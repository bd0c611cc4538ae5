"""The wheel alone, beside nothing but the locked libraries: it brings all its files, and starts a newsroom."""

import importlib.metadata
import re
import subprocess
import sys
import venv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syndicate.store import files
from tests.end_to_end.house import House
from tests.formats.rules import by_the_rules

ROOT = Path(__file__).parents[2]
PUBLIC_URL = "http://127.0.0.1:8080"  # as `init` writes it


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A fresh environment with the wheel in it; this repository can't be imported there."""
    wheels, home = tmp_path / "wheels", tmp_path / "environment"
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheels), str(ROOT)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    venv.create(home, with_pip=False, symlinks=True)
    (packages,) = home.glob("lib/python3*/site-packages")
    locked = tmp_path / "locked"
    link_locked_libraries(locked)
    (packages / "locked.pth").write_text(f"{locked}\n")
    pip = [sys.executable, "-m", "pip", "-q", "--python", str(home / "bin" / "python"), "install"]
    subprocess.run([*pip, "--no-deps", "--no-index", *map(str, wheels.iterdir())], check=True)
    where = [str(home / "bin" / "python"), "-c", "import syndicate; print(syndicate.__file__)"]
    assert subprocess.check_output(where, cwd=tmp_path, text=True).startswith(str(home))
    return home / "bin"


def link_locked_libraries(folder: Path) -> None:
    """What requirements.lock names and this environment has; markers leave some of it out."""
    folder.mkdir()
    for name in re.findall(r"^([A-Za-z0-9_.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE):
        try:
            library = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for top in {file.parts[0] for file in library.files or ()} - {"..", "__pycache__"}:
            (folder / top).symlink_to(Path(str(library.locate_file(top))))


async def test_the_wheel_alone_starts_a_newsroom_in_an_empty_directory(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    empty = House(folder=tmp_path / "empty", port=0, environ={"PYTHONPATH": ""}, command=installed / "syndicate")

    await empty.run("init", "koran", "--title", "Koran Uji")
    house = House(folder=empty.folder / "koran", port=0, environ=empty.environ, command=empty.command)
    config = house.folder / "config" / "syndicate.toml"
    config.write_text(config.read_text("utf-8").replace('schedule = "06:00"', 'schedule = "every 1 min"'), "utf-8")
    await house.run("check")
    await house.run("migrate")
    await house.run("subscribers", "add", "ani@pembaca.example", "ringkasan")
    first = await house.ask("once")
    again = await house.ask("once")

    assert [event["published"] for event in first["events"] if event["event"] == "source.gathered"] == [1]
    printed = house.folder / "var" / "feeds"
    assert files.document_names(printed) == ["terkini.atom", "terkini.json", "terkini.rss"]
    for name in files.document_names(printed):
        document = files.read_document(printed, name)
        assert document is not None
        by_the_rules(f"{PUBLIC_URL}/feeds/{name}", document.plain, now=datetime.now(UTC))
    (mail,) = (house.folder / "var" / "outbox" / "new").iterdir()
    assert b"\r\nTo: <ani@pembaca.example>\r\n" in mail.read_bytes()
    assert not any(event["event"] == "edition.done" for event in again["events"])
