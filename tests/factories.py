"""Made-up things with everything a test doesn't care about filled in, and stand-ins for the other sides we script."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article, ArticleState, Content, Edit, article_id, content_hash, public_id
from syndicate.domain.audience import Subscriber, address_digest
from syndicate.domain.change import Change, ChangeKind
from syndicate.domain.delivery import ACCEPTED, Outcome, OutcomeKind
from syndicate.domain.edition import Edition, EditionState
from syndicate.domain.feed import Feed, Site
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.partner import Endpoint
from syndicate.domain.selection import Selection
from syndicate.domain.slot import parse_schedule
from syndicate.domain.source import FoundArticle, Gathered, Look, Memory, SourceConfig
from syndicate.domain.token import Keyring
from syndicate.ports import Mail, Parcel
from syndicate.store import articles, audience, changes
from tests.channels.mail_rules import INBOX
from tests.phrases import PHRASES

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
PEPPER = b"pepper" * 6
RING = Keyring(keys={1: b"1" * 32})
DEFERRED = Outcome(kind=OutcomeKind.DEFERRED, code="451 4.7.1", text="later")
REFUSED = Outcome(kind=OutcomeKind.REFUSED, code="550 5.1.1", text="no such user")
UNCERTAIN = Outcome(kind=OutcomeKind.UNCERTAIN, code="timeout", text="no reply")
SITE = Site(
    title="Lintas Pagi",
    url="https://lintaspagi.example/",
    public_url="https://berita.lintaspagi.example",
    phrases=PHRASES,
    contact="redaksi@lintaspagi.example",
    tag_host="lintaspagi.example",
)
_CONTENT = frozenset(Content.__dataclass_fields__)


def make_content(**changes: Any) -> Content:
    """What a story says."""
    content = Content(
        title="Harga cabai turun",
        summary="Pasokan dari lereng membaik.",
        body_html="<p>Harga cabai di pasar induk turun sejak pagi karena pasokan dari lereng kembali lancar.</p>",
        published=NOW - timedelta(hours=2),
        updated=NOW - timedelta(hours=2),
        url="https://lintaspagi.example/cabai",
        authors=("Ratna Dewi",),
        sections=("Daerah/Semarang",),
        tags=("pangan",),
    )
    return replace(content, **changes)


def make_article(number: int = 1, **changes: Any) -> Article:
    """A story; `changes` go to it or to its content, by name."""
    identifier = article_id("lintas", f"k{number}")
    at = NOW - timedelta(hours=2) + timedelta(minutes=number)
    words = {"title": f"Berita {number}", "url": f"https://lintaspagi.example/{number}", "published": at, "updated": at}
    article = Article(
        id=identifier,
        public_id=public_id("lintaspagi.example", 2026, identifier),
        source="lintas",
        source_key=f"k{number}",
        version=1,
        content=make_content(**words | {k: v for k, v in changes.items() if k in _CONTENT}),
        edit=Edit.FIRST,
        state=ArticleState.PUBLISHED,
        first_seen=at,
        sort_at=at,
        seq=number,
        changed_at=at,
        announced=True,
    )
    return replace(article, **{k: v for k, v in changes.items() if k not in _CONTENT})


def make_change(article: Article, kind: ChangeKind = ChangeKind.PUBLISHED, **changes: Any) -> Change:
    """A row of the change log about an article."""
    change = Change(
        seq=article.seq,
        article_id=article.id,
        version=article.version,
        kind=kind,
        edit=article.edit,
        baseline=not article.announced,
        at=article.changed_at,
    )
    return replace(change, **changes)


def make_newsletter(**changes: Any) -> Newsletter:
    """A newsletter that takes everything, every morning at six."""
    newsletter = Newsletter(
        name="pagi",
        title="Lintas Pagi",
        selection=Selection(),
        schedule=parse_schedule("06:00"),
        timezone="Asia/Jakarta",
        sender_name="Lintas Pagi",
        sender_address="pagi@lintaspagi.example",
        channel="post",
    )
    return replace(newsletter, **changes)


def make_feed(**changes: Any) -> Feed:
    """A feed that holds everything."""
    return replace(Feed(name="terkini", title="Lintas Pagi Terkini", selection=Selection()), **changes)


def make_endpoint(**changes: Any) -> Endpoint:
    """A partner's address that takes everything."""
    endpoint = Endpoint(
        name="portal",
        partner="portal",
        kind="scripted",
        url="https://portal.example/hook",
        secrets=(b"s" * 32,),
        selection=Selection(),
    )
    return replace(endpoint, **changes)


def make_config(**changes: Any) -> SourceConfig:
    """A source that is looked at every five minutes."""
    config = SourceConfig(
        name="lintas", kind="scripted", location="https://lintaspagi.example/feed", every=timedelta(minutes=5)
    )
    return replace(config, **changes)


def make_edition(**changes: Any) -> Edition:
    """An edition that is being composed."""
    edition = Edition(
        id=0,
        newsletter="pagi",
        slot="2026-11-24T0600",
        slot_at=NOW - timedelta(hours=1),
        state=EditionState.COMPOSING,
        cut_from=0,
        cut_to=10,
        created_at=NOW,
    )
    return replace(edition, **changes)


async def add_article(
    connection: AsyncConnection, article: Article, kind: ChangeKind = ChangeKind.PUBLISHED
) -> Article:
    """Writes a story and its change down, as gathering does."""
    await articles.add(connection, article, digest=content_hash(article.content))
    change = make_change(article, kind)
    row = {name: getattr(change, name) for name in ("article_id", "version", "kind", "edit", "baseline", "at", "note")}
    logged = replace(article, seq=await changes.append(connection, **row))
    await articles.set_state(connection, logged)
    return logged


async def add_reader(
    connection: AsyncConnection, number: int, newsletter: str | None = "pagi", *, name: str = ""
) -> Subscriber:
    """A subscriber of before the edition."""
    address = f"pembaca{number}@pembaca.example"
    person = Subscriber(id=0, address=address, name=name or f"Pembaca {number}", created_at=NOW - timedelta(days=9))
    added = await audience.add(connection, person, digest=address_digest(PEPPER, address))
    if newsletter:
        await audience.subscribe(connection, newsletter, added.id, origin="form", now=NOW - timedelta(days=9))
    return added


class SetClock:
    """A clock that a test sets."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> datetime:
        self.at += timedelta(**span)
        return self.at


class ScriptedSource:
    """A newsroom that does what the test says. Like a feed, each look shows everything that stands in it."""

    def __init__(self) -> None:
        self.stories: dict[str, FoundArticle] = {}
        self.looks = 0
        self.seen: list[Memory] = []
        self._extra: dict[str, Any] = {}

    def publish(self, key: str, *, aliases: tuple[str, ...] = (), **content: Any) -> None:
        """A story appears."""
        words = make_content(**{"title": f"Berita {key}", "url": f"https://lintaspagi.example/{key}"} | content)
        self.stories[key] = FoundArticle(key=key, content=words, aliases=aliases)

    def edit(self, key: str, **content: Any) -> None:
        """A story changes."""
        story = self.stories[key]
        self.stories[key] = replace(story, content=replace(story.content, **content))

    def withdraw(self, *keys: str) -> None:
        """The newsroom says that these are no more."""
        for key in keys:
            self.stories.pop(key, None)
        self.next_look(gone=frozenset(keys))

    def rename(self, old: str, new: str) -> None:
        """A story moves to another key, and the source says so."""
        self.stories[new] = replace(self.stories.pop(old), key=new)
        self.next_look(moved={old: new})

    def fail(self, problem: str = "no answer", **more: Any) -> None:
        """The next look brings nothing."""
        self.next_look(look=Look.FAILED, problem=problem, articles=(), memory=None, **more)

    def next_look(self, **values: Any) -> None:
        """What the next look says besides the stories."""
        self._extra |= values

    async def gather(self, memory: Memory, *, now: datetime) -> Gathered:
        self.looks += 1
        self.seen.append(memory)
        extra, self._extra = self._extra, {}
        brought = {"look": Look.OK, "articles": tuple(self.stories.values())}
        return Gathered(**brought | {"memory": Memory(values={"look": str(self.looks)})} | extra)


class ScriptedMailer:
    """A channel that answers what the test says: a recipient's answers in order, then `accepted`."""

    def __init__(self, answers: Mapping[str, Sequence[Outcome | Exception]] | None = None) -> None:
        self.connections, self.per_call = 2, 8
        self.answers = {recipient: deque(outcomes) for recipient, outcomes in (answers or {}).items()}
        self.sent: list[Mail] = []
        self.on_enter: Callable[[Sequence[Mail]], Awaitable[None]] = _nothing
        self.on_mail: Callable[[Mail], Awaitable[None]] = _nothing

    async def send(
        self, mails: Sequence[Mail], *, may_send: Callable[[int], bool]
    ) -> AsyncIterator[tuple[int, Outcome | None]]:
        await self.on_enter(mails)
        for mail in mails:
            await self.on_mail(mail)
            INBOX.take(mail.sender, mail.recipient, mail.content)
            yield mail.delivery, self._answer(mail) if may_send(mail.delivery) else None

    async def aclose(self) -> None:
        """Nothing is open."""

    def recipients(self) -> list[str]:
        return sorted(mail.recipient for mail in self.sent)

    def _answer(self, mail: Mail) -> Outcome:
        waiting = self.answers.get(mail.recipient)
        answer = waiting.popleft() if waiting else ACCEPTED
        if isinstance(answer, Exception):
            raise answer
        if answer.kind is OutcomeKind.ACCEPTED:
            self.sent.append(mail)
        return answer


async def _nothing(_: object) -> None:
    """Lets the mails pass."""


class ScriptedPusher:
    """A partner that answers what the test says, in order, then `accepted`; keeps what it got."""

    def __init__(self, *answers: Outcome) -> None:
        self.answers = deque(answers)
        self.got: list[Parcel] = []
        self.tries = 0

    async def push(self, endpoint: Endpoint, parcel: Parcel, *, now: datetime) -> Outcome:
        self.tries += 1
        answer = self.answers.popleft() if self.answers else ACCEPTED
        if answer.kind is OutcomeKind.ACCEPTED:
            self.got.append(parcel)
        return answer

    def types(self) -> list[str]:
        return [parcel.type for parcel in self.got]
