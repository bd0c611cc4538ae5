"""A small newsroom with many subscribers, for runs that are killed and must end right."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert, select

from syndicate.app import App, open_app
from syndicate.domain.audience import Subscriber, SubscriptionState
from syndicate.settings import load, prepare_keys
from syndicate.store.tables import subscribers, subscriptions
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


def smtp(port: int, connections: int = 2, *, timeout: int = 5) -> str:
    """The channel's table for a relay on loopback; `timeout` in seconds."""
    where = f'kind = "smtp"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"'
    return f'{where}\nconnections = {connections}\ntimeout = "{timeout} s"'


def lay_out(
    folder: Path, store: str, *, channel: str, stories: Iterable[int], schedule: str = "every 1 h", port: int = 8099
) -> Project:
    """Writes configuration, keys and stories; `port` is the web server's."""
    (folder / "config").mkdir(parents=True)
    text = CONFIG.format(port=port, channel=channel, schedule=schedule)
    (folder / "config" / "syndicate.toml").write_text(text)
    (folder / "newsroom" / "kota").mkdir(parents=True)
    for number in stories:
        path = folder / "newsroom" / "kota" / f"kabar-{number}.md"
        path.write_text(STORY.format(number=number))
        os.utime(path, (WRITTEN, WRITTEN))  # a file that is younger than a second waits for the next look
    prepare_keys(None, cwd=folder)
    return Project(folder=folder, environ={"FAULT_STORE": store})


async def add_subscribers(app: App, count: int) -> list[str]:
    """Active subscribers of the newsletter, by address; in bulk, for thousands one by one would outlast the test."""
    await prepare(app)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    addresses = [f"pembaca{number}@contoh.example" for number in range(count)]
    person = Subscriber(id=0, address="", created_at=now)
    own = {"language": person.language, "timezone": person.timezone, "generation": person.generation}
    people = [
        {"address": one, "folded": one, "digest": app.digest(one), "name": "", "created_at": now, **own}
        for one in addresses
    ]
    chosen = {"newsletter": "pagi", "state": SubscriptionState.ACTIVE.value, "since": now, "origin": "test"}
    async with app.db.write() as connection:
        await connection.execute(insert(subscribers), people)
        numbers = await connection.scalars(select(subscribers.c.id).order_by(subscribers.c.id))
        await connection.execute(insert(subscriptions), [{"subscriber_id": one, **chosen} for one in numbers])
    return addresses
