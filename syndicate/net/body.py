"""Collects an answer's body and never holds more than the caps allow, whatever it is compressed from.

It is inflated here, piece by piece: a library that decodes hands out what a bomb expands to before anyone can
count it (gather.md §1.4: 0.5 MB of gzip is 512 MiB).
"""

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from syndicate.net.answer import KIB, MIB, Caps, Stopped

if TYPE_CHECKING:
    from zlib import _Decompress

RATIO: Final = 200  # inflated to wire; honest HTML stays under 30, deflate's limit is 1032
RATIO_FROM: Final = MIB  # inflated bytes; below it a high ratio does no harm
PIECE: Final = 64 * KIB
GZIP_MAGIC: Final = b"\x1f\x8b"  # RFC 1952 §2.3.1
GZIP_WINDOW: Final = 31  # zlib's sign for a gzip header with a window of 32 KiB


class Body:
    """`coding` is the value of Content-Encoding; only gzip is read (the only one we ask for), and only once:
    nested codings multiply. Raises Stopped the moment a cap is passed."""

    def __init__(self, coding: str, caps: Caps) -> None:
        self._caps = caps
        self._gunzip = _gunzip_for(coding.strip().lower())
        self._pieces: list[bytes] = []
        self._wire = 0
        self._size = 0

    def add(self, piece: bytes) -> None:
        self._wire += len(piece)
        for part in self._gunzip.parts(piece) if self._gunzip else (piece,):
            self._keep(part)
        if self._wire > self._caps.wire_bytes:
            raise Stopped("too_big", f"over the cap of {self._caps.wire_bytes} bytes on the wire")

    def whole(self) -> bytes:
        """All of it. Raises Stopped when the compressed stream has no end; an empty body needs none."""
        if self._gunzip and self._wire and not self._gunzip.ended():
            raise Stopped("truncated", "the gzip stream has no end")
        return self.so_far()

    def so_far(self) -> bytes:
        return b"".join(self._pieces)

    def _keep(self, part: bytes) -> None:
        self._pieces.append(part)
        self._size += len(part)
        if self._size > self._caps.body_bytes:
            raise Stopped("too_big", f"over the cap of {self._caps.body_bytes} bytes when decoded")
        if self._size > max(RATIO_FROM, RATIO * self._wire):
            raise Stopped("too_big", f"{self._wire} bytes inflate to more than {RATIO} times as many")


def _gunzip_for(coding: str) -> "_Gunzip | None":
    if coding in ("", "identity"):
        return None
    if coding in ("gzip", "x-gzip"):  # RFC 9110 §8.4.1.3
        return _Gunzip()
    raise Stopped("bad_encoding", f"Content-Encoding {coding!r} though we accept only gzip")


class _Gunzip:
    """Several members in a row are one stream (RFC 1952 §2.2); padding after the last is ignored, as browsers do."""

    def __init__(self) -> None:
        self._member = _fresh()

    def ended(self) -> bool:
        return self._member.eof

    def parts(self, data: bytes) -> Iterator[bytes]:
        """What the data inflates to, at most 64 KiB at a time, lazily: who stops asking, stops the bomb."""
        while data:
            if self._member.eof:
                if not GZIP_MAGIC.startswith(data[:2]):
                    return
                self._member = _fresh()
            yield from self._member_parts(data)
            data = self._member.unused_data

    def _member_parts(self, data: bytes) -> Iterator[bytes]:
        part = bytes(PIECE)
        while data or len(part) == PIECE:  # a full part: zlib may hold more although it took all the data
            try:
                part = self._member.decompress(data, PIECE)
            except zlib.error as why:
                raise Stopped("bad_encoding", f"not gzip: {why}") from why
            yield part
            data = self._member.unconsumed_tail


def _fresh() -> "_Decompress":
    return zlib.decompressobj(GZIP_WINDOW)
