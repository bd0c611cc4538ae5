"""Our own words, in every language that there is a catalogue for. How one is added: docs/adding-a-language.md.

A phrase is found by its place (`page`, `mail`, `feed`, `consent`) and its name. Where a catalogue lacks one, it is said
in English, and where that lacks it, in Indonesian.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter

# Whose words stand in: Indonesian for languages without a catalogue, English for what a catalogue lacks.
HOME, ORIGINAL = "id", "en"
_FORMER_CODES: Mapping[str, str] = {"in": "id", "iw": "he", "jw": "jv"}  # of ISO 639; content systems still write them

Key = tuple[str, str]  # place, name


@dataclass(frozen=True, slots=True)
class Grammar:
    """How a language counts."""

    plural: Callable[[int], int]  # which of a phrase's forms goes with a number
    number: Callable[[int], str]  # as in "1.234"


class Phrase(str):
    """A phrase; as a string it is its last form, which most numbers go with."""

    __slots__ = ("_forms", "_grammar")
    _forms: tuple[str, ...]
    _grammar: Grammar

    def __new__(cls, forms: tuple[str, ...], grammar: Grammar) -> "Phrase":
        made = super().__new__(cls, forms[-1])
        made._forms, made._grammar = forms, grammar
        return made

    @property
    def forms(self) -> tuple[str, ...]:
        """More than one where the language tells numbers apart."""
        return self._forms

    @property
    def placeholders(self) -> frozenset[str]:
        """The names in braces."""
        return frozenset().union(*map(placeholders, self._forms))

    def format(self, *args: object, **values: object) -> str:
        """With its placeholders filled. `count` also chooses the form, and is written as the language writes it."""
        count = values.get("count")
        if not isinstance(count, int):
            return super().format(*args, **values)
        form = self._forms[self._grammar.plural(count)] if len(self._forms) > 1 else self._forms[0]
        return form.format(*args, **{**values, "count": self._grammar.number(count)})


def placeholders(text: str) -> frozenset[str]:
    """The names in braces. Raises ValueError for anything else in braces, such as an attribute, a number or a width."""
    try:
        fields = [field for field in Formatter().parse(text) if field[1] is not None]
    except ValueError as flaw:
        raise ValueError("has a { or } without its other half") from flaw
    for _, name, width, conversion in fields:
        if not name or not name.isidentifier() or width or conversion:
            raise ValueError("has something in braces that is no name")
    return frozenset(str(name) for _, name, _, _ in fields)


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """One language. `phrases` are those it has itself."""

    language: str  # a BCP 47 tag, also the name of its file
    own_name: str  # as in "Bahasa Indonesia"
    grammar: Grammar
    phrases: Mapping[Key, Phrase]


class Phrases:
    """All catalogues. Compared by identity: there is one for a configuration."""

    def __init__(self, catalogues: Mapping[str, Catalogue]) -> None:
        first = [language for language in (HOME, ORIGINAL) if language in catalogues]
        self._catalogues = {name: catalogues[name] for name in (*first, *sorted(set(catalogues) - {*first}))}
        self._tags = {name.casefold(): name for name in self._catalogues}

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that readers can choose from, the newspaper's own two first."""
        return tuple(self._catalogues)

    def own_name(self, language: str) -> str:
        """What a language calls itself."""
        return self._catalogues[language].own_name

    def known(self, tag: str) -> str | None:
        """The catalogue for a language tag (RFC 4647 §3.4: "en-GB" is served by "en"), or None."""
        primary, *rest = tag.casefold().split("-")
        parts = [_FORMER_CODES.get(primary, primary), *rest]
        tags = ("-".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((self._tags[each] for each in tags if each in self._tags), None)

    def language_for(self, tag: str) -> str:
        """The language of our words beside a text in `tag`: its own, else Indonesian, as for the regional ones."""
        return self.known(tag) or HOME

    @lru_cache(maxsize=256)  # noqa: B019  # there is one of these for a configuration, and it stays
    def words(self, language: str, place: str) -> Mapping[str, Phrase]:
        """All phrases of a place by name, for templates too; complete, since others stand in for those missing."""
        found: dict[str, Phrase] = {}
        for catalogue in reversed(tuple(self.chain(language))):
            found |= {name: phrase for (where, name), phrase in catalogue.phrases.items() if where == place}
        return found

    def chain(self, language: str) -> Iterator[Catalogue]:
        """The catalogue of a language, then those that stand in for it."""
        for name in dict.fromkeys((language, ORIGINAL, HOME)):
            if name in self._catalogues:
                yield self._catalogues[name]

    def missing(self, language: str) -> frozenset[Key]:
        """What is said in another language."""
        return frozenset(self._catalogues[ORIGINAL].phrases) - frozenset(self._catalogues[language].phrases)

    def idle(self, language: str) -> frozenset[Key]:
        """What nothing asks for: misspelt, or of another version."""
        return frozenset(self._catalogues[language].phrases) - frozenset(self._catalogues[ORIGINAL].phrases)

    def fingerprint(self, place: str) -> str:
        """Another one when any phrase of a place reads otherwise: what is kept with these words in it is stale then."""
        told = [
            (language, name, phrase.forms)
            for language in self.languages
            for name, phrase in sorted(self.words(language, place).items())
        ]
        return hashlib.blake2b(repr(told).encode(), digest_size=6).hexdigest()
