"""Newsletters: a product with a Selection, a rhythm, a template and a sender."""

from dataclasses import dataclass, field

from syndicate.domain.look import Look, Sponsor
from syndicate.domain.selection import Selection
from syndicate.domain.slot import Schedule


@dataclass(frozen=True, kw_only=True)
class Newsletter:
    """What the operator promised the readers of one product."""

    name: str
    title: str
    selection: Selection
    schedule: Schedule
    timezone: str
    sender_name: str
    sender_address: str
    channel: str  # name of a mail channel
    template: str = "sections"  # name of a folder with digest templates
    subject: str = "{title}: {lead}"  # {title} {date} {lead}: replaced once, nothing else is
    language: str = "id"
    description: str = ""
    min: int = 1  # stories, below which a slot is skipped (with skip_empty); they wait for the next one
    max: int = 15  # stories; what is beyond is left out for good
    skip_empty: bool = True
    reply_to: str = ""
    look: Look = field(default_factory=Look)
    sponsor: Sponsor | None = None

    @property
    def sender_domain(self) -> str:
        """Whose mails they are: it stands in Message-IDs and bounce addresses, and signs."""
        return self.sender_address.rpartition("@")[2].lower()


def subject_line(newsletter: Newsletter, *, lead: str, date: str) -> str:
    """The subject of an edition. One pass over the pattern, so a headline with braces stays as it is."""
    values = {"{title}": newsletter.title, "{date}": date, "{lead}": lead}
    out, rest = "", newsletter.subject
    while rest:
        hit = min((k for k in values if k in rest), key=rest.index, default=None)
        if hit is None:
            return out + rest
        before, rest = rest.split(hit, 1)
        out += before + values[hit]
    return out
