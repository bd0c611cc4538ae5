"""Web addresses from other people's pages: made absolute, and brought to one spelling so that they can be compared.

Rules of gather.md §1.8. Nothing is ever fetched here.
"""

import encodings.idna  # noqa: F401  (the jail can't load it when it is first asked for)
import re
from urllib.parse import urljoin, urlsplit, urlunsplit

WEB = ("http", "https")
_PORTS = {"http": 80, "https": 443}
# WHATWG URL §4.4: C0 controls and spaces around, tabs and newlines anywhere, are not part of an address.
_AROUND = "".join(map(chr, range(0x21)))
_INSIDE = re.compile(r"[\t\n\r]")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
# What visitors are followed with (as in Miniflux's urlcleaner); ids of partners and affiliates are not here.
_TRACKING = re.compile(
    r"(utm_\w+|mtm_\w+|_hs(enc|mi)|hsctatracking|fbclid|gclid|dclid|gbraid|wbraid|gclsrc|yclid|ysclid|twclid|msclkid"
    r"|mc_cid|mc_eid|srsltid|igshid|igsh|wickedid|_openstat|vero_id|oly_(enc|anon)_id|mkt_tok|__s|fb_action_ids)",
    re.IGNORECASE,
)
_AMP_SUFFIX = re.compile(r"/amp(/?)$")


def absolute(address: str, base: str) -> str | None:
    """The address as a browser standing on `base` would understand it, or None when it leads nowhere.

    Backslashes are slashes (`/\\evil` is another host), and what has no scheme and no base to lean on is https
    when it names a host.
    """
    text = _INSIDE.sub("", address.strip(_AROUND))
    if not _SCHEME.match(text):
        text = text.replace("\\", "/")
        text = f"https:{text}" if text.startswith("//") and not base else text
    elif text.lower().startswith(WEB):
        text = text.replace("\\", "/")
    try:
        joined = urljoin(base, text)
        parts = urlsplit(joined)
    except ValueError:  # a bracket that isn't IPv6, a port that isn't a number
        return None
    return joined if parts.scheme in (*WEB, "mailto", "tel") else None


def web_address(address: str, base: str) -> str | None:
    """An absolute http(s) address with a host, or None."""
    found = absolute(address, base)
    if found is None:
        return None
    parts = urlsplit(found)
    return found if parts.scheme in WEB and parts.hostname else None


def canonical(address: str, *, home: str = "") -> str | None:
    """One spelling per page: host in lower-case ASCII, no default port, fragment, tracking or AMP marks.

    The order of the query and the slash at the end are the site's own and stay. `ref=` goes only when it names the
    site itself (`home`), since elsewhere it may be a partner's.
    """
    found = web_address(address.replace("&amp;", "&"), "")
    if found is None:
        return None
    parts = urlsplit(found)
    try:
        host = (parts.hostname or "").encode("idna").decode("ascii").lower()
        port = parts.port
    except (UnicodeError, ValueError):
        return None
    netloc = (f"[{host}]" if ":" in host else host) + (f":{port}" if port and port != _PORTS[parts.scheme] else "")
    path = _AMP_SUFFIX.sub(r"\1", parts.path) or "/"
    own = {host, urlsplit(home).hostname}
    query = "&".join(part for part in parts.query.split("&") if part and not _is_noise(part, own))
    return urlunsplit((parts.scheme, netloc, path, query, ""))


def without_tracking(address: str) -> str:
    """The address without what follows visitors; all else, byte for byte, as it was."""
    parts = urlsplit(address)
    kept = [part for part in parts.query.split("&") if not _TRACKING.fullmatch(part.split("=", 1)[0])]
    return urlunsplit(parts._replace(query="&".join(kept)))


def same_host(one: str, other: str) -> bool:
    """True when both addresses are on the same site, `www.` or not."""
    first, second = ((urlsplit(url).hostname or "").removeprefix("www.") for url in (one, other))
    return bool(first) and first == second


def _is_noise(part: str, own: set[str | None]) -> bool:
    name, _, value = part.partition("=")
    if name in ("amp", "noamp", "outputType") and (value in ("", "1", "amp", "mobile", "available")):
        return True
    if name == "ref":
        return (urlsplit(value).hostname or value) in own
    return bool(_TRACKING.fullmatch(name))
