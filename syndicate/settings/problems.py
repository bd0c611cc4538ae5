"""What is said about a fault in the config file: where it is, what stands there, and the cure."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping

from pydantic_core import ErrorDetails

from syndicate.errors import Problem
from syndicate.settings.around import nearest
from syndicate.settings.file import ConfigFile, Location, shortened
from syndicate.settings.whole import TABLES, keys_of

LISTS = ("sources", "feeds", "newsletters", "partners", "endpoints", "receipts")
_KINDS = ("sources", "channels", "receipts")  # tables whose keys depend on `kind`; pydantic puts the kind into the path
_SECRETS = frozenset({"password", "secret", "api_key", "webhook_key", "metrics_key"})

_WORDS: Mapping[str, str] = {
    "missing": "is missing; write {key} = …, see docs/configuration.md",
    "union_tag_not_found": "is missing; write kind = …, see docs/configuration.md",
    "string_type": 'must be text; write it in quotes, "…"',
    "int_type": "must be a whole number; write it without quotes",
    "bool_type": "must be yes or no; write true or false, without quotes",
    "tuple_type": 'must be a list; write ["…", "…"]',
    "dict_type": "must hold tables; write [channels.NAME]",
    "model_type": "must be a table; write its keys under a heading in [brackets]",
    "model_attributes_type": "must be a table; write its keys under a heading in [brackets]",
    "greater_than_equal": "too small; write {ge} or more",
    "less_than_equal": "too large; write {le} or less",
    "string_pattern_mismatch": "has characters that may not stand here; write what matches {pattern}",
    "literal_error": "not one of those; write {expected}",
    "union_tag_invalid": "no such kind; write {expected_tags}",
}


def problem_of(file: ConfigFile, details: ErrorDetails) -> Problem:
    """What pydantic found, in words."""
    location = details["loc"]
    kind = location[2] if len(location) > 2 and location[0] in _KINDS else None
    if kind:
        location = (*location[:2], *location[3:])
    elif details["type"].startswith("union_tag_"):
        location = (*location, "kind")
    location = _written(file, location)
    return file.problem(
        _place(file, location), _message(details, location, kind), value=_shown(file, details, location)
    )


def doubles(file: ConfigFile) -> Iterator[Problem]:
    """Names that stand twice in their list."""
    for section in LISTS:
        first: dict[str, int] = {}
        for index, name in named(file, section):
            if first.setdefault(name, index) != index:
                before = _ordinal(first[name])
                yield file.problem(
                    f"the {_ordinal(index)} [[{section}]]: name",
                    f"the {before} [[{section}]] has this name; write another one",
                    value=_quoted(name),
                )


def named(file: ConfigFile, section: str) -> Iterator[tuple[int, str]]:
    """Index and name of each table of a list that has one."""
    tables = file.data.get(section)
    for index, table in enumerate(tables if isinstance(tables, tuple) else ()):
        if isinstance(table, Mapping) and isinstance(table.get("name"), str):
            yield index, table["name"]


def _written(file: ConfigFile, location: Location) -> Location:
    """Without a last index where the file has a single value in place of a list."""
    whole = file.at(location[:-1])
    listed = isinstance(whole, Mapping | tuple) or not isinstance(location[-1], int)
    return location if listed else location[:-1]


def _place(file: ConfigFile, location: Location) -> str:
    """How a person finds it: `[[feeds]] "daerah": title`, `web.listen`, `the 1st of net.allow`."""
    section, *rest = location
    if section not in LISTS or not rest or not isinstance(rest[0], int):
        return _key(location)
    entry = _entry(file, str(section), rest[0], by_name=rest[1:] != ["name"])
    return f"{entry}: {_key(tuple(rest[1:]))}" if rest[1:] else entry


def _entry(file: ConfigFile, section: str, index: int, *, by_name: bool) -> str:
    """By its name, if that tells it from the others; else by its number."""
    names = dict(named(file, section))
    if by_name and Counter(names.values())[names.get(index, "")] == 1:
        return f"[[{section}]] {_quoted(names[index])}"
    return f"the {_ordinal(index)} [[{section}]]"


def _key(location: Location) -> str:
    *whole, last = location
    if isinstance(last, int):
        return f"the {_ordinal(last)} of {_key(tuple(whole))}"
    return ".".join(map(str, location))


def _ordinal(index: int) -> str:
    """`1st` for index 0."""
    number = index + 1
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _message(details: ErrorDetails, location: Location, kind: int | str | None) -> str:
    context = details.get("ctx", {})
    match details["type"]:
        case "value_error":
            return str(context["error"])
        case "extra_forbidden":
            return f"there is no such key; {nearest(str(location[-1]), _siblings(location, kind))}"
        case "tuple_type" if len(location) == 1:
            return f"must be a list of tables; write [[{location[0]}]]"
    pattern = _WORDS.get(details["type"])
    return pattern.format(key=location[-1], **context).replace("', '", "' or '") if pattern else details["msg"]


def _siblings(location: Location, kind: int | str | None) -> tuple[str, ...]:
    """The keys that could stand where the unknown one does."""
    if kind:
        return keys_of(TABLES[f"{location[0]}.{kind}"])
    parent = str(location[-2]) if len(location) > 1 else ""
    return keys_of(TABLES[parent if parent in TABLES else str(location[0])])


def _shown(file: ConfigFile, details: ErrorDetails, location: Location) -> str:
    """The value as it stands in the file. A default that fails has none; a secret written in clear is masked."""
    value = file.at(location)
    if value is None or isinstance(value, Mapping | tuple) or details["type"] == "extra_forbidden":
        return ""
    if _SECRETS.intersection(map(str, location)) and not str(value).startswith(("env:", "file:")):
        return "…"
    if isinstance(value, str):
        return _quoted(value)
    return shortened(str(value).lower() if isinstance(value, bool) else str(value))


def _quoted(text: str) -> str:
    return json.dumps(shortened(text), ensure_ascii=False)
