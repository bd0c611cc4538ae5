"""`syndicate init`: the first configuration of a newsroom."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from syndicate.domain.source import Relation
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
        str | None, typer.Option("--url", "--feed-url", help="Any page of the newsroom; else a folder of files.")
    ] = None,
) -> None:
    """Write a first configuration, keys and a story into DIR.

    Overwrites nothing. With --url the newsroom's best channel is found and written, as `sources add` does.

    Exit code 1: the newsroom can't be reached or gathered. The configuration is written all the same.
    """
    from syndicate.settings import init_text, load, prepare_keys

    path = folder / "config" / "syndicate.toml"
    if path.exists():
        raise Refused(f"{path} is there already; nothing was written")
    _check_address("--site-url", site_url, example="https://contohpos.example")
    _check_address("--url", url, example="https://contohpos.example/rss")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(init_text(title=title, site_url=site_url, with_folder=url is None), "utf-8")
    prepare_keys(path.resolve(), cwd=Path.cwd())
    settings = load(path.resolve(), cwd=Path.cwd(), environ=os.environ)
    if url is None:
        _first_story(folder / "newsroom")
    print(f"Written: {path} and keys in {settings.keys}.")
    trouble = "" if url is None else asyncio.run(_find_source(path.resolve(), url))
    _say_what_next(folder, in_folder=url is None, is_found=url is not None and not trouble)
    if trouble:
        raise Refused(f"{trouble} The configuration is written without a source: `syndicate sources add URL` adds one")


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


async def _find_source(path: Path, url: str) -> str:
    """Adds the newsroom's best channel to the file. Returns what is wrong, "" if nothing is."""
    from syndicate.app import open_app
    from syndicate.cli.adding import make_offer, show_offer, what_failed
    from syndicate.settings import load
    from syndicate.settings.adding import add_source

    app = open_app(load(path, cwd=Path.cwd(), environ=os.environ))
    try:
        offer = await make_offer(app, url, name=None, relation=Relation.OWNER, tell=lambda _words: None)
    except Refused as why:
        return f"{why}."
    finally:
        await app.aclose()
    if offer.found.best is None:
        return what_failed(offer)
    show_offer(offer)
    add_source(path, offer.block, cwd=Path.cwd(), environ=os.environ)
    return ""


def _say_what_next(folder: Path, *, in_folder: bool, is_found: bool) -> None:
    program = Path(sys.argv[0]).resolve() if "/" in sys.argv[0] else "syndicate"
    print("Next:")
    if folder.resolve() != Path.cwd():
        print(f"  cd {folder}")
    if not is_found:
        print(f"  {program} sources add URL   # a newsroom on the web: finds its best channel")
    print(f"  {program} check   # looks it over")
    print(f"  {program} subscribers add ADDRESS NEWSLETTER   # nobody reads by mail yet")
    print(f"  {program} up      # runs it; the pages are at http://127.0.0.1:8080/feeds/")
    if in_folder:
        print(f"  Stories are files in {folder / 'newsroom'}.")
