"""The change log: the spine. Gathering appends to it, everything else reads on from its own place in it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from syndicate.domain.article import Content, Edit, is_correction


class ChangeKind(StrEnum):
    """What happened to an article."""

    PUBLISHED = "published"
    UPDATED = "updated"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"
    RESTORED = "restored"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One row of the log. `seq` follows commit order and only grows."""

    seq: int
    article_id: str
    version: int
    kind: ChangeKind
    edit: Edit
    baseline: bool  # its article was not announced then: feeds alone know it, no mail tells it
    at: datetime
    note: str = ""


def change_kind(old: Content, new: Content) -> ChangeKind:
    """What an edit is called in the log."""
    return ChangeKind.CORRECTED if is_correction(old, new) else ChangeKind.UPDATED
