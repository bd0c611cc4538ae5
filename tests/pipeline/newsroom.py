"""A scripted newsroom that is gathered, and what a test asks about its stories."""

from pathlib import Path
from typing import Any

from syndicate.domain.article import Article
from syndicate.domain.change import Change
from syndicate.jail import Jail
from syndicate.net.client import Client
from syndicate.net.guard import Allowed
from syndicate.pipeline.gather import GatherReport, gather_source
from syndicate.pipeline.pictures import Album
from syndicate.sources.darkroom import Darkroom
from syndicate.store import articles, changes, sources
from syndicate.store.db import Database
from syndicate.store.sources import SourceState
from tests.factories import SITE, ScriptedSource, SetClock, make_config


class Room:
    """A newsroom, the database, and what a test asks about both."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db, self.source, self.clock = db, ScriptedSource(), SetClock()
        nowhere = Client(allowed=Allowed(), user_agent="Test/1")  # no story here has a picture to be fetched
        self.album = Album(darkroom=Darkroom(client=nowhere, jail=Jail()), folder=folder)

    async def look(self, **config: Any) -> GatherReport:
        now = self.clock.forward(minutes=10)
        return await gather_source(
            self.db, make_config(**config), self.source, site=SITE, album=self.album, chance=0.5, now=now
        )

    async def imported(self) -> "Room":
        """The first import is over."""
        await self.look()
        return self

    async def log(self) -> list[Change]:
        async with self.db.read() as connection:
            return await changes.span(connection, 0, 10**6)

    async def kinds(self) -> list[str]:
        return [change.kind.value for change in await self.log()]

    async def story(self, key: str) -> Article:
        async with self.db.read() as connection:
            found = await articles.known(connection, "lintas", [key])
            return (await articles.by_ids(connection, found.values()))[found[key]]

    async def state(self, name: str = "lintas") -> SourceState:
        async with self.db.read() as connection:
            found = await sources.get(connection, name)
        assert found is not None
        return found
