"""`syndicate sources …` and `syndicate gather`: the newsrooms we look at."""

import os
import pwd
from collections.abc import Mapping, Sequence
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
_CONFIRMED = " Confirmed at "
_Problems = Annotated[bool, typer.Option("--problems", help="Only what went wrong, every line of it in full.")]
_Page = Annotated[str | None, typer.Option(metavar="URL", help="Read this page of the newsroom, layer by layer.")]


def list_all(context: typer.Context, *, problems: _Problems = False, json: show.Json = False) -> None:
    """List the sources, and how the last look at each went."""
    rows, zone = with_app(context, lambda app: _list(app, only_problems=problems))
    if json:
        show.as_json(rows)
        return
    if problems:
        lines = [(r["name"], show.moment(r["looked_at"], zone), line) for r in rows for line in _problem_lines(r)]
        show.table(("source", "last look", "problem"), lines, empty="No source has a problem.")
        return
    show.table(
        ("source", "kind", "where", "last look", "how", "next look", "flaws", "problem"),
        [
            (
                *(r["name"], r["kind"], r["location"], show.moment(r["looked_at"], zone)),
                r["look"] or "not looked at yet",
                *("suspended" if r["suspended"] else show.moment(r["next_at"], zone), r["flaws"], r["problem"]),
            )
            for r in rows
        ],
        empty="The configuration names no source.",
    )


def try_one(context: typer.Context, name: _Name, *, url: _Page = None, json: show.Json = False) -> None:
    """Look at a source once and show what it would bring.

    Of a WordPress or page source that is the newest five stories. Writes nothing, remembers nothing. With --url: what
    each layer of that page says of each field and which one won, what stands against the story, and the story as it
    would be.

    Exit code 1: it can't be reached or read, or brings no story, or the page shows none that may go out.
    """
    from syndicate.domain.source import Look

    if url is not None:
        _try_page(context, name, url, json=json)
        return
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
        for line in show.folded(gathered.problems):
            print(f"flaw: {show.clean(line)}")
    if gathered.look is Look.FAILED or not gathered.articles:
        raise typer.Exit(1)


def confirm(
    context: typer.Context,
    name: _Name,
    code: Annotated[str, typer.Argument(metavar="CODE", help="The code that the source's problem names.")],
) -> None:
    """Say that the stories which vanished all at once were meant to go.

    The next look withdraws them; it is asked for at once. A code stands for exactly those stories.

    Exit code 1: the source's problem doesn't name this code.
    """
    with_app(context, lambda app: _confirm(app, name, code))
    print(f"Confirmed. {name} is looked at soon by a running `up`, else with `syndicate gather {name}`.")


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


def _try_page(context: typer.Context, name: str, url: str, *, json: bool) -> None:
    from syndicate.cli import page

    found, zone = with_app(context, lambda app: page.inspect(app, name, url))
    if json:
        show.as_json(page.record(found))
    else:
        page.show_page(found, zone)
    if found.seen.item is None or found.seen.item["faults"]:
        raise typer.Exit(1)


def _problem_lines(row: dict[str, Any]) -> list[str]:
    """What is wrong with the source, then with each story."""
    return [line for line in (row["problem"], *row["problems"]) if line] or ["It is suspended."]


async def _list(app: "App", *, only_problems: bool) -> tuple[list[dict[str, Any]], str]:
    from syndicate.store import schema, sources

    states: Mapping[str, sources.SourceState] = {}
    if not await schema.is_new(app.db):
        async with app.db.read() as connection:
            states = await sources.all_states(connection)
    rows: list[dict[str, Any]] = []
    for name, (config, _) in app.sources.items():
        state = states.get(name)
        row: dict[str, Any] = {"name": name, "kind": config.kind, "location": config.location, "look": None}
        row |= {"looked_at": None, "next_at": None, "errors": 0, "problem": "", "problems": (), "suspended": False}
        if state is not None:
            row |= {key: getattr(state, key) for key in row if hasattr(state, key)}
        row["flaws"] = len(row["problems"])
        if not only_problems or row["problem"] or row["problems"] or row["suspended"]:
            rows.append(row)
    return rows, app.site.timezone


async def _test(app: "App", name: str) -> tuple["Gathered", str]:
    from syndicate.pipeline.inspect import glance

    if name not in app.sources:
        raise NotFound("source", name, known=tuple(app.sources))
    config, source = app.sources[name]
    return await glance(config, source, app.tools, now=app.clock.now()), app.site.timezone


async def _confirm(app: "App", name: str, code: str) -> None:
    """What the source asked for was meant: the source's problem and the log say who said so."""
    import structlog

    from syndicate.sources.read.removals import confirmation
    from syndicate.store import sources

    if name not in app.sources:
        raise NotFound("source", name, known=tuple(app.sources))
    async with app.db.write() as connection:
        state = await sources.get(connection, name)
        if state is None or confirmation(name, code) not in state.problem:
            raise Refused(
                f"nothing was confirmed: the last look at {name} didn't ask for the code {code}; what it asks for, "
                "`syndicate sources list --problems` says"
            )
        asked = state.problem.partition(_CONFIRMED)[0]
        told = f"{asked}{_CONFIRMED}{show.moment(app.clock.now(), app.site.timezone)} by {_who()}."
        await sources.confirm(connection, name, code, problem=told)
        await sources.look_soon(connection, name, now=app.clock.now())
    structlog.get_logger().warning("source.loss_confirmed", source=name, code=code, by=_who())


def _who() -> str:
    """For the record: the account that this runs in, or its number."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


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
