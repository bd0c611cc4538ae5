"""How a newsletter looks: what its publisher changes without touching a template."""

from collections.abc import Iterable
from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass
from datetime import date

ENOUGH_CONTRAST = 4.5  # to 1, for text of any size (WCAG 2.2, 1.4.3)
_LIGHTER = 0.02  # of the whole way from black to white


@dataclass(frozen=True, kw_only=True)
class Palette:
    """The colours of one scheme, each `#rrggbb` in small letters."""

    paper: str  # behind the stories
    surround: str  # around the sheet
    text: str
    quiet: str  # bylines, captions, the footer
    accent: str  # sections, links, and the button, whose words have the colour of the paper

    @property
    def shade(self) -> str:
        """Behind the footer and the sponsor: between paper and surround, so what is legible on both is so on it."""
        return blended(self.paper, self.surround, 0.5)

    @property
    def rule(self) -> str:
        """Of lines between stories."""
        return blended(self.paper, self.text, 0.16)


LIGHT = Palette(paper="#ffffff", surround="#f3f1ec", text="#1d1d1f", quiet="#5c5c61", accent="#9c1f1f")
DARK = Palette(paper="#1b1c1f", surround="#111214", text="#f2f2f2", quiet="#b4b4b9", accent="#f0988c")


@dataclass(frozen=True, kw_only=True)
class Banner:
    """A picture that isn't a story's: a logo or an advertisement, with the size at which it is shown."""

    url: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Sponsor:
    """Who pays for a newsletter. Readers see it in a place of its own, called an advertisement."""

    name: str
    url: str
    text: str = ""
    picture: Banner | None = None
    since: date | None = None  # the first and the last day on which it is shown, by the newsletter's calendar
    until: date | None = None

    def pays_on(self, day: date) -> bool:
        """True on the days for which it was booked."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


@dataclass(frozen=True, kw_only=True)
class Look:
    """Colours, logo and the publisher's own lines at the end."""

    light: Palette = LIGHT
    dark: Palette = DARK
    logo: Banner | None = None
    footer: tuple[str, ...] = ()


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def blended(one: str, other: str, share: float) -> str:
    """`one` with a share of `other` in it."""
    pairs = zip(_channels(one), _channels(other), strict=True)
    return _colour(a + (b - a) * share for a, b in pairs)


def lightened(colour: str, ground: str) -> str:
    """The colour itself where it is legible on a dark ground, else in the same hue as light as it must be."""
    hue, lightness, saturation = rgb_to_hls(*_channels(colour))
    while contrast(colour, ground) < ENOUGH_CONTRAST and lightness < 1:
        lightness = min(1.0, lightness + _LIGHTER)
        colour = _colour(hls_to_rgb(hue, lightness, saturation))
    return colour


def _luminance(colour: str) -> float:
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _channels(colour))
    return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _channels(colour: str) -> tuple[float, float, float]:
    """Red, green and blue, each 0 to 1."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def _colour(channels: Iterable[float]) -> str:
    return "#" + "".join(f"{round(c * 255):02x}" for c in channels)
