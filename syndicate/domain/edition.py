"""Editions: which stories an issue holds, when it may go out, and whether its books balance."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from itertools import zip_longest
from zoneinfo import ZoneInfo

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.audience import Rhythm
from syndicate.domain.change import Change, ChangeKind
from syndicate.domain.newsletter import Newsletter


class EditionState(StrEnum):
    """The life of an edition."""

    COMPOSING = "composing"  # candidates are being written down; nothing may be sent
    HELD = "held"  # frozen, waits for a person
    FROZEN = "frozen"  # content and candidates are final; being sent
    DONE = "done"  # every delivery is settled and the books balance
    CANCELLED = "cancelled"


class LeftOut(StrEnum):
    """Why a story of the span is not in the edition."""

    MAX = "max"  # more stories than the newsletter takes
    UNPRINTABLE = "unprintable"  # its text can't be shown in a mail; the operator is told
    DESK = "desk"  # a person of the newsroom took it out


@dataclass(frozen=True, kw_only=True)
class Edition:
    """One issue of a newsletter for one slot. `cut_from` < seq ≤ `cut_to` is its span of the change log."""

    id: int
    newsletter: str
    slot: str
    slot_at: datetime
    state: EditionState
    cut_from: int
    cut_to: int
    subject: str = ""
    content_hash: str = ""
    created_at: datetime
    frozen_at: datetime | None = None
    released_at: datetime | None = None  # from its last hold
    done_at: datetime | None = None
    why: str = ""  # of a hold or a cancellation; of the hold to come while it is being composed
    channel: str = ""  # the newsletter's, when the edition was composed
    rhythm: Rhythm = Rhythm.EACH  # for whom it is

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.newsletter}/{self.slot}"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What goes into an edition, newest first, and what is left out of it for good."""

    stories: tuple[Article, ...]
    beyond: tuple[Article, ...] = ()  # older ones for which its maximum has no room
    unprintable: tuple[Article, ...] = ()  # they take no place: the next one moves up
    dropped: tuple[Article, ...] = ()  # by the desk
    intro: str = ""  # the desk's words above them, a paragraph a line


def fitting_stories(
    newsletter: Newsletter,
    changes: Iterable[Change],
    newest: Mapping[str, Article],
    told: frozenset[str],
    postings: Mapping[str, frozenset[str]],
) -> list[Article]:
    """Articles first published (or first restored) in the span, in their newest version at the cut, newest first.

    Updates never mail again, nor does a story that an earlier edition of this newsletter told or left out (`told`),
    be it cancelled later. A story that is edited into the Selection afterwards is no news either.
    A story withdrawn by the cut stays out, and so does a first import, unless its source says that it may be mailed.
    Of several postings of one story only the first goes in, and none if one was told. `newest` maps article ids to how
    they stand at the cut, `postings` those that their newsroom posted more than once to the other postings.
    """
    first_shown = (ChangeKind.PUBLISHED, ChangeKind.RESTORED)
    ids = {change.article_id for change in changes if change.kind in first_shown and not change.baseline} - told
    candidates = [newest[i] for i in ids if i in newest]
    fit = [a for a in candidates if a.state is ArticleState.PUBLISHED and newsletter.selection.holds(a)]
    once: dict[str, Article] = {}
    for article in sorted(fit, key=lambda a: (a.first_seen, a.id)):
        if not postings.get(article.id, frozenset()) & (told | once.keys()):
            once[article.id] = article
    return sorted(once.values(), key=lambda a: (a.sort_at, a.id), reverse=True)


def choose_stories(newsletter: Newsletter, fit: Sequence[Article], printable: Callable[[Article], bool]) -> Choice:
    """The first stories of `fit` that can be shown, up to the newsletter's maximum."""
    stories: list[Article] = []
    unprintable: list[Article] = []
    for place, story in enumerate(fit):
        if len(stories) == newsletter.max:
            return Choice(stories=tuple(stories), beyond=tuple(fit[place:]), unprintable=tuple(unprintable))
        (stories if printable(story) else unprintable).append(story)
    return Choice(stories=tuple(stories), unprintable=tuple(unprintable))


def spread_over_days(fit: Sequence[Article], zone: str) -> list[Article]:
    """The newest story of each day, then the second of each, and so on: a week's choice isn't all of its last day."""
    days: dict[date, list[Article]] = {}
    for story in fit:
        days.setdefault(story.sort_at.astimezone(ZoneInfo(zone)).date(), []).append(story)
    return [story for rank in zip_longest(*days.values()) for story in rank if story is not None]


def newest_first(choice: Choice) -> Choice:
    """As editions show their stories, in whichever order they were chosen."""
    stories = sorted(choice.stories, key=lambda story: (story.sort_at, story.id), reverse=True)
    return replace(choice, stories=tuple(stories))


def is_too_little(newsletter: Newsletter, choice: Choice) -> bool:
    """True when a slot passes without an edition, for want of stories that can be shown."""
    return newsletter.skip_empty and len(choice.stories) < newsletter.min


@dataclass(frozen=True, kw_only=True)
class Books:
    """The count of an edition's candidates by where they ended. They must balance before it is called done."""

    candidates: int
    accepted: int = 0
    refused: int = 0
    uncertain: int = 0
    excluded: int = 0
    open: int = 0  # due, claimed, sending or deferred

    @property
    def balance(self) -> bool:
        """Candidates = accepted + refused + uncertain + excluded + what is still open."""
        return self.candidates == self.accepted + self.refused + self.uncertain + self.excluded + self.open

    @property
    def settled(self) -> bool:
        """Balanced, with nothing open."""
        return self.balance and self.open == 0
