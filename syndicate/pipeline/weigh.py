"""Which feeds have become too large for the programs that read them. They are published all the same.

Their documents are weighed as they are kept on this machine, so nothing that publishes or answers is slowed down.
"""

import asyncio
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import structlog

from syndicate.pipeline.publish import Press
from syndicate.store import files

LARGE = 512 * 1024  # bytes of a document as it is read: half of what SmartNews takes
EVERY_SECONDS = 60.0
log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class LargeFeed:
    """A feed with its largest document."""

    document: str  # "terkini.rss"
    size: int  # bytes
    why: str  # what is wrong and how to mend it


def large_feeds(press: Press) -> dict[str, LargeFeed]:
    """The feeds of which a document is over `LARGE`, by name. Reads the start of every kept document."""
    found: dict[str, LargeFeed] = {}
    for feed in press.feeds:
        names = [f"{feed.name}.{one.name}" for one in press.formats_of(feed)]
        size, document = max((files.document_size(press.folder, name), name) for name in names)
        if size > LARGE:
            said = f"{document} is {size:,} bytes, more than {LARGE:,}: some programs read such a feed no longer"
            why = f"{said}; write a limit under {feed.limit} for the feed {feed.name}"
            found[feed.name] = LargeFeed(document=document, size=size, why=why)
    return found


async def keep_weighing(press: Press) -> None:
    """Until cancelled: tells of feeds that became too large, now and then."""
    told = frozenset[str]()
    while True:
        told = await tell_large(press, told)
        await asyncio.sleep(EVERY_SECONDS)


async def tell_large(press: Press, told: AbstractSet[str]) -> frozenset[str]:
    """Logs the feeds that weren't too large when it was called last; returns those that are, to be handed in again."""
    found = await asyncio.to_thread(large_feeds, press)
    for name in sorted(found.keys() - told):
        one = found[name]
        log.warning("feed.large", feed=name, document=one.document, bytes=one.size, most=LARGE, why=one.why)
    return frozenset(found)
