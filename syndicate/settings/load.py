"""Reads the config file: finds it, judges every value, and tells all that is wrong at once, each with its cure."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from syndicate.errors import ConfigError
from syndicate.net.guard import Allowed
from syndicate.settings.around import Surroundings, nearest, path_at
from syndicate.settings.keys import create_keys, create_sample_secret
from syndicate.settings.whole import TABLES, Settings, keys_of

PLACES = ("config/syndicate.toml", "syndicate.toml")  # looked for in this order, from the working directory
_LISTS = ("sources", "feeds", "newsletters", "partners", "endpoints")
_KINDS = ("sources", "channels")  # tables whose keys depend on `kind`; pydantic puts the kind into the path
_SECRETS = frozenset({"password", "secret"})
_LONGEST = 80  # characters of a value that are shown
_USERINFO = re.compile(r"://[^/\s]*@")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # would fake a line or a colour on a terminal
_Location = tuple[int | str, ...]

_WORDS: Mapping[str, str] = {
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


@dataclass(frozen=True, kw_only=True)
class _File:
    """A config file that is TOML, not judged yet."""

    label: str  # how problems call it
    root: Path
    data: Mapping[str, Any]


def load(path: Path | None, *, cwd: Path, environ: Mapping[str, str]) -> Settings:
    """The settings in `path`, else in ./config/syndicate.toml, else in ./syndicate.toml.

    Raises ConfigError with every problem of the file, one line each.
    """
    file = _read(find_config(path, cwd=cwd), cwd=cwd)
    context = _surroundings(file, environ)
    problems = list(_doubles(file))
    try:
        settings = Settings.model_validate(file.data, context=context)
    except ValidationError as error:
        problems += [_problem(file, details) for details in error.errors(include_url=False)]
    if problems:
        raise ConfigError(*(_UNSAFE.sub("…", problem) for problem in problems))
    return settings


def find_config(path: Path | None, *, cwd: Path) -> Path:
    """Where the config file is. Raises ConfigError when there is none."""
    candidates = [cwd / path] if path is not None else [cwd / place for place in PLACES]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    looked = " and ".join(_label(candidate, cwd) for candidate in candidates)
    raise ConfigError(f"no config file: looked for {looked}; write one with `syndicate init DIR`, or name it: --config")


def prepare_keys(path: Path | None, *, cwd: Path) -> None:
    """What `init` and `up` do before `load`: make the keys if there are none yet, and the sample's secret.

    A file with faults is left to `load`. Never replaces a key.
    """
    file = _read(find_config(path, cwd=cwd), cwd=cwd)
    keys, var = _folder(file, "keys"), _folder(file, "var")
    if keys.is_relative_to(var):
        return
    create_keys(keys)
    if file.data.get("sample") is True:
        create_sample_secret(keys)


def _read(path: Path, *, cwd: Path) -> _File:
    """Relative paths start beside `config/`, or beside the file if it lies elsewhere."""
    label = _label(path, cwd)
    text = ""
    try:
        text = path.read_text("utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{label}: can't be read ({error.strerror}); make it readable") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{label}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{label}: not TOML: {_with_line(error, text)}; write it as https://toml.io shows") from error
    folder = path.resolve().parent
    return _File(label=label, root=folder.parent if folder.name == "config" else folder, data=_frozen(data))


def _with_line(error: tomllib.TOMLDecodeError, text: str) -> str:
    """The parser names line and column, but for the end of the file."""
    lines = text.split("\n")
    return str(error).replace("at end of document", f"at line {len(lines)}, column {len(lines[-1]) + 1}, the end")


def _label(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


def _frozen(value: Any) -> Any:
    """TOML's lists as tuples, as the strict tables want them."""
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _surroundings(file: _File, environ: Mapping[str, str]) -> Surroundings:
    names = {section: tuple(name for _, name in _named(file, section)) for section in _LISTS}
    channels = file.data.get("channels")
    names["channels"] = tuple(channels) if isinstance(channels, Mapping) else ()
    return Surroundings(
        root=file.root,
        environ=environ,
        names=names,
        allowed=_allowed(file),
        var=_folder(file, "var"),
        sample=file.data.get("sample") is True,
    )


def _named(file: _File, section: str) -> Iterator[tuple[int, str]]:
    """Index and name of each table of a list that has one."""
    tables = file.data.get(section)
    for index, table in enumerate(tables if isinstance(tables, tuple) else ()):
        if isinstance(table, Mapping) and isinstance(table.get("name"), str):
            yield index, table["name"]


def _allowed(file: _File) -> Allowed:
    """The entries that can be read; the others are reported at their own place."""
    net = file.data.get("net")
    entries = net.get("allow") if isinstance(net, Mapping) else ()
    pairs: set[Any] = set()
    for entry in entries if isinstance(entries, tuple) else ():
        with suppress(ConfigError):
            pairs |= Allowed.parse([str(entry)]).pairs
    return Allowed(frozenset(pairs))


def _folder(file: _File, key: str) -> Path:
    """A value that is no path is reported at its own place; the default stands in for it."""
    value = file.data.get(key)
    return path_at(file.root, value if isinstance(value, str) and "\0" not in value else key)


def _doubles(file: _File) -> Iterator[str]:
    for section in _LISTS:
        first: dict[str, int] = {}
        for index, name in _named(file, section):
            if first.setdefault(name, index) != index:
                yield (
                    f'{file.label}: {section}[{index}].name = "{name}": '
                    f"{section}[{first[name]}] has this name; write another one"
                )


def _problem(file: _File, details: ErrorDetails) -> str:
    location = details["loc"]
    kind = location[2] if len(location) > 2 and location[0] in _KINDS else None
    if kind:
        location = (*location[:2], *location[3:])
    elif details["type"] == "union_tag_invalid":
        location = (*location, "kind")
    place = _written(file, location)
    key = _key(place)
    match details["type"]:
        case "missing":
            return f"{file.label}: {key} is missing; write {place[-1]} = …, see docs/configuration.md"
        case "union_tag_not_found":
            return f"{file.label}: {key}.kind is missing; write kind = …, see docs/configuration.md"
        case "extra_forbidden":
            return f"{file.label}: {key}: there is no such key; {nearest(str(place[-1]), _siblings(place, kind))}"
        case "tuple_type" if len(place) == 1:
            return f"{file.label}: {key}{_shown(file, place)}: must be a list of tables; write [[{key}]]"
        case _:
            return f"{file.label}: {key}{_shown(file, place)}: {_words(details)}"


def _written(file: _File, place: _Location) -> _Location:
    """Without a last index where the file has a single value in place of a list."""
    whole = _value(file, place[:-1])
    return place if isinstance(whole, Mapping | tuple) or not isinstance(place[-1], int) else place[:-1]


def _key(place: _Location) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def _siblings(place: _Location, kind: int | str | None) -> tuple[str, ...]:
    """The keys that could stand where the unknown one does."""
    parent = place[-2] if len(place) > 1 else ""
    section = parent if parent in ("select", "exclude") else place[0] if len(place) > 1 else ""
    return keys_of(TABLES[f"{section}.{kind}" if kind else str(section)])


def _shown(file: _File, place: _Location) -> str:
    """` = VALUE` as it stands in the file. A default that fails has none; a secret written in clear is masked."""
    value = _value(file, place)
    if value is None or isinstance(value, Mapping | tuple):
        return ""
    if _SECRETS.intersection(map(str, place)) and not str(value).startswith(("env:", "file:")):
        return " = …"
    text = _USERINFO.sub("://…@", str(value).lower() if isinstance(value, bool) else str(value))
    short = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return f" = {json.dumps(short, ensure_ascii=False)}" if isinstance(value, str) else f" = {short}"


def _value(file: _File, place: _Location) -> Any:
    value: Any = file.data
    for part in place:
        value = _inside(value, part)
    return value


def _inside(value: Any, part: int | str) -> Any:
    if isinstance(value, tuple) and isinstance(part, int):
        return value[part]
    return value.get(str(part)) if isinstance(value, Mapping) else None


def _words(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    if details["type"] == "value_error":
        return str(context["error"])
    pattern = _WORDS.get(details["type"])
    return pattern.format(**context).replace("', '", "' or '") if pattern else details["msg"]
