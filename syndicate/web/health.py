"""`/healthz`, `/readyz`, `/metrics`: for the watchman, the load balancer and the figures."""

import asyncio
import hashlib
import hmac
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from syndicate.app import App
from syndicate.domain.account import Role
from syndicate.errors import StoreTrouble
from syndicate.settings.addresses import is_loopback
from syndicate.settings.secret import NOT_LOOKED_UP
from syndicate.store import editions, jobs, pace, sources
from syndicate.store.schema import pending
from syndicate.web.pages import NEVER, Front, missing
from syndicate.web.security import host_name
from syndicate.web.sessions import asking_account, refused
from syndicate.web.tally import Tally

_OF_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
_PATIENCE = 5.0  # seconds that the database may take to say that it is there


async def show_health(request: Request) -> Response:
    """The process answers."""
    return _words(200, "ok")


async def show_readiness(front: Front, request: Request) -> Response:
    """The database answers and has the schema of this version. Feeds are served all the same."""
    try:
        async with asyncio.timeout(_PATIENCE):
            missing_steps = await pending(front.app.db)
    except (StoreTrouble, DBAPIError, TimeoutError) as error:
        words = str(error) if isinstance(error, StoreTrouble) else "the database does not answer"
        return _words(503, f"not ready: {words}")
    if missing_steps:
        return _words(503, f"not ready: the database still needs {', '.join(missing_steps)}")
    return _words(200, "ready")


async def show_metrics(front: Front, request: Request) -> Response:
    """Figures for Prometheus. Who has neither the key nor a session isn't told that there is anything.

    Open only on a machine that serves nobody else. Where the world is served, a loopback peer is no proof, nor is a
    loopback name: a proxy beside us has the one, and passes the other on from whoever writes it.
    """
    if not _is_from_here(front, request) and not _has_key(front, request):
        account = await asking_account(front, request)
        if account is None:
            return missing(front, request, cache=NEVER)
        if not account.role.covers(Role.OPERATOR):
            return refused(front, request)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures([*_of_process(front.tally), *await _of_store(front.app)]))
    body = await asyncio.to_thread(generate_latest, registry)
    return Response(body, headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4, "cache-control": NEVER})


def _is_from_here(front: Front, request: Request) -> bool:
    peer = request.client.host if request.client else ""
    here = front.app.settings.web.outbox and is_loopback(peer) and is_loopback(host_name(request.scope))
    return here and not any(name in request.headers for name in _OF_PROXIES)


def _has_key(front: Front, request: Request) -> bool:
    """Compared by digests, so that the time it takes tells nothing, not even of its length."""
    key = front.app.settings.web.metrics_key
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    if key is None or key == NOT_LOOKED_UP or scheme.lower() != "bearer":
        return False
    ours, theirs = (hashlib.sha256(one.encode()).digest() for one in (key.get_secret_value(), shown.strip()))
    return hmac.compare_digest(ours, theirs)


class _Figures(Collector):
    """Figures that were gathered already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _of_process(tally: Tally) -> Iterator[Metric]:
    answers = CounterMetricFamily("syndicate_http_answers", "Answers given by this process.", labels=["kind", "status"])
    for status, count in tally.feeds.items():
        answers.add_metric(["feed", str(status)], count)
    for (kind, code), count in tally.pages.items():
        answers.add_metric([kind or "home", str(code)], count)
    yield answers


async def _of_store(app: App) -> list[Metric]:
    """What waits, and how the sources do. Nothing here counts rows that grow with the audience."""
    up = GaugeMetricFamily("syndicate_store_up", "1 while the database answers.")
    try:
        async with app.db.read() as connection:
            waiting = await jobs.counts(connection)
            still_open = await editions.open_deliveries(connection)
            states = await sources.all_states(connection)
            held = await pace.domains_held(connection, now=app.clock.now())
    except (StoreTrouble, DBAPIError):
        up.add_metric([], 0)
        return [up]
    up.add_metric([], 1)
    lanes = GaugeMetricFamily("syndicate_jobs", "Jobs in the outbox.", labels=["lane", "state"])
    for (lane, state), count in waiting.items():
        lanes.add_metric([lane, state], count)
    mails = GaugeMetricFamily("syndicate_deliveries_open", "Deliveries of frozen editions that are not settled.")
    mails.add_metric([], still_open)
    left_alone = "1 for each mail domain that is held back."
    domains = GaugeMetricFamily("syndicate_domains_held", left_alone, labels=["channel", "domain"])
    for hold in held:
        domains.add_metric([hold.channel, hold.domain], 1)
    errors = GaugeMetricFamily("syndicate_source_errors", "Failed looks in a row.", labels=["source"])
    age = GaugeMetricFamily("syndicate_source_age_seconds", "Since the last look.", labels=["source"])
    for name in app.sources:
        if name in states:
            errors.add_metric([name], states[name].errors)
        looked = states[name].looked_at if name in states else None
        if looked is not None:
            age.add_metric([name], (app.clock.now() - looked).total_seconds())
    return [up, lanes, mails, domains, errors, age]


def _words(status: int, words: str) -> Response:
    return PlainTextResponse(f"{words}\n", status, headers={"cache-control": NEVER})
