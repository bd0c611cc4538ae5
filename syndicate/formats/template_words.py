"""The words of a digest template: those of all mails, and before them what the template's own `words.toml` says."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from syndicate.domain.phrases import ORIGINAL, Key, Phrase, Phrases, placeholders
from syndicate.errors import ConfigError, Problem

FILE = "words.toml"
_PLACE = "mail"


@lru_cache(maxsize=64)
def words_of(folders: tuple[Path, ...], phrases: Phrases, language: str) -> Mapping[str, Phrase]:
    """By name. A template's own words stand in where its words in this language lack one, as catalogues do."""
    files = [(folder / FILE, _own(folder / FILE, phrases)) for folder in reversed(folders)]
    words: dict[str, Phrase] = {}
    for catalogue in reversed(tuple(phrases.chain(language))):
        words |= {name: phrase for (place, name), phrase in catalogue.phrases.items() if place == _PLACE}
        for _, own in files:
            mine = own.get(catalogue.language, {})
            words |= {name: Phrase((text,), catalogue.grammar) for name, text in mine.items()}
    return words


def _own(file: Path, phrases: Phrases) -> Mapping[str, Mapping[str, str]]:
    """What a file says by language. Raises ConfigError with its flaws."""
    try:
        own = tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}
    except ValueError as flaw:
        raise ConfigError(f"{file}: {flaw}") from flaw
    flaws = [Problem(file=str(file), place=place, message=why) for place, why in _flaws(own, phrases)]
    if flaws:
        raise ConfigError(*flaws)
    return own


def _flaws(own: Mapping[str, object], phrases: Phrases) -> Iterator[tuple[str, str]]:
    """Where something is wrong, and what."""
    meant = {name: phrase for (place, name), phrase in _original(phrases).items() if place == _PLACE}
    for language, table in own.items():
        if language not in phrases.languages or not isinstance(table, dict):
            yield f"[{language}]", f"no catalogue is of this language; write one of {', '.join(phrases.languages)}"
            continue
        for name, text in table.items():
            place = f"[{language}] {name}"
            if not isinstance(text, str):
                yield place, "is no text; write it in quotes"
                continue
            try:
                strange = placeholders(text) - (meant[name].placeholders if name in meant else placeholders(text))
            except ValueError as flaw:
                yield place, f"{flaw}; write names alone in braces, as in {{site}}"
                continue
            if strange:
                known = ", ".join(f"{{{each}}}" for each in sorted(meant[name].placeholders)) or "no braces"
                yield place, f"{{{min(strange)}}} is nothing that can be filled in here; write {known}"


def _original(phrases: Phrases) -> Mapping[Key, Phrase]:
    return next(phrases.chain(ORIGINAL)).phrases
