"""`syndicate articles correct|withdraw|restore`: the desk's word on a story, and what follows from it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli import show
from syndicate.cli.opening import who_says, with_app
from syndicate.domain.change import ChangeKind
from syndicate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syndicate.app import App
    from syndicate.domain.article import Article
    from syndicate.pipeline.correct import Forecast, Text, ToldIn

_Id = Annotated[str, typer.Argument(metavar="ID", help="An article's id, as `articles list` shows it.")]
_Note = Annotated[str, typer.Option(metavar="WORDS", help="What readers are told, with the story. Needed.")]
_Title = Annotated[str | None, typer.Option(metavar="WORDS", help="Another title.")]
_Summary = Annotated[str | None, typer.Option(metavar="WORDS", help="Another summary.")]
_Body = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Another body: Markdown in a file called *.md, else HTML.")
]


def correct(
    context: typer.Context,
    identifier: _Id,
    *,
    note: _Note,
    title: _Title = None,
    summary: _Summary = None,
    body: _Body = None,
    dry_run: show.DryRun = False,
    json: show.Json = False,
) -> None:
    """Correct a story, with a note for the readers.

    Without new text it stays as it is and bears the note. It holds until the source itself changes what was corrected.
    """
    from syndicate.pipeline.correct import Text

    text = Text(
        title=title,
        summary=summary,
        body=None if body is None else _read(body),
        body_format="markdown" if body is not None and body.suffix == ".md" else "html",
    )
    _say(context, ChangeKind.CORRECTED, identifier, note, text=text, dry_run=dry_run, json=json)


def withdraw(
    context: typer.Context, identifier: _Id, *, note: _Note, dry_run: show.DryRun = False, json: show.Json = False
) -> None:
    """Withdraw a story: its notice takes its place in feeds and on its page, and partners are told to take it down.

    An edition that is being sent with it is put on hold. The source may go on showing the story.
    """
    _say(context, ChangeKind.WITHDRAWN, identifier, note, dry_run=dry_run, json=json)


def restore(
    context: typer.Context, identifier: _Id, *, note: _Note, dry_run: show.DryRun = False, json: show.Json = False
) -> None:
    """Bring a withdrawn story back, as its source shows it by now."""
    _say(context, ChangeKind.RESTORED, identifier, note, dry_run=dry_run, json=json)


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8; save it in that encoding") from None


def _say(
    context: typer.Context,
    kind: ChangeKind,
    identifier: str,
    note: str,
    *,
    text: "Text | None" = None,
    dry_run: bool,
    json: bool,
) -> None:
    forecast, done = with_app(context, lambda app: _change(app, kind, identifier, note, text, dry_run=dry_run))
    if json:
        show.as_json(_record(forecast, done))
        return
    _draw(forecast, done)


async def _change(
    app: "App", kind: ChangeKind, identifier: str, note: str, text: "Text | None", *, dry_run: bool
) -> "tuple[Forecast, Article | None]":
    from syndicate.domain.desk import DeskChange
    from syndicate.pipeline.correct import change_article, find_article, foresee_change, read_text

    says: Mapping[str, str] = {}
    if text is not None:
        says = await read_text(app.jail, await find_article(app.db, identifier), text)
    change, now = DeskChange(kind=kind, note=note, says=says), app.clock.now()
    forecast = await foresee_change(
        app.db, identifier, change, feeds=app.feeds.values(), endpoints=app.endpoints.values(), now=now
    )
    if dry_run:
        return forecast, None
    return forecast, await change_article(app.db, identifier, change, who=who_says(), now=now)


def _readers(told: "tuple[ToldIn, ...]") -> dict[int, int]:
    """How many mails went out with which version. A reader of two newsletters may have got two."""
    went: dict[int, int] = {}
    for one in told:
        if one.mails:
            went[one.version] = went.get(one.version, 0) + one.mails
    return went


def _record(forecast: "Forecast", done: "Article | None") -> dict[str, Any]:
    article = done or forecast.article
    return {
        "id": article.id,
        "kind": forecast.kind,
        "done": done is not None,
        "seq": done.seq if done else None,
        "version": article.version,
        "title": article.content.title,
        "note": article.note,
        "feeds": forecast.feeds,
        "pushes": forecast.pushes,
        "switched_off": forecast.switched_off,
        "editions": forecast.editions,
        "mailed": _readers(forecast.editions),
        "doubles": forecast.doubles,
    }


def _draw(forecast: "Forecast", done: "Article | None") -> None:
    article = done or forecast.article
    begun = f"{article.id} is {forecast.kind}" if done else f"{article.id} would be {forecast.kind}"
    print(f"{begun}, in version {article.version}: {show.clean(article.content.title)}")
    pushes = [
        f"{name} ({kind}{', switched off' if name in forecast.switched_off else ''})"
        for name, kind in forecast.pushes.items()
    ]
    mailed = [f"version {version} to {show.count(n, 'reader')}" for version, n in _readers(forecast.editions).items()]
    show.facts(
        [
            ("feeds", show.words(forecast.feeds)),
            ("pushes", show.words(pushes)),
            ("mailed", show.words(mailed)),
            *(("edition", line) for line in _edition_lines(forecast, done=done is not None)),
            ("left as it is", show.words(forecast.doubles)),
        ]
    )


def _edition_lines(forecast: "Forecast", *, done: bool) -> list[str]:
    """What becomes of the editions that hold the story and aren't through."""
    from syndicate.domain.edition import EditionState

    lines = []
    withdrawn = forecast.kind is ChangeKind.WITHDRAWN
    for one in forecast.editions:
        unsent = f"version {one.version}, unsent to {show.count(one.unsent, 'reader')}"
        if one.state is EditionState.FROZEN and withdrawn:
            lines.append(f"{one.name} {'is' if done else 'would be'} put on hold ({unsent})")
        elif one.state is EditionState.FROZEN:
            lines.append(f"{one.name} goes on as it is ({unsent})")
        elif one.state is EditionState.HELD:
            lines.append(f"{one.name} is on hold with it ({unsent})")
    return lines
