"""Fills in from a story's own page what another channel of its newsroom lacks.

Feeds show no lead picture, mix sections with tags, and may hold excerpts only (gather.md §2.1). Each page costs a
request, so it is read once for each state of a story, and one that can't be read is asked for ever more seldom.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from syndicate.domain.article import Content, content_hash
from syndicate.domain.merge import merged
from syndicate.domain.source import FoundArticle, SourceConfig
from syndicate.sources.guide import Link
from syndicate.sources.ladder import SURE, Trouble, instant, is_due
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

        What was read, and what couldn't be, is remembered in `values`. A story whose page is of no use stays as it was.
        """
        notes = _Notes.of(values)
        shown: list[FoundArticle] = []
        problems: list[str] = []
        unreached = 0
        for article in articles:
            wanted = lacks(article.content) and article.content.url and notes.may_read(article, now)
            if not wanted or most == 0 or unreached >= _PATIENCE:
                shown.append(article)
                continue
            most -= 1
            try:
                whole, problem = await self._filled(article, now=now)
            except (Trouble, _Unread) as why:
                unreached += why.unreached if isinstance(why, _Unread) else _PATIENCE
                whole, problem = article, str(why)
                notes.failed(article, now)
            else:
                notes.was_read(article)
            shown.append(whole)
            problems += [f"{article.content.url}: its page was not used: {problem}"] if problem else []
        notes.keep(values)
        return tuple(shown), problems

    async def _filled(self, article: FoundArticle, *, now: datetime) -> tuple[FoundArticle, str]:
        """Raises Trouble, or _Unread when another try may bring the story."""
        content = article.content
        seen = await self._reader.read(Link(url=content.url or "", published=content.published.isoformat()))
        if seen.item is None:
            raise _Unread(seen.problem, unreached=seen.unreached)
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


class _Unread(Exception):
    """The page showed no story; the text says why. `unreached` as of `Seen`."""

    def __init__(self, words: str, *, unreached: bool) -> None:
        self.unreached = unreached
        super().__init__(words)


@dataclass(kw_only=True)
class _Notes:
    """Which pages were read, and which couldn't be, for which state of their story."""

    read: dict[str, str]  # digest, by key
    unread: dict[str, Sequence[str]]  # digest, and when it was tried first and last (ISO texts), by key

    @classmethod
    def of(cls, values: dict[str, str]) -> "_Notes":
        return cls(read=json.loads(values.get("filled", "{}")), unread=json.loads(values.get("unfilled", "{}")))

    def keep(self, values: dict[str, str]) -> None:
        values["filled"] = json.dumps(dict(list(self.read.items())[-_REMEMBERED:]))
        values["unfilled"] = json.dumps(dict(list(self.unread.items())[-_REMEMBERED:]))

    def may_read(self, article: FoundArticle, now: datetime) -> bool:
        """What failed for an hour may be tried again after an hour more."""
        digest = content_hash(article.content)
        if self.read.get(article.key) == digest:
            return False
        state, first, last = self.unread.get(article.key, ("", "", ""))
        return state != digest or is_due(last, max(SURE, instant(last) - instant(first)), now)

    def was_read(self, article: FoundArticle) -> None:
        self._forget(article.key)
        self.read[article.key] = content_hash(article.content)

    def failed(self, article: FoundArticle, now: datetime) -> None:
        digest, stamp = content_hash(article.content), now.isoformat()
        state, first, _ = self.unread.get(article.key, ("", "", ""))
        self._forget(article.key)
        self.unread[article.key] = (digest, first if state == digest else stamp, stamp)

    def _forget(self, key: str) -> None:
        """What is noted then stands last, where the latest are kept."""
        self.read.pop(key, None)
        self.unread.pop(key, None)
