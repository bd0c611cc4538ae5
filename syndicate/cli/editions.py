"""`syndicate editions …`: issues of newsletters, their books, and a person's word about them."""

import secrets
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli import show
from syndicate.cli.newsletters import newsletter_of, size_line
from syndicate.cli.opening import with_app
from syndicate.errors import ConfigError, NotFound, Refused

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.domain.delivery import Outcome
    from syndicate.domain.edition import Edition

_Edition = Annotated[str, typer.Argument(metavar="NEWSLETTER/SLOT", help="As `editions list` shows it.")]
_Newsletter = Annotated[str | None, typer.Option(metavar="NAME", help="Only of this newsletter.")]
_Look = Annotated[bool, typer.Option("--look", help="Ask the channel which of them it took over.")]
_Resend = Annotated[bool, typer.Option("--resend", help="My word: send all of them again, arrived or not.")]
_Why = Annotated[str, typer.Option(help="The reason, for those who look later.")]


def list_all(
    context: typer.Context, *, newsletter: _Newsletter = None, limit: show.Limit = 20, json: show.Json = False
) -> None:
    """List editions, newest first, with their books."""
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
                *(r["subject"], r["why"]),
            )
            for r in rows
        ],
        empty="There is no edition yet.",
    )


def show_one(context: typer.Context, name: _Edition, *, json: show.Json = False) -> None:
    """Show an edition: its stories, and its books.

    With the version of each story, and what was left out and why.
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


def doubts(
    context: typer.Context,
    name: _Edition,
    *,
    look: _Look = False,
    resend: _Resend = False,
    dry_run: show.DryRun = False,
    json: show.Json = False,
) -> None:
    """List the mails of an edition that may or may not have gone out, or settle them.

    They are never sent again by themselves. What --look proves unsent goes out again.
    """
    if look and resend:
        raise ConfigError("say one of --look and --resend")
    found = with_app(context, lambda app: _doubts(app, name, look=look, resend=resend, dry_run=dry_run), secrets=look)
    if json:
        show.as_json(found)
        return
    if found["said"]:
        print(found["said"])
    rows = [(d["delivery"], d["address"], d["code"], d["text"]) for d in found["uncertain"]]
    show.table(("delivery", "address", "code", "what was said"), rows, empty="No delivery is uncertain.")


def hold(context: typer.Context, name: _Edition, *, why: _Why = "held by the operator") -> None:
    """Stop an edition at once, until it is released.

    Nothing more is handed over; what is on the wire ends by itself.
    """

    async def work(app: "App") -> None:
        from syndicate.pipeline.enqueue import hold_edition

        await hold_edition(app.db, await edition_of(app, name), why=why)

    with_app(context, work)
    print(f"{name} is on hold. `syndicate editions release {name}` lets it go on.")


def release(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="[NEWSLETTER/SLOT]", help="As `editions list` shows it.")] = "",
    *,
    restored: Annotated[
        bool, typer.Option("--restored", help="After a restored backup: I have looked, go on from here.")
    ] = False,
    dry_run: show.DryRun = False,
) -> None:
    """Let an edition on hold go out.

    With --restored: everything that was stopped because the database is a restored backup.
    """
    if restored == bool(name):
        raise ConfigError("say which: NEWSLETTER/SLOT, or --restored for everything that a restored backup holds")
    print(with_app(context, lambda app: _accept(app, dry_run) if restored else _release(app, name, dry_run)))


def cancel(
    context: typer.Context,
    name: _Edition,
    *,
    why: _Why = "cancelled by the operator",
    dry_run: show.DryRun = False,
) -> None:
    """Cancel an edition for good.

    What is unsent of it never goes out.
    """
    print(with_app(context, lambda app: _cancel(app, name, why=why, dry_run=dry_run)))


def send_test(
    context: typer.Context,
    edition_or_address: Annotated[str, typer.Argument(metavar="[NEWSLETTER/SLOT]", help="The edition to look at.")],
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The one address it goes to.")] = "",
    *,
    newsletter: Annotated[
        str | None, typer.Option(metavar="NAME", help="In the place of an edition: the next one, as it would be now.")
    ] = None,
    dry_run: show.DryRun = False,
    json: show.Json = False,
) -> None:
    """Send an edition to one address, marked as a test.

    It can't reach the list, and its links end no subscription.

    Exit code 1: the channel didn't take it.
    """
    if (newsletter is None) == (address == ""):
        raise ConfigError("say NEWSLETTER/SLOT ADDRESS, or --newsletter NAME ADDRESS")
    name, typed = ("", edition_or_address) if newsletter is not None else (edition_or_address, address)
    found = with_app(context, lambda app: _send_test(app, name, newsletter or "", typed, dry_run=dry_run), secrets=True)
    if json:
        show.as_json(found)
    else:
        show.facts(found.items())
    if found["outcome"] not in ("accepted", "not sent"):
        raise typer.Exit(1)


_COLUMNS = ("candidates", "accepted", "refused", "uncertain", "excluded", "open")


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
    from syndicate.store import editions

    async with app.db.read() as connection:
        found = await editions.newest(connection, limit=limit, newsletter=newsletter)
        kept = [await editions.books(connection, one.id) for one in found]
    rows = [_named(one) | {"books": vars(books) if books else None} for one, books in zip(found, kept, strict=True)]
    return rows, app.site.timezone


async def _show(app: "App", name: str) -> tuple[dict[str, Any], str]:
    from syndicate.formats.digest import html_size
    from syndicate.pipeline.compose import VARIANT, edition_url
    from syndicate.store import articles, editions

    edition = await edition_of(app, name)
    async with app.db.read() as connection:
        kept = await editions.books(connection, edition.id)
        rendering = await editions.rendering(connection, edition.id, VARIANT)
        stories = [
            (story, await articles.version(connection, story.article_id, story.version))
            for story in await editions.stories(connection, edition.id)
        ]
    found = _named(edition) | {"url": edition_url(app.site, edition.newsletter, edition.slot)}
    found["books"] = vars(kept) if kept else None
    found["html_bytes"] = html_size(rendering.html) if rendering else None
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


async def _doubts(app: "App", name: str, *, look: bool, resend: bool, dry_run: bool) -> dict[str, Any]:
    from syndicate.store import audience, ledger

    edition = await edition_of(app, name)
    said = ""
    if look:
        said = await _look(app, edition, dry_run=dry_run)
    elif resend:
        said = await _resend(app, edition, dry_run=dry_run)
    async with app.db.read() as connection:
        doubts = await ledger.doubts(connection, edition.id, limit=100_000)
        people = await audience.by_numbers(connection, [doubt.subscriber_id for doubt in doubts])
    uncertain = [
        {
            "delivery": doubt.id,
            "subscriber": doubt.subscriber_id,
            "address": people[doubt.subscriber_id].address if doubt.subscriber_id in people else "",
            "code": doubt.code,
            "text": doubt.text,
        }
        for doubt in doubts
    ]
    return {"name": name, "state": (await edition_of(app, name)).state, "said": said, "uncertain": uncertain}


async def _look(app: "App", edition: "Edition", *, dry_run: bool) -> str:
    from syndicate.pipeline.reconcile import RepairReport, evidence_of, settle_doubts

    channel = newsletter_of(app, edition.newsletter).channel
    if evidence_of(app.room, edition) is None:
        raise Refused(f"{channel} can't tell what it took over; ask those who run it, then leave them or use --resend")
    if dry_run:
        return f"Would ask {channel}, and send again what it never got."
    report = RepairReport()
    await settle_doubts(app.db, app.room, edition, report, now=app.clock.now())
    return (
        f"{channel} took {report.proven_sent} over and never got {report.proven_unsent}. {await _going(app, edition)}"
    )


async def _resend(app: "App", edition: "Edition", *, dry_run: bool) -> str:
    from syndicate.domain.edition import EditionState
    from syndicate.pipeline.reconcile import resend_doubts
    from syndicate.store import editions

    newsletter_of(app, edition.newsletter)
    if dry_run:
        async with app.db.read() as connection:
            books = await editions.count_books(connection, edition.id)
        readers = 0 if edition.state is EditionState.CANCELLED else books.uncertain
        return f"Would send it again to {show.count(readers, 'reader')}, who may have it already."
    again = await resend_doubts(app.db, edition, now=app.clock.now())
    return f"It is due again for {show.count(again, 'reader')}. {await _going(app, edition)}"


async def _going(app: "App", edition: "Edition") -> str:
    """What becomes of deliveries that are due again."""
    from syndicate.domain.edition import EditionState

    name = f"{edition.newsletter}/{edition.slot}"
    current = await edition_of(app, name)
    if current.state is EditionState.HELD:
        return f"The edition is on hold ({current.why}); `syndicate editions release {name}` lets it go on."
    if current.state is EditionState.FROZEN:
        return "What is due goes out with a running `up` at once, else with the next."
    return f"The edition is {current.state}."


async def _accept(app: "App", dry_run: bool) -> str:
    from syndicate.pipeline.reconcile import FENCE_HOLD, accept_restored
    from syndicate.store import fence

    async with app.db.read() as connection:
        why = (await fence.held(connection)).get(FENCE_HOLD)
    if why is None:
        raise Refused("nothing is held for a restored backup")
    if dry_run:
        return f"Would go on although {why}"
    await accept_restored(app.db)
    return "Released: sending goes on from what the database knows."


async def _release(app: "App", name: str, dry_run: bool) -> str:
    from syndicate.domain.edition import EditionState
    from syndicate.pipeline.enqueue import release_edition
    from syndicate.store import editions

    edition = await edition_of(app, name)
    async with app.db.read() as connection:
        books = await editions.count_books(connection, edition.id)
    if edition.state is not EditionState.HELD:
        raise Refused(f"{name} is {edition.state}; only one on hold can be released")
    newsletter_of(app, edition.newsletter)  # without it there is nobody to send it for, and it would be held again
    if dry_run:
        return f"Would release {name} to {show.count(books.open, 'reader')}."
    await release_edition(app.db, edition, list(app.endpoints.values()), now=app.clock.now())
    return f"{name} goes out to {show.count(books.open, 'reader')}, with a running `up` at once, else with the next."


async def _cancel(app: "App", name: str, *, why: str, dry_run: bool) -> str:
    from syndicate.pipeline.enqueue import cancel_edition
    from syndicate.store import editions

    edition = await edition_of(app, name)
    async with app.db.read() as connection:
        books = await editions.count_books(connection, edition.id)
    if dry_run:
        return f"Would keep {name} ({edition.state}) from {show.count(books.open, 'reader')}."
    await cancel_edition(app.db, edition, why=why, now=app.clock.now())
    return f"{name} is cancelled; up to {show.count(books.open, 'reader')} won't get it."


async def _send_test(app: "App", name: str, newsletter: str, typed: str, *, dry_run: bool) -> dict[str, Any]:
    from syndicate.domain.audience import normal_address
    from syndicate.pipeline import trial
    from syndicate.pipeline.compose import VARIANT, preview_edition
    from syndicate.store import editions

    address = normal_address(typed)
    if newsletter:
        found = await preview_edition(app.db, newsletter_of(app, newsletter), app.studio, now=app.clock.now())
        edition, rendering = found.edition, found.rendering
    else:
        edition = await edition_of(app, name)
        newsletter_of(app, edition.newsletter)
        async with app.db.read() as connection:
            kept = await editions.rendering(connection, edition.id, VARIANT)
        if kept is None:
            raise Refused(f"{name} has no rendering yet")
        rendering = kept
    one = trial.Trial(
        edition=edition,
        rendering=rendering,
        address=address,
        digest=app.digest(address),
        secret=lambda: secrets.token_hex(10),
    )
    size = len(trial.write_test(app.room, one).content)
    outcome = None if dry_run else await trial.send_test(app.db, app.room, one)
    return {
        "edition": f"{edition.newsletter}/{edition.slot}",
        "to": address,
        "subject": trial.test_subject(app.room, one),
        "channel": app.newsletters[edition.newsletter].channel,
        "bytes": size,
        **_ending(outcome),
    }


def _ending(outcome: "Outcome | None") -> dict[str, Any]:
    if outcome is None:
        return {"outcome": "not sent", "code": "", "text": "dry run"}
    return {"outcome": outcome.kind.value, "code": outcome.code, "text": outcome.text}
