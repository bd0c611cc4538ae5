"""Why an edition isn't through: what stands in its way, in the order in which a person would see to it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Hindrance(StrEnum):
    """What keeps deliveries from going out."""

    HOUSE = "house"  # everything is stopped until a person has looked
    HELD = "held"  # the edition waits for a person
    PAUSED = "paused"  # the newsletter does
    NO_NEWSLETTER = "no_newsletter"  # it isn't in the configuration any more
    GIVEN_UP = "given_up"  # a batch failed so often that it isn't tried any more
    IDLE = "idle"  # no process is there to send it
    DOMAIN = "domain"  # a mail domain refuses what we are, and is left alone
    PACE = "pace"  # as many as the channel may send are under way
    PUT_OFF = "put_off"  # the channel said "not now"
    THEIR_HOUR = "their_hour"  # readers who want it later in their day


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """One thing in the way."""

    what: Hindrance
    why: str = ""  # in the words of whoever stopped it: a person, a relay, an error
    code: str = ""  # the channel's
    count: int = 0  # deliveries, or batches; 0 where it is all of them
    until: datetime | None = None  # when the first of them is tried; None: at once, or not before a person says so

    @property
    def needs_a_person(self) -> bool:
        """True when waiting changes nothing."""
        return self.what not in (Hindrance.PUT_OFF, Hindrance.PACE, Hindrance.THEIR_HOUR)
