"""The life of a delivery: every pair of state and happening, and what the channel's answer makes of a row."""

from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.domain.delivery import (
    ACCEPTED,
    STEPS,
    Happening,
    IllegalStep,
    Outcome,
    OutcomeKind,
    Standing,
    State,
    advance,
    origins,
    step,
)
from tests.factories import DEFERRED, NOW, REFUSED, UNCERTAIN

PAGE = Path(__file__).parents[2] / "docs" / "states.md"
SENDING = Standing(state=State.SENDING, attempt=2, first_due=NOW)
SETTLED = (State.ACCEPTED, State.REFUSED, State.UNCERTAIN, State.EXCLUDED)
SOON = NOW + timedelta(minutes=5)


def table() -> list[str]:
    """All pairs as Markdown: a row a state, a column a happening."""
    lines = ["| state | " + " | ".join(f"`{h.value}`" for h in Happening) + " |", "|---" * (len(Happening) + 1) + "|"]
    for state in State:
        after = [STEPS.get((state, happening)) for happening in Happening]
        lines.append(f"| **{state.value}** | " + " | ".join(a.value if a else "–" for a in after) + " |")
    return lines


def test_the_page_shows_the_table_as_it_is() -> None:
    shown = [
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(("| state", "|---", "| **"))
    ]

    assert shown == table(), "docs/states.md must hold:\n" + "\n".join(table())


@pytest.mark.parametrize(("state", "happening"), list(product(State, Happening)))
def test_every_pair_is_a_step_or_illegal(state: State, happening: Happening) -> None:
    if (state, happening) in STEPS:
        assert step(state, happening) is STEPS[state, happening]
        assert state in origins(happening)
    else:
        assert state not in origins(happening)
        with pytest.raises(IllegalStep, match=f"that is {state.value} can't {happening.value}"):
            step(state, happening)


@given(st.lists(st.sampled_from(Happening), max_size=60))
def test_on_any_walk_a_settled_delivery_only_leaves_by_evidence_or_by_an_operator(walk: list[Happening]) -> None:
    state = State.DUE
    for happening in walk:
        if (state, happening) in STEPS:
            after = step(state, happening)
            if state in SETTLED:
                assert happening in (Happening.PROVE_SENT, Happening.PROVE_UNSENT, Happening.RETRY)
            assert not (after is State.ACCEPTED and state not in (State.SENDING, State.UNCERTAIN))
            state = after


def test_accepted_and_excluded_are_final() -> None:
    assert {state for state, _ in STEPS} == set(State) - {State.ACCEPTED, State.EXCLUDED}


def test_nothing_reaches_the_wire_without_the_mark() -> None:
    assert origins(Happening.ACCEPT) == (State.SENDING,)
    assert {state for (_, happening), state in STEPS.items() if happening is Happening.MARK} == {State.SENDING}
    assert origins(Happening.MARK) == (State.CLAIMED,)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(ACCEPTED, State.ACCEPTED), (REFUSED, State.REFUSED), (UNCERTAIN, State.UNCERTAIN), (DEFERRED, State.DEFERRED)],
)
def test_the_answer_decides_the_state_and_counts_the_attempt(outcome: Outcome, state: State) -> None:
    after = advance(SENDING, outcome, again_at=SOON)

    assert (after.state, after.attempt, after.code) == (state, 3, outcome.code)
    assert after.not_before == (SOON if state is State.DEFERRED else None)


def test_a_deferral_without_another_try_is_refused_as_expired() -> None:
    after = advance(SENDING, DEFERRED, again_at=None)

    assert (after.state, after.code, after.text, after.not_before) == (State.REFUSED, "expired", "later", None)


@pytest.mark.parametrize("state", [state for state in State if state is not State.SENDING])
def test_an_answer_for_something_that_was_not_on_the_wire_is_a_bug(state: State) -> None:
    with pytest.raises(IllegalStep):
        advance(Standing(state=state, first_due=NOW), Outcome(kind=OutcomeKind.ACCEPTED), again_at=None)
