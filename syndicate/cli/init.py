"""`syndicate init`: the first configuration of a newsroom."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from syndicate.errors import ConfigError, Refused

_STORY = """\
+++
title = "Cerita pertama"
authors = ["Redaksi"]
sections = ["Kabar"]
+++

Ini cerita pertama ruang redaksi. Ubah berkas ini, simpan, dan lihat bagaimana umpan serta surat berikutnya berubah.

Setiap berkas Markdown atau HTML di folder ini adalah satu cerita.
"""


def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where it is to live; made if it isn't there.")],
    *,
    title: Annotated[str, typer.Option(help="The newspaper's name.")] = "Koran Saya",
    site_url: Annotated[str, typer.Option(help="The newspaper's own address.")] = "https://koran.example",
    url: Annotated[
        str | None, typer.Option("--url", "--feed-url", help="The feed to gather; else a folder of files.")
    ] = None,
) -> None:
    """Write a first configuration, keys and a story into DIR.

    Overwrites nothing. With --url the feed is looked at once; if it can't be reached that is said, and the exit code
    is 1.
    """
    from syndicate.settings import init_text, load, prepare_keys

    path = folder / "config" / "syndicate.toml"
    if path.exists():
        raise Refused(f"{path} is there already; nothing was written")
    _check_address("--site-url", site_url, example="https://contohpos.example")
    _check_address("--url", url, example="https://contohpos.example/rss")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(init_text(title=title, site_url=site_url, feed_url=url), "utf-8")
    prepare_keys(path.resolve(), cwd=Path.cwd())
    settings = load(path.resolve(), cwd=Path.cwd(), environ=os.environ)
    if url is None:
        _first_story(folder / "newsroom")
    print(f"Written: {path} and keys in {settings.keys}.")
    trouble = "" if url is None else asyncio.run(_look(path.resolve()))
    _say_what_next(folder, url)
    if trouble:
        raise Refused(f"{trouble.rstrip('.')}. The configuration is written; correct the url there, or try again later")


def _check_address(option: str, address: str | None, *, example: str) -> None:
    if address is not None and (urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).netloc):
        raise ConfigError(f'{option} {address}: not a web address; write for example "{example}"')


def _first_story(newsroom: Path) -> None:
    newsroom.mkdir(exist_ok=True)
    story = newsroom / "cerita-pertama.md"
    if not story.exists():
        story.write_text(_STORY, "utf-8")
        older = story.stat().st_mtime - 5  # a look leaves a file of this very second alone: it may still be written
        os.utime(story, (older, older))


async def _look(path: Path) -> str:
    """One look at the feed, without taking anything over. Returns what is wrong, "" if nothing is."""
    from syndicate.app import open_app
    from syndicate.domain.source import Look, Memory
    from syndicate.settings import load

    app = open_app(load(path, cwd=Path.cwd(), environ=os.environ))
    try:
        ((_, source),) = app.sources.values()
        gathered = await source.gather(Memory(), now=app.clock.now())
    finally:
        await app.aclose()
    if gathered.look is not Look.FAILED:
        print(f"The feed has {len(gathered.articles)} stories that can be read.")
        return ""
    return gathered.problem


def _say_what_next(folder: Path, url: str | None) -> None:
    program = Path(sys.argv[0]).resolve() if "/" in sys.argv[0] else "syndicate"
    print("Next:")
    if folder.resolve() != Path.cwd():
        print(f"  cd {folder}")
    print(f"  {program} check   # looks it over")
    print(f"  {program} subscribers add ADDRESS NEWSLETTER   # nobody reads by mail yet")
    print(f"  {program} up      # runs it; the pages are at http://127.0.0.1:8080/feeds/")
    if url is None:
        print(f"  Stories are files in {folder / 'newsroom'}.")
