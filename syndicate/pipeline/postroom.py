"""What mail is sent with, and how an edition becomes one person's mail."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from syndicate.channels.mail.dkim import SigningKey
from syndicate.channels.mail.message import Addressee, Variant, compile_variant, own_fields
from syndicate.domain.audience import Subscriber
from syndicate.domain.delivery import Outcome
from syndicate.domain.edition import Edition
from syndicate.domain.feed import Site
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.pace import Pacing
from syndicate.domain.token import (
    Keyring,
    Purpose,
    Token,
    delivery_name,
    mailed_token,
    make_token,
    name_number,
    verp_token,
)
from syndicate.domain.variant import WHOLE
from syndicate.ports import BulkMailer, Clock, Copy, Letterhead, Mail, Mailer, Sheet
from syndicate.store.editions import Rendering


@dataclass(kw_only=True)
class Revocations:
    """Who has left lately, and when, asked once more right before each mail.

    The mark's own check sees whoever left before it; this covers the moment between the mark and the wire, so old
    entries may be forgotten and somebody who comes back is not kept out.
    """

    limit: int = 10_000
    _left: dict[tuple[str, int], datetime] = field(default_factory=dict)

    def add(self, newsletter: str, subscriber: int, *, at: datetime) -> None:
        """Called after the unsubscribe is committed, with the time after the commit."""
        self._left.pop((newsletter, subscriber), None)
        self._left[newsletter, subscriber] = at
        if len(self._left) > self.limit:
            del self._left[next(iter(self._left))]

    def left_since(self, newsletter: str, subscriber: int, marked_at: datetime) -> bool:
        """True: left after the mark; don't send."""
        left = self._left.get((newsletter, subscriber))
        return left is not None and left >= marked_at


@dataclass(frozen=True, kw_only=True)
class Postroom:
    """What mail is sent with."""

    site: Site
    ring: Keyring
    mailers: Mapping[str, Mailer]
    newsletters: Mapping[str, Newsletter]
    signing_keys: Mapping[str, Sequence[SigningKey]]  # by newsletter, of those whose mails are signed
    revocations: Revocations
    owner: str  # this process
    fence_file: Path
    install: str
    clock: Clock
    chance: Callable[[], float]  # in [0, 1): spreads tries
    pacings: Mapping[str, Pacing] = field(default_factory=dict)  # by channel; of those that have limits
    left_by_mail: frozenset[str] = frozenset()  # sender domains whose unsubscribe addresses are read


@dataclass(frozen=True, kw_only=True)
class Letter:
    """An edition's rendering with what its mails have in common: encoded once, or for a provider who writes them."""

    edition: Edition
    newsletter: Newsletter
    variant: Variant | Sheet
    number: int = WHOLE  # of the variant


def open_letter(room: Postroom, edition: Edition, rendering: Rendering) -> Letter:
    """The rendering in the form that the newsletter's channel takes."""
    newsletter = room.newsletters[edition.newsletter]
    if isinstance(room.mailers[newsletter.channel], BulkMailer):
        words = {"subject": rendering.subject, "html": rendering.html, "text": rendering.text, "mark": rendering.mark}
        sheet = Sheet(letterhead=_letterhead(newsletter, edition), **words)
        return Letter(edition=edition, newsletter=newsletter, variant=sheet, number=rendering.number)
    variant = encode(room, edition, rendering)
    return Letter(edition=edition, newsletter=newsletter, variant=variant, number=rendering.number)


def encode(room: Postroom, edition: Edition, rendering: Rendering) -> Variant:
    """The rendering as bytes with holes."""
    newsletter = room.newsletters[edition.newsletter]
    words = {"subject": rendering.subject, "html": rendering.html, "text": rendering.text, "mark": rendering.mark}
    keys = room.signing_keys.get(newsletter.name, ())
    return compile_variant(letterhead=_letterhead(newsletter, edition), signing_keys=keys, **words)


def _letterhead(newsletter: Newsletter, edition: Edition) -> Letterhead:
    """The date is the edition's, so a retry is the same mail."""
    return Letterhead(
        from_name=newsletter.sender_name,
        from_address=newsletter.sender_address,
        date=edition.frozen_at or edition.created_at,
        reply_to=newsletter.reply_to or None,
        list_id=f"{newsletter.name}.{newsletter.sender_domain}",
        list_title=newsletter.title,
    )


def unsubscribe_url(site: Site, ring: Keyring, newsletter: str, person: Subscriber) -> str:
    """The link that ends this subscription and does nothing else."""
    token = Token(
        purpose=Purpose.UNSUBSCRIBE,
        subscriber=person.id,
        newsletter=name_number(newsletter),
        generation=person.generation,
    )
    return f"{site.public_url}/u/{make_token(ring, token)}"


def preferences_url(site: Site, ring: Keyring, person: Subscriber) -> str:
    """The link to all that a person chose. It ends when their address changes."""
    token = Token(purpose=Purpose.PREFERENCES, subscriber=person.id, newsletter=0, generation=person.generation)
    return f"{site.public_url}/p/{make_token(ring, token)}"


def view_url(site: Site, ring: Keyring, newsletter: str, delivery: int) -> str:
    """Where a reader's own variant is read in a browser. It names the mail, not the person, and can do nothing else."""
    token = Token(purpose=Purpose.VIEW, subscriber=delivery, newsletter=name_number(newsletter), generation=0)
    return f"{site.public_url}/v/{make_token(ring, token)}"


def write_mail(room: Postroom, letter: Letter, person: Subscriber, *, delivery: int) -> Mail | Copy:
    """One person's copy: their address, their link, a bounce address, and a Message-ID, the same on every try.

    Raises ValueError where a header can't carry something of it.
    """
    name = delivery_name(room.ring, letter.edition.id, person.id)
    domain = letter.newsletter.sender_domain
    link = unsubscribe_url(room.site, room.ring, letter.newsletter.name, person)
    mailto = f"mailto:u+{mailed_token(link.rpartition('/')[2])}@{domain}" if domain in room.left_by_mail else None
    addressee = Addressee(person.address, f"{name}@{domain}", person.name, link, mailto)
    sender = f"b+{verp_token(room.ring, delivery)}@{domain}"
    values = {"unsubscribe_url": link, "preferences_url": preferences_url(room.site, room.ring, person)}
    if letter.number != WHOLE:
        values["view_url"] = view_url(room.site, room.ring, letter.newsletter.name, delivery)
    if isinstance(letter.variant, Sheet):
        return Copy(delivery, person.address, sender, own_fields(addressee), values)
    return Mail(
        delivery=delivery,
        name=name,
        recipient=person.address,
        sender=sender,
        content=letter.variant.message(addressee, values),
        is_clean=True,
    )


def hand_over(
    mailer: Mailer, letter: Letter, written: Sequence[Mail | Copy], *, may_send: Callable[[int], bool]
) -> AsyncIterator[tuple[int, Outcome | None]]:
    """One call of the channel that the letter was opened for."""
    if isinstance(letter.variant, Sheet) and isinstance(mailer, BulkMailer):
        copies = [one for one in written if isinstance(one, Copy)]
        return mailer.send_bulk(letter.variant, copies, may_send=may_send)
    return mailer.send([one for one in written if isinstance(one, Mail)], may_send=may_send)
