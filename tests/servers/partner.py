"""A real partner's portal on loopback: it takes webhooks, verifies them with the public library, and has its moods.

async with open_partner() as portal:
    ... portal.url ... portal.secret ...
    portal.mood = Mood.BUSY
    ... portal.told  # every request, in order
    ... portal.taken  # what the portal acted on: each message id once, in order
"""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.servers.http import Heard, Site, Wire, serve

HOOK = "/masuk/kait"


class Mood(StrEnum):
    """How the portal answers. In the last two it took the message, but we never hear so."""

    GOOD = "204"
    BUSY = "503"
    GONE = "410"
    GARBAGE = "garbage"  # bytes that are no HTTP
    SILENT = "silent"  # no answer at all


_ACTS_ON = frozenset({Mood.GOOD, Mood.GARBAGE, Mood.SILENT})


@dataclass(frozen=True, kw_only=True)
class Told:
    """One request to the hook."""

    id: str
    type: str
    data: dict[str, Any]
    verified: bool
    mood: Mood  # in which it was answered


@dataclass(kw_only=True)
class Portal:
    """What it was told, and how it will answer next."""

    site: Site
    secret: str
    mood: Mood = Mood.GOOD
    told: list[Told] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where the hook is."""
        return self.site.url(HOOK)

    @property
    def taken(self) -> list[Told]:
        """What the portal acted on, each message once however often it came (Standard Webhooks 1.0: `webhook-id`)."""
        first: dict[str, Told] = {}
        for one in self.told:
            if one.mood in _ACTS_ON:
                first.setdefault(one.id, one)
        return list(first.values())

    def about(self, article: str) -> list[Told]:
        """What was taken about one article, by its public id."""
        return [one for one in self.taken if one.data.get("id") == article]

    async def answer(self, request: Heard, wire: Wire) -> None:
        """One delivery."""
        mood = self.mood
        self.told.append(self._told(request, mood))
        if mood is Mood.GARBAGE:
            await wire.send(b"\x00\x01 selamat datang \xff\r\n\r\n")
        elif mood is Mood.SILENT:
            await asyncio.Event().wait()
        else:
            await wire.respond(int(mood.value))

    def _told(self, request: Heard, mood: Mood) -> Told:
        try:
            parcel = Webhook(self.secret).verify(request.body, dict(request.headers))
        except WebhookVerificationError:
            return Told(id="", type="", data={}, verified=False, mood=mood)
        identifier = request.headers["webhook-id"]
        return Told(id=identifier, type=parcel["type"], data=parcel["data"], verified=True, mood=mood)


@asynccontextmanager
async def open_partner(mood: Mood = Mood.GOOD) -> AsyncIterator[Portal]:
    """Listens until the block ends, with a secret of its own."""
    async with serve() as site:
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        portal = Portal(site=site, secret=secret, mood=mood)
        site.on(HOOK, portal.answer)
        yield portal
