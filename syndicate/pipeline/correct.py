"""The desk's word → the change log: a story is corrected, withdrawn or brought back by a person of the newsroom.

What follows is what follows a newsroom's own change: feeds, pages and pushes read on from the log, and editions that
are being sent with a withdrawn story are put on hold. What the source goes on showing doesn't undo it; see
domain/desk.py.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.account import Deed, Entry
from syndicate.domain.article import Article, ArticleState, Content, Edit, content_hash
from syndicate.domain.change import ChangeKind
from syndicate.domain.desk import DeskChange, DeskWord, content_after, refuse_senseless, word_after
from syndicate.domain.edition import EditionState
from syndicate.domain.feed import Feed
from syndicate.domain.markup import one_line
from syndicate.domain.partner import Endpoint
from syndicate.errors import NotFound, Refused
from syndicate.jail import Jail, JailFailure
from syndicate.pipeline.likeness import Prints, find_likeness, foresee, kin_of, note_likeness, says_the_same
from syndicate.pipeline.notify import foresee_push
from syndicate.pipeline.record import ask_for_publishing, log_change, log_withdrawal
from syndicate.store import accounts, articles, desk, editions, partners
from syndicate.store.db import Database
from syndicate.store.editions import Holding

_DEEDS = {
    ChangeKind.CORRECTED: Deed.CORRECTED,
    ChangeKind.WITHDRAWN: Deed.WITHDRAWN,
    ChangeKind.RESTORED: Deed.RESTORED,
}
_CLEANER = "syndicate.sources.read.clean:clean_article"


@dataclass(frozen=True, kw_only=True)
class Text:
    """What a person wrote in the place of what stands there; None leaves that as it is."""

    title: str | None = None
    summary: str | None = None
    body: str | None = None
    body_format: str = "html"  # or "markdown"


@dataclass(frozen=True, kw_only=True)
class ToldIn:
    """An edition that holds the story, and to how many it went."""

    name: str  # NEWSLETTER/SLOT
    state: EditionState
    version: int
    mails: int  # accepted, or uncertain
    unsent: int


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What follows a change of the desk."""

    article: Article  # as it would stand
    kind: ChangeKind
    feeds: tuple[str, ...]
    pushes: Mapping[str, ChangeKind]  # endpoint → what it would be told
    switched_off: tuple[str, ...]  # of those endpoints: they are told once a person has enabled them
    editions: tuple[ToldIn, ...]
    doubles: tuple[str, ...]  # the same story, posted again or carried by another source: left as they are


async def read_text(jail: Jail, article: Article, text: Text) -> dict[str, str]:
    """What a person wrote, as the fields of a version. Raises Refused for a text that can't be one.

    A summary that was only made from the body is made anew with it.
    """
    says: dict[str, str] = {}
    if text.title is not None:
        says["title"] = one_line(text.title)
    if text.body is not None:
        body, summary = await _cleaned(jail, article.content, text.body, text.body_format)
        _, made_before = await _cleaned(jail, article.content, article.content.body_html, "html")
        says["body_html"] = body
        if article.content.summary == made_before:
            says["summary"] = summary
    if text.summary is not None:
        says["summary"] = one_line(text.summary)
    for name in ("title", "body_html"):
        if says.get(name) == "":
            raise Refused(f"the {name.partition('_')[0]} is empty; to take the story down, withdraw it")
    return says


async def find_article(db: Database, identifier: str) -> Article:
    """The story as it stands. Raises NotFound."""
    async with db.read() as connection:
        return await _article(connection, identifier)


async def foresee_change(
    db: Database,
    identifier: str,
    change: DeskChange,
    *,
    feeds: Iterable[Feed],
    endpoints: Iterable[Endpoint],
    now: datetime,
) -> Forecast:
    """What would follow. Writes nothing. Raises NotFound and Refused as `change_article`."""
    async with db.read() as connection:
        held = await _article(connection, identifier)
        after, _ = await _decide(connection, held, change, now=now)
        told = {one.name: await foresee_push(connection, one, after, change.kind) for one in endpoints}
        pushes = {name: kind for name, kind in told.items() if kind is not None}
        off = await partners.disabled(connection)
        kin = await kin_of(connection, identifier)
        holding = [await _told_in(connection, one) for one in await editions.holding(connection, identifier)]
    return Forecast(
        article=after,
        kind=change.kind,
        feeds=tuple(sorted(feed.name for feed in feeds if feed.selection.holds(after))),
        pushes=pushes,
        switched_off=tuple(sorted(pushes.keys() & off.keys())),
        editions=tuple(one for one in holding if one is not None),
        doubles=tuple(one.id for one in (*kin.doubles, *kin.also_at) if one.state is ArticleState.PUBLISHED),
    )


async def change_article(db: Database, identifier: str, change: DeskChange, *, who: str, now: datetime) -> Article:
    """Writes the change down, and who said so. Raises NotFound, and Refused for what makes no sense as it stands."""
    prints = await _prints(db, identifier, change, now=now)
    async with db.write() as connection:
        await articles.lock(connection, [identifier])
        held = await _article(connection, identifier)
        after, word = await _decide(connection, held, change, now=now)
        if after.version > held.version:
            await articles.add_version(connection, after, digest=content_hash(after.content), churn=0)
            if not says_the_same(held.content, after.content):
                found = await find_likeness(connection, held.source, after.content, prints, now=now, held=after)
                await note_likeness(connection, after, found, now=now)
        if change.kind is ChangeKind.WITHDRAWN:
            logged = await log_withdrawal(connection, after, note=after.note, now=now)
        else:
            logged = await log_change(connection, after, change.kind)
        await desk.put_word(connection, identifier, word)
        said = Entry(at=now, who=who, what=_DEEDS[change.kind], subject=identifier, note=after.note)
        await accounts.note(connection, said)
        await ask_for_publishing(connection, now=now)
    return logged


async def _decide(
    connection: AsyncConnection, held: Article, change: DeskChange, *, now: datetime
) -> tuple[Article, DeskWord | None]:
    """The story as it would stand, not logged yet, and what would be remembered against its source."""
    refuse_senseless(change, held)
    word = (await desk.words(connection, [held.id])).get(held.id)
    content = content_after(held, word, change, now=now)
    withdrawn = change.kind is ChangeKind.WITHDRAWN
    after = replace(
        held,
        state=ArticleState.WITHDRAWN if withdrawn else ArticleState.PUBLISHED,
        changed_at=now,
        loud_at=held.loud_at if change.kind is ChangeKind.RESTORED else now,
        note=one_line(change.note),
    )
    if content_hash(content) != content_hash(held.content):
        after = replace(after, version=held.version + 1, content=content, edit=Edit.MAJOR)
    return after, word_after(held, word, change, now=now)


async def _prints(db: Database, identifier: str, change: DeskChange, *, now: datetime) -> Prints:
    """Texts are read for likeness before the transaction: a long one takes a tenth of a second."""
    async with db.read() as connection:
        held = await _article(connection, identifier)
        after, _ = await _decide(connection, held, change, now=now)
    return Prints() if says_the_same(held.content, after.content) else await foresee(db, [after.content], now=now)


async def _article(connection: AsyncConnection, identifier: str) -> Article:
    found = await articles.get(connection, identifier)
    if found is None:
        raise NotFound("article", identifier)
    return found


async def _told_in(connection: AsyncConnection, held: Holding) -> ToldIn | None:
    """None for an edition that left the story out."""
    edition = await editions.by_slot(connection, held.newsletter, held.slot)
    books = await editions.books(connection, edition.id) if edition else None
    if held.left_out:
        return None
    return ToldIn(
        name=f"{held.newsletter}/{held.slot}",
        state=held.state,
        version=held.version,
        mails=books.accepted + books.uncertain if books else 0,
        unsent=books.open if books else 0,
    )


async def _cleaned(jail: Jail, content: Content, text: str, form: str) -> tuple[str, str]:
    """A body as the sanitiser leaves it, and the summary that would be made from it."""
    answer = await jail.call(_CLEANER, text.encode(), format=form, base=content.url or "")
    if isinstance(answer, JailFailure):
        raise Refused(f"the text can't be read ({answer.kind}): {answer.detail}")
    return answer.payload.decode(), answer.value["summary"]
