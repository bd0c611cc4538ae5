"""Turns articles into bytes: feed documents, the directory, the mail digest. The kinds of feed are this one list."""

from collections.abc import Mapping

from syndicate.formats.atom import Atom
from syndicate.formats.jsonfeed import JsonFeed
from syndicate.formats.pack import Spliced
from syndicate.formats.rss import Rss

FORMATS: Mapping[str, Spliced] = {"rss": Rss(), "atom": Atom(), "json": JsonFeed()}
