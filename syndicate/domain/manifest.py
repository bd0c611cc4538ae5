"""A feed's manifest: which articles its document shows, in which version, newest first.

One line of text for each entry, the same for all formats of the feed and for all feeds. It is written so that lines
compare in feed order and can be chosen from without being taken apart. A manifest names its lines by marks: to put a
new story on top of two hundred manifests, hardly a line has to be looked at.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.feed import CORRECTIONS_STAY

_NEVER = 0
# sort_at in microseconds (16 digits), id, seq, modified and loud_at in seconds (10 digits each), p: published, w: not
_ORDER = slice(0, 16)
_MODIFIED = slice(-23, -13)
_LOUD = slice(-12, -2)
_PUBLISHED = "p"
_PLAIN = f" {_NEVER:010d} {_PUBLISHED}"  # how the line of a published story ends that was never corrected
_ODD = "~"


def entry_line(article: Article, *, modified: datetime | None) -> str:
    """The article as a line. `modified` is when readers must look again; None if no format can write it."""
    order = max(0, int(article.sort_at.timestamp() * 1_000_000))
    state = _PUBLISHED if article.state is ArticleState.PUBLISHED else "w"
    return f"{order:016d} {article.id} {article.seq} {_seconds(modified)} {_seconds(article.loud_at)} {state}"


def entry_key(line: str) -> tuple[str, int]:
    """Which article in which state: (id, seq)."""
    _, identifier, seq, *_ = line.split(" ", 3)
    return identifier, int(seq)


def marks_of(lines: Iterable[str]) -> str:
    """Lines as a manifest names them: "17 16~ 9". A mark is the seq; ~ stands behind it if the line isn't plain."""
    return " ".join(map(_mark, lines))


def seqs_of(marks: str) -> list[str]:
    """The seqs in marks, in their order."""
    return marks.replace(_ODD, "").split()


def newest_of(marks: str) -> str:
    """The seq that stands first, "" if there is none."""
    return marks.partition(" ")[0].removesuffix(_ODD)


def is_plain(line: str) -> bool:
    """True for a published story that was never corrected: it is shown as long as it is one of the newest."""
    return line.endswith(_PLAIN)


def put_on_top(marks: str, lines: Iterable[str], *, limit: int) -> str:
    """The marks with plain lines that are newer than all they name, newest first; nothing in them may be odd.

    It is what `choose` makes of it, without looking at what is there.
    """
    topped = f"{marks_of(lines)} {marks}".rstrip()
    more = topped.count(" ") + 1 - limit
    return topped.rsplit(" ", more)[0] if more > 0 else topped


def line_of(lines: Iterable[str], identifier: str) -> str | None:
    """The line of an article, if it has one."""
    named = f" {identifier} "
    return next((line for line in lines if named in line), None)


def last_modified(lines: Iterable[str]) -> int:
    """The newest time at which readers must look again, in Unix seconds; 0 if there is none."""
    return int(max((line[_MODIFIED] for line in lines), default="0"))


def choose(lines: Iterable[str], *, limit: int, now: datetime) -> tuple[str, ...]:
    """The newest `limit` published ones ∪ what was corrected or withdrawn in the last 30 days, newest first.

    A story that was withdrawn longer ago than that leaves; a withdrawn one never counts as one of the newest.
    """
    still_loud = _seconds(now - CORRECTIONS_STAY)
    chosen: list[str] = []
    for line in sorted(lines, reverse=True):
        if limit > 0 and line[-1] == _PUBLISHED:
            limit -= 1
            chosen.append(line)
        elif line[_LOUD] >= still_loud:
            chosen.append(line)
    return tuple(chosen)


def frees_a_place(before: str | None, after: str) -> bool:
    """True when a changed article stood among the newest and stands there no more, or further down.

    Then a story that the manifest doesn't know may come in.
    """
    if before is None or before[-1] != _PUBLISHED:
        return False
    return after[-1] != _PUBLISHED or after[_ORDER] < before[_ORDER]


@lru_cache(maxsize=10_000)  # most lines stand in many manifests
def _mark(line: str) -> str:
    _, seq = entry_key(line)
    return str(seq) if is_plain(line) else f"{seq}{_ODD}"


def _seconds(at: datetime | None) -> str:
    return f"{max(_NEVER, int(at.timestamp())) if at else _NEVER:010d}"
