"""`syndicate editions hold|pause|release|resume|cancel|retry|doubts`: a person's word about what is being sent."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli import show
from syndicate.cli.editions import edition_of
from syndicate.cli.newsletters import newsletter_of
from syndicate.cli.opening import who_says, with_app
from syndicate.errors import ConfigError, Refused

if TYPE_CHECKING:
    from datetime import datetime

    from syndicate.app import App
    from syndicate.domain.account import Deed, Entry
    from syndicate.domain.edition import Edition

_Edition = Annotated[str, typer.Argument(metavar="NEWSLETTER/SLOT", help="As `editions list` shows it.")]
_Look = Annotated[bool, typer.Option("--look", help="Ask the channel which of them it took over.")]
_Resend = Annotated[bool, typer.Option("--resend", help="My word: send all of them again, arrived or not.")]
_Why = Annotated[str, typer.Option(help="The reason, for those who look later.")]
_Codes = Annotated[
    list[str] | None, typer.Option("--code", metavar="CODE", help="Only what was refused with this code; repeatable.")
]


def pause(
    context: typer.Context, name: _Edition, *, why: _Why = "paused by the operator", json: show.Json = False
) -> None:
    """Stop an edition that is being sent, at once. It is on hold then, until `resume`.

    Nothing more is handed over; what is on the wire ends by itself. `newsletters pause` stops the next ones too.
    """
    with_app(context, lambda app: _hold(app, name, why))
    said = f"{name} is on hold. `syndicate editions resume {name}` lets it go on."
    show.as_json({"edition": name, "state": "held", "why": why}) if json else print(said)


def resume(context: typer.Context, name: _Edition, *, dry_run: show.DryRun = False, json: show.Json = False) -> None:
    """Let an edition go on that was paused or is on hold for another reason. The same as `release`."""
    _say(with_app(context, lambda app: _release(app, name, dry_run)), json=json)


def release(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="[NEWSLETTER/SLOT]", help="As `editions list` shows it.")] = "",
    *,
    restored: Annotated[
        bool, typer.Option("--restored", help="After a restored backup: I have looked, go on from here.")
    ] = False,
    dry_run: show.DryRun = False,
    json: show.Json = False,
) -> None:
    """Let an edition on hold go out.

    With --restored: everything that was stopped because the database is a restored backup.
    """
    if restored == bool(name):
        raise ConfigError("say which: NEWSLETTER/SLOT, or --restored for everything that a restored backup holds")
    found = with_app(context, lambda app: _accept(app, dry_run) if restored else _release(app, name, dry_run))
    _say(found, json=json)


def cancel(
    context: typer.Context,
    name: _Edition,
    *,
    why: _Why = "cancelled by the operator",
    dry_run: show.DryRun = False,
    json: show.Json = False,
) -> None:
    """Cancel an edition for good.

    What is unsent of it never goes out.
    """
    _say(with_app(context, lambda app: _cancel(app, name, why=why, dry_run=dry_run)), json=json)


def retry(
    context: typer.Context,
    name: _Edition,
    *,
    code: _Codes = None,
    dry_run: show.DryRun = False,
    json: show.Json = False,
) -> None:
    """Try again what was refused of an edition, and at once what was put off.

    Addresses that we must not write to stay as they are. Doubts are settled by `doubts`, since they may have arrived.
    """
    found = with_app(context, lambda app: _retry(app, name, code or [], dry_run=dry_run))
    if json:
        show.as_json(found)
        return
    print(found["said"])
    rows = [(one["code"], one["count"], one["text"]) for one in found["refused"]]
    show.table(("code", "refused", "what was said"), rows, empty="Nothing of it was refused.")


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


def said_by_us(edition: str, what: "Deed", note: str, now: "datetime") -> "Entry":
    """The line of the audit log for what is done here to an edition."""
    from syndicate.domain.account import Entry

    return Entry(at=now, who=who_says(), what=what, subject=edition[:80], note=note)


def _say(found: dict[str, Any], *, json: bool) -> None:
    if json:
        show.as_json(found)
        return
    print(found["said"])


async def _hold(app: "App", name: str, why: str) -> None:
    from syndicate.domain.account import Deed
    from syndicate.pipeline.enqueue import hold_edition

    edition, now = await edition_of(app, name), app.clock.now()
    await hold_edition(app.db, edition, why=why, said=said_by_us(name, Deed.HELD, why, now))


async def _accept(app: "App", dry_run: bool) -> dict[str, Any]:
    from syndicate.pipeline.reconcile import FENCE_HOLD, accept_restored
    from syndicate.store import fence

    async with app.db.read() as connection:
        why = (await fence.held(connection)).get(FENCE_HOLD)
    if why is None:
        raise Refused("nothing is held for a restored backup")
    if dry_run:
        return {"done": False, "said": f"Would go on although {why}"}
    await accept_restored(app.db)
    return {"done": True, "said": "Released: sending goes on from what the database knows."}


async def _release(app: "App", name: str, dry_run: bool) -> dict[str, Any]:
    from syndicate.domain.account import Deed
    from syndicate.domain.edition import EditionState
    from syndicate.pipeline.enqueue import release_edition
    from syndicate.store import editions

    edition, now = await edition_of(app, name), app.clock.now()
    async with app.db.read() as connection:
        books = await editions.count_books(connection, edition.id)
        withdrawn = await editions.withdrawn_stories(connection, edition.id)
    if edition.state is not EditionState.HELD:
        raise Refused(f"{name} is {edition.state}; only one on hold can be released")
    newsletter_of(app, edition.newsletter)  # without it there is nobody to send it for, and it would be held again
    readers = show.count(books.open, "reader")
    found: dict[str, Any] = {"edition": name, "readers": books.open, "withdrawn": withdrawn, "done": not dry_run}
    warned = (
        f" With {show.count(len(withdrawn), 'story')} withdrawn since: {show.words(withdrawn)}." if withdrawn else ""
    )
    if dry_run:
        return found | {"said": f"Would release {name} to {readers}.{warned}"}
    said = said_by_us(name, Deed.RELEASED, edition.why, now)
    await release_edition(app.db, edition, list(app.endpoints.values()), now=now, said=said)
    how = "with a running `up` at once, else with the next"
    return found | {"said": f"{name} goes out to {readers}, {how}.{warned}"}


async def _cancel(app: "App", name: str, *, why: str, dry_run: bool) -> dict[str, Any]:
    from syndicate.domain.account import Deed
    from syndicate.pipeline.enqueue import cancel_edition
    from syndicate.store import editions

    edition, now = await edition_of(app, name), app.clock.now()
    async with app.db.read() as connection:
        books = await editions.count_books(connection, edition.id)
    readers = show.count(books.open, "reader")
    found = {"edition": name, "readers": books.open, "done": not dry_run}
    if dry_run:
        return found | {"said": f"Would keep {name} ({edition.state}) from {readers}."}
    await cancel_edition(app.db, edition, why=why, now=now, said=said_by_us(name, Deed.CANCELLED, why, now))
    return found | {"said": f"{name} is cancelled; up to {readers} won't get it."}


async def _retry(app: "App", name: str, codes: list[str], *, dry_run: bool) -> dict[str, Any]:
    from syndicate.domain.delivery import State
    from syndicate.domain.edition import EditionState
    from syndicate.pipeline.retry import retry_edition
    from syndicate.store import stuck

    edition = await edition_of(app, name)
    newsletter_of(app, edition.newsletter)
    async with app.db.read() as connection:
        refused = [one for one in await stuck.refusals(connection, edition.id) if not codes or one.code in codes]
        waiting = await stuck.waiting(connection, edition.id)
    put_off = 0 if codes else sum(one.count for one in waiting if one.state is State.DEFERRED)
    found = {"edition": name, "refused": refused, "put_off": put_off, "done": not dry_run}
    found["refused"] = [vars(one) for one in refused]
    if dry_run:
        if edition.state is EditionState.CANCELLED:
            return found | {"said": "Would send nothing: the edition was cancelled."}
        count = show.count(sum(one.count for one in refused), "reader")
        return found | {"said": f"Would try again for {count}, and at once for {put_off} who are put off."}
    done = await retry_edition(app.db, edition, codes, who=who_says(), now=app.clock.now())
    said = f"It is due again for {show.count(done.refused, 'reader')}, and at once for {done.hurried} who were put off."
    return found | {"said": f"{said} {await _going(app, edition)}"}


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
