"""`/articles/ID` and `/media/HASH`: stories and pictures for which the newsroom has no page of its own."""

import asyncio
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.feed import Site
from syndicate.formats.wording import lead_image, newsroom_of, standfirst, web_address, wording
from syndicate.pipeline.likeness import Kin, kin_of
from syndicate.store import articles
from syndicate.store.files import media_path
from syndicate.web.negotiate import has_tag
from syndicate.web.pages import Front, SafeHtml, missing, moment, page

_ID = re.compile(r"[a-z0-9-]{1,64}")
_PICTURE_HEADERS: Mapping[str, str] = {
    "cache-control": "public, max-age=31536000, immutable",
    "content-security-policy": "sandbox; default-src 'none'",
    "cross-origin-resource-policy": "cross-origin",  # feeds and mails show our pictures elsewhere
}


async def show_article(front: Front, request: Request) -> Response:
    """A whole story, or the notice that stands in its place."""
    identifier = request.path_params["identifier"]
    found = await _find(front, identifier) if _ID.fullmatch(identifier) else None
    if found is None:
        return missing(front, request)
    article, kin = found
    try:
        told = wording(article, front.app.site)
    except ValueError:  # one of its addresses is none: no format shows it either
        return missing(front, request)
    withdrawn = article.state is ArticleState.WITHDRAWN
    published, updated = told.published, told.modified
    return page(
        front,
        request,
        "article.html.j2",
        status=410 if withdrawn else 200,
        first=[feed for feed in front.app.feeds.values() if feed.selection.holds(article)],
        article=article,
        told=told,
        withdrawn=withdrawn,
        body=SafeHtml(article.content.body_html),
        standfirst=standfirst(article.content),
        picture=lead_image(told.image, article.content.body_html),
        also_at=_elsewhere(kin.also_at, front.app.site),
        published=moment(front, request, published, long=True),
        updated=moment(front, request, updated, long=True) if updated > published else None,
        corrected=moment(front, request, article.loud_at or article.changed_at),
    )


async def show_picture(front: Front, request: Request) -> Response:
    """Bytes under their hash: what is once true is true for ever, but only as a picture."""
    digest = request.path_params["digest"]
    try:
        path = media_path(front.app.album.folder, digest)
    except ValueError:
        return missing(front, request)
    found = await asyncio.to_thread(_stat, path)
    async with front.app.db.read() as connection:
        media_type = await articles.media_type(connection, digest)
    if media_type is None or found is None:
        return missing(front, request)
    headers = {"etag": f'"{digest}"', **_PICTURE_HEADERS}
    asked = request.headers.get("if-none-match", "").encode("latin-1")
    if asked and has_tag(asked, frozenset({f'"{digest}"'.encode()})):
        return Response(status_code=304, headers=headers)
    return FileResponse(path, media_type=media_type, stat_result=found, headers=headers)


async def _find(front: Front, identifier: str) -> tuple[Article, Kin] | None:
    async with front.app.db.read() as connection:
        article = await articles.get(connection, identifier)
        return (article, await kin_of(connection, identifier)) if article else None


def _elsewhere(others: Iterable[Article], site: Site) -> dict[str, str]:
    """Where other newsrooms have the same text: their name → address of their own page."""
    found: dict[str, str] = {}
    for other in others:
        try:
            address = web_address(other.content.url or "")
        except ValueError:  # it has no page of its own
            continue
        found.setdefault(newsroom_of(other.content, site) or site.title, address)
    return found


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
