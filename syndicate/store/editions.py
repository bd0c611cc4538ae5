"""Editions: their content, their candidates and their books."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import ArticleState
from syndicate.domain.audience import Rhythm
from syndicate.domain.change import ChangeKind
from syndicate.domain.delivery import State
from syndicate.domain.edition import Books, Edition, EditionState
from syndicate.domain.variant import WHOLE
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
)

READABLE = (EditionState.FROZEN.value, EditionState.DONE.value)
OPEN_STATES = (State.DUE, State.CLAIMED, State.SENDING, State.DEFERRED)


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """An edition as readers see it; `variant` names which of its renderings it is, `mark` the holes in it."""

    variant: str  # the number as a name, but for the whole edition's, which is "all"
    mark: str
    subject: str
    html: str
    text: str
    number: int = WHOLE


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
    row |= {"channel": edition.channel, "rhythm": edition.rhythm.value}
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


async def of_delivery(connection: AsyncConnection, delivery: int) -> tuple[Edition, int] | None:
    """The edition that a delivery is of, and the number of its variant."""
    query = select(editions, deliveries.c.variant).join(deliveries, deliveries.c.edition_id == editions.c.id)
    row = (await connection.execute(query.where(deliveries.c.id == delivery))).one_or_none()
    if row is None:
        return None
    data = row._asdict()
    variant: int = data.pop("variant")
    return _from_record(data), variant


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


async def held(connection: AsyncConnection, newsletter: str) -> list[Edition]:
    """The editions of a newsletter that are on hold, oldest first."""
    here = editions.c.newsletter == newsletter, editions.c.state == EditionState.HELD.value
    rows = await connection.execute(select(editions).where(*here).order_by(editions.c.id))
    return [_edition(row) for row in rows]


async def unfinished_of(connection: AsyncConnection, newsletter: str, rhythm: Rhythm) -> Edition | None:
    """The edition of a rhythm that is being composed, if there is one."""
    query = select(editions).where(editions.c.newsletter == newsletter, editions.c.rhythm == rhythm.value)
    row = (await connection.execute(query.where(editions.c.state == EditionState.COMPOSING.value))).first()
    return _edition(row) if row else None


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
        found.append((_from_record(data), story))
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


async def told(
    connection: AsyncConnection, newsletter: str, article_ids: Iterable[str], *, rhythm: Rhythm = Rhythm.EACH
) -> frozenset[str]:
    """Which of these articles an edition of this newsletter and rhythm holds, or left out for good."""
    query = select(edition_articles.c.article_id).join(editions, editions.c.id == edition_articles.c.edition_id)
    query = query.where(
        editions.c.newsletter == newsletter,
        editions.c.rhythm == rhythm.value,
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
    return None if row is None else _rendering(row)


async def renderings(connection: AsyncConnection, identifier: int, numbers: Iterable[int]) -> dict[int, Rendering]:
    """Those of its renderings that have these numbers."""
    query = select(edition_variants).where(
        edition_variants.c.edition_id == identifier, among(connection, edition_variants.c.number, numbers)
    )
    return {row.number: _rendering(row) for row in await connection.execute(query)}


async def numbers(connection: AsyncConnection, identifier: int, *, unrendered: bool = False) -> list[int]:
    """The numbers of an edition's variants; of those that are still to be rendered."""
    query = select(edition_variants.c.number).where(edition_variants.c.edition_id == identifier)
    query = query.where(edition_variants.c.mark == "") if unrendered else query
    return [row.number for row in await connection.execute(query.order_by(edition_variants.c.number))]


async def marks(connection: AsyncConnection, identifier: int) -> dict[int, str]:
    """The mark of each rendering by its number; "" for those that are still to be rendered."""
    query = select(edition_variants.c.number, edition_variants.c.mark)
    rows = await connection.execute(query.where(edition_variants.c.edition_id == identifier))
    return {row.number: row.mark for row in rows}


async def set_rendering(connection: AsyncConnection, identifier: int, rendering: Rendering) -> None:
    """Writes a variant's rendering down, whose number readers have already."""
    values = {name: getattr(rendering, name) for name in ("mark", "subject", "html", "text")}
    here = edition_variants.c.edition_id == identifier, edition_variants.c.number == rendering.number
    await connection.execute(update(edition_variants).where(*here).values(**values))


async def put_rendering(connection: AsyncConnection, identifier: int, whole: Rendering) -> None:
    """The whole edition anew, of the same stories: readers keep their variants, which are rendered anew as well."""
    await set_rendering(connection, identifier, whole)
    others = edition_variants.c.edition_id == identifier, edition_variants.c.number != whole.number
    blank = dict.fromkeys(("mark", "subject", "html", "text"), "")
    await connection.execute(update(edition_variants).where(*others).values(**blank))


async def cuts(connection: AsyncConnection, identifiers: Iterable[int]) -> dict[int, int]:
    """Up to which change of the log these editions tell."""
    query = select(editions.c.id, editions.c.cut_to).where(among(connection, editions.c.id, identifiers))
    return {row.id: row.cut_to for row in await connection.execute(query)}


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


def _rendering(row: Row[Any]) -> Rendering:
    names = ("variant", "mark", "subject", "html", "text", "number")
    return Rendering(**{name: getattr(row, name) for name in names})


def _edition(row: Row[Any]) -> Edition:
    return _from_record(row._asdict())


def _from_record(data: dict[str, Any]) -> Edition:
    return Edition(**data | {"state": EditionState(data["state"]), "rhythm": Rhythm(data["rhythm"])})
