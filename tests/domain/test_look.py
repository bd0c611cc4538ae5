"""Looks: contrast as WCAG counts it, and colours that are derived stay legible."""

import pytest

from syndicate.domain.look import DARK, ENOUGH_CONTRAST, LIGHT, Palette, blended, contrast, lightened


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#777777", "#ffffff", 4.48),
        ("#ff0000", "#ffffff", 4.0),
    ],
)
def test_contrast_is_counted_as_in_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_the_colours_that_come_with_the_program_are_legible_wherever_they_stand(palette: Palette) -> None:
    grounds = (palette.paper, palette.surround, palette.shade)

    assert all(contrast(ink, g) >= ENOUGH_CONTRAST for ink in (palette.text, palette.quiet) for g in grounds)
    assert contrast(palette.accent, palette.paper) >= ENOUGH_CONTRAST


@pytest.mark.parametrize("brand", ["#9c1f1f", "#0a5c36", "#003366", "#000000", "#ffcc00", "#4b0082"])
def test_a_brand_s_colour_is_lightened_until_it_is_legible_on_a_dark_ground(brand: str) -> None:
    assert contrast(lightened(brand, DARK.paper), DARK.paper) >= ENOUGH_CONTRAST


def test_a_colour_that_is_legible_stays_as_it_is() -> None:
    assert lightened("#ffcc00", DARK.paper) == "#ffcc00"


def test_a_blend_lies_between_its_colours() -> None:
    assert blended("#000000", "#ffffff", 0.5) == "#808080"
    assert blended("#123456", "#ffffff", 0) == "#123456"
