"""Each checker of http_rules.py rejects what breaks its rule, and every document we serve passes all of them."""

from dataclasses import replace
from typing import Any

import pytest

from tests.web.http_rules import RULES, Exchange, broken_http, broken_pair, exchange
from tests.web.paper import BEGIN, Paper, wire

ORIGIN = "https://berita.contohpos.example"
DATE = "Tue, 24 Nov 2026 01:00:00 GMT"
LATER = "Tue, 24 Nov 2026 02:00:00 GMT"
BODY = b"<?xml version='1.0' encoding='UTF-8'?><rss><channel><ttl>5</ttl></channel></rss>"
PAGE = b"""<!DOCTYPE html><html><head><title>Feed</title>
<link rel="alternate" type="application/rss+xml" title="A (RSS)" href="https://a.example/feeds/a.rss"></head></html>"""
KEY = {"authorization": f"Bearer np_{'a' * 8}_{'A' * 43}"}
PATHS = [
    *(f"/feeds/{name}.{ending}" for name in ("terkini", "kota", "mitra") for ending in ("rss", "atom", "json")),
    *("/feeds.opml", "/sitemap.xml", "/sitemap-pages.xml", f"/sitemap-{BEGIN:%Y-%m}.xml", "/sitemap-news.xml"),
    "/robots.txt",
]


def answered(path: str = "/feeds/terkini.rss", status: int = 200, **changes: Any) -> Exchange:
    """A good answer; `changes` go to it, those of its headers under `headers`, with "" for none."""
    headers = {
        "etag": '"a1"',
        "last-modified": DATE,
        "date": LATER,
        "cache-control": "public, max-age=300, stale-while-revalidate=600, stale-if-error=86400",
        "vary": "accept-encoding",
    }
    if status == 200:
        headers |= {
            "content-type": "application/rss+xml; charset=utf-8",
            "content-length": str(len(BODY)),
            "link": f'<{ORIGIN}{path}>; rel="self"',
            "x-content-type-options": "nosniff",
            "accept-ranges": "none",
        }
    body = BODY if status == 200 else b""
    merged = {name: value for name, value in (headers | changes.pop("headers", {})).items() if value}
    facts: dict[str, Any] = {
        "url": ORIGIN + path,
        "status": status,
        "headers": merged,
        "body": body,
        "length": len(body),
    }
    return Exchange(**facts | changes)


def said(path: str, status: int, body: bytes = b"", **headers: str) -> Exchange:
    """An answer that is no document."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Exchange(url=ORIGIN + path, status=status, headers=named, body=body, length=len(body))


def shown(body: bytes = PAGE) -> Exchange:
    return said("/feeds/", 200, body, content_type="text/html; charset=utf-8", x_content_type_options="nosniff")


def led(to: str, status: int = 301) -> Exchange:
    return said("/feeds/lama.rss?a=1", status, location=to, cache_control="public, max-age=86400")


def read_json(**changes: Any) -> Exchange:
    headers = {
        "content-type": "application/feed+json",
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "ETag, Last-Modified, Link",
    }
    return answered("/feeds/terkini.json", headers=headers | changes.pop("headers", {}), **changes)


NEW = f"{ORIGIN}/feeds/baru.rss?a=1"
PRIVATE = {"cache-control": "private, no-cache", "vary": "authorization, accept-encoding"}
GOOD = {
    "GET": answered(),
    "gzip": answered(
        asked={"accept-encoding": "gzip"}, headers={"content-encoding": "gzip", "etag": '"a1-gzip"'}, length=len(BODY)
    ),
    "HEAD": answered(method="HEAD", body=b"", length=0),
    "304": answered(status=304, asked={"if-none-match": '"x", W/"a1-gzip"'}),
    "304 by date": answered(status=304, asked={"if-modified-since": LATER}),
    "private": answered(private=True, asked=KEY, headers=PRIVATE),
    "401": said("/feeds/mitra.rss", 401, www_authenticate='Bearer realm="feeds"', cache_control="no-store"),
    "JSON": read_json(),
    "301": led(NEW),
    "410": said("/feeds/lama.rss", 410, b"Tutup.", content_type="text/plain; charset=utf-8"),
    "page": shown(),
    "archive": answered("/feeds/terkini/2026-05.rss", headers={"cache-control": "public, max-age=86400"}),
    "deprecated": answered(
        headers={
            "deprecation": "@1795482000",
            "sunset": DATE,
            "link": f'<{ORIGIN}/feeds/terkini.rss>; rel="self", <{ORIGIN}/feeds/>; rel="sunset"',
        }
    ),
}
BREAKS: dict[str, list[Exchange]] = {
    "H-01": [
        answered(headers={"etag": 'W/"a1"'}),
        answered(headers={"last-modified": "yesterday"}),
        answered(headers={"link": f'<{ORIGIN}/feeds/>; rel="self"'}),
        answered(headers={"content-length": "7"}),
        answered(headers={"vary": ""}),
        answered(body=BODY.replace(b"<ttl>", b'<atom:link rel="hub" href="https://hub.example/"/><ttl>')),
    ],
    "H-02": [
        answered(asked={"if-none-match": 'W/"a1"'}),
        answered(asked={"if-none-match": "*"}),
        answered(status=304, asked={"if-none-match": '"b2"'}),
    ],
    "H-03": [
        answered(asked={"if-modified-since": DATE}),
        answered(status=304, asked={"if-modified-since": "yesterday"}),
        answered(status=304, asked={"if-modified-since": "Mon, 23 Nov 2026 01:00:00 GMT"}),
        answered(status=500, asked={"if-modified-since": "yesterday"}),
    ],
    "H-04": [
        answered(status=304, body=BODY),
        answered(status=304, headers={"content-length": "80"}),
        answered(status=304, headers={"etag": ""}),
        answered(status=304, headers={"vary": ""}),
    ],
    "H-05": [answered(method="HEAD")],
    "H-06": [answered(asked={"accept-encoding": "gzip"}, headers={"content-encoding": "gzip"})],
    "H-07": [
        replace(GOOD["gzip"], asked={"accept-encoding": "br, gzip;q=0"}),
        answered(asked={"accept-encoding": "gzip, identity;q=0"}),
        answered(headers={"content-encoding": "br"}),
    ],
    "H-08": [
        answered(headers={"cache-control": "no-store"}),
        answered(headers={"cache-control": "public, max-age=300"}),
        answered(body=BODY.replace(b"<ttl>5", b"<ttl>1")),
        answered("/feeds/terkini/2026-05.rss"),
        answered(private=True, asked=KEY),
    ],
    "H-09": [
        answered(private=True, headers=PRIVATE),
        answered(private=True, asked=KEY, headers=PRIVATE, body=KEY["authorization"].encode()),
        said("/feeds/mitra.rss", 401, cache_control="no-store"),
        said("/feeds/mitra.rss", 403),
    ],
    "H-10": [
        led(NEW, 308),
        led(NEW.replace("berita.", "")),
        led(NEW.replace("baru", "lama")),
        led(NEW.replace("?a=1", "")),
        led(NEW.replace(".rss", ".atom")),
        said("/feeds/lama.rss?a=1", 301, location=NEW),
    ],
    "H-11": [
        said("/feeds/lama.rss", 410, b"a" * 5000, content_type="text/plain"),
        said("/feeds/lama.rss", 410, PAGE, content_type="text/html"),
        said("/feeds/lama.rss", 410, BODY, content_type="application/rss+xml"),
    ],
    "H-12": [
        said("/feeds/terkini.rss", 429),
        replace(said("/feeds/terkini.rss", 429, retry_after="60"), asked={"if-none-match": '"a1"'}),
    ],
    "H-13": [
        answered(headers={"content-type": "text/xml"}),
        answered(headers={"x-content-type-options": ""}),
        read_json(headers={"content-type": "application/feed+json; charset=utf-8"}),
    ],
    "H-14": [answered(headers={"vary": "accept, accept-encoding"}), said("/feeds/terkini", 200, vary="accept")],
    "H-15": [answered(status=226), answered(headers={"im": "feed"})],
    "H-16": [answered(body=BODY.replace(b"<rss>", b'<?xml-stylesheet type="text/xsl" href="/a.xsl"?><rss>'))],
    "H-17": [
        read_json(headers={"access-control-allow-origin": ""}),
        read_json(headers={"access-control-expose-headers": "ETag"}),
        read_json(headers={"access-control-allow-credentials": "true"}),
        read_json(private=True, asked=KEY),
        replace(said("/feeds/terkini.json", 204), method="OPTIONS"),
    ],
    "H-18": [
        shown(PAGE.replace(b"alternate", b"related")),
        shown(PAGE.replace(b"</head>", PAGE[PAGE.index(b"<link") :])),
        shown(PAGE.replace(b"https://a.example", b"")),
        shown(PAGE.replace(b"rss+xml", b"atom+xml")),
    ],
    "H-19": [answered(body=BODY + b" " * 512 * 1024)],
    "H-20": [
        answered(headers={"deprecation": "true"}),
        answered(headers={"sunset": "soon"}),
        answered(headers={"sunset": DATE}),
    ],
    "H-21": [answered(status=416), answered(status=206), answered(headers={"accept-ranges": "bytes"})],
    "H-22": [answered("/feeds/terkini.rss?a=1")],
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_answer_breaks_no_rule(name: str) -> None:
    assert broken_http(GOOD[name]) == {}


def test_every_rule_has_broken_answers() -> None:
    assert set(BREAKS) == set(RULES)


@pytest.mark.parametrize("rule", BREAKS)
def test_rule_rejects_answers_that_break_it(rule: str) -> None:
    assert [sorted(broken_http(one)) for one in BREAKS[rule] if rule not in broken_http(one)] == []


def test_answers_that_go_together_are_compared() -> None:
    assert broken_pair(GOOD["HEAD"], GOOD["GET"]) == broken_pair(GOOD["gzip"], GOOD["GET"]) == {}
    assert "H-05" in broken_pair(GOOD["HEAD"], answered(headers={"etag": '"b2"'}))
    assert "H-06" in broken_pair(replace(GOOD["gzip"], body=b"other"), GOOD["GET"])
    assert "H-06" in broken_pair(answered(headers={"content-encoding": "gzip"}), GOOD["GET"])


@pytest.mark.parametrize("path", PATHS)
def test_every_document_keeps_the_rules_in_every_way_it_can_be_asked_for(paper: Paper, path: str) -> None:
    key = {"authorization": f"Bearer {paper.keys['portal-warga']}"} if "mitra" in path else {}

    def ask(method: str = "GET", **headers: str) -> Exchange:
        answer = paper.http.request(method, path, headers=wire(headers) | key)
        return exchange(answer, private={"mitra"})

    plain, squeezed = ask(), ask(accept_encoding="gzip")
    assert (plain.status, squeezed.status, squeezed.header("content-encoding")) == (200, 200, "gzip")
    assert broken_pair(squeezed, plain) == {}
    assert broken_pair(ask("HEAD"), plain) == broken_pair(ask("HEAD", accept_encoding="gzip"), squeezed) == {}
    for tag in (plain.header("etag"), squeezed.header("etag")):
        for method in ("GET", "HEAD"):
            for form in (tag, f"W/{tag}", f'"other", {tag}', "*"):
                for coding in ("identity", "gzip"):
                    assert ask(method, if_none_match=form, accept_encoding=coding).status == 304
    modified = plain.header("last-modified")
    assert ask(if_modified_since=modified).status == 304
    assert ask(if_none_match='"other"', if_modified_since=modified).status == 200
    assert ask(if_none_match='"old"', a_im="feed").status == 200
    assert ask(if_none_match=plain.header("etag"), a_im="feed").status == 304
    assert ask(accept="text/html", range="bytes=0-9").body == plain.body
