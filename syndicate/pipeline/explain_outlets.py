"""Pushes, manifests and change log → why a partner or a feed did, or didn't, get a story. Only looks."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.delivery import Exclusion, State
from syndicate.domain.explanation import Answer, Explanation
from syndicate.domain.feed import CORRECTIONS_STAY, Feed, month_of, tombstone_of
from syndicate.domain.manifest import entry_key
from syndicate.domain.partner import EDITION_TYPE, WITHDRAWN_TYPE, Endpoint
from syndicate.pipeline.likeness import firsts_of
from syndicate.pipeline.notify import endpoint_place
from syndicate.pipeline.publish import CURSOR, Press
from syndicate.pipeline.trail import Trail, refused_by, tell_article
from syndicate.store import changes, editions, feeds, partners
from syndicate.store.db import Database
from syndicate.store.feeds import Manifest
from syndicate.store.partners import PushLine

_DROPPED = {
    Exclusion.SUPERSEDED: "a newer version went in its place",
    Exclusion.ENDPOINT_DISABLED: "the endpoint was switched off",
    Exclusion.CANCELLED: "the edition was cancelled",
}


async def explain_partner(
    db: Database, partner: str, article_id: str, endpoints: Sequence[Endpoint], press: Press, *, now: datetime
) -> Explanation:
    """Why a partner did, or didn't, get a story: by `endpoints`, which are its own, and by its private feeds.

    Raises NotFound where there is no such article.
    """
    trail = Trail(zone=press.site.timezone)
    own_feeds = [feed for feed in press.feeds if partner in feed.partners]
    async with db.read() as connection:
        article, _ = await tell_article(connection, trail, article_id)
        numbers = await _edition_numbers(connection, article_id, endpoints)
        subjects = [f"article:{article_id}", *numbers]
        told = await partners.about(connection, [one.name for one in endpoints], subjects)
        off = await partners.disabled(connection)
        for endpoint in endpoints:
            mine = [one for one in told if one.endpoint == endpoint.name]
            await _tell_endpoint(connection, trail, endpoint, article, mine, off.get(endpoint.name))
            for push in mine:
                _tell_push(trail, push, numbers.get(push.subject))
        if own_feeds:
            held = [key.id for key in await partners.keys(connection) if key.partner == partner and not key.revoked_at]
            await _tell_private(connection, trail, own_feeds, article, press, keys=held, now=now)
    if not endpoints and not own_feeds:
        trail.note("partner.nothing", f"{partner} has neither an endpoint nor a feed of its own.", Answer.NO)
    return trail.explanation()


async def explain_feed(db: Database, feed: Feed, article_id: str, press: Press, *, now: datetime) -> Explanation:
    """Why a feed does, or doesn't, show a story. Raises NotFound where there is no such article."""
    trail = Trail(zone=press.site.timezone)
    async with db.read() as connection:
        article, _ = await tell_article(connection, trail, article_id)
        await _tell_feed(connection, trail, feed, article, press, now=now)
    return trail.explanation()


async def _edition_numbers(
    connection: AsyncConnection, article_id: str, endpoints: Sequence[Endpoint]
) -> Mapping[str, str]:
    """The editions with the story that an endpoint may be told of: subject of the push → NEWSLETTER/SLOT."""
    names = {name for endpoint in endpoints for name in endpoint.newsletters}
    held = await editions.with_article(connection, article_id, names) if names else []
    return {f"edition:{one.id}": f"{one.newsletter}/{one.slot}" for one, story in held if not story.left_out}


async def _tell_endpoint(
    connection: AsyncConnection,
    trail: Trail,
    endpoint: Endpoint,
    article: Article,
    told: Sequence[PushLine],
    off: str | None,
) -> None:
    """Whether the endpoint is to be told of the story, and whether its turn has come."""
    name, facts = endpoint.name, {"endpoint": endpoint.name}
    if off is not None:
        said = f"The endpoint {name} is switched off: {off}. What is planned waits for `syndicate partners enable`."
        trail.note("endpoint.off", said, **facts, why=off)
    place = await changes.cursor(connection, endpoint_place(endpoint)) or 0
    why = await _unwanted(connection, endpoint, article)
    rule, said = why or ("endpoint.selection", f"The selection of {name} holds it.")
    if any(one.type != EDITION_TYPE for one in told):
        trail.note(rule, said, **facts)
    elif why is not None:
        trail.note(rule, said, Answer.NO, **facts)
    elif place < article.seq:
        trail.note(rule, said, **facts)
        said = f"{name} has been planned for up to change {place}; change {article.seq} is next."
        trail.note("endpoint.ahead", said, Answer.NOT_YET, **facts, place=place)
    else:
        trail.note(rule, said, **facts)
        said = (
            f"{name} has been planned for up to change {place} and nothing was pushed: it is younger than the story, "
        )
        said += "the story was withdrawn before it was told, or the selection was another then."
        trail.note("endpoint.passed", said, Answer.NO, **facts, place=place)


async def _unwanted(connection: AsyncConnection, endpoint: Endpoint, article: Article) -> tuple[str, str] | None:
    """Why an endpoint isn't told of a story, by today's rules: (rule, sentence)."""
    if not article.announced:
        return "story.baseline", "It came with its source's first import: into feeds, not into pushes."
    if why := refused_by(endpoint.selection, article):
        return "endpoint.selection_refused", f"It doesn't belong to {endpoint.name}: {why}."
    first = (await firsts_of(connection, [article.id])).get(article.id)
    if first is not None and first.state is ArticleState.PUBLISHED and endpoint.selection.holds(first):
        return "story.double", f"The newsroom posted {first.id} again with it; only the first posting is pushed."
    return None


def _tell_push(trail: Trail, push: PushLine, edition: str | None) -> None:
    about = f" with {edition}" if edition else ""
    told = f"Push {push.id}, {push.type}{about}, to {push.endpoint}:"
    words, answer = _push_words(trail, push)
    facts: dict[str, object] = {"push": push.id, "endpoint": push.endpoint, "type": push.type, "reason": push.reason}
    facts |= {"code": push.code, "text": push.text, "attempt": push.attempt, "at": push.settled_at, "edition": edition}
    decides = None if push.type == WITHDRAWN_TYPE else answer  # that one takes it away
    trail.note(f"push.{push.state}", f"{told} {words}", decides, **facts)


def _push_words(trail: Trail, push: PushLine) -> tuple[str, Answer]:
    reply = f" It said: {' '.join(filter(None, (push.code, push.text)))}." if push.code or push.text else ""
    at = f" at {trail.at(push.settled_at)}" if push.settled_at else ""
    match State(push.state):
        case State.ACCEPTED:
            return f"taken over{at}.{reply}", Answer.YES
        case State.REFUSED:
            return f"a dead letter{at}; `syndicate partners replay {push.id}` tries it once more.{reply}", Answer.NO
        case State.UNCERTAIN:
            return f"it may or may not have arrived.{reply}", Answer.UNKNOWN
        case State.EXCLUDED:
            return f"dropped{at}, because {_DROPPED[Exclusion(push.reason)]}.", Answer.NO
        case State.DEFERRED:
            again = f" from {trail.at(push.not_before)} on" if push.not_before else ""
            return f"put off; it is tried again{again}; tries so far: {push.attempt}.{reply}", Answer.NOT_YET
        case State.SENDING:
            return "on its way right now.", Answer.NOT_YET
        case State.DUE | State.CLAIMED:
            return "still to be pushed.", Answer.NOT_YET


async def _tell_private(
    connection: AsyncConnection,
    trail: Trail,
    own_feeds: Sequence[Feed],
    article: Article,
    press: Press,
    *,
    keys: Sequence[str],
    now: datetime,
) -> None:
    """A private feed gives the story to whoever has a live key and asks."""
    if not keys:
        said = "The partner has no live key, so it can't read its private feeds; `syndicate partners key` makes one."
        trail.note("partner.no_key", said, Answer.NO)
    for feed in own_feeds:
        before = len(trail.answers)
        await _tell_feed(connection, trail, feed, article, press, now=now)
        if not keys:
            del trail.answers[before:]


async def _tell_feed(
    connection: AsyncConnection, trail: Trail, feed: Feed, article: Article, press: Press, *, now: datetime
) -> None:
    name = feed.name
    if why := refused_by(feed.selection, article):
        said = f"It doesn't belong to the feed {name}: {why}."
        trail.note("feed.selection_refused", said, Answer.NO, feed=name)
        return
    trail.note("feed.selection", f"The selection of the feed {name} holds it.", feed=name)
    shown = (await feeds.manifests(connection, [name])).get(name)
    if shown is None:
        said = f"The feed {name} hasn't been published yet."
        trail.note("feed.unpublished", said, Answer.NOT_YET, feed=name)
        return
    place, _ = await changes.unread(connection, CURSOR)
    behind = place < article.seq
    if behind:
        said = f"Feeds are published up to change {place}; change {article.seq} is next."
        trail.note("feed.ahead", said, feed=name, place=place)
    keys = [entry_key(line)[0] for line in shown.lines]
    if article.id in keys:
        await _tell_shown(connection, trail, feed, article, keys)
    elif behind or shown.state.shape != press.shapes[name]:
        said = f"The feed {name} shows it once it is published again."
        trail.note("feed.waits", said, Answer.NOT_YET, feed=name)
    else:
        _tell_fallen(trail, feed, article, shown, press, now=now)


async def _tell_shown(
    connection: AsyncConnection, trail: Trail, feed: Feed, article: Article, keys: Sequence[str]
) -> None:
    place = keys.index(article.id) + 1
    notice = "" if article.state is ArticleState.PUBLISHED else ", as the notice that it was withdrawn"
    said = f"It stands in {feed.name} on place {place} of {len(keys)}{notice}."
    trail.note("feed.shown", said, feed=feed.name, place=place, of=len(keys))
    bad = [one for one in await feeds.quarantined(connection, article_id=article.id) if one.format in feed.formats]
    for one in bad:
        said = f"Not in {feed.name}.{one.format}: {one.problem}"
        trail.note("feed.quarantined", said, feed=feed.name, format=one.format, at=one.at)
    left_out = len({one.format for one in bad}) == len(feed.formats)
    trail.answers.append(Answer.NO if left_out else Answer.YES)


def _tell_fallen(trail: Trail, feed: Feed, article: Article, shown: Manifest, press: Press, *, now: datetime) -> None:
    """Why a story of the feed's isn't, or is no longer, in its document."""
    name, stay = feed.name, CORRECTIONS_STAY.days
    if article.state is ArticleState.WITHDRAWN:
        stone = tombstone_of(article)
        buried = stone is not None and stone.ref in {one.ref for one in shown.gone}
        after = "; a tombstone stands for it in Atom" if buried and "atom" in feed.formats else ""
        said = f"It was withdrawn; the notice left {name} after {stay} days{after}."
        trail.note("feed.withdrawn", said, Answer.NO, feed=name, tombstone=buried)
        return
    said = f"{name} shows the newest {feed.limit}, in order of first coming in, and what was corrected or withdrawn in "
    said += f"the last {stay} days; it stands in that order at {trail.at(article.sort_at)}, behind all of them."
    trail.note("feed.beyond_limit", said, Answer.NO, feed=name, limit=feed.limit, sort_at=article.sort_at)
    month = month_of(article.sort_at, zone=press.site.timezone)
    if feed.has_archives and month < month_of(now, zone=press.site.timezone):
        url = f"{press.site.public_url}/feeds/{name}/{month}.atom"
        trail.note("feed.archived", f"It can be read in the archive of its month: {url}", feed=name, url=url)
