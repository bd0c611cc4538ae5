"""The rules of what we answer over HTTP (H, formats.md §2), each a checker of one request with its answer.

`broken_http` runs all of them; test_http_rules.py shows for each that it rejects what breaks it. `LawfulClient` runs
them on every answer that a test of the web edge gets.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import html5lib
import httpx2

TYPES: Final = {
    "rss": "application/rss+xml; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "json": "application/feed+json",
    "opml": "text/x-opml; charset=utf-8",
    "sitemap": "application/xml; charset=utf-8",
    "robots": "text/plain; charset=utf-8",
}
FEEDS: Final = frozenset({"rss", "atom", "json"})
_KINDS: Final = {
    r"/feeds/[a-z0-9-]+(?:/\d{4}-\d\d)?\.(rss|atom|json)": "",  # the ending says which
    r"/feeds\.(opml)": "",
    r"/sitemap(?:-[a-z0-9-]+)?\.xml": "sitemap",
    r"/robots\.txt": "robots",
}
_NO_PAGES: Final = re.compile(r"/editions/[^/]+/[^/]+|/v/[^/]+|/outbox/.+/html")  # mails, as they were sent
_TAG: Final = re.compile(r'"[!#-~]+"')
_LINK: Final = re.compile(r'<([^>]*)>;\s*rel="?([a-z]+)"?')


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A request and its answer. Header names are in lower case; `body` is decoded, `length` counts what came of it."""

    method: str = "GET"
    url: str
    asked: Mapping[str, str] = field(default_factory=dict)
    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    length: int = 0
    private: bool = False  # what was asked for is for partners

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def kind(self) -> str:
        """Of the document at this address; "" for pages and all else."""
        for pattern, kind in _KINDS.items():
            if found := re.fullmatch(pattern, self.path):
                return kind or found[1]
        return ""

    @property
    def is_archive(self) -> bool:
        return re.fullmatch(r"/feeds/.+/\d{4}-\d\d\.\w+", self.path) is not None

    @property
    def is_read(self) -> bool:
        return self.method in ("GET", "HEAD")

    @property
    def is_whole(self) -> bool:
        """A document was asked for and is there."""
        return bool(self.kind) and self.is_read and self.status == 200

    def header(self, name: str) -> str:
        return self.headers.get(name, "")

    def listed(self, name: str) -> list[str]:
        """The members of a header that is a list."""
        return [part.strip().lower() for part in self.header(name).split(",") if part.strip()]

    def links(self, rel: str) -> list[str]:
        return [url for url, found in _LINK.findall(self.header("link")) if found == rel]

    def embedded(self, rel: str) -> list[str]:
        """Links of this relation that the XML itself has, in whatever order its attributes stand."""
        found = re.findall(rb"<(?:atom:)?link\b[^>]*>", self.body)
        chosen = [tag for tag in found if f'rel="{rel}"'.encode() in tag]
        return [href.decode() for tag in chosen for href in re.findall(rb'href="([^"]*)"', tag)]


Rule = Callable[[Exchange], Iterator[str]]


def h01(one: Exchange) -> Iterator[str]:
    if not one.is_whole:
        return
    for name in ("etag", "last-modified", "content-type", "cache-control", "vary", "link", "content-length", "date"):
        if not one.header(name):
            yield f"no {name}"
    if not _TAG.fullmatch(one.header("etag")):
        yield f"{one.header('etag')} is no strong tag"
    if _date(one.header("last-modified")) is None:
        yield f"{one.header('last-modified')!r} is no HTTP date"
    if "accept-encoding" not in one.listed("vary"):
        yield "caches aren't told that codings differ"
    if one.links("self") != [one.url.partition("?")[0]]:
        yield "exactly one self link, to the address itself"
    if one.kind in ("rss", "atom") and one.method == "GET" and one.links("hub") != one.embedded("hub"):
        yield "header and document name other hubs"
    if one.method == "GET" and one.header("content-length") != str(one.length):
        yield f"{one.length} bytes came, {one.header('content-length')} were announced"


def h02(one: Exchange) -> Iterator[str]:
    if "if-none-match" not in one.asked or not one.kind or not one.is_read:
        return
    known = {part.strip().removeprefix("W/") for part in one.asked["if-none-match"].split(",")}
    ours = _siblings(one.header("etag"))
    if one.status == 304 and "*" not in known and not known & ours:
        yield "304 for a tag that was not asked about"
    if one.status == 200 and (known & ours or "*" in known):
        yield "200 though the client has it"


def h03(one: Exchange) -> Iterator[str]:
    since = one.asked.get("if-modified-since")
    if since is None or "if-none-match" in one.asked or not one.kind or not one.is_read:
        return
    asked, modified = _lenient(since), _date(one.header("last-modified"))
    if one.status == 304 and (asked is None or modified is None or asked < modified):
        yield "304 though it changed since, or since is no date"
    if one.status == 200 and since == one.header("last-modified"):
        yield "200 though nothing changed since"
    if one.status >= 500:
        yield "a date broke the server"


def h04(one: Exchange) -> Iterator[str]:
    if one.status != 304:
        return
    if one.body or one.length or "content-length" in one.headers:
        yield "a 304 with a body, or with the length of one"
    of_documents = ("vary", "last-modified") if one.kind else ()
    for name in ("etag", "cache-control", "date", *of_documents):
        if not one.header(name):
            yield f"a 304 without {name}"


def h05(one: Exchange) -> Iterator[str]:
    if one.method == "HEAD" and (one.body or one.length):
        yield "a body in answer to HEAD"


def h06(one: Exchange) -> Iterator[str]:
    coding, tag = one.header("content-encoding"), one.header("etag")
    if one.is_whole and tag.endswith('-gzip"') != (coding == "gzip"):
        yield f"{tag} for {coding or 'identity'}"


def h07(one: Exchange) -> Iterator[str]:
    if not one.is_whole:
        return
    weights = _weights(one.asked.get("accept-encoding", ""))
    gzip = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    identity = weights.get("identity", weights.get("*"))  # unnamed it is always welcome
    is_gzip = one.header("content-encoding") == "gzip"
    if is_gzip and not gzip:
        yield "gzip for who doesn't take it"
    if not is_gzip and identity is not None and gzip > identity:
        yield "not squeezed for who prefers it"
    if one.header("content-encoding") not in ("", "gzip"):
        yield f"{one.header('content-encoding')!r} is not for feeds"


def h08(one: Exchange) -> Iterator[str]:
    if not one.kind or not one.is_read or one.status not in (200, 304):
        return
    kept = one.listed("cache-control")
    age = next((int(part[8:]) for part in kept if re.fullmatch(r"max-age=\d+", part)), None)
    if one.private:
        if (
            "private" not in kept
            or not {"no-cache", "no-store"} & set(kept)
            or "authorization" not in one.listed("vary")
        ):
            yield "a partner's feed may be kept by others"
        return
    if "public" not in kept or age is None or age < 60:
        yield "caches aren't told how long"
    elif one.is_archive:
        if age < 86_400:
            yield "an archive may be kept for a day at least"
    elif not {"stale-while-revalidate=600", "stale-if-error=86400"} <= set(kept):
        yield "caches aren't told what to do when we are away"
    minutes = re.search(rb"<ttl>(\d+)</ttl>", one.body)
    if minutes and age is not None and not one.is_archive and age > int(minutes[1]) * 60:
        yield "kept longer than the feed's own ttl"


def h09(one: Exchange) -> Iterator[str]:
    _, _, key = one.asked.get("authorization", "").partition(" ")
    if len(key) > 20 and (key in str(dict(one.headers)) or key.encode() in one.body):
        yield "the key is in the answer"
    wanted = "Signature" if one.path.startswith("/hooks/") else "Bearer "
    if one.status == 401 and not one.header("www-authenticate").startswith(wanted):
        yield "401 without a challenge"
    if one.status in (400, 401, 403) and "no-store" not in one.listed("cache-control"):
        yield "a refusal that is kept"
    if one.private and one.kind and "authorization" not in one.asked and one.status in (200, 304):
        yield "open without a key"


def h10(one: Exchange) -> Iterator[str]:
    if not one.path.startswith("/feeds") or not 300 <= one.status < 400 or one.status == 304:
        return
    to, own = urlsplit(one.header("location")), urlsplit(one.url)
    if one.status != 301:
        yield f"readers remember nothing after {one.status}"
    if (to.scheme, to.netloc) != (own.scheme, own.netloc) or to.path == own.path:
        yield f"{one.header('location')!r} is no other address of ours"
    if to.query != own.query:
        yield "the parameters were lost"
    if _ending(to.path) != _ending(own.path):
        yield "another format than was asked for"
    if "max-age" not in one.header("cache-control"):
        yield "browsers keep it for ever"


def h11(one: Exchange) -> Iterator[str]:
    if one.path.startswith("/feeds") and one.status == 410:
        if not one.header("content-type").startswith(("text/plain", "text/html")) or len(one.body) > 4096:
            yield "a dead feed says so in a few words"
        if b'rel="alternate"' in one.body:
            yield "a dead feed that leads readers to another one by itself"


def h12(one: Exchange) -> Iterator[str]:
    if one.status == 429 and not re.fullmatch(r"[1-9]\d*", one.header("retry-after")):
        yield "429 without saying until when"
    if one.status == 429 and "if-none-match" in one.asked:
        yield "429 for who asks politely"


def h13(one: Exchange) -> Iterator[str]:
    if one.is_whole and one.header("content-type") != TYPES[one.kind]:
        yield f"{one.header('content-type')!r} is not the type of {one.kind}"
    if one.status == 200 and one.header("x-content-type-options") != "nosniff":
        yield "browsers may guess the type"


def h14(one: Exchange) -> Iterator[str]:
    negotiated = "accept" in one.listed("vary")
    if negotiated and (one.kind or not one.header("content-location")):
        yield "one address has one representation, or says which of them this is"


def h15(one: Exchange) -> Iterator[str]:
    if one.status == 226 or "im" in one.headers:
        yield "an answer of RFC 3229, which rss2email takes for an error"


def h16(one: Exchange) -> Iterator[str]:
    for instruction in re.findall(rb"<\?xml-stylesheet[^?]*\?>", one.body):
        if b'type="text/css"' not in instruction:
            yield "XSLT, which browsers are giving up"


def h17(one: Exchange) -> Iterator[str]:
    allowed = one.header("access-control-allow-origin")
    open_ = one.kind in ("json", "opml") and not one.private
    if open_ and one.is_read and one.status in (200, 304) and allowed != "*":
        yield "scripts of other sites can't read what is made for them"
    if (
        open_
        and one.status == 200
        and not {"etag", "last-modified", "link"} <= set(one.listed("access-control-expose-headers"))
    ):
        yield "scripts don't see the headers they need"
    if open_ and one.method == "OPTIONS" and one.status < 400:
        if one.status != 204 or not {"get", "head"} <= set(one.listed("access-control-allow-methods")):
            yield "a question before reading isn't answered"
        if "if-none-match" not in one.listed("access-control-allow-headers"):
            yield "scripts may not ask with conditions"
    if allowed and (one.private or "access-control-allow-credentials" in one.headers):
        yield "a partner's feed is open to scripts"


def h18(one: Exchange) -> Iterator[str]:
    is_page = one.header("content-type").startswith("text/html") and one.method == "GET"
    if not is_page or one.status != 200 or _NO_PAGES.fullmatch(one.path):
        return
    tree = html5lib.parse(one.body.decode(), namespaceHTMLElements=False)
    named = [link for link in tree.iter("link") if link.get("rel") == "alternate"]
    titles = [link.get("title") for link in named]
    if not named or None in titles or len(set(titles)) != len(titles):
        yield "a page names the feeds, each by another title"
    for link in named:
        if _type_of(link.get("href")) != link.get("type"):
            yield f"{link.get('href')} as {link.get('type')}"


def h19(one: Exchange) -> Iterator[str]:
    if one.kind in FEEDS and len(one.body) > 512 * 1024:
        yield f"{len(one.body)} bytes; some portals read no more than 1 MB"


def h20(one: Exchange) -> Iterator[str]:
    deprecated, sunset = one.header("deprecation"), one.header("sunset")
    if deprecated and not re.fullmatch(r"@\d+", deprecated):  # RFC 9745 §2.1
        yield f"deprecation {deprecated!r} is no date of a structured field"
    if sunset and _date(sunset) is None:  # RFC 8594 §3
        yield f"sunset {sunset!r} is no HTTP date"
    if (deprecated or sunset) and not one.links("sunset") + one.links("deprecation"):
        yield "no word on what comes instead"


def h21(one: Exchange) -> Iterator[str]:
    if one.kind and one.status == 416:
        yield "a reader that asks for a range gets nothing, again and again"
    if one.status == 206 and not re.fullmatch(r"bytes \d+-\d+/\d+", one.header("content-range")):
        yield "a part without its place"
    if one.is_whole and one.kind in FEEDS and one.header("accept-ranges") != "none":
        yield "who asked for a range isn't told that it got all"


def h22(one: Exchange) -> Iterator[str]:
    if any("?" in url for url in one.links("self") + one.embedded("self")):
        yield "a second topic for the same feed"


RULES: Mapping[str, Rule] = {
    **{"H-01": h01, "H-02": h02, "H-03": h03, "H-04": h04, "H-05": h05, "H-06": h06, "H-07": h07, "H-08": h08},
    **{"H-09": h09, "H-10": h10, "H-11": h11, "H-12": h12, "H-13": h13, "H-14": h14, "H-15": h15, "H-16": h16},
    **{"H-17": h17, "H-18": h18, "H-19": h19, "H-20": h20, "H-21": h21, "H-22": h22},
}


def broken_http(one: Exchange) -> dict[str, list[str]]:
    """What is wrong with an answer, by rule."""
    found = {name: list(rule(one)) for name, rule in RULES.items()}
    return {name: problems for name, problems in found.items() if problems}


def broken_pair(first: Exchange, second: Exchange) -> dict[str, list[str]]:
    """What is wrong with two answers for the same document: HEAD and GET, or two codings."""
    same_coding = first.header("content-encoding") == second.header("content-encoding")
    found: dict[str, list[str]] = {}
    if same_coding and _lasting(first) != _lasting(second):
        found["H-05"] = ["HEAD and GET say different things"]
    if not same_coding and first.header("etag") == second.header("etag"):
        found["H-06"] = ["one tag for two codings"]
    if not same_coding and first.body != second.body:
        found["H-06"] = ["two codings of different documents"]
    return found


class LawfulClient(httpx2.Client):
    """Checks every answer. `private` are the names of feeds for partners."""

    def __init__(self, *, private: Collection[str], **more: Any) -> None:
        super().__init__(**more)
        self._private = private

    def request(self, *args: Any, **more: Any) -> httpx2.Response:
        """Everything but `stream` comes by here."""
        answer = super().request(*args, **more)
        problems = broken_http(exchange(answer, private=self._private))
        assert problems == {}, f"{answer.request.method} {answer.url} breaks {problems}"
        return answer


def exchange(answer: httpx2.Response, *, private: Collection[str] = ()) -> Exchange:
    """What was asked and answered."""
    name = re.match(r"/feeds/([a-z0-9-]+)", answer.url.path)
    return Exchange(
        method=answer.request.method,
        url=str(answer.url),
        asked=dict(answer.request.headers),
        status=answer.status_code,
        headers=dict(answer.headers),
        body=answer.content,
        length=answer.num_bytes_downloaded,
        private=bool(name and name[1] in private),
    )


def _siblings(tag: str) -> set[str]:
    """The same document in the other coding has the same tag but for its end."""
    plain = tag.removesuffix('-gzip"').removesuffix('"')
    return {f'{plain}"', f'{plain}-gzip"'} if tag else set()


def _date(text: str) -> datetime | None:
    """RFC 9110 §5.6.7, in the one form that may be written."""
    at = _lenient(text)
    return at if at is not None and format_datetime(at, usegmt=True) == text else None


def _lenient(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return at if at.utcoffset() is not None else None


def _weights(accept_encoding: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        coding, _, weight = part.partition(";")
        value = weight.strip().removeprefix("q=")
        found[coding.strip()] = float(value) if re.fullmatch(r"\d(\.\d+)?", value) else float(not value)
    return found


def _ending(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[2] if "." in path else ""


def _type_of(url: str | None) -> str:
    kind = _ending(urlsplit(url or "").path)
    return TYPES[kind].partition(";")[0] if kind in TYPES and (url or "").startswith("http") else "no feed"


def _lasting(one: Exchange) -> dict[str, str]:
    return {name: value for name, value in one.headers.items() if name != "date"}
