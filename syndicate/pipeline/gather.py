"""Source → article versions and the change log.

One look at a newsroom becomes versions and changes. What the source remembers (its validators) is saved after
the stories it belongs to, so a crash in between costs a second look and never a story.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import (
    CHURN_LIMIT,
    Article,
    ArticleState,
    Edit,
    article_id,
    content_hash,
    edit_class,
    next_content,
    public_id,
    sort_time,
)
from syndicate.domain.change import ChangeKind, change_kind
from syndicate.domain.feed import Site
from syndicate.domain.source import FoundArticle, Gathered, Look, SourceConfig, next_look
from syndicate.ports import Source
from syndicate.store import articles, changes, editions, files, jobs, sources
from syndicate.store.db import Database
from syndicate.store.sources import SourceState

FIRST_IMPORT = 200  # newest articles that a first import brings
_CHUNK = 60  # articles a transaction


@dataclass(kw_only=True)
class GatherReport:
    """What one look brought, for people."""

    source: str
    look: Look
    published: int = 0
    updated: int = 0
    withdrawn: int = 0
    restored: int = 0
    problem: str = ""
    problems: tuple[str, ...] = ()
    repeats: bool = False  # the same trouble as at the last look
    ids: list[str] = field(default_factory=list)

    @property
    def changed(self) -> int:
        """How many rows the change log got."""
        return self.published + self.updated + self.withdrawn + self.restored


@dataclass(frozen=True, kw_only=True)
class _Look:
    """What is the same for every story of one look."""

    config: SourceConfig
    site: Site
    baseline: bool
    keys: frozenset[str]
    now: datetime


async def gather_source(
    db: Database, config: SourceConfig, source: Source, *, site: Site, media_folder: Path, now: datetime
) -> GatherReport:
    """Looks at one source and takes over what changed."""
    async with db.write() as connection:
        await sources.know(connection, [config.name], now=now)
    async with db.read() as connection:
        state = await sources.get(connection, config.name)
    if state is None:
        raise LookupError(f"the row of source {config.name} vanished")
    gathered = await source.gather(state.memory, now=now)
    found, left_out = _wanted(gathered.articles, state)
    await asyncio.to_thread(_keep_pictures, found, media_folder)
    report = GatherReport(
        source=config.name,
        look=gathered.look,
        problem=gathered.problem,
        problems=gathered.problems,
        repeats=(gathered.problem, gathered.problems) == (state.problem, state.problems),
    )
    look = _Look(
        config=config,
        site=site,
        baseline=not state.imported,
        keys=frozenset(story.key for story in found),
        now=now,
    )
    await _take_over(db, look, found, gathered, report)
    async with db.write() as connection:
        await _withdraw_gone(connection, look, gathered.gone, report)
        await sources.save(connection, replace(_after(state, config, gathered, now=now), left_out=left_out))
    return report


async def _take_over(
    db: Database, look: _Look, found: Sequence[FoundArticle], gathered: Gathered, report: GatherReport
) -> None:
    """Stories go in oldest first, so that the change log tells them in the order they were written."""
    if gathered.moved:
        async with db.write() as connection:
            for old, new in gathered.moved.items():
                await _rename(connection, look, old, new)
    ordered = sorted(found, key=lambda story: (story.content.published, story.key))
    for start in range(0, len(ordered), _CHUNK):
        async with db.write() as connection:
            await _take_chunk(connection, look, ordered[start : start + _CHUNK], report)


async def _take_chunk(
    connection: AsyncConnection, look: _Look, chunk: Sequence[FoundArticle], report: GatherReport
) -> None:
    names = [name for story in chunk for name in (story.key, *story.aliases)]
    ids = await articles.known(connection, look.config.name, names)
    standing = await articles.by_ids(connection, set(ids.values()))
    before = report.changed
    for story in chunk:
        await _take_story(connection, look, story, _same(story, ids, standing, look), report)
    if report.changed > before:
        await ask_for_publishing(connection, now=look.now)


async def ask_for_publishing(connection: AsyncConnection, *, now: datetime) -> None:
    """The change log grew: feeds and endpoints have something to read on. In the same transaction as the change."""
    for kind in ("publish", "notify"):
        await jobs.add(connection, lane="work", kind=kind, key=kind, ref={}, now=now)


def _same(story: FoundArticle, ids: dict[str, str], standing: dict[str, Article], look: _Look) -> Article | None:
    """The article this story is a new look at: by its key, else by another name.

    A name that belongs to another story of the same look proves nothing (several stories may share a link).
    """
    for name in (story.key, *story.aliases):
        other = standing.get(ids.get(name, ""))
        if other is not None and (other.source_key == story.key or other.source_key not in look.keys):
            return other
    return None


async def _take_story(
    connection: AsyncConnection, look: _Look, story: FoundArticle, held: Article | None, report: GatherReport
) -> None:
    for picture in story.media:
        await articles.add_media(connection, picture, now=look.now)
    if held is None:
        held = await _publish(connection, look, story, report)
    else:
        await _revise(connection, look, story, held, report)
        if held.source_key != story.key:  # known by another name: from now on it goes by this one
            await articles.rename(connection, held, story.key)
    names = {held.source_key, *story.aliases} - {story.key}
    await articles.add_aliases(connection, look.config.name, held.id, sorted(names))


async def _publish(connection: AsyncConnection, look: _Look, story: FoundArticle, report: GatherReport) -> Article:
    """A story we have never seen."""
    identifier = await _free_id(connection, look.config.name, story.key)
    announced = not look.baseline or look.config.first_import_mail
    article = Article(
        id=identifier,
        public_id=public_id(look.site.tag_host, look.now.year, identifier),
        source=look.config.name,
        source_key=story.key,
        version=1,
        content=story.content,
        edit=Edit.FIRST,
        state=ArticleState.PUBLISHED,
        first_seen=look.now,
        sort_at=sort_time(story.content.published, look.now, baseline=look.baseline),
        seq=0,
        changed_at=look.now,
        announced=announced,
    )
    await articles.add(connection, article, digest=content_hash(story.content))
    report.published += 1
    return await _log(connection, article, ChangeKind.PUBLISHED, report)


async def _revise(
    connection: AsyncConnection, look: _Look, story: FoundArticle, held: Article, report: GatherReport
) -> None:
    """A story we have: edited, back again, or just as it was."""
    digest, churn = await articles.held_hash(connection, held.id)
    new_digest = content_hash(story.content)
    if held.state is ArticleState.WITHDRAWN:
        held = replace(held, state=ArticleState.PUBLISHED, note="", changed_at=look.now)
        report.restored += 1
        held = await _log(connection, held, ChangeKind.RESTORED, report)
    if digest == new_digest:
        return
    churn = churn + 1 if story.content.updated <= held.content.updated else 0
    if churn > CHURN_LIMIT and change_kind(held.content, story.content) is not ChangeKind.CORRECTED:
        return
    edit = edit_class(held.content, story.content)
    kind = change_kind(held.content, story.content)
    content = next_content(held.content, story.content, edit, now=look.now)
    loud = look.now if kind is ChangeKind.CORRECTED else held.loud_at
    version = held.version + 1
    held = replace(held, version=version, content=content, edit=edit, changed_at=look.now, loud_at=loud)
    await articles.add_version(connection, held, digest=new_digest, churn=churn)
    report.updated += 1
    await _log(connection, held, kind, report)


async def _withdraw_gone(connection: AsyncConnection, look: _Look, gone: frozenset[str], report: GatherReport) -> None:
    """Stories the source itself says are no more."""
    ids = await articles.known(connection, look.config.name, gone)
    for article in (await articles.by_ids(connection, set(ids.values()))).values():
        if article.state is ArticleState.PUBLISHED and article.source_key in gone:
            away = replace(article, state=ArticleState.WITHDRAWN, changed_at=look.now, loud_at=look.now)
            report.withdrawn += 1
            await _log(connection, away, ChangeKind.WITHDRAWN, report)
            await editions.hold_those_with(connection, article.id, f"{article.content.title!r} was withdrawn meanwhile")
    if report.withdrawn:
        await ask_for_publishing(connection, now=look.now)


async def _log(connection: AsyncConnection, article: Article, kind: ChangeKind, report: GatherReport) -> Article:
    """One row in the change log, and the article that points to it."""
    seq = await changes.append(
        connection,
        article_id=article.id,
        version=article.version,
        kind=kind,
        edit=article.edit,
        baseline=not article.announced,
        at=article.changed_at,
        note=article.note,
    )
    logged = replace(article, seq=seq)
    await articles.set_state(connection, logged)
    report.ids.append(article.id)
    return logged


async def _rename(connection: AsyncConnection, look: _Look, old: str, new: str) -> None:
    """The story moved; if the new name is taken by another story, nothing is done."""
    ids = await articles.known(connection, look.config.name, [old, new])
    if old in ids and new not in ids:
        held = (await articles.by_ids(connection, [ids[old]]))[ids[old]]
        await articles.rename(connection, held, new)


async def _free_id(connection: AsyncConnection, source: str, key: str) -> str:
    """The id of a new story. A key that was another story's before its rename gets a number."""
    identifier, number = article_id(source, key), 1
    while await articles.taken(connection, identifier):
        number += 1
        identifier = article_id(source, f"{key}\n{number}")
    return identifier


def _wanted(found: Sequence[FoundArticle], state: SourceState) -> tuple[list[FoundArticle], frozenset[str]]:
    """The stories we take, each key once, and the keys that the first import left out: they are no news later on."""
    stories = list({story.key: story for story in reversed(found)}.values())
    if state.imported:
        return [story for story in stories if story.key not in state.left_out], state.left_out
    stories.sort(key=lambda story: (story.content.published, story.key), reverse=True)
    return stories[:FIRST_IMPORT], frozenset(story.key for story in stories[FIRST_IMPORT:])


def _keep_pictures(found: Sequence[FoundArticle], folder: Path) -> None:
    for story in found:
        for picture in story.media:
            files.write_media(folder, picture.hash, picture.body)


def _after(state: SourceState, config: SourceConfig, gathered: Gathered, *, now: datetime) -> SourceState:
    """The source's row after this look."""
    failed = gathered.look is Look.FAILED
    silent = gathered.look is Look.UNCHANGED and not gathered.problems  # a 304 says nothing about single stories
    errors = state.errors + 1 if failed else 0
    return replace(
        state,
        memory=gathered.memory if gathered.memory is not None else state.memory,
        imported=state.imported or not failed,
        looked_at=now,
        next_at=next_look(config, gathered, errors=errors, now=now),
        errors=errors,
        look=gathered.look,
        problem=gathered.problem,
        problems=state.problems if failed or silent else gathered.problems,
        suspended=gathered.suspend,
    )
