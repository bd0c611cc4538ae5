"""`syndicate feeds …`: the outgoing feeds and what they hold."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli import show
from syndicate.cli.opening import with_app
from syndicate.errors import NotFound

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.domain.feed import Feed

_NOTHING = {"holds": 0, "published_at": None}
_Name = Annotated[str, typer.Argument(metavar="NAME", help="A feed's name in the configuration.")]


def list_all(context: typer.Context, *, json: show.Json = False) -> None:
    """List the feeds, what each holds and when it was published."""
    rows, zone = with_app(context, _list)
    if json:
        show.as_json(rows)
        return
    show.table(
        ("feed", "title", "holds", "published", "for", "formats"),
        [
            (
                *(r["name"], r["title"], r["holds"], show.moment(r["published_at"], zone)),
                *(show.words(r["partners"]) or "everybody", show.words(r["formats"])),
            )
            for r in rows
        ],
        empty="The configuration names no feed.",
    )
    for row in rows:
        if row["large"]:
            print(f"Too large: {row['large']}")


def show_one(context: typer.Context, name: _Name, *, json: show.Json = False) -> None:
    """Show what a feed holds, and where it is read.

    Newest first; also what a format could not write.
    """
    found, zone = with_app(context, lambda app: _show(app, name))
    if json:
        show.as_json(found)
        return
    show.facts(
        [
            ("feed", found["name"]),
            ("title", found["title"]),
            ("published", show.moment(found["published_at"], zone) or "not yet"),
            ("for", show.words(found["partners"]) or "everybody"),
            ("read at", show.words(found["urls"])),
        ]
    )
    print()
    show.table(
        ("in order of", "id", "version", "state", "title"),
        [(show.moment(e["sort_at"], zone), e["id"], e["version"], e["state"], e["title"]) for e in found["entries"]],
        empty="It holds nothing.",
    )
    for bad in found["quarantine"]:
        print(f"Left out of {bad.format}: {bad.article_id}: {show.clean(bad.problem)}")


async def _list(app: "App") -> tuple[list[dict[str, Any]], str]:
    from syndicate.pipeline.weigh import large_feeds
    from syndicate.store import feeds

    async with app.db.read() as connection:
        found = await feeds.manifests(connection, app.feeds)
    large = large_feeds(app.press)
    rows = []
    for feed in app.feeds.values():
        manifest = found.get(feed.name)
        facts = {"holds": len(manifest.lines), "published_at": manifest.state.published_at} if manifest else _NOTHING
        rows.append(_head(feed) | facts | {"large": large[feed.name].why if feed.name in large else ""})
    return rows, app.site.timezone


async def _show(app: "App", name: str) -> tuple[dict[str, Any], str]:
    from syndicate.store import feeds

    if name not in app.feeds:
        raise NotFound("feed", name, known=tuple(app.feeds))
    feed = app.feeds[name]
    async with app.db.read() as connection:
        entries = await feeds.shown(connection, name)
        ids = {article.id for article in entries}
        state = (await feeds.states(connection)).get(name)
        bad = [one for one in await feeds.quarantined(connection) if one.article_id in ids]
    found = _head(feed) | {"published_at": state.published_at if state else None, "quarantine": bad}
    found["urls"] = [f"{app.site.public_url}/feeds/{name}.{one}" for one in feed.formats]
    found["entries"] = [
        {"id": a.id, "version": a.version, "state": a.state, "title": a.content.title, "sort_at": a.sort_at}
        for a in entries
    ]
    return found, app.site.timezone


def _head(feed: "Feed") -> dict[str, Any]:
    return {"name": feed.name, "title": feed.title, "formats": feed.formats, "partners": feed.partners}
