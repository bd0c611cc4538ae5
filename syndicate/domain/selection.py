"""Selections: the rule that says which articles a feed, a newsletter or an endpoint holds."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from syndicate.domain.article import Article

_NOT_SLUG = re.compile(r"[^\w]+")
_KEYS = ("sections", "tags", "authors", "sources", "language")
_NARROW_TO_WIDE = ("tags", "sections", "authors", "sources", "language")


def slug(text: str) -> str:
    """The form in which names are compared: "Kota Malang" and "kota-malang" are the same."""
    return _NOT_SLUG.sub("-", unicodedata.normalize("NFKC", text).casefold()).strip("-_")


def path_slug(path: str) -> str:
    """A path in that form: "Daerah/Kota Malang" is "daerah/kota-malang"."""
    return "/".join(filter(None, map(slug, path.split("/"))))


def path_slugs(paths: Iterable[str]) -> frozenset[str]:
    """What holds a path: each of its elements, the path itself and those above it.

    "Daerah/Semarang" is in "daerah", in "semarang" and in "daerah/semarang".
    """
    found: set[str] = set()
    for path in map(path_slug, paths):
        elements = path.split("/")
        found.update(elements, ("/".join(elements[:end]) for end in range(2, len(elements) + 1)))
    return frozenset(found - {""})


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What a Selection looks at in an article, in the form in which names are compared."""

    sections: frozenset[str]
    tags: frozenset[str]
    authors: frozenset[str]
    sources: frozenset[str]
    language: frozenset[str]


def traits(article: Article) -> Traits:
    """Made once for an article that many Selections are asked about."""
    content = article.content
    return Traits(
        sections=path_slugs(content.sections),
        tags=path_slugs(content.tags),
        authors=frozenset(map(slug, content.authors)),
        sources=frozenset({slug(article.source)}),
        language=frozenset({slug(content.language), slug(content.language.split("-")[0])}),
    )


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Which key of a Selection an article fails at."""

    key: str
    excluded: bool  # True: it has one of `wanted`, and they are ruled out
    wanted: frozenset[str]  # what the key asks for, or what of the exclusion it has
    held: frozenset[str]  # what the article has there


@dataclass(frozen=True, kw_only=True)
class Selection:
    """OR inside a key, AND across keys; an empty key asks for nothing. In `exclude` one match rules out.

    Sections and tags are path slugs, all others slugs.
    """

    sections: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    authors: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    language: frozenset[str] = frozenset()
    exclude: "Selection | None" = None

    def holds(self, article: Article) -> bool:
        """True when the article belongs here."""
        return self.suits(traits(article))

    def suits(self, found: Traits) -> bool:
        """True when an article of these traits belongs here."""
        wanted = all(not wanted or wanted & held for wanted, held in self._pairs(found))
        return wanted and not (self.exclude is not None and self.exclude.rules_out(found))

    def refusal(self, found: Traits) -> Refusal | None:
        """Why an article of these traits doesn't belong here: the first key it fails at. None: it does belong."""
        for key in _KEYS:
            wanted, held = getattr(self, key), getattr(found, key)
            if wanted and not wanted & held:
                return Refusal(key=key, excluded=False, wanted=wanted, held=held)
        for key in _KEYS if self.exclude is not None else ():
            if hit := getattr(self.exclude, key) & getattr(found, key):
                return Refusal(key=key, excluded=True, wanted=hit, held=getattr(found, key))
        return None

    def rules_out(self, found: Traits) -> bool:
        """As an exclusion: any key that matches is enough, and an empty exclusion rules out nothing."""
        return any(wanted and wanted & held for wanted, held in self._pairs(found))

    def first_key(self) -> tuple[str, frozenset[str]]:
        """A key that asks for something, and for what; for nothing when everything belongs here."""
        return next(((key, getattr(self, key)) for key in _NARROW_TO_WIDE if getattr(self, key)), ("", frozenset()))

    def _pairs(self, found: Traits) -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
        return (
            (self.sections, found.sections),
            (self.tags, found.tags),
            (self.authors, found.authors),
            (self.sources, found.sources),
            (self.language, found.language),
        )


class SelectionIndex:
    """Which of many Selections hold an article, found by what the article is, not by asking every one of them."""

    def __init__(self, selections: Mapping[str, Selection]) -> None:
        self._selections = selections
        self._under: dict[tuple[str, str], list[str]] = {}
        self._without_key: list[str] = []
        for name, selection in selections.items():
            key, values = selection.first_key()
            for value in values:
                self._under.setdefault((key, value), []).append(name)
            if not values:
                self._without_key.append(name)

    def holding(self, article: Article) -> set[str]:
        """The names of the Selections that the article belongs to."""
        found = traits(article)
        near = {*self._without_key}
        for key in _NARROW_TO_WIDE:
            for value in getattr(found, key):
                near.update(self._under.get((key, value), ()))
        return {name for name in near if self._selections[name].suits(found)}
