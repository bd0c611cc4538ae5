"""The first configuration of a newsroom, written by `syndicate init`."""

import json
from string import Template
from urllib.parse import urlsplit

from syndicate.settings.assets import assets

_FOLDER = """\
[[sources]]
name = "newsroom"
kind = "folder"  # stories are Markdown or HTML files in this folder; a feed is read with kind = "feed", url = "https://…"
path = "newsroom"
every = "10 s"  # how often we look
first_import = "mail"  # what lies there already may be mailed; "feeds" = only new stories are"""
_FEED = """\
[[sources]]
name = "newsroom"
kind = "feed"
url = $url
every = "5 min"  # how often we look; at least 1 min
first_import = "feeds"  # what is there already goes into feeds only; "mail" = it may be mailed too"""


def init_text(*, title: str, site_url: str, feed_url: str | None = None) -> str:
    """The commented config file of a new installation: one source, one feed, one newsletter, mail into a folder.

    Without `feed_url` the stories are taken from the folder `newsroom` beside `config/`.
    """
    host = (urlsplit(site_url).hostname or "localhost").removeprefix("www.")
    source = _FOLDER if feed_url is None else Template(_FEED).substitute(url=_quoted(feed_url))
    return Template(assets("config/init.toml.tmpl").read_text("utf-8")).substitute(
        title=_quoted(title),
        url=_quoted(site_url),
        sender=_quoted(f"{_plain(title)} <ringkasan@{host}>"),
        source=source,
    )


def _quoted(text: str) -> str:
    """As a TOML basic string; JSON's escapes are valid there."""
    return json.dumps(text, ensure_ascii=False)


def _plain(text: str) -> str:
    """Fit for the name of a sender, where < and > frame the address."""
    return text.replace("<", "").replace(">", "").strip()
