"""Where the files that come with the program lie: templates, the shipped configuration, the sample newsroom."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def assets(name: str) -> Path:
    """The path of a shipped file or folder: inside an installed package, else in the repository around it."""
    inside = _PACKAGE / "assets" / name
    return inside if inside.exists() else _PACKAGE.parent / name
