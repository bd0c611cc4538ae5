"""Edition → one address that a person typed. A test send can't reach the list.

Nothing here can ask who the subscribers are: the only thing read is whether the address is suppressed. The mail has
delivery 0 and a name of its own, so no ledger row, bounce or repair can take it for a reader's copy, and the links in
it change nothing: where a reader would unsubscribe, it leads to the edition's page.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from syndicate.channels.mail.message import Addressee
from syndicate.domain.delivery import Outcome
from syndicate.domain.edition import Edition
from syndicate.errors import Refused
from syndicate.formats.digest import HOLES
from syndicate.pipeline.postroom import Postroom, encode
from syndicate.pipeline.render import edition_url
from syndicate.ports import Mail
from syndicate.store.audience import suppression
from syndicate.store.db import Database
from syndicate.store.editions import Rendering


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What is to be looked at, and where it goes."""

    edition: Edition
    rendering: Rendering
    address: str  # normal
    digest: str  # of the address
    secret: Callable[[], str]  # random letters for the mail's name


def test_subject(room: Postroom, trial: Trial) -> str:
    """The edition's subject, marked as a test in the newsletter's language."""
    phrases = room.site.phrases
    language = phrases.language_for(room.newsletters[trial.edition.newsletter].language)
    return f"{phrases.words(language, 'mail')['test_mark']} {trial.rendering.subject}"


def write_test(room: Postroom, trial: Trial) -> Mail:
    """The mail of a test send: marked in the subject, without List-Unsubscribe, bounces to the desk."""
    newsletter = room.newsletters[trial.edition.newsletter]
    marked = replace(trial.rendering, subject=test_subject(room, trial))
    variant = encode(room, trial.edition, marked)
    name = f"test.{trial.secret()}"
    addressee = Addressee(address=trial.address, message_id=f"{name}@{newsletter.sender_domain}")
    link = edition_url(room.site, newsletter.name, trial.edition.slot)
    return Mail(
        delivery=0,
        name=name,
        recipient=trial.address,
        sender=newsletter.sender_address,
        content=variant.message(addressee, dict.fromkeys(HOLES, link)),
    )


async def refuse_suppressed(db: Database, trial: Trial) -> None:
    """Raises Refused for an address we must not write to."""
    async with db.read() as connection:
        if held := await suppression(connection, trial.digest):
            raise Refused(f"{trial.address} must not be written to: {held[0]}, since {held[1]:%Y-%m-%d}")


async def send_test(db: Database, room: Postroom, trial: Trial) -> Outcome:
    """Sends it by the newsletter's own channel, once. Raises Refused for an address we must not write to."""
    await refuse_suppressed(db, trial)
    mailer = room.mailers[room.newsletters[trial.edition.newsletter].channel]
    outcomes = [outcome async for _, outcome in mailer.send([write_test(room, trial)], may_send=lambda _: True)]
    if outcomes[0] is None:
        raise LookupError("a mailer withheld a mail that it was told to send")
    return outcomes[0]
