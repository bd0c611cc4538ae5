"""What all answers of a WordPress have in common: how it reads a question, writes JSON, dates and validators."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import parse_qsl

HTML = ("Content-Type", "text/html; charset=UTF-8")
UNCACHED = (  # WordPress' nocache_headers(), on every 404
    ("Expires", "Wed, 11 Jan 1984 05:00:00 GMT"),
    ("Cache-Control", "no-cache, must-revalidate, max-age=0"),
)
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request that came, and the status it got (0 before it is answered)."""

    method: str
    path: str
    query: Mapping[str, str]  # of a list ("include[]=1&include[]=2") the parts, joined by commas
    headers: Mapping[str, str]  # names in lower case
    target: str  # path and query as they came
    status: int = 0

    @property
    def conditional(self) -> bool:
        """True if it came with validators."""
        return "if-none-match" in self.headers or "if-modified-since" in self.headers


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer before it goes over the wire; a header may repeat."""

    status: int = 200
    body: bytes = b""
    headers: Headers = ()

    def header(self, name: str) -> str | None:
        """The first of this name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def weakened(self) -> "Answer":
        """As nginx sends it on after packing it: with a weak ETag."""
        return replace(self, headers=tuple((key, _weak(key, value)) for key, value in self.headers))


def _weak(name: str, value: str) -> str:
    return f"W/{value}" if name == "ETag" and not value.startswith("W/") else value


def read_query(target: str) -> dict[str, str]:
    """The parameters, PHP's lists folded into one text."""
    found: dict[str, str] = {}
    for key, value in parse_qsl(target.partition("?")[2], keep_blank_values=True):
        name = re.sub(r"\[\w*\]$", "", key)
        found[name] = f"{found[name]},{value}" if name != key and name in found else value
    return found


def as_json(value: object) -> bytes:
    """Written as PHP does: ASCII, and every slash escaped."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode()


def http_date(moment: datetime) -> str:
    """RFC 9110 §5.6.7."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def rss_date(moment: datetime) -> str:
    """RFC 822; WordPress' feeds are always +0000."""
    return format_datetime(moment.astimezone(UTC))


def zulu(moment: datetime) -> str:
    """Atom's form of an instant."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def bare(moment: datetime, zone: tzinfo = UTC) -> str:
    """REST's form: the wall time of the zone, which it doesn't name."""
    return f"{moment.astimezone(zone):%Y-%m-%dT%H:%M:%S}"


def offset(moment: datetime, zone: tzinfo) -> str:
    """The wall time of the zone with its offset, as in pages and sitemaps."""
    return moment.astimezone(zone).isoformat(timespec="seconds")


def validators(changed: datetime) -> Headers:
    """Last-Modified, and the ETag that WordPress makes of nothing else."""
    said = http_date(changed)
    return (("Last-Modified", said), ("ETag", f'"{hashlib.md5(said.encode(), usedforsecurity=False).hexdigest()}"'))


def has_it(asked: Asked, changed: datetime) -> bool:
    """WordPress' own rule (WP::send_headers): the ETag as a plain text, so `W/"x"` and lists never match; with
    both validators both must fit, with one that one; a date is compared, not matched."""
    (_, _), (_, etag) = validators(changed)
    held, since = asked.headers.get("if-none-match", ""), asked.headers.get("if-modified-since", "")
    fresh = bool(since) and _read_date(since) >= changed
    return (fresh and held == etag) if held and since else (fresh or held == etag)


def _read_date(text: str) -> datetime:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
