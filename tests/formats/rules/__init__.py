"""The rules of what we publish, each a checker: X (all formats), R (RSS), M (Media RSS), A (Atom), J (JSON Feed),
P (archives), T (tombstones), O (OPML).

`broken_rules` runs all that one document can break, `broken_together` those that show in several. test_rules.py shows
for each that it rejects what breaks it. `by_the_rules` is for tests that fetch documents.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from tests.formats.rules import archives, atom, cross, jsonfeed, media, opml, rss, together, tombstones
from tests.formats.rules.document import NS, Document, Rules

__all__ = ["NS", "RULES", "Document", "broken_rules", "broken_together", "by_the_rules"]

RULES: Rules = {
    **cross.RULES,
    **rss.RULES,
    **media.RULES,
    **atom.RULES,
    **jsonfeed.RULES,
    **archives.RULES,
    **tombstones.RULES,
    **opml.RULES,
}


def broken_rules(
    kind: str, raw: bytes, *, url: str, now: datetime | None = None, withdrawn: Iterable[str] = ()
) -> dict[str, list[str]]:
    """What is wrong with a document, by rule. Empty when nothing is.

    `now` is when it was fetched; `withdrawn` are the ids of stories that it must say this of.
    """
    doc = Document(kind=kind, raw=raw, url=url, now=now, withdrawn=frozenset(withdrawn))
    found = {name: list(rule(doc)) for name, (kinds, rule) in RULES.items() if kind in kinds}
    return {name: problems for name, problems in found.items() if problems}


def broken_together(documents: Sequence[Document]) -> dict[str, list[str]]:
    """What is wrong with documents that are right one by one, by rule."""
    found = {name: list(rule(documents)) for name, rule in together.RULES.items()}
    return {name: problems for name, problems in found.items() if problems}


def by_the_rules(url: str, raw: bytes, *, now: datetime | None = None, withdrawn: Iterable[str] = ()) -> bytes:
    """The document, after all rules were checked on it. Its kind is the ending of its address."""
    kind = urlsplit(url).path.rpartition(".")[2]
    problems = broken_rules(kind, raw, url=url, now=now, withdrawn=withdrawn)
    assert problems == {}, f"{url} breaks {problems}"
    return raw
