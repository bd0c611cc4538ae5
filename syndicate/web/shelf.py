"""Feed documents in memory, ready to be sent: on the way of a request there is no disk, no SQL and no formatting.

The documents are files (see store/files.py). A glance at their stamps once a second finds what was published since,
by whichever process. A document that is gone or damaged on disk stays here as it was: a feed outlives its database.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from syndicate.domain.feed import Feed, Site
from syndicate.formats import opml
from syndicate.formats.dates import rfc822
from syndicate.ports import Clock
from syndicate.store import files
from syndicate.store.files import Document
from syndicate.web.negotiate import has_tag, unchanged_since, wants_gzip

GLANCE_SECONDS = 1.0
PUBLIC = b"public, max-age=300, stale-while-revalidate=600, stale-if-error=86400"  # below the feeds' own ttl
PRIVATE = b"private, no-cache"
_OPEN_TO_SCRIPTS = ("application/feed+json", opml.MEDIA_TYPE)  # what programs in browsers read
log = structlog.get_logger()
Headers = list[tuple[bytes, bytes]]
Message = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The two ASGI messages of a whole answer. Shared by all requests, so never changed."""

    start: Message
    body: Message


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """One document with every answer it can give."""

    whole: Answer
    whole_gzip: Answer
    unchanged: Answer
    unchanged_gzip: Answer
    tag: bytes
    tag_gzip: bytes
    tags: frozenset[bytes]
    modified: int  # Unix seconds
    modified_text: bytes

    def answer(self, headers: Iterable[tuple[bytes, bytes]], clock: Clock) -> Answer:
        """The answer to a GET or HEAD with these request headers. If-None-Match rules out If-Modified-Since."""
        coding = none_match = since = None
        for name, value in headers:
            if name == b"accept-encoding":
                coding = value if coding is None else coding + b"," + value
            elif name == b"if-none-match":
                none_match = value if none_match is None else none_match + b"," + value
            elif name == b"if-modified-since":
                since = value
        if none_match is not None:
            tag = has_tag(none_match, self.tags)
            if tag is not None:
                return self.unchanged_gzip if tag == self.tag_gzip else self.unchanged
        elif since is not None and (
            since == self.modified_text or unchanged_since(since, self.modified, now=clock.now().timestamp())
        ):
            return self.unchanged_gzip if wants_gzip(coding) else self.unchanged
        return self.whole_gzip if wants_gzip(coding) else self.whole


def serve_document(document: Document, url: str, *, private: bool) -> Served:
    """A document with its headers. `url` is its one public address; `private`: for partners, kept by nobody else."""
    tag, tag_gzip = f'"{document.etag}"'.encode(), f'"{document.etag}-gzip"'.encode()
    modified_text = rfc822(datetime.fromtimestamp(document.last_modified, UTC)).encode()
    kept: Headers = [
        (b"cache-control", PRIVATE if private else PUBLIC),
        (b"vary", b"authorization, accept-encoding" if private else b"accept-encoding"),
        (b"last-modified", modified_text),
        *([] if private else _sharing(document.media_type)),
    ]
    full: Headers = [
        *kept,
        (b"content-type", document.media_type.encode()),
        (b"link", f'<{url}>; rel="self"'.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"accept-ranges", b"none"),
    ]
    return Served(
        whole=_whole(document.plain, [(b"etag", tag), *full]),
        whole_gzip=_whole(document.gzipped, [(b"etag", tag_gzip), (b"content-encoding", b"gzip"), *full]),
        unchanged=answer(304, [(b"etag", tag), *kept]),
        unchanged_gzip=answer(304, [(b"etag", tag_gzip), *kept]),
        tag=tag,
        tag_gzip=tag_gzip,
        tags=frozenset({tag, tag_gzip}),
        modified=document.last_modified,
        modified_text=modified_text,
    )


def answer(status: int, headers: Headers, body: bytes = b"") -> Answer:
    """An answer of any kind, ready to be sent."""
    start = {"type": "http.response.start", "status": status, "headers": headers}
    return Answer(start=start, body={"type": "http.response.body", "body": body})


class Shelf:
    """What is served, by path. `public` and `private` only ever gain or swap whole entries."""

    def __init__(self, folder: Path, site: Site, feeds: Collection[Feed], *, now: datetime) -> None:
        self._folder, self._site = folder, site
        self._feeds: Mapping[str, Feed] = {f"{one.name}.{ending}": one for one in feeds for ending in one.formats}
        self._stamps: dict[str, tuple[int, ...]] = {}
        self.paths: Mapping[str, Feed] = {f"/feeds/{name}": feed for name, feed in self._feeds.items()}
        directory = _directory(site, feeds, now=now)
        self.public = {"/feeds.opml": serve_document(directory, f"{site.public_url}/feeds.opml", private=False)}
        self.private: dict[str, Served] = {}

    def glance(self) -> list[str]:
        """Takes in what was published since the last glance; returns its names. Blocks on the disk."""
        return [name for name in self._feeds if self._take(name)]

    async def keep_fresh(self) -> None:
        """Until cancelled: glances once a second."""
        while True:
            await asyncio.sleep(GLANCE_SECONDS)
            try:
                await asyncio.to_thread(self.glance)
            except OSError as error:
                log.warning("feeds.unreadable", folder=str(self._folder), problem=str(error))

    def _take(self, name: str) -> bool:
        stamp = files.document_stamp(self._folder, name)
        if stamp is None or stamp == self._stamps.get(name):
            return False
        self._stamps[name] = stamp
        document = files.read_document(self._folder, name)
        if document is None:
            log.warning("feeds.document_damaged", document=name)
            return False
        private = bool(self._feeds[name].partners)
        path = f"/feeds/{name}"
        served = serve_document(document, f"{self._site.public_url}{path}", private=private)
        (self.private if private else self.public)[path] = served
        return True


def _whole(body: bytes, headers: Headers) -> Answer:
    return answer(200, [*headers, (b"content-length", str(len(body)).encode())], body)


def _sharing(media_type: str) -> Headers:
    """CORS (H-17): public feeds may be read by scripts of other sites."""
    if media_type not in _OPEN_TO_SCRIPTS:
        return []
    exposed = b"ETag, Last-Modified, Link"
    return [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", exposed)]


def _directory(site: Site, feeds: Iterable[Feed], *, now: datetime) -> Document:
    """The OPML of the public feeds that come as RSS; it changes only with the configuration."""
    plain = opml.directory(site, [feed for feed in feeds if not feed.partners and "rss" in feed.formats])
    return Document(
        name="feeds.opml",
        media_type=opml.MEDIA_TYPE,
        etag=hashlib.blake2b(plain, digest_size=16).hexdigest(),
        last_modified=int(now.timestamp()),
        plain=plain,
        gzipped=gzip.compress(plain, mtime=0),
    )
