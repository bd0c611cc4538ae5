"""Stories that vanish from among their neighbours in a feed: their own pages say whether they are gone.

What falls off a feed's end is no evidence of anything. That a story is missing while older ones stand there is a
first witness, and its page the second: asked twice, ten minutes apart. A password form on that page counts at once:
it is the newsroom's own word.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from syndicate.domain.source import FoundArticle, SourceConfig
from syndicate.sources.guide import Link
from syndicate.sources.ladder import SURE, Brought, Trouble, is_due
from syndicate.sources.read.removals import kept_word, mass_loss
from syndicate.sources.reader import PageReader

_REMEMBERED = 100  # stories, the newest
_A_LOOK = 12  # pages asked in one look


@dataclass(kw_only=True)
class Watched:
    """A story that the feed showed. Times are ISO texts."""

    url: str
    published: str
    vanished: bool = False  # older ones stand in the feed, this one doesn't
    missing: str = ""  # since when its page isn't there
    asked_at: str = ""


class FeedWatch:
    """One look at a time."""

    def __init__(self, config: SourceConfig, reader: PageReader) -> None:
        self._config, self._reader = config, reader

    async def look(
        self, values: dict[str, str], shown: Sequence[FoundArticle], *, confirmed: str, now: datetime
    ) -> Brought:
        """What is gone of the stories that the feed showed before; what is remembered of them goes into `values`.

        `shown` is what it shows now, nothing when it is as it was. `confirmed` is the code with which the operator
        confirmed a mass loss.
        """
        brought = Brought()
        rows = {key: Watched(**row) for key, row in json.loads(values.get("watch", "{}")).items()}
        _enter(rows, shown)
        suspects = [key for key, row in rows.items() if row.vanished and is_due(row.asked_at, SURE, now)]
        lost = [key for key in suspects[:_A_LOOK] if await self._is_lost(key, rows, now=now)]
        missing = [key for key, row in rows.items() if row.missing]
        where = {key: row.url for key, row in rows.items()}
        brought.confirmed = kept_word(confirmed, missing)
        brought.alarm = mass_loss(missing, len(rows), source=self._config.name, confirmed=confirmed, where=where)
        if not brought.alarm:
            brought.gone = set(lost)
        newest = sorted(rows.items(), key=lambda one: one[1].published, reverse=True)[:_REMEMBERED]
        values["watch"] = json.dumps({key: asdict(row) for key, row in newest if key not in brought.gone})
        return brought

    async def _is_lost(self, key: str, rows: dict[str, Watched], *, now: datetime) -> bool:
        """Asks the story's page. True when it is not there for the second time, or behind a password."""
        row = rows[key]
        try:
            seen = await self._reader.read(Link(url=row.url, published=row.published))
        except Trouble:
            return False
        if seen.unreached:
            return False
        row.asked_at = now.isoformat()
        if seen.item is not None and seen.item["protected"]:
            row.missing = row.missing or now.isoformat()
            return True
        if not seen.gone:  # only left out of the feed: it stays, and isn't asked for again
            row.vanished, row.missing = False, ""
            return False
        before, row.missing = row.missing, row.missing or now.isoformat()
        return bool(before) and is_due(before, SURE, now)


def _enter(rows: dict[str, Watched], shown: Sequence[FoundArticle]) -> None:
    here = {article.key: article.content for article in shown if article.content.url}
    if not here:
        return
    oldest = min(content.published for content in here.values()).isoformat()
    for key, content in here.items():
        rows[key] = Watched(url=content.url or "", published=content.published.isoformat())
    for key, row in rows.items():
        row.vanished = row.vanished or (key not in here and row.published > oldest and not row.asked_at)
