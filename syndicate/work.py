"""A running App: which step does which kind of job, and the loops of `up` and `once`."""

import asyncio
import fcntl
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from syndicate.app import App
from syndicate.domain.audience import Rhythm, Subscriber
from syndicate.domain.edition import EditionState
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.slot import Interval, Slot
from syndicate.engine import EmbeddedEngine
from syndicate.errors import Refused
from syndicate.formats.digest import LARGE, TOO_LARGE
from syndicate.pipeline.breaking import ask_for_breaking, break_news
from syndicate.pipeline.compose import ComposeReport, Composition, compose_edition, know_newsletters
from syndicate.pipeline.confirm import send_confirmation
from syndicate.pipeline.direct import Desk, freeze_anew
from syndicate.pipeline.dispatch import close_edition
from syndicate.pipeline.enqueue import FreezeReport, freeze_edition
from syndicate.pipeline.erase import forget_replies
from syndicate.pipeline.gather import GatherReport, gather_source
from syndicate.pipeline.keep import EVERY, keep
from syndicate.pipeline.notify import know_endpoints, plan_pushes, push_due
from syndicate.pipeline.printing import Printer, keep_files
from syndicate.pipeline.publish import ask_for_publishing, publish_feeds
from syndicate.pipeline.receipts import collect, end_suspensions, follow_new, follow_refusals
from syndicate.pipeline.reconcile import check_fence, repair
from syndicate.pipeline.relay import LANES, JobHandler, Later, keep_relaying, run_due, run_job
from syndicate.pipeline.replay import replay_departures
from syndicate.schedule.clock import Bells
from syndicate.schedule.leader import RENEW, Leader, process_lives
from syndicate.schedule.slots import ask_for_gathering, begin_rhythms, fire_due, schedules
from syndicate.store import audience, desk, editions, jobs, leases, sources
from syndicate.store.jobs import Job
from syndicate.store.schema import migrate

_WAIT_FOR_IMPORT = timedelta(seconds=2)
_WAIT_FOR_LOOK = timedelta(minutes=1)
_WAIT_FOR_PERSON = timedelta(minutes=1)  # between two looks whether a newsletter is still paused; resuming is faster
_WAIT_FOR_MAIL = timedelta(minutes=1)  # between two looks into a mailbox
SAMPLE_READERS = ("dewi@pembaca.example", "bagus@pembaca.example", "sari@pembaca.example")
log = structlog.get_logger()


def handlers(app: App) -> Mapping[str, JobHandler]:
    """Which step does which kind of job."""
    looking: set[str] = set()
    publishing, following = asyncio.Lock(), asyncio.Lock()
    return {
        "gather": lambda job: _gather(app, job, looking),
        "publish": lambda job: _publish(app, publishing),
        "notify": lambda job: _notify(app),
        "compose": lambda job: _compose(app, job),
        "break": lambda job: _break(app, job),
        "mail": lambda job: _mail(app, job),
        "confirm": lambda job: _confirm(app, job),
        "push": lambda job: _push(app, job),
        "receive": lambda job: _receive(app, job, looking),
        "follow": lambda job: _follow(app, following),
        "forget": lambda job: _forget(app, job),
        "refusals": lambda job: _refusals(app, job),
        "keep": lambda job: _keep(app),
    }


async def gather(app: App, name: str) -> GatherReport:
    """One look at one source, now."""
    config, source = app.sources[name]
    report = await gather_source(
        app.db, config, source, site=app.site, album=app.album, chance=app.chance(), now=app.clock.now()
    )
    if report.changed or ((report.problem or report.problems) and not report.repeats):
        log.info(
            "source.gathered",
            source=name,
            look=report.look.value,
            published=report.published,
            updated=report.updated,
            withdrawn=report.withdrawn,
            restored=report.restored,
            problem=report.problem,
            problems=len(report.problems),
        )
    return report


async def prepare(app: App) -> None:
    """What every start does: schema, what the configuration asks for, the sample's readers, restored copies."""
    now = app.clock.now()
    if applied := await migrate(app.db):
        log.info("store.migrated", migration=applied[-1])
    async with app.db.write() as connection:
        await sources.know(connection, app.sources, now=now)
        for name in app.mailboxes:
            ref = {"mailbox": name}
            await jobs.add(connection, lane="work", kind="receive", key=f"receive:{name}", ref=ref, now=now)
        await jobs.add(connection, lane="work", kind="keep", key="keep:", ref={}, now=now)
    await know_newsletters(app.db, list(app.newsletters.values()))
    await know_endpoints(app.db, list(app.endpoints.values()))
    await begin_rhythms(app.db, list(app.newsletters.values()), node=app.node.id, now=now)
    await ask_for_publishing(app.db, app.press, now=now)
    await replay_departures(app.db, app.way_out.journal, now=now)
    if why := await check_fence(app.db, app.install, app.room.fence_file, now=now):
        log.warning("store.held", why=why)
    if app.settings.sample:
        await _add_sample_readers(app, now=now)


async def run_once(app: App) -> int:
    """Looks at every source that is due, fires every due slot, does all the work there is, and returns."""
    with single_process(app.settings.var):
        await prepare(app)
        await _repair(app)
        await ask_for_gathering(app.db, [config for config, _ in app.sources.values()], now=app.clock.now())
        done = await run_due(app.db, handlers(app), LANES, app.clock)
        for newsletter in app.newsletters.values():
            await _ring(app, newsletter)
        await ask_for_breaking(app.db, list(app.newsletters.values()), now=app.clock.now())
        done += await run_due(app.db, handlers(app), LANES, app.clock)
        await keep_files(app.press, await Printer(app.press).news(app.db))
        return done


async def run_up(app: App, stop: asyncio.Event) -> None:
    """Works until `stop` is set: leads or waits to lead, relays, and does jobs. Drains before it returns."""
    engine = EmbeddedEngine()
    work = handlers(app)
    await _repair(app)
    relaying = asyncio.create_task(keep_relaying(app.db, engine, LANES, app.clock))
    leading = asyncio.create_task(_lead(app))
    working = asyncio.create_task(engine.work(LANES, lambda job: run_job(app.db, work, job, app.clock)))
    stopped = asyncio.ensure_future(stop.wait())
    loops: list[asyncio.Future[Any]] = [leading, relaying, stopped]
    try:
        ended, _ = await asyncio.wait([*loops, working], return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()  # a loop that broke is a bug: it ends the process, with its story
    finally:
        for loop in loops:
            loop.cancel()
        app.dispatcher.drain()
        await engine.stop()
        await working
        with suppress(asyncio.CancelledError):
            await leading


def single_process(var: Path) -> "Lock":
    """Only one `up` or `once` at a time works on a data folder. Raises Refused when there is another."""
    return Lock(var / "syndicate.lock")


class Lock:
    """flock(2) on a file; it goes with the process that holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise Refused(
                f"another Syndicate is running on {self._path.parent}; stop it first, or ask it to do the work"
            ) from None

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


async def _lead(app: App) -> None:
    """Beats, takes the lead when it is free, and rings the bells while it has it."""
    leader = Leader(db=app.db, node=app.node, clock=app.clock, monotonic=time.monotonic)
    bells = Bells(
        list(app.newsletters.values()),
        clock=app.clock,
        ring_newsletter=lambda newsletter: _ring(app, newsletter),
        tick=lambda: _tick(app),
    )
    ringing = False
    try:
        while True:
            try:
                standing = await leader.look()
            except Exception as error:  # the top of a loop: a database that is away ends the lead, not the process
                log.warning("schedule.look_failed", problem=str(error).splitlines()[:1])
                standing = None
            leads = standing is not None and standing.leading
            if leads and not ringing:
                log.info("schedule.leading", node=app.node.id)
                await _catch_up(app)
                bells.start()
            if ringing and not leads:
                bells.stop()
            ringing = leads
            if standing is not None and standing.dead:
                await _repair(app)
            await asyncio.sleep(RENEW)
    finally:
        bells.stop()
        await leader.leave()


async def _catch_up(app: App) -> None:
    """At the start of the lead: slots that nobody rang. Intervals don't catch up, they fold into their next slot."""
    for newsletter in app.newsletters.values():
        await _ring(app, newsletter, but=Interval)


async def _ring(app: App, newsletter: Newsletter, *, but: type[Interval] | None = None) -> None:
    """Fires what is due of a newsletter, in each of its rhythms."""
    for rhythm, schedule in schedules(newsletter).items():
        if but is not None and isinstance(schedule, but):
            continue
        slot = await fire_due(app.db, newsletter, rhythm=rhythm, node=app.node.id, now=app.clock.now())
        if slot:
            log.info("slot.fired", newsletter=newsletter.name, slot=slot.name)


async def _tick(app: App) -> None:
    await ask_for_breaking(app.db, list(app.newsletters.values()), now=app.clock.now())
    await ask_for_publishing(app.db, app.press, now=app.clock.now())
    await ask_for_gathering(app.db, [config for config, _ in app.sources.values()], now=app.clock.now())


async def _repair(app: App) -> None:
    """Takes over from processes that are gone. The embedded engine's queue went with them."""
    now = app.clock.now()
    async with app.db.write() as connection:
        nodes = await leases.all_nodes(connection)
        for node in nodes:
            if node.host == app.node.host and node.id != app.node.id and not process_lives(node.pid):
                await leases.bury(connection, node.id)
        alive = {node.id for node in await leases.all_nodes(connection)} | {app.node.id}
        await jobs.unpublish_all(connection)
    report = await repair(app.db, app.room, alive=alive, now=now)
    if report.doubts or report.resumed:
        log.warning(
            "ledger.repaired",
            doubts=report.doubts,
            proven_sent=report.proven_sent,
            proven_unsent=report.proven_unsent,
            editions=report.resumed,
        )


async def _gather(app: App, job: Job, looking: set[str]) -> Later | None:
    """One look at a source at a time, for two would go by the same memory.

    A look may outlast the time after which its job is handed over again: a site with a Crawl-delay of 30 s and many
    new stories takes a quarter of an hour. `looking` names the sources that this process looks at now.
    """
    name = job.ref["source"]
    if name in looking:
        return Later(until=app.clock.now() + _WAIT_FOR_LOOK)
    if name in app.sources:
        looking.add(name)
        try:
            await gather(app, name)
        finally:
            looking.remove(name)
    return None


async def _publish(app: App, turn: asyncio.Lock) -> None:
    """One at a time: a job that waited long for its turn is handed over again while the first still runs."""
    async with turn:
        report = await publish_feeds(app.db, app.press, now=app.clock.now())
    if report.feeds or report.quarantined:
        log.info("feeds.published", feeds=len(report.feeds), quarantined=len(report.quarantined))
    for bad in report.quarantined:
        log.warning("article.quarantined", article=bad.article_id, format=bad.format, problem=bad.problem)


async def _notify(app: App) -> None:
    await plan_pushes(app.db, list(app.endpoints.values()), now=app.clock.now())


async def _compose(app: App, job: Job) -> Later | None:
    newsletter = app.newsletters.get(job.ref["newsletter"])
    if newsletter is None:
        return None
    now = app.clock.now()
    async with app.db.read() as connection:
        if await desk.pause_of(connection, newsletter.name) is not None:
            return Later(until=now + _WAIT_FOR_PERSON)
    slot = Slot(at=datetime.fromisoformat(job.ref["at"]), name=job.ref["slot"])
    await end_suspensions(app.db, now=now)
    rhythm = Rhythm(job.ref.get("rhythm", Rhythm.EACH))
    if await _go_on_with_direction(app, newsletter, slot):
        return None
    report = await compose_edition(app.db, newsletter, slot, app.studio, rhythm=rhythm, now=now)
    if report.composition is Composition.WAITS:
        return Later(until=now + _WAIT_FOR_IMPORT)
    if report.composition is Composition.READY and report.edition is not None:
        _warn_if_large(report)
        frozen = await freeze_edition(
            app.db,
            report.edition,
            list(app.endpoints.values()),
            newsletter=newsletter,
            studio=app.studio,
            now=app.clock.now(),
        )
        _tell_frozen(frozen)
    return None


async def _break(app: App, job: Job) -> Later | None:
    """Breaking news of one newsletter. While it is paused the stories stay for its next edition."""
    newsletter = app.newsletters.get(job.ref["newsletter"])
    if newsletter is None or not newsletter.breaking:
        return None
    now = app.clock.now()
    async with app.db.read() as connection:
        if await desk.pause_of(connection, newsletter.name) is not None:
            return Later(until=now + _WAIT_FOR_PERSON)
    await end_suspensions(app.db, now=now)
    report = await break_news(app.db, newsletter, app.studio, list(app.endpoints.values()), now=now)
    for frozen in report.frozen:
        _tell_frozen(frozen)
    return Later(until=now + _WAIT_FOR_IMPORT) if report.waits else None


def _tell_frozen(frozen: FreezeReport) -> None:
    log.info(
        "edition.frozen",
        edition=frozen.edition.id,
        newsletter=frozen.edition.newsletter,
        slot=frozen.edition.slot,
        state=frozen.edition.state.value,
        candidates=frozen.books.candidates,
    )


async def _go_on_with_direction(app: App, newsletter: Newsletter, slot: Slot) -> bool:
    """An edition that was frozen and is composing again: whoever wrote it down anew for the desk stopped half way."""
    async with app.db.read() as connection:
        edition = await editions.by_slot(connection, newsletter.name, slot.name)
    if edition is None or edition.state is not EditionState.COMPOSING or edition.frozen_at is None:
        return False
    desk_of = Desk(newsletter=newsletter, studio=app.studio, endpoints=list(app.endpoints.values()), who="")
    frozen = await freeze_anew(app.db, desk_of, edition, now=app.clock.now())
    log.info(
        "edition.frozen",
        edition=edition.id,
        newsletter=newsletter.name,
        slot=slot.name,
        state=frozen.edition.state.value,
        candidates=frozen.books.candidates,
    )
    return True


def _warn_if_large(report: ComposeReport) -> None:
    if report.proof is not None and report.proof.size >= LARGE:
        log.warning(
            "edition.large",
            newsletter=report.newsletter,
            slot=report.slot,
            bytes=report.proof.size,
            most=TOO_LARGE,
            headline_only=report.proof.brief,
            why=report.proof.why_held,
        )


async def _mail(app: App, job: Job) -> Later | None:
    edition_id = job.ref["edition"]
    report = await app.dispatcher.send_batch(edition_id=edition_id, first=job.ref["first"], last=job.ref["last"])
    if report.again_at is not None and not report.finished:
        return Later(until=max(report.again_at, app.clock.now() + timedelta(seconds=1)))
    async with app.db.write() as connection:
        await jobs.finish(connection, job)
    books = await close_edition(app.db, edition_id, now=app.clock.now())
    if books is not None:
        log.info("edition.done", edition=edition_id, **vars(books))
    return None


async def _refusals(app: App, job: Job) -> None:
    """Asked for by what calls an edition done, so that no crash between the two loses it."""
    edition_id = job.ref["edition"]
    if steps := await follow_refusals(app.db, app.way_out, edition_id, now=app.clock.now()):
        log.info("readers.unreachable", edition=edition_id, **steps)


async def _keep(app: App) -> Later:
    """Once an hour."""
    gone = await keep(app.db, now=app.clock.now())
    if gone.receipts or gone.networks or gone.suspensions:
        log.info("store.kept", **vars(gone))
    return Later(until=app.clock.now() + EVERY)


async def _forget(app: App, job: Job) -> None:
    await forget_replies(app.db, job.ref["subscriber"])


async def _confirm(app: App, job: Job) -> Later | None:
    again_at = await send_confirmation(app.db, app.way_in, job.ref["sign_up"])
    return Later(until=again_at) if again_at else None


async def _push(app: App, job: Job) -> Later | None:
    endpoint = app.endpoints.get(job.ref["endpoint"])
    if endpoint is None:
        return None
    report = await push_due(app.db, endpoint, app.courier)
    if report.sent:
        log.info("endpoint.pushed", endpoint=endpoint.name, **report.sent)
    if report.disabled:
        log.warning("endpoint.disabled", endpoint=endpoint.name, why=report.disabled)
    return Later(until=max(report.again_at, app.clock.now() + timedelta(seconds=1))) if report.again_at else None


async def _receive(app: App, job: Job, looking: set[str]) -> Later | None:
    """A look into a mailbox, and another in a minute, for as long as the configuration has it."""
    name = job.ref["mailbox"]
    if name not in app.mailboxes:
        return None
    if job.key not in looking:
        looking.add(job.key)
        try:
            report = await collect(app.db, app.mailboxes[name], name, now=app.clock.now())
        finally:
            looking.remove(job.key)
        if report.problem:
            log.warning("mailbox.failed", mailbox=name, problem=report.problem)
        if report.stored:
            log.info("receipts.stored", mailbox=name, receipts=report.stored)
    return Later(until=app.clock.now() + _WAIT_FOR_MAIL)


async def _follow(app: App, turn: asyncio.Lock) -> Later | None:
    """One at a time, as publishing."""
    async with turn:
        report = await follow_new(app.db, app.way_out, app.jail, now=app.clock.now())
    if report.verdicts or report.failed:
        verdicts = {verdict.value: count for verdict, count in report.verdicts.items()}
        log.info(
            "receipts.read",
            failed=report.failed,
            **verdicts,
            **{f"then_{step}": count for step, count in report.steps.items()},
        )
    return Later(until=report.again_at) if report.again_at else None


async def _add_sample_readers(app: App, *, now: datetime) -> None:
    """Three subscribers of the sample, added once and never resurrected."""
    async with app.db.write() as connection:
        if await audience.anyone(connection):
            return
        for address in SAMPLE_READERS:
            person = Subscriber(id=0, address=address, name=address.partition("@")[0].title(), created_at=now)
            added = await audience.add(connection, person, digest=app.digest(address))
            for newsletter in app.newsletters:
                await audience.subscribe(connection, newsletter, added.id, origin="sample", now=now)
