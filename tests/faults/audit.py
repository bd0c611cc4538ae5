"""Who got what, by the log of a relay or provider alone, held against what the ledger says in the end."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

GRACE = 0.020  # seconds after an unsubscribe in which a mail may still begin


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a sink's log about one recipient."""

    to: str
    began: float  # Unix seconds: the first of the message came
    what: str  # "began"; "took", from here on it is the sink's to deliver; "lost", it isn't
    fault: str = ""  # what was done wrong on purpose
    doubtful: bool = False  # so the sender can't know


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """The addresses of an edition's candidates, by the state of their delivery in the end."""

    candidates: int
    by_state: Mapping[str, frozenset[str]]

    def of(self, *states: str) -> frozenset[str]:
        """Who is in one of these states."""
        return frozenset().union(*(self.by_state.get(state, frozenset()) for state in states))


def read_lines(path: Path) -> list[Line]:
    """All that is whole; the last line may be half written."""
    with path.open(encoding="ascii") as file:
        return [Line(**json.loads(line)) for line in file if line.endswith("\n")]


def audit(
    lines: Sequence[Line], ledger: Ledger, wanted: Collection[str], left: Mapping[str, float], *, most_doubts: int
) -> list[str]:
    """What is wrong, in words; [] is what must be.

    `left` says when somebody's unsubscribe was answered. `most_doubts`: what kills may leave uncertain, without the
    messages whose answer the sink itself spoilt: those are counted here.
    """
    took = Counter(line.to for line in lines if line.what == "took")
    spoilt = sum(line.doubtful for line in lines)
    uncertain, excluded = ledger.of("uncertain"), ledger.of("excluded")
    open_ones = ledger.of("due", "claimed", "sending", "deferred")
    late = {line.to for line in lines if line.to in left and line.began > left[line.to] + GRACE}
    found = {
        "twice": {one for one, times in took.items() if times > 1},
        "lost": set(wanted) - set(took) - uncertain - excluded - ledger.of("refused"),
        "after the unsubscribe": late,
        "called accepted, and never taken": ledger.of("accepted") - set(took),
        "called refused or excluded, and taken": (ledger.of("refused") | excluded) & set(took),
        "excluded, and never left": excluded - set(left),
        "never to be sent to": set(took) - set(wanted),
        "still open": open_ones,
    }
    wrong = [f"{what}: {len(who)}, such as {min(who)}" for what, who in found.items() if who]
    if len(uncertain) > most_doubts + spoilt:
        wrong.append(f"uncertain: {len(uncertain)}, more than {most_doubts} by kills and {spoilt} by answers")
    if ledger.candidates != len(set(wanted)) or sum(map(len, ledger.by_state.values())) != ledger.candidates:
        wrong.append(f"the books: {ledger.candidates} candidates for {len(set(wanted))} readers")
    return wrong
