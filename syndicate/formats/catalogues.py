"""Reads `locale/LANGUAGE.po`, the catalogues of our words: gettext's format, by Babel, without a compiled form.

A phrase has a place (`msgctxt`) and a short name (`msgid`); what it says in English stands in `en.po`. Files beside the
configuration come before the shipped ones, phrase by phrase.
"""

import gettext
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email import message_from_string
from functools import lru_cache, partial
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import PoFileError, PoFileParser

from syndicate.domain.phrases import ORIGINAL, Catalogue, Grammar, Key, Phrase, Phrases, placeholders
from syndicate.errors import ConfigError, Problem

PLACES = ("page", "mail", "feed", "consent")
_CONSENT = "consent"
# Babel takes the last letter for the quote where that is missing.
_LINE = re.compile(r'\s*(?:#.*|(?:msg(?:ctxt|id|id_plural|str|str\[[0-9]\])\s+)?"(?:[^"\\]|\\.)*")?\s*')


@dataclass(frozen=True, kw_only=True)
class _Read:
    """One file, and on which line each of its phrases stands."""

    file: Path
    catalogue: Catalogue
    lines: Mapping[Key, int]

    def flaw(self, key: Key, message: str) -> Problem:
        return Problem(file=str(self.file), place=f"line {self.lines[key]}", message=message)


class _Listed(Catalog):
    """Babel's catalogue keeps neither doubles nor headers of its user's own."""

    def __init__(self, locale: Locale) -> None:
        super().__init__(locale=locale)
        self.headers: dict[str, str] = {}
        self.read: list[Message] = []

    def __setitem__(self, id: str | tuple[str, ...] | list[str], message: Message) -> None:
        if id:
            self.read.append(message)
        else:
            self.headers = {name.lower(): value for name, value in message_from_string(str(message.string)).items()}
        super().__setitem__(id, message)


def load_phrases(folders: Sequence[Path]) -> Phrases:
    """The catalogues in these folders; an earlier folder's phrases come first. Raises ConfigError with every flaw.

    The last folder has the shipped ones. Its English says which placeholders a phrase has, and its consents stay.
    """
    flaws: list[Problem] = []
    shelves = [list(_catalogues(folder, flaws)) for folder in folders]
    if flaws:
        raise ConfigError(*flaws)
    shipped = {read.catalogue.language: read.catalogue for read in shelves[-1]}
    flaws += (flaw for shelf in shelves for read in shelf for flaw in _misfits(read, shipped[ORIGINAL]))
    flaws += (flaw for shelf in shelves[:-1] for read in shelf for flaw in _new_consents(read, shipped))
    if flaws:
        raise ConfigError(*flaws)
    merged: dict[str, Catalogue] = {}
    for read in (read for shelf in reversed(shelves) for read in shelf):
        one, below = read.catalogue, merged.get(read.catalogue.language)
        merged[one.language] = Catalogue(
            language=one.language,
            own_name=one.own_name or (below.own_name if below else "") or _cldr_name(one.language),
            grammar=one.grammar,
            phrases={**below.phrases, **one.phrases} if below else one.phrases,
        )
    return Phrases(merged)


def _catalogues(folder: Path, flaws: list[Problem]) -> Iterator[_Read]:
    for file in sorted(folder.glob("*.po")):
        about = file.stat()
        try:
            yield _read(file, about.st_mtime_ns, about.st_size)
        except ConfigError as trouble:
            flaws += trouble.problems


@lru_cache(maxsize=64)
def _read(file: Path, _changed: int, _size: int) -> _Read:
    """A file; read again when it has changed. Raises ConfigError with its flaws."""
    locale = _locale(file)
    listed = _parsed(file, locale)
    said = listed.headers.get("language", "").strip()
    if said and said.replace("_", "-") != file.stem:
        raise _whole(file, f'says "Language: {said}"; write {file.stem}, as the file is called, or call it {said}.po')
    grammar = Grammar(plural=_plural(file, listed), number=partial(_number, file.stem))
    flaws: list[Problem] = []
    phrases: dict[Key, Phrase] = {}
    lines: dict[Key, int] = {}
    for message in listed.read:
        key, line = _key(message), message.lineno or 0
        flaws += (Problem(file=str(file), place=f"line {line}", message=why) for why in _wrong(message, lines.get(key)))
        lines[key] = line
        forms = _forms(message)
        if any(forms) and not message.fuzzy and not flaws:
            phrases[key] = Phrase(forms, grammar)
    if flaws:
        raise ConfigError(*flaws)
    catalogue = Catalogue(
        language=file.stem,
        own_name=listed.headers.get("x-own-name", "").strip(),
        grammar=grammar,
        phrases=phrases,
    )
    return _Read(file=file, catalogue=catalogue, lines=lines)


def _locale(file: Path) -> Locale:
    try:
        return Locale.parse(file.stem, sep="-")
    except (ValueError, UnknownLocaleError):
        raise _whole(file, "is called by no language that CLDR knows; write for example jv.po or pt-BR.po") from None


def _parsed(file: Path, locale: Locale) -> _Listed:
    listed = _Listed(locale)
    try:
        with file.open(encoding="utf-8-sig") as opened:
            lines = opened.readlines()
        if flaws := [_unclosed(file, number) for number, line in enumerate(lines, 1) if not _LINE.fullmatch(line)]:
            raise ConfigError(*flaws)
        PoFileParser(listed, ignore_obsolete=True, abort_invalid=True).parse(lines)
    except PoFileError as flaw:
        message, _, _ = str(flaw).rpartition(" on ")
        raise ConfigError(Problem(file=str(file), place=f"line {flaw.lineno + 1}", message=message)) from flaw
    except UnicodeDecodeError as flaw:
        raise _whole(file, "is not in UTF-8; save it so") from flaw
    except (ValueError, IndexError, UnknownLocaleError) as flaw:  # Babel: a head that it can't make sense of
        raise _whole(file, f"can't be read ({flaw}); write its head as in en.po") from flaw
    return listed


def _unclosed(file: Path, line: int) -> Problem:
    message = r'is no line of a catalogue; write msgstr "…", and a quote inside as \"'
    return Problem(file=str(file), place=f"line {line}", message=message)


def _plural(file: Path, listed: Catalog) -> Callable[[int], int]:
    """Which form goes with a number, by the head's Plural-Forms, else by what Babel knows of the language."""
    try:
        chosen = gettext.c2py(listed.plural_expr)
        fits = all(0 <= chosen(number) < listed.num_plurals for number in range(201))
    except (ValueError, ZeroDivisionError, RecursionError) as flaw:
        raise _whole(file, f"Plural-Forms can't be read ({flaw}); write for example nplurals=1; plural=0;") from flaw
    if not fits:
        raise _whole(file, f"Plural-Forms chooses a form beyond its nplurals={listed.num_plurals}; correct the number")
    return chosen


def _cldr_name(language: str) -> str:
    name = Locale.parse(language, sep="-").get_display_name() or language
    return name[:1].upper() + name[1:]  # as in a list, where CLDR has "español" for the middle of a sentence


def _number(language: str, number: int) -> str:
    from babel.numbers import format_decimal

    return str(format_decimal(number, locale=language.replace("-", "_")))


def _key(message: Message) -> Key:
    name = message.id if isinstance(message.id, str) else message.id[0]
    return message.context or "", name


def _forms(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ("",))


def _wrong(message: Message, before: int | None) -> Iterator[str]:
    """What is wrong with an entry in itself."""
    place, name = _key(message)
    forms = _forms(message)
    if place not in PLACES:
        yield f'"{name}" has no place that we know; write msgctxt "page", "mail", "feed" or "consent" above it'
    if place == _CONSENT and not name.isdecimal():
        yield f'"{name}" is no version of a consent; write a number'
    if before is not None:
        yield f'"{name}" of "{place}" stands on line {before} already; leave one of them'
    if any(forms) and not all(forms):
        yield f'"{name}" has not all its {len(forms)} forms, as many as nplurals says; write each msgstr[…]'
    for form in forms:
        try:
            placeholders(form)
        except ValueError as flaw:
            yield f'"{name}" {flaw}; write names alone in braces, as in {{site}}'


def _misfits(read: _Read, original: Catalogue) -> Iterator[Problem]:
    """Phrases that would be filled with other things than the English ones are."""
    for key, phrase in read.catalogue.phrases.items():
        meant = original.phrases.get(key)
        if meant is None:
            continue
        allowed = meant.placeholders
        if len(phrase.forms) > 1 and "count" not in allowed:
            yield read.flaw(key, f'"{key[1]}" counts nothing; write one msgstr, without msgid_plural')
        for form in phrase.forms:
            strange = placeholders(form) ^ allowed
            if len(phrase.forms) > 1:
                strange -= {"count"} - placeholders(form)  # "one story more" need not say 1
            if strange:
                yield read.flaw(key, f'"{key[1]}" must have {_named(allowed)}, and has {_named(placeholders(form))}')
                break


def _new_consents(read: _Read, shipped: Mapping[str, Catalogue]) -> Iterator[Problem]:
    """Attempts to make people have agreed to something else."""
    known = shipped.get(read.catalogue.language)
    for key, phrase in read.catalogue.phrases.items():
        if known and key[0] == _CONSENT and known.phrases.get(key) != phrase:
            yield read.flaw(key, "people agreed to the shipped text, which stays as it is; take this entry out")


def _named(names: frozenset[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names)) or "none"


def _whole(file: Path, message: str) -> ConfigError:
    return ConfigError(Problem(file=str(file), message=message))
