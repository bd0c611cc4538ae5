"""Feed documents in memory, ready to be sent: on the way of a request there is no disk, no SQL and no formatting.

They come from the database: publishing rings a bell, and what changed is taken in; bytes are joined when somebody asks
for them first. A while later they are written as files too. At a start the files come first, so a feed outlives its
database; one that can't be had any more stays here as it was.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.requests import Request
from starlette.responses import Response

from syndicate.domain.feed import Feed, Site
from syndicate.errors import StoreTrouble
from syndicate.formats import opml
from syndicate.formats.dates import rfc822
from syndicate.pipeline.printing import Print, Printer, keep_files
from syndicate.pipeline.publish import Press
from syndicate.ports import Clock
from syndicate.store import files
from syndicate.store.db import Database
from syndicate.store.files import Document
from syndicate.web.negotiate import has_tag, unchanged_since, wants_gzip

PATIENCE_SECONDS = 1.0  # between two tries to read what was published
FILES_AFTER_SECONDS = 10.0  # a burst of changes is written to disk once
PUBLIC = b"public, max-age=300, stale-while-revalidate=600, stale-if-error=86400"  # below the feeds' own ttl
PRIVATE = b"private, no-cache"
FINISHED = b"public, max-age=86400, stale-while-revalidate=86400, stale-if-error=604800"  # archives hardly ever change
_OPEN_TO_SCRIPTS = ("application/feed+json", opml.MEDIA_TYPE)  # what programs in browsers read
log = structlog.get_logger()
Headers = list[tuple[bytes, bytes]]
Message = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The two ASGI messages of a whole answer. Shared by all requests, so never changed."""

    start: Message
    body: Message


class Served:
    """One document with every answer it can give. The long ones are made when they are asked for first."""

    __slots__ = (
        *("_headers", "_headers_gzip", "_plain", "_gzipped", "_whole", "_whole_gzip", "_unchanged", "_unchanged_gzip"),
        *("_tag_gzip", "_tags", "_modified", "_modified_text"),
    )

    def __init__(self, one: Document | Print, url: str, *, private: bool, cache: bytes = PUBLIC) -> None:
        tag, self._tag_gzip = f'"{one.etag}"'.encode(), f'"{one.etag}-gzip"'.encode()
        self._tags = frozenset({tag, self._tag_gzip})
        self._modified = one.last_modified  # Unix seconds
        self._modified_text = rfc822(datetime.fromtimestamp(one.last_modified, UTC)).encode()
        kept: Headers = [
            (b"cache-control", PRIVATE if private else cache),
            (b"vary", b"authorization, accept-encoding" if private else b"accept-encoding"),
            (b"last-modified", self._modified_text),
            *([] if private else _sharing(one.media_type)),
        ]
        full: Headers = [
            *kept,
            (b"content-type", one.media_type.encode()),
            (b"link", f'<{url}>; rel="self"'.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"accept-ranges", b"none"),
        ]
        self._headers: Headers = [(b"etag", tag), *full]
        self._headers_gzip: Headers = [(b"etag", self._tag_gzip), (b"content-encoding", b"gzip"), *full]
        self._plain: Callable[[], bytes] = one.sheet.plain if isinstance(one, Print) else lambda: one.plain
        self._gzipped: Callable[[], bytes] = one.sheet.gzipped if isinstance(one, Print) else lambda: one.gzipped
        self._whole: Answer | None = None
        self._whole_gzip: Answer | None = None
        self._unchanged = answer(304, [(b"etag", tag), *kept])
        self._unchanged_gzip = answer(304, [(b"etag", self._tag_gzip), *kept])

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
            tag = has_tag(none_match, self._tags)
            if tag is not None:
                return self._unchanged_gzip if tag == self._tag_gzip else self._unchanged
        elif since is not None and (
            since == self._modified_text or unchanged_since(since, self._modified, now=clock.now().timestamp())
        ):
            return self._unchanged_gzip if wants_gzip(coding) else self._unchanged
        return self._joined_gzip() if wants_gzip(coding) else self._joined()

    def _joined(self) -> Answer:
        if self._whole is None:
            self._whole = _whole(self._plain(), self._headers)
        return self._whole

    def _joined_gzip(self) -> Answer:
        if self._whole_gzip is None:
            self._whole_gzip = _whole(self._gzipped(), self._headers_gzip)
        return self._whole_gzip


def answer(status: int, headers: Headers, body: bytes = b"") -> Answer:
    """An answer of any kind, ready to be sent."""
    start = {"type": "http.response.start", "status": status, "headers": headers}
    return Answer(start=start, body={"type": "http.response.body", "body": body})


def document_of(plain: bytes, *, name: str, media_type: str, changed: datetime) -> Document:
    """Bytes that no manifest stands for: their ETag is their own digest."""
    return Document(
        name=name,
        media_type=media_type,
        etag=hashlib.blake2b(plain, digest_size=16).hexdigest(),
        last_modified=int(changed.timestamp()),
        plain=plain,
        gzipped=gzip.compress(plain, mtime=0),
    )


def respond(served: Served, request: Request, clock: Clock) -> Response:
    """The answer for what stands behind the framework."""
    found = served.answer(request.scope["headers"], clock)
    response = Response(found.body["body"], found.start["status"])
    response.raw_headers = list(found.start["headers"])
    return response


class Shelf:
    """What is served, by path. `public` and `private` only ever gain or swap whole entries."""

    def __init__(self, press: Press, *, now: datetime) -> None:
        self._press, self._site = press, press.site
        self._feeds: Mapping[str, Feed] = {f"{one.name}.{ending}": one for one in press.feeds for ending in one.formats}
        self._printer = Printer(press)
        self._unwritten: dict[str, Print] = {}
        self._readable = True  # the database, as far as was last seen
        self.paths: Mapping[str, Feed] = {f"/feeds/{name}": feed for name, feed in self._feeds.items()}
        directory = _directory(press.site, press.feeds, now=now)
        url = f"{press.site.public_url}/feeds.opml"
        self.public = {"/feeds.opml": Served(directory, url, private=False)}
        self.private: dict[str, Served] = {}

    def take_files(self) -> None:
        """For a start: what was published when the files were written last. Blocks on the disk."""
        for name in self._feeds:
            document = files.read_document(self._press.folder, name)
            if document is not None and not (document.private and not self._feeds[name].partners):
                self._put(document)  # one that was written for partners waits until it is printed for all

    async def take_news(self, db: Database) -> bool:
        """Takes in what was published since; False if the database can't be read just now."""
        try:
            news = await self._printer.news(db)
        except Exception as error:  # of any kind: whoever keeps the feeds fresh must not end by it
            if self._readable:
                log.warning("feeds.unreadable", problem=str(error).splitlines()[:1], exc_info=_is_bug(error))
            self._readable = False
            return False
        self._readable = True
        for one in news:
            self._put(one)
        self._unwritten |= {one.name: one for one in news}
        return True

    async def keep_fresh(self, db: Database) -> None:
        """Until cancelled: takes in what is published, as soon as it is."""
        while True:
            await db.feeds_published.wait()
            db.feeds_published.clear()
            if not await self.take_news(db):
                db.feeds_published.set()
                await asyncio.sleep(PATIENCE_SECONDS)

    async def keep_files(self) -> None:
        """Until cancelled: writes what is new to disk, now and then."""
        while True:
            await asyncio.sleep(FILES_AFTER_SECONDS)
            taken, self._unwritten = self._unwritten, {}
            if not taken:
                continue
            try:
                await keep_files(self._press, taken.values())
            except Exception as error:  # as above
                self._unwritten = taken | self._unwritten
                log.warning("feeds.not_kept", folder=str(self._press.folder), problem=str(error))

    def _put(self, one: Document | Print) -> None:
        private = bool(self._feeds[one.name].partners)
        path = f"/feeds/{one.name}"
        (self.private if private else self.public)[path] = Served(
            one, f"{self._site.public_url}{path}", private=private
        )


def _is_bug(error: Exception) -> bool:
    return not isinstance(error, (StoreTrouble, DBAPIError, NoConnectionFree))


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
    return document_of(plain, name="feeds.opml", media_type=opml.MEDIA_TYPE, changed=now)
