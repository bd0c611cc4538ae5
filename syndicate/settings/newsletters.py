"""The tables of the config file that describe newsletters: the product, how it looks, and who pays for it."""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from syndicate.domain import slot
from syndicate.domain.look import DARK, ENOUGH_CONTRAST, LIGHT, Banner, Look, Palette, Sponsor, contrast, lightened
from syndicate.settings.addresses import Url
from syndicate.settings.around import known, surroundings
from syndicate.settings.kinds import (
    Address,
    Colour,
    From,
    Language,
    Line,
    Name,
    PictureUrl,
    Rhythm,
    RoundUp,
    Subject,
    Template,
    Text,
    Title,
    Topics,
    Zone,
)
from syndicate.settings.tables import SelectTable, Table

MOST_TOPICS = 30  # a choice between more is none, and each may make variants of its own
_WIDEST = 536  # pixels: the page of a mail without its margins


def _legible(value: str, info: ValidationInfo) -> str:
    """Refuses a colour that can't be read on the grounds it is used on."""
    grounds = ("paper",) if info.field_name == "accent" else ("paper", "surround")
    for name in (ground for ground in grounds if ground in info.data):
        ground = info.data[name]
        ratio = contrast(value, ground)
        if ratio < ENOUGH_CONTRAST:
            raise ValueError(
                f"{info.field_name} {value} on {name} {ground} has a contrast of {int(ratio * 100) / 100}:1; "
                f"write a pair with {ENOUGH_CONTRAST}:1 or more, so that everybody can read it"
            )
    return value


def _on_the_house_s(value: object, info: ValidationInfo) -> object:
    """A newsletter's look is the house's, but for the keys that it writes itself; so pairs are judged as they are."""
    house = surroundings(info).look
    if not isinstance(value, dict):
        return value
    whole = {**house, **value}
    house_s, own = house.get("dark"), value.get("dark")
    if isinstance(house_s, dict) and isinstance(own, dict):
        whole["dark"] = {**house_s, **own}
    return whole


Ink = Annotated[Colour, AfterValidator(_legible)]


class BannerTable(Table):
    """A picture that isn't a story's."""

    url: PictureUrl
    alt: Title
    width: int = Field(ge=1, le=_WIDEST)
    height: int = Field(ge=1, le=1000)

    def banner(self) -> Banner:
        """As the domain has it."""
        return Banner(url=self.url, alt=self.alt, width=self.width, height=self.height)


class DarkTable(Table):
    """The colours of dark mode. Grounds stand first: the others are judged on them."""

    paper: Colour = DARK.paper
    surround: Colour = DARK.surround
    text: Ink = Field(default=DARK.text, validate_default=True)
    quiet: Ink = Field(default=DARK.quiet, validate_default=True)
    accent: Ink | None = None

    def palette(self, accent: str) -> Palette:
        """As the domain has it; without an accent of its own the light one's, light enough to be read."""
        own = DARK.accent if accent == LIGHT.accent else lightened(accent, self.paper)
        return Palette(
            paper=self.paper, surround=self.surround, text=self.text, quiet=self.quiet, accent=self.accent or own
        )


class LookTable(Table):
    """How newsletters look. Grounds stand first: the other colours are judged on them."""

    paper: Colour = LIGHT.paper
    surround: Colour = LIGHT.surround
    text: Ink = Field(default=LIGHT.text, validate_default=True)
    quiet: Ink = Field(default=LIGHT.quiet, validate_default=True)
    accent: Ink = Field(default=LIGHT.accent, validate_default=True)
    dark: DarkTable = DarkTable()
    logo: BannerTable | None = None
    footer: Text = ""

    def look(self) -> Look:
        """As the domain has it."""
        light = Palette(paper=self.paper, surround=self.surround, text=self.text, quiet=self.quiet, accent=self.accent)
        lines = tuple(line.strip() for line in self.footer.strip().splitlines() if line.strip())
        logo = self.logo.banner() if self.logo else None
        return Look(light=light, dark=self.dark.palette(self.accent), logo=logo, footer=lines)


class SponsorTable(Table):
    """Who pays for a newsletter."""

    name: Title
    url: Url
    text: Line = ""
    picture: BannerTable | None = None
    since: date | None = Field(default=None, alias="from")
    until: date | None = None

    @field_validator("until")
    @classmethod
    def _not_before_since(cls, value: date | None, info: ValidationInfo) -> date | None:
        since = info.data.get("since")
        if value is not None and since is not None and value < since:
            raise ValueError(f"before from; write {since} or a later day")
        return value

    def sponsor(self) -> Sponsor:
        """As the domain has it."""
        picture = self.picture.banner() if self.picture else None
        dates = {"since": self.since, "until": self.until}
        return Sponsor(name=self.name, url=self.url, text=self.text, picture=picture, **dates)


class NewsletterTable(Table):
    """A product that is mailed on a rhythm."""

    name: Name
    title: Title
    description: Line = ""
    select: SelectTable = SelectTable()
    schedule: Rhythm
    timezone: Zone | None = None
    template: Template = Field(default="sections", validate_default=True)
    look: Annotated[LookTable | None, BeforeValidator(_on_the_house_s)] = None
    sponsor: SponsorTable | None = None
    sender: From = Field(alias="from")
    reply_to: Address | None = None
    subject: Subject = "{title}: {lead}"
    channel: Annotated[str, AfterValidator(known("channels"))]
    min: int = Field(default=1, ge=1, le=100)
    max: int = Field(default=15, ge=1, le=100)
    skip_empty: bool = True
    language: Language | None = None
    topics: Annotated[Topics, Field(max_length=MOST_TOPICS)] = ()
    roundup: RoundUp | None = None
    breaking: Topics = ()
    breaking_max: int = Field(default=3, ge=1, le=50)

    @field_validator("roundup")
    @classmethod
    def _not_of_a_weekly_one(cls, value: slot.Schedule | None, info: ValidationInfo) -> slot.Schedule | None:
        schedule = info.data.get("schedule")
        if value is not None and isinstance(schedule, slot.WallTimes) and schedule.weekly:
            raise ValueError("its schedule is weekly already; leave roundup out")
        return value

    @field_validator("max")
    @classmethod
    def _not_below_min(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("min", value)
        if value < least:
            raise ValueError(f"less than min; write {least} or more")
        return value
