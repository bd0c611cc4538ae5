"""`/healthz`, `/readyz`, `/metrics`: for the watchman, the load balancer and the figures."""

import asyncio
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
from syndicate.store import editions, jobs, sources
from syndicate.store.schema import pending
from syndicate.web.pages import NEVER, Front, missing
from syndicate.web.security import host_name
from syndicate.web.sessions import asking_account, refused
from syndicate.web.tally import Tally

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
    """Figures for Prometheus, on this machine: asked by a loopback name, since a proxy beside us is not enough.

    From elsewhere only for an operator; who is not signed in isn't told that there is anything.
    """
    peer = request.client.host if request.client else ""
    if not is_loopback(peer) or not is_loopback(host_name(request.scope)):
        account = await asking_account(front, request)
        if account is None:
            return missing(front, request, cache=NEVER)
        if not account.role.covers(Role.OPERATOR):
            return refused(front, request)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures([*_of_process(front.tally), *await _of_store(front.app)]))
    body = await asyncio.to_thread(generate_latest, registry)
    return Response(body, headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4, "cache-control": NEVER})


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
    except (StoreTrouble, DBAPIError):
        up.add_metric([], 0)
        return [up]
    up.add_metric([], 1)
    lanes = GaugeMetricFamily("syndicate_jobs", "Jobs in the outbox.", labels=["lane", "state"])
    for (lane, state), count in waiting.items():
        lanes.add_metric([lane, state], count)
    mails = GaugeMetricFamily("syndicate_deliveries_open", "Deliveries of frozen editions that are not settled.")
    mails.add_metric([], still_open)
    errors = GaugeMetricFamily("syndicate_source_errors", "Failed looks in a row.", labels=["source"])
    age = GaugeMetricFamily("syndicate_source_age_seconds", "Since the last look.", labels=["source"])
    for name in app.sources:
        if name in states:
            errors.add_metric([name], states[name].errors)
        looked = states[name].looked_at if name in states else None
        if looked is not None:
            age.add_metric([name], (app.clock.now() - looked).total_seconds())
    return [up, lanes, mails, errors, age]


def _words(status: int, words: str) -> Response:
    return PlainTextResponse(f"{words}\n", status, headers={"cache-control": NEVER})
