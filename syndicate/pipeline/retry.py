"""A person's word that an edition is to be tried again: what was refused is due, what was put off is tried at once."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from syndicate.domain.account import Deed, Entry
from syndicate.domain.edition import Edition, EditionState
from syndicate.errors import Refused
from syndicate.pipeline.reconcile import take_up
from syndicate.store import accounts, editions, stuck
from syndicate.store.db import Database


@dataclass(frozen=True, kw_only=True)
class Retried:
    """How many deliveries are tried again."""

    refused: int
    hurried: int


async def retry_edition(db: Database, edition: Edition, codes: Collection[str], *, who: str, now: datetime) -> Retried:
    """With `codes` only what was refused with one of them. Addresses we must not write to stay as they are.

    Raises Refused for an edition that was cancelled, or of which nothing is to be tried again.
    """
    async with db.write() as connection:
        current = await editions.get(connection, edition.id, lock=True)
        if current is None or current.state is EditionState.CANCELLED:
            raise Refused("the edition was cancelled; nothing more of it goes out")
        refused = await stuck.retry_refused(connection, edition.id, codes, now=now)
        hurried = 0 if codes else await stuck.hurry_deferred(connection, edition.id)
        if not refused and not hurried:
            raise Refused("nothing of the edition was refused or put off that could be tried again")
        await take_up(connection, current, now=now)
        words = f"{refused} refused, {hurried} put off"
        said = Entry(at=now, who=who, what=Deed.RETRIED, subject=edition.name[:80], note=words)
        await accounts.note(connection, said)
    return Retried(refused=refused, hurried=hurried)
