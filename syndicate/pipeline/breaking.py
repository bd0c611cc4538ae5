"""Change log → editions of one story each, at once: breaking news doesn't wait for a slot.

A newsletter with breaking news reads the change log from a place of its own. What is older than two hours when it is
read, such as after an outage, isn't breaking any more: it stays for the next edition, which tells it anyhow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import ArticleState
from syndicate.domain.audience import Rhythm
from syndicate.domain.change import Change, ChangeKind
from syndicate.domain.newsletter import Newsletter, is_breaking
from syndicate.domain.partner import Endpoint
from syndicate.domain.slot import Slot, breaking_seq, breaking_slot, is_late
from syndicate.pipeline.compose import Composition, compose_edition, cut_name
from syndicate.pipeline.enqueue import FreezeReport, freeze_edition
from syndicate.pipeline.render import Studio
from syndicate.store import articles, changes, editions, jobs
from syndicate.store.db import Database

_PAGE = 200  # changes read at once
_NEWS = (ChangeKind.PUBLISHED, ChangeKind.RESTORED)


@dataclass(kw_only=True)
class BreakingReport:
    """What came of the changes since the last look."""

    frozen: list[FreezeReport] = field(default_factory=list)
    waits: str = ""  # for what; the rest is read later


async def ask_for_breaking(db: Database, newsletters: Sequence[Newsletter], *, now: datetime) -> None:
    """One job for each newsletter with breaking news that hasn't read the change log to its end."""
    for newsletter in (one for one in newsletters if one.breaking):
        async with db.read() as connection:
            place, newest = await changes.unread(connection, cut_name(newsletter.name, Rhythm.BREAKING))
            waiting = await jobs.any_of(connection, f"break:{newsletter.name}:")
        if newest > place and not waiting:
            ref, key = {"newsletter": newsletter.name}, f"break:{newsletter.name}:"
            async with db.write() as connection:
                await jobs.add(connection, lane="breaking", kind="break", key=key, ref=ref, now=now)


async def break_news(
    db: Database, newsletter: Newsletter, studio: Studio, endpoints: Sequence[Endpoint], *, now: datetime
) -> BreakingReport:
    """An edition, frozen, for each story that is breaking and was published since the last look, oldest first."""
    report = BreakingReport()
    while (slot := await _next_slot(db, newsletter, now=now)) is not None:
        composed = await compose_edition(db, newsletter, slot, studio, rhythm=Rhythm.BREAKING, now=now)
        if composed.composition is Composition.WAITS:
            report.waits = composed.why
            break
        if composed.composition is Composition.READY and composed.edition is not None:
            frozen = await freeze_edition(
                db, composed.edition, endpoints, newsletter=newsletter, studio=studio, now=now
            )
            report.frozen.append(frozen)
        else:  # it can't be shown, or has its edition already
            await _pass(db, newsletter, slot)
    return report


async def _next_slot(db: Database, newsletter: Newsletter, *, now: datetime) -> Slot | None:
    """The next story's, where one is breaking. Puts what isn't behind us; the log's end, if there is none."""
    cut = cut_name(newsletter.name, Rhythm.BREAKING)
    while True:
        async with db.write() as connection:
            begun = await editions.unfinished_of(connection, newsletter.name, Rhythm.BREAKING)
            if begun is not None:
                return Slot(at=begun.slot_at, name=begun.slot)
            after, newest = await changes.unread(connection, cut)
            page = await changes.span(connection, after, newest, _PAGE)
            if not page:
                return None
            for change in page:
                if await _is_breaking(connection, newsletter, change, now=now):
                    await changes.move_on(connection, cut, after=after, upto=change.seq - 1)
                    return breaking_slot(change.seq, change.at)
            await changes.move_on(connection, cut, after=after, upto=page[-1].seq)


async def _is_breaking(connection: AsyncConnection, newsletter: Newsletter, change: Change, *, now: datetime) -> bool:
    """Asked of the story as it was published: an edit makes no news of it. Nor is it any once it is withdrawn again."""
    if change.kind not in _NEWS or change.baseline or is_late(breaking_slot(change.seq, change.at), now):
        return False
    published = (await articles.at_cut(connection, [change.article_id], change.seq))[change.article_id]
    if not is_breaking(newsletter, published):
        return False
    standing = await articles.get(connection, change.article_id)
    return standing is not None and standing.state is ArticleState.PUBLISHED


async def _pass(db: Database, newsletter: Newsletter, slot: Slot) -> None:
    cut, seq = cut_name(newsletter.name, Rhythm.BREAKING), breaking_seq(slot.name)
    async with db.write() as connection:
        await changes.move_on(connection, cut, after=seq - 1, upto=seq)
