"""`syndicate sources add`: from any address of a newsroom to a source in the config file."""

import json as toml  # a text or a list of texts is written the same in both
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from syndicate.cli import show
from syndicate.cli.opening import with_app
from syndicate.domain.source import Relation, SourceConfig
from syndicate.errors import ConfigError, Refused

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.pipeline.discover import Channel, Discovery

_Name = Annotated[str | None, typer.Option(metavar="NAME", help="What to call it; else as its domain is called.")]
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_SECTIONS = 12  # that are suggested
_SHOWN = 5  # problems


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What would be written, and what it is based on."""

    found: "Discovery"
    config: SourceConfig
    block: str
    note: str
    zone: str


def add(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="Any page of the newsroom, or its feed.")],
    *,
    name: _Name = None,
    relation: Annotated[Relation, typer.Option(help="What the newsroom is to us.")] = Relation.PARTNER,
    yes: Annotated[bool, typer.Option("--yes", help="Write it into the config file without asking.")] = False,
    json: show.Json = False,
) -> None:
    """Find a newsroom's best channel, show what it brings, and write it into the config file.

    Asks before it writes; without a terminal and without --yes it only shows.

    Exit code 1: nothing that can be gathered was found, or it is in the file already. Then nothing was written.
    """
    from syndicate.settings.file import find_config

    url = _checked(url)
    asks = not json and sys.stdin.isatty() and sys.stdout.isatty()
    with _progress(shown=asks) as tell:
        offer = with_app(context, lambda app: make_offer(app, url, name=name, relation=relation, tell=tell))
    path = find_config(context.obj, cwd=Path.cwd())
    is_fit = offer.found.best is not None
    if not json:
        show_offer(offer)
    if json or is_fit:
        is_written = is_fit and (yes or (asks and typer.confirm(f"Write it into {path}?")))
        _write_or_tell(offer, path, is_written=is_written, json=json)
    if not is_fit:
        raise typer.Exit(1) if json else Refused(f"{what_failed(offer)} Nothing was written.")


def _write_or_tell(offer: Offer, path: Path, *, is_written: bool, json: bool) -> None:
    from syndicate.settings.adding import add_source

    if is_written:
        add_source(path, offer.block, cwd=Path.cwd(), environ=os.environ)
    if json:
        show.as_json(_record(offer) | {"file": path, "written": is_written})
    elif is_written:
        print(f"Written into {path}. `syndicate check` looks it over; a running `up` reads it when it starts again.")
    else:
        print(f"Nothing was written. With --yes it is written into {path}.")


async def make_offer(
    app: "App", url: str, *, name: str | None, relation: Relation, tell: Callable[[str], None]
) -> Offer:
    """Finds the newsroom. Raises Refused when it can't be reached or is in the configuration already."""
    from dataclasses import replace

    from syndicate.pipeline.discover import discover
    from syndicate.sources.moves import same_site

    _refuse_known_url(app, url)
    chosen = _free_name(app, name or _name_of(url), said=name is not None)
    like = SourceConfig(
        name=chosen,
        kind="",
        location=url,
        every=None,
        relation=relation,
        zone=app.site.timezone,
        language=app.site.language,
    )
    found = await discover(url, like, app.tools, tell=tell, now=app.clock.now())
    config = found.config or replace(like, location=found.home)
    _refuse_known_url(app, config.location)
    remote = [one for one, _ in app.sources.values() if "://" in one.location]
    others = [
        one.name
        for one in remote
        if same_site(one.location, config.location) and _port(one.location) == _port(config.location)
    ]
    note = (
        f"The same site is read by {show.words(others)}: keep one of them, or each story comes twice." if others else ""
    )
    block = _block(config, found) if found.best else ""
    return Offer(found=found, config=config, block=block, note=note, zone=config.zone)


def _checked(url: str) -> str:
    """As it was pasted, without what only a browser needs. Raises ConfigError."""
    from syndicate.settings.addresses import web_address

    address = url.strip().partition("#")[0]
    try:
        web_address(_whole(address))
    except ValueError as why:
        raise ConfigError(f"{url}: {why}") from None
    return address


def _whole(url: str) -> str:
    return url if "://" in url else f"https://{url}"


def _refuse_known_url(app: "App", url: str) -> None:
    for config, _ in app.sources.values():
        if "://" in config.location and _bare(config.location) == _bare(url):
            raise Refused(f"{url} is in the configuration already, as the source {config.name}; nothing was written")


def _bare(url: str) -> str:
    """An address without what may differ though the page is the same."""
    parts = urlsplit(_whole(url))
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.netloc.lower().removeprefix('www.')}{parts.path.rstrip('/')}{query}"


def _port(url: str) -> int | None:
    """None for a usual one: http and https are two doors of one house."""
    port = urlsplit(url).port
    return None if port in (80, 443) else port


def _free_name(app: "App", name: str, *, said: bool) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"--name {name}: not a name; write up to 40 of a–z, 0–9 and -, not starting with -")
    if name in app.sources:
        cure = "choose another" if said else "choose another with --name"
        raise Refused(f"a source called {name} is in the configuration already; {cure}. Nothing was written")
    return name


def _name_of(url: str) -> str:
    """`malangposcomedia` for a page of malangposcomedia.id."""
    from syndicate.sources.moves import site

    domain = site(_whole(url))
    first = domain if domain.replace(".", "").isdigit() else domain.partition(".")[0]
    return re.sub(r"[^a-z0-9]+", "-", first.lower()).strip("-")[:40] or "newsroom"


def _block(config: SourceConfig, found: "Discovery") -> str:
    """The table as it is written, with what an operator may want to change."""
    lines = [
        "[[sources]]",
        f"name = {toml.dumps(config.name)}",
        f"kind = {toml.dumps(config.kind)}  # {_channels(found)}",
        f"url = {toml.dumps(config.location, ensure_ascii=False)}",
        f'relation = "{config.relation}"  # "owner" = our own paper, "partner" = it knows that we come, or "stranger"',
        '# every = "15 min"  # a fixed rhythm; without it we look as often as it publishes',
    ]
    if found.best is not None and found.best.name == "feed" and config.kind in ("feed", "wordpress"):
        lines.append(f"# sections = {_sections(found)}  # categories of its feed that are sections; the rest are tags")
    if config.kind in ("page", "wordpress"):
        tried = f"syndicate sources test {config.name} --url URL"
        lines.append(f'# rules = {{ body = ["…"] }}  # selectors of its pages; what they find: {tried}')
    lines.append('first_import = "feeds"  # what is there already goes into feeds only; "mail" = it may be mailed too')
    return "\n".join(lines) + "\n"


def _channels(found: "Discovery") -> str:
    """What a reader of the file should know of the choice: `rest is open, feed is shut (401), page is open`."""
    return show.words(f"{one.name} {_state(one)}" for one in found.channels)


def _sections(found: "Discovery") -> str:
    contents = [one.content for one in found.sample.articles]
    named = dict.fromkeys(name for content in contents for name in (*content.sections, *content.tags))
    return toml.dumps(list(named)[:_SECTIONS] or ["…"], ensure_ascii=False)


def _state(channel: "Channel") -> str:
    shut = channel.state == "shut" and channel.status
    return f"shut ({channel.status})" if shut else channel.state.value


def show_offer(offer: Offer) -> None:
    """Its channels, a few stories and the table, for people."""
    show.table(
        ("channel", "state", "address", "what is there"),
        [(one.name, _state(one), one.url, _inside(one)) for one in offer.found.channels],
        empty="",
    )
    print()
    if offer.found.best is None:
        return
    show.table(
        ("time", "title", "section", "picture", "flags"),
        [
            (
                show.moment(c.published, offer.zone),
                c.title,
                show.words(c.sections),
                c.picture is not None,
                show.words(c.flags),
            )
            for c in (article.content for article in offer.found.sample.articles)
        ],
        empty="",
    )
    for line in filter(None, (*show.folded(offer.found.sample.problems)[:_SHOWN], offer.note)):
        print(show.clean(line))
    print(f"\n{show.clean(offer.block)}")


def _inside(channel: "Channel") -> str:
    if channel.state == "open" and channel.links:
        return show.words(filter(None, [show.count(len(channel.links), "story"), channel.words]))
    return channel.words


def what_failed(offer: Offer) -> str:
    """A sentence for each channel, and the cure."""
    lines = [f"{one.name}: {one.url} {one.words or 'is open, but brings no story'}." for one in offer.found.channels]
    lines += map(show.clean, show.folded(offer.found.sample.problems)[:_SHOWN])
    cure = (
        "Ask the newsroom to open its REST API or a feed to us, or give the address of a page that lists its stories."
    )
    if any(one.passing for one in offer.found.channels):
        cure = f"If the site is only too busy or out of order just now, try again later. {cure}"
    return "\n".join([*lines, cure])


def _record(offer: Offer) -> dict[str, Any]:
    contents = [one.content for one in offer.found.sample.articles]
    return {
        "name": offer.config.name,
        "kind": offer.config.kind,
        "url": offer.config.location,
        "channels": [
            {"name": one.name, "state": one.state, "status": one.status, "url": one.url, "words": one.words}
            for one in offer.found.channels
        ],
        "best": offer.found.best.name if offer.found.best else None,
        "articles": [
            {
                "title": content.title,
                "url": content.url,
                "published": content.published,
                "sections": content.sections,
                "picture": content.picture is not None,
                "flags": content.flags,
            }
            for content in contents
        ],
        "problems": offer.found.sample.problems,
        "note": offer.note,
        "config": offer.block,
    }


@contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[[str], None]]:
    """What is being asked, while it is asked: a polite search takes its time."""
    if not shown:
        yield lambda _words: None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn

    with Progress(SpinnerColumn(), TextColumn("{task.description}"), transient=True) as progress:
        bar = progress.add_task("beginning", total=None)
        yield lambda words: progress.update(bar, description=words)
