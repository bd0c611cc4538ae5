"""`syndicate receipts …`: what came back: bounces, complaints, mail to unsubscribe addresses."""

from typing import TYPE_CHECKING, Annotated

import typer

from syndicate.cli import show
from syndicate.cli.opening import with_app

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.store.receipts import Kept


def list_all(
    context: typer.Context,
    *,
    unclear: Annotated[bool, typer.Option("--unclear", help="Only what nobody understood or has read yet.")] = False,
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
                *(r.id, r.origin, show.moment(r.received_at, zone), r.verdict or "not read yet", r.status),
                *(r.delivery_id, r.subscriber_id, r.step, r.text),
            )
            for r in found
        ],
        empty="Nothing came back.",
    )


async def _list(app: "App", *, unclear: bool, limit: int) -> tuple[list["Kept"], str]:
    from syndicate.store import receipts

    async with app.db.read() as connection:
        return await receipts.listed(connection, limit=limit, unclear=unclear), app.site.timezone
