"""The mail that asks whether a sign-up is meant. Nothing that somebody typed into a form stands in it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from syndicate.domain.feed import Site
from syndicate.domain.newsletter import Newsletter
from syndicate.formats.dates import long_date, reading_language
from syndicate.formats.template import css_inliner, open_templates


@dataclass(frozen=True, kw_only=True)
class ConfirmationView:
    """All that it says. `newsletter` is the one whose sender and look it has."""

    site: Site
    newsletter: Newsletter
    titles: tuple[str, ...]  # of the newsletters that were asked for
    link: str
    until: datetime  # when the link ends
    language: str


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """The mail in words."""

    subject: str
    html: str
    text: str


def render_confirmation(view: ConfirmationView, templates: Path) -> Confirmation:
    """From `mail/confirm.*` in the folder of the shipped templates; the stylesheets are the digests'."""
    folders = (templates / "mail", templates / "digest" / "parts")
    language = reading_language(view.language)
    words, titles = _words(folders[0])[language], ", ".join(view.titles)
    subject = words["confirm_subject"].format(titles=titles)
    facts = {
        "view": view,
        "words": words,
        "titles": titles,
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


@lru_cache
def _words(folder: Path) -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((folder / "words.toml").read_text("utf-8"))
