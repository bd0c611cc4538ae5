"""`syndicate subscribers lift`: an address that must not be written to, and may be again."""

from typing import TYPE_CHECKING, Annotated

import typer

from syndicate.cli import show
from syndicate.cli.opening import who_says, with_app

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.pipeline.lift import Lifted


def lift(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address.")],
    *,
    why: Annotated[str, typer.Option(metavar="WORDS", help="Why it may be written to again. Kept for good.")],
    complaint: Annotated[
        bool, typer.Option("--complaint", help="The reader complained, and now wants to sign up again themselves.")
    ] = False,
    json: show.Json = False,
) -> None:
    """Lift a suppression that is wrong. Subscriptions that are there go on.

    A complaint isn't lifted by this: with --complaint the reader's own sign-up and confirmation lift it. Who was erased
    comes back by these alone too.
    """
    done = with_app(context, lambda app: _lift(app, address, why=why, complaint=complaint))
    if json:
        show.as_json(done)
        return
    was = f"{show.clean(done.reason)}, since {done.since:%Y-%m-%d}"
    if done.reopened:
        print(f"The complaint ({was}) still holds; the reader's own confirmation lifts it now, when they sign up.")
    else:
        print(f"Lifted: {was}. The next edition goes there again.")
    if not done.journaled:
        print("The journal in keys/ can't be written; the next start completes it. Look at that disk.")


async def _lift(app: "App", typed: str, *, why: str, complaint: bool) -> "Lifted":
    from syndicate.domain.audience import normal_address
    from syndicate.pipeline.lift import Lift, lift

    digest = app.digest(normal_address(typed))
    order = Lift(digest=digest, why=why, who=who_says(), complaint=complaint)
    return await lift(app.db, app.way_out.journal, order, now=app.clock.now())
