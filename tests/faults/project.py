"""A small newsroom with many subscribers, for runs that are killed and must end right."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from syndicate.app import App, open_app
from syndicate.domain.audience import Subscriber
from syndicate.settings import load, prepare_keys
from syndicate.store import audience
from syndicate.work import prepare

WRITTEN = 1_790_000_000  # Unix seconds
CONFIG = """
store = "env:FAULT_STORE"

[site]
title = "Contoh Pos"
url = "https://contohpos.example"

[web]
public_url = "http://127.0.0.1:{port}"
listen = "127.0.0.1:{port}"

[[sources]]
name = "newsroom"
kind = "folder"
path = "newsroom"
every = "1 s"
first_import = "mail"

[[feeds]]
name = "terkini"
title = "Terkini"

[[newsletters]]
name = "pagi"
title = "Kabar Pagi"
schedule = "{schedule}"
from = "Contoh Pos <pagi@contohpos.example>"
channel = "pos"

[channels.pos]
{channel}
"""
STORY = """+++
title = "Kabar nomor {number}"
published = 2026-11-2{number}T07:00:00+07:00
authors = ["Sari Wulandari"]
sections = ["Kota"]
summary = "Ringkasan kabar nomor {number}."
+++

Paragraf pertama kabar nomor {number}.
"""


@dataclass(frozen=True, kw_only=True)
class Project:
    """Where it lies, and the environment its processes need."""

    folder: Path
    environ: dict[str, str]

    @property
    def outbox(self) -> Path:
        """The Maildir's delivered mail."""
        return self.folder / "var" / "outbox" / "new"

    def open(self) -> App:
        """The App, in this process."""
        return open_app(load(None, cwd=self.folder, environ=self.environ))


MAILDIR = 'kind = "maildir"\npath = "var/outbox"'


def smtp(port: int, connections: int = 2) -> str:
    """The channel's table for a relay on loopback."""
    return (
        f'kind = "smtp"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\nconnections = {connections}\ntimeout = "5 s"'
    )


def lay_out(folder: Path, store: str, *, channel: str, stories: Iterable[int], schedule: str = "every 1 h") -> Project:
    """Writes configuration, keys and stories."""
    (folder / "config").mkdir(parents=True)
    text = CONFIG.format(port=8099, channel=channel, schedule=schedule)
    (folder / "config" / "syndicate.toml").write_text(text)
    (folder / "newsroom" / "kota").mkdir(parents=True)
    for number in stories:
        path = folder / "newsroom" / "kota" / f"kabar-{number}.md"
        path.write_text(STORY.format(number=number))
        os.utime(path, (WRITTEN, WRITTEN))  # a file that is younger than a second waits for the next look
    prepare_keys(None, cwd=folder)
    return Project(folder=folder, environ={"FAULT_STORE": store})


async def add_subscribers(app: App, count: int) -> list[str]:
    """Active subscribers of the newsletter, by address."""
    await prepare(app)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    addresses = [f"pembaca{number}@contoh.example" for number in range(count)]
    async with app.db.write() as connection:
        for address in addresses:
            person = Subscriber(id=0, address=address, created_at=now)
            added = await audience.add(connection, person, digest=app.digest(address))
            await audience.subscribe(connection, "pagi", added.id, origin="test", now=now)
    return addresses
