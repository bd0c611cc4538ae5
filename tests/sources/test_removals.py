"""What a person is told when stories vanish at once."""

import pytest

from syndicate.sources.read.removals import mass_loss

HOME = "https://koran.example"


@pytest.mark.parametrize(
    ("lost", "where", "named"),
    [
        ([f"{HOME}/{n}" for n in range(7)], {}, f" ({HOME}/0, {HOME}/1, {HOME}/2 and 4 more)"),
        (["wp:7", "wp:8"], {"wp:7": f"{HOME}/tujuh"}, f" ({HOME}/tujuh)"),
        (["wp:7", "wp:8"], {}, ""),
    ],
    ids=["keys are addresses", "addresses by key", "no addresses"],
)
def test_the_alarm_names_up_to_three_of_the_stories_that_are_missing(
    lost: list[str], where: dict[str, str], named: str
) -> None:
    alarm = mass_loss(lost, 3, source="koran", confirmed="", where=where)

    assert alarm.startswith(f"{len(lost)} of 3 stories are missing at once; none was withdrawn{named}. If that")
