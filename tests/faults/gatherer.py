"""A process that looks at a newsroom when it is told to, and may be told to die at a certain point of the look.

    python -m tests.faults.gatherer STORE URL FOLDER

A line of JSON on stdin is an order, a line on stdout the answer. Points are where something of a look is left behind,
or could be: each request, statement and commit, each picture that is written. They are counted in here, for a kill
from outside comes at a place that no seed can name.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Engine, Pool, event

from syndicate.jail import Jail
from syndicate.net.client import Client, Fetched, FetchFailed
from syndicate.net.guard import Allowed
from syndicate.pipeline.gather import gather_source
from syndicate.pipeline.pictures import Album
from syndicate.sources import Tools, open_source
from syndicate.sources.darkroom import Darkroom
from syndicate.store.db import Database
from tests.factories import SITE, make_config

SOURCE = "koran"


class Fuse:
    """Counts the points of a look whose name begins with `prefix`, and ends this process at the set one."""

    def __init__(self) -> None:
        self.prefix, self.left, self.passed = "", 0, 0
        self.whole = 0  # the last point at which the source knew nothing of this look yet
        self._is_written = False

    def set(self, prefix: str, number: int) -> None:
        """0: burns through without an end."""
        self.prefix, self.left, self.passed = prefix, number, 0

    def burn(self, point: str) -> None:
        """A point is reached."""
        if not point.startswith(self.prefix):
            return
        self.passed += 1
        self._is_written = self._is_written or point.startswith("INSERT INTO sources")
        if point == "commit" and self._is_written:
            self.whole, self._is_written = self.passed, False
        if self.passed == self.left:
            os.kill(os.getpid(), signal.SIGKILL)


class FusedClient(Client):
    """Each request is a point."""

    def __init__(self, burn: Callable[[str], None], **how: Any) -> None:
        super().__init__(**how)
        self._burn = burn

    async def fetch(self, method: str, url: str, **how: Any) -> Fetched | FetchFailed:
        self._burn(f"GET {url}")
        return await super().fetch(method, url, **how)


def lay(fuse: Fuse, folder: Path) -> None:
    """Along statements, commits and what comes after them, and files that are begun or renamed in `folder`."""

    def file(name: str, about: tuple[Any, ...]) -> None:
        if name in ("open", "os.rename") and str(about[0]).startswith(str(folder)):
            fuse.burn(name)

    def statement(*about: Any) -> None:
        if not about[2].startswith("BEGIN"):  # a statement for SQLite alone: both databases have the same points
            fuse.burn(about[2])

    sys.addaudithook(file)
    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "commit", lambda _: fuse.burn("commit"))
    event.listen(Pool, "checkin", lambda *_: fuse.burn("after a commit"))


async def main(store: str, url: str, folder: Path) -> None:
    """Looks until stdin ends."""
    fuse, db, jail = Fuse(), Database(store), Jail(wall_seconds=30.0)
    allowed = Allowed.parse([f"127.0.0.1:{urlsplit(url).port}"])
    client = FusedClient(fuse.burn, allowed=allowed, user_agent="Test/1")
    source = open_source(
        config := make_config(name=SOURCE, kind="wordpress", location=url), Tools(client=client, jail=jail)
    )
    album = Album(darkroom=Darkroom(client=client, jail=jail), folder=folder)
    lay(fuse, folder)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        fuse.set(order["prefix"], order["number"])
        now = datetime.fromisoformat(order["now"])
        report = await gather_source(db, config, source, site=SITE, album=album, chance=0.5, now=now)
        print(json.dumps({"points": fuse.whole, "problem": report.problem}), flush=True)
    await client.aclose()
    await jail.aclose()
    await db.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
