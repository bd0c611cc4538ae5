"""A newsroom seen through its feed. Leaving a feed is no evidence of anything, so nothing is ever withdrawn here."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from syndicate.domain.source import Gathered, Look, Memory, SourceConfig
from syndicate.jail import Jail, JailFailure
from syndicate.net.client import FEED, Client, Fetched, FetchFailed
from syndicate.net.polite import parse_retry_after
from syndicate.sources.read.items import found_articles

_ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json;q=0.9, application/xml;q=0.9, text/xml;q=0.8,"
    " application/json;q=0.7, */*;q=0.1"
)
# Says when the feed was made, not what is in it; WordPress renews it at each look of some caches.
_BUILD_DATE = re.compile(rb"<lastBuildDate>[^<]{0,80}</lastBuildDate>")
_MISSES = 5  # 404s in a row, over at least …
_MISSED_FOR = timedelta(days=3)  # … this long, until we stop asking (gather.md §1.2)
_CLOSED_WAIT = timedelta(days=1)  # after 401 and 403
_WORDS: Mapping[int, str] = {
    401: "wants a password (401)",
    403: "refuses us (403)",
    404: "is not there (404)",
    410: "is gone for good (410); no further looks until an operator says so",
    429: "asks us to come less often (429)",
    503: "is out of service for now (503)",
}


class FeedSource:
    """RSS, Atom or JSON Feed at a URL, asked with both validators, and believed only when it can be read whole."""

    def __init__(self, config: SourceConfig, client: Client, jail: Jail) -> None:
        self._config = config
        self._client = client
        self._jail = jail

    async def gather(self, memory: Memory, *, now: datetime) -> Gathered:
        """One look. Never raises for what the other side did."""
        known = memory.values if _same_question(memory.values, self._config) else {}
        answer = await self._client.fetch(
            "GET", self._config.location, headers=_request_headers(known, self._config), caps=FEED
        )
        if isinstance(answer, FetchFailed):
            wait = timedelta(seconds=answer.wait_seconds) if answer.wait_seconds else None
            return self._failed(f"could not be fetched: {answer.safe_words} ({answer.detail})", retry_after=wait)
        if answer.status == 304 and _has_validators(known):
            return self._unchanged(answer, known)
        if answer.status != 200:
            return self._refused(answer, known, now=now)
        return await self._read(answer, known, now=now)

    async def _read(self, answer: Fetched, known: Mapping[str, str], *, now: datetime) -> Gathered:
        digest = _body_hash(answer.body)
        if digest == known.get("body"):
            return self._unchanged(answer, known)
        parsed = await self._jail.call(
            "syndicate.sources.read.parse:parse_feed",
            answer.body,
            content_type=answer.headers.get("content-type", ""),
            url=answer.url,
        )
        if isinstance(parsed, JailFailure):
            return self._failed(f"could not be parsed ({parsed.kind}); it may be broken or hostile")
        if "refused" in parsed.value:
            return self._failed(_not_a_feed(answer, parsed.value["refused"], parsed.value["wrong_type"]))
        items, malformed = parsed.value["items"], parsed.value["malformed"]
        if not items and (malformed or int(known.get("entries", "0")) > 0):
            return self._failed(f"has no entries{f': {malformed}' if malformed else ', though it had some before'}")
        articles, problems = found_articles(items, config=self._config, home=parsed.value["home"], now=now)
        remembered = _question(self._config) | {"body": digest, "entries": str(len(items))} | _validators(answer, {})
        return Gathered(
            look=Look.DEGRADED if malformed else Look.OK,
            articles=articles,
            memory=None if malformed else Memory(values=remembered),
            problem=self._sentence(f"is malformed: {malformed}") if malformed else self._move_notice(answer),
            problems=problems,
        )

    def _unchanged(self, answer: Fetched, known: Mapping[str, str]) -> Gathered:
        """Nothing new; the answer may all the same carry newer validators (RFC 9111 §4.3.4)."""
        values = {name: known[name] for name in ("url", "settings", "body", "entries") if name in known}
        return Gathered(
            look=Look.UNCHANGED,
            memory=Memory(values=values | _validators(answer, known)),
            problem=self._move_notice(answer),
        )

    def _refused(self, answer: Fetched, known: Mapping[str, str], *, now: datetime) -> Gathered:
        """Every answer that is neither the feed nor "not modified"."""
        words = _WORDS.get(answer.status, f"answered {answer.status}, which is no feed")
        if answer.headers.get("cf-mitigated") == "challenge":
            words += "; Cloudflare wants to see a browser, so the newsroom must let us in"
        if answer.status in (401, 403):
            return self._failed(words, retry_after=_CLOSED_WAIT)
        if answer.status in (429, 503):
            return self._failed(words, retry_after=self._asked_wait(answer, now))
        if answer.status == 404:
            return self._missing(words, known, now=now)
        return self._failed(words, suspend=answer.status == 410)

    def _asked_wait(self, answer: Fetched, now: datetime) -> timedelta:
        """What `Retry-After` says, else twice the usual rhythm."""
        seconds = parse_retry_after(answer.headers.get("retry-after"), answer.headers.get("date"), now)
        return self._config.every * 2 if seconds is None else timedelta(seconds=seconds)

    def _missing(self, words: str, known: Mapping[str, str], *, now: datetime) -> Gathered:
        """A 404 may be a slip of the site; only when it lasts do we stop asking."""
        since = datetime.fromisoformat(known.get("missing_since", now.isoformat()))
        misses = int(known.get("missing", "0")) + 1
        suspend = misses >= _MISSES and now - since >= _MISSED_FOR
        counted = {"missing": str(misses), "missing_since": since.isoformat()}
        return self._failed(
            words, suspend=suspend, memory=Memory(values={**known, **_question(self._config), **counted})
        )

    def _failed(
        self,
        words: str,
        *,
        retry_after: timedelta | None = None,
        suspend: bool = False,
        memory: Memory | None = None,
    ) -> Gathered:
        return Gathered(
            look=Look.FAILED, problem=self._sentence(words), retry_after=retry_after, suspend=suspend, memory=memory
        )

    def _move_notice(self, answer: Fetched) -> str:
        """A permanent redirect is followed each time; only an operator can say that the new address is right."""
        if answer.permanent_url is None or answer.permanent_url == self._config.location:
            return ""
        return self._sentence(f"has moved for good to {answer.permanent_url}; please change its url")

    def _sentence(self, words: str) -> str:
        return f"The feed {self._config.location} {words}."


def _question(config: SourceConfig) -> dict[str, str]:
    """What the remembered answer was an answer to: with another zone the same bytes mean other stories."""
    return {"url": config.location, "settings": f"{config.zone} {config.language} {'|'.join(config.sections)}"}


def _same_question(values: Mapping[str, str], config: SourceConfig) -> bool:
    return all(values.get(name) == value for name, value in _question(config).items())


def _request_headers(known: Mapping[str, str], config: SourceConfig) -> dict[str, str]:
    """Both validators, byte for byte: WordPress compares strings, and after a deletion its date goes backwards."""
    headers = {"Accept": _ACCEPT, "Accept-Language": config.language}
    if etag := known.get("etag"):
        headers["If-None-Match"] = etag.removeprefix("W/") if config.strip_weak_etag else etag
    if modified := known.get("last_modified"):
        headers["If-Modified-Since"] = modified
    return headers


def _has_validators(known: Mapping[str, str]) -> bool:
    return "etag" in known or "last_modified" in known


def _validators(answer: Fetched, known: Mapping[str, str]) -> dict[str, str]:
    """What to send next time. `Expires: 0` is the mark of sites whose validators mean nothing (as Miniflux found)."""
    if answer.headers.get("expires", "").strip() == "0":
        return {}
    headers = {"etag": answer.headers.get("etag"), "last_modified": answer.headers.get("last-modified")}
    fresh = {name: value for name, value in headers.items() if value}
    kept = {name: known[name] for name in headers if name in known} if answer.status == 304 else {}
    return kept | fresh


def _body_hash(body: bytes) -> str:
    return hashlib.sha256(_BUILD_DATE.sub(b"", body)).hexdigest()


def _not_a_feed(answer: Fetched, why: str, wrong_type: bool) -> str:
    if not answer.body.strip():
        return "is empty"
    if not wrong_type:
        return f"was not read: {why}"
    kind = answer.headers.get("content-type", "no type").partition(";")[0]
    return f"is of the wrong type: {why} (it calls itself {kind}). Perhaps a login or maintenance page"
