"""The door in front of all pages: which host is meant, how much may be sent, and the headers of every answer."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from syndicate.settings.addresses import is_loopback
from syndicate.web.feeds import carries_key, said
from syndicate.web.tally import Tally

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' https: data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
LARGEST_BODY = 64 * 1024  # bytes
_HEADERS: Mapping[str, str] = {
    "content-security-policy": PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "cross-origin-opener-policy": "same-origin",
}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?")
_CLASSES = frozenset({"", "feeds", "articles", "media", "editions", "u", "outbox", "sample", "assets"}) | frozenset(
    {"subscribe", "c", "p", "api", "hooks", "sign-in", "sign-out", "healthz", "readyz", "metrics"}
)


class Door:
    """ASGI middleware. Addresses on pages come from `public_url`; a foreign Host is turned away all the same (T33)."""

    def __init__(self, behind: ASGIApp, *, public_url: str, tally: Tally, larger: Mapping[str, int]) -> None:
        self._behind, self._tally, self._larger = behind, tally, larger
        self._public_host = urlsplit(public_url).hostname or ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI app."""
        leave = self._dressed(scope, send)
        problem = self._problem(scope)
        if problem:
            refusal = said(400, problem)
            await leave(dict(refusal.start, headers=list(refusal.start["headers"])))
            await leave(dict(refusal.body))
            return
        await self._behind(scope, self._measured(scope, receive), leave)

    def _problem(self, scope: Scope) -> str:
        if not self._is_ours(host_name(scope)):
            return f"This server answers for {self._public_host}."
        if carries_key(scope["query_string"]):
            return "A key belongs into the header 'Authorization: Bearer KEY', never into the address."
        return ""

    def _is_ours(self, host: str) -> bool:
        return bool(host) and (host == self._public_host or is_loopback(host))

    def _measured(self, scope: Scope, receive: Receive) -> Receive:
        """Counts what a page reads. What no page reads is not looked at, so it can't hinder anybody from leaving."""
        most, taken = self._larger.get(scope["path"], LARGEST_BODY), 0

        async def measured() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise HTTPException(413)
            return message

        return measured

    def _dressed(self, scope: Scope, send: Send) -> Send:
        """Adds the headers that a page has not set itself, and counts the answer."""
        first = scope["path"].split("/", 2)[1] if scope["path"].startswith("/") else ""
        kind = first if first in _CLASSES else "other"

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                self._tally.pages[kind, message["status"]] += 1
            await send(message)

        return dressed


def host_name(scope: Scope) -> str:
    """The host that a request means, in lower case, without port; "" unless exactly one well-formed Host is there."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    found = _HOST.fullmatch(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
    return found[1].strip("[]").lower() if found else ""
