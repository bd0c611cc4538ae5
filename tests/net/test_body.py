"""The collector of bodies agrees with gzip itself, however the stream is cut into pieces."""

import gzip
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.net.answer import MIB, Caps, Stopped
from syndicate.net.body import PIECE, Body

CAPS = Caps(wire_bytes=2 * MIB, body_bytes=8 * MIB)


def collect(data: bytes, step: int, coding: str = "gzip") -> bytes:
    body = Body(coding, CAPS)
    for start in range(0, len(data), step):
        body.add(data[start : start + step])
    return body.whole()


@given(members=st.lists(st.binary(max_size=300), min_size=1, max_size=4), step=st.integers(1, 700))
def test_members_in_a_row_are_one_stream_wherever_it_is_cut(members: list[bytes], step: int) -> None:
    packed = b"".join(gzip.compress(member) for member in members)

    assert collect(packed, step) == b"".join(members)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 7 * PIECE])
def test_a_body_as_long_as_our_pieces_comes_out_whole(size: int) -> None:
    plain = (os.urandom(64) * (size // 64 + 1))[:size]

    assert collect(gzip.compress(plain), 4096) == plain


def test_padding_after_the_end_is_ignored() -> None:
    assert collect(gzip.compress(b"feed") + bytes(512), 100) == b"feed"


def test_an_empty_body_needs_no_gzip_around_it() -> None:
    assert Body("gzip", CAPS).whole() == b""


def test_every_cut_of_a_stream_is_noticed() -> None:
    packed = gzip.compress(b"some feed")
    for length in range(1, len(packed)):
        with pytest.raises(Stopped, match="no end"):
            collect(packed[:length], 5)


def test_the_caps_hold_to_the_byte() -> None:
    exact = Caps(wire_bytes=10, body_bytes=10)
    body = Body("", exact)
    body.add(b"x" * 10)
    assert body.whole() == b"x" * 10
    with pytest.raises(Stopped):
        body.add(b"x")
