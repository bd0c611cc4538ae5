"""`syndicate subscribers …`: people who read by mail."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli import show
from syndicate.cli.newsletters import newsletter_of
from syndicate.cli.opening import who_says, with_app
from syndicate.errors import NotFound, Refused

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.domain.audience import Subscriber
    from syndicate.domain.consent import Consent
    from syndicate.domain.preferences import Choice
    from syndicate.pipeline.erase import Erased

_Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address.")]


def add(
    context: typer.Context,
    address: _Address,
    newsletters: Annotated[list[str], typer.Argument(metavar="NEWSLETTER…", help="What to subscribe to.")],
    *,
    name: Annotated[str, typer.Option(help="How to address the person.")] = "",
    language: Annotated[str | None, typer.Option(help="A language tag; else the site's.")] = None,
    zone: Annotated[str | None, typer.Option(help="A time zone; else the site's.")] = None,
    origin: Annotated[str, typer.Option(help="Where the consent comes from, in words. Kept for good.")] = "cli",
    json: show.Json = False,
) -> None:
    """Subscribe a person who asked for it.

    A suppressed address is refused.
    """
    new = with_app(
        context,
        lambda app: _add(app, address, newsletters, origin=origin, name=name, language=language, zone=zone),
    )
    if json:
        show.as_json({"address": new[0], "subscribed": new[1]})
    else:
        print(f"{new[0]} now gets {show.words(new[1])}." if new[1] else f"{new[0]} had all of that already.")


def list_all(
    context: typer.Context,
    *,
    newsletter: Annotated[str | None, typer.Option(metavar="NAME", help="Only those who get it.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Go on behind this number.")] = 0,
    limit: show.Limit = 100,
    json: show.Json = False,
) -> None:
    """List subscribers by number, a page at a time."""
    people, zone = with_app(context, lambda app: _list(app, newsletter=newsletter, after=after, limit=limit))
    if json:
        show.as_json(people)
        return
    show.table(
        ("number", "address", "name", "language", "zone", "since"),
        [(p.id, p.address, p.name, p.language, p.timezone, show.moment(p.created_at, zone)) for p in people],
        empty="There is no subscriber here.",
    )
    if len(people) == limit:
        print(f"More may follow: --after {people[-1].id}")


def show_one(context: typer.Context, address: _Address, *, limit: show.Limit = 50, json: show.Json = False) -> None:
    """Show a person's subscriptions, what they said, and what they were sent."""
    found, zone = with_app(context, lambda app: _show(app, address, limit=limit))
    if json:
        show.as_json(found)
        return
    person = found["subscriber"]
    show.facts(
        [
            ("address", person.address),
            ("number", person.id),
            ("name", person.name),
            ("language", person.language),
            ("zone", person.timezone),
            ("hour", "" if found["chosen"].hour is None else f"{found['chosen'].hour}:00"),
            ("paused until", show.moment(found["chosen"].paused_until, zone)),
            ("since", show.moment(person.created_at, zone)),
            ("suppressed", found["suppressed"]),
        ]
    )
    print()
    show.table(
        ("newsletter", "state", "since", "ended", "origin", "rhythm", "topics"),
        [
            (
                *(s.newsletter, s.state, show.moment(s.since, zone), show.moment(s.ended_at, zone), s.origin),
                *_chosen(found["chosen"].choice(s.newsletter)),
            )
            for s in found["subscriptions"]
        ],
        empty="No subscriptions.",
    )
    print()
    show.table(
        ("newsletter", "said", "when", "origin", "network", "text", "hash", "note"),
        [
            (c.newsletter, c.what, show.moment(c.at, zone), c.origin, c.network, _text(c), c.text_hash[:12], c.note)
            for c in found["consents"]
        ],
        empty="No consents are on record.",
    )
    print()
    show.table(
        ("edition", "state", "reason", "code", "settled", "receipt", "subject"),
        [
            (
                f"{h.newsletter}/{h.slot}",
                h.state,
                h.reason,
                h.code,
                show.moment(h.settled_at, zone),
                h.receipt,
                h.subject,
            )
            for h in found["history"]
        ],
        empty="Nothing was sent yet.",
    )


def erase(
    context: typer.Context,
    address: _Address,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask whether this is meant.")] = False,
    json: show.Json = False,
) -> None:
    """Erase a person who asks for it. This can't be undone.

    What stays: a digest of the address, so that no list and no restored backup brings it back, and what was agreed to.
    """
    if not yes:
        if json or not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise Refused("nobody is here to ask; say --yes if this is meant")
        if not typer.confirm(f"Erase {show.clean(address)} for good?"):
            raise Refused("nothing was erased")
    erased = with_app(context, lambda app: _erase(app, address))
    if json:
        show.as_json(erased)
        return
    print(f"Erased. Subscriptions that ended: {show.words(erased.newsletters) or 'none'}.")
    if erased.mails:
        print(f"{show.count(erased.mails, 'mail')} will not be sent any more.")


def _chosen(choice: "Choice | None") -> tuple[str, str]:
    return (choice.rhythm.value, show.words(choice.topics) or "all") if choice else ("", "")


def _text(consent: "Consent") -> str:
    return f"version {consent.text_version} ({consent.language})" if consent.text_version else ""


async def _add(
    app: "App",
    typed: str,
    newsletters: Sequence[str],
    *,
    origin: str,
    name: str,
    language: str | None,
    zone: str | None,
) -> tuple[str, list[str]]:
    from syndicate.domain.audience import Subscriber, normal_address
    from syndicate.pipeline.reconcile import join
    from syndicate.store.schema import is_new, migrate

    address = normal_address(typed)
    for newsletter in newsletters:
        newsletter_of(app, newsletter)
    if await is_new(app.db):  # readers may be there before the first start
        await migrate(app.db)
    person = Subscriber(
        id=0,
        address=address,
        name=name,
        language=language or app.site.language,
        timezone=_zone(zone or app.site.timezone),
        created_at=app.clock.now(),
    )
    return address, await join(app.db, person, newsletters, digest=app.digest(address), origin=origin)


async def _erase(app: "App", typed: str) -> "Erased":
    from syndicate.domain.account import Deed, Entry
    from syndicate.domain.audience import normal_address
    from syndicate.pipeline.erase import erase_by_hand

    digest, now = app.digest(normal_address(typed)), app.clock.now()
    entry = Entry(at=now, who=who_says(), what=Deed.ERASED, subject=f"reader {digest[:16]}")
    return await erase_by_hand(app.db, app.way_out, digest, entry, now=now)


def _zone(name: str) -> str:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise NotFound("time zone", name, known=("Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura", "UTC")) from None
    return name


async def _list(app: "App", *, newsletter: str | None, after: int, limit: int) -> tuple[list["Subscriber"], str]:
    from syndicate.store import audience

    if newsletter is not None:
        newsletter_of(app, newsletter)
    async with app.db.read() as connection:
        people = await audience.page(connection, after=after, limit=limit, newsletter=newsletter)
    return people, app.site.timezone


async def _show(app: "App", typed: str, *, limit: int) -> tuple[dict[str, Any], str]:
    from syndicate.domain.audience import normal_address
    from syndicate.store import audience, consents, preferences

    address = normal_address(typed)
    async with app.db.read() as connection:
        person = await audience.by_address(connection, address)
        held = await audience.suppression(connection, app.digest(address))
        if person is None:
            raise NotFound("subscriber", address)
        reader = await preferences.get(connection, person.id)
        if reader is None:
            raise NotFound("subscriber", address)
        found = {
            "subscriber": person,
            "chosen": reader.preferences,
            "suppressed": f"{held[0]}, since {show.moment(held[1], app.site.timezone)}" if held else None,
            "subscriptions": await audience.subscriptions_of(connection, person.id),
            "consents": await consents.of_person(connection, app.digest(address)),
            "history": await audience.history(connection, person.id, limit=limit),
        }
    return found, app.site.timezone
