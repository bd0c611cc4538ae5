"""Newsletters: a product with a Selection, a rhythm, a template and a sender."""

from dataclasses import dataclass, field, replace

from syndicate.domain.article import Article
from syndicate.domain.audience import Rhythm
from syndicate.domain.look import Look, Sponsor
from syndicate.domain.selection import Selection, traits
from syndicate.domain.slot import Schedule

BREAKING_TEMPLATE = "breaking"


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
    topics: tuple[str, ...] = ()  # path slugs that a reader may choose among; () offers no choice
    roundup: Schedule | None = None  # when those who want the week's stories at once get them
    breaking: tuple[str, ...] = ()  # path slugs of stories that are mailed at once
    breaking_max: int = 3  # such mails a reader gets in a day; what is beyond stays for the next edition

    @property
    def sender_domain(self) -> str:
        """Whose mails they are: it stands in Message-IDs and bounce addresses, and signs."""
        return self.sender_address.rpartition("@")[2].lower()


def rhythms_of(newsletter: Newsletter) -> tuple[Rhythm, ...]:
    """How often a newsletter can be had; it has editions for each of these."""
    there = {Rhythm.EACH: True, Rhythm.WEEKLY: bool(newsletter.roundup), Rhythm.BREAKING: bool(newsletter.breaking)}
    return tuple(rhythm for rhythm in Rhythm if there[rhythm])


def dressed(newsletter: Newsletter, rhythm: Rhythm) -> Newsletter:
    """The newsletter as its editions of a rhythm are: breaking news is one story, plain, however few there are."""
    if rhythm is not Rhythm.BREAKING:
        return newsletter
    return replace(newsletter, template=BREAKING_TEMPLATE, min=1, max=1, skip_empty=True)


def is_breaking(newsletter: Newsletter, article: Article) -> bool:
    """True for a story that is mailed at once."""
    found = traits(article)
    return bool((found.sections | found.tags).intersection(newsletter.breaking)) and newsletter.selection.suits(found)


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
