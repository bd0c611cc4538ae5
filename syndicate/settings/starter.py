"""The first configuration of a newsroom, written by `syndicate init`."""

import json
from string import Template
from urllib.parse import urlsplit

from syndicate.settings.assets import assets

_FOLDER = """\
[[sources]]
name = "newsroom"
kind = "folder"  # stories are Markdown or HTML files in this folder; a newsroom on the web: `syndicate sources add URL`
path = "newsroom"
every = "10 s"  # how often we look
first_import = "mail"  # what lies there already may be mailed; "feeds" = only new stories are"""
_NONE = "# A newsroom on the web: `syndicate sources add URL` finds its best channel and writes it here."


def init_text(*, title: str, site_url: str, with_folder: bool = True) -> str:
    """The commented config file of a new installation: one source, one feed, one newsletter, mail into a folder.

    The source is the folder `newsroom` beside `config/`; without `with_folder` there is none yet.
    """
    host = (urlsplit(site_url).hostname or "localhost").removeprefix("www.")
    return Template(assets("config/init.toml.tmpl").read_text("utf-8")).substitute(
        title=_quoted(title),
        url=_quoted(site_url),
        sender=_quoted(f"{_plain(title)} <ringkasan@{host}>"),
        source=_FOLDER if with_folder else _NONE,
    )


def _quoted(text: str) -> str:
    """As a TOML basic string; JSON's escapes are valid there."""
    return json.dumps(text, ensure_ascii=False)


def _plain(text: str) -> str:
    """Fit for the name of a sender, where < and > frame the address."""
    return text.replace("<", "").replace(">", "").strip()
