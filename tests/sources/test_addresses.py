"""One spelling per page (gather.md §1.8)."""

import pytest

from syndicate.sources.read.addresses import absolute, canonical, same_host, web_address, without_tracking


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("HTTPS://Koran.ID:443/Judul/?b=2&a=1#komentar", "https://koran.id/Judul/?b=2&a=1"),
        ("http://koran.id:8080/a", "http://koran.id:8080/a"),
        ("https://koran.id/a?utm_source=x&amp;id=7&fbclid=1", "https://koran.id/a?id=7"),
        ("https://koran.id/judul/amp/", "https://koran.id/judul/"),
        ("https://koran.id/judul/amp", "https://koran.id/judul"),
        ("https://koran.id/judul?amp", "https://koran.id/judul"),
        ("https://koran.id/judul/?amp=1&noamp=mobile", "https://koran.id/judul/"),
        ("https://koran.id/?p=18", "https://koran.id/?p=18"),
        ("https://koran.id/a?ref=koran.id", "https://koran.id/a"),
        ("https://koran.id/a?ref=mitra7", "https://koran.id/a?ref=mitra7"),
        ("https://kôran.id/a", "https://xn--kran-vqa.id/a"),
        ("https://koran.id", "https://koran.id/"),
        ("javascript:alert(1)", None),
        ("https://[koran/", None),
        ("https://koran.id:port/", None),
        ("/judul/", None),
        ("", None),
    ],
)
def test_a_page_has_one_canonical_address(address: str, expected: str | None) -> None:
    assert canonical(address) == expected


@pytest.mark.parametrize(
    ("address", "base", "expected"),
    [
        ("//evil.example", "https://koran.id/a/", "https://evil.example"),
        ("/\\evil.example", "https://koran.id/a/", "https://evil.example"),
        ("\\\\evil.example/x", "http://koran.id/", "http://evil.example/x"),
        ("//evil.example", "", "https://evil.example"),
        ("b.jpg", "https://koran.id/a/", "https://koran.id/a/b.jpg"),
        (" java\nscript:alert(1)", "https://koran.id/", None),
        ("\x01javascript:alert(1)", "https://koran.id/", None),
        ("data:text/html,x", "https://koran.id/", None),
        ("mailto:redaksi@koran.id", "https://koran.id/", "mailto:redaksi@koran.id"),
        ("a.jpg", "", None),
    ],
)
def test_an_address_is_understood_as_a_browser_would(address: str, base: str, expected: str | None) -> None:
    assert absolute(address, base) == expected


def test_only_http_with_a_host_is_a_web_address() -> None:
    assert web_address("mailto:a@b.id", "") is None
    assert web_address("https:///x", "") is None


def test_tracking_goes_and_partner_ids_stay() -> None:
    assert without_tracking("https://toko.id/x?utm_medium=a&aff=7&gclid=2#s") == "https://toko.id/x?aff=7#s"


def test_www_is_the_same_site() -> None:
    assert same_host("https://www.koran.id/a", "https://koran.id/b")
    assert not same_host("https://koran.id", "https://koran.id.evil.example")
    assert not same_host("", "")
