"""Selections: the rule that says which articles a feed, a newsletter or an endpoint holds."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from syndicate.domain.article import Article

_NOT_SLUG = re.compile(r"[^\w]+")


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
        return self._matches(article) and not (self.exclude is not None and self.exclude.rules_out(article))

    def rules_out(self, article: Article) -> bool:
        """As an exclusion: any key that matches is enough, and an empty exclusion rules out nothing."""
        return any(wanted and wanted & held for wanted, held in self._pairs(article))

    def _matches(self, article: Article) -> bool:
        return all(not wanted or wanted & held for wanted, held in self._pairs(article))

    def _pairs(self, article: Article) -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
        content = article.content
        return (
            (self.sections, path_slugs(content.sections)),
            (self.tags, path_slugs(content.tags)),
            (self.authors, frozenset(map(slug, content.authors))),
            (self.sources, frozenset({slug(article.source)})),
            (self.language, frozenset({slug(content.language), slug(content.language.split("-")[0])})),
        )
