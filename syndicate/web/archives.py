"""`/feeds/NAME/2026-05.atom`: what a feed published in a finished month, answered as feeds are."""

import re

from starlette.requests import Request
from starlette.responses import Response

from syndicate.pipeline.archives import Archives
from syndicate.web.pages import Front, missing
from syndicate.web.shelf import FINISHED, Served, respond

_MONTH = re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])")


class ArchiveDesk:
    """The answers."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._archives = Archives(front.app.db, front.app.press)

    async def show(self, request: Request) -> Response:
        """One month of a public feed."""
        feed = self._front.app.feeds.get(request.path_params["name"])
        month = request.path_params["month"]
        if feed is None or not _MONTH.fullmatch(month):
            return missing(self._front, request)
        document = await self._archives.document(feed, month, now=self._front.app.clock.now())
        if document is None:
            return missing(self._front, request)
        url = f"{self._front.app.site.public_url}/feeds/{feed.name}/{month}.atom"
        return respond(Served(document, url, private=False, cache=FINISHED), request, self._front.app.clock)
