"""Drives the gatherer's process against a newsroom, kills it, and tells what we hold and whether that is sound."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article, Content, Picture
from syndicate.domain.change import ChangeKind
from syndicate.store import articles, changes, files, sources
from syndicate.store.db import Database
from tests.faults.editors import Deed, Standing
from tests.faults.gatherer import SOURCE
from tests.faults.killing import PATIENCE, ROOT
from tests.servers.wordpress import Wordpress


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a look said."""

    points: int  # until it is written down; what comes after it is a later look's to do again
    problem: str


@dataclass(frozen=True, kw_only=True)
class Held:
    """Everything that we hold of the newsroom; its address is left out, since its port is another in each run."""

    standings: dict[str, Standing]  # by its present slug
    told: tuple[str, ...]  # the change log as KIND SLUG, with the slug of the story's first version
    log: tuple[str, ...]
    articles: tuple[str, ...]
    versions: tuple[str, ...]


@dataclass(kw_only=True)
class Room:
    """A newsroom, our database and our pictures. The process that looks is started when it is needed."""

    site: Wordpress
    store: str
    folder: Path
    process: Process | None = None

    async def after(self, deed: Deed, kills: Sequence[tuple[int, int]] = ()) -> list[Report]:
        """Does it and looks. A kill is a look and a point in it; the look is made again then."""
        deed.do(self.site)
        reports = []
        for number, minutes in enumerate(deed.minutes):
            self.site.now += timedelta(minutes=minutes)
            for point in (point for look, point in kills if look == number):
                await self.killed_look(point)
            reports.append(await self.look())
        await self.assert_sound()
        return reports

    async def look(self) -> Report:
        """One look, at the newsroom's present time."""
        answer = await self._order(0, "")
        assert answer, "the gatherer ended; its stderr says why"
        return Report(**json.loads(answer))

    async def killed_look(self, point: int, prefix: str = "") -> None:
        """One look that ends at its n-th point of those whose name begins so."""
        assert not await self._order(point, prefix), f"the look has no point {prefix} {point}"
        assert self.process is not None
        async with asyncio.timeout(PATIENCE):
            assert await self.process.wait() == -signal.SIGKILL
        self.process = None
        await self.assert_sound()

    async def held(self) -> Held:
        """As it stands now."""
        async with self._reading() as connection:
            stories = await articles.after(connection, "", limit=1000)
            versions = {story.id: await articles.versions(connection, story.id) for story in stories}
            log = await changes.span(connection, 0, 10**6)
        first = {identifier: _slug(found[0][-1]) for identifier, found in versions.items()}
        return Held(
            standings={
                _slug(story.content): Standing(
                    title=story.content.title, state=story.state.value, versions=len(versions[story.id])
                )
                for story in stories
            },
            told=tuple(f"{change.kind.value} {first[change.article_id]}" for change in log),
            log=self._plain(log),
            articles=self._plain(stories),
            versions=self._plain(version for story in stories for version in versions[story.id]),
        )

    async def assert_sound(self) -> None:
        """What must hold at every moment, also right after a kill."""
        async with self._reading() as connection:
            stories = {story.source_key: story for story in await articles.after(connection, "", limit=1000)}
            shown = [v[-1] for story in stories.values() for v in await articles.versions(connection, story.id)]
            state = await sources.get(connection, SOURCE)
            log = await changes.span(connection, 0, 10**6)
        withdrawn = {change.article_id for change in log if change.kind is ChangeKind.WITHDRAWN}
        for content in shown:
            assert_is_whole(content.picture, self.folder)
        memory = json.loads(state.memory.values.get("rest", "{}")) if state else {}
        for number, (modified, *_) in memory.get("posts", {}).items():
            assert f"wp:{number}" in stories, "memory is ahead of a story"
            self._assert_is_told(stories[f"wp:{number}"], int(number), modified)
        for number in memory.get("gone", ()):
            assert stories[f"wp:{number}"].id in withdrawn, "memory is ahead of a withdrawal"

    async def aclose(self) -> None:
        """Ends the process."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            async with asyncio.timeout(PATIENCE):
                await self.process.wait()

    def _assert_is_told(self, story: Article, number: int, modified: str) -> None:
        """What the memory has seen of a post is in our articles."""
        assert story.state.value == "published", "memory is ahead of a return"
        post = self.site.posts.get(number)
        if post is not None and datetime.fromisoformat(modified).replace(tzinfo=UTC) == post.modified_gmt:
            shown = (story.content.title, story.content.url)
            assert shown == (post.title, self.site.link(post.slug)), "memory is ahead of an edit"

    async def _order(self, number: int, prefix: str) -> bytes:
        """The answer; nothing if there was none any more."""
        process = self.process = self.process or await self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        order = {"now": self.site.now.isoformat(), "number": number, "prefix": prefix}
        process.stdin.write(json.dumps(order).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            return await process.stdout.readline()

    async def _start(self) -> Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.gatherer", self.store, f"{self.site.home}/", str(self.folder)),
            cwd=ROOT,
            stdin=PIPE,
            stdout=PIPE,
        )

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        """Opened anew each time: while the process lies dead, nobody holds the database for it."""
        db = Database(self.store)
        try:
            async with db.read() as connection:
                yield connection
        finally:
            await db.aclose()

    def _plain(self, things: Iterable[object]) -> tuple[str, ...]:
        return tuple(repr(thing).replace(self.site.home, "") for thing in things)


def assert_is_whole(picture: Picture | None, folder: Path) -> None:
    """Every file that it names is there, and has the bytes that its name is the hash of."""
    for digest in filter(None, (picture.media, picture.small) if picture else ()):
        body = files.media_path(folder, digest).read_bytes()
        assert blake2b(body, digest_size=16).hexdigest() == digest


def _slug(content: Content) -> str:
    return (content.url or "").rstrip("/").rpartition("/")[2]
