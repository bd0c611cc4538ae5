"""Feeds, as a raw ASGI app in front of the framework: a look into a dict, and two messages that were made before.

The `Host` header plays no part here: every address in a feed comes from `public_url`.
"""

from collections.abc import Iterable
from urllib.parse import parse_qsl

from sqlalchemy.exc import DBAPIError
from starlette.types import ASGIApp, Receive, Scope, Send

from syndicate.domain.feed import Feed
from syndicate.domain.partner import key_fits, key_id
from syndicate.errors import StoreTrouble
from syndicate.ports import Clock
from syndicate.store import partners
from syndicate.store.db import Database
from syndicate.web.shelf import Answer, Shelf, answer
from syndicate.web.tally import Tally

_READS = frozenset({"GET", "HEAD"})
_ALLOW = (b"allow", b"GET, HEAD, OPTIONS")
_OPEN_TO_SCRIPTS = (".json", ".opml")
_KEY_NAMES = frozenset({"api_key", "apikey", "api-key", "key", "access_token"})


class FeedDesk:
    """Answers for feeds and their directory; everything else is for the app behind."""

    def __init__(self, shelf: Shelf, *, db: Database, clock: Clock, tally: Tally, behind: ASGIApp) -> None:
        self._shelf, self._public = shelf, shelf.public
        self._db, self._clock, self._tally, self._behind = db, clock, tally, behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI app. The first branch is the hot way."""
        served = self._public.get(scope["path"])
        if served is not None and not scope["query_string"] and scope["method"] in _READS:
            found: Answer | None = served.answer(scope["headers"], self._clock)
        else:
            found = await self._other(scope)
        if found is None:
            await self._behind(scope, receive, send)
            return
        self._tally.feeds[found.start["status"]] += 1
        await send(found.start)
        await send(found.body)

    async def _other(self, scope: Scope) -> Answer | None:
        path, method = scope["path"], scope["method"]
        if path not in self._public and path not in self._shelf.paths:
            return None
        if carries_key(scope["query_string"]):
            return said(400, "A key belongs into the header 'Authorization: Bearer KEY', never into the address.")
        if method == "OPTIONS":
            return self._options(path)
        if method not in _READS:
            return said(405, "Feeds can only be read.", _ALLOW)
        feed = self._shelf.paths.get(path)
        if feed is not None and feed.partners:
            refusal = await self._refusal(feed, scope["headers"])
            if refusal is not None:
                return refusal
        served = self._public.get(path) or self._shelf.private.get(path)
        if served is None:
            return said(503, "This feed has not been published yet.", (b"retry-after", b"5"))
        return served.answer(scope["headers"], self._clock)

    def _options(self, path: str) -> Answer:
        """What a browser asks before a script reads a feed with conditions (CORS)."""
        headers = [_ALLOW]
        if path in self._public and path.endswith(_OPEN_TO_SCRIPTS):
            headers += [
                (b"access-control-allow-origin", b"*"),
                (b"access-control-allow-methods", b"GET, HEAD"),
                (b"access-control-allow-headers", b"If-None-Match, If-Modified-Since"),
                (b"access-control-max-age", b"86400"),
            ]
        return answer(204, headers)

    async def _refusal(self, feed: Feed, headers: Iterable[tuple[bytes, bytes]]) -> Answer | None:
        """Why a private feed stays closed for this request; None: the key opens it."""
        shown = _bearer(headers)
        identifier = key_id(shown)
        if identifier is None:
            return _unauthorized("Show your key: 'Authorization: Bearer KEY'.", shown)
        try:
            async with self._db.read() as connection:
                key = await partners.key(connection, identifier)
        except (StoreTrouble, DBAPIError):
            return said(503, "Keys can't be checked right now.", (b"retry-after", b"30"))
        if key is None or not key_fits(shown, key.digest):
            return _unauthorized("This key is not known, or was revoked.", shown)
        if key.partner not in feed.partners:
            return said(403, "This key is for other feeds.")
        return None


def carries_key(query: bytes) -> bool:
    """True when a query holds what could be a key. Addresses end up in logs, histories and Referer headers."""
    if not query:
        return False
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return any(name.lower() in _KEY_NAMES or key_id(value) is not None for name, value in pairs)


def said(status: int, words: str, *headers: tuple[bytes, bytes]) -> Answer:
    """A short answer in words that nobody keeps."""
    body = words.encode() + b"\n"
    plain = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    return answer(status, [*plain, *headers], body)


def _unauthorized(words: str, shown: str) -> Answer:
    """RFC 6750 §3: an error code only if something was shown."""
    challenge = b'Bearer realm="feeds", error="invalid_token"' if shown else b'Bearer realm="feeds"'
    return said(401, words, (b"www-authenticate", challenge), (b"vary", b"authorization"))


def _bearer(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The key in the Authorization header, "" if there is none."""
    shown = [value for name, value in headers if name == b"authorization"]
    scheme, _, key = (shown[0] if len(shown) == 1 else b"").decode("latin-1").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
