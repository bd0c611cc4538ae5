"""A Maildir that a mail system fills with what others write back to us. What is taken moves from new/ to cur/, as seen.

Let nobody else read it: a mail program that looks into it first takes the mails out of new/.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from syndicate.channels.mail.bounce import MOST_BYTES

_AT_ONCE = 50  # mails
_SEEN = ":2,S"


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
                await asyncio.to_thread(self._move, list(read))
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
            path = self._path / "new" / name
            try:
                if path.is_file():
                    with path.open("rb") as file:
                        read[name] = file.read(MOST_BYTES)
            except OSError as error:
                problem = _words(error)
        return read, problem

    def _move(self, names: Sequence[str]) -> None:
        for name in names:
            seen = name if ":2," in name else name + _SEEN
            (self._path / "new" / name).rename(self._path / "cur" / seen)


def _words(error: OSError) -> str:
    return f"{error.filename or 'the folder'}: {error.strerror or error}"
