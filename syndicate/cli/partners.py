"""`syndicate partners …`: portals, their keys, and the pushes to their endpoints."""

import secrets
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli import show
from syndicate.cli.opening import with_app
from syndicate.errors import NotFound, Refused

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.store.partners import PushLine

_Name = Annotated[str, typer.Argument(metavar="NAME", help="A partner's name in the configuration.")]
_Revoke = Annotated[str | None, typer.Option(metavar="ID", help="End this key instead of making one.")]
_Dead = Annotated[bool, typer.Option("--dead", help="Only dead letters: refused or given up.")]
_Push = Annotated[int, typer.Argument(metavar="ID", help="A push's number, as `partners pushes` shows it.")]


def list_all(context: typer.Context, *, json: show.Json = False) -> None:
    """List the partners: keys, private feeds, endpoints."""
    rows, zone = with_app(context, _list)
    if json:
        show.as_json(rows)
        return
    show.table(
        ("partner", "title", "private feeds", "endpoints", "live keys"),
        [
            (
                *(r["name"], r["title"], show.words(r["feeds"]), show.words(_endpoint(e) for e in r["endpoints"])),
                show.words(f"{key['id']} of {show.moment(key['created_at'], zone)}" for key in r["keys"]),
            )
            for r in rows
        ],
        empty="The configuration names no partner.",
    )


def key(context: typer.Context, name: _Name, *, revoke: _Revoke = None, json: show.Json = False) -> None:
    """Make a key for a partner's private feeds, or end one.

    A new key is shown this once; we keep only its digest. Two live keys let a partner change over without a gap.
    """
    if revoke is not None:
        with_app(context, lambda app: _revoke(app, name, revoke))
        show.as_json({"partner": name, "revoked": revoke}) if json else print(f"Key {revoke} opens nothing any more.")
        return
    identifier, shown = with_app(context, lambda app: _make_key(app, name))
    if json:
        show.as_json({"partner": name, "id": identifier, "key": shown})
        return
    print(shown)
    print(f"Key {identifier} of {name}. It is shown this once: we keep only its digest. The partner sends it as")
    print("  Authorization: Bearer KEY")


def pushes(context: typer.Context, *, dead: _Dead = False, limit: show.Limit = 50, json: show.Json = False) -> None:
    """List pushes to endpoints, newest first."""
    lines, zone = with_app(context, lambda app: _pushes(app, dead=dead, limit=limit))
    if json:
        show.as_json(lines)
        return
    show.table(
        ("push", "endpoint", "type", "about", "state", "tries", "next try", "code", "what was said"),
        [
            (
                *(p.id, p.endpoint, p.type, p.subject, p.reason or p.state, p.attempt),
                *(show.moment(p.not_before, zone), p.code, p.text),
            )
            for p in lines
        ],
        empty="There is no dead letter." if dead else "Nothing was pushed yet.",
    )


def replay(context: typer.Context, identifier: _Push, *, dry_run: show.DryRun = False) -> None:
    """Send a dead letter once more."""
    print(with_app(context, lambda app: _replay(app, identifier, dry_run=dry_run)))


def enable(
    context: typer.Context,
    endpoint: Annotated[str, typer.Argument(metavar="ENDPOINT", help="Its name in the configuration.")],
) -> None:
    """Switch an endpoint on again that had answered 410.

    What waited when it answered so isn't pushed; what has changed since then is.
    """
    with_app(context, lambda app: _enable(app, endpoint))
    print(f"{endpoint} is pushed to again, also with what changed while it was off.")


def _endpoint(found: dict[str, Any]) -> str:
    return f"{found['name']} (off: {found['disabled']})" if found["disabled"] else str(found["name"])


def _known(app: "App", name: str) -> None:
    if name not in app.partners:
        raise NotFound("partner", name, known=tuple(app.partners))


async def _list(app: "App") -> tuple[list[dict[str, Any]], str]:
    from syndicate.store import partners

    async with app.db.read() as connection:
        keys = [one for one in await partners.keys(connection) if one.revoked_at is None]
        off = await partners.disabled(connection)
    rows = [
        {
            "name": partner.name,
            "title": partner.title,
            "contact": partner.contact,
            "feeds": [feed.name for feed in app.feeds.values() if partner.name in feed.partners],
            "endpoints": [
                {"name": e.name, "kind": e.kind, "url": e.url, "disabled": off.get(e.name, "")}
                for e in app.endpoints.values()
                if e.partner == partner.name
            ],
            "keys": [{"id": k.id, "created_at": k.created_at} for k in keys if k.partner == partner.name],
        }
        for partner in app.partners.values()
    ]
    return rows, app.site.timezone


async def _make_key(app: "App", name: str) -> tuple[str, str]:
    from syndicate.domain.partner import new_key
    from syndicate.store import partners

    _known(app, name)
    shown, identifier, digest = new_key(secrets.token_bytes(5), secrets.token_bytes(32))
    made = partners.Key(id=identifier, partner=name, digest=digest, created_at=app.clock.now(), revoked_at=None)
    async with app.db.write() as connection:
        await partners.add_key(connection, made)
    return identifier, shown


async def _revoke(app: "App", name: str, identifier: str) -> None:
    from syndicate.store import partners

    _known(app, name)
    async with app.db.write() as connection:
        held = await partners.key(connection, identifier)
        if held is None or held.partner != name:
            raise NotFound(f"live key of {name}", identifier)
        await partners.revoke_key(connection, identifier, now=app.clock.now())


async def _enable(app: "App", name: str) -> None:
    from syndicate.pipeline.notify import enable_endpoint

    if name not in app.endpoints:
        raise NotFound("endpoint", name, known=tuple(app.endpoints))
    await enable_endpoint(app.db, name, now=app.clock.now())


async def _pushes(app: "App", *, dead: bool, limit: int) -> tuple[list["PushLine"], str]:
    from syndicate.store import partners

    async with app.db.read() as connection:
        return await partners.lines(connection, limit=limit, dead_only=dead), app.site.timezone


async def _replay(app: "App", identifier: int, *, dry_run: bool) -> str:
    from syndicate.domain.delivery import Happening, origins
    from syndicate.pipeline.notify import replay_push
    from syndicate.store import partners

    if not dry_run:
        endpoint = await replay_push(app.db, identifier, now=app.clock.now())
        return f"Push {identifier} goes to {endpoint} again, with a running `up` at once, else with the next."
    async with app.db.read() as connection:
        found = await partners.line(connection, identifier)
    if found is None or found.state not in origins(Happening.RETRY):
        raise Refused(f"push {identifier} is no dead letter; `syndicate partners pushes --dead` lists them")
    return f"Would send {found.type} about {found.subject} to {found.endpoint} again."
