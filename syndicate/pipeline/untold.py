"""Why no edition of a newsletter told a story: the questions of compose.py, asked once more about one article."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.audience import Rhythm
from syndicate.domain.change import Change, ChangeKind
from syndicate.domain.edition import Edition
from syndicate.domain.explanation import Answer
from syndicate.domain.newsletter import Newsletter, is_breaking
from syndicate.domain.slot import next_slot
from syndicate.pipeline.compose import cut_name
from syndicate.pipeline.likeness import firsts_of
from syndicate.pipeline.trail import Trail, edition_name, refused_by
from syndicate.store import articles, changes, desk, editions

_NEWS = (ChangeKind.PUBLISHED, ChangeKind.RESTORED)


@dataclass(frozen=True, kw_only=True)
class Untold:
    """A story that no edition of a newsletter told."""

    article: Article
    log: Sequence[Change]
    newsletter: Newsletter
    spans: Sequence[Edition]  # of the newsletter's editions, those composed from its changes
    rhythm: Rhythm = Rhythm.EACH  # which editions the reader wants


async def tell_untold(connection: AsyncConnection, trail: Trail, case: Untold, *, may_get: bool, now: datetime) -> None:
    """The part of an explanation that is about one newsletter; `may_get`: nothing about the reader is in the way."""
    name = case.newsletter.name
    news = [one for one in case.log if one.kind in _NEWS and not one.baseline]
    if not news:
        said = f"{name} didn't tell it: what a first import brings goes into feeds, not into mails."
        trail.note("story.baseline", said, Answer.NO, newsletter=name)
        return
    if case.rhythm is Rhythm.BREAKING:
        await _tell_breaking(connection, trail, case, news[-1], may_get=may_get)
        return
    for edition in case.spans:
        standing = await _at_cut(connection, case, edition.cut_to)
        said = f"{edition_name(edition)} was composed from that part of the change log, and doesn't have the story."
        trail.note("story.in_span", said, edition=edition_name(edition), cut_to=edition.cut_to)
        await _tell_misfit(connection, trail, case, standing)
    if any(one.cut_to >= news[-1].seq for one in case.spans):
        return
    cut = await changes.cursor(connection, cut_name(name, case.rhythm)) or 0
    if news[-1].seq > cut:
        await _tell_ahead(connection, trail, case, cut, may_get=may_get, now=now)
    elif not case.spans:
        first = await editions.first_cut(connection, name)
        before = first is None or news[-1].seq <= first
        why = "they begin later" if before else "its slot passed without one"
        said = f"{name} has read on to change {cut}, and none of its editions was composed from that part: {why}."
        trail.note("story.passed", said, newsletter=name, cut=cut)
        if before and await _misfit(connection, case.newsletter, case.article) is None:
            said = "It fits, so the newsletter is younger than the story: what was there before it is never mailed."
            trail.note("newsletter.younger", said, Answer.NO, newsletter=name)
            return
        await _tell_misfit(connection, trail, case, case.article)


async def _tell_breaking(
    connection: AsyncConnection, trail: Trail, case: Untold, news: Change, *, may_get: bool
) -> None:
    """For somebody who wants nothing else."""
    name = case.newsletter.name
    if not is_breaking(case.newsletter, case.article):
        said = f"Of {name} they want only breaking news, and by its configuration this is none."
        trail.note("story.not_breaking", said, Answer.NO, newsletter=name)
        return
    cut = await changes.cursor(connection, cut_name(name, Rhythm.BREAKING)) or 0
    if news.seq <= cut:
        said = f"It is breaking news by {name}'s configuration, and had no edition: it was read too late, withdrawn, or"
        said += " can't be shown in a mail."
        trail.note("story.passed", said, Answer.NO, newsletter=name, cut=cut)
        return
    said = f"It is breaking news by {name}'s configuration; its edition is about to be made."
    trail.note("story.ahead", said, Answer.NOT_YET if may_get else Answer.NO, newsletter=name, cut=cut)


async def _at_cut(connection: AsyncConnection, case: Untold, cut: int) -> Article:
    """The story as it stood at a cut: mostly it is the same still, and needn't be read again."""
    if case.log[-1].seq <= cut:
        return case.article
    return (await articles.at_cut(connection, [case.article.id], cut))[case.article.id]


async def _tell_ahead(
    connection: AsyncConnection, trail: Trail, case: Untold, cut: int, *, may_get: bool, now: datetime
) -> None:
    """The next slot chooses from what the newsletter hasn't read yet."""
    newsletter, standing = case.newsletter, case.article
    weekly = newsletter.roundup if case.rhythm is Rhythm.WEEKLY else None
    slot = next_slot(weekly or newsletter.schedule, newsletter.timezone, now)
    said = f"{newsletter.name} has read on to change {cut}; its next slot, {slot.name} at {trail.at(slot.at)}, chooses"
    said += " from what came since"
    said += f", once there are {newsletter.min} stories." if newsletter.min > 1 and newsletter.skip_empty else "."
    facts: dict[str, object] = {"newsletter": newsletter.name, "cut": cut, "slot": slot.name, "slot_at": slot.at}
    if pause := await desk.pause_of(connection, newsletter.name):
        stopped = f"{pause.reason}, since {trail.at(pause.at)}. Its slots pass until a person resumes it."
        trail.note("newsletter.paused", stopped, newsletter=newsletter.name, why=pause.why, since=pause.at)
    why = await _misfit(connection, newsletter, standing)
    if why is None and may_get:
        trail.note("story.ahead", said, Answer.NOT_YET, **facts)
        return
    trail.note("story.ahead", said, **facts)
    if why is None:
        said = "It fits, but this reader isn't due the newsletter."
        trail.note("candidate.none", said, Answer.NO, newsletter=newsletter.name)
        return
    trail.note(why[0], why[1], Answer.NO, newsletter=newsletter.name)


async def _tell_misfit(connection: AsyncConnection, trail: Trail, case: Untold, standing: Article) -> None:
    why = await _misfit(connection, case.newsletter, standing)
    rule, said = why or (
        "story.otherwise",
        "By today's rules it would have been in: the newsletter's selection was another then, or an edition that was "
        "composed meanwhile told it.",
    )
    trail.note(rule, said, Answer.NO, newsletter=case.newsletter.name, version=standing.version)


async def _misfit(connection: AsyncConnection, newsletter: Newsletter, standing: Article) -> tuple[str, str] | None:
    """Why `fitting_stories` wouldn't take a story, as it stood: (rule, sentence)."""
    if standing.state is ArticleState.WITHDRAWN:
        return "story.withdrawn", "The newsroom had withdrawn it."
    if why := refused_by(newsletter.selection, standing):
        return "story.selection", f"It doesn't belong to {newsletter.name}: {why}."
    first = (await firsts_of(connection, [standing.id])).get(standing.id)
    if first is not None:
        return "story.double", f"The newsroom posted {first.id} again with it; only the first posting is told."
    return None
