"""Old stories that move up into a feed when newer ones leave it: they were there before us, and are no news."""

import hashlib
from collections.abc import Mapping, Sequence

from syndicate.domain.source import FoundArticle

_REMEMBERED = 50  # late stories


def without_old(
    articles: Sequence[FoundArticle], known: Mapping[str, str], *, entries: int
) -> tuple[tuple[FoundArticle, ...], dict[str, str]]:
    """The stories without those at the feed's end that are older than all it showed at first, and what to remember.

    A feed that has grown was given something late; one that hasn't shows what others made room for. `known` is what
    was remembered: `floor`, the time of the oldest story at first, `late`, and `entries`, the length of the feed.
    """
    if not articles:
        return (), {name: known[name] for name in ("floor", "late") if name in known}
    oldest = min(article.content.published for article in articles).isoformat()
    floor, late = known.get("floor", oldest), known.get("late", "").split()
    grew = entries > int(known.get("entries", entries))
    kept = list(articles)
    for article in reversed(articles):
        if article.content.published.isoformat() >= floor or "date_guess" in article.content.flags:
            break
        mark = hashlib.blake2b(article.key.encode(), digest_size=6).hexdigest()
        if grew and mark not in late:
            late.append(mark)
        if mark not in late:
            kept.remove(article)
    return tuple(kept), {"floor": floor, "late": " ".join(late[-_REMEMBERED:])}
