"""`syndicate newsletters …`: the products that are mailed, and what the next edition would be."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli import show
from syndicate.cli.opening import who_says, with_app
from syndicate.errors import ConfigError, NotFound

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.domain.newsletter import Newsletter
    from syndicate.pipeline.compose import Preview

_Name = Annotated[str, typer.Argument(metavar="NAME", help="A newsletter's name in the configuration.")]
_Html = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the mail's HTML here.")]
_Text = Annotated[bool, typer.Option("--text", help="Print the mail's text.")]


def list_all(context: typer.Context, *, json: show.Json = False) -> None:
    """List the newsletters, their readers and their next slot."""
    rows, zone = with_app(context, _list)
    if json:
        show.as_json(rows)
        return
    show.table(
        ("newsletter", "title", "readers", "next slot", "newest edition", "channel", "paused"),
        [
            (
                *(r["name"], r["title"], r["readers"], show.moment(r["next_at"], zone), r["newest_edition"]),
                *(r["channel"], r["paused"]["why"] if r["paused"] else ""),
            )
            for r in rows
        ],
        empty="The configuration names no newsletter.",
    )


def preview(
    context: typer.Context, name: _Name, *, html: _Html = None, text: _Text = False, json: show.Json = False
) -> None:
    """Show the next edition as it would be now.

    When, to how many, with which stories. Writes and sends nothing but the FILE.
    """
    found, page, words, zone = with_app(context, lambda app: _preview(app, name))
    if html is not None:
        html.write_text(page, "utf-8")
    if json:
        show.as_json(_record(found))
    elif text:
        print(show.clean(words))
    else:
        _draw(found, zone)
        if html is not None:
            print(f"The HTML is in {html}.")


def pause(
    context: typer.Context,
    name: _Name,
    *,
    why: Annotated[str, typer.Option(metavar="WORDS", help="The reason, for those who look later. Needed.")],
    json: show.Json = False,
) -> None:
    """Stop a newsletter at once: what is being sent, and the slots to come, until `resume`.

    Nothing is lost: what its slots would have told waits for the first one afterwards.
    """
    stopped = with_app(context, lambda app: _pause(app, name, why))
    if json:
        show.as_json({"newsletter": name, "why": why, "on_hold": stopped})
        return
    held = f" On hold since: {show.words(stopped)}." if stopped else ""
    print(f"{name} is paused.{held} `syndicate newsletters resume {name}` lets it go on.")


def resume(context: typer.Context, name: _Name, *, dry_run: show.DryRun = False, json: show.Json = False) -> None:
    """Let a paused newsletter go on.

    What the pause stopped goes out, and so does the newest slot of meanwhile, if it is late by two hours at most.
    """
    found = with_app(context, lambda app: _resume(app, name, dry_run))
    if json:
        show.as_json(found)
        return
    print(f"{name} {'would go' if dry_run else 'goes'} on.")
    show.facts(
        [
            ("would go out" if dry_run else "goes out", show.words(found["released"])),
            ("stays on hold", show.words(found["held"])),
            ("fired now", show.words(found["slots"])),
        ]
    )


def _draw(found: "Preview", zone: str) -> None:
    edition = found.edition
    show.facts(
        [
            ("edition", f"{edition.newsletter}/{edition.slot}"),
            ("subject", found.rendering.subject),
            ("slot", show.moment(edition.slot_at, zone)),
            ("to", show.count(found.readers, "reader")),
            ("size", size_line(found.proof.size)),
            ("would be held", found.proof.why_held),
            ("waits for", f"the first import of {show.words(found.importing)}" if found.importing else ""),
        ]
    )
    if found.skipped:
        print("As it stands the slot would pass without an edition: there is too little to say.")
    print()
    listed = [(a, "") for a in found.choice.stories] + [(a, "max") for a in found.choice.beyond]
    listed += [(a, "unprintable") for a in found.choice.unprintable] + [(a, "desk") for a in found.choice.dropped]
    rows = [(article.id, article.version, article.content.title, why) for article, why in listed]
    show.table(("story", "version", "title", "left out"), rows, empty="Nothing new since the last edition.")


async def _list(app: "App") -> tuple[list[dict[str, Any]], str]:
    from syndicate.domain.slot import next_slot
    from syndicate.store import audience, desk, editions

    rows: list[dict[str, Any]] = []
    async with app.db.read() as connection:
        paused = await desk.paused(connection)
    for one in app.newsletters.values():
        async with app.db.read() as connection:
            readers = await audience.readers(connection, one.name)
            newest = await editions.newest(connection, limit=1, newsletter=one.name)
        slot = next_slot(one.schedule, one.timezone, app.clock.now())
        row: dict[str, Any] = {"name": one.name, "title": one.title, "channel": one.channel, "readers": readers}
        row |= {"next_slot": slot.name, "next_at": slot.at}
        pause = paused.get(one.name)
        row |= {"paused": vars(pause) if pause else None}
        rows.append(row | {"newest_edition": newest[0].slot if newest else None})
    return rows, app.site.timezone


async def _pause(app: "App", name: str, why: str) -> list[str]:
    from syndicate.domain.desk import Pause
    from syndicate.pipeline.pause import pause_newsletter

    newsletter_of(app, name)
    if not why.strip():
        raise ConfigError("say why: those who look later are told")
    one = Pause(newsletter=name, at=app.clock.now(), who=who_says(), why=why.strip())
    return [edition.name for edition in await pause_newsletter(app.db, one)]


async def _resume(app: "App", name: str, dry_run: bool) -> dict[str, Any]:
    from syndicate.pipeline.pause import foresee_resume, resume_newsletter
    from syndicate.schedule.slots import fire_due, schedules

    newsletter, now, slots = newsletter_of(app, name), app.clock.now(), list[str]()
    if dry_run:
        resumed = await foresee_resume(app.db, name)
    else:
        resumed = await resume_newsletter(app.db, name, list(app.endpoints.values()), who=who_says(), now=now)
        for rhythm in schedules(newsletter):
            slot = await fire_due(app.db, newsletter, rhythm=rhythm, node=app.node.id, now=now)
            slots += [slot.name] if slot else []
    return {
        "newsletter": name,
        "done": not dry_run,
        "released": [edition.name for edition in resumed.released],
        "held": [edition.name for edition in resumed.held],
        "slots": slots,
    }


def size_line(size: int | None) -> str:
    """How large the HTML part of a mail is, and whether that is near what mail programs cut off."""
    from syndicate.formats.digest import LARGE, TOO_LARGE

    if size is None:
        return ""
    near = f", near the {TOO_LARGE:,} from which mail programs cut it off" if LARGE <= size <= TOO_LARGE else ""
    over = f", over the {TOO_LARGE:,} from which mail programs cut it off" if size > TOO_LARGE else ""
    return f"{size:,} bytes of HTML{near}{over}"


def newsletter_of(app: "App", name: str) -> "Newsletter":
    """The newsletter with this name. Raises NotFound."""
    if name not in app.newsletters:
        raise NotFound("newsletter", name, known=tuple(app.newsletters))
    return app.newsletters[name]


async def _preview(app: "App", name: str) -> tuple["Preview", str, str, str]:
    """The preview with its HTML and text as the edition's page would show them, and the zone of the site."""
    from syndicate.formats.digest import HOLES, holes_filled
    from syndicate.pipeline.compose import preview_edition
    from syndicate.pipeline.render import edition_url

    found = await preview_edition(app.db, newsletter_of(app, name), app.studio, now=app.clock.now())
    one, holes = found.rendering, dict.fromkeys(HOLES, edition_url(app.site, name, found.edition.slot))
    return (
        found,
        holes_filled(one.html, one.mark, holes, html=True),
        holes_filled(one.text, one.mark, holes, html=False),
        app.site.timezone,
    )


def _record(found: "Preview") -> dict[str, Any]:
    edition = found.edition

    def named(articles: Any) -> list[dict[str, Any]]:
        return [{"id": a.id, "version": a.version, "title": a.content.title} for a in articles]

    return {
        "newsletter": edition.newsletter,
        "slot": edition.slot,
        "slot_at": edition.slot_at,
        "subject": found.rendering.subject,
        "readers": found.readers,
        "html_bytes": found.proof.size,
        "why_held": found.proof.why_held,
        "skipped": found.skipped,
        "importing": found.importing,
        "stories": named(found.choice.stories),
        "left_out": named(found.choice.beyond),
        "unprintable": named(found.choice.unprintable),
        "dropped": named(found.choice.dropped),
        "intro": found.choice.intro,
    }
