"""Partners' keys, and what a change means for the pushes of an article."""

import pytest

from syndicate.domain.change import ChangeKind
from syndicate.domain.partner import (
    Heard,
    Plan,
    key_digest,
    key_fits,
    key_id,
    kind_instead,
    new_key,
    plan_push,
    push_kind,
    push_type,
)
from tests.factories import make_article, make_change

P, U, C, W, R = ChangeKind
NOTHING, STORY, WITHDRAWAL = Heard
SHOWN, NAME, DIGEST = new_key(b"\x01" * 5, b"\x02" * 32)


@pytest.mark.parametrize(
    ("kind", "unsent", "heard", "wanted", "send"),
    [
        (P, (), NOTHING, True, P),
        (U, (), STORY, True, U),
        (C, (), STORY, True, C),
        (W, (), STORY, True, W),
        (R, (), STORY, True, R),
        (U, (), NOTHING, True, P),  # it came into the Selection
        (R, (), NOTHING, True, P),  # it was withdrawn before the partner had it
        (R, (), WITHDRAWAL, True, R),
        (U, (), WITHDRAWAL, True, R),  # it came back into the Selection
        (C, (R,), WITHDRAWAL, True, R),
        (R, (W,), WITHDRAWAL, True, R),  # the answer to the withdrawal was lost
        (U, (P,), NOTHING, True, P),  # an unsent `published` goes as `published`, newer
        (C, (P,), NOTHING, True, P),
        (U, (P,), STORY, True, P),  # the answer was lost: it may not have the story
        (W, (P,), NOTHING, True, None),  # withdrawn before anybody saw it
        (W, (), NOTHING, True, None),
        (W, (), WITHDRAWAL, True, None),  # it was told so before
        (W, (R,), WITHDRAWAL, True, None),
        (W, (U,), STORY, True, W),
        (U, (C,), STORY, True, C),  # the correction is not lost under the update
        (R, (W,), STORY, True, R),
        (U, (R,), STORY, True, R),
        (U, (), STORY, False, W),  # it left the Selection
        (U, (U,), STORY, False, W),
        (U, (W,), WITHDRAWAL, False, W),  # the answer to the withdrawal was lost: it may still have the story
        (U, (W,), NOTHING, False, None),
        (P, (), NOTHING, False, None),
        (P, (), STORY, True, R),
    ],
)
def test_newer_beats_older(
    kind: ChangeKind, unsent: tuple[ChangeKind, ...], heard: Heard, wanted: bool, send: ChangeKind | None
) -> None:
    waiting = tuple((number, k) for number, k in enumerate(unsent, start=7))

    plan = plan_push(make_change(make_article(), kind), waiting, heard=heard, wanted=wanted)

    assert plan == Plan(send=send, supersedes=tuple(number for number, _ in waiting))


@pytest.mark.parametrize(
    ("newest", "dropped", "kind"),
    [(U, (P,), P), (R, (P, W), P), (C, (R,), R), (U, (C,), C), (P, (R,), P), (U, (W,), U), (W, (P,), W), (U, (), U)],
)
def test_the_newest_says_what_those_it_replaces_would_have_said(
    newest: ChangeKind, dropped: tuple[ChangeKind, ...], kind: ChangeKind
) -> None:
    assert kind_instead(newest, dropped) is kind


def test_a_change_has_its_name_on_the_wire() -> None:
    assert push_type(ChangeKind.CORRECTED) == "article.corrected"
    assert [push_kind(push_type(kind)) for kind in ChangeKind] == list(ChangeKind)


def test_a_key_is_shown_once_and_only_its_digest_is_kept() -> None:
    assert SHOWN.startswith(f"np_{NAME}_")
    assert key_digest(SHOWN) == DIGEST
    assert key_id(SHOWN) == NAME
    assert key_fits(SHOWN, DIGEST)


@pytest.mark.parametrize("place", range(len("np_") + 8 + 1, len(SHOWN)))
def test_a_key_with_one_character_changed_does_not_fit(place: int) -> None:
    other = SHOWN[:place] + ("A" if SHOWN[place] != "A" else "B") + SHOWN[place + 1 :]

    assert not key_fits(other, DIGEST)


@pytest.mark.parametrize(
    "text", ["", "np_", SHOWN + "\n", SHOWN[:-1], SHOWN.upper(), f"x{SHOWN}", "np_aaaaaaa1_" + "A" * 43]
)
def test_what_is_no_key_of_ours_has_no_id(text: str) -> None:
    assert key_id(text) is None
