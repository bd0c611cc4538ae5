"""What the REST channel of a newsroom remembers between two looks."""

import json
from dataclasses import asdict, dataclass, field

_WATCHED = 1000  # newest posts whose presence we check
_FEW = 100  # of the others: as many as WordPress lists at once


@dataclass(kw_only=True)
class RestMemory:
    """What the channel wants back. Times are ISO texts; `posts` maps numbers to [modified, published, link]."""

    root: str = ""
    seen_to: str = ""  # highest time of modification seen
    imported_at: str = ""
    imported_id: int = 0  # highest number at the first import
    posts: dict[str, list[str]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # number → when it was first not there
    unlisted: list[str] = field(default_factory=list)  # not in any list, though their pages are there
    gone: list[str] = field(default_factory=list)  # withdrawn by us; they may come back
    taken: list[int] = field(default_factory=list)  # numbers of the first import that `posts` and `gone` hold no more
    unread: dict[str, str] = field(default_factory=dict)  # number → why its record couldn't be read
    since: str = ""  # where the list of changes goes on, when one look didn't come to its end
    page: int = 0  # and of the second after it, by number
    swept_at: str = ""
    place: int = 0  # where the round through older posts goes on

    @classmethod
    def of(cls, text: str) -> "RestMemory":
        """From what `text` gave."""
        return cls(**json.loads(text)) if text else cls()

    def text(self) -> str:
        """As a source's memory keeps it: the newest posts only."""
        newest = sorted(self.posts.items(), key=lambda row: row[1][1], reverse=True)[:_WATCHED]
        kept = dict(newest)
        missing = {number: since for number, since in self.missing.items() if number in kept}
        unlisted = [number for number in self.unlisted if number in kept][-_FEW:]
        gone = self.gone[-_FEW:]
        forgotten = {int(number) for number in (self.posts.keys() | set(self.gone)) - {*kept, *gone}}
        taken = sorted({*self.taken, *(number for number in forgotten if number <= self.imported_id)})
        unread = dict(list(self.unread.items())[-_FEW:])
        bounded = {"posts": kept, "missing": missing, "gone": gone, "unlisted": unlisted}
        bounded |= {"taken": taken, "unread": unread}
        return json.dumps(asdict(self) | bounded, separators=(",", ":"))

    def knows(self, number: str) -> bool:
        """True for a post that is ours: one that the first import took, or any that came after it."""
        return (
            int(number) > self.imported_id or number in self.posts or number in self.gone or int(number) in self.taken
        )

    def lose(self, number: str) -> None:
        """The post is gone, or behind a password."""
        self.posts.pop(number, None)
        self.missing.pop(number, None)
        self.unlisted = [other for other in self.unlisted if other != number]
        self.gone = [*(other for other in self.gone if other != number), number]
