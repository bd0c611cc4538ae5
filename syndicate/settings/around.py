"""What a value in the config file is judged against: the names, addresses and places that the rest of the file gives.

It comes as pydantic's validation context, so that every problem of a file is found in one pass and at its own key.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationInfo

from syndicate.net.guard import Allowed
from syndicate.settings.assets import assets


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a value is judged against. Taken from the raw file, so that it is there even where the file has faults."""

    root: Path  # relative paths start here
    environ: Mapping[str, str]
    secrets: bool  # False: those of channels and endpoints aren't looked up
    names: Mapping[str, tuple[str, ...]]  # "partners" → the names of all partners
    allowed: Allowed  # [net] allow
    var: Path
    templates: Path  # the publisher's own
    look: Mapping[str, Any]  # [look]
    sample: bool


def surroundings(info: ValidationInfo) -> Surroundings:
    """The context of this validation."""
    assert isinstance(info.context, Surroundings)  # noqa: S101  # load() always gives one
    return info.context


def path_at(root: Path, text: str) -> Path:
    """Relative paths start at the project's root; `asset:` ones lie in the package (or the repository)."""
    if text.startswith("asset:"):
        return assets(text.removeprefix("asset:"))
    return (root / text).resolve()


def nearest(word: str, known: tuple[str, ...]) -> str:
    """A hint for a word that isn't known: the one that looks most like it, else all."""
    close = get_close_matches(word, known, n=1)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known: {', '.join(known)}" if known else "none is written in this file"


def known(section: str) -> Callable[[str, ValidationInfo], str]:
    """Refuses a name that the file doesn't define in `section`."""

    def check(value: str, info: ValidationInfo) -> str:
        names = surroundings(info).names[section]
        if value not in names:
            raise ValueError(f"{section} has no such name; {nearest(value, names)}")
        return value

    return check
