"""When a mail domain refuses what we are, not whom we write to: nothing more goes there until somebody has looked.

RFC 3463 §3.8: 5.7.x is about policy, authentication, reputation. More of it makes a bad standing worse, and it says
nothing against the readers: none of them is suppressed for it.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from syndicate.domain.delivery import Outcome, OutcomeKind

SHARE = 0.02  # of an edition's mails to one domain; more than this trips
LEAST = 3  # refusals: one or two may be the readers' own filters
REST = timedelta(hours=2)  # then it is tried again by itself
_EDITIONS = 20  # counted at once
_POLICY = re.compile(r"5\d\d 5\.7\.\d{1,3}")


def is_policy(outcome: Outcome) -> bool:
    """A no for good that is about us."""
    return outcome.kind is OutcomeKind.REFUSED and _POLICY.fullmatch(outcome.code) is not None


def domain_of(address: str) -> str:
    """As allowances and holds are kept by it."""
    return address.rpartition("@")[2].casefold()


@dataclass(kw_only=True)
class Breaker:
    """Counts what was tried and what was refused of each edition, by domain. For editions that are through, no more."""

    _counts: dict[int, tuple[Counter[str], Counter[str]]] = field(default_factory=dict)

    def count(self, edition: int, domain: str, outcome: Outcome) -> str:
        """Why the domain is to be left alone from now on; "" if it isn't. It counts anew then."""
        counts = self._counts.get(edition) or self._begin(edition)
        tried, refused = counts
        tried[domain] += 1
        if not is_policy(outcome):
            return ""
        refused[domain] += 1
        if refused[domain] < LEAST or refused[domain] <= SHARE * tried[domain]:
            return ""
        how_many = f"{refused.pop(domain)} of {tried.pop(domain)} mails"
        return f"{how_many} to {domain} were refused for what we are: {outcome.code} {outcome.text}"

    def _begin(self, edition: int) -> tuple[Counter[str], Counter[str]]:
        counts = self._counts[edition] = Counter(), Counter()
        if len(self._counts) > _EDITIONS:
            del self._counts[min(self._counts)]
        return counts
