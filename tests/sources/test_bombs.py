"""T07 and T08: documents that attack the reader. Contained by the jail, and the next feed is read."""

from collections.abc import AsyncIterator

import pytest

from syndicate.jail import Answer, Jail, JailFailure
from syndicate.sources.read.xmlfeed import MOST_ENTRIES

PARSE = "syndicate.sources.read.parse:parse_feed"
OPTIONS = {"content_type": "application/xml", "url": "https://koran.example/feed"}
GOOD = b'<rss version="2.0"><channel><title>t</title><item><title>Baik</title><link>https://k.example/1</link></item></channel></rss>'


def feed(item: str, doctype: str = "") -> bytes:
    channel = f"<channel><title>t</title><item>{item}</item></channel>"
    return f'<?xml version="1.0"?>{doctype}<rss version="2.0">{channel}</rss>'.encode()


LAUGHS = (
    "<!DOCTYPE rss [<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{i} '{f'&a{i - 1};' * 10}'>" for i in range(1, 10)) + "]>"
)
REFUSED = {
    "billion-laughs": feed("<title>&a9;</title>", LAUGHS),
    "quadratic": feed(f"<title>{'&b;' * 50_000}</title>", f"<!DOCTYPE rss [<!ENTITY b '{'x' * 50_000}'>]>"),
    "system-entity": feed("<title>&f;</title>", '<!DOCTYPE rss [<!ENTITY f SYSTEM "file:///etc/hostname">]>'),
    "parameter-entity": feed("<title>x</title>", '<!DOCTYPE rss [<!ENTITY % p SYSTEM "http://127.0.0.1/x"> %p;]>'),
    "depth": feed("<a>" * 100_000 + "</a>" * 100_000),
    "depth-unclosed": feed("<a>" * 100_000),
    "attributes": feed("<title " + " ".join(f"a{i}='1'" for i in range(20_000)) + ">x</title>"),
}
CAPPED = {
    "author": feed("<title>x</title><author>a@" + "a." * 16_000 + "!</author>"),
    "divs": feed(f"<title>x</title><description>{'&lt;div&gt;' * 40_000}</description>"),
    "ampersands": feed(f"<title>x</title><description>{'&amp;amp;' * 100_000}{'&amp;' * 100_000}</description>"),
    "titles": feed(f"<title>{'&lt;b&gt;' * 100_000}</title>"),
    "entries": feed("<title>x</title></item>" + "<item><title>y</title></item>" * 20_000 + "<item>"),
    "json-depth": b'{"version": "https://jsonfeed.org/version/1.1", "items": ' + b"[" * 200_000,
    "loose-depth": b"<rss><channel><item><title>a & b</title>" + b"<a>" * 100_000,
}


@pytest.fixture
async def strict() -> AsyncIterator[Jail]:
    """With the limits of the real thing."""
    running = Jail()
    yield running
    await running.aclose()


@pytest.mark.parametrize("name", REFUSED)
async def test_t07_a_document_only_an_attacker_writes_is_refused_before_it_is_parsed(name: str, strict: Jail) -> None:
    outcome = await strict.call(PARSE, REFUSED[name], **OPTIONS)
    assert isinstance(outcome, Answer), outcome
    assert "refused" in outcome.value
    await assert_next_call_works(strict)


@pytest.mark.parametrize("name", CAPPED)
async def test_t08_a_bomb_is_a_failure_or_capped(name: str, strict: Jail) -> None:
    outcome = await strict.call(PARSE, CAPPED[name], **OPTIONS)
    if isinstance(outcome, Answer):
        assert len(outcome.value.get("items", [])) <= MOST_ENTRIES
    else:
        assert outcome.kind in ("timeout", "memory", "crashed", "raised")
    await assert_next_call_works(strict)


async def test_a_bare_doctype_is_no_attack(strict: Jail) -> None:
    outcome = await strict.call(
        PARSE, feed("<title>x</title>", '<!DOCTYPE rss SYSTEM "http://x.example/rss.dtd">'), **OPTIONS
    )
    assert isinstance(outcome, Answer)
    assert len(outcome.value["items"]) == 1


async def assert_next_call_works(jail: Jail) -> None:
    after = await jail.call(PARSE, GOOD, **OPTIONS)
    assert not isinstance(after, JailFailure), after
    assert after.value["items"][0]["title"] == "Baik"
