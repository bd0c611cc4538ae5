"""Picture addresses → pictures we hold. Readers, mails and partners get them from us, in the sizes they need.

A new story waits a moment for its picture, so that it is told once. A picture that doesn't come costs nobody the
story: it goes out with the newsroom's own address and is asked for again. Newsrooms change pictures without changing
the story, so those of young stories are asked for anew, with their validators.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from syndicate.domain.article import Content
from syndicate.domain.source import FoundArticle, Media, SourceConfig, obeys_robots
from syndicate.sources.darkroom import Darkroom, Shot, held
from syndicate.store import articles, files, pictures
from syndicate.store.db import Database
from syndicate.store.pictures import KeptPicture

MOST_AT_ONCE = 25  # pictures asked for in one look; the next one goes on
_TIME = 20.0  # seconds after which no further one is asked for: news doesn't wait longer
_PATIENCE = 60.0  # seconds for one with the pause before our turn, as many newsrooms may share a host
_FRESH = timedelta(hours=1)  # then the picture of a young story is asked for again
YOUNG = timedelta(days=3)
_FIRST_WAIT = timedelta(minutes=10)  # doubled after each failure
_MOST_TRIES = 6  # after so many failures in a row we stop asking
_WATCHED = 300  # newest stories of a source, more than a first import brings
_NEVER = datetime.min.replace(tzinfo=UTC)
_UNCREDITED = "picture_uncredited"


@dataclass(frozen=True, kw_only=True)
class Album:
    """What pictures are made and kept with."""

    darkroom: Darkroom
    folder: Path


@dataclass
class Round:
    """How many pictures one look still asks for, none when time is up, and which hosts it leaves alone from now on."""

    left: int = MOST_AT_ONCE
    troubled: set[str] = field(default_factory=set)


async def with_pictures(
    db: Database, config: SourceConfig, found: Sequence[FoundArticle], album: Album, tour: Round, *, now: datetime
) -> tuple[list[FoundArticle], list[str]]:
    """The stories with the pictures that we hold or can get now, and a line for each that is missing."""
    urls = {url: story for story in found if (url := _wanted(story))}
    async with db.read() as connection:
        known = await pictures.kept(connection, config.name, urls)
    until = asyncio.get_running_loop().time() + _TIME
    for url in _queue(urls, known, now=now):
        if not tour.left:
            break
        host = urlsplit(url).netloc
        if host in tour.troubled:
            continue
        before = known.get(url, KeptPicture(url=url, checked_at=now))
        shot = await _ask(config, before, album)
        if shot is None or shot.host_trouble:
            tour.troubled.add(host)
        if shot is None:
            continue
        known[url] = await _keep(db, config.name, before, shot, album, now=now)
        late = asyncio.get_running_loop().time() > until
        tour.left = 0 if late else tour.left - 1
    problems = [
        f"{story.content.title[:80]!r}: its picture {known[url].problem}"
        for url, story in urls.items()
        if url in known and known[url].problem
    ]
    return [_dressed(story, known.get(_wanted(story) or "")) for story in found], problems


async def still_lacking(db: Database, source: str, *, now: datetime) -> list[str]:
    """Ids of stories that still wait for their picture: a look asks for so many only, and sites have their troubles."""
    async with db.read() as connection:
        urls = await pictures.lacking(connection, source, newest=_WATCHED)
        known = await pictures.kept(connection, source, urls.values())
    return [identifier for identifier, url in urls.items() if url not in known or _is_missing(known[url], now)]


def credited(content: Content, *, required: bool) -> Content:
    """A picture without the name of who made it is flagged, or left out where the operator demands one."""
    flags = tuple(flag for flag in content.flags if flag != _UNCREDITED)
    if content.picture is None or content.picture.credit:
        return replace(content, flags=flags)
    return replace(content, flags=(*flags, _UNCREDITED), picture=None if required else content.picture)


def _wanted(story: FoundArticle) -> str | None:
    """The address of a picture that the source didn't bring along."""
    picture = story.content.picture
    return picture.url if picture and picture.url and not story.media else None


def _queue(urls: Mapping[str, FoundArticle], known: Mapping[str, KeptPicture], *, now: datetime) -> list[str]:
    """Those to be asked for: what was never asked for, the newest first, then what waits longest for another try."""
    due = [url for url, story in urls.items() if _is_due(known.get(url), story.content, now)]
    newest = sorted(due, key=lambda url: urls[url].content.published, reverse=True)
    return sorted(newest, key=lambda url: known[url].checked_at if url in known else _NEVER)


def _is_due(kept: KeptPicture | None, content: Content, now: datetime) -> bool:
    if kept is None:
        return True
    if kept.failures or not kept.held:
        return _is_missing(kept, now)
    return now - content.published <= YOUNG and now - kept.checked_at >= _FRESH


def _is_missing(kept: KeptPicture, now: datetime) -> bool:
    """The last try brought nothing, it is time for another, and there weren't too many."""
    wait = _FIRST_WAIT * 2 ** max(kept.failures - 1, 0)
    return kept.failures < _MOST_TRIES and now - kept.checked_at >= wait


async def _ask(config: SourceConfig, before: KeptPicture, album: Album) -> Shot | None:
    """Asks once. None: our turn at the host didn't come, which is nobody's failure."""
    robots = obeys_robots(config, page=False)
    try:
        async with asyncio.timeout(_PATIENCE):
            return await album.darkroom.fetch(
                before.url, obey_robots=robots, etag=before.etag, last_modified=before.last_modified
            )
    except TimeoutError:
        return None


async def _keep(
    db: Database, source: str, before: KeptPicture, shot: Shot, album: Album, *, now: datetime
) -> KeptPicture:
    """Writes down what came: first the bytes, then the row that names them."""
    after = replace(before, checked_at=now, failures=0, problem="")
    if shot.problem:
        failures = before.failures + (0 if shot.host_trouble else 1)
        after = replace(before, checked_at=now, failures=failures, problem=shot.problem)
    elif shot.media:
        await _keep_bytes(shot.media, album.folder)
        after = replace(after, held=held(shot.media), etag=shot.etag, last_modified=shot.last_modified)
    async with db.write() as connection:
        for one in shot.media:
            await articles.add_media(connection, one, now=now)
        await pictures.keep(connection, source, after)
    return after


async def _keep_bytes(media: Sequence[Media], folder: Path) -> None:
    for one in media:
        await asyncio.to_thread(files.write_media, folder, one.hash, one.body)


def _dressed(story: FoundArticle, kept: KeptPicture | None) -> FoundArticle:
    if kept is None or not kept.held or story.content.picture is None:
        return story
    picture = replace(story.content.picture, **kept.held)
    return replace(story, content=replace(story.content, picture=picture))
