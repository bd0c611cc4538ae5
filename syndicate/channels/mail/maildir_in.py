"""A Maildir that a mail system fills with what others write back to us. What is taken moves from new/ to cur/, as seen.

Let nobody else read it: a mail program that looks into it first takes the mails out of new/.
"""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from errno import ELOOP, ENXIO
from pathlib import Path
from stat import S_ISREG
from typing import ClassVar

from syndicate.channels.mail.bounce import MOST_BYTES

_AT_ONCE = 50  # mails
_SEEN = ":2,S"
_LONGEST_NAME = 255  # bytes, NAME_MAX of Linux's file systems


@dataclass(frozen=True, kw_only=True)
class MaildirInConfig:
    """A folder that mail is put into."""

    kind: ClassVar[str] = "maildir"
    name: str
    path: Path


class MaildirIn:
    """Reads new/, oldest names first."""

    def __init__(self, config: MaildirInConfig) -> None:
        self._path = config.path

    async def empty(self, keep: Callable[[Sequence[bytes]], Awaitable[None]]) -> str:
        """A file that can't be read stays where it is, and is named."""
        try:
            names = await asyncio.to_thread(self._new)
            problem = ""
            for start in range(0, len(names), _AT_ONCE):
                read, trouble = await asyncio.to_thread(self._read, names[start : start + _AT_ONCE])
                problem = problem or trouble
                await keep(list(read.values()))
                problem = await asyncio.to_thread(self._move, list(read)) or problem
        except OSError as error:
            return _words(error)
        return problem

    async def probe(self) -> str:
        """Whether we may move what lies there."""
        for name in ("new", "cur"):
            folder = self._path / name
            if not await asyncio.to_thread(os.access, folder, os.R_OK | os.W_OK | os.X_OK):
                return f"{folder} is not there, or can't be read and written by us"
        return ""

    def _new(self) -> list[str]:
        return sorted(name for name in os.listdir(self._path / "new") if not name.startswith("."))

    def _read(self, names: Sequence[str]) -> tuple[dict[str, bytes], str]:
        read: dict[str, bytes] = {}
        problem = ""
        for name in names:
            try:
                if (mail := _content(self._path / "new" / name)) is not None:
                    read[name] = mail
            except OSError as error:
                problem = _words(error)
        return read, problem

    def _move(self, names: Sequence[str]) -> str:
        """One that can't be moved comes again at the next look, and the others don't wait for it."""
        problem = ""
        for name in names:
            try:
                (self._path / "new" / name).rename(self._path / "cur" / _seen(name))
            except FileNotFoundError:  # somebody else took it, and we have it
                continue
            except OSError as error:
                problem = _words(error)
        return problem


def _content(path: Path) -> bytes | None:
    """A mail as far as it is read; None for what is none. No link is followed: it may lead anywhere on this machine."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (ELOOP, ENXIO):  # a symbolic link; a socket
            return None
        raise
    try:
        if not S_ISREG(os.fstat(descriptor).st_mode):  # a folder, a pipe
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MOST_BYTES)
    finally:
        os.close(descriptor)


def _seen(name: str) -> str:
    """The name in cur/. One that grows too long for a file system is cut, and stays its own by a digest."""
    seen = name if ":2," in name else name + _SEEN
    raw = os.fsencode(seen)
    if len(raw) <= _LONGEST_NAME:
        return seen
    short = hashlib.sha256(raw).hexdigest()[:32]
    return f"{os.fsdecode(raw[: _LONGEST_NAME - len(short) - len(_SEEN) - 1])}.{short}{_SEEN}"


def _words(error: OSError) -> str:
    return f"{error.filename or 'the folder'}: {error.strerror or error}"
