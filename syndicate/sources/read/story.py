"""A story file: TOML front matter between two `+++` lines, then the body. Runs outside the jail."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo

from syndicate.domain.markup import one_line
from syndicate.sources.read.addresses import canonical
from syndicate.sources.read.dates import read_date

FENCE = "+++"
_TEXTS = ("title", "summary", "language", "id", "url", "image", "image_alt", "image_caption", "image_credit")
_KNOWN = frozenset([*_TEXTS, "authors", "sections", "tags", "published", "updated"])
_TOML_PLACE = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_KEY = re.compile(r"[\w.:/@-]{1,200}")


class StoryProblem(Exception):
    """The file can't be taken as a story. `line` counts from 1; the text says what is wrong and the cure."""

    def __init__(self, line: int, words: str) -> None:
        self.line = line
        super().__init__(words)


@dataclass(frozen=True, kw_only=True)
class Story:
    """A story file as written. `unknown` tells of front matter keys that mean nothing to us, mostly misspelt ones."""

    title: str
    published: datetime | None
    updated: datetime | None
    authors: tuple[str, ...]
    sections: tuple[str, ...]
    tags: tuple[str, ...]
    summary: str
    language: str
    id: str
    url: str | None
    image: str
    image_alt: str
    image_caption: str
    image_credit: str
    unknown: tuple[StoryProblem, ...]
    body: str


def read_story(text: str, *, zone: str) -> Story:
    """The story in a file's text. Times without a zone are in `zone`. Raises StoryProblem."""
    front, body = _split(text)
    values = _toml(front)
    texts: Any = {name: _text(values, name, front) for name in _TEXTS}
    if not texts["title"]:
        raise _untitled(values, front)
    if texts["id"] and not _KEY.fullmatch(texts["id"]):
        raise StoryProblem(_line_of("id", front), "id may hold letters, digits and . _ - : / @ only, 200 at most")
    if texts["language"] and not _LANGUAGE.fullmatch(texts["language"]):
        raise StoryProblem(
            _line_of("language", front), f'{texts["language"]!r} is no language tag; write "id" or "en-GB"'
        )
    url = canonical(texts.pop("url"))
    if values.get("url") and url is None:
        raise StoryProblem(_line_of("url", front), 'url is no web address; write "https://…"')
    return Story(
        **texts,
        url=url,
        published=_time(values, "published", front, zone=zone),
        updated=_time(values, "updated", front, zone=zone),
        authors=_names(values, "authors", front),
        sections=_names(values, "sections", front),
        tags=_names(values, "tags", front),
        unknown=tuple(_unknown(name, front) for name in sorted(values.keys() - _KNOWN)),
        body=body,
    )


def _split(text: str) -> tuple[str, str]:
    lines = text.split("\n")
    if lines[0].rstrip() != FENCE:
        raise StoryProblem(
            1, f"the first line must be {FENCE}; put the title and the rest as TOML between two such lines"
        )
    for number, line in enumerate(lines[1:], start=1):
        if line.rstrip() == FENCE:
            return "\n".join(lines[1:number]), "\n".join(lines[number + 1 :])
    raise StoryProblem(1, f"the second {FENCE} line is missing; end the front matter with it")


def _toml(front: str) -> Mapping[str, object]:
    try:
        return tomllib.loads(front.replace("\r", ""))
    except RecursionError:
        raise StoryProblem(1, "the front matter is nested too deeply") from None
    except ValueError as why:  # TOMLDecodeError, or a number with thousands of digits
        place = _TOML_PLACE.search(str(why))
        number = int(place[1]) if place and place[1] else front.count("\n") + 1
        words = _TOML_PLACE.sub("", str(why)).strip()
        raise StoryProblem(number + 1, f"the front matter is not TOML: {words}; texts need quotes") from None


def _line_of(name: str, front: str) -> int:
    """The line in the file that sets the key, or the first one."""
    for number, line in enumerate(front.split("\n"), start=2):
        if re.match(rf"\s*{re.escape(name)}\s*=", line):
            return number
    return 1


def _untitled(values: Mapping[str, object], front: str) -> StoryProblem:
    slips = get_close_matches("title", sorted(values.keys() - _KNOWN), n=1)
    if slips:
        return StoryProblem(_line_of(slips[0], front), f'it has no title, but {slips[0]}; write title = "…"')
    return StoryProblem(_line_of("title", front), 'it has no title; add title = "…"')


def _unknown(name: str, front: str) -> StoryProblem:
    meant = get_close_matches(name, sorted(_KNOWN), n=1)
    hint = f"did you mean {meant[0]}?" if meant else f"known: {', '.join(sorted(_KNOWN))}"
    return StoryProblem(_line_of(name, front), f"{one_line(name)} is no key we know; {hint}")


def _text(values: Mapping[str, object], name: str, front: str) -> str:
    value = values.get(name, "")
    if not isinstance(value, str):
        raise StoryProblem(_line_of(name, front), f'{name} must be a text: {name} = "…"')
    return one_line(value)


def _names(values: Mapping[str, object], name: str, front: str) -> tuple[str, ...]:
    value = values.get(name, [])
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise StoryProblem(_line_of(name, front), f'{name} must be a list of texts: {name} = ["…", "…"]')
    return tuple(dict.fromkeys(cleaned for cleaned in map(one_line, listed) if cleaned))


def _time(values: Mapping[str, object], name: str, front: str, *, zone: str) -> datetime | None:
    value = values.get(name)
    if value is None:
        return None
    try:
        found = read_date(value, zone) if isinstance(value, str) else _instant(value, zone)
    except OverflowError:  # a year that UTC doesn't have
        found = None
    if found is None:
        raise StoryProblem(_line_of(name, front), f"{name} is no time; write {name} = 2026-11-24T06:00:00+07:00")
    return found


def _instant(value: object, zone: str) -> datetime | None:
    """A TOML date or time in UTC."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=ZoneInfo(zone))
        return aware.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return None
