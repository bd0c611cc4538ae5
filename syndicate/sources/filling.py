"""Fills in from a story's own page what another channel of its newsroom lacks.

Feeds show no lead picture, mix sections with tags, and may hold excerpts only (gather.md §2.1). Each page costs a
request, so it is read once for each state of a story.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from syndicate.domain.article import Content, content_hash
from syndicate.domain.merge import merged
from syndicate.domain.source import FoundArticle, SourceConfig
from syndicate.sources.guide import Link
from syndicate.sources.ladder import Trouble
from syndicate.sources.reader import PageReader, story_of

_REMEMBERED = 200  # stories, the latest
_PATIENCE = 2  # pages that can't be reached; the others are left alone then


class Filler:
    """Pages of stories that other channels brought."""

    def __init__(self, config: SourceConfig, reader: PageReader) -> None:
        self._config, self._reader = config, reader

    async def fill(
        self,
        articles: Iterable[FoundArticle],
        values: dict[str, str],
        *,
        lacks: Callable[[Content], bool],
        most: int,
        now: datetime,
    ) -> tuple[tuple[FoundArticle, ...], list[str]]:
        """The stories, of which at most so many that lack something are filled in, and a line for each that wasn't.

        What was read is remembered in `values`. A story whose page is of no use stays as it was.
        """
        read: dict[str, str] = json.loads(values.get("filled", "{}"))
        shown: list[FoundArticle] = []
        problems: list[str] = []
        unreached = 0
        for article in articles:
            digest = content_hash(article.content)
            wanted = lacks(article.content) and article.content.url and read.get(article.key) != digest
            if not wanted or most == 0 or unreached == _PATIENCE:
                shown.append(article)
                continue
            most -= 1
            try:
                whole, problem = await self._filled(article, now=now)
            except (Trouble, _Unreached) as why:
                unreached = unreached + 1 if isinstance(why, _Unreached) else _PATIENCE
                whole, problem = article, str(why)
            else:
                read = {key: known for key, known in read.items() if key != article.key} | {article.key: digest}
            shown.append(whole)
            problems += [f"{article.content.url}: its page was not used: {problem}"] if problem else []
        values["filled"] = json.dumps(dict(list(read.items())[-_REMEMBERED:]))
        return tuple(shown), problems

    async def _filled(self, article: FoundArticle, *, now: datetime) -> tuple[FoundArticle, str]:
        """Raises Trouble, or _Unreached when another try may bring the page."""
        content = article.content
        seen = await self._reader.read(Link(url=content.url or "", published=content.published.isoformat()))
        if seen.unreached:
            raise _Unreached(seen.problem)
        if seen.item is None:
            return article, seen.problem
        page, problem = story_of(seen.item, self._config, now=now)
        if page is None:
            return article, problem
        if page.key.startswith("wp:") and article.key.startswith("wp:") and page.key != article.key:
            return article, "it shows another story"
        said = {name: channel for name, channel in page.content.provenance.items() if getattr(page.content, name)}
        whole = merged(replace(page.content, provenance=said), content)
        flags = page.content.flags if whole.body_html == page.content.body_html else content.flags
        names = tuple(dict.fromkeys([*article.aliases, *page.aliases]))
        return replace(article, content=replace(whole, flags=flags), aliases=names), ""


class _Unreached(Exception):
    """No whole answer came; the text says why."""
