"""`syndicate sources …` and `syndicate gather`: the newsrooms we look at."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli import show
from syndicate.cli.opening import with_app
from syndicate.errors import NotFound, Refused

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.domain.source import Gathered

_Name = Annotated[str, typer.Argument(metavar="NAME", help="A source's name in the configuration.")]
_Problems = Annotated[bool, typer.Option("--problems", help="Only what went wrong, each story that can't be read too.")]


def list_all(context: typer.Context, *, problems: _Problems = False, json: show.Json = False) -> None:
    """List the sources, and how the last look at each went."""
    rows, zone = with_app(context, lambda app: _list(app, only_problems=problems))
    if json:
        show.as_json(rows)
        return
    show.table(
        ("source", "kind", "where", "last look", "how", "next look", "problem"),
        [
            (
                *(r["name"], r["kind"], r["location"], show.moment(r["looked_at"], zone), r["look"]),
                *("suspended" if r["suspended"] else show.moment(r["next_at"], zone), r["problem"]),
            )
            for r in rows
        ],
        empty="No source has a problem." if problems else "The configuration names no source.",
    )
    for row in rows if problems else ():
        for line in row["problems"]:
            print(f"{row['name']}: {show.clean(line)}")


def try_one(context: typer.Context, name: _Name, *, json: show.Json = False) -> None:
    """Look at a source once and show what it would bring.

    Writes nothing, remembers nothing.

    Exit code 1: it can't be reached or read, or brings no story.
    """
    from syndicate.domain.source import Look

    gathered, zone = with_app(context, lambda app: _test(app, name))
    if json:
        show.as_json(
            {
                "look": gathered.look,
                "problem": gathered.problem,
                "problems": gathered.problems,
                "articles": [{"key": a.key, "aliases": a.aliases, "content": a.content} for a in gathered.articles],
            }
        )
    else:
        show.facts([("look", gathered.look.value), ("problem", gathered.problem)])
        show.table(
            ("published", "title", "sections", "flags"),
            [
                (show.moment(c.published, zone), c.title, show.words(c.sections), show.words(c.flags))
                for c in (article.content for article in gathered.articles)
            ],
            empty="It brings no story.",
        )
        for line in gathered.problems:
            print(f"can't be read: {show.clean(line)}")
    if gathered.look is Look.FAILED or not gathered.articles:
        raise typer.Exit(1)


def gather(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="Sources; none means all.")] = None,
    *,
    json: show.Json = False,
) -> None:
    """Look at sources now and take over what changed.

    While `up` runs, it is asked to look at once.

    Exit code 1: one of them, or a story, could not be reached or read. Feeds and mails follow with `once` or `up`.
    """
    reports = with_app(context, lambda app: _gather(app, names or ()))
    if json:
        show.as_json(reports)
    else:
        for report in reports:
            print(_sentence(report))
    if any(report["look"] == "failed" or report.get("problems") for report in reports):
        raise typer.Exit(1)


async def _list(app: "App", *, only_problems: bool) -> tuple[list[dict[str, Any]], str]:
    from syndicate.store import sources

    async with app.db.read() as connection:
        states = await sources.all_states(connection)
    rows: list[dict[str, Any]] = []
    for name, (config, _) in app.sources.items():
        state = states.get(name)
        row: dict[str, Any] = {"name": name, "kind": config.kind, "location": config.location, "look": None}
        row |= {"looked_at": None, "next_at": None, "errors": 0, "problem": "", "problems": (), "suspended": False}
        if state is not None:
            row |= {key: getattr(state, key) for key in row if hasattr(state, key)}
        if not only_problems or row["problem"] or row["problems"] or row["suspended"]:
            rows.append(row)
    return rows, app.site.timezone


async def _test(app: "App", name: str) -> tuple["Gathered", str]:
    from syndicate.domain.source import Memory

    if name not in app.sources:
        raise NotFound("source", name, known=tuple(app.sources))
    _, source = app.sources[name]
    return await source.gather(Memory(), now=app.clock.now()), app.site.timezone


async def _gather(app: "App", names: Sequence[str]) -> list[dict[str, Any]]:
    """One report a source; `look` is "asked" where a running `up` does it."""
    from syndicate import work

    for name in names:
        if name not in app.sources:
            raise NotFound("source", name, known=tuple(app.sources))
    wanted = list(names or app.sources)
    with ExitStack() as held:
        try:
            held.enter_context(work.single_process(app.settings.var))
        except Refused:
            return await _ask(app, wanted)
        await work.prepare(app)
        return [vars(await work.gather(app, name)) for name in wanted]


async def _ask(app: "App", names: Sequence[str]) -> list[dict[str, Any]]:
    from syndicate.store import sources

    async with app.db.write() as connection:
        for name in names:
            await sources.look_soon(connection, name, now=app.clock.now())
    return [{"source": name, "look": "asked"} for name in names]


def _sentence(report: dict[str, Any]) -> str:
    name = report["source"]
    if report["look"] == "asked":
        return f"{name}: the running Syndicate was asked to look at once."
    if report["look"] == "failed":
        return f"{name}: {show.clean(report['problem'])}"
    kinds = ("published", "updated", "withdrawn", "restored")
    what = show.words(f"{report[kind]} {kind}" for kind in kinds if report[kind]) or "nothing new"
    unread = f"; {show.count(len(report['problems']), 'story')} with a flaw" if report["problems"] else ""
    return f"{name}: {what}{unread}."
