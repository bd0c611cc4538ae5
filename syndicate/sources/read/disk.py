"""Looks into a folder without ever leaving it: symbolic links are not followed, other file kinds not opened."""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

STORY_ENDINGS = (".md", ".html")


@dataclass(frozen=True)
class Stamp:
    """What tells a changed file from an unchanged one without reading it."""

    size: int
    mtime_ns: int

    def __str__(self) -> str:
        return f"{self.size}:{self.mtime_ns}"


class Unstable(Exception):
    """The file changed while it was looked at: it is being written, so it is left for the next look."""


def scan(root: Path) -> Mapping[str, Stamp]:
    """Every regular file by its path inside the folder ("kota/berita.md"); hidden ones are left out.

    Raises OSError when any part of the folder can't be listed: half a listing would look like deletions.
    """
    return dict(sorted(_walk(root, "")))


def read(root: Path, path: str, expected: Stamp) -> bytes:
    """The file's bytes, whole and as they were stamped. Raises Unstable, or OSError."""
    handle = os.open(root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode) or _stamp(before) != expected:
            raise Unstable
        content = file.read(expected.size + 1)
        if len(content) != expected.size or _stamp(os.fstat(file.fileno())) != expected:
            raise Unstable
        return content


def _walk(root: Path, inside: str) -> Iterator[tuple[str, Stamp]]:
    with os.scandir(root / inside) as entries:
        for entry in entries:
            path = f"{inside}{entry.name}"
            if entry.name.startswith(".") or entry.is_symlink():
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(root, f"{path}/")
            elif entry.is_file(follow_symlinks=False):
                try:
                    yield path, _stamp(entry.stat(follow_symlinks=False))
                except FileNotFoundError:  # renamed or deleted while we listed
                    continue


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_size, status.st_mtime_ns)
