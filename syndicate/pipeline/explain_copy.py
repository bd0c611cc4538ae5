"""What one reader's copy of an edition had in it, from the variant that their delivery names."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.audience import Rhythm
from syndicate.domain.edition import Edition
from syndicate.domain.explanation import Answer
from syndicate.domain.variant import VariantKey
from syndicate.pipeline.trail import Trail, edition_name
from syndicate.store import candidates
from syndicate.store.audience import Subscription
from syndicate.store.ledger import Entry

_WANTED = {
    Rhythm.EACH: "each edition",
    Rhythm.WEEKLY: "only the round-up of the week",
    Rhythm.BREAKING: "only breaking news",
}
_WHY = {
    "off_topic": ("Left out of their copy, as it is of none of the topics that they chose", "story.off_topic"),
    "seen": ("Left out of their copy, as an earlier edition had brought it to them", "story.seen"),
    "updated": ("Marked in their copy as updated since it was sent to them", "story.marked_updated"),
    "repeated": ("Marked in their copy as sent before", "story.marked_repeated"),
}


async def keys_of_copies(connection: AsyncConnection, entries: Iterable[Entry]) -> dict[int, VariantKey]:
    """What sets the variants of these deliveries apart from their whole editions, by edition; of those that aren't."""
    wanted = {entry.edition_id: entry.variant for entry in entries if entry.variant and not entry.reason}
    found = await candidates.keys(connection, wanted) if wanted else {}
    return {edition: found[edition, number] for edition, number in wanted.items() if (edition, number) in found}


def tell_copy(trail: Trail, edition: Edition, key: VariantKey | None) -> None:
    """How a reader's copy differs from the edition that everybody may read."""
    if key is None:
        return
    name = edition_name(edition)
    said = f"Their copy of {name} is in the language {key.language}, with the hours of {key.zone}."
    trail.note("copy", said, edition=name, language=key.language, zone=key.zone)
    for attribute, (words, rule) in _WHY.items():
        if stories := sorted(getattr(key, attribute)):
            trail.note(rule, f"{words}: {', '.join(stories)}.", edition=name, articles=stories)


def is_in_copy(trail: Trail, edition: Edition, key: VariantKey | None, article_id: str) -> bool:
    """Whether a reader's copy told a story that the edition tells. Where it didn't, that is the answer."""
    for attribute, (words, rule) in _WHY.items():
        if key is not None and article_id in getattr(key, attribute):
            is_out = attribute in ("off_topic", "seen")
            trail.note(rule, f"{words}.", Answer.NO if is_out else None, edition=edition_name(edition))
            if is_out:
                return False
    return True


def is_of_their_rhythm(trail: Trail, edition: Edition, held: Subscription | None) -> bool:
    """Whether an edition is of the kind that somebody wants, who was no candidate of it. Tells it where not."""
    if held is None or held.ended_at is not None:
        return True
    wanted = {Rhythm.EACH: (Rhythm.EACH, Rhythm.BREAKING)}.get(held.rhythm, (held.rhythm,))
    if edition.rhythm in wanted:
        return True
    name = edition_name(edition)
    said = f"Not due {name}: of {edition.newsletter} they want {_WANTED[held.rhythm]}."
    trail.note("candidate.other_rhythm", said, Answer.NO, edition=name, rhythm=held.rhythm)
    return False
