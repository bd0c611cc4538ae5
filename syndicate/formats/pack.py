"""Documents joined from kept pieces, also in gzip: 0.1 ms for what compressing the whole again takes 7 ms."""

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain

from syndicate.domain.feed import Feed, Site, Tombstone
from syndicate.formats.dates import rfc822, rfc3339
from syndicate.ports import Format

# RFC 1952 §2.3: gzip, deflate, no flags, mtime 0 so that the same document is the same bytes, OS unknown.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_END = b"\x03\x00"  # RFC 1951 §3.2.3: an empty last block
_MARK = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)  # stands for the document's date while its frame is prepared
_HOLES = (rfc822(_MARK).encode(), rfc3339(_MARK).encode())


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a document, plain and deflated."""

    body: bytes
    squeezed: bytes


@dataclass(frozen=True, slots=True)
class Sheet:
    """A document before it is joined."""

    pieces: tuple[Piece, ...]

    def plain(self) -> bytes:
        """The document."""
        return b"".join([one.body for one in self.pieces])

    def gzipped(self) -> bytes:
        """The document as gzip (RFC 1952). Same pieces, same bytes."""
        crc, length = 0, 0
        for one in self.pieces:
            crc = zlib.crc32(one.body, crc)
            length += len(one.body)
        trailer = crc.to_bytes(4, "little") + (length & 0xFFFFFFFF).to_bytes(4, "little")
        return b"".join([_HEADER, *(one.squeezed for one in self.pieces), _END, trailer])


class Frame:
    """What a feed's document has around its entries, prepared once: only its date is filled in later."""

    def __init__(
        self, kind: Format, feed: Feed, site: Site, *, gone: Sequence[Tombstone] = (), archive: str = ""
    ) -> None:
        parts = kind.parts(feed, site, [b"1", b"2"], updated=_MARK, gone=gone, archive=archive or None)
        head, _, *between, _, tail = parts
        self._head, self._tail = _with_holes(head), _with_holes(tail)
        self._between = tuple(map(_stored, between))

    def sheet(self, entries: Sequence[Piece], *, updated: datetime) -> Sheet:
        """The document with these entries and this date."""
        if self._between:
            apart = chain.from_iterable((*self._between, entry) for entry in entries)
            entries = list(apart)[len(self._between) :]
        return Sheet((*_filled(self._head, updated), *entries, *_filled(self._tail, updated)))


def piece(part: bytes) -> Piece:
    """A part with its deflated form."""
    return Piece(part, squeeze(part))


def squeeze(part: bytes) -> bytes:
    """A piece as raw deflate that stands on its own (ended by a full flush, RFC 1951), to be kept and joined."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflate.compress(part) + deflate.flush(zlib.Z_FULL_FLUSH)


def digest_of(*shaping: object) -> str:
    """A short name for everything that shapes a fragment besides the article."""
    return hashlib.blake2b(repr(shaping).encode(), digest_size=6).hexdigest()


def kept_flavour(kind: Format, site: Site) -> str:
    """Under which name a fragment may be kept: its flavour, and what of the site and its words stands inside it.

    After a change of the public address, fragments with the old one must not be served.
    """
    return f"{kind.flavour}-{digest_of(site.public_url, site.timezone, site.phrases.fingerprint('feed'))}"


def _with_holes(part: bytes) -> tuple[Piece | int, ...]:
    """A part as pieces; a number stands for the date, in the form of that hole."""
    forms = re.split(b"(" + b"|".join(map(re.escape, _HOLES)) + b")", part)
    return tuple(_HOLES.index(one) if one in _HOLES else piece(one) for one in forms if one)


def _filled(part: Iterable[Piece | int], updated: datetime) -> Iterator[Piece]:
    for one in part:
        yield one if isinstance(one, Piece) else _date(one, updated)


@lru_cache(maxsize=256)
def _date(form: int, at: datetime) -> Piece:
    return _stored((rfc822, rfc3339)[form](at).encode())


def _stored(part: bytes) -> Piece:
    """A few bytes, not compressed (RFC 1951 §3.2.4). Needs no flush: such a block ends on a whole byte."""
    length = len(part)
    return Piece(part, b"\x00" + length.to_bytes(2, "little") + (length ^ 0xFFFF).to_bytes(2, "little") + part)
