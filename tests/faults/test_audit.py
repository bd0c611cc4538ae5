"""What the kill harness would say of a run that went wrong: a checker that finds nothing must be one that can find."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.faults.audit import GRACE, Ledger, Line, audit

WANTED = ("ani@x.test", "budi@x.test", "cita@x.test", "dian@x.test")
ANI, BUDI, CITA, DIAN = WANTED
LEFT = {DIAN: 100.0}
LEDGER = Ledger(
    candidates=4,
    by_state={
        "accepted": frozenset({ANI, BUDI}),
        "uncertain": frozenset({CITA}),
        "excluded": frozenset({DIAN}),
    },
)


def took(who: str, *, began: float = 50.0, doubtful: bool = False) -> Sequence[Line]:
    return [
        Line(to=who, began=began, what="began"),
        Line(to=who, began=began, what="took", fault="reset" if doubtful else "", doubtful=doubtful),
    ]


RIGHT = (*took(ANI), *took(BUDI), *took(CITA))


def wrong(lines: Sequence[Line], ledger: Ledger = LEDGER, *, most_doubts: int = 1) -> list[str]:
    return audit(lines, ledger, WANTED, LEFT, most_doubts=most_doubts)


def moved(who: str, state: str) -> Ledger:
    """The ledger as it would be with one of them elsewhere."""
    without = {name: people - {who} for name, people in LEDGER.by_state.items()}
    return replace(LEDGER, by_state={**without, state: without.get(state, frozenset()) | {who}})


def test_a_run_that_went_right_is_called_right() -> None:
    assert wrong(RIGHT) == []
    assert wrong((*took(ANI), *took(BUDI))) == []  # a doubt may be a loss: it is listed


@pytest.mark.parametrize(
    ("lines", "ledger", "what"),
    [
        ((*RIGHT, *took(ANI)), LEDGER, "twice"),
        ((*RIGHT, *took(CITA)), LEDGER, "twice"),  # also one that the ledger only doubts
        ((*took(ANI), *took(CITA)), LEDGER, "called accepted, and never taken"),
        ((*took(ANI), *took(CITA)), moved(BUDI, "accepted"), "lost"),
        (RIGHT, moved(CITA, "refused"), "called refused or excluded, and taken"),
        (RIGHT, moved(BUDI, "excluded"), "excluded, and never left"),
        (RIGHT, moved(BUDI, "deferred"), "still open"),
        ((*RIGHT, *took("eko@x.test")), LEDGER, "never to be sent to"),
        (RIGHT, replace(LEDGER, candidates=5), "the books"),
        ((*RIGHT[:-2], Line(to=CITA, began=50.0, what="lost", fault="452")), moved(CITA, "accepted"), "lost"),
    ],
)
def test_what_went_wrong_is_named(lines: Sequence[Line], ledger: Ledger, what: str) -> None:
    found = wrong(lines, ledger)

    assert any(one.startswith(what) for one in found), found


def test_a_mail_that_begins_after_the_unsubscribe_is_named_though_it_was_never_whole() -> None:
    within = (*RIGHT, Line(to=DIAN, began=100.0 + GRACE - 0.001, what="began"))
    after = (*RIGHT, Line(to=DIAN, began=100.0 + GRACE + 0.001, what="began"))

    assert wrong(within) == []
    assert wrong(after) == ["after the unsubscribe: 1, such as dian@x.test"]


def test_doubts_are_bounded_by_kills_and_by_what_the_sink_spoilt() -> None:
    spoilt = (*took(ANI), *took(BUDI), *took(CITA, doubtful=True))

    assert wrong(RIGHT, most_doubts=0) == ["uncertain: 1, more than 0 by kills and 0 by answers"]
    assert wrong(spoilt, most_doubts=0) == []
