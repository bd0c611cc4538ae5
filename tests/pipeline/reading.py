"""A newsroom that is looked at by a clock of its own, and what came of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from syndicate.domain.article import Article
from syndicate.jail import Jail
from syndicate.net.client import Client
from syndicate.net.guard import Allowed
from syndicate.pipeline.gather import GatherReport, gather_source
from syndicate.pipeline.pictures import Album
from syndicate.sources import Tools, open_source
from syndicate.sources.darkroom import Darkroom
from syndicate.sources.read.rules import load_rules
from syndicate.store import articles, changes, sources
from syndicate.store.db import Database
from tests.factories import SITE, make_config
from tests.servers.wordpress import Picture, Wordpress, jpeg

RULES = tuple(chain(*load_rules(Path(__file__).parents[2] / "page-rules").values()))
BODY = (
    "MALANG POSCO MEDIA, MALANG – Pemerintah kota membuka kembali jalan menuju {0} pada hari Senin setelah perbaikan"
    " yang berlangsung selama tiga pekan dan sempat mengganggu para pedagang di sekitar pasar.\n\n"
    "Warga di sekitar {0} berharap agar jalan itu tidak cepat rusak lagi karena setiap hari dilalui oleh truk yang"
    " membawa hasil panen dari lereng gunung menuju kota.\n\n"
    "Dinas terkait berjanji untuk memeriksa keadaan jalan itu setiap bulan dan akan memasang rambu baru. (rex/aim)"
)


@dataclass(kw_only=True)
class Reading:
    """Looks at one source every five minutes of the newsroom's clock."""

    db: Database
    site: Wordpress
    tools: Tools
    album: Album
    config: dict[str, Any] = field(default_factory=dict)

    async def look(self, *, minutes: int = 5, **config: Any) -> GatherReport:
        self.site.now += timedelta(minutes=minutes)
        named = {"name": "koran", "kind": "wordpress", "location": f"{self.site.home}/"}
        described = make_config(**named | self.config | config)
        source = open_source(described, self.tools)
        return await gather_source(
            self.db, described, source, site=SITE, album=self.album, chance=0.5, now=self.site.now
        )

    async def looks(self, count: int, *, minutes: int = 5, **config: Any) -> list[GatherReport]:
        return [await self.look(minutes=minutes, **config) for _ in range(count)]

    async def told(self) -> list[str]:
        """The change log since the first import, as KIND SLUG."""
        async with self.db.read() as connection:
            log = await changes.span(connection, 0, 10**6)
            found = await articles.by_ids(connection, {change.article_id for change in log})
        slug = {i: (a.content.url or "").rstrip("/").rpartition("/")[2] for i, a in found.items()}
        return [f"{c.kind.value} {slug[c.article_id]}" for c in log if not c.baseline]

    async def held(self) -> list[Article]:
        """All that the store has of this source."""
        async with self.db.read() as connection:
            return await articles.latest(connection, limit=1000, source="koran")

    async def article(self, number: int) -> Article:
        async with self.db.read() as connection:
            found = await articles.known(connection, "koran", [f"wp:{number}"])
            return (await articles.by_ids(connection, found.values()))[found[f"wp:{number}"]]

    async def problem(self) -> str:
        async with self.db.read() as connection:
            state = await sources.get(connection, "koran")
        assert state is not None
        return state.problem


def write(site: Wordpress, slug: str, **more: Any) -> int:
    """A story as a newspaper has it; its WordPress number."""
    more.setdefault("picture", Picture(name=f"{slug}.jpg", caption=f"Foto {slug} (FOTO: ANTARA)", data=jpeg()))
    content = more.pop("content", BODY.format(slug))
    return site.publish(slug, f"Judul {slug}", content, categories=["Malang Raya/Kota"], tags=[slug], **more).id


@asynccontextmanager
async def open_reading(db: Database, site: Wordpress, folder: Path, **config: Any) -> AsyncIterator[Reading]:
    """Asks the site as the program does, without the pauses of politeness."""
    client = Client(allowed=Allowed.parse([f"127.0.0.1:{site.site.port}"]), user_agent="Test/1")
    jail = Jail(wall_seconds=10.0)
    album = Album(darkroom=Darkroom(client=client, jail=jail), folder=folder)
    try:
        yield Reading(db=db, site=site, tools=Tools(client=client, jail=jail, rules=RULES), album=album, config=config)
    finally:
        await client.aclose()
        await jail.aclose()
