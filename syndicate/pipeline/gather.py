"""Source → article versions and the change log.

One look at a newsroom becomes versions and changes. What the source remembers (its validators) is saved with the last
of the stories it belongs to, so a crash before it costs a second look and never a story.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import (
    CHURN_LIMIT,
    Article,
    ArticleState,
    Content,
    Edit,
    article_id,
    content_hash,
    edit_class,
    next_content,
    public_id,
    sort_time,
)
from syndicate.domain.change import ChangeKind, change_kind
from syndicate.domain.desk import DeskWord, is_desk_s, taken_down, weigh
from syndicate.domain.feed import Site
from syndicate.domain.likeness import WINDOW
from syndicate.domain.merge import are_apart, better_key, merged
from syndicate.domain.source import (
    RECENT,
    Failing,
    Fault,
    FoundArticle,
    Gathered,
    Look,
    SourceConfig,
    next_look,
    still_failing,
    suspension,
)
from syndicate.pipeline.likeness import Prints, find_likeness, foresee, heir_of, note_likeness, says_the_same
from syndicate.pipeline.pictures import YOUNG, Album, Round, credited, still_lacking, with_pictures
from syndicate.pipeline.record import ask_for_publishing, log_change, log_withdrawal
from syndicate.ports import Source
from syndicate.store import articles, desk, files, likeness, sources
from syndicate.store.db import Database
from syndicate.store.sources import SourceState

FIRST_IMPORT = 200  # newest articles that a first import brings
_PATIENT_IMPORT = timedelta(hours=24)  # a feed that is always malformed counts as imported after this
_CHUNK, _CHUNK_TEXT = 60, 150_000  # articles a transaction, and characters of theirs: long texts take longer
log = structlog.get_logger()
_YOUNG_ONES = 50  # stories whose pictures are looked at between two of their own edits


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
    first_import: bool
    keys: frozenset[str]
    now: datetime
    since: datetime | None = None  # of a channel that is new to us: what is older than the source here is no news
    taken: set[str] = field(default_factory=set)  # ids of articles that a story of this look is
    prints: Prints = field(default_factory=Prints)  # made ahead of the transaction
    words: dict[str, DeskWord] = field(default_factory=dict)  # the desk's, on the stories of the transaction


async def gather_source(
    db: Database, config: SourceConfig, source: Source, *, site: Site, album: Album, chance: float, now: datetime
) -> GatherReport:
    """Looks at one source and takes over what changed. `chance`, in [0, 1), keeps sources from coming in step."""
    async with db.write() as connection:
        await sources.know(connection, [config.name], now=now)
    async with db.read() as connection:
        state = await sources.get(connection, config.name)
        first = await articles.first_seen(connection, config.name)
    if state is None:
        raise LookupError(f"the row of source {config.name} vanished")
    gathered = await _look_at(source, config, state, now=now)
    found, left_out = _wanted(gathered.articles, state)
    await asyncio.to_thread(_keep_pictures, found, album.folder)
    tour = Round()
    found, missing = await with_pictures(db, config, found, album, tour, now=now)
    gathered = replace(gathered, problems=tuple(dict.fromkeys((*gathered.problems, *missing))))
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
        first_import=not state.imported,
        keys=frozenset(story.key for story in found),
        now=now,
        since=first if gathered.importing and state.imported else None,
    )
    last = await _take_over(db, look, found, gathered, report)
    ahead = await _with_prints(db, look, last)
    async with db.write() as connection:
        await _take_chunk(connection, ahead, last, report)
        await _withdraw_gone(connection, look, gathered.gone, report)
        latest = await articles.latest(connection, limit=RECENT, source=config.name)
        recent = [article.content.published for article in latest]
        after = replace(_after(state, config, gathered, recent, chance=chance, now=now), left_out=left_out)
        if gathered.look is Look.DEGRADED and not state.imported:
            after = replace(after, imported=await _has_waited(connection, config, now=now))
        await sources.save(connection, after)
        await likeness.forget_before(connection, now - WINDOW)
    if gathered.look is not Look.FAILED:
        await _look_at_pictures(db, look, album, tour, report)
    return report


async def _look_at(source: Source, config: SourceConfig, state: SourceState, *, now: datetime) -> Gathered:
    """One look. A fault of our own with what a newsroom answers is a failed look, seen and backed off from."""
    try:
        return await source.gather(state.memory, now=now)
    except Exception as error:  # the top of a look: else the job would try again and again, and nobody would see it
        log.exception("source.broken", source=config.name)
        problem = f"reading what it answered failed ({type(error).__name__}); the log has the details"
        return Gathered(look=Look.FAILED, fault=Fault.HARD, problem=problem)


async def _look_at_pictures(db: Database, look: _Look, album: Album, tour: Round, report: GatherReport) -> None:
    """Of stories that this look didn't show: young ones may have a new picture, others wait for their first."""
    lacking = await still_lacking(db, look.config.name, now=look.now)
    async with db.read() as connection:
        latest = await articles.latest(connection, limit=_YOUNG_ONES, source=look.config.name)
        waiting = await articles.by_ids(connection, lacking)
    young = [a for a in latest if a.state is ArticleState.PUBLISHED and look.now - a.content.published <= YOUNG]
    unseen = {a.id: a for a in (*young, *waiting.values()) if a.id not in look.taken}
    shown = [FoundArticle(key=a.source_key, content=a.content) for a in unseen.values()]
    dressed, _ = await with_pictures(db, look.config, shown, album, tour, now=look.now)
    pairs = zip(shown, dressed, strict=True)  # before and after
    changed = {a.key: a for b, a in pairs if b.content.picture != _credited(a.content, look).picture}
    if not changed:
        return
    async with db.write() as connection:
        ids = await articles.known(connection, look.config.name, changed)
        standing = await articles.by_ids(connection, ids.values())
        still = {one.source_key for one in standing.values() if one.state is ArticleState.PUBLISHED}
        await _take_chunk(connection, look, [story for key, story in changed.items() if key in still], report)


async def _has_waited(connection: AsyncConnection, config: SourceConfig, *, now: datetime) -> bool:
    """A first import that came malformed may lack stories, which must not be news later; but not for ever."""
    since = await articles.first_seen(connection, config.name)
    return since is not None and now - since >= _PATIENT_IMPORT


async def _take_over(
    db: Database, look: _Look, found: Sequence[FoundArticle], gathered: Gathered, report: GatherReport
) -> Sequence[FoundArticle]:
    """Stories go in oldest first, so that the change log tells them in the order they were written.

    Returns the last chunk, which is for the transaction of the source's memory: a story that came in without its
    source knowing of it would stay for good if the newsroom took it down before the next look.
    """
    if gathered.moved:
        async with db.write() as connection:
            for old, new in gathered.moved.items():
                await _rename(connection, look, old, new)
    chunks = _chunks(sorted(found, key=lambda story: (story.content.published, story.key)))
    for chunk in chunks[:-1]:
        ahead = await _with_prints(db, look, chunk)
        async with db.write() as connection:
            await _take_chunk(connection, ahead, chunk, report)
    return chunks[-1]


def _chunks(stories: Sequence[FoundArticle]) -> list[list[FoundArticle]]:
    """What one transaction takes; always at least one chunk."""
    chunks: list[list[FoundArticle]] = [[]]
    for story in stories:
        size = sum(len(one.content.body_html) for one in (*chunks[-1], story))
        if chunks[-1] and (len(chunks[-1]) == _CHUNK or size > _CHUNK_TEXT):
            chunks.append([])
        chunks[-1].append(story)
    return chunks


async def _with_prints(db: Database, look: _Look, chunk: Sequence[FoundArticle]) -> _Look:
    """The look with the prints of what these stories say anew, and of what they will be compared with."""
    async with db.read() as connection:
        ids, standing = await _known(connection, look, chunk)
    said: list[Content] = []
    for story in chunk:
        held = _same(story, ids, standing, look)
        shown = merged(held.content, story.content) if held else story.content
        if held is None or not says_the_same(held.content, shown):
            said.append(shown)
    return replace(look, prints=await foresee(db, said, now=look.now))


async def _take_chunk(
    connection: AsyncConnection, look: _Look, chunk: Sequence[FoundArticle], report: GatherReport
) -> None:
    ids, standing = await _known(connection, look, chunk, lock=True)
    look.words.update(await desk.words(connection, standing))
    before = report.changed
    for story in chunk:
        taken = await _take_story(connection, look, story, _same(story, ids, standing, look), report)
        standing[taken.id] = taken
        look.taken.add(taken.id)
    if report.changed > before:
        await ask_for_publishing(connection, now=look.now)


async def _known(
    connection: AsyncConnection, look: _Look, chunk: Sequence[FoundArticle], *, lock: bool = False
) -> tuple[dict[str, str], dict[str, Article]]:
    """By all their names: which articles these stories may be, and how those stand."""
    names = [name for story in chunk for name in (story.key, *story.aliases)]
    ids = await articles.known(connection, look.config.name, names)
    if lock:
        await articles.lock(connection, set(ids.values()))
    return ids, await articles.by_ids(connection, set(ids.values()))


def _same(story: FoundArticle, ids: dict[str, str], standing: dict[str, Article], look: _Look) -> Article | None:
    """The article this story is a new look at: by its key, else by another name.

    A name that belongs to another story of the same look proves nothing (several stories may share a link); so an
    old article goes to the first of two new ones that claim it.
    """
    for name in (story.key, *story.aliases):
        other = standing.get(ids.get(name, ""))
        if other is None or other.id in look.taken or are_apart(other.source_key, story.key):
            continue
        if other.source_key == story.key or other.source_key not in look.keys:
            return other
    return None


async def _take_story(
    connection: AsyncConnection, look: _Look, story: FoundArticle, held: Article | None, report: GatherReport
) -> Article:
    """Publishes or revises one story; returns the article as it stands then."""
    for picture in story.media:
        await articles.add_media(connection, picture, now=look.now)
    if held is None:
        held = await _publish(connection, look, story, report)
    else:
        held = await _revise(connection, look, story, held, report)
        if better_key(held.source_key, story.key) != held.source_key:
            await articles.rename(connection, held, story.key)
            await articles.add_aliases(connection, look.config.name, held.id, [held.source_key])
            held = replace(held, source_key=story.key)
    names = {story.key, *story.aliases} - {held.source_key}
    await articles.add_aliases(connection, look.config.name, held.id, sorted(names))
    return held


async def _publish(connection: AsyncConnection, look: _Look, story: FoundArticle, report: GatherReport) -> Article:
    """A story we have never seen."""
    identifier = await _free_id(connection, look.config.name, story.key)
    content = _credited(story.content, look)
    found = await find_likeness(connection, look.config.name, content, look.prints, now=look.now)
    old = look.first_import or (look.since is not None and story.content.published < look.since)
    article = Article(
        id=identifier,
        public_id=public_id(look.site.tag_host, look.now.year, identifier),
        source=look.config.name,
        source_key=story.key,
        version=1,
        content=content,
        edit=Edit.FIRST,
        state=ArticleState.PUBLISHED,
        first_seen=look.now,
        sort_at=sort_time(story.content.published, look.now, first_import=old),
        seq=0,
        changed_at=look.now,
        announced=not old or look.config.first_import_mail,
    )
    await articles.add(connection, article, digest=content_hash(content))
    await note_likeness(connection, article, found, now=look.now)
    report.published += 1
    return await _log(connection, article, ChangeKind.PUBLISHED, report)


async def _revise(
    connection: AsyncConnection, look: _Look, story: FoundArticle, held: Article, report: GatherReport
) -> Article:
    """A story we have: edited, back again, or just as it was; as far as the desk's word lets the source say so."""
    word = look.words.get(held.id)
    shown = _credited(merged(word.shown if word else held.content, story.content), look)
    if word is not None:
        ruling = weigh(word, shown)
        await _remember(connection, look, word, ruling.word)
        if ruling.stays_withdrawn:
            return held
        shown = ruling.content
    digest, churn = await articles.held_hash(connection, held.id)
    new_digest = content_hash(shown)
    if held.state is ArticleState.WITHDRAWN:
        held = replace(held, state=ArticleState.PUBLISHED, note="", changed_at=look.now)
        report.restored += 1
        held = await _log(connection, held, ChangeKind.RESTORED, report)
    if digest == new_digest:
        return held
    kind = change_kind(held.content, shown)
    churn = churn + 1 if shown.updated <= held.content.updated else 0
    said = kind is ChangeKind.CORRECTED or shown.title != held.content.title
    if churn > CHURN_LIMIT and not said:
        return held
    edit = edit_class(held.content, shown)
    content = next_content(held.content, shown, edit, now=look.now)
    loud = look.now if kind is ChangeKind.CORRECTED else held.loud_at
    version = held.version + 1
    before, held = held, replace(held, version=version, content=content, edit=edit, changed_at=look.now, loud_at=loud)
    await articles.add_version(connection, held, digest=new_digest, churn=churn)
    if not says_the_same(before.content, content):
        found = await find_likeness(connection, held.source, content, look.prints, now=look.now, held=held)
        await note_likeness(connection, held, found, now=look.now)
    report.updated += 1
    return await _log(connection, held, kind, report)


async def _remember(connection: AsyncConnection, look: _Look, before: DeskWord, word: DeskWord | None) -> None:
    """What is left of the desk's word after a look."""
    if word == before:
        return
    await desk.put_word(connection, before.article_id, word)
    if word is None:
        del look.words[before.article_id]
    else:
        look.words[before.article_id] = word


def _credited(content: Content, look: _Look) -> Content:
    """By the operator's word on pictures without a name, once it is sure which channel's picture it is."""
    return credited(content, required=look.config.credit_required)


async def _withdraw_gone(connection: AsyncConnection, look: _Look, gone: frozenset[str], report: GatherReport) -> None:
    """Stories the source itself says are no more."""
    ids = set((await articles.known(connection, look.config.name, gone)).values())
    await articles.lock(connection, ids)
    said = await desk.words(connection, ids)
    away_ones = []
    for article in (await articles.by_ids(connection, ids)).values():
        word = said.get(article.id)
        if article.source_key not in gone or is_desk_s(word, ArticleState.PUBLISHED):
            continue
        if article.state is ArticleState.PUBLISHED:
            report.withdrawn += 1
            away_ones.append(await log_withdrawal(connection, article, note="", now=look.now))
            report.ids.append(article.id)
        elif word is not None and is_desk_s(word, ArticleState.WITHDRAWN):
            await desk.put_word(connection, article.id, taken_down(word))
    for away in away_ones:
        await _announce_heir(connection, look, away, report)
    if report.withdrawn:
        await ask_for_publishing(connection, now=look.now)


async def _announce_heir(connection: AsyncConnection, look: _Look, away: Article, report: GatherReport) -> None:
    """A newsroom that posted a story twice took the first down: the second goes to who was told of the first only."""
    heir = await heir_of(connection, away)
    if heir is not None:
        await _log(connection, replace(heir, changed_at=look.now), ChangeKind.PUBLISHED, report)


async def _log(connection: AsyncConnection, article: Article, kind: ChangeKind, report: GatherReport) -> Article:
    """A change, and the story in the report."""
    report.ids.append(article.id)
    return await log_change(connection, article, kind)


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
    """The stories we take, each key once, and the names of those that the first import left out: they are no news."""
    once = {story.key: story for story in reversed(found)}.values()
    stories = [story for story in once if not state.left_out.intersection((story.key, *story.aliases))]
    if state.imported:
        return stories, state.left_out
    stories.sort(key=lambda story: (story.content.published, story.key), reverse=True)
    beyond = {name for story in stories[FIRST_IMPORT:] for name in (story.key, *story.aliases)}
    return stories[:FIRST_IMPORT], state.left_out | beyond


def _keep_pictures(found: Sequence[FoundArticle], folder: Path) -> None:
    for story in found:
        for picture in story.media:
            files.write_media(folder, picture.hash, picture.body)


def _after(
    state: SourceState,
    config: SourceConfig,
    gathered: Gathered,
    recent: Sequence[datetime],
    *,
    chance: float,
    now: datetime,
) -> SourceState:
    """The source's row after this look. `recent`: when its newest stories were published."""
    failed = gathered.look is Look.FAILED
    silent = gathered.look is Look.UNCHANGED and not gathered.problems  # a 304 says nothing about single stories
    before = Failing(errors=state.errors, strikes=state.strikes, failing_since=state.failing_since)
    failing = still_failing(before, gathered, now=now)
    why = suspension(config, gathered, failing, now=now)
    first = state.looked_at is None
    return replace(
        state,
        **vars(failing),
        memory=gathered.memory if gathered.memory is not None else state.memory,
        imported=state.imported or gathered.look in (Look.OK, Look.UNCHANGED),
        looked_at=now,
        next_at=next_look(config, gathered, errors=failing.errors, now=now, recent=recent, chance=chance, first=first),
        look=gathered.look,
        problem=why or gathered.problem,
        problems=state.problems if failed or silent else gathered.problems,
        suspended=bool(why),
    )
