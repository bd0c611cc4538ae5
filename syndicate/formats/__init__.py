"""Turns articles into bytes: feed documents, the directory, the mail digest. The kinds of feed are this one list."""

from collections.abc import Mapping

from syndicate.formats.atom import Atom
from syndicate.formats.jsonfeed import JsonFeed
from syndicate.formats.rss import Rss
from syndicate.ports import Format

FORMATS: Mapping[str, Format] = {"rss": Rss(), "atom": Atom(), "json": JsonFeed()}
