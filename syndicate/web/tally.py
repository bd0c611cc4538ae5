"""Plain counters of this process, cheap enough for the hot way. /metrics shows them."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Tally:
    """How many answers of which status were given, by what was asked for."""

    feeds: Counter[int] = field(default_factory=Counter)
    pages: Counter[tuple[str, int]] = field(default_factory=Counter)  # first part of the path, status
