"""The config file as it is written: found, read as TOML, not judged yet."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syndicate.errors import ConfigError, Problem

PLACES = ("config/syndicate.toml", "syndicate.toml")  # looked for in this order, from the working directory
Location = tuple[int | str, ...]

_LONGEST = 80  # characters of a value that are shown
_USERINFO = re.compile(r"://[^/\s]*@")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # would fake a line or a colour on a terminal
_SECRET_LINE = re.compile(r"(?i)^(.*(?:pas|pwd|secret|token|_key|authoriz)[^=]*=).+|whsec_.*")
_OPEN_TEXT = re.compile(r"=\s*\[?\s*(\"{3}|'{3}|'[^']*$)")  # goes on in the next line
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")
_TWICE = "it stands here twice; write it once, or [[name]] above each entry of a list"
_NO_QUOTE = "the quote that closes the text is missing; write it"
_SYNTAX: Mapping[str, str] = {  # how a message of tomllib begins: what it means
    "Invalid value": 'this is no value; write text in straight quotes, "…", or a number, or true or false',
    "Expected '='": 'a key needs = and a value; write key = "…"',
    "Expected newline": "something follows the value; write one key = value a line, and text in quotes",
    "Cannot overwrite": _TWICE,
    "Cannot declare": _TWICE,
    "Cannot mutate": _TWICE,
    "Duplicate": _TWICE,
    "Expected ']'": "a heading needs its closing bracket; write [name], without blanks in it",
    "Expected ']]'": "the heading of an entry needs two closing brackets; write [[name]]",
    "Unclosed array": 'a list needs commas and its closing bracket; write ["…", "…"]',
    "Unclosed inline": "what begins with { must end with } on the same line; write { key = …, key = … }",
    r"Illegal character '\n'": _NO_QUOTE,
    "Unterminated string": _NO_QUOTE,
    'Expected "': _NO_QUOTE,
    "Illegal character": "there is a character that text may not hold; delete it",
    "Unescaped '\\'": r"a \ in text must be doubled; write \\, or put the text in single quotes",
    "Invalid hex": r"a \ in text must be doubled; write \\, or put the text in single quotes",
    "Invalid statement": "this is neither key = value nor a [heading]; write one of them",
    "Invalid initial": "a key is missing; write a name of letters, digits, - and _",
}


@dataclass(frozen=True, kw_only=True)
class ConfigFile:
    """A config file that is TOML, not judged yet."""

    label: str  # how problems call it
    root: Path  # relative paths start here
    data: Mapping[str, Any]

    def problem(self, place: str, message: str, *, value: str = "") -> Problem:
        """One in this file, without any character that must not reach a terminal."""
        place, message, value = (_UNSAFE.sub("…", text) for text in (place, message, value))
        return Problem(file=self.label, place=place, value=value, message=message)

    def at(self, place: Location) -> Any:
        """What stands there; None for nothing."""
        value: Any = self.data
        for part in place:
            value = _inside(value, part)
        return value


def shortened(text: str) -> str:
    """As much of a value as may be shown."""
    masked = _USERINFO.sub("://…@", text)
    return masked if len(masked) <= _LONGEST else masked[:_LONGEST] + "…"


def find_config(path: Path | None, *, cwd: Path) -> Path:
    """Where the config file is. Raises ConfigError when there is none."""
    candidates = [cwd / path] if path is not None else [cwd / place for place in PLACES]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    looked = " and ".join(_label(candidate, cwd) for candidate in candidates)
    raise ConfigError(f"no config file: looked for {looked}; write one with `syndicate init DIR`, or name it: --config")


def read_config(path: Path, *, cwd: Path) -> ConfigFile:
    """Relative paths start beside `config/`, or beside the file if it lies elsewhere. Raises ConfigError."""
    label = _label(path, cwd)
    text = ""
    try:
        text = path.read_text("utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(Problem(file=label, message=f"can't be read ({error.strerror}); make it readable")) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            Problem(file=label, message=f"byte {error.start} is not UTF-8; save the file as UTF-8")
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax_problem(label, text, str(error))) from error
    folder = path.resolve().parent
    return ConfigFile(label=label, root=folder.parent if folder.name == "config" else folder, data=_frozen(data))


def _syntax_problem(label: str, text: str, said: str) -> Problem:
    """The line that can't be read, and why."""
    lines = text.rstrip().split("\n")
    hit = _TOML_PLACE.search(said)
    number = min(int(hit[1]), len(lines)) if hit and hit[1] else _last_begun(lines)
    column = f", column {hit[2]}" if hit and hit[1] else ""
    line = shortened(_UNSAFE.sub("…", _SECRET_LINE.sub(r"\1 …", lines[number - 1].strip())))
    words = _TOML_PLACE.sub("", said)
    meaning = max((start for start in _SYNTAX if words.startswith(start)), key=len, default="")
    return Problem(file=label, place=f"line {number}{column}", message=f"`{line}`: {_SYNTAX.get(meaning, words)}")


def _last_begun(lines: Sequence[str]) -> int:
    """The number of the line that is to blame where the parser only says that the file ended."""
    begun = [number for number, line in enumerate(lines, start=1) if _OPEN_TEXT.search(line)]
    return begun[-1] if begun else len(lines)


def _label(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


def _frozen(value: Any) -> Any:
    """TOML's lists as tuples, as the strict tables want them."""
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _inside(value: Any, part: int | str) -> Any:
    if isinstance(value, tuple) and isinstance(part, int):
        return value[part]
    return value.get(str(part)) if isinstance(value, Mapping) else None
