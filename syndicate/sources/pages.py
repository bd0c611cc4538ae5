"""A newsroom seen through its stories' pages, which another place (sitemap, front page, feed) leads to.

A page costs a request, so only what is new, changed or young is read, so many a look. Leaving the list that led to
it is no evidence that a story is gone: its own page must say so, twice, ten minutes apart, while no list names it. A
password form on it counts at once, whatever the list says: it is the newsroom's own word.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from syndicate.domain.source import FoundArticle, SourceConfig
from syndicate.sources.guide import Link, moment
from syndicate.sources.ladder import SURE, Brought, Trouble, instant, is_due
from syndicate.sources.read.removals import kept_word, mass_loss
from syndicate.sources.reader import PageReader, Seen, story_of

_A_LOOK = 25  # stories read in one look
_IMPORT = 60  # stories of a first import
_SUSPECTS = 8  # of them, at most, to see whether they are gone
_AGAIN = timedelta(hours=1)  # between two readings of a young story
_YOUNG = timedelta(days=3)
_LISTED = 300  # links taken from a list, the newest; fewer than …
_REMEMBERED = 500  # … addresses, so that stories that left the list aren't forgotten for it
_GONE = 100  # withdrawn stories that may come back
_PATIENCE = 3  # pages that can't be reached, until we take it for the site's trouble


@dataclass(kw_only=True)
class Row:
    """What is remembered of one address. Times are ISO texts, "" for never."""

    found_at: str = ""
    read_at: str = ""
    changed: str = ""  # what the list said of it when it was read
    published: str = ""
    key: str = ""  # of the story that was taken from it
    problem: str = ""
    drift: str = ""  # the page rule that it doesn't fit any more
    missing: str = ""  # since when its page isn't there
    listed: bool = False  # named by the list at the last look
    old: bool = False  # left out by the first import
    check: bool = False  # it vanished from among its neighbours in the list
    unreached: bool = False  # at the last try
    sealed: bool = False  # behind a password
    lost: bool = False  # missing, and seen to be so for long enough, or sealed

    def may_change(self, now: datetime) -> bool:
        """A password may be taken off at any time; of old stories the list says that they changed."""
        return self.sealed or self.is_young(now)

    def is_missing_story(self) -> bool:
        """A dead link that no story was taken from is nobody's loss."""
        return bool(self.key and self.missing)

    def is_young(self, now: datetime) -> bool:
        """A story of the last days; what isn't known to be one counts from when it was found."""
        return now - instant(self.published or self.found_at) <= _YOUNG


@dataclass(kw_only=True)
class PageMemory:
    """What the channel wants back."""

    imported_at: str = ""
    imported_id: int = 0  # highest number of WordPress at the first import
    rows: dict[str, Row] = field(default_factory=dict)  # by address
    gone: list[str] = field(default_factory=list)  # keys of what we withdrew; they may come back

    @classmethod
    def of(cls, text: str) -> "PageMemory":
        """From what `text` gave."""
        values = json.loads(text) if text else {}
        return cls(**values | {"rows": {url: Row(**row) for url, row in values.get("rows", {}).items()}})

    def text(self) -> str:
        """As a source's memory keeps it: what is listed, then stories, the newest; of each row only what it says."""
        kept = sorted(self.rows.items(), key=lambda one: _worth(one[1]), reverse=True)[:_REMEMBERED]
        rows = {url: {name: value for name, value in asdict(row).items() if value} for url, row in kept}
        bounded = {**asdict(self), "rows": rows, "gone": self.gone[-_GONE:]}
        return json.dumps(bounded, separators=(",", ":"))

    def knows(self, key: str) -> bool:
        """True for a story that we took once."""
        return key in self.gone or any(row.key == key for row in self.rows.values())


class PageChannel:
    """One look at a time."""

    def __init__(self, config: SourceConfig, reader: PageReader) -> None:
        self._config, self._reader = config, reader

    async def look(self, memory: PageMemory, links: Sequence[Link], *, confirmed: str, now: datetime) -> Brought:
        """Brings `memory` up to date with the pages that `links`, the newest first, lead to.

        Raises Trouble when the site wants to be left alone; `memory` is of no use then. `confirmed` is the code with
        which the operator confirmed a mass loss. The first import is over with the first look that wasn't stopped and
        knows a story.
        """
        links = links[:_LISTED]
        look, named = Brought(), {link.url: link for link in links}
        is_first = not memory.imported_at
        _enter(memory, links, is_first=is_first, now=now)
        queue = _queue(memory, links, now=now)[: _IMPORT if is_first else _A_LOOK]
        alarms = [await self._read(queue, named, memory, look, now=now)]
        if not any(row.key for row in memory.rows.values()):
            alarms.append(f"none of the {len(links)} pages it leads to is a story that may go out")
        if not any(alarms):
            memory.imported_at = memory.imported_at or now.isoformat()
        alarms.append(self._tell(memory, look, now=now))
        alarms.append(self._withdraw(memory, look, confirmed=confirmed))
        look.alarm = "; ".join(filter(None, alarms))
        return look

    async def _read(
        self, queue: Sequence[str], named: Mapping[str, Link], memory: PageMemory, look: Brought, *, now: datetime
    ) -> str:
        """Reads one page after the other, and says why it stopped early."""
        unreached = 0
        for place, url in enumerate(queue):
            row, link = memory.rows[url], named.get(url, Link(url=url, changed=memory.rows[url].changed))
            try:
                seen = await self._reader.read(link, published=row.published)
            except Trouble as why:
                if not place:
                    raise
                return f"the other pages must wait: the site {why}"
            unreached += seen.unreached
            self._take(seen, link, row, memory, look, now=now)
            if unreached == _PATIENCE:
                return f"the other pages must wait: {unreached} of {place + 1} could not be reached"
        return ""

    def _take(self, seen: Seen, link: Link, row: Row, memory: PageMemory, look: Brought, *, now: datetime) -> None:
        """What one reading means for its row and for the look."""
        row.read_at, row.changed, row.check = now.isoformat(), link.changed, False
        row.problem, row.drift, row.unreached, row.sealed = seen.problem, "", seen.unreached, False
        if seen.item is None:
            if seen.gone:
                _miss(row, now)
            return
        story, row.problem = story_of(seen.item, self._config, now=now)
        if seen.item["protected"]:
            row.sealed, row.missing, row.lost = True, row.missing or now.isoformat(), True
        elif story and row.key.startswith("wp:") and story.key.startswith("wp:") and story.key != row.key:
            _miss(row, now)  # WordPress sends the address of a lost story on to one that looks like it
        else:
            row.missing, row.lost = "", False
            if story:
                row.drift = seen.rule if "rule_drift" in story.content.flags else ""
                number = seen.item["wp_id"] or 0
                memory.imported_id = memory.imported_id if memory.imported_at else max(memory.imported_id, number)
                row.old = row.old or self._is_from_before(story, number, link, memory)
                self._publish(story, row, memory, look)

    def _is_from_before(self, story: FoundArticle, number: int, link: Link, memory: PageMemory) -> bool:
        """True for a story that the first import left out, or couldn't see. Its date alone may be set back."""
        if not memory.imported_at or memory.knows(story.key):
            return False
        imported = instant(memory.imported_at)
        stood = bool(link.changed) and moment(link.changed, self._config.zone) < imported
        return (number <= memory.imported_id or stood) and story.content.published < imported

    def _publish(self, story: FoundArticle, row: Row, memory: PageMemory, look: Brought) -> None:
        """A story that may be taken, unless it is from before the first import: that is no news."""
        row.published = story.content.published.isoformat()
        if row.old:
            row.problem = "left out, since it is from before the first import, which didn't bring it"
        else:
            row.key = story.key
            memory.gone = [key for key in memory.gone if key != story.key]
            look.articles[story.key] = story

    def _withdraw(self, memory: PageMemory, look: Brought, *, confirmed: str) -> str:
        """Stories whose page is gone, and which the list doesn't name either. Many at once are a broken site."""
        known = {row.key for row in memory.rows.values() if row.key}
        missing = [row for row in memory.rows.values() if row.is_missing_story() and (row.sealed or not row.listed)]
        lost = {row.key for row in missing} - {row.key for row in memory.rows.values() if not row.missing}
        where = {row.key: url for url, row in memory.rows.items()}
        look.confirmed = kept_word(confirmed, lost)
        if alarm := mass_loss(lost, len(known), source=self._config.name, confirmed=confirmed, where=where):
            return alarm
        look.gone = {row.key for row in missing if row.lost} & lost
        memory.gone += sorted(look.gone)
        memory.rows = {url: row for url, row in memory.rows.items() if row.key not in look.gone}
        return ""

    def _tell(self, memory: PageMemory, look: Brought, *, now: datetime) -> str:
        """What stands against single young stories, until it is mended, and against the page rule."""
        young = {url: row for url, row in memory.rows.items() if row.is_young(now)}
        look.problems += [f"{url}: {row.problem}" for url, row in young.items() if row.problem]
        drifted = [row.drift for row in young.values() if row.drift]
        if not drifted:
            return ""
        return (
            f"the page rule {drifted[0]} doesn't fit {len(drifted)} of {len(young)} young pages any more, and their"
            f" text was found without it; compare with `syndicate sources test {self._config.name}`"
        )


def _enter(memory: PageMemory, links: Sequence[Link], *, is_first: bool, now: datetime) -> None:
    """Brings the rows up to what the list names now."""
    named = {link.url for link in links}
    for place, url in enumerate(link.url for link in links):
        late = is_first and place >= _IMPORT
        memory.rows.setdefault(url, Row(found_at=now.isoformat(), old=late))
    oldest = min((row.published for url, row in memory.rows.items() if url in named and row.published), default="")
    for url, row in memory.rows.items():
        # What only came to the list's end and fell off it is older than all that stands there.
        row.check = row.check or (row.listed and url not in named and row.key != "" and row.published > oldest)
        row.listed = url in named


def _queue(memory: PageMemory, links: Sequence[Link], *, now: datetime) -> list[str]:
    """Which pages to read, the most urgent first."""
    rows = memory.rows
    suspects = [
        url for url, row in rows.items() if row.check or (row.is_missing_story() and is_due(row.read_at, SURE, now))
    ]
    suspects.sort(key=lambda url: rows[url].read_at)
    fresh = [
        link.url
        for link in links
        if not rows[link.url].old and (not rows[link.url].read_at or rows[link.url].changed != link.changed)
    ]
    young = [url for url, row in rows.items() if not row.old and row.may_change(now) and _is_stale(row, now)]
    young.sort(key=lambda url: rows[url].read_at)
    return list(dict.fromkeys([*suspects[:_SUSPECTS], *fresh, *young]))


def _is_stale(row: Row, now: datetime) -> bool:
    """An editor who mends what stands against a story waits for it, at first; a dead link is nobody's work."""
    if not row.read_at:
        return False
    wait = SURE if row.unreached else _AGAIN
    if row.problem and not row.missing:  # ever more seldom: many pages are no stories and never will be
        wait = min(max((instant(row.read_at) - instant(row.found_at)) / 2, SURE), wait)
    return is_due(row.read_at, wait, now)


def _miss(row: Row, now: datetime) -> None:
    """One more sign that the story is gone; the first one may be a slip of the site."""
    row.lost = bool(row.missing) and is_due(row.missing, SURE, now)
    row.missing = row.missing or now.isoformat()


def _worth(row: Row) -> tuple[bool, bool, str]:
    return row.listed, bool(row.key), row.published or row.found_at
