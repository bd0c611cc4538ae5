"""Feed documents and pictures as files: each is whole or not there, and feeds outlive their database."""

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,47}\.[a-z]{2,5}")
_ARCHIVE = re.compile(r"-[0-9]{4}-[0-9]{2}\.atom\Z")
_PLAIN_LENGTH = re.compile(rb'\n\{[^\n]*"plain_length": ([0-9]+)\}\n')
_HEAD = 1000  # bytes: more than stands before a document in its file
_HASH = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True)
class Document:
    """A published feed document with everything an answer needs.

    `etag` is without quotes and names the manifest; each encoding adds its own suffix (RFC 9110 §8.8.3).
    """

    name: str  # "terkini.rss"
    media_type: str
    etag: str
    last_modified: int  # Unix seconds
    private: bool = False  # for partners only
    plain: bytes = field(repr=False)
    gzipped: bytes = field(repr=False)


def write_document(folder: Path, document: Document) -> None:
    """Puts the document in the place of the former one in one step (rename(2))."""
    head = {k: v for k, v in asdict(document).items() if k not in ("plain", "gzipped")}
    head |= {"plain_length": len(document.plain)}
    record = json.dumps(head).encode() + b"\n" + document.plain + document.gzipped
    write_whole(folder / f"{_checked(document.name)}.doc", _digest(record) + b"\n" + record)


def read_document(folder: Path, name: str) -> Document | None:
    """The last good document, or None if there is none or its bytes aren't what was written."""
    try:
        raw = (folder / f"{_checked(name)}.doc").read_bytes()
    except FileNotFoundError:
        return None
    digest, _, record = raw.partition(b"\n")
    if digest != _digest(record):
        return None
    head_line, _, body = record.partition(b"\n")
    head = json.loads(head_line)
    cut = head.pop("plain_length")
    return Document(**head, plain=body[:cut], gzipped=body[cut:])


def document_size(folder: Path, name: str) -> int:
    """Bytes of the document before any coding, by the start of its file; 0 if there is none that can be read."""
    try:
        with (folder / f"{_checked(name)}.doc").open("rb") as file:
            found = _PLAIN_LENGTH.search(b"".join(file.readlines(_HEAD)))
    except OSError:
        return 0
    return int(found[1]) if found else 0


def archive_name(feed: str, month: str) -> str:
    """What the archive of a month ("2026-05") is called among the documents."""
    return f"{feed}-{month}.atom"


def feed_of_archive(name: str) -> str:
    """Whose archive a document is."""
    return _ARCHIVE.sub("", name)


def document_names(folder: Path) -> list[str]:
    """What lies there."""
    return sorted(path.name.removesuffix(".doc") for path in folder.glob("*.doc"))


def remove_document(folder: Path, name: str) -> None:
    """Takes a document off that nobody shall have any more."""
    (folder / f"{_checked(name)}.doc").unlink(missing_ok=True)


def write_media(folder: Path, digest: str, body: bytes) -> None:
    """Keeps a picture under its hash; one that is there already is the same."""
    path = media_path(folder, digest)
    if not path.exists():
        write_whole(path, body)


def media_path(folder: Path, digest: str) -> Path:
    """Where a picture lies. Raises ValueError for anything that is not a hash."""
    if not _HASH.fullmatch(digest):
        raise ValueError(f"{digest!r} is not the hash of a picture")
    return folder / digest


def write_whole(path: Path, body: bytes) -> None:
    """Writes beside the target, syncs, renames: after a crash the file is the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with beside.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a feed document")
    return name


def _digest(record: bytes) -> bytes:
    return hashlib.blake2b(record, digest_size=16).hexdigest().encode()
