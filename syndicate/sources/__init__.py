"""The kinds of newsrooms we can look at. A new kind is a module here and a line in `KINDS`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from syndicate.domain.source import SourceConfig
from syndicate.errors import ConfigError
from syndicate.jail import Jail
from syndicate.net.client import Client
from syndicate.ports import Source
from syndicate.sources.feed import FeedSource
from syndicate.sources.folder import FolderSource
from syndicate.sources.page import PageSource
from syndicate.sources.read.rules import PageRule
from syndicate.sources.wordpress import WordPressSource


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What sources work with: the way out to the network, the place where foreign bytes are read, and what we know of
    the themes that newsrooms' pages are made with."""

    client: Client
    jail: Jail
    rules: tuple[PageRule, ...] = ()


KINDS: Mapping[str, Callable[[SourceConfig, Tools], Source]] = {
    "folder": lambda config, tools: FolderSource(config, tools.jail),
    "feed": lambda config, tools: FeedSource(config, tools.client, tools.jail),
    "wordpress": lambda config, tools: WordPressSource(config, tools.client, tools.jail, tools.rules),
    "page": lambda config, tools: PageSource(config, tools.client, tools.jail, tools.rules),
}


def open_source(config: SourceConfig, tools: Tools) -> Source:
    """The source an operator described. Raises ConfigError for a kind that doesn't exist."""
    factory = KINDS.get(config.kind)
    if factory is None:
        raise ConfigError(
            f"[[sources]] {config.name!r}: kind = {config.kind!r} is unknown; write one of {', '.join(KINDS)}"
        )
    return factory(config, tools)
