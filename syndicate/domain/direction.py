"""What the desk wants of an edition: which stories come first, which stay out, words above them, and a hold.

Directions for the coming edition are kept under `next` and go to whichever slot is composed first: a slot that passes
with too little to say, or that was missed, takes nothing of them along.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from syndicate.domain.article import Article
from syndicate.domain.markup import legal
from syndicate.errors import Refused

NEXT = "next"  # in the place of a slot
LONGEST_INTRO = 1000  # characters
MOST_NAMED = 100  # stories that are put first or dropped


@dataclass(frozen=True, kw_only=True)
class Directions:
    """As they are kept for one edition. `revision` goes up with each word of the desk; 0: it has said nothing."""

    newsletter: str
    slot: str = NEXT
    first_ids: tuple[str, ...] = ()
    dropped_ids: tuple[str, ...] = ()
    intro: str = ""  # plain text, a paragraph a line
    hold: str = ""  # why it is to be held at its freeze
    revision: int = 0


@dataclass(frozen=True, kw_only=True)
class Wish:
    """One word of the desk. None leaves what was said before."""

    first: tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()
    take_back: tuple[str, ...] = ()  # of what was dropped
    intro: str | None = None
    hold: str | None = None


def directed(before: Directions, wish: Wish) -> Directions:
    """The directions after a word of the desk. Raises Refused for what can't be kept."""
    dropped = [one for one in before.dropped_ids if one not in wish.take_back]
    dropped += [one for one in dict.fromkeys(wish.drop) if one not in dropped]
    first = before.first_ids if wish.first is None else tuple(dict.fromkeys(wish.first))
    if len(first) > MOST_NAMED or len(dropped) > MOST_NAMED:
        raise Refused(f"{MOST_NAMED} stories can be named, and no more")
    after = replace(
        before,
        first_ids=tuple(one for one in first if one not in dropped),
        dropped_ids=tuple(dropped),
        intro=before.intro if wish.intro is None else plain_intro(wish.intro),
        hold=before.hold if wish.hold is None else wish.hold.strip(),
    )
    return replace(after, revision=before.revision + 1)


def plain_intro(text: str) -> str:
    """Plain text, a paragraph a line, without what XML forbids. Raises Refused when it is too long."""
    lines = (" ".join(line.split()) for line in legal(text).splitlines())
    intro = "\n".join(line for line in lines if line)
    if len(intro) > LONGEST_INTRO:
        raise Refused(f"the intro has {len(intro)} characters; {LONGEST_INTRO} at most")
    return intro


def sort_out(directions: Directions, fit: Sequence[Article]) -> tuple[list[Article], tuple[Article, ...]]:
    """The stories in the desk's order, the others behind as they stand, and those that it dropped."""
    dropped = tuple(story for story in fit if story.id in directions.dropped_ids)
    wanted = [story for story in fit if story.id not in directions.dropped_ids]
    return in_order(directions, wanted), dropped


def in_order(directions: Directions, stories: Sequence[Article]) -> list[Article]:
    """Those that the desk put first, in its order, and the others behind as they stand."""
    rank = {identifier: place for place, identifier in enumerate(directions.first_ids)}
    return sorted(stories, key=lambda story: rank.get(story.id, len(rank)))
