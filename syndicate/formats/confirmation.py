"""The mails that ask for a reader's word, and the one that tells an address it was left.

Nothing that somebody typed into a form stands in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from syndicate.domain.consent import Matter
from syndicate.domain.feed import Site
from syndicate.domain.newsletter import Newsletter
from syndicate.formats.dates import long_date
from syndicate.formats.template import css_inliner, open_templates

_KINDS: Mapping[Matter, str] = {Matter.JOIN: "confirm", Matter.MOVE: "move", Matter.NOTICE: "moved"}  # of its words


@dataclass(frozen=True, kw_only=True)
class ConfirmationView:
    """All that it says. `newsletter` is the one whose sender and look it has."""

    site: Site
    newsletter: Newsletter
    titles: tuple[str, ...]  # of the newsletters that were asked for
    link: str  # "" where nothing is asked
    until: datetime  # when the link ends
    language: str
    matter: Matter = Matter.JOIN


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """The mail in words."""

    subject: str
    html: str
    text: str


def render_confirmation(view: ConfirmationView, templates: Path) -> Confirmation:
    """From `mail/confirm.*` in the folder of the shipped templates; the stylesheets are the digests'."""
    folders = (templates / "mail", templates / "digest" / "parts")
    language = view.site.phrases.language_for(view.language)
    words, titles = view.site.phrases.words(language, "mail"), ", ".join(view.titles)
    subjects = {
        Matter.JOIN: words["confirm_subject"].format(titles=titles),
        Matter.MOVE: words["move_subject"].format(site=view.site.title),
        Matter.NOTICE: words["moved_subject"].format(site=view.site.title),
    }
    subject = subjects[view.matter]
    facts = {
        "view": view,
        "words": words,
        "titles": titles,
        "kind": _KINDS[view.matter],
        "subject": subject,
        "date": long_date(view.until, zone=view.site.timezone, language=language),
        "look": view.newsletter.look,
    }
    environment = open_templates(folders)
    return Confirmation(
        subject=subject,
        html=css_inliner().inline(environment.get_template("confirm.html.j2").render(facts)),
        text=environment.get_template("confirm.txt.j2").render(facts),
    )
