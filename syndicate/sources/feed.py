"""A newsroom seen through its feed. Leaving it is no evidence of anything; only what gets a password is withdrawn."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from syndicate.domain.source import (
    Fault,
    FoundArticle,
    Gathered,
    Look,
    Memory,
    SourceConfig,
    obeys_robots,
    shortest_wait,
)
from syndicate.jail import Jail, JailFailure
from syndicate.net.client import FEED, Client, FailureKind, Fetched, FetchFailed
from syndicate.net.polite import parse_retry_after
from syndicate.sources import moves
from syndicate.sources.read.items import found_articles, source_key
from syndicate.sources.tail import without_old

_ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json;q=0.9, application/xml;q=0.9, text/xml;q=0.8,"
    " application/json;q=0.7, */*;q=0.1"
)
# Says when the feed was made, not what is in it; WordPress renews it at each look of some caches.
_BUILD_DATE = re.compile(rb"<lastBuildDate>[^<]{0,80}</lastBuildDate>")
_MISSES = 5  # 404s in a row, over at least …
_MISSED_FOR = timedelta(days=3)  # … this long, until we stop asking (gather.md §1.2)
_CLOSED_WAIT = timedelta(days=1)  # after 401 and 403
_PERIODS = {b"hourly": 1, b"daily": 24, b"weekly": 168, b"monthly": 730, b"yearly": 8760}  # hours
_PERIOD = re.compile(rb"<sy:updatePeriod>\s{0,80}(" + b"|".join(_PERIODS) + rb")\s{0,80}</")
_FREQUENCY = re.compile(rb"<sy:updateFrequency>\s{0,80}(\d{1,4})\s{0,80}</")
_HEAD = 16 * 1024  # bytes of a feed that tell about the feed itself
_MARKED = 20  # stories whose titles tell that two feeds are one
_LASTING = ("url", "settings", "body", "entries", "stories", "asked_interval", "floor", "late")  # remembered over a 304
_HARD: frozenset[FailureKind] = frozenset({"refused_address", "too_big", "bad_encoding", "bad_url", "redirect"})
_SOFT: frozenset[FailureKind] = frozenset({"tls", "protocol", "robots"})
_WORDS: Mapping[int, str] = {
    401: "wants a password (401)",
    403: "refuses us (403)",
    404: "is not there (404)",
    410: "is gone for good (410)",
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
            "GET",
            moves.address(known, self._config.location),
            headers=_request_headers(known, self._config),
            caps=FEED,
            obey_robots=obeys_robots(self._config, page=False),
        )
        if isinstance(answer, FetchFailed):
            wait = timedelta(seconds=answer.wait_seconds) if answer.wait_seconds else None
            words = f"could not be fetched: {answer.safe_words} ({answer.detail})"
            return self._failed(words, _fault_of(answer), retry_after=wait)
        if answer.status == 304 and _has_validators(known):
            return self._unchanged(answer, known, now=now)
        if answer.status != 200:
            return self._refused(answer, known, now=now)
        return await self._read(answer, known, now=now)

    async def _read(self, answer: Fetched, known: Mapping[str, str], *, now: datetime) -> Gathered:
        digest = _body_hash(answer.body)
        if digest == known.get("body"):
            return self._unchanged(answer, known, now=now)
        parsed = await self._jail.call(
            "syndicate.sources.read.parse:parse_feed",
            answer.body,
            content_type=answer.headers.get("content-type", ""),
            url=answer.url,
        )
        if isinstance(parsed, JailFailure):
            return self._failed(f"could not be parsed ({parsed.kind}); it may be broken or hostile")
        if "refused" in parsed.value:
            wrong = parsed.value["wrong_type"]
            return replace(self._failed(_not_a_feed(answer, parsed.value["refused"], wrong), Fault.HARD), shut=wrong)
        items, malformed = parsed.value["items"], parsed.value["malformed"]
        if not items and (malformed or int(known.get("entries", "0")) > 0):
            words = f"has no entries{f': {malformed}' if malformed else ', though it had some before'}"
            return self._failed(words, Fault.HARD)
        articles, problems = found_articles(items, config=self._config, home=parsed.value["home"], now=now)
        stories = _stories(articles)
        is_same = not known.get("stories") or not stories.isdisjoint(known["stories"].split())
        read = _question(self._config) | {"body": digest, "entries": str(len(items))} | _asked_interval(answer.body)
        # Behind a move the stories of another feed must not become those we know the feed by.
        read["stories"] = " ".join(sorted(stories)) if is_same or not answer.permanent_url else known["stories"]
        articles, tail = without_old(articles, known, entries=len(items))
        read |= tail
        remembered = self._remember(answer, known, read | _validators(answer, {}), is_same=is_same, now=now)
        return replace(
            remembered,
            look=Look.DEGRADED if malformed else Look.OK,
            articles=articles,
            gone=frozenset(source_key(item, frozenset()) for item in items if item["protected"]),
            importing="entries" not in known,
            memory=None if malformed else remembered.memory,
            problem=self._sentence(f"is malformed: {malformed}") if malformed else remembered.problem,
            problems=problems,
        )

    def _unchanged(self, answer: Fetched, known: Mapping[str, str], *, now: datetime) -> Gathered:
        """Nothing new; the answer may all the same carry newer validators (RFC 9111 §4.3.4)."""
        lasting = {name: known[name] for name in _LASTING if name in known}
        return self._remember(answer, known, lasting | _validators(answer, known), is_same=True, now=now)

    def _remember(
        self, answer: Fetched, known: Mapping[str, str], values: dict[str, str], *, is_same: bool, now: datetime
    ) -> Gathered:
        """What a look that worked leaves behind, also of a move."""
        location, new_url = self._config.location, answer.permanent_url
        values |= moves.watched(known, location, new_url=new_url, is_same=is_same, now=now)
        notice = moves.notice(values, location, new_url=new_url)
        asked = values.get("asked_interval")
        return Gathered(
            look=Look.UNCHANGED,
            memory=Memory(values=values),
            problem=self._sentence(notice) if notice else "",
            asked_interval=timedelta(seconds=int(asked)) if asked else None,
        )

    def _refused(self, answer: Fetched, known: Mapping[str, str], *, now: datetime) -> Gathered:
        """Every answer that is neither the feed nor "not modified"."""
        words = _WORDS.get(answer.status, f"answered {answer.status}, which is no feed")
        if answer.headers.get("cf-mitigated") == "challenge":
            words += "; Cloudflare wants to see a browser, so the newsroom must let us in"
        if answer.status in (401, 403):
            return replace(self._failed(words, Fault.HARD, retry_after=_CLOSED_WAIT), shut=True)
        if answer.status in (429, 503):
            return self._failed(words, Fault.TEMPORARY, retry_after=self._asked_wait(answer, now))
        if answer.status in (404, 410) and "moved" in known:
            back = {name: value for name, value in known.items() if name != "moved"}
            words = (
                f"is not at its new address {known['moved']} any more ({answer.status}); next time we ask the old one"
            )
            return self._failed(words, memory=Memory(values=back))
        if answer.status == 404:
            return replace(self._missing(words, known, now=now), shut=True)
        return replace(self._failed(words, suspend=answer.status == 410), shut=answer.status == 410)

    def _asked_wait(self, answer: Fetched, now: datetime) -> timedelta:
        """What `Retry-After` says, else twice the shortest wait."""
        seconds = parse_retry_after(answer.headers.get("retry-after"), answer.headers.get("date"), now)
        return shortest_wait(self._config) * 2 if seconds is None else timedelta(seconds=seconds)

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
        fault: Fault = Fault.SOFT,
        *,
        retry_after: timedelta | None = None,
        suspend: bool = False,
        memory: Memory | None = None,
    ) -> Gathered:
        return Gathered(
            look=Look.FAILED,
            problem=self._sentence(words),
            fault=fault,
            retry_after=retry_after,
            suspend=suspend,
            memory=memory,
        )

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


def _asked_interval(body: bytes) -> dict[str, str]:
    """RSS 1.0's syndication module, as WordPress writes it: how often the feed is made anew."""
    period, frequency = _PERIOD.search(body, 0, _HEAD), _FREQUENCY.search(body, 0, _HEAD)
    if period is None:
        return {}
    times = max(int(frequency[1]), 1) if frequency else 1
    return {"asked_interval": str(_PERIODS[period[1]] * 3600 // times)}


def _stories(articles: Iterable[FoundArticle]) -> frozenset[str]:
    """Marks of the first stories. Titles stay when ids and links change, as they do in a move."""
    titles = [article.content.title for article in articles][:_MARKED]
    return frozenset(hashlib.blake2b(title.encode(), digest_size=4).hexdigest() for title in titles)


def _fault_of(failure: FetchFailed) -> Fault:
    """What an answer that never came whole says about the next ones."""
    if failure.kind in _HARD:
        return Fault.HARD
    return Fault.SOFT if failure.kind in _SOFT else Fault.TEMPORARY


def _not_a_feed(answer: Fetched, why: str, wrong_type: bool) -> str:
    if not answer.body.strip():
        return "is empty"
    if not wrong_type:
        return f"was not read: {why}"
    kind = answer.headers.get("content-type", "no type").partition(";")[0]
    return f"is of the wrong type: {why} (it calls itself {kind}). Perhaps a login or maintenance page"
