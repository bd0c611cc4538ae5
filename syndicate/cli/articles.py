"""`syndicate articles …`: stories, what each version said, and who got it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli import show
from syndicate.cli.opening import with_app
from syndicate.errors import NotFound

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.domain.article import Article, Content

_Id = Annotated[str, typer.Argument(metavar="ID", help="An article's id, as `articles list` shows it.")]
_Source = Annotated[str | None, typer.Option(metavar="NAME", help="Only from this source.")]
_Version = Annotated[int | None, typer.Option(min=1, help="What this version said.")]


def list_all(
    context: typer.Context, *, source: _Source = None, limit: show.Limit = 50, json: show.Json = False
) -> None:
    """List stories, the newest in feed order first."""
    found, zone = with_app(context, lambda app: _list(app, source=source, limit=limit))
    if json:
        show.as_json([_brief(article) for article in found])
        return
    show.table(
        ("id", "published", "version", "state", "title"),
        [(a.id, show.moment(a.content.published, zone), a.version, a.state, a.content.title) for a in found],
        empty="There is no story yet; `syndicate gather` looks for some.",
    )


def show_one(context: typer.Context, identifier: _Id, *, version: _Version = None, json: show.Json = False) -> None:
    """Show a story: its versions, and where they went.

    Its changes, the feeds that hold it, the editions that told it, and what a format could not write.
    """
    if version is None:
        found, zone = with_app(context, lambda app: _story(app, identifier))
        show.as_json(found) if json else _draw(found, zone)
        return
    content, zone = with_app(context, lambda app: _content(app, identifier, version))
    show.as_json(content) if json else _draw_content(content, zone)


async def _list(app: "App", *, source: str | None, limit: int) -> tuple[list["Article"], str]:
    from syndicate.store import articles, schema

    if source is not None and source not in app.sources:
        raise NotFound("source", source, known=tuple(app.sources))
    if await schema.is_new(app.db):
        return [], app.site.timezone
    async with app.db.read() as connection:
        return await articles.latest(connection, limit=limit, source=source), app.site.timezone


async def _story(app: "App", identifier: str) -> tuple[dict[str, Any], str]:
    from syndicate.formats.wording import article_url
    from syndicate.pipeline.likeness import kin_of
    from syndicate.store import articles, changes, editions, feeds

    async with app.db.read() as connection:
        article = await articles.get(connection, identifier)
        if article is None:
            raise NotFound("article", identifier)
        versions = await articles.versions(connection, identifier)
        kin = await kin_of(connection, identifier)
        found = {
            **_brief(article),
            "url": article_url(article, app.site),
            "public_id": article.public_id,
            "announced": article.announced,
            "double_of": kin.double_of.id if kin.double_of else None,
            "doubles": [other.id for other in kin.doubles],
            "also_at": [{"id": other.id, "source": other.source, "url": other.content.url} for other in kin.also_at],
            "versions": [
                {"version": number, "edit": edit, "seen_at": seen, "title": content.title}
                for number, edit, seen, content in versions
            ],
            "changes": await changes.of_article(connection, identifier),
            "feeds": sorted(feed for feed, _ in await feeds.holding(connection, [identifier])),
            "editions": await editions.holding(connection, identifier),
            "quarantine": await feeds.quarantined(connection, article_id=identifier),
        }
    return found, app.site.timezone


async def _content(app: "App", identifier: str, version: int) -> tuple["Content", str]:
    from syndicate.store import articles

    async with app.db.read() as connection:
        content = await articles.version(connection, identifier, version)
    if content is None:
        raise NotFound("version", f"{identifier} version {version}")
    return content, app.site.timezone


def _brief(article: "Article") -> dict[str, Any]:
    content = article.content
    return {
        "id": article.id,
        "source": article.source,
        "version": article.version,
        "state": article.state,
        "edit": article.edit,
        "title": content.title,
        "published": content.published,
        "updated": content.updated,
        "sections": content.sections,
        "first_seen": article.first_seen,
        "changed_at": article.changed_at,
        "note": article.note,
    }


def _draw(found: dict[str, Any], zone: str) -> None:
    show.facts(
        [
            *((name, found[name]) for name in ("title", "id", "public_id", "url", "source", "state", "note")),
            ("published", show.moment(found["published"], zone)),
            ("sections", show.words(found["sections"])),
            ("feeds", show.words(found["feeds"])),
            ("double of", found["double_of"]),
            ("posted again", show.words(found["doubles"])),
            ("also at", show.words(other["url"] or other["id"] for other in found["also_at"])),
        ]
    )
    print()
    versions = [(v["version"], v["edit"], show.moment(v["seen_at"], zone), v["title"]) for v in found["versions"]]
    show.table(("version", "edit", "seen", "title"), versions, empty="")
    print()
    changes = [(c.seq, c.kind, c.version, show.moment(c.at, zone), c.note) for c in found["changes"]]
    show.table(("change", "kind", "version", "at", "note"), changes, empty="")
    print()
    told = [(f"{e.newsletter}/{e.slot}", e.state, e.version, e.left_out) for e in found["editions"]]
    show.table(("edition", "state", "version", "left out"), told, empty="No edition told it.")
    for bad in found["quarantine"]:
        print(f"Not in {bad.format}: {show.clean(bad.problem)}")


def _draw_content(content: "Content", zone: str) -> None:
    show.facts(
        [
            ("title", content.title),
            ("published", show.moment(content.published, zone)),
            ("updated", show.moment(content.updated, zone)),
            ("authors", show.words(content.authors)),
            ("sections", show.words(content.sections)),
            ("tags", show.words(content.tags)),
            ("url", content.url),
            ("summary", content.summary),
            ("flags", show.words(content.flags)),
        ]
    )
    print(f"\n{show.clean(content.body_html)}")
