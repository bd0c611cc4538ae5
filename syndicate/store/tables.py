"""All tables on one page. A new column is a line here and one migration.

Instants are microseconds since 1970 in UTC: the same on both databases, and they sort. Lists and small records are
JSON text. Ledger rows are narrow, and no column that changes often has an index.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# SQLite numbers rows by itself only for INTEGER primary keys, and with `sqlite_autoincrement` never gives a number
# twice: links, bounce addresses and job ids outlive their rows.
_Id = BigInteger().with_variant(Integer(), "sqlite")


def to_instant(value: datetime) -> int:
    """A moment as it is written."""
    return (value - _EPOCH) // timedelta(microseconds=1)


def from_instant(value: int) -> datetime:
    """A moment as it is kept."""
    return _EPOCH + timedelta(microseconds=value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since 1970 UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_instant(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_instant(value)


class Json(TypeDecorator[Any]):
    """A small record as JSON text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# ── the spine ────────────────────────────────────────────────────────────────────────────────────────────────────
counters = (
    Table(  # 'seq': the last seq of the change log; its row lock puts seq into commit order. 'candidates': a lock
        "counters",
        metadata,
        Column("name", String(80), primary_key=True),
        Column("value", BigInteger, nullable=False),
    )
)
sources = Table(  # what we remember of each source between two looks
    "sources",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("memory", Json, nullable=False),
    Column("imported", Boolean, nullable=False),  # the first import is whole
    Column("looked_at", Instant),
    Column("next_at", Instant, nullable=False),
    Column("errors", Integer, nullable=False),  # in a row
    Column("strikes", Float, nullable=False),  # the same, weighed
    Column("failing_since", Instant),
    Column("look", String(12), nullable=False),
    Column("problem", Text, nullable=False),
    Column("problems", Json, nullable=False),  # stories with a flaw, one line each
    Column("suspended", Boolean, nullable=False),
    Column("left_out", Json, nullable=False),  # keys of stories that were too old for the first import
)
articles = Table(
    "articles",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    Column("source", String(40), nullable=False),
    Column("source_key", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    Column("edit", String(12), nullable=False),  # of the newest version
    Column("first_seen", Instant, nullable=False),
    Column("sort_at", Instant, nullable=False),
    Column("seq", BigInteger, nullable=False),  # of its latest change
    Column("changed_at", Instant, nullable=False),
    Column("loud_at", Instant),  # last corrected or withdrawn
    Column("announced", Boolean, nullable=False),  # False: came with a first import
    Column("churn", Integer, nullable=False),  # edits in a row that left the dates alone
    Column("note", Text, nullable=False),
    Column("own_page", Boolean, nullable=False, server_default=false()),  # the newsroom has none: ours is the story's
    UniqueConstraint("source", "source_key"),
    Index(None, "sort_at"),
    Index(None, "source", "sort_at"),  # the newest of one source, before each look
    Index(None, "own_page", "sort_at"),  # for the sitemap
)
article_versions = Table(  # append-only
    "article_versions",
    metadata,
    Column("article_id", String(64), ForeignKey("articles.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("hash", String(32), nullable=False),
    Column("edit", String(12), nullable=False),
    Column("content", Json, nullable=False),
    Column("seen_at", Instant, nullable=False),
)
article_aliases = Table(  # other names of a story inside its source: URLs, old keys
    "article_aliases",
    metadata,
    Column("source", String(40), primary_key=True),
    Column("alias", String(700), primary_key=True),
    Column("article_id", String(64), ForeignKey("articles.id"), nullable=False),
)
changes = Table(
    "changes",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("article_id", String(64), ForeignKey("articles.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("edit", String(12), nullable=False),
    Column("baseline", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
    Column("note", Text, nullable=False),
    Index(None, "article_id"),
)
article_sketches = Table(  # hashes of newest versions, by which like stories are found; see domain/likeness.py
    "article_sketches",
    metadata,
    Column("hash", BigInteger, primary_key=True, autoincrement=False),
    Column("article_id", String(64), ForeignKey("articles.id"), primary_key=True),
    Column("at", Instant, nullable=False),  # of the article in feed order; old ones are forgotten
    Index(None, "article_id"),
    Index(None, "at"),
)
article_links = Table(  # the later article and the one before it that it is like
    "article_links",
    metadata,
    Column("article_id", String(64), ForeignKey("articles.id"), primary_key=True),
    Column("other_id", String(64), ForeignKey("articles.id"), primary_key=True),
    Column("kind", String(8), nullable=False),  # double, copy
    Column("at", Instant, nullable=False),
    Index(None, "other_id"),
)
desk_words = Table(  # what a person of the newsroom said, for as long as it outranks the source; see domain/desk.py
    "desk_words",
    metadata,
    Column("article_id", String(64), ForeignKey("articles.id"), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("standing", String(12), nullable=False),  # published, withdrawn; "" where only words were corrected
    Column("based_on", Json, nullable=False),  # what the source showed when it was said
    Column("shown", Json, nullable=False),  # what the source showed last
    Column("says", Json, nullable=False),  # the desk's own text, by field
)
cursors = Table(  # how far each reader of the change log has read
    "cursors",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)
media = Table(  # pictures we hold; the bytes lie in var/media/HASH
    "media",
    metadata,
    Column("hash", String(32), primary_key=True),
    Column("mime_type", String(40), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("seen_at", Instant, nullable=False),
)
pictures = Table(  # lead pictures of newsrooms: what their addresses gave when we last asked
    "pictures",
    metadata,
    Column("source", String(40), primary_key=True),
    Column("url_digest", String(32), primary_key=True),
    Column("held", Json, nullable=False),  # hashes, type and size of what we hold; {}: it never came
    Column("etag", Text, nullable=False),
    Column("last_modified", Text, nullable=False),
    Column("checked_at", Instant, nullable=False),
    Column("failures", Integer, nullable=False),  # in a row
    Column("problem", Text, nullable=False),
)

# ── feeds ────────────────────────────────────────────────────────────────────────────────────────────────────────
feeds = Table(
    "feeds",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("shape", String(32), nullable=False),  # digest of its configuration; another one means: rebuild
    Column("manifest", String(32), nullable=False),  # digest of what it shows, and in which shape
    Column("updated_at", Instant, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("lines", Text, nullable=False, server_default=""),  # marks of feed_lines, see domain/manifest.py
    Column("gone", Json, nullable=False, server_default="[]"),  # tombstones
    Column("archive", String(7), nullable=False, server_default=""),  # newest finished month with stories: "2026-05"
)
feed_lines = Table(  # lines of manifests, see domain/manifest.py: each is kept once, however many feeds show it
    "feed_lines",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("line", Text, nullable=False),
)
feed_entries = Table(  # which articles a feed's Selection holds; by article, so that a change writes one place
    "feed_entries",
    metadata,
    Column("article_id", String(64), ForeignKey("articles.id"), primary_key=True),
    Column("feed", String(40), primary_key=True),
    Column("sort_at", Instant, nullable=False),
    Index(None, "feed", "sort_at"),
)
fragments = Table(  # an article as bytes in one format, made once per change, never overwritten
    "fragments",
    metadata,
    Column("article_id", String(64), ForeignKey("articles.id"), primary_key=True),
    Column("flavour", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
    Column("squeezed", LargeBinary, nullable=False),
)
quarantine = Table(  # articles that a format could not write; the feed goes on without them
    "quarantine",
    metadata,
    Column("article_id", String(64), ForeignKey("articles.id"), primary_key=True),
    Column("format", String(16), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("problem", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

# ── mail readers ─────────────────────────────────────────────────────────────────────────────────────────────────
subscribers = Table(
    "subscribers",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("address", String(254), nullable=False),
    Column("folded", String(254), nullable=False, unique=True),  # casefolded: one person, one row
    Column("digest", String(64), nullable=False, unique=True),  # HMAC of the folded address, as in suppressions
    Column("name", Text, nullable=False),
    Column("language", String(16), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("hour", Integer),  # of the reader's own day, 0 to 23, before which no edition comes; NULL: at once
    Column("paused_until", Instant),  # no edition that is frozen before
    Column("moved_at", Instant),  # when the address was another one last
    sqlite_autoincrement=True,
)
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("newsletter", String(40), primary_key=True),
    Column("subscriber_id", BigInteger, ForeignKey("subscribers.id"), primary_key=True),
    Column("state", String(12), nullable=False),
    Column("since", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("origin", Text, nullable=False),  # where the consent came from, in words
    Column("topics", Json, nullable=False, server_default="[]"),  # slugs of the newsletter's topics; []: all of it
    Column("rhythm", String(8), nullable=False, server_default="each"),  # each, weekly, breaking
    Index(None, "subscriber_id"),
)
suppressions = Table(
    "suppressions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("reason", String(40), nullable=False),
    Column("at", Instant, nullable=False),
    Column("until", Instant),  # of a suspension; NULL: for good
)

sign_ups = Table(  # what waits for a reader's own word, and single mails beside; they go after a week, answered or not
    "sign_ups",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("address", String(254), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("newsletters", Json, nullable=False),
    Column("language", String(16), nullable=False),
    Column("origin", String(8), nullable=False),  # page, form, api, link
    Column("asked_at", Instant, nullable=False),
    Column("state", String(12), nullable=False),  # of the confirmation mail, see domain/delivery.py
    Column("attempt", Integer, nullable=False),
    Column("code", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("answer", String(12), nullable=False),  # confirmed, denied; "" while it waits
    Column("kind", String(8), nullable=False, server_default="join"),  # join, move; notice: asks nothing
    Column("subscriber_id", BigInteger),  # who wants to be written to at this address, or was until now
    Index(None, "asked_at"),
    sqlite_autoincrement=True,
)
consents = Table(  # append-only: who said what to which text; by the address's digest, so it outlives an erased person
    "consents",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("newsletter", String(40), nullable=False),  # "" for what a person says of themselves
    Column("what", String(12), nullable=False),  # asked, confirmed, denied, ended, changed, moved, erased
    Column("at", Instant, nullable=False),
    Column("origin", Text, nullable=False),  # page, form, api, link, or where an operator has it from, in words
    Column("network", String(48), nullable=False),  # of the reader, never the whole address
    Column("language", String(16), nullable=False),
    Column("text_version", Integer, nullable=False),  # of the text that was shown; 0: none
    Column("text_hash", String(64), nullable=False),
    Column("note", Text, nullable=False, server_default=""),  # what was chosen
    Index(None, "digest"),
    sqlite_autoincrement=True,
)
rates = Table(  # GCRA: how often what may happen; a row in the past says nothing and is dropped
    "rates",
    metadata,
    Column("key", String(120), primary_key=True),
    Column("free_at", BigInteger, nullable=False),  # microseconds since 1970: until when the allowance is spent
    Index(None, "free_at"),
)

# ── editions and the ledger ──────────────────────────────────────────────────────────────────────────────────────
editions = Table(
    "editions",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("newsletter", String(40), nullable=False),
    Column("slot", String(40), nullable=False),
    Column("slot_at", Instant, nullable=False),
    Column("state", String(12), nullable=False),
    Column("cut_from", BigInteger, nullable=False),
    Column("cut_to", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("frozen_at", Instant),
    Column("released_at", Instant),  # from its last hold
    Column("done_at", Instant),
    Column("why", Text, nullable=False),
    Column("channel", String(40), nullable=False, server_default=""),  # of the newsletter when it was composed
    Column("rhythm", String(8), nullable=False, server_default="each"),  # whom it is for: each, weekly, breaking
    UniqueConstraint("newsletter", "slot"),
    Index(None, "created_at"),  # for the sitemap
    sqlite_autoincrement=True,
)
pauses = Table(  # newsletters of which nothing goes out until a person resumes them
    "pauses",
    metadata,
    Column("newsletter", String(40), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", String(80), nullable=False),
    Column("why", Text, nullable=False),
)
directions = Table(  # what the desk wants of an edition; see domain/direction.py
    "directions",
    metadata,
    Column("newsletter", String(40), primary_key=True),
    Column("slot", String(40), primary_key=True),  # "next" until that edition is composed
    Column("first_ids", Json, nullable=False),  # articles that come first, in this order
    Column("dropped_ids", Json, nullable=False),
    Column("intro", Text, nullable=False),
    Column("hold", Text, nullable=False),  # why it is to be held at its freeze; "" if it isn't
    Column("revision", Integer, nullable=False),  # goes up with each word of the desk
)
edition_articles = Table(
    "edition_articles",
    metadata,
    Column("edition_id", BigInteger, ForeignKey("editions.id"), primary_key=True),
    Column("article_id", String(64), ForeignKey("articles.id"), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("left_out", String(12), nullable=False),  # "" for what it holds
    Index(None, "article_id"),
)
edition_variants = Table(  # one rendering of an edition; holes are marked by `mark`, which is "" until it is rendered
    "edition_variants",
    metadata,
    Column("edition_id", BigInteger, ForeignKey("editions.id"), primary_key=True),
    Column("variant", String(64), primary_key=True),
    Column("mark", String(16), nullable=False),
    Column("subject", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("number", Integer, nullable=False, server_default="0"),  # as deliveries name it; 0 is the whole edition
    Column("key", Json, nullable=False, server_default="{}"),  # what sets it apart, see domain/variant.py
)
edition_books = Table(  # kept counts, so that no page counts rows
    "edition_books",
    metadata,
    Column("edition_id", BigInteger, ForeignKey("editions.id"), primary_key=True, autoincrement=False),
    Column("candidates", Integer, nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("uncertain", Integer, nullable=False),
    Column("excluded", Integer, nullable=False),
    Column("open", Integer, nullable=False),
)
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("edition_id", BigInteger, ForeignKey("editions.id"), nullable=False),
    Column("subscriber_id", BigInteger, nullable=False),  # no key: the ledger outlives an erased person
    Column("state", String(12), nullable=False),
    Column("reason", String(24), nullable=False),  # of an exclusion
    Column("attempt", Integer, nullable=False),
    Column("first_due", Instant, nullable=False),
    Column("not_before", Instant),
    Column("owner", String(64), nullable=False),  # the node that holds it
    Column("code", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("provider_ref", Text, nullable=False),
    Column("settled_at", Instant),
    Column("receipt", String(12), nullable=False, server_default=""),  # delivered, bounced, complained: said later
    Column("variant", SmallInteger, nullable=False, server_default="0"),  # its number among the edition's
    UniqueConstraint("edition_id", "subscriber_id"),
    Index(None, "subscriber_id"),
    sqlite_autoincrement=True,
)
_BY_PERSON = text("delivery_id IS NULL")  # all others are found by the delivery
receipts = Table(  # what the world said later, as it came; see domain/receipt.py
    "receipts",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),  # of the raw bytes, or of a provider's event id
    Column("origin", String(48), nullable=False),  # the [[receipts]] it came by, or KIND/NAME of a channel
    Column("received_at", Instant, nullable=False),
    Column("state", String(8), nullable=False),  # new, done, failed
    Column("body", LargeBinary),  # capped; NULL once it is understood
    Column("verdict", String(12), nullable=False),
    Column("status", String(16), nullable=False),  # "5.1.1"
    Column("text", Text, nullable=False),
    Column("step", String(12), nullable=False),  # what followed for the person: suppress, suspend, unsubscribe
    Column("delivery_id", BigInteger),
    Column("subscriber_id", BigInteger),
    Index(None, "delivery_id"),
    Index(None, "subscriber_id", sqlite_where=_BY_PERSON, postgresql_where=_BY_PERSON),
    Index(None, "state", "id"),
    sqlite_autoincrement=True,
)

# ── partners ─────────────────────────────────────────────────────────────────────────────────────────────────────
partner_keys = Table(
    "partner_keys",
    metadata,
    Column("id", String(8), primary_key=True),
    Column("partner", String(40), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)
endpoints = Table(  # how each endpoint does; its address and secret stand in the configuration
    "endpoints",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("disabled_at", Instant),
    Column("why", Text, nullable=False),
)
pushes = Table(
    "pushes",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("endpoint", String(40), nullable=False),
    Column("seq", BigInteger, nullable=False),  # of the change; 0 for an edition
    Column("subject", String(80), nullable=False),  # "article:ID" or "edition:ID"
    Column("type", String(40), nullable=False),
    Column("article_id", String(64)),
    Column("edition_id", BigInteger),
    Column("state", String(12), nullable=False),
    Column("arrived", Boolean, nullable=False),  # it may be with the partner, whatever its state says
    Column("reason", String(24), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", Instant, nullable=False),  # of what it tells about
    Column("first_due", Instant, nullable=False),
    Column("not_before", Instant),
    Column("owner", String(64), nullable=False),
    Column("code", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("settled_at", Instant),
    UniqueConstraint("endpoint", "subject", "seq"),
    Index(None, "endpoint", "id"),
    sqlite_autoincrement=True,
)

# ── the house ────────────────────────────────────────────────────────────────────────────────────────────────────
accounts = Table(
    "accounts",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("role", String(8), nullable=False),
    Column("password_hash", String(128), nullable=False),  # argon2id, with its parameters and salt
    Column("created_at", Instant, nullable=False),
    Column("signed_in_at", Instant),
)
sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),  # of the identifier in the cookie
    Column("account", String(40), ForeignKey("accounts.name"), nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Index(None, "account"),
)
audit = Table(  # append-only: who did what; it outlives the accounts it names
    "audit",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", String(80), nullable=False),
    Column("what", String(24), nullable=False),
    Column("subject", String(80), nullable=False),
    Column("network", String(48), nullable=False),  # never a whole address; "" after 180 days
    Column("note", Text, nullable=False),
    Index(None, "who", "at"),
    sqlite_autoincrement=True,
)

# ── work ─────────────────────────────────────────────────────────────────────────────────────────────────────────
jobs = Table(  # the outbox: a row is work to be done; a finished job's row is gone, a poisoned one stays `dead`
    "jobs",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("lane", String(16), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("key", String(120), nullable=False, unique=True),
    Column("ref", Json, nullable=False),
    Column("state", String(8), nullable=False),  # pending, dead
    Column("attempt", Integer, nullable=False),
    Column("asked", Integer, nullable=False),  # how often it was asked for; asked again while running: run again
    Column("not_before", Instant, nullable=False),
    Column("published_at", Instant),
    Column("problem", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)
job_runs = Table(  # every slot that was fired, once
    "job_runs",
    metadata,
    Column("job", String(80), primary_key=True),
    Column("slot", String(40), primary_key=True),
    Column("node", String(64), nullable=False),
    Column("slot_at", Instant, nullable=False),
    Column("at", Instant, nullable=False),
    Column("why", String(12), nullable=False),  # fired, late, born
)
leases = Table(
    "leases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("node", String(64), nullable=False),
    Column("beat", BigInteger, nullable=False),  # only ever raised by its holder
)
nodes = Table(
    "nodes",
    metadata,
    Column("id", String(64), primary_key=True),  # of one process: HOST:PID:RANDOM
    Column("host", String(64), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("seen_at", Instant, nullable=False),
)
fences = Table(  # the highest fence each install has put on disk beside its keys
    "fences",
    metadata,
    Column("install", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
domain_holds = Table(  # mail domains that refuse what we are, not whom we write to; nothing goes there until then
    "domain_holds",
    metadata,
    Column("channel", String(40), primary_key=True),
    Column("domain", String(253), primary_key=True),
    Column("why", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("until", Instant, nullable=False),
)
holds = Table(  # reasons why nothing may be sent until a person has looked
    "holds",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("why", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
