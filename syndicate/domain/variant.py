"""Variants: the renderings of one edition, each for all readers who get the same.

A reader's copy is made by what they chose and by what they have got already. Readers who get the same share a variant,
which is rendered and encoded once. Their number is bounded whatever readers choose: where there would be too many,
readers share one that says more than they asked for. A mail is never lost by that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from syndicate.domain.article import Article
from syndicate.domain.selection import traits

WHOLE = 0  # the number of the variant that holds everything, in the newsletter's own language and zone
MOST = 256  # variants that differ by topics, language and zone
MOST_SEEN = 64  # variants that differ also by what their readers have got already
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class VariantKey:
    """What sets a variant apart from the whole edition. All sets are ids of articles that the edition shows."""

    language: str  # of the mail's own words, not of the stories
    zone: str
    off_topic: frozenset[str] = _NONE  # left out: none of the topics that these readers chose
    seen: frozenset[str] = _NONE  # left out: an earlier edition brought it to these readers
    updated: frozenset[str] = _NONE  # marked: these readers have got it as it was before
    repeated: frozenset[str] = _NONE  # marked: it was sent before
    shared: bool = False  # True: the marks go by what any reader has got, and nothing is left out as seen
    more: int = 0  # stories for which the edition had no room, of these readers' topics

    @property
    def left_out(self) -> frozenset[str]:
        """What of the edition these readers don't get."""
        return self.off_topic | self.seen


@dataclass(frozen=True, kw_only=True)
class Got:
    """What of an edition's stories a reader has from earlier editions."""

    same: frozenset[str] = _NONE  # as they are now
    older: frozenset[str] = _NONE  # before they were changed in what they say

    def __or__(self, other: "Got") -> "Got":
        same = self.same | other.same
        return Got(same=same, older=(self.older | other.older) - same)


NOTHING = Got()


def off_topic(topics: Iterable[str], offered: Sequence[str], stories: Iterable[Article]) -> frozenset[str]:
    """The stories that are of none of a reader's topics. What is no longer offered is no choice; without any, all fit.

    A topic is a section or a tag, as in a Selection: any element of a path, or a path from its top.
    """
    wanted = set(topics).intersection(offered)
    if not wanted:
        return _NONE
    found = ((story.id, traits(story)) for story in stories)
    return frozenset(number for number, held in found if not wanted & (held.sections | held.tags))


class Variants:
    """The variants of an edition, numbered as they come up, the whole one first.

    `told` is what any reader has got of the edition before: where sets of what a reader has seen are too many to keep
    apart, nothing is left out for the rest of them, and what was told is marked.
    """

    def __init__(self, whole: VariantKey, told: Got = NOTHING, known: Mapping[int, VariantKey] | None = None) -> None:
        self._whole, self._told = whole, told
        self._numbers = {key: number for number, key in (known or {}).items()} | {whole: WHOLE}
        self._personal = sum(_is_personal(key) for key in self._numbers)

    def number(self, wanted: VariantKey) -> int:
        """The number of the variant for readers who should get this: their own, or one with more in it."""
        *ways, last = self._ways(wanted)
        key = next((way for way in ways if way in self._numbers or self._has_room(way)), last)
        if key not in self._numbers:
            self._numbers[key] = max(self._numbers.values()) + 1
            self._personal += _is_personal(key)
        return self._numbers[key]

    @property
    def keys(self) -> dict[int, VariantKey]:
        """All there are, by number."""
        return {number: key for key, number in self._numbers.items()}

    def _ways(self, wanted: VariantKey) -> list[VariantKey]:
        """From what was wanted to what everybody can have: without their own past, zone, topics."""
        ways = [wanted]
        if _is_personal(wanted):
            ways.append(self._shared(replace(wanted, seen=_NONE)))
        ways.append(replace(ways[-1], zone=self._whole.zone))
        plain = replace(self._whole, language=wanted.language)
        return [*ways, self._shared(plain) if _is_personal(wanted) else plain]

    def _shared(self, key: VariantKey) -> VariantKey:
        same, older = self._told.same - key.off_topic, self._told.older - key.off_topic
        return replace(key, shared=True, repeated=same, updated=older)

    def _has_room(self, key: VariantKey) -> bool:
        if _is_personal(key):
            return self._personal < MOST_SEEN
        return len(self._numbers) - self._personal < MOST


def _is_personal(key: VariantKey) -> bool:
    """True for a variant that goes by what its own readers have got."""
    return not key.shared and bool(key.seen or key.updated)
