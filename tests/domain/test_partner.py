"""Partners' keys, and what a change means for the pushes of an article."""

import pytest

from syndicate.domain.change import ChangeKind
from syndicate.domain.partner import Plan, key_digest, key_fits, key_id, new_key, plan_push, push_type
from tests.factories import make_article, make_change

P, U, C, W, R = ChangeKind
SHOWN, NAME, DIGEST = new_key(b"\x01" * 5, b"\x02" * 32)


@pytest.mark.parametrize(
    ("kind", "unsent", "ever_sent", "wanted", "send"),
    [
        (P, (), False, True, P),
        (U, (), True, True, U),
        (C, (), True, True, C),
        (W, (), True, True, W),
        (R, (), True, True, R),
        (U, (), False, True, P),  # it came into the Selection, or was taken back before
        (U, (P,), False, True, P),  # an unsent `published` goes as `published`, newer
        (C, (P,), False, True, P),
        (W, (P,), False, True, None),  # withdrawn before anybody saw it
        (W, (), False, True, None),
        (W, (U,), True, True, W),
        (U, (C,), True, True, C),  # the correction is not lost under an update
        (R, (W,), True, True, R),
        (U, (R,), True, True, R),
        (U, (), True, False, W),  # it left the Selection
        (U, (U,), True, False, W),
        (P, (), False, False, None),
        (P, (), True, True, R),
    ],
)
def test_newer_beats_older(
    kind: ChangeKind, unsent: tuple[ChangeKind, ...], ever_sent: bool, wanted: bool, send: ChangeKind | None
) -> None:
    waiting = tuple((number, k) for number, k in enumerate(unsent, start=7))

    plan = plan_push(make_change(make_article(), kind), waiting, ever_sent=ever_sent, wanted=wanted)

    assert plan == Plan(send=send, supersedes=tuple(number for number, _ in waiting))


def test_a_change_has_its_name_on_the_wire() -> None:
    assert push_type(ChangeKind.CORRECTED) == "article.corrected"


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
