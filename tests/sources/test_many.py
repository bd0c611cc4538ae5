"""Many newsrooms over many looks, each with good and bad days: what was published is stored, each story once.

Real servers that keep state, the real jail, a real database, `gather_source` as the scheduler calls it.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from random import Random

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.change import ChangeKind
from syndicate.domain.source import Look, SourceConfig
from syndicate.jail import Jail
from syndicate.net.client import Client
from syndicate.net.guard import Allowed
from syndicate.pipeline.gather import gather_source
from syndicate.pipeline.pictures import Album
from syndicate.sources.darkroom import Darkroom
from syndicate.sources.feed import FeedSource
from syndicate.store import articles, changes, sources
from syndicate.store.db import Database
from syndicate.store.sources import SourceState
from tests.factories import NOW, SITE
from tests.servers.http import Heard, Site, Wire, serve

DAYS = 7  # until a newsroom has published everything
_HEAD = '<rss version="2.0"><channel><title>Koran</title><link>{home}</link><description>x</description>'
_ITEM = "<item><title>{title}</title><link>{link}</link><guid>{guid}</guid><pubDate>{at}</pubDate></item>"


@dataclass(frozen=True, kw_only=True)
class Story:
    """A story as the newsroom has it."""

    number: int
    guid: str
    title: str
    at: datetime


@dataclass(kw_only=True)
class Newsroom:
    """Publishes by chance, and answers badly when its turn for trouble has come."""

    chance: Random
    site: Site
    all: int  # stories that it will have published in the end
    stories: dict[int, Story] = field(default_factory=dict)
    vanished: set[int] = field(default_factory=set)  # left the feed, after it was seen
    trouble: str = ""
    fed: dict[str, frozenset[int]] = field(default_factory=dict)  # ETag → what that feed shows
    seen: set[int] = field(default_factory=set)  # stories that were in a feed which came over whole

    @property
    def at_once(self) -> int:
        """New stories between two looks."""
        return -(-self.all // DAYS)

    def day(self, *, now: datetime) -> None:
        """New stories, edits, new ids, and stories that are taken out of the feed."""
        for n in range(len(self.stories), min(len(self.stories) + self.at_once, self.all)):
            at = now - timedelta(minutes=self.chance.randrange(90))
            self.stories[n] = Story(number=n, guid=f"naskah-{n}", title=f"Berita {n}", at=at)
        shown = self.shown()
        for n in self.chance.sample(shown, len(shown) // 10):
            self.stories[n] = replace(self.stories[n], title=f"Berita {n}, diperbarui {now:%d %H:%M}")
        for n in self.chance.sample(shown, len(shown) // 20):
            self.stories[n] = replace(self.stories[n], guid=f"pindahan-{n}-{self.chance.randrange(999)}")
        self.vanished |= {n for n in self.chance.sample(shown, len(shown) // 20) if n in self.seen}

    async def answer(self, request: Heard, wire: Wire) -> None:
        """The feed, "not modified", or trouble."""
        shown = self.shown()
        words = "".join(f"{self.stories[n]}" for n in shown)
        etag = f'"{hashlib.sha256(words.encode()).hexdigest()[:16]}"'
        self.chance.shuffle(shown)
        body = self._feed(shown)
        self.fed[etag] = frozenset(shown)
        headers = {"ETag": etag, "Content-Type": "application/rss+xml"}
        if self.trouble == "error":
            await wire.respond(500, b"out of order")
        elif self.trouble == "cut":
            await wire.head(200, {**headers, "Content-Length": str(len(body))})
            await wire.send(body[: self.chance.randrange(len(body))])
        elif request.headers.get("if-none-match") == etag:
            await wire.respond(304, headers=headers)
        else:
            await wire.respond(200, body, headers)
            self.seen |= set(shown)

    def shown(self) -> list[int]:
        """The stories that stand in the feed: what one bad look misses, the next one still shows."""
        return [n for n in sorted(self.stories)[-2 * self.at_once :] if n not in self.vanished]

    def _feed(self, shown: list[int]) -> bytes:
        items = [
            _ITEM.format(title=s.title, link=self.site.url(f"/{s.number}"), guid=s.guid, at=format_datetime(s.at))
            for s in (self.stories[n] for n in shown)
        ]
        return (_HEAD.format(home=self.site.url()) + "".join(items) + "</channel></rss>").encode()


@dataclass(kw_only=True)
class House:
    """We: one source for each newsroom."""

    db: Database
    album: Album
    rooms: dict[str, tuple[SourceConfig, FeedSource, Newsroom]] = field(default_factory=dict)

    async def look(self, name: str, *, now: datetime) -> Look | None:
        """None: the power went."""
        config, source, _ = self.rooms[name]
        try:
            report = await gather_source(self.db, config, source, site=SITE, album=self.album, chance=0.5, now=now)
        except PowerCut:
            return None
        return report.look

    async def held(self, name: str) -> dict[int, str]:
        """Number and title of each story of this newsroom. Fails when one is there twice."""
        async with self.db.read() as connection:
            found = await articles.latest(connection, limit=10_000, source=name)
        numbers = [int((article.content.url or "").rpartition("/")[2]) for article in found]
        assert len(set(numbers)) == len(numbers), name
        return dict(zip(numbers, (article.content.title for article in found), strict=True))

    async def known(self, name: str) -> frozenset[int]:
        """The stories of the feed that we told the newsroom we have, by its ETag."""
        async with self.db.read() as connection:
            state = await sources.get(connection, name)
        etag = state.memory.values.get("etag", "") if state else ""
        return self.rooms[name][2].fed[etag] if etag else frozenset()


class PowerCut(Exception):
    """The process ends between taking over the stories and remembering the look."""


def _cut_power(monkeypatch: pytest.MonkeyPatch, victims: set[str]) -> None:
    """No real server can end us at just this point, so the store's own last step does."""
    real = sources.save

    async def save(connection: AsyncConnection, state: SourceState) -> None:
        if state.name in victims:
            raise PowerCut
        await real(connection, state)

    monkeypatch.setattr(sources, "save", save)


@asynccontextmanager
async def _open_house(db: Database, folder: Path, chance: Random, newsrooms: int, stories: int) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        jails = [Jail(wall_seconds=20.0) for _ in range(2)]
        sites = [await stack.enter_async_context(serve()) for _ in range(newsrooms)]
        client = Client(allowed=Allowed.parse([f"127.0.0.1:{site.port}" for site in sites]), user_agent="Test/1")
        house = House(db=db, album=Album(darkroom=Darkroom(client=client, jail=jails[0]), folder=folder))
        for number, site in enumerate(sites):
            newsroom = Newsroom(chance=Random(chance.random()), site=site, all=stories)
            site.on("/feed", newsroom.answer)
            config = SourceConfig(name=f"koran{number}", kind="feed", location=site.url("/feed"), every=None)
            house.rooms[config.name] = config, FeedSource(config, client, jails[number % 2]), newsroom
        stack.push_async_callback(client.aclose)
        for jail in jails:
            stack.push_async_callback(jail.aclose)
        yield house


async def _live(house: House, chance: Random, cut: set[str]) -> None:
    """Days until all newsrooms have published so many, with trouble never twice in a row: feeds forget."""
    now, bad, missed = NOW, set[str](), set[str]()
    while any(len(room.stories) < room.all for _, _, room in house.rooms.values()) or bad:
        now += timedelta(hours=2)
        bad, cut_now = {n for n in house.rooms if n not in missed and chance.random() < 0.2}, set[str]()
        for name, (_, _, room) in house.rooms.items():
            room.day(now=now)
            room.trouble = chance.choice(["error", "cut"]) if name in bad else ""
            if name not in bad | missed and chance.random() < 0.15:
                cut_now.add(name)
        cut.update(cut_now)
        missed = bad | cut_now
        looks = await asyncio.gather(*(house.look(name, now=now) for name in house.rooms))
        cut.clear()
        assert {n for n, look in zip(house.rooms, looks, strict=True) if look is Look.FAILED} == bad
        for name in cut_now:
            held = (await house.held(name)).keys()
            assert await house.known(name) <= held
            house.rooms[name][2].seen &= held  # what went with the power may not leave the feed before the next look
    for name in house.rooms:  # a last look at what the power cuts left, and one that finds nothing new
        assert await house.look(name, now=now + timedelta(hours=1)) is not Look.FAILED
        assert await house.look(name, now=now + timedelta(hours=2)) is Look.UNCHANGED


async def _check(house: House) -> None:
    async with house.db.read() as connection:
        log = await changes.span(connection, 0, 10**7, limit=10**6)
    published = Counter(change.article_id for change in log if change.kind == ChangeKind.PUBLISHED)
    assert set(published.values()) == {1}
    assert len(published) == sum(room.all for _, _, room in house.rooms.values())
    assert not any(change.kind in (ChangeKind.WITHDRAWN, ChangeKind.RESTORED) for change in log)
    for name, (_, _, room) in house.rooms.items():
        held = await house.held(name)
        assert held.keys() == room.stories.keys()
        assert {n: held[n] for n in room.shown()} == {n: room.stories[n].title for n in room.shown()}


async def _run(
    db: Database, folder: Path, monkeypatch: pytest.MonkeyPatch, *, seed: int, newsrooms: int, stories: int
) -> None:
    chance, cut = Random(seed), set[str]()
    _cut_power(monkeypatch, cut)
    async with _open_house(db, folder, chance, newsrooms, stories) as house:
        await _live(house, chance, cut)
        await _check(house)


async def test_what_ten_newsrooms_published_is_stored_once(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _run(db, tmp_path, monkeypatch, seed=1, newsrooms=10, stories=40)


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3])
async def test_ten_thousand_stories_of_twenty_newsrooms_are_stored_once(
    seed: int, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _run(db, tmp_path, monkeypatch, seed=seed, newsrooms=20, stories=500)
