"""A feed that answers "moved for good" is followed at once and believed late (gather.md §1.2).

Until the new address has shown the same feed on three looks over a day, the old one is asked: a site in disorder says
301 too, and so does whoever buys a lapsed domain. To another domain only the operator can move a source.
What is remembered stands in the feed's memory: `moved`, `moving_to`, `moving_since`, `moving_looks`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

LOOKS = 3
LASTING = timedelta(hours=24)


def address(known: Mapping[str, str], location: str) -> str:
    """Where to ask: the new address once it is believed."""
    return known.get("moved", location)


def watched(
    known: Mapping[str, str], location: str, *, new_url: str | None, is_same: bool, now: datetime
) -> dict[str, str]:
    """What to remember after a look that was sent on for good to `new_url` (None: it wasn't).

    `is_same`: what came from there was the feed we know.
    """
    kept = {"moved": known["moved"]} if "moved" in known else {}
    if new_url in (None, address(known, location)) or not is_same or not same_site(new_url, location):
        return kept
    again = known.get("moving_to") == new_url
    since = datetime.fromisoformat(known["moving_since"]) if again else now
    looks = int(known["moving_looks"]) + 1 if again else 1
    if looks >= LOOKS and now - since >= LASTING:
        return {"moved": new_url}
    return kept | {"moving_to": new_url, "moving_since": since.isoformat(), "moving_looks": str(looks)}


def notice(remembered: Mapping[str, str], location: str, *, new_url: str | None) -> str:
    """What the operator should know and do; "" when nothing moved."""
    asked = address(remembered, location)
    if new_url not in (None, asked):
        if same_site(new_url, location):
            return f"has moved for good to {new_url}; please change its url"
        return f"has moved for good to another site, {new_url}; if that is right, please change its url"
    return f"moved for good to {asked} and is asked there; please change its url" if asked != location else ""


def same_site(one: str, other: str) -> bool:
    """Whether two addresses belong to one registrable domain: `koran.co.id`, whatever stands before it."""
    return site(one) == site(other)


def site(url: str) -> str:
    """The registrable domain, else the host."""
    from tld import get_fld  # its list of public suffixes takes 0.1 s to load, and moves are rare

    return get_fld(url, fail_silently=True) or (urlsplit(url).hostname or "").removeprefix("www.")
