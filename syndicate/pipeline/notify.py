"""Change log → pushes → partners, and editions to partners' sites. In order, corrections and kills included.

Planning reads on from each endpoint's own place in the change log. Sending keeps strict order per article: a newer
version takes the place of an older unsent one, and withdrawals go before other stories. A push may be tried again
after its answer was lost: its id is the same, so the partner drops the double. A partner that is down for less than
three days loses nothing; one that is slow keeps nobody else waiting, since every endpoint has a job of its own.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article, ArticleState
from syndicate.domain.change import Change, ChangeKind
from syndicate.domain.delivery import Exclusion, Outcome, OutcomeKind, Standing, State, advance
from syndicate.domain.edition import Edition
from syndicate.domain.feed import Site
from syndicate.domain.partner import EDITION_TYPE, WITHDRAWN_TYPE, Endpoint, Push, plan_push, push_type
from syndicate.domain.retry import next_push
from syndicate.errors import Refused
from syndicate.formats.digest import HOLES, holes_filled
from syndicate.formats.wording import article_url, image_of
from syndicate.pipeline.likeness import firsts_of
from syndicate.pipeline.render import VARIANT, edition_url
from syndicate.ports import Clock, Parcel, Pusher
from syndicate.store import articles, changes, editions, jobs, partners
from syndicate.store.db import Database

_SPAN = 500  # changes planned in one transaction
_CHUNK = 20  # pushes claimed at once
_TROUBLE = 3  # deferrals in a row after which the endpoint is left alone for now


@dataclass(frozen=True, kw_only=True)
class Courier:
    """What pushes are made with."""

    site: Site
    pushers: Mapping[str, Pusher]
    owner: str
    clock: Clock
    chance: Callable[[], float]


@dataclass(kw_only=True)
class NotifyReport:
    """What was sent to one endpoint, and when there is more to do."""

    endpoint: str
    sent: dict[str, int] = field(default_factory=dict)
    again_at: datetime | None = None
    disabled: str = ""
    rest_until: datetime | None = None  # too much trouble: nothing more before then


async def know_endpoints(db: Database, endpoints: Sequence[Endpoint]) -> None:
    """A new endpoint begins here: it is told what happens from now on."""
    async with db.write() as connection:
        for endpoint in endpoints:
            if await changes.cursor(connection, endpoint_place(endpoint)) is None:
                await changes.move_cursor(connection, endpoint_place(endpoint), await changes.head(connection))


async def plan_pushes(db: Database, endpoints: Sequence[Endpoint], *, now: datetime) -> int:
    """Writes down what each endpoint is to be told of the changes since its last place. Returns how many."""
    planned = 0
    for endpoint in endpoints:
        while (count := await _plan_span(db, endpoint, now=now)) is not None:
            planned += count
    return planned


async def plan_edition(connection: AsyncConnection, edition: Edition, endpoint: Endpoint, *, now: datetime) -> None:
    """Writes down that an endpoint is to be told of an edition: once, however often that is held and released."""
    push = Push(
        id=0,
        endpoint=endpoint.name,
        subject=f"edition:{edition.id}",
        seq=0,
        type=EDITION_TYPE,
        state=State.DUE,
        attempt=0,
        edition_id=edition.id,
        first_due=now,
    )
    if not await partners.add_push(connection, push, at=now):
        await partners.renew(connection, endpoint.name, edition.id, now=now)
    await ask_for_pushing(connection, endpoint.name, now=now)


async def push_due(db: Database, endpoint: Endpoint, courier: Courier) -> NotifyReport:
    """Sends what is due to one endpoint. After three deferrals in a row it is left alone until later."""
    report = NotifyReport(endpoint=endpoint.name)
    trouble = 0
    while trouble < _TROUBLE and not report.disabled:
        async with db.write() as connection:
            claimed = await partners.claim(
                connection, endpoint.name, owner=courier.owner, limit=_CHUNK, now=courier.clock.now()
            )
        if not claimed:
            break
        try:
            for push, at in claimed:
                if trouble >= _TROUBLE or report.disabled:
                    break
                after = await _push_one(db, endpoint, push, at, courier, report)
                trouble = trouble + 1 if after.state is State.DEFERRED else 0
                if trouble == _TROUBLE:
                    report.rest_until = after.not_before
        finally:
            async with db.write() as connection:
                await partners.release(connection, [push.id for push, _ in claimed], owner=courier.owner)
    async with db.read() as connection:
        waiting = await partners.next_time(connection, endpoint.name)
    if waiting is not None:
        report.again_at = max(waiting, report.rest_until or waiting)
    return report


async def replay_push(db: Database, identifier: int, *, now: datetime) -> str:
    """The operator's word: try a dead letter once more. Returns its endpoint. Raises Refused when it is none."""
    async with db.write() as connection:
        endpoint = await partners.replay(connection, identifier, now=now)
        if endpoint is None:
            raise Refused(
                f"push {identifier} is no dead letter, or something newer of its story went out since; "
                "`syndicate partners pushes --dead` lists them"
            )
        await ask_for_pushing(connection, endpoint, now=now)
    return endpoint


async def enable_endpoint(db: Database, endpoint: str, *, now: datetime) -> None:
    """A person's word that an endpoint is there again after a 410. Raises Refused when it was not switched off."""
    async with db.write() as connection:
        if not await partners.enable(connection, endpoint, now=now):
            raise Refused(f"{endpoint} is not switched off")
        await ask_for_pushing(connection, endpoint, now=now)


async def ask_for_pushing(connection: AsyncConnection, endpoint: str, *, now: datetime) -> None:
    """One job for everything that waits for an endpoint."""
    key, ref = f"push:{endpoint}", {"endpoint": endpoint}
    await jobs.add(connection, lane="push", kind="push", key=key, ref=ref, now=now)


async def _plan_span(db: Database, endpoint: Endpoint, *, now: datetime) -> int | None:
    """One transaction's worth of changes. Returns how many pushes they made, None at the end of the log."""
    async with db.write() as connection:
        place = await changes.cursor(connection, endpoint_place(endpoint)) or 0
        span = await changes.span(connection, place, await changes.head(connection), _SPAN)
        if not span:
            return None
        standing = await articles.by_ids(connection, {change.article_id for change in span})
        firsts = await firsts_of(connection, standing)
        planned = 0
        for change in span:
            article = standing[change.article_id]
            wanted = _is_for(endpoint, article) and not _has_first(endpoint, firsts.get(article.id))
            planned += await _plan_change(connection, endpoint, change, wanted=wanted, now=now)
        await changes.move_cursor(connection, endpoint_place(endpoint), span[-1].seq)
        if planned:
            await ask_for_pushing(connection, endpoint.name, now=now)
    return planned


def _is_for(endpoint: Endpoint, article: Article) -> bool:
    return article.announced and endpoint.selection.holds(article)


def _has_first(endpoint: Endpoint, first: Article | None) -> bool:
    """True when the endpoint is told of the first posting, so that a double would tell it the same again."""
    return first is not None and first.state is ArticleState.PUBLISHED and _is_for(endpoint, first)


async def foresee_push(
    connection: AsyncConnection, endpoint: Endpoint, article: Article, kind: ChangeKind
) -> ChangeKind | None:
    """What the endpoint would be told if this became of a story now; None: nothing. Writes nothing."""
    first = (await firsts_of(connection, [article.id])).get(article.id)
    change = Change(
        seq=0,  # it has none: it isn't in the log
        article_id=article.id,
        version=article.version,
        kind=kind,
        edit=article.edit,
        baseline=not article.announced,
        at=article.changed_at,
    )
    subject = f"article:{article.id}"
    heard = await partners.heard(connection, endpoint.name, subject)
    waiting = await partners.unsent(connection, endpoint.name, subject)
    wanted = _is_for(endpoint, article) and not _has_first(endpoint, first)
    return plan_push(change, tuple(waiting), heard=heard, wanted=wanted).send


async def _plan_change(
    connection: AsyncConnection, endpoint: Endpoint, change: Change, *, wanted: bool, now: datetime
) -> bool:
    subject = f"article:{change.article_id}"
    heard = await partners.heard(connection, endpoint.name, subject)
    waiting = await partners.unsent(connection, endpoint.name, subject)
    plan = plan_push(change, tuple(waiting), heard=heard, wanted=wanted)
    await partners.exclude(connection, plan.supersedes, Exclusion.SUPERSEDED, now=now)
    if plan.send is None:
        return False
    push = Push(
        id=0,
        endpoint=endpoint.name,
        subject=subject,
        seq=change.seq,
        type=push_type(plan.send),
        state=State.DUE,
        attempt=0,
        article_id=change.article_id,
        first_due=now,
    )
    return await partners.add_push(connection, push, at=change.at)


async def _push_one(
    db: Database, endpoint: Endpoint, push: Push, at: datetime, courier: Courier, report: NotifyReport
) -> Standing:
    """Mark, wire, outcome."""
    parcel = await _parcel(db, push, at, courier.site)
    async with db.write() as connection:
        if not await partners.mark(connection, push.id, owner=courier.owner):
            return Standing(state=State.DUE, first_due=push.first_due)
    if isinstance(parcel, Outcome):
        outcome = parcel
    else:
        outcome = await courier.pushers[endpoint.kind].push(endpoint, parcel, now=courier.clock.now())
    after = _after(push, outcome, courier)
    now = courier.clock.now()
    async with db.write() as connection:
        doubtful = outcome.doubtful
        await partners.settle(connection, push.id, after, doubtful=doubtful, owner=courier.owner, now=now)
        if outcome.gone:
            report.disabled = f"it answered {outcome.code}: the address is no more"
            await partners.disable(connection, endpoint.name, report.disabled, now=now)
    report.sent[after.state.value] = report.sent.get(after.state.value, 0) + 1
    return after


def _after(push: Push, outcome: Outcome, courier: Courier) -> Standing:
    standing = Standing(state=State.SENDING, attempt=push.attempt, first_due=push.first_due)
    again = next_push(
        push.attempt + 1,
        first_due=push.first_due,
        now=courier.clock.now(),
        retry_after=outcome.retry_after,
        chance=courier.chance(),
    )
    return advance(standing, outcome, again_at=again)


async def _parcel(db: Database, push: Push, at: datetime, site: Site) -> Parcel | Outcome:
    """What is sent; or, for a story that can't be put into words, the refusal that keeps nobody behind it waiting."""
    try:
        data = await (_article_data(db, push, site) if push.article_id else _edition_data(db, push, site))
    except ValueError as error:
        return Outcome(kind=OutcomeKind.REFUSED, code="unfit", text=str(error))
    # Never the row's number alone: after a restore it would come again, and the partner would drop it as a double.
    name = f"{push.endpoint}\0{push.subject}\0{push.seq}\0{push.type}\0{at.isoformat()}\0{site.public_url}"
    return Parcel(
        id=f"msg_{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}", type=push.type, at=at, data=data
    )


async def _article_data(db: Database, push: Push, site: Site) -> Mapping[str, object]:
    """The article as of the change that is told. A withdrawn one carries no text."""
    identifier = push.article_id or ""
    async with db.read() as connection:
        article = (await articles.at_cut(connection, [identifier], push.seq))[identifier]
    content = article.content
    data: dict[str, object] = {
        "id": article.public_id,
        "version": article.version,
        "url": article_url(article, site),
        "title": content.title,
        "language": content.language,
        "published": content.published.isoformat(),
        "updated": max(content.updated, content.published).isoformat(),
        "note": article.note,
    }
    if push.type == WITHDRAWN_TYPE:
        return data
    data |= {"summary": content.summary, "content_html": content.body_html, "authors": list(content.authors)}
    data |= {"sections": list(content.sections), "tags": list(content.tags), "picture": _picture(article, site)}
    return data


def _picture(article: Article, site: Site) -> Mapping[str, object] | None:
    image = image_of(article, site)
    if image is None:
        return None
    picture = image.picture
    return {"url": image.url, "alt": image.alt, "caption": picture.caption, "credit": picture.credit}


async def _edition_data(db: Database, push: Push, site: Site) -> Mapping[str, object]:
    """The edition as everybody may read it: the digest reaches partners' sites over HTTP too."""
    number = push.edition_id or 0
    async with db.read() as connection:
        edition = await editions.get(connection, number)
        rendering = await editions.rendering(connection, number, VARIANT)
    if edition is None or rendering is None:
        raise LookupError(f"edition {number} of push {push.id} is not there")
    url = edition_url(site, edition.newsletter, edition.slot)
    holes = dict.fromkeys(HOLES, url)
    return {
        "newsletter": edition.newsletter,
        "slot": edition.slot,
        "url": url,
        "subject": rendering.subject,
        "html": holes_filled(rendering.html, rendering.mark, holes, html=True),
        "text": holes_filled(rendering.text, rendering.mark, holes, html=False),
    }


def endpoint_place(endpoint: Endpoint) -> str:
    """The endpoint's place in the change log."""
    return f"endpoint:{endpoint.name}"
