"""`syndicate editions …`: issues of newsletters, their books, and a person's word about them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli import show
from syndicate.cli.newsletters import size_line
from syndicate.cli.opening import with_app
from syndicate.errors import NotFound

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.domain.edition import Edition
    from syndicate.domain.progress import Obstacle

_Edition = Annotated[str, typer.Argument(metavar="NEWSLETTER/SLOT", help="As `editions list` shows it.")]
_Newsletter = Annotated[str | None, typer.Option(metavar="NAME", help="Only of this newsletter.")]


def list_all(
    context: typer.Context, *, newsletter: _Newsletter = None, limit: show.Limit = 20, json: show.Json = False
) -> None:
    """List editions, newest first, with their books, and what is in the way of those that aren't through."""
    rows, zone = with_app(context, lambda app: _list(app, newsletter=newsletter, limit=limit))
    if json:
        show.as_json(rows)
        return
    show.table(
        ("edition", "slot", "state", *_COLUMNS, "subject", "why"),
        [
            (
                *(r["name"], show.moment(r["slot_at"], zone), r["state"]),
                *((r["books"] or {}).get(column, "") for column in _COLUMNS),
                *(r["subject"], _reasons(r, zone)),
            )
            for r in rows
        ],
        empty="There is no edition yet.",
    )


def show_one(context: typer.Context, name: _Edition, *, json: show.Json = False) -> None:
    """Show an edition: its stories, and its books.

    With the version of each story, what was left out and why, and what is in the way of the mails that wait.
    """
    found, zone = with_app(context, lambda app: _show(app, name))
    if json:
        show.as_json(found)
        return
    times = ("slot_at", "created_at", "frozen_at", "done_at")
    show.facts(
        [
            *((key, found[key]) for key in ("name", "subject", "state", "why", "url")),
            *((key.removesuffix("_at"), show.moment(found[key], zone)) for key in times),
            ("span", f"changes {found['cut_from'] + 1} to {found['cut_to']}"),
            ("books", _books_line(found["books"])),
            ("size", size_line(found["html_bytes"])),
            ("variants", str(found["variants"]) if found["variants"] > 1 else ""),
            *(("waits", obstacle_line(one, zone)) for one in found["obstacles"]),
        ]
    )
    print()
    show.table(
        ("story", "version", "title", "left out"),
        [(s["id"], s["version"], s["title"], s["left_out"]) for s in found["stories"]],
        empty="It holds nothing.",
    )


def books(context: typer.Context, name: _Edition, *, json: show.Json = False) -> None:
    """Count an edition's ledger, and compare it with the kept books.

    Exit code 1: the ledger doesn't balance, or the kept books differ from it.
    """
    found = with_app(context, lambda app: _books(app, name))
    if json:
        show.as_json(found)
    else:
        show.facts([("edition", found["name"]), ("state", found["state"]), ("ledger", _books_line(found["ledger"]))])
        print("The books balance." if found["balanced"] else f"The kept books differ: {_books_line(found['kept'])}")
    if not found["balanced"]:
        raise typer.Exit(1)


_COLUMNS = ("candidates", "accepted", "refused", "uncertain", "excluded", "open")


def obstacle_line(obstacle: "Obstacle", zone: str) -> str:
    """What is in the way of an edition, in a sentence."""
    from syndicate.domain.progress import Hindrance

    many = show.count(obstacle.count, "reader")
    match obstacle.what:
        case Hindrance.HOUSE:
            return f"everything is stopped: {obstacle.why}"
        case Hindrance.HELD:
            return f"on hold, for a person to release or cancel it: {obstacle.why or 'no reason was given'}"
        case Hindrance.PAUSED:
            return f"the newsletter is paused: {obstacle.why}"
        case Hindrance.NO_NEWSLETTER:
            return f"{obstacle.why} isn't in the configuration any more"
        case Hindrance.GIVEN_UP:
            batches = show.count(obstacle.count, "batch")
            return f"{batches} given up ({obstacle.why}); `syndicate jobs list` names them, `jobs retry` tries again"
        case Hindrance.IDLE:
            return "nobody is there to send it: neither `syndicate up` nor `once` is running"
        case Hindrance.PUT_OFF:
            until = f" until {show.moment(obstacle.until, zone)}" if obstacle.until else ""
            return f"{many} put off{until}: {obstacle.code} {obstacle.why}".rstrip()
        case Hindrance.DOMAIN:
            return f"{many} held back until {show.moment(obstacle.until, zone)}: {obstacle.why}"
        case Hindrance.PACE:
            return f"{many} wait for room, the first until {show.moment(obstacle.until, zone)}: {obstacle.why}"
        case Hindrance.THEIR_HOUR:
            return f"{many} want it later in their day, the first at {show.moment(obstacle.until, zone)}"


def _reasons(row: dict[str, Any], zone: str) -> str:
    return "; ".join(obstacle_line(one, zone) for one in row["obstacles"]) or str(row["why"])


async def edition_of(app: "App", name: str) -> "Edition":
    """The edition called NEWSLETTER/SLOT. Raises NotFound."""
    from syndicate.store import editions

    newsletter, _, slot = name.partition("/")
    async with app.db.read() as connection:
        edition = await editions.by_slot(connection, newsletter, slot)
        newest = await editions.newest(connection, limit=3)
    if edition is None:
        raise NotFound("edition", name, known=tuple(f"{one.newsletter}/{one.slot}" for one in newest))
    return edition


def _named(edition: "Edition") -> dict[str, Any]:
    return {"name": f"{edition.newsletter}/{edition.slot}", **vars(edition)}


def _books_line(books: Any) -> str:
    return "" if books is None else show.words(f"{books[column]} {column}" for column in _COLUMNS)


async def _list(app: "App", *, newsletter: str | None, limit: int) -> tuple[list[dict[str, Any]], str]:
    from syndicate.pipeline.progress import look_at_progress
    from syndicate.store import editions

    async with app.db.read() as connection:
        found = await editions.newest(connection, limit=limit, newsletter=newsletter)
    listed = await look_at_progress(app.db, found, app.newsletters, whole=False, now=app.clock.now())
    rows = [
        _named(one.edition) | {"books": vars(one.books) if one.books else None, "obstacles": one.obstacles}
        for one in listed
    ]
    return rows, app.site.timezone


async def _show(app: "App", name: str) -> tuple[dict[str, Any], str]:
    from syndicate.formats.digest import html_size
    from syndicate.pipeline.progress import look_at_progress
    from syndicate.pipeline.render import VARIANT, edition_url
    from syndicate.store import articles, editions

    edition = await edition_of(app, name)
    async with app.db.read() as connection:
        kept = await editions.books(connection, edition.id)
        rendering = await editions.rendering(connection, edition.id, VARIANT)
        variants = await editions.numbers(connection, edition.id)
        stories = [
            (story, await articles.version(connection, story.article_id, story.version))
            for story in await editions.stories(connection, edition.id)
        ]
    found = _named(edition) | {"url": edition_url(app.site, edition.newsletter, edition.slot)}
    (progress,) = await look_at_progress(app.db, [edition], app.newsletters, whole=True, now=app.clock.now())
    found["books"] = vars(kept) if kept else None
    found["obstacles"] = progress.obstacles
    found["html_bytes"] = html_size(rendering.html) if rendering else None
    found["variants"] = len(variants)
    found["stories"] = [
        {"id": s.article_id, "version": s.version, "title": c.title if c else "", "left_out": s.left_out}
        for s, c in stories
    ]
    return found, app.site.timezone


async def _books(app: "App", name: str) -> dict[str, Any]:
    from syndicate.store import editions

    edition = await edition_of(app, name)
    async with app.db.read() as connection:
        counted = await editions.count_books(connection, edition.id)
        kept = await editions.books(connection, edition.id)
    return {
        "name": f"{edition.newsletter}/{edition.slot}",
        "state": edition.state,
        "ledger": vars(counted),
        "kept": vars(kept) if kept else None,
        "balanced": counted.balance and (kept is None or kept == counted),
    }
