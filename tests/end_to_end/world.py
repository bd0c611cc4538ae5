"""An installation with the real world around it: a newsroom's site, a folder, a relay, two partners, three readers."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from tests.end_to_end.house import House, free_port
from tests.end_to_end.reading import FeedReader, Letter, Shown, opened
from tests.servers.newsroom import Newsroom, open_newsroom
from tests.servers.partner import Mood, Portal, open_partner
from tests.servers.smtp import SmtpSink

READERS = ("ani@pembaca.example", "budi@pembaca.example", "citra@pembaca.example")
CONFIG = """
store = "env:STORE"

[log]
format = "json"

[site]
title = "Contoh Pos"
url = "https://contohpos.example"
description = "Kabar Kota Lintang"
contact = "redaksi@contohpos.example"

[web]
public_url = "{house.origin}"
listen = "127.0.0.1:{house.port}"

[net]
allow = [{allowed}]

[[sources]]
name = "situs"
kind = "feed"
url = "{newsroom.feed_url}"
every = "1 s"

[[sources]]
name = "berkas"
kind = "folder"
path = "newsroom"
every = "1 s"

[[feeds]]
name = "terkini"
title = "Contoh Pos: Terkini"

[[newsletters]]
name = "menit"
title = "Kabar Menit Ini"
schedule = "every 1 min"
from = "Contoh Pos <menit@contohpos.example>"
channel = "pos"

[channels.pos]
kind = "smtp"
host = "127.0.0.1"
port = {sink.port}
tls = "none"

[[partners]]
name = "portal-warga"
title = "Portal Warga"

[[partners]]
name = "portal-tutup"
title = "Portal Tutup"

[[endpoints]]
name = "warga"
partner = "portal-warga"
kind = "webhook"
url = "{portal.url}"
secret = "env:WARGA_SECRET"
newsletters = ["menit"]

[[endpoints]]
name = "tutup"
partner = "portal-tutup"
kind = "webhook"
url = "{closed.url}"
secret = "env:TUTUP_SECRET"
"""
STORY = """+++
title = "{title}"
authors = ["Sari Wulandari"]
sections = ["Daerah"]
+++

{text}
"""


@dataclass(kw_only=True)
class World:
    """All of it, and the titles of the stories that are news to everybody."""

    house: House
    newsroom: Newsroom
    sink: SmtpSink
    portal: Portal
    closed: Portal  # answers 410 from the first
    client: httpx2.AsyncClient
    reader: FeedReader
    ids: dict[str, str] = field(default_factory=dict)  # title at first sight → public id

    @property
    def letters(self) -> list[Letter]:
        """Every mail that the relay took."""
        return opened(self.sink.messages)

    def write_story(self, name: str, title: str, text: str) -> None:
        """A story file appears in the folder, whole."""
        path = self.house.folder / "newsroom" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.house.folder / "draft"
        draft.write_text(STORY.format(title=title, text=text), "utf-8")
        draft.replace(path)

    def story_file(self, name: str) -> Path:
        """Where a story of the folder lies."""
        return self.house.folder / "newsroom" / f"{name}.md"

    async def shown(self, *titles: str) -> dict[str, Shown]:
        """The feed's stories by title. Fails while one of these titles isn't there."""
        stories = {story.title: story for story in await self.reader.read()}
        assert set(titles) <= set(stories)
        return stories

    def got(self, title: str) -> list[str]:
        """Who was mailed a story, once for each mail that holds it."""
        return sorted(letter.to for letter in self.letters if title in letter.text)

    def told(self, title: str) -> list[tuple[str, int]]:
        """What the partner took about a story: types and versions in order."""
        return [(one.type, one.data["version"]) for one in self.portal.about(self.ids[title])]


@asynccontextmanager
async def open_world(folder: Path, store: str) -> AsyncIterator[World]:
    """Everything is there, and `up` can be started."""
    async with (
        open_newsroom() as newsroom,
        SmtpSink() as sink,
        open_partner() as portal,
        open_partner(Mood.GONE) as closed,
        httpx2.AsyncClient(trust_env=False) as client,
    ):
        secrets = {"STORE": store, "WARGA_SECRET": portal.secret, "TUTUP_SECRET": closed.secret}
        house = House(folder=folder, port=free_port(), environ=secrets)
        parts = {"house": house, "newsroom": newsroom, "sink": sink, "portal": portal, "closed": closed}
        allowed = ", ".join(f'"127.0.0.1:{site.port}"' for site in (newsroom.site, portal.site, closed.site))
        (folder / "config").mkdir(parents=True)
        (folder / "config" / "syndicate.toml").write_text(CONFIG.format(allowed=allowed, **parts), "utf-8")
        reader = FeedReader(client=client, url=f"{house.origin}/feeds/terkini")
        yield World(
            house=house, newsroom=newsroom, sink=sink, portal=portal, closed=closed, client=client, reader=reader
        )


def second_of_minute() -> int:
    """Editions are composed at second 0."""
    return datetime.now(UTC).second


def everybody(*, times: int = 1, but: Iterable[str] = ()) -> list[str]:
    """What `got` says when each reader had a story so often."""
    return sorted([reader for reader in READERS if reader not in but] * times)
