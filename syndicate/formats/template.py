"""Templates of mails: where the files of a digest's lie, and how all are filled.

A digest template is a folder. What it doesn't hold itself is taken from the folder `parts`, so that a publisher can
copy one, change it, and leave the rest alone.
"""

import textwrap
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from css_inline import CSSInliner
    from jinja2 import Environment

PAGE = "digest.html.j2"  # a folder that has it is a template
WORDS = "digest.txt.j2"
TEXT_COLUMNS = 72
_PARTS = "parts"  # what templates have in common


def template_names(homes: Sequence[Path]) -> tuple[str, ...]:
    """The templates that there are in these folders."""
    return tuple(sorted({page.parent.name for home in homes for page in home.glob(f"*/{PAGE}")}))


def folders_of(template: str, homes: Sequence[Path]) -> tuple[Path, ...]:
    """Where the files of a template are looked for: in its own folder, then among the parts. Empty: there is none."""
    own = next((home / template for home in homes if (home / template / PAGE).is_file()), None)
    return (own, *(home / _PARTS for home in homes if (home / _PARTS).is_dir())) if own else ()


@lru_cache
def open_templates(folders: tuple[Path, ...]) -> "Environment":
    """The files of these folders, the first that has one counting; an unknown name in them is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=select_autoescape(("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["wrapped"] = _wrapped
    return environment


@lru_cache
def css_inliner() -> "CSSInliner":
    """Without looking outside: by itself css-inline reads files and URLs that a stylesheet link names."""
    from css_inline import CSSInliner

    return CSSInliner(load_remote_stylesheets=False, minify_css=True)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, TEXT_COLUMNS, break_long_words=False, break_on_hyphens=False)
