"""`syndicate editions send-test`: an edition, just as it will be but marked, to a few addresses that a person typed."""

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli import show
from syndicate.cli.editions import edition_of
from syndicate.cli.newsletters import newsletter_of
from syndicate.cli.opening import who_says, with_app
from syndicate.errors import ConfigError, Refused

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.domain.delivery import Outcome
    from syndicate.domain.edition import Edition
    from syndicate.store.editions import Rendering

MOST = 20  # addresses: it is for the people of the house, never for a list


def send_test(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[NEWSLETTER/SLOT] ADDRESS…",
            help="The edition (NEWSLETTER/next is the one to come, as it would be now), and where it goes.",
        ),
    ],
    *,
    newsletter: Annotated[
        str | None, typer.Option(metavar="NAME", help="In the place of an edition: the next one, as it would be now.")
    ] = None,
    dry_run: show.DryRun = False,
    json: show.Json = False,
) -> None:
    """Send an edition to a few addresses, marked as a test.

    It can't reach the list, and its links end no subscription.

    Exit code 1: the channel didn't take one of them.
    """
    name, typed = (f"{newsletter}/next", words) if newsletter is not None else (words[0], words[1:])
    if not typed or "@" in name or (newsletter is not None and "/" in typed[0]):
        raise ConfigError("say NEWSLETTER/SLOT ADDRESS…, or --newsletter NAME ADDRESS…")
    if len(typed) > MOST:
        raise ConfigError(f"{len(typed)} addresses are no test; {MOST} at most")
    found = with_app(context, lambda app: _send(app, name, typed, dry_run=dry_run), secrets=True)
    if json:
        show.as_json(found)
    else:
        show.facts((key, found[key]) for key in ("edition", "subject", "channel", "bytes"))
        print()
        rows = [(one["to"], one["outcome"], one["code"], one["text"]) for one in found["sent"]]
        show.table(("to", "outcome", "code", "what was said"), rows, empty="")
    if any(one["outcome"] not in ("accepted", "not sent") for one in found["sent"]):
        raise typer.Exit(1)


async def _send(app: "App", name: str, typed: Sequence[str], *, dry_run: bool) -> dict[str, Any]:
    """Every address is looked at before the first mail goes out."""
    from syndicate.domain.audience import normal_address
    from syndicate.pipeline import trial

    addresses = list(dict.fromkeys(normal_address(one) for one in typed))
    edition, rendering = await _shown(app, name)
    trials = [
        trial.Trial(
            edition=edition,
            rendering=rendering,
            address=address,
            digest=app.digest(address),
            secret=lambda: secrets.token_hex(10),
        )
        for address in addresses
    ]
    for one in trials:
        await trial.refuse_suppressed(app.db, one)
    size = len(trial.write_test(app.room, trials[0]).content)
    outcomes = [None if dry_run else await trial.send_test(app.db, app.room, one) for one in trials]
    if not dry_run:
        await _note(app, edition, len(trials))
    return {
        "edition": edition.name,
        "subject": trial.test_subject(app.room, trials[0]),
        "channel": app.newsletters[edition.newsletter].channel,
        "bytes": size,
        "sent": [{"to": one.address, **_ending(outcome)} for one, outcome in zip(trials, outcomes, strict=True)],
    }


async def _shown(app: "App", name: str) -> "tuple[Edition, Rendering]":
    """What is sent: the rendering that is written down, or for the next edition the one that would be."""
    from syndicate.domain.direction import NEXT
    from syndicate.pipeline.compose import preview_edition
    from syndicate.pipeline.render import VARIANT
    from syndicate.store import editions

    called, _, slot = name.partition("/")
    if slot == NEXT:
        found = await preview_edition(app.db, newsletter_of(app, called), app.studio, now=app.clock.now())
        return found.edition, found.rendering
    edition = await edition_of(app, name)
    newsletter_of(app, edition.newsletter)
    async with app.db.read() as connection:
        kept = await editions.rendering(connection, edition.id, VARIANT)
    if kept is None:
        raise Refused(f"{name} has no rendering yet")
    return edition, kept


async def _note(app: "App", edition: "Edition", count: int) -> None:
    from syndicate.domain.account import Deed, Entry
    from syndicate.store import accounts

    note = f"to {show.count(count, 'address')}"
    said = Entry(at=app.clock.now(), who=who_says(), what=Deed.TRIED, subject=edition.name[:80], note=note)
    async with app.db.write() as connection:
        await accounts.note(connection, said)


def _ending(outcome: "Outcome | None") -> dict[str, Any]:
    if outcome is None:
        return {"outcome": "not sent", "code": "", "text": "dry run"}
    return {"outcome": outcome.kind.value, "code": outcome.code, "text": outcome.text}
