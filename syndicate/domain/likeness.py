"""How alike two stories are: one story posted twice, or agency copy that several newsrooms carry.

A text is compared as the set of its runs of four words. That tells an edited copy from another story on the same
matter: a changed word costs four runs, two reports of one event share hardly any.

Whom to compare with is found by a sketch: the 16 smallest hashes of a text's runs, looked up like words in an index.
A copy shares most of them with its original. A part of a text shares, on average, 16 × its portion, because the
smallest hashes of the whole that fall into the part are also the part's smallest. Two in common make a candidate: that
misses one half in 4,000, one third in 80, one fifth in 8. Of a long text only the 1,000 runs with the smallest hashes
are compared, for the same reason: they are a fair sample of the whole, so that its halves are found. A simhash, the
usual way, finds less and is harder to look up: of 64 bits, a paragraph taken out of a 230-word text turned 10 and its
first half 16, while 8 is as far as one may go without meeting strangers.
"""

import hashlib
import heapq
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from syndicate.domain.article import Content
from syndicate.domain.markup import plain_text

WINDOW = timedelta(days=14)  # what is older is no longer compared with
SKETCH = 16  # hashes of a text that are kept
IN_COMMON = 2  # of them that make a candidate; one alone is often a turn of phrase
COMPARED = 1000  # runs of a text; all of them in most stories
_RUN = 4  # words
_SHORTEST = 24  # words: below, a standing phrase is half the story
_COPY = 0.8  # share of all runs that both have; copies with small edits, or a paragraph more or less: 0.87 to 1
_PART = 0.9  # share of the shorter text's runs that the longer one has
_DOUBLE = 0.9  # share of all runs in a double posting
_DOUBLE_APART = timedelta(hours=48)
# "KOTA LINTANG, CONTOH POS – ", "Jakarta (Kantor Berita) - ": where and by whom, then a dash.
_DATELINE = re.compile(r"^(?:[A-Z][A-Z .,()/'’]{3,60}?|[A-Z][\w .,]{2,40}\([^()]{2,40}\))\s?[–—-]{1,2}\s+")
_INITIALS = re.compile(r"\s*\((?:[\w*.-]{1,12}(?:/[\w*.-]{1,12})*)\)\s*$")
# Lines that a newsroom puts around its stories.
_AROUND = re.compile(
    r"^\W*(?:(?:baca|simak|lihat)(?: juga)?|reporter|pewarta|penulis|editor|redaktur|sumber|foto|copyright|"
    r"hak cipta)\b\s*(?:[:©]|\d{4}\b).*$",
    re.IGNORECASE | re.MULTILINE,
)
_WORD = re.compile(r"\w+")


class LinkKind(StrEnum):
    """What binds two articles."""

    DOUBLE = "double"  # the same newsroom posted the story twice
    COPY = "copy"  # another newsroom carries the same text, or a part of it


@dataclass(frozen=True, kw_only=True)
class Link:
    """The later article and the one before it."""

    article_id: str
    other_id: str
    kind: LinkKind
    at: datetime

    def other_than(self, identifier: str) -> str:
        """The article at the other end."""
        return self.other_id if identifier == self.article_id else self.article_id


@dataclass(frozen=True, kw_only=True)
class Print:
    """What of a story is compared. Without runs it is too short, and like nothing."""

    title: str
    published: datetime
    runs: frozenset[int]  # hashes; of a long text the smallest
    figures: frozenset[str]  # words with digits


def print_of(content: Content) -> Print:
    """The story without what differs from newsroom to newsroom: dateline, initials, lines around it, punctuation."""
    words = _words(_bare(content))
    runs = zip(*(words[start:] for start in range(_RUN)), strict=False) if len(words) >= _SHORTEST else ()
    return Print(
        title=" ".join(_words(content.title)),
        published=content.published,
        runs=frozenset(heapq.nsmallest(COMPARED, {_hash(" ".join(run)) for run in runs})),
        figures=frozenset(word for word in words if not word.isalpha()),
    )


def sketch(story: Print) -> tuple[int, ...]:
    """The smallest hashes of its runs: signed 64-bit numbers, the same in every process."""
    return tuple(heapq.nsmallest(SKETCH, story.runs))


def jaccard(one: Print, other: Print) -> float:
    """Share of the runs of both that they have in common: 1 for the same text, 0 for nothing alike."""
    mine, its = _comparable(one, other)
    shared = len(mine & its)
    return shared / (len(mine) + len(its) - shared) if shared else 0.0


def containment(one: Print, other: Print) -> float:
    """Share of the shorter text's runs that the longer one has: 1 when it is a part of it."""
    mine, its = _comparable(one, other)
    shared = len(mine & its)
    return shared / min(len(mine), len(its)) if shared else 0.0


def is_double(one: Print, other: Print) -> bool:
    """Of one newsroom: the same story posted twice.

    Figures must be the same: "Harga Emas Hari Ini" of today is news, though yesterday's differs in two numbers only.
    """
    near = abs(one.published - other.published) <= _DOUBLE_APART
    return near and one.title == other.title and one.figures == other.figures and jaccard(one, other) >= _DOUBLE


def is_copy(one: Print, other: Print) -> bool:
    """Of two newsrooms: the same text with small edits, or a part of it."""
    return jaccard(one, other) >= _COPY or containment(one, other) >= _PART


def _comparable(one: Print, other: Print) -> tuple[frozenset[int], frozenset[int]]:
    """Of both the hashes up to where the shorter sample ends: beyond, one of them may have runs that weren't kept."""
    ends = [max(story.runs) for story in (one, other) if len(story.runs) == COMPARED]
    if not ends:
        return one.runs, other.runs
    mine, its = (frozenset(run for run in story.runs if run <= min(ends)) for story in (one, other))
    return mine, its


def _bare(content: Content) -> str:
    text = _AROUND.sub("", plain_text(content.body_html)).strip()
    text = text.removeprefix(content.dateline)
    return _INITIALS.sub("", _DATELINE.sub("", text))


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _hash(run: str) -> int:
    return int.from_bytes(hashlib.blake2b(run.encode(), digest_size=8).digest(), "big", signed=True)
