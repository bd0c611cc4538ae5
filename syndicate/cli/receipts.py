"""`syndicate receipts …`: what came back: bounces, complaints, mail to unsubscribe addresses."""

from typing import TYPE_CHECKING, Annotated

import typer

from syndicate.cli import show
from syndicate.cli.opening import with_app
from syndicate.errors import NotFound

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.store.receipts import Kept

_WAITS = {"new": "not read yet", "failed": "failed: `receipts retry`", "done": ""}


def list_all(
    context: typer.Context,
    *,
    unclear: Annotated[
        bool, typer.Option("--unclear", help="Only what nobody understood or has read yet, and what failed.")
    ] = False,
    limit: show.Limit = 100,
    json: show.Json = False,
) -> None:
    """List what came back, newest first, and what followed from it."""
    found, zone = with_app(context, lambda app: _list(app, unclear=unclear, limit=limit))
    if json:
        show.as_json(found)
        return
    show.table(
        ("receipt", "by", "received", "says", "status", "delivery", "reader", "then", "text"),
        [
            (
                *(r.id, r.origin, show.moment(r.received_at, zone), r.verdict or _WAITS[r.state], r.status),
                *(r.delivery_id, r.subscriber_id, r.step, r.text),
            )
            for r in found
        ],
        empty="Nothing came back.",
    )


def retry(
    context: typer.Context,
    identifier: Annotated[
        int | None, typer.Argument(metavar="[RECEIPT]", help="Its number in the list; without one, each that failed.")
    ] = None,
    *,
    json: show.Json = False,
) -> None:
    """Read anew what was set aside because it failed.

    With a running `up` at once, else with the next `up` or `once`.
    """
    again = with_app(context, lambda app: _retry(app, identifier))
    show.as_json({"retried": again}) if json else print(f"To be read anew: {show.count(again, 'receipt')}.")


async def _retry(app: "App", identifier: int | None) -> int:
    from syndicate.pipeline.receipts import retry_failed

    again = await retry_failed(app.db, identifier, now=app.clock.now())
    if identifier is not None and not again:
        raise NotFound("receipt that failed", str(identifier))
    return again


async def _list(app: "App", *, unclear: bool, limit: int) -> tuple[list["Kept"], str]:
    from syndicate.store import receipts

    async with app.db.read() as connection:
        return await receipts.listed(connection, limit=limit, unclear=unclear), app.site.timezone
