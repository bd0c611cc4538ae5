"""Editions: their content, their candidates and their books."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, bindparam, case, delete, exists, func, insert, literal, null, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import ArticleState
from syndicate.domain.audience import SubscriptionState
from syndicate.domain.change import ChangeKind
from syndicate.domain.delivery import Exclusion, State
from syndicate.domain.edition import Books, Edition, EditionState
from syndicate.store.db import insert_new, upsert
from syndicate.store.sets import among
from syndicate.store.tables import (
    articles,
    changes,
    deliveries,
    edition_articles,
    edition_books,
    edition_variants,
    editions,
    subscribers,
    subscriptions,
    suppressions,
)

READABLE = (EditionState.FROZEN.value, EditionState.DONE.value)
OPEN_STATES = (State.DUE, State.CLAIMED, State.SENDING, State.DEFERRED)


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """An edition as readers see it; `variant` names which of its renderings it is, `mark` the holes in it."""

    variant: str
    mark: str
    subject: str
    html: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Story:
    """An article in an edition; `left_out` says why it is not shown, "" if it is."""

    article_id: str
    version: int
    position: int
    left_out: str


@dataclass(frozen=True, kw_only=True)
class Holding:
    """An edition that an article stands in, and in which version; `left_out` says why it is not shown, "" if it is."""

    newsletter: str
    slot: str
    state: EditionState
    version: int
    left_out: str


async def begin(connection: AsyncConnection, edition: Edition) -> Edition:
    """Writes the edition of a slot down, or returns the one that is there. `edition.id` is ignored."""
    row = {"newsletter": edition.newsletter, "slot": edition.slot, "slot_at": edition.slot_at}
    row |= {"state": edition.state.value, "cut_from": edition.cut_from, "cut_to": edition.cut_to}
    row |= {"subject": "", "content_hash": "", "created_at": edition.created_at, "why": ""}
    row |= {"channel": edition.channel}
    await insert_new(connection, editions, row)
    found = await by_slot(connection, edition.newsletter, edition.slot)
    if found is None:
        raise LookupError(f"edition {edition.newsletter}/{edition.slot} vanished inside its own transaction")
    return found


async def by_slot(connection: AsyncConnection, newsletter: str, slot: str) -> Edition | None:
    """The edition of a slot."""
    query = select(editions).where(editions.c.newsletter == newsletter, editions.c.slot == slot)
    row = (await connection.execute(query)).one_or_none()
    return _edition(row) if row else None


async def get(connection: AsyncConnection, identifier: int, *, lock: bool = False) -> Edition | None:
    """The edition with this number. With `lock` nobody else moves it on before our commit."""
    query = select(editions).where(editions.c.id == identifier)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return _edition(row) if row else None


async def newest(connection: AsyncConnection, *, limit: int, newsletter: str | None = None) -> list[Edition]:
    """Editions, newest first."""
    query = select(editions).order_by(editions.c.id.desc()).limit(limit)
    rows = await connection.execute(query if newsletter is None else query.where(editions.c.newsletter == newsletter))
    return [_edition(row) for row in rows]


async def readable(connection: AsyncConnection, *, newsletter: str, limit: int) -> list[Edition]:
    """The editions of a newsletter that anybody may read, newest first: frozen and not held, or done."""
    query = select(editions).where(editions.c.newsletter == newsletter, editions.c.state.in_(READABLE))
    return [_edition(row) for row in await connection.execute(query.order_by(editions.c.id.desc()).limit(limit))]


async def unfinished(connection: AsyncConnection, *, newsletter: str | None = None) -> list[Edition]:
    """Editions that are being composed or sent, oldest first."""
    going = (EditionState.COMPOSING.value, EditionState.FROZEN.value)
    query = select(editions).where(editions.c.state.in_(going)).order_by(editions.c.id)
    rows = await connection.execute(query if newsletter is None else query.where(editions.c.newsletter == newsletter))
    return [_edition(row) for row in rows]


async def unsettled(connection: AsyncConnection) -> list[Edition]:
    """Editions that are being sent, and held or cancelled ones of which something is still open, oldest first."""
    still_open = and_(edition_books.c.edition_id == editions.c.id, edition_books.c.open > 0)
    going = or_(editions.c.state == EditionState.FROZEN.value, exists().where(still_open))
    rows = await connection.execute(select(editions).where(going).order_by(editions.c.id))
    return [_edition(row) for row in rows]


async def in_doubt(connection: AsyncConnection) -> list[Edition]:
    """Editions with uncertain deliveries, done and cancelled ones too, oldest first."""
    doubtful = exists().where(edition_books.c.edition_id == editions.c.id, edition_books.c.uncertain > 0)
    rows = await connection.execute(select(editions).where(doubtful).order_by(editions.c.id))
    return [_edition(row) for row in rows]


async def set_state(
    connection: AsyncConnection,
    identifier: int,
    state: EditionState,
    *,
    came_from: Iterable[EditionState],
    **values: Any,
) -> bool:
    """Moves an edition on if it still is where the caller thinks. False: it isn't, and nothing was changed."""
    here = and_(editions.c.id == identifier, editions.c.state.in_([s.value for s in came_from]))
    done = await connection.execute(update(editions).where(here).values(state=state.value, **values))
    return done.rowcount == 1


async def hold_those_with(connection: AsyncConnection, article_id: str, why: str) -> None:
    """Stops what is being sent with this article in it: a person says whether the rest still goes out."""
    shown = select(edition_articles.c.edition_id).where(
        edition_articles.c.article_id == article_id, edition_articles.c.left_out == ""
    )
    going = and_(editions.c.state == EditionState.FROZEN.value, editions.c.id.in_(shown))
    await connection.execute(update(editions).where(going).values(state=EditionState.HELD.value, why=why))


async def withdrawn_stories(connection: AsyncConnection, identifier: int) -> list[str]:
    """Ids of the articles an edition shows that the newsroom has withdrawn."""
    query = select(edition_articles.c.article_id).join(articles, articles.c.id == edition_articles.c.article_id)
    rows = await connection.execute(
        query.where(
            edition_articles.c.edition_id == identifier,
            edition_articles.c.left_out == "",
            articles.c.state == ArticleState.WITHDRAWN.value,
        )
    )
    return [row.article_id for row in rows]


async def put_content(
    connection: AsyncConnection, identifier: int, stories: Sequence[Story], renderings: Sequence[Rendering]
) -> None:
    """Writes what the edition holds and its renderings, in the place of an unfinished earlier try."""
    await connection.execute(delete(edition_articles).where(edition_articles.c.edition_id == identifier))
    await connection.execute(delete(edition_variants).where(edition_variants.c.edition_id == identifier))
    for story in stories:
        await connection.execute(insert(edition_articles).values(edition_id=identifier, **vars(story)))
    for rendering in renderings:
        await connection.execute(insert(edition_variants).values(edition_id=identifier, **vars(rendering)))


async def stories(connection: AsyncConnection, identifier: int) -> list[Story]:
    """What the edition holds and leaves out, in order."""
    query = select(edition_articles).where(edition_articles.c.edition_id == identifier)
    rows = await connection.execute(query.order_by(edition_articles.c.position))
    names = ("article_id", "version", "position", "left_out")
    return [Story(**{name: getattr(row, name) for name in names}) for row in rows]


async def holding(connection: AsyncConnection, article_id: str) -> list[Holding]:
    """Every edition that holds an article or left it out, newest first."""
    columns = (editions.c.newsletter, editions.c.slot, editions.c.state)
    query = select(*columns, edition_articles.c.version, edition_articles.c.left_out)
    query = query.join(edition_articles, edition_articles.c.edition_id == editions.c.id)
    rows = await connection.execute(
        query.where(edition_articles.c.article_id == article_id).order_by(editions.c.id.desc())
    )
    return [Holding(**{**row._asdict(), "state": EditionState(row.state)}) for row in rows]


async def with_article(
    connection: AsyncConnection, article_id: str, newsletters: Iterable[str]
) -> list[tuple[Edition, Story]]:
    """The editions of these newsletters that hold an article or left it out, oldest first, with it as it stands there.

    Those that are still being composed are among them.
    """
    columns = [edition_articles.c[name] for name in Story.__dataclass_fields__]
    query = select(editions, *columns).join(edition_articles, edition_articles.c.edition_id == editions.c.id)
    query = query.where(
        edition_articles.c.article_id == article_id, among(connection, editions.c.newsletter, newsletters)
    )
    rows = (await connection.execute(query.order_by(editions.c.id))).all()
    names = {column.name for column in columns}
    found = []
    for data in (row._asdict() for row in rows):
        story = Story(**{name: data.pop(name) for name in names})
        found.append((Edition(**data | {"state": EditionState(data["state"])}), story))
    return found


async def spanning(connection: AsyncConnection, article_id: str, newsletters: Iterable[str]) -> list[Edition]:
    """The editions of these newsletters in whose spans an article was published or restored, oldest first."""
    news = (ChangeKind.PUBLISHED.value, ChangeKind.RESTORED.value)
    within = and_(editions.c.cut_from < changes.c.seq, changes.c.seq <= editions.c.cut_to)
    query = select(editions).distinct().join(changes, within)
    query = query.where(
        changes.c.article_id == article_id,
        changes.c.kind.in_(news),
        among(connection, editions.c.newsletter, newsletters),
    )
    return [_edition(row) for row in await connection.execute(query.order_by(editions.c.id))]


async def first_cut(connection: AsyncConnection, newsletter: str) -> int | None:
    """Where the span of a newsletter's first edition begins; None: it has had none."""
    query = select(editions.c.cut_from).where(editions.c.newsletter == newsletter)
    return await connection.scalar(query.order_by(editions.c.cut_from).limit(1))


async def told(connection: AsyncConnection, newsletter: str, article_ids: Iterable[str]) -> frozenset[str]:
    """Which of these articles an edition of this newsletter holds, or left out for good."""
    query = select(edition_articles.c.article_id).join(editions, editions.c.id == edition_articles.c.edition_id)
    query = query.where(
        editions.c.newsletter == newsletter,
        editions.c.state != EditionState.COMPOSING.value,
        among(connection, edition_articles.c.article_id, article_ids),
    )
    return frozenset(row.article_id for row in await connection.execute(query))


async def rendering(connection: AsyncConnection, identifier: int, variant: str) -> Rendering | None:
    """One rendering."""
    query = select(edition_variants).where(
        edition_variants.c.edition_id == identifier, edition_variants.c.variant == variant
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return Rendering(variant=row.variant, mark=row.mark, subject=row.subject, html=row.html, text=row.text)


async def add_candidates(
    connection: AsyncConnection, edition: Edition, *, after: int, limit: int, now: datetime
) -> int | None:
    """Inserts the next `limit` active subscribers as `due`, suppressed ones as `excluded`; those there already stay.

    Returns the last subscriber number taken, None when there was nobody left.
    """
    active = (
        select(subscriptions.c.subscriber_id)
        .where(subscriptions.c.newsletter == edition.newsletter, subscriptions.c.subscriber_id > after)
        .where(subscriptions.c.state == SubscriptionState.ACTIVE.value, subscriptions.c.since <= edition.created_at)
        .order_by(subscriptions.c.subscriber_id)
        .limit(limit)
    ).subquery()
    last: int | None = await connection.scalar(select(func.max(active.c.subscriber_id)))
    if last is not None:
        await connection.execute(_candidate_rows(connection, edition, active, now))
    return last


async def forget_candidates(connection: AsyncConnection) -> None:
    """Those of editions that are still being composed. They are written down anew before the freeze."""
    composing = select(editions.c.id).where(editions.c.state == EditionState.COMPOSING.value)
    await connection.execute(delete(deliveries).where(deliveries.c.edition_id.in_(composing)))


async def missing_candidates(connection: AsyncConnection, edition: Edition) -> int:
    """How many active subscribers of before the edition are not among its candidates. Must be 0 at the freeze."""
    there = exists().where(
        deliveries.c.edition_id == edition.id, deliveries.c.subscriber_id == subscriptions.c.subscriber_id
    )
    query = select(func.count()).where(
        subscriptions.c.newsletter == edition.newsletter,
        subscriptions.c.state == SubscriptionState.ACTIVE.value,
        subscriptions.c.since <= edition.created_at,
        ~there,
    )
    return await connection.scalar(query) or 0


async def count_books(connection: AsyncConnection, identifier: int) -> Books:
    """Counts the ledger itself. Once at the freeze and once at the end; pages read `books`."""
    query = select(deliveries.c.state, func.count()).where(deliveries.c.edition_id == identifier)
    counted = {row[0]: row[1] for row in await connection.execute(query.group_by(deliveries.c.state))}
    ended = {s.value: counted.get(s.value, 0) for s in (State.ACCEPTED, State.REFUSED, State.UNCERTAIN, State.EXCLUDED)}
    still_open = sum(counted.get(s.value, 0) for s in OPEN_STATES)
    return Books(candidates=sum(counted.values()), open=still_open, **ended)


async def put_books(connection: AsyncConnection, identifier: int, books: Books) -> None:
    """Sets the kept counts."""
    await upsert(connection, edition_books, {"edition_id": identifier}, vars(books))


async def books(connection: AsyncConnection, identifier: int) -> Books | None:
    """The kept counts; None before the freeze."""
    query = select(edition_books).where(edition_books.c.edition_id == identifier)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return Books(**{k: v for k, v in row._asdict().items() if k != "edition_id"})


async def open_deliveries(connection: AsyncConnection) -> int:
    """How many deliveries of frozen editions are not settled, by the kept counts."""
    query = select(func.sum(edition_books.c.open)).join(editions, editions.c.id == edition_books.c.edition_id)
    return await connection.scalar(query.where(editions.c.state == EditionState.FROZEN.value)) or 0


async def delivery_span(connection: AsyncConnection, identifier: int) -> tuple[int, int] | None:
    """First and last delivery number of an edition; None if it has no candidates."""
    query = select(func.min(deliveries.c.id), func.max(deliveries.c.id)).where(deliveries.c.edition_id == identifier)
    row = (await connection.execute(query)).one()
    return (row[0], row[1]) if row[0] is not None else None


def _candidate_rows(connection: AsyncConnection, edition: Edition, active: Any, now: datetime) -> Any:
    suppressed = exists().where(suppressions.c.digest == subscribers.c.digest)
    moment = bindparam(None, now, type_=deliveries.c.first_due.type, unique=True)
    state = case((suppressed, State.EXCLUDED.value), else_=State.DUE.value)
    reason = case((suppressed, Exclusion.SUPPRESSED.value), else_="")
    settled = case((suppressed, moment), else_=null())
    blank = literal("")
    rows = select(
        *(literal(edition.id), subscribers.c.id, state, reason, literal(0)),
        *(moment, blank, blank, blank, blank, settled),
    ).join(active, active.c.subscriber_id == subscribers.c.id)
    columns = ["edition_id", "subscriber_id", "state", "reason", "attempt"]
    columns += ["first_due", "owner", "code", "text", "provider_ref", "settled_at"]
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return make(deliveries).from_select(columns, rows.where(literal(True))).on_conflict_do_nothing()


def _edition(row: Row[Any]) -> Edition:
    return Edition(**{**row._asdict(), "state": EditionState(row.state)})
