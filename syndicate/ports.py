"""The seams with two or more real implementations. Each says what it promises; nothing else is abstract."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol, runtime_checkable

from syndicate.domain.article import Article
from syndicate.domain.delivery import Outcome
from syndicate.domain.feed import Feed, Site, Tombstone
from syndicate.domain.partner import Endpoint
from syndicate.domain.source import Gathered, Memory


class Clock(Protocol):
    """The time of day. Only app.py has the real one."""

    def now(self) -> datetime:
        """An aware datetime in UTC."""


class Source(Protocol):
    """A newsroom we look at."""

    async def gather(self, memory: Memory, *, now: datetime) -> Gathered:
        """One look. Never raises for what the other side did; the trouble is in `Gathered`."""


class Format(Protocol):
    """Turns articles into the bytes of a feed document: head + one fragment an article + tail."""

    name: str  # "rss"; also the file ending
    media_type: str  # with charset where the format has one
    flavour: str  # names the shape of a fragment; kept fragments with another flavour are not used

    def fragment(self, article: Article, site: Site) -> bytes:
        """One article, complete in itself. Raises ValueError when the article can't be written in this format."""

    def parts(
        self,
        feed: Feed,
        site: Site,
        fragments: Sequence[bytes],
        *,
        updated: datetime,
        gone: Sequence[Tombstone] = (),
        archive: str | None = None,
    ) -> tuple[bytes, ...]:
        """The pieces the document is joined from; the fragments are among them, unchanged and in order.

        `updated` is the newest date of an entry or tombstone. `gone` stand in the head, in their order. `archive` is
        the newest finished month ("2026-05") that the feed has an archive of; a format without archives leaves it out.
        A pure function: same input, same bytes, in every process.
        """


@dataclass(frozen=True, kw_only=True)
class Letterhead:
    """What the head of a mail has in common for all who get it. `date` is the edition's, so a retry has the same."""

    from_name: str
    from_address: str
    date: datetime
    reply_to: str | None = None
    list_id: str | None = None  # "label.domain", the same for ever (RFC 2919); None: not a mailing list
    list_title: str = ""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One message, ready for the wire."""

    delivery: int  # 0 for a test send
    name: str  # stable and unguessable; left side of the Message-ID and the Maildir file name
    recipient: str
    sender: str  # envelope sender (VERP)
    content: bytes = field(repr=False)  # RFC 5322, CRLF, not dot-stuffed
    is_clean: bool = False  # known: CRLF after each line and nothing else of the kind, no line begins with a dot


class Mailer(Protocol):
    """A way out for mail."""

    connections: int  # how many calls of `send` may run at once
    per_call: int  # most mails a call takes; what a crash can leave uncertain

    def send(
        self, mails: Sequence[Mail], *, may_send: Callable[[int], bool]
    ) -> AsyncIterator[tuple[int, Outcome | None]]:
        """Yields (delivery, outcome) as each is known, one for every mail, in order.

        `may_send(delivery)` is asked right before each goes on the wire; after a no the outcome is None and nothing
        was sent. Never raises for what the other side did. An outcome is `uncertain` only if the body may have been
        taken over. Not safe to retry by itself: the ledger decides.
        """

    async def aclose(self) -> None:
        """Ends idle connections politely."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """An edition for a provider who writes the mails: what all who get it have in common.

    In HTML and text, `{mark}-NAME-` is a hole for a recipient's own value; `mark` is 16 letters a–z, and stands
    nowhere else.
    """

    letterhead: Letterhead
    subject: str
    html: str = field(repr=False)
    text: str = field(repr=False)
    mark: str


class Copy(NamedTuple):
    """What one recipient's mail has of its own."""

    delivery: int
    recipient: str
    sender: str  # envelope sender (VERP); where the provider has one of his own, ours goes along and comes back
    fields: Mapping[str, str]  # of the head, with name and CRLF; the same names for all who get a sheet
    values: Mapping[str, str]  # of the holes


@runtime_checkable
class BulkMailer(Mailer, Protocol):
    """A Mailer that takes an edition once a call and fills in what is each recipient's own.

    `per_call` counts copies. `send` is for single mails.
    """

    def send_bulk(
        self, sheet: Sheet, copies: Sequence[Copy], *, may_send: Callable[[int], bool]
    ) -> AsyncIterator[tuple[int, Outcome | None]]:
        """As `send`, one outcome for every copy, in any order.

        Text is neutral: what looks like the provider's own template language reaches the reader as it is.
        Raises ValueError for a sheet that can't be written, with nothing on the wire.
        """


@runtime_checkable
class Evidence(Protocol):
    """A Mailer that can tell afterwards what it took over."""

    async def look(self, names: Sequence[str]) -> Mapping[str, bool]:
        """For each mail name: True, it was taken over; False, it was certainly not. Unknown names are left out."""


@runtime_checkable
class Probe(Protocol):
    """A Mailer that can be tried without sending anything."""

    async def probe(self) -> str:
        """What stands in the way of sending now, in words; "" for nothing."""


class Mailbox(Protocol):
    """Where others write to us: bounces, complaints, mail to an unsubscribe address."""

    async def empty(self, keep: Callable[[Sequence[bytes]], Awaitable[None]]) -> str:
        """Hands over what is new, a few mails at a time, each cut off at a limit; then they count as seen.

        What `keep` hasn't returned for comes again. Nothing is deleted. Returns what stands in the way, in words; ""
        for nothing. Raises only what `keep` raises.
        """

    async def probe(self) -> str:
        """What stands in the way of reading it now, in words; "" for nothing. Changes nothing."""


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """One push, ready for the wire. `id` is the same on every try."""

    id: str
    type: str
    at: datetime  # of what it tells about
    data: Mapping[str, object]


class Pusher(Protocol):
    """A way to a partner's endpoint."""

    async def push(self, endpoint: Endpoint, parcel: Parcel, *, now: datetime) -> Outcome:
        """One try. Deferred is worth another one; safe to repeat, since `parcel.id` lets the partner drop doubles."""


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A queue with slots of its own, so that nobody waits behind somebody else's flood."""

    name: str
    slots: int  # jobs at once per worker
    window: int  # published but not finished jobs of the whole lane


Handler = Callable[[int], Awaitable[None]]


class Engine(Protocol):
    """Carries job ids to workers. It rings a bell; what is to be done stands in the jobs table."""

    async def publish(self, lane: str, job: int) -> None:
        """Returns only when the job id is safely with the engine. May deliver twice."""

    async def work(self, lanes: Sequence[Lane], handler: Handler) -> None:
        """Runs until stop(), then drains. `handler` is idempotent and records its own outcome."""

    async def stop(self) -> None:
        """No new jobs are started; `work` returns when the running ones are done."""
