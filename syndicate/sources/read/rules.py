"""Page rules: where the parts of a story stand on a theme's pages, as data. Read outside the jail, used inside.

A file of rules has one table for each variant of a theme. Selectors are CSS; of several that match, the order counts.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from syndicate.errors import ConfigError, Problem

_PATTERNS = ("related",)
_WORDS = ("dateline_outlets",)


@dataclass(frozen=True, kw_only=True)
class PageRule:
    """One variant of a theme. Everything but `applies` and `body` may be left out."""

    name: str  # "tagdiv.cloud"
    applies: tuple[str, ...] = ()  # any of these tells the theme; () is a rule of the newsroom's own, for all its pages
    body: tuple[str, ...] = ()  # of several matches the one with most text in paragraphs
    drop: tuple[str, ...] = ()  # chrome inside the body
    title: tuple[str, ...] = ()
    date: tuple[str, ...] = ()  # elements with `datetime` or `content`; shown text is never read
    updated: tuple[str, ...] = ()
    author: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    picture: tuple[str, ...] = ()
    caption: tuple[str, ...] = ()
    listing: tuple[str, ...] = ()  # links to stories on front pages and lists
    related: tuple[str, ...] = ()  # patterns of lines that point at other stories
    dateline_outlets: tuple[str, ...] = ()  # "MALANG POSCO MEDIA"

    def as_option(self) -> dict[str, Any]:
        """What goes to the jail; `from_option` makes the rule again there."""
        return asdict(self)

    @classmethod
    def from_option(cls, option: Mapping[str, Any]) -> "PageRule":
        """The rule that `as_option` gave, after a way through JSON."""
        return cls(name=option["name"], **{key: tuple(option[key]) for key in option if key != "name"})


def load_rules(folder: Path) -> Mapping[str, tuple[PageRule, ...]]:
    """Every file of the folder by its name: "tagdiv" → its variants. Raises ConfigError."""
    return {path.stem: parse_rules(path.read_text("utf-8"), file=path) for path in sorted(folder.glob("*.toml"))}


def parse_rules(text: str, *, file: Path) -> tuple[PageRule, ...]:
    """The variants in the file's order. Raises ConfigError that names the place and the cure."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as why:
        raise ConfigError(Problem(file=str(file), message=f"is no TOML: {why}")) from None
    return tuple(make_rule(f"{file.stem}.{name}", table, file=str(file), place=name) for name, table in tables.items())


def make_rule(name: str, table: Mapping[str, Any], *, file: str = "", place: str = "") -> PageRule:
    """A rule from a table as an operator writes it. Raises ConfigError."""
    known = {one.name for one in fields(PageRule)} - {"name"}
    problems = []
    for key, value in table.items() if isinstance(table, Mapping) else [("", table)]:
        if key not in known:
            problems.append((key, f"is no key of a page rule; write one of {', '.join(sorted(known))}"))
        elif not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            problems.append((key, f'must be a list of texts: {key} = ["…", "…"]'))
        else:
            problems += [(key, f"{one!r} {flaw}") for one in value if (flaw := _flaw(key, one))]
    if problems:
        raise ConfigError(
            *(Problem(file=file, place=f"{place}.{key}".strip("."), message=words) for key, words in problems)
        )
    return PageRule(name=name, **{key: tuple(value) for key, value in table.items()})


def laid_over(own: Mapping[str, tuple[str, ...]], themes: Sequence[PageRule]) -> tuple[PageRule, ...]:
    """The themes' rules with the operator's own keys in the place of theirs; the own ones alone where no theme fits.

    An own rule that says where it applies is a theme more, before all others.
    """
    if not own:
        return tuple(themes)
    alone = PageRule(name="rules", **own)
    if alone.applies:
        return alone, *themes
    return *(replace(theme, name=f"{theme.name} with rules", **own) for theme in themes), alone


def _flaw(key: str, value: str) -> str:
    if key in _WORDS:
        return ""
    try:
        if key in _PATTERNS:
            re.compile(value)
        else:
            LexborHTMLParser("<p></p>").css(value)
    except re.error as why:
        return f"is no pattern: {why}"
    except SelectolaxError:
        return "is no CSS selector"
    return ""
