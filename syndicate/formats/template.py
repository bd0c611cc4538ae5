"""Where the files of a digest template lie.

A template is a folder. What it doesn't hold itself is taken from the folder `parts`, so that a publisher can copy one,
change it, and leave the rest alone.
"""

from collections.abc import Sequence
from pathlib import Path

PAGE = "digest.html.j2"  # a folder that has it is a template
WORDS = "digest.txt.j2"
_PARTS = "parts"  # what templates have in common


def template_names(homes: Sequence[Path]) -> tuple[str, ...]:
    """The templates that there are in these folders."""
    return tuple(sorted({page.parent.name for home in homes for page in home.glob(f"*/{PAGE}")}))


def folders_of(template: str, homes: Sequence[Path]) -> tuple[Path, ...]:
    """Where the files of a template are looked for: in its own folder, then among the parts. Empty: there is none."""
    own = next((home / template for home in homes if (home / template / PAGE).is_file()), None)
    return (own, *(home / _PARTS for home in homes if (home / _PARTS).is_dir())) if own else ()
