"""The desk's word on a story, and its pause of a newsletter.

A word outranks the source until the source itself changes what it was about.
A source goes on showing what it showed when the desk spoke, for hours or for good; that is no answer to the desk.
So each word remembers what it was based on. A corrected field gives way once the source changes that field; a
withdrawal once the newsroom reworks the story, or takes it down and shows it again, for a caption or a byline mended
there says nothing about why the story was withdrawn here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from syndicate.domain.article import Article, ArticleState, Content, Edit, edit_class
from syndicate.domain.change import ChangeKind
from syndicate.domain.markup import words
from syndicate.errors import Refused

CORRECTABLE = ("title", "summary", "body_html")
LONGEST_NOTE = 500  # characters; it stands above the story, in feeds and in mails


@dataclass(frozen=True, kw_only=True)
class DeskWord:
    """What a person said about a story, as far as it still outranks the source."""

    article_id: str
    at: datetime
    standing: ArticleState | None = None  # None: only words were corrected
    based_on: Content  # what the source showed when it was said
    shown: Content  # what the source showed last
    says: Mapping[str, str] = field(default_factory=dict, hash=False)  # field → the desk's text, of CORRECTABLE


@dataclass(frozen=True, kw_only=True)
class Pause:
    """A newsletter of which nothing goes out until a person resumes it."""

    newsletter: str
    at: datetime
    who: str
    why: str

    @property
    def reason(self) -> str:
        """Why its editions are on hold. Those that are so for this reason alone go on when it is resumed."""
        return f"{self.newsletter} is paused: {self.why}"


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What a look at the source comes to, when the desk has spoken."""

    content: Content  # what the story says now
    word: DeskWord | None  # None: nothing outranks the source any more
    stays_withdrawn: bool


def weigh(word: DeskWord, shown: Content) -> Ruling:
    """The desk's word against what the source shows now, field by field."""
    ours = {name: getattr(word.shown, name) for name in word.says if _is_ours(name, word, shown)}
    shown = _saying(shown, ours)
    says = {name: text for name, text in word.says.items() if not _says_otherwise(name, word.based_on, shown)}
    withdrawn = word.standing is ArticleState.WITHDRAWN and edit_class(word.based_on, shown) is not Edit.MAJOR
    standing = ArticleState.WITHDRAWN if withdrawn else None
    left = replace(word, standing=standing, shown=shown, says=says) if withdrawn or says else None
    return Ruling(content=_saying(shown, says), word=left, stays_withdrawn=withdrawn)


def taken_down(word: DeskWord) -> DeskWord | None:
    """What is left of a word once the source itself has taken the story down: it decides when it comes back."""
    return replace(word, standing=None) if word.says else None


def is_desk_s(word: DeskWord | None, standing: ArticleState) -> bool:
    """True while it is the desk's word, not the source's, that a story stands so."""
    return word is not None and word.standing is standing


@dataclass(frozen=True, kw_only=True)
class DeskChange:
    """What a person of the newsroom asks for."""

    kind: ChangeKind  # corrected, withdrawn or restored
    note: str  # for the readers
    says: Mapping[str, str] = field(default_factory=dict, hash=False)  # of a correction with new text


def refuse_senseless(change: DeskChange, article: Article) -> None:
    """Raises Refused for a change that the story, as it stands, can't have."""
    withdrawn = article.state is ArticleState.WITHDRAWN
    if not change.note.strip():
        raise Refused("say it in a note: readers are shown it with the story")
    if len(change.note) > LONGEST_NOTE:
        raise Refused(f"the note has {len(change.note)} characters; {LONGEST_NOTE} at most")
    if change.kind is ChangeKind.RESTORED and not withdrawn:
        raise Refused(f"{article.id} isn't withdrawn; there is nothing to restore")
    if change.kind is not ChangeKind.RESTORED and withdrawn:
        raise Refused(f"{article.id} is withdrawn already; `syndicate articles restore` brings it back first")
    if change.says and all(getattr(article.content, name) == text for name, text in change.says.items()):
        raise Refused("the story says so already; leave the new text out to add only a note")


def content_after(article: Article, word: DeskWord | None, change: DeskChange, *, now: datetime) -> Content:
    """What the story says after the change. What comes back comes as the source shows it by now."""
    if change.kind is ChangeKind.RESTORED and word is not None:
        shown = _saying(word.shown, word.says)
        return replace(shown, updated=max(shown.updated, article.content.updated))
    if change.kind is ChangeKind.CORRECTED and change.says:
        return replace(_saying(article.content, change.says), updated=max(now, article.content.updated))
    return article.content


def word_after(article: Article, word: DeskWord | None, change: DeskChange, *, now: datetime) -> DeskWord | None:
    """What is remembered of it against the source. None: nothing, the source was never at odds with it."""
    shown = word.shown if word else article.content
    says = dict(word.says) if word else {}
    standing: ArticleState | None = None
    match change.kind:
        case ChangeKind.WITHDRAWN:
            standing = ArticleState.WITHDRAWN
        case ChangeKind.RESTORED if not is_desk_s(word, ArticleState.WITHDRAWN):
            standing = ArticleState.PUBLISHED  # the source took it down, and may say so again
        case _:
            says |= change.says
    if standing is None and not says:
        return None
    return DeskWord(article_id=article.id, at=now, standing=standing, based_on=shown, shown=shown, says=says)


def _saying(content: Content, texts: Mapping[str, str]) -> Content:
    values: dict[str, Any] = dict(texts)
    return replace(content, **values)


def _is_ours(name: str, word: DeskWord, shown: Content) -> bool:
    """True where what is shown is the desk's own text: taken over by the newsroom, or our own copy looked at again."""
    return bool(getattr(shown, name) == word.says[name])


def _says_otherwise(name: str, before: Content, now: Content) -> bool:
    """True when the source changed a field itself; other markup round the same words is no change."""
    old, new = getattr(before, name), getattr(now, name)
    return words(old) != words(new) if name == "body_html" else old != new
