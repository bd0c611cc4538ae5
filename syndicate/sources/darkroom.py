"""Lead pictures: fetched through the guard, inspected in the jail, made anew in the sizes we serve."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from syndicate.domain.source import Media
from syndicate.jail import Jail, JailFailure
from syndicate.net.client import PICTURE, Client, FetchFailed

WIDTHS = (1600, 640)  # pixels: twice a page's text column, and a mail's
_CAPS = replace(PICTURE, total_seconds=8.0)  # news doesn't wait longer; the pause before our turn isn't counted
_ACCEPT = "image/jpeg, image/png, image/webp, image/gif;q=0.8, */*;q=0.1"


@dataclass(frozen=True, kw_only=True)
class Shot:
    """What came of asking for a picture. Without media and problem, it is the one we have."""

    media: tuple[Media, ...] = ()  # widest first
    etag: str = ""
    last_modified: str = ""
    problem: str = ""
    host_trouble: bool = False  # the problem says nothing about this picture: the host's others would fare no better


@dataclass(frozen=True, kw_only=True)
class Darkroom:
    """Makes pictures fit to be served."""

    client: Client
    jail: Jail

    async def fetch(self, url: str, *, obey_robots: bool, etag: str = "", last_modified: str = "") -> Shot:
        """Asks the newsroom for a picture, or whether it is still the same. Never raises for what it answers."""
        headers = {"Accept": _ACCEPT}
        headers |= {"If-None-Match": etag} if etag else {}
        headers |= {"If-Modified-Since": last_modified} if last_modified else {}
        answer = await self.client.fetch("GET", url, headers=headers, caps=_CAPS, obey_robots=obey_robots)
        if isinstance(answer, FetchFailed):
            return Shot(problem=f"could not be fetched: {answer.safe_words}", host_trouble=_is_of_host(answer))
        if answer.status == 304 and (etag or last_modified):
            return Shot(etag=etag, last_modified=last_modified)
        if answer.status != 200:
            busy = answer.status in (429, 503)
            return Shot(problem=f"could not be fetched: the site answered {answer.status}", host_trouble=busy)
        made = await develop(self.jail, answer.body)
        if isinstance(made, str):
            return Shot(problem=f"can't be used: {made}")
        told = answer.headers
        return Shot(media=made, etag=told.get("etag", ""), last_modified=told.get("last-modified", ""))


async def develop(jail: Jail, raw: bytes) -> tuple[Media, ...] | str:
    """The sizes we serve, widest first, or what is wrong with the picture."""
    seen = await jail.call("syndicate.sources.read.picture:inspect_picture", raw, widths=list(WIDTHS))
    if isinstance(seen, JailFailure):
        return f"({seen.kind})"
    if problem := seen.value.get("problem"):
        return str(problem)
    return tuple(_media(seen.payload, seen.value))


def held(media: tuple[Media, ...]) -> dict[str, Any]:
    """The fields of a `Picture` that tell of the bytes that we hold."""
    wide, small = media[0], media[1] if len(media) > 1 else None
    return {
        "media": wide.hash,
        "small": small.hash if small else None,
        "mime_type": wide.mime_type,
        "width": wide.width,
        "height": wide.height,
        "size_bytes": len(wide.body),
    }


def _is_of_host(failed: FetchFailed) -> bool:
    """The host is away or wants to be left alone. An answer that was begun and not ended is the picture's fault."""
    silent = failed.status is None and failed.kind in ("connect", "tls", "timeout", "protocol")
    return silent or failed.kind == "asked_to_wait"


def _media(payload: bytes, value: Mapping[str, object]) -> list[Media]:
    made, start = [], 0
    for width, height, size in value["sizes"]:  # type: ignore[attr-defined] # the jail's JSON
        body = payload[start : start + size]
        start += size
        digest = hashlib.blake2b(body, digest_size=16).hexdigest()
        made.append(Media(hash=digest, mime_type=str(value["mime"]), width=width, height=height, body=body))
    return made
