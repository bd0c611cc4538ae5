"""Picture addresses → pictures we hold. Readers, mails and partners get them from us, in the sizes they need.

A new story waits a moment for its picture, so that it is told once. A picture that doesn't come costs nobody the
story: it goes out with the newsroom's own address and is asked for again. Newsrooms change pictures without changing
the story, so those of young stories are asked for anew, with their validators.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from syndicate.domain.article import Content
from syndicate.domain.source import FoundArticle, Media, SourceConfig
from syndicate.sources.darkroom import Darkroom, Shot, held
from syndicate.store import articles, files, pictures
from syndicate.store.db import Database
from syndicate.store.pictures import KeptPicture

MOST_AT_ONCE = 25  # pictures asked for in one look; the next one goes on
_TIME, _EACH = 20.0, 8.0  # seconds for all of them and for one: news doesn't wait longer
_FRESH = timedelta(hours=1)  # then the picture of a young story is asked for again
YOUNG = timedelta(days=3)
_FIRST_WAIT = timedelta(minutes=10)  # doubled after each failure
_MOST_TRIES = 6  # after so many failures in a row we stop asking


@dataclass(frozen=True, kw_only=True)
class Album:
    """What pictures are made and kept with."""

    darkroom: Darkroom
    folder: Path


async def with_pictures(
    db: Database, config: SourceConfig, found: Sequence[FoundArticle], album: Album, *, now: datetime
) -> tuple[list[FoundArticle], list[str]]:
    """The stories with the pictures that we hold or can get now, newest first, and a line for each that is missing."""
    urls = {url: story for story in found if (url := _wanted(story))}
    async with db.read() as connection:
        known = await pictures.kept(connection, config.name, urls)
    newest = sorted(urls, key=lambda url: urls[url].content.published, reverse=True)
    due = [url for url in newest if _is_due(known.get(url), urls[url].content, now)]
    until = asyncio.get_running_loop().time() + _TIME
    for url in due[:MOST_AT_ONCE]:
        if asyncio.get_running_loop().time() > until:
            break  # a slow site: the rest comes with the next look
        known[url] = await _ask(db, config.name, url, known.get(url), album, now=now)
    problems = [
        f"{story.content.title[:80]!r}: its picture {known[url].problem}"
        for url, story in urls.items()
        if url in known and known[url].problem
    ]
    dressed = [_dressed(story, known.get(_wanted(story) or "")) for story in found]
    return [replace(s, content=credited(s.content, required=config.credit_required)) for s in dressed], problems


def credited(content: Content, *, required: bool) -> Content:
    """A picture without the name of who made it is flagged, or left out where the operator demands one."""
    if content.picture is None or content.picture.credit:
        return content
    flags = (*(flag for flag in content.flags if flag != "picture_uncredited"), "picture_uncredited")
    return replace(content, flags=flags, picture=None if required else content.picture)


def _wanted(story: FoundArticle) -> str | None:
    """The address of a picture that the source didn't bring along."""
    picture = story.content.picture
    return picture.url if picture and picture.url and not story.media else None


def _is_due(kept: KeptPicture | None, content: Content, now: datetime) -> bool:
    if kept is None:
        return True
    if kept.failures:
        wait = _FIRST_WAIT * 2 ** (kept.failures - 1)
        return kept.failures < _MOST_TRIES and now - kept.checked_at >= wait
    return now - content.published <= YOUNG and now - kept.checked_at >= _FRESH


async def _ask(
    db: Database, source: str, url: str, kept: KeptPicture | None, album: Album, *, now: datetime
) -> KeptPicture:
    """Asks once and writes down what came: first the bytes, then the row that names them."""
    before = kept or KeptPicture(url=url, checked_at=now)
    try:
        async with asyncio.timeout(_EACH):
            shot = await album.darkroom.fetch(url, etag=before.etag, last_modified=before.last_modified)
    except TimeoutError:
        shot = Shot(problem=f"didn't come in {_EACH:.0f} seconds")
    after = replace(before, checked_at=now, failures=0, problem="")
    if shot.problem:
        after = replace(before, checked_at=now, failures=before.failures + 1, problem=shot.problem)
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
