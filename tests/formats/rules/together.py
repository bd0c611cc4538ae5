"""What only several documents together can show: X-02, X-05, and the chain of archives (P-02, P-04 to P-06)."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise

from tests.formats.rules.cross import NOTICES
from tests.formats.rules.document import Document, Entry, moment

STAY = timedelta(days=30)  # what was corrected or withdrawn stays in the newest document at least this long
NOTES = ("<p><strong>Catatan redaksi, ", "<p><strong>Editor’s note, ")


def merged(newest_first: Sequence[Document]) -> dict[str, Entry]:
    """What a client holds after it read these (RFC 5005 §4.2): the newest `updated` wins, a tie the newest document."""
    held: dict[str, Entry] = {}
    for entry in (entry for doc in newest_first for entry in doc.entries):
        known = held.get(entry.id)
        if known is None or _changed(entry) > _changed(known):
            held[entry.id] = entry
    return held


def walk(documents: Sequence[Document], start: Document) -> list[Document]:
    """From a document through its archives, each once, as far as they are among these."""
    known = {doc.url: doc for doc in documents}
    seen = [start]
    while (before := seen[-1].links("prev-archive")) and before[0] in known and known[before[0]] not in seen:
        seen.append(known[before[0]])
    return seen


def x02(documents: Sequence[Document]) -> Iterator[str]:
    names, links = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for entry in (entry for doc in documents for entry in doc.entries):
        names[entry.link].add(entry.id)
        links[entry.id].add(entry.link)
    for link, ids in names.items():
        if len(ids) > 1:
            yield f"{link} is called {sorted(ids)}"
    for name, addresses in links.items():
        if len(addresses) > 1:
            yield f"{name} leads to {sorted(addresses)}"


def x05(documents: Sequence[Document]) -> Iterator[str]:
    """Built several times from the same, in other processes, a document is the same bytes."""
    builds = defaultdict[str, set[bytes]](set)
    for doc in documents:
        builds[doc.url].add(doc.raw)
    for url, different in builds.items():
        if len(different) > 1:
            yield f"{url} came in {len(different)} shapes"


def p02(documents: Sequence[Document]) -> Iterator[str]:
    for current, archives in _families(documents):
        newest = max(archive.url for archive in archives)
        if current.links("prev-archive") != [newest]:
            yield f"{current.url} doesn't lead to {newest}"


def p04(documents: Sequence[Document]) -> Iterator[str]:
    for current, archives in _families(documents):
        same = [(doc.texts("/a:feed/a:id"), doc.texts("/a:feed/a:title")) for doc in (current, *archives)]
        if any(one != same[0] for one in same):
            yield f"an archive of {current.url} has another id or title"
        own = [tuple(doc.links("self")) for doc in (current, *archives)]
        if len(set(own)) != len(own):
            yield f"two documents of {current.url} have one address"


def p05(documents: Sequence[Document]) -> Iterator[str]:
    """Nobody reads an archive again: what was lately corrected or withdrawn there is told in the newest document."""
    for current, archives in _families(documents):
        told = {entry.id for entry in current.entries}
        dates = [_changed(entry) for doc in (current, *archives) for entry in doc.entries]
        for entry in (entry for archive in archives for entry in archive.entries):
            if _is_loud(entry) and _changed(entry) + STAY.total_seconds() > max(dates) and entry.id not in told:
                yield f"{entry.id} was put right in an archive only"


def p06(documents: Sequence[Document]) -> Iterator[str]:
    for current, archives in _families(documents):
        chain = walk(documents, current)
        if {doc.url for doc in chain[1:]} != {doc.url for doc in archives}:
            yield f"the chain of {current.url} misses an archive"
        if merged(chain).keys() != {entry.id for doc in (current, *archives) for entry in doc.entries}:
            yield f"the chain of {current.url} misses a story"
        names = [entry.id for archive in archives for entry in archive.entries]
        if len(set(names)) != len(names):
            yield f"a story is in two archives of {current.url}"
        for later, earlier in pairwise(chain[1:]):
            if earlier.links("next-archive") != [later.url]:
                yield f"{earlier.url} doesn't lead on to {later.url}"


RULES: Mapping[str, Callable[[Sequence[Document]], Iterator[str]]] = {
    "X-02": x02,
    "X-05": x05,
    "P-02": p02,
    "P-04": p04,
    "P-05": p05,
    "P-06": p06,
}


def _families(documents: Sequence[Document]) -> Iterator[tuple[Document, list[Document]]]:
    """Each newest document with its archives, if any are among these."""
    for current in documents:
        archives = [doc for doc in documents if doc.is_archive and doc.links("current") == [current.url]]
        if archives and not current.is_archive:
            yield current, archives


def _is_loud(entry: Entry) -> bool:
    return entry.title.startswith(tuple(mark for mark, _ in NOTICES)) or entry.body.startswith(NOTES)


def _changed(entry: Entry) -> float:
    at = moment(entry.modified)
    return at.timestamp() if at else 0
