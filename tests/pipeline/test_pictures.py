"""Lead pictures of newsrooms: fetched through the guard, made anew, kept, and never in the way of a story."""

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from syndicate.domain.article import Article, Picture
from syndicate.domain.source import Media
from syndicate.jail import Jail
from syndicate.net.client import Client
from syndicate.net.guard import Allowed
from syndicate.pipeline.gather import GatherReport, gather_source
from syndicate.pipeline.pictures import Album
from syndicate.sources.darkroom import Darkroom
from syndicate.store import articles, changes
from syndicate.store.db import Database
from syndicate.store.files import media_path
from tests.factories import NOW, SITE, ScriptedSource, SetClock, make_config
from tests.servers.http import Heard, Site, Wire, serve


def photo(colour: str = "teal", size: tuple[int, int] = (1000, 500)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG")
    return out.getvalue()


@dataclass(kw_only=True)
class Newsroom:
    """Stories in a script, their pictures on a real server."""

    db: Database
    site: Site
    source: ScriptedSource
    clock: SetClock
    album: Album

    async def look(self, **config: Any) -> GatherReport:
        now = self.clock.forward(minutes=10)
        return await gather_source(
            self.db, make_config(**config), self.source, site=SITE, album=self.album, chance=0.5, now=now
        )

    def publish(self, key: str = "a", path: str = "/foto.jpg", **picture: Any) -> None:
        lead = Picture(**{"url": self.site.url(path), "caption": "Pasar pagi", "credit": "Antara"} | picture)
        self.source.publish(key, picture=lead, published=NOW - timedelta(minutes=1))

    async def story(self, key: str = "a") -> Article:
        async with self.db.read() as connection:
            found = await articles.known(connection, "lintas", [key])
            return (await articles.by_ids(connection, found.values()))[found[key]]

    async def picture(self, key: str = "a") -> Picture:
        found = (await self.story(key)).content.picture
        assert found is not None
        return found

    async def kinds(self) -> list[tuple[str, str]]:
        async with self.db.read() as connection:
            return [(c.kind.value, c.edit.value) for c in await changes.span(connection, 0, 10**6)]


@pytest.fixture
async def newsroom(db: Database, tmp_path: Path) -> AsyncIterator[Newsroom]:
    async with serve() as site:
        client = Client(allowed=Allowed.parse([f"127.0.0.1:{site.port}"]), user_agent="Test/1")
        jail = Jail(wall_seconds=10.0)
        room = Newsroom(
            db=db,
            site=site,
            source=ScriptedSource(),
            clock=SetClock(),
            album=Album(darkroom=Darkroom(client=client, jail=jail), folder=tmp_path),
        )
        await room.look()  # the first import is over
        yield room
        await client.aclose()
        await jail.aclose()


def serves(site: Site, path: str, body: bytes, etag: str = '"1"') -> None:
    async def reply(heard: Heard, wire: Wire) -> None:
        if heard.headers.get("if-none-match") == etag:
            await wire.respond(304, headers={"ETag": etag})
        else:
            await wire.respond(200, body, {"Content-Type": "image/jpeg", "ETag": etag})

    site.on(path, reply)


async def test_a_new_story_goes_out_once_with_the_picture_that_we_hold(newsroom: Newsroom) -> None:
    serves(newsroom.site, "/foto.jpg", photo())
    newsroom.publish()
    await newsroom.look()
    await newsroom.look()
    picture = await newsroom.picture()

    assert (picture.width, picture.height, picture.credit) == (1000, 500, "Antara")
    with Image.open(media_path(newsroom.album.folder, picture.media or "")) as wide:
        assert wide.size == (1000, 500)
    with Image.open(media_path(newsroom.album.folder, picture.small or "")) as small:
        assert small.size == (640, 320)
    assert await newsroom.kinds() == [("published", "first")]
    assert len(newsroom.site.requests) == 1


async def test_a_picture_changed_under_its_address_is_a_cosmetic_edit(newsroom: Newsroom) -> None:
    serves(newsroom.site, "/foto.jpg", photo())
    newsroom.publish()
    await newsroom.look()
    before = await newsroom.picture()
    newsroom.source.stories.clear()  # as after a 304: the look itself shows nothing
    newsroom.clock.forward(hours=1)
    await newsroom.look()
    serves(newsroom.site, "/foto.jpg", photo("red"), '"2"')
    newsroom.clock.forward(hours=1)
    await newsroom.look()

    assert (await newsroom.picture()).media != before.media
    assert await newsroom.kinds() == [("published", "first"), ("updated", "cosmetic")]
    assert [heard.headers.get("if-none-match") for heard in newsroom.site.requests] == [None, '"1"', '"1"']


@pytest.mark.parametrize("body", [b"<html>login</html>", photo()[:200], b"", b"GIF89a"], ids=list("pceh"))
async def test_bytes_that_are_no_picture_cost_the_story_its_picture_only(newsroom: Newsroom, body: bytes) -> None:
    serves(newsroom.site, "/foto.jpg", body)
    newsroom.publish()
    report = await newsroom.look()
    picture = await newsroom.picture()

    assert (picture.media, picture.url) == (None, newsroom.site.url("/foto.jpg"))
    assert "its picture can't be used" in report.problems[0]


async def test_a_picture_that_comes_later_is_added_later(newsroom: Newsroom) -> None:
    newsroom.publish()  # the server answers 404
    report = await newsroom.look()
    serves(newsroom.site, "/foto.jpg", photo())
    await newsroom.look()

    assert "answered 404" in report.problems[0]
    assert (await newsroom.picture()).media is not None
    assert await newsroom.kinds() == [("published", "first"), ("updated", "cosmetic")]


async def test_what_never_comes_is_not_asked_for_for_ever(newsroom: Newsroom) -> None:
    newsroom.publish()
    for _ in range(20):
        newsroom.clock.forward(hours=13)
        await newsroom.look()

    assert len(newsroom.site.requests) == 6


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/x.jpg", "http://169.254.169.254/latest/x.jpg", "file:///etc/passwd"]
)
async def test_an_address_inside_our_house_is_not_asked(newsroom: Newsroom, url: str) -> None:
    newsroom.publish(url=url)
    report = await newsroom.look()

    assert (await newsroom.picture()).media is None
    assert "could not be fetched" in report.problems[0]


@pytest.mark.parametrize("required", [False, True])
async def test_a_picture_without_the_name_of_its_maker_is_flagged_or_left_out_by_policy(
    newsroom: Newsroom, required: bool
) -> None:
    serves(newsroom.site, "/foto.jpg", photo())
    newsroom.publish(credit="")
    await newsroom.look(credit_required=required)
    content = (await newsroom.story()).content

    assert "picture_uncredited" in content.flags
    assert (content.picture is None) is required


async def test_bytes_that_the_source_brought_are_not_asked_for(newsroom: Newsroom) -> None:
    newsroom.publish(media="c" * 32)
    (story,) = newsroom.source.stories.values()
    bytes_of = Media(hash="c" * 32, mime_type="image/jpeg", width=4, height=3, body=b"jpeg")
    newsroom.source.stories["a"] = type(story)(key=story.key, content=story.content, media=(bytes_of,))
    await newsroom.look()

    assert newsroom.site.requests == []
