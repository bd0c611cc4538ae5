"""Lead pictures of newsrooms: fetched through the guard, made anew, kept, and never in the way of a story."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from syndicate.domain.article import Article, Picture
from syndicate.domain.source import Look, Media, Relation
from syndicate.jail import Jail
from syndicate.net.client import Client
from syndicate.net.guard import Allowed
from syndicate.net.polite import Politeness
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
    other: Site  # a second host
    source: ScriptedSource
    clock: SetClock
    album: Album

    async def look(self, **config: Any) -> GatherReport:
        now = self.clock.forward(minutes=10)
        return await gather_source(
            self.db, make_config(**config), self.source, site=SITE, album=self.album, chance=0.5, now=now
        )

    def publish(self, key: str = "a", path: str = "/foto.jpg", *, minutes_ago: int = 1, **picture: Any) -> None:
        lead = Picture(**{"url": self.site.url(path), "caption": "Pasar pagi", "credit": "Antara"} | picture)
        self.source.publish(key, picture=lead, published=NOW - timedelta(minutes=minutes_ago))

    def says_nothing_new(self) -> None:
        """As a newsroom that answers 304 from now on."""
        self.source.stories.clear()

    def asked(self) -> list[str]:
        """What was asked for since the last time."""
        paths = [heard.path for heard in self.site.requests]
        self.site.requests.clear()
        return paths

    async def held(self) -> set[str]:
        """Keys of the stories whose picture we hold."""
        async with self.db.read() as connection:
            found = await articles.latest(connection, limit=999, source="lintas")
        return {one.source_key for one in found if one.content.picture and one.content.picture.media}

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
    async with serve() as site, serve() as other:
        allowed = Allowed.parse([f"127.0.0.1:{one.port}" for one in (site, other)])
        client = Client(allowed=allowed, user_agent="Test/1")
        jail = Jail(wall_seconds=10.0)
        room = Newsroom(
            db=db,
            site=site,
            other=other,
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
    newsroom.says_nothing_new()
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


def refuses(status: int) -> Callable[[Heard, Wire], Any]:
    async def reply(_: Heard, wire: Wire) -> None:
        await wire.respond(status)

    return reply


async def hangs_up(_: Heard, wire: Wire) -> None:
    """The line goes dead without an answer."""


@pytest.mark.parametrize("trouble", [refuses(503), refuses(429), hangs_up], ids=["503", "429", "-"])
async def test_trouble_of_the_whole_host_is_no_failure_of_its_pictures(newsroom: Newsroom, trouble: Any) -> None:
    for key in "abc":
        newsroom.site.on(f"/{key}.jpg", trouble)
        newsroom.publish(key, f"/{key}.jpg")
    looks = 20
    for _ in range(looks):
        newsroom.clock.forward(hours=13)
        await newsroom.look()
    asked = newsroom.asked()
    for key in "abc":
        serves(newsroom.site, f"/{key}.jpg", photo())
    await newsroom.look()

    assert len(asked) == looks  # the first trouble ends the asking
    assert await newsroom.held() == {"a", "b", "c"}


async def test_a_picture_that_always_brings_trouble_keeps_no_other_waiting(newsroom: Newsroom) -> None:
    newsroom.site.on("/baru.jpg", refuses(500))
    serves(newsroom.site, "/lama.jpg", photo())
    newsroom.publish("baru", "/baru.jpg")
    newsroom.publish("lama", "/lama.jpg", minutes_ago=60)
    for _ in range(2):
        await newsroom.look()

    assert newsroom.asked() == ["/baru.jpg", "/lama.jpg", "/baru.jpg"]
    assert await newsroom.held() == {"lama"}


async def test_trouble_of_one_host_keeps_no_picture_of_another_waiting(newsroom: Newsroom) -> None:
    newsroom.other.on("/baru.jpg", refuses(503))
    newsroom.publish("baru", url=newsroom.other.url("/baru.jpg"))
    serves(newsroom.site, "/lama.jpg", photo())
    newsroom.publish("lama", "/lama.jpg", minutes_ago=60)
    await newsroom.look()

    assert [heard.path for heard in newsroom.other.requests] == ["/baru.jpg"]
    assert await newsroom.held() == {"lama"}


async def test_a_failed_look_asks_for_no_pictures(newsroom: Newsroom) -> None:
    newsroom.publish()
    await newsroom.look()
    newsroom.asked()
    newsroom.source.fail()
    await newsroom.look()

    assert newsroom.asked() == []


@dataclass
class Hours:
    """The loop's own clock, which a polite pause moves on, so that nobody has to wait for it."""

    ahead: float = 0.0

    async def sleep(self, seconds: float) -> None:
        self.ahead += seconds
        for _ in range(2):  # the loop calls what is due after what is ready
            await asyncio.sleep(0)


def pauses(newsroom: Newsroom, seconds: float, monkeypatch: pytest.MonkeyPatch) -> Newsroom:
    """The same newsroom, which wants to be left alone for so long between two requests."""
    loop, hours = asyncio.get_running_loop(), Hours()
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + hours.ahead)  # every timeout sees the pause, without its length
    polite = Politeness(intervals={"127.0.0.1": seconds}, clock=loop.time, sleep=hours.sleep)
    allowed = Allowed.parse([f"127.0.0.1:{newsroom.site.port}"])
    darkroom = replace(newsroom.album.darkroom, client=Client(allowed=allowed, user_agent="Test/1", polite=polite))
    return replace(newsroom, album=replace(newsroom.album, darkroom=darkroom))


async def test_the_pause_that_a_site_asks_for_costs_no_picture(
    newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = pauses(newsroom, 9.0, monkeypatch)
    for key in "ab":
        serves(slow.site, f"/{key}.jpg", photo())
        slow.publish(key, f"/{key}.jpg")
    report = await slow.look()

    assert (await slow.held(), report.problems) == ({"a", "b"}, ())
    await slow.album.darkroom.client.aclose()


async def test_a_turn_that_does_not_come_is_left_for_the_next_look(
    newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = pauses(newsroom, 600.0, monkeypatch)  # far beyond our patience, however slow this machine is
    for key, minutes_ago in (("a", 1), ("b", 2)):
        serves(slow.site, f"/{key}.jpg", photo())
        slow.publish(key, f"/{key}.jpg", minutes_ago=minutes_ago)
    report = await slow.look()
    early = await slow.held()
    await slow.look()

    assert (early, report.problems) == ({"a"}, ())
    assert await slow.held() == {"a", "b"}
    await slow.album.darkroom.client.aclose()


async def test_old_stories_get_their_pictures_over_the_next_looks_the_newest_first(newsroom: Newsroom) -> None:
    days = 24 * 60
    for number in range(60):
        serves(newsroom.site, f"/{number}.jpg", photo(size=(40, 30)))
        newsroom.publish(f"k{number}", f"/{number}.jpg", minutes_ago=(number + 9) * days)
    await newsroom.look()
    newsroom.says_nothing_new()
    newsroom.source.next_look(look=Look.UNCHANGED)
    rounds = [newsroom.asked()]
    for _ in range(3):
        await newsroom.look()
        rounds.append(newsroom.asked())

    assert rounds == [[f"/{n}.jpg" for n in some] for some in (range(25), range(25, 50), range(50, 60), range(0))]
    assert len(await newsroom.held()) == 60


async def test_one_look_asks_for_25_pictures_be_they_of_new_stories_or_old(newsroom: Newsroom) -> None:
    for number in range(60):
        serves(newsroom.site, f"/{number}.jpg", photo(size=(40, 30)))
    for number in range(30):
        newsroom.publish(f"k{number}", f"/{number}.jpg", minutes_ago=9 * 24 * 60)
    await newsroom.look()
    newsroom.asked()
    newsroom.says_nothing_new()
    for number in range(30, 53):
        newsroom.publish(f"k{number}", f"/{number}.jpg")
    await newsroom.look()

    assert len(newsroom.asked()) == 25


@pytest.mark.parametrize("relation", list(Relation))
async def test_robots_txt_is_asked_for_a_strangers_pictures_only(newsroom: Newsroom, relation: Relation) -> None:
    async def rules(_: Heard, wire: Wire) -> None:
        await wire.respond(200, b"User-agent: *\nDisallow: /foto", {"Content-Type": "text/plain"})

    newsroom.site.on("/robots.txt", rules)
    serves(newsroom.site, "/foto.jpg", photo())
    newsroom.publish()
    report = await newsroom.look(relation=relation)

    is_stranger = relation is Relation.STRANGER
    assert newsroom.asked() == (["/robots.txt"] if is_stranger else ["/foto.jpg"])
    assert ("robots.txt keeps us out" in "".join(report.problems)) is is_stranger


async def test_a_picture_without_a_name_stays_flagged_when_a_channel_that_shows_none_brings_an_edit(
    newsroom: Newsroom,
) -> None:
    serves(newsroom.site, "/foto.jpg", photo())
    fields = ("title", "body_html", "picture", "url", "authors", "sections", "tags", "summary")
    newsroom.publish(credit="")
    newsroom.source.edit("a", provenance=dict.fromkeys(fields, "page"))
    await newsroom.look()
    body = "<p>Teks yang sama sekali lain daripada yang sebelumnya.</p>"
    newsroom.source.edit("a", body_html=body, picture=None, provenance=dict.fromkeys(fields, "feed"))
    await newsroom.look()
    content = (await newsroom.story()).content

    assert content.body_html == body
    assert content.picture is not None
    assert content.flags == ("picture_uncredited",)


async def test_the_flag_goes_when_the_name_comes(newsroom: Newsroom) -> None:
    newsroom.publish(credit="", media="c" * 32)
    await newsroom.look()
    newsroom.publish(media="c" * 32)
    await newsroom.look()

    assert (await newsroom.story()).content.flags == ()
