"""The composition root: Settings in, a running App out. The only place that knows what is plugged into what.

Nothing here decides anything about stories or mails. It opens the adapters, says which job kind is which pipeline
step, and holds the one real clock.
"""

import os
import random
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain

import structlog

from syndicate.channels import MAILBOXES, MAILERS, PUSHERS
from syndicate.channels.mail.message import self_test
from syndicate.domain.audience import address_digest
from syndicate.domain.feed import Feed, Site
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.partner import Endpoint, Partner
from syndicate.domain.source import SourceConfig
from syndicate.formats import FORMATS
from syndicate.jail import Jail
from syndicate.net.client import Client
from syndicate.net.guard import Allowed
from syndicate.net.polite import Politeness
from syndicate.pipeline.dispatch import Dispatcher
from syndicate.pipeline.notify import Courier
from syndicate.pipeline.pictures import Album
from syndicate.pipeline.postroom import Postroom, Revocations
from syndicate.pipeline.publish import Press
from syndicate.pipeline.reconcile import Exit
from syndicate.pipeline.render import Studio
from syndicate.pipeline.signup import Entrance
from syndicate.ports import Clock, Mailbox, Source
from syndicate.settings import Settings, assets, load_keyring
from syndicate.settings.dkim import load_signing_keys
from syndicate.sources import Tools, open_source
from syndicate.sources.darkroom import Darkroom
from syndicate.sources.read.rules import load_rules
from syndicate.store import fence
from syndicate.store.db import Database
from syndicate.store.leases import Node

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
log = structlog.get_logger()


class SystemClock:
    """The time of day of this machine."""

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class App:
    """Everything that is open. Edges and steps take from it what they need."""

    settings: Settings
    db: Database
    clock: Clock
    node: Node
    site: Site
    pepper: bytes
    install: str
    tools: Tools
    sources: Mapping[str, tuple[SourceConfig, Source]]
    feeds: Mapping[str, Feed]
    newsletters: Mapping[str, Newsletter]
    partners: Mapping[str, Partner]
    endpoints: Mapping[str, Endpoint]
    album: Album
    press: Press
    studio: Studio
    room: Postroom
    dispatcher: Dispatcher
    courier: Courier
    way_in: Entrance
    way_out: Exit
    mailboxes: Mapping[str, Mailbox]
    jail: Jail
    clients: tuple[Client, ...]
    chance: Callable[[], float]  # in [0, 1): spreads looks

    def digest(self, address: str) -> str:
        """What suppressions and the journal keep of an address."""
        return address_digest(self.pepper, address)

    async def aclose(self) -> None:
        """Closes everything that was opened."""
        for mailer in self.room.mailers.values():
            await mailer.aclose()
        for client in self.clients:
            await client.aclose()
        await self.jail.aclose()
        await self.db.aclose()


def open_app(settings: Settings, *, clock: Clock | None = None) -> App:
    """Opens every adapter the configuration names. Touches no network and doesn't migrate."""
    self_test()
    keys = load_keyring(settings.keys)
    time_of_day = clock or SystemClock()
    settings.var.mkdir(parents=True, exist_ok=True)
    install = fence.new_install(settings.keys / "install", secrets.token_bytes(16))
    db, site, node = Database(settings.store_url), settings.site(), _this_process(time_of_day)
    allowed = Allowed.parse(settings.net.allow)
    polite = Politeness(allowed=allowed)
    gathering = Client(allowed=allowed, user_agent=settings.user_agent, polite=polite)
    pushing = Client(allowed=allowed, user_agent=settings.user_agent)
    jail = Jail()
    tools = Tools(client=gathering, jail=jail, rules=tuple(chain(*load_rules(assets("page-rules")).values())))
    newsletters = {one.name: one for one in settings.newsletters()}
    endpoints = {one.name: one for one in settings.endpoints()}
    chance = random.SystemRandom().random
    revocations = Revocations()
    room = Postroom(
        site=site,
        ring=keys.ring,
        mailers={one.name: MAILERS[one.kind](one) for one in settings.mail_channels()},
        newsletters=newsletters,
        signing_keys={
            name: load_signing_keys(settings.keys, newsletters[name].sender_domain, selector)
            for name, selector in settings.selectors().items()
        },
        revocations=revocations,
        pacings=settings.pacings(),
        left_by_mail=settings.domains_left_by_mail(),
        owner=node.id,
        fence_file=settings.keys / "fence",
        install=install,
        clock=time_of_day,
        chance=chance,
    )
    configs = settings.sources()
    return App(
        settings=settings,
        db=db,
        clock=time_of_day,
        node=node,
        site=site,
        pepper=keys.pepper,
        install=install,
        tools=tools,
        sources={config.name: (config, open_source(config, tools)) for config in configs},
        feeds={feed.name: feed for feed in settings.feeds()},
        newsletters=newsletters,
        partners={partner.name: partner for partner in settings.partners()},
        endpoints=endpoints,
        album=Album(darkroom=Darkroom(client=gathering, jail=jail), folder=settings.var / "media"),
        press=Press(
            site=site,
            feeds=settings.feeds(),
            formats=tuple(FORMATS.values()),
            folder=settings.var / "feeds",
        ),
        studio=Studio(
            site=site,
            templates=(settings.templates / "digest", assets("templates/digest")),
            sources=tuple(config.name for config in configs),
            mark=_mark,
        ),
        room=room,
        dispatcher=Dispatcher(db, room),
        courier=Courier(
            site=site,
            pushers={kind: make(pushing) for kind, make in PUSHERS.items()},
            owner=node.id,
            clock=time_of_day,
            chance=chance,
        ),
        way_in=Entrance(
            room=room,
            templates=assets("templates"),
            digest=partial(address_digest, keys.pepper),
            mark=_mark,
            journal=settings.keys / "departures.jsonl",
        ),
        way_out=Exit(
            ring=keys.ring,
            newsletters=newsletters,
            revocations=revocations,
            journal=settings.keys / "departures.jsonl",
            clock=time_of_day,
        ),
        mailboxes={one.name: MAILBOXES[one.kind](one) for one in settings.mailboxes()},
        jail=jail,
        clients=(gathering, pushing),
        chance=chance,
    )


def _this_process(clock: Clock) -> Node:
    host, pid = socket.gethostname()[:40], os.getpid()
    return Node(id=f"{host}:{pid}:{secrets.token_hex(4)}", host=host, pid=pid, beat=0, seen_at=clock.now())


def _mark() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(16))
