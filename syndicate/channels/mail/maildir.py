"""Mail into a Maildir: the shipped default, and the channel whose doubts are always settled by looking.

A message's file name comes from its delivery, so it can be there once at most, and after a crash the folder says
whether it was taken over. The folder must be ours until then: a mail program that moves mail into other folders takes
the evidence away.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from syndicate.channels.mail.message import unfit
from syndicate.domain.delivery import ACCEPTED, Outcome, OutcomeKind
from syndicate.ports import Mail

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_SUFFIX = ".syndicate"


@dataclass(frozen=True, kw_only=True)
class MaildirConfig:
    """A folder that takes mail."""

    kind: ClassVar[str] = "maildir"
    name: str
    path: Path


class MaildirMailer:
    """Writes to tmp/, flushes, renames into new/, flushes the folder. Accepted means: it survives a power cut."""

    connections = 2
    per_call = 32

    def __init__(self, config: MaildirConfig) -> None:
        self._path = config.path

    async def send(
        self, mails: Sequence[Mail], *, may_send: Callable[[int], bool]
    ) -> AsyncIterator[tuple[int, Outcome | None]]:
        """The slow part, writing and flushing, comes first: `may_send` is asked right before names appear in new/."""
        staged = await asyncio.to_thread(self._stage, mails)
        wanted = [may_send(mail.delivery) for mail in mails]
        outcomes = await asyncio.to_thread(self._publish, mails, staged, wanted)
        for mail, outcome in zip(mails, outcomes, strict=True):
            yield mail.delivery, outcome

    async def look(self, names: Sequence[str]) -> Mapping[str, bool]:
        """Every name gets an answer, unless the folder can't be read. A True survives a power cut."""
        return await asyncio.to_thread(self._look, names)

    async def aclose(self) -> None:
        """Nothing is kept open."""

    async def probe(self) -> str:
        """Whether the folder, or the nearest one above it that is there, may be written."""
        there = next(folder for folder in (self._path / "tmp", self._path, *self._path.parents) if folder.exists())
        writable = await asyncio.to_thread(os.access, there, os.W_OK | os.X_OK)
        return "" if writable and there.is_dir() else f"{there} can't be written by us"

    def _look(self, names: Sequence[str]) -> Mapping[str, bool]:
        try:
            present = self._present()
            if present:
                _flush_folder(self._path / "new")
        except OSError:
            return {}
        return {name: _file_name(name) in present for name in names}

    def _present(self) -> set[str]:
        """File names in new/ and cur/, without the flags that a mail program added."""
        found: set[str] = set()
        for folder in ("new", "cur"):
            with suppress(FileNotFoundError):
                found.update(entry.partition(":")[0] for entry in os.listdir(self._path / folder))
        return found

    def _stage(self, mails: Sequence[Mail]) -> list[Path | Outcome]:
        """For each mail a flushed file in tmp/, or its outcome when that is known already."""
        try:
            self._make_folders()
            present = self._present()
            self._clear_leftovers({_file_name(mail.name) for mail in mails})
        except OSError as trouble:
            return [_deferred(trouble)] * len(mails)
        return [self._stage_one(mail, present) for mail in mails]

    def _stage_one(self, mail: Mail, present: set[str]) -> Path | Outcome:
        if why := unfit(mail):
            return Outcome(kind=OutcomeKind.REFUSED, code="address", text=why)
        if _file_name(mail.name) in present:
            return ACCEPTED
        temporary = self._path / "tmp" / f"{_file_name(mail.name)}.{os.getpid()}.{id(mail):x}"
        try:
            _write_flushed(temporary, _delivered(mail))
        except OSError as trouble:
            temporary.unlink(missing_ok=True)
            return _deferred(trouble)
        return temporary

    def _publish(
        self, mails: Sequence[Mail], staged: Sequence[Path | Outcome], wanted: Sequence[bool]
    ) -> list[Outcome | None]:
        outcomes = [self._publish_one(*each) for each in zip(mails, staged, wanted, strict=True)]
        try:
            _flush_folder(self._path / "new")
        except OSError as trouble:
            doubt = Outcome(kind=OutcomeKind.UNCERTAIN, code="flush", text=f"the folder: {trouble.strerror}")
            return [doubt if outcome is ACCEPTED else outcome for outcome in outcomes]
        return outcomes

    def _publish_one(self, mail: Mail, staged: Path | Outcome, wanted: bool) -> Outcome | None:
        if isinstance(staged, Outcome):
            return staged if wanted or staged is ACCEPTED else None
        try:
            if not wanted:
                staged.unlink()
                return None
            staged.rename(self._path / "new" / _file_name(mail.name))
        except OSError as trouble:
            return _deferred(trouble)
        return ACCEPTED

    def _make_folders(self) -> None:
        if (self._path / "new").is_dir() and (self._path / "cur").is_dir():
            return
        for folder in ("tmp", "cur", "new"):
            (self._path / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        _flush_folder(self._path)
        _flush_folder(self._path.parent)

    def _clear_leftovers(self, file_names: set[str]) -> None:
        """Removes what an earlier try left in tmp/ when it was killed. A stalled one then fails at its rename."""
        for entry in os.listdir(self._path / "tmp"):
            if entry.rsplit(".", 2)[0] in file_names:
                (self._path / "tmp" / entry).unlink(missing_ok=True)


def _file_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no file name")
    return name + _SUFFIX


def _delivered(mail: Mail) -> bytes:
    """With the envelope on top, as a delivery agent writes it (RFC 5321 §4.4), so that recipients can be told apart."""
    return f"Return-Path: <{mail.sender}>\r\nDelivered-To: {mail.recipient}\r\n".encode() + mail.content


def _write_flushed(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _deferred(trouble: OSError) -> Outcome:
    return Outcome(
        kind=OutcomeKind.DEFERRED, code="disk", text=f"can't write the mail folder: {trouble.strerror or trouble}"
    )
