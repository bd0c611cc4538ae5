"""Who asks: the peer, and what a trusted proxy wrote last; never what whoever asks says of themselves (T33)."""

import pytest
from starlette.requests import Request

from syndicate.web.caller import caller


def asked(peer: str, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    return Request({"type": "http", "client": (peer, 4711), "headers": headers})


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", (), "203.0.113.7"),
        ("203.0.113.7", ("198.51.100.1",), "203.0.113.7"),
        ("127.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("127.0.0.1", ("6.6.6.6, 198.51.100.1",), "198.51.100.1"),
        ("127.0.0.1", ("6.6.6.6", "7.7.7.7,  198.51.100.1 "), "198.51.100.1"),
        ("10.0.0.77", ("2001:db8::1",), "2001:db8::1"),
        ("127.0.0.1", (), "127.0.0.1"),
        ("127.0.0.1", ("198.51.100.1, unknown",), "127.0.0.1"),
        ("127.0.0.1", ("",), "127.0.0.1"),
        ("::ffff:127.0.0.1", ("::ffff:198.51.100.1",), "198.51.100.1"),
        ("::ffff:203.0.113.7", (), "203.0.113.7"),
        ("127.0.0.1", ("6.6.6.6, 198.51.100.1:5678",), "198.51.100.1"),
        ("127.0.0.1", ("[2001:db8::1]:80",), "2001:db8::1"),
        ("127.0.0.1", ("[2001:db8::1]",), "2001:db8::1"),
        ("127.0.0.1", ("[::ffff:198.51.100.1]:80",), "198.51.100.1"),
        ("127.0.0.1", ("198.51.100.1:http",), "127.0.0.1"),
        ("127.0.0.1", ("198.51.100:80",), "127.0.0.1"),
        ("127.0.0.1", ("[198.51.100.1",), "127.0.0.1"),
    ],
)
def test_t33_only_the_last_hop_of_a_trusted_proxy_is_believed(
    peer: str, forwarded: tuple[str, ...], client: str
) -> None:
    assert str(caller(asked(peer, *forwarded), ["127.0.0.1", "10.0.0.0/24"])) == client


def test_nobody_is_trusted_unless_named() -> None:
    assert str(caller(asked("127.0.0.1", "198.51.100.1"), [])) == "127.0.0.1"


def test_a_peer_without_an_address_is_one_client() -> None:
    assert str(caller(Request({"type": "http", "client": None, "headers": []}), [])) == "0.0.0.0"
