"""The tables of the config file, one class each: their keys, defaults and bounds."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from syndicate.domain.pace import Pacing
from syndicate.domain.selection import Selection
from syndicate.domain.source import Relation, SourceConfig
from syndicate.settings.addresses import (
    AllowEntry,
    FrontPage,
    Host,
    HostPort,
    Listen,
    Origin,
    ProxyEntry,
    Url,
    host_port,
    is_allowed,
    is_loopback,
)
from syndicate.settings.around import known, surroundings
from syndicate.settings.kinds import (
    Address,
    Duration,
    FilePath,
    Language,
    Line,
    MailDomain,
    Name,
    PageRules,
    PathSlugs,
    Rate,
    Slugs,
    Title,
    Zone,
)
from syndicate.settings.secret import NOT_LOOKED_UP, Secret, WebhookSecrets, webhook_key

ALL_OTHERS = "default"  # in the place of a domain: each one that isn't named
_POLITE = 60  # seconds between two polls of somebody else's host


def _former(value: str, info: ValidationInfo) -> str:
    if value in surroundings(info).names["feeds"]:
        raise ValueError("a feed has this name; take it away here, or give that feed another one")
    return value


FormerName = Annotated[Name, AfterValidator(_former)]  # of a feed, that another one or none has succeeded


class Table(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ExcludeTable(Table):
    """What a Selection leaves out."""

    sections: PathSlugs = frozenset()
    tags: PathSlugs = frozenset()
    authors: Slugs = frozenset()
    sources: Slugs = frozenset()
    language: Slugs = frozenset()

    @field_validator("sources")
    @classmethod
    def _known_sources(cls, value: frozenset[str], info: ValidationInfo) -> frozenset[str]:
        for name in sorted(value):
            known("sources")(name, info)
        return value

    def selection(self) -> Selection:
        """The rule itself."""
        return Selection(
            sections=self.sections,
            tags=self.tags,
            authors=self.authors,
            sources=self.sources,
            language=self.language,
        )


class SelectTable(ExcludeTable):
    """Which articles: OR inside a key, AND across keys."""

    exclude: ExcludeTable | None = None

    def selection(self) -> Selection:
        """The rule itself."""
        return replace(super().selection(), exclude=self.exclude.selection() if self.exclude else None)


class SiteTable(Table):
    """The newspaper, as readers see it."""

    title: Title
    url: FrontPage
    language: Language = "id"
    timezone: Zone = "Asia/Jakarta"
    description: Line = ""
    contact: Address | None = None
    tag_host: Line = Field(default="", pattern=r"^[a-z0-9.-]*$")


_SHORTEST_KEY = 32  # characters: nobody counts how often it is tried


class WebTable(Table):
    """Our own address."""

    public_url: Origin
    listen: Listen = "127.0.0.1:8080"
    gone_feeds: tuple[FormerName, ...] = ()
    trusted_proxies: tuple[ProxyEntry, ...] = ()
    metrics_key: Secret | None = None

    @field_validator("metrics_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value not in (None, NOT_LOOKED_UP) and len(value.get_secret_value()) < _SHORTEST_KEY:
            raise ValueError(f"what it refers to is too short; put {_SHORTEST_KEY} or more random characters there")
        return value

    @property
    def bind(self) -> HostPort:
        """What the server listens on."""
        return host_port(self.listen)

    @property
    def outbox(self) -> bool:
        """True when the outbox may be shown without an account: nobody but this machine can ask for it."""
        return is_loopback(self.bind.host) and is_loopback(urlsplit(self.public_url).hostname or "")


class SourceTable(Table):
    """What all newsrooms have."""

    name: Name
    zone: Zone | None = None
    language: Language | None = None
    picture_credit: Literal["flag", "required"] = "flag"
    first_import: Literal["feeds", "mail"] = "feeds"

    def _common(self, site: SiteTable) -> dict[str, Any]:
        return {
            "name": self.name,
            "zone": self.zone or site.timezone,
            "language": self.language or site.language,
            "credit_required": self.picture_credit == "required",
            "first_import_mail": self.first_import == "mail",
        }


class FolderSource(SourceTable):
    """A newsroom that writes files into a folder."""

    kind: Literal["folder"]
    path: FilePath
    every: Duration = Field(default="5 min", validate_default=True)

    def config(self, site: SiteTable) -> SourceConfig:
        """As the domain has it."""
        return SourceConfig(
            kind=self.kind,
            location=str(self.path),
            every=self.every,
            relation=Relation.OWNER,  # who may write to our disk is of our house
            **self._common(site),
        )


class RemoteSource(SourceTable):
    """A newsroom that we ask over HTTP."""

    url: Url
    relation: Literal["owner", "partner", "stranger"] = "partner"
    every: Duration | None = None

    @field_validator("every")
    @classmethod
    def _polite(cls, value: Duration | None, info: ValidationInfo) -> Duration | None:
        url = info.data.get("url")
        if value and value.total_seconds() < _POLITE and url and not is_allowed(url, info):
            raise ValueError(
                "too often for somebody else's host; "
                'write "1 min" or more, or name the address in the URL in [net] allow'
            )
        return value

    def _common(self, site: SiteTable) -> dict[str, Any]:
        remote = {"location": self.url, "every": self.every, "relation": Relation(self.relation)}
        return super()._common(site) | remote


class FeedSource(RemoteSource):
    """A newsroom that publishes a feed."""

    kind: Literal["feed"]
    sections: tuple[Title, ...] = ()
    strip_weak_etag: bool = False

    def config(self, site: SiteTable) -> SourceConfig:
        """As the domain has it."""
        return SourceConfig(
            kind=self.kind, sections=self.sections, strip_weak_etag=self.strip_weak_etag, **self._common(site)
        )


class WordPressSource(RemoteSource):
    """A newsroom on WordPress, with all its channels."""

    kind: Literal["wordpress"]
    channels: tuple[Literal["rest", "feed", "sitemap", "page"], ...] = ("rest", "feed", "sitemap", "page")
    sections: tuple[Title, ...] = ()
    strip_weak_etag: bool = False
    rules: PageRules = Field(default_factory=dict)

    @field_validator("channels")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError('name each channel once, the first to be tried first: ["rest", "feed", "sitemap", "page"]')
        return value

    def config(self, site: SiteTable) -> SourceConfig:
        """As the domain has it."""
        return SourceConfig(
            kind=self.kind,
            channels=self.channels,
            sections=self.sections,
            strip_weak_etag=self.strip_weak_etag,
            page_rule=self.rules,
            **self._common(site),
        )


class PageSource(RemoteSource):
    """A newsroom of which only its pages can be read."""

    kind: Literal["page"]
    rules: PageRules = Field(default_factory=dict)

    def config(self, site: SiteTable) -> SourceConfig:
        """As the domain has it."""
        return SourceConfig(kind=self.kind, page_rule=self.rules, **self._common(site))


class FeedTable(Table):
    """An outgoing feed."""

    name: Name
    title: Title
    description: Line = ""
    select: SelectTable = SelectTable()
    limit: int = Field(default=50, ge=1, le=500)
    language: Language | None = None
    formats: tuple[Literal["rss", "atom", "json"], ...] = ("rss", "atom", "json")
    partners: tuple[Annotated[str, AfterValidator(known("partners"))], ...] = ()
    moved: tuple[FormerName, ...] = ()

    @field_validator("formats")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError('a feed without a format is not there; write at least one, such as ["rss"]')
        return value


class MailChannel(Table):
    """What all ways out for mail have."""

    rate: Rate | None = None
    daily: int | None = Field(default=None, ge=1, le=10_000_000)
    per_domain: Mapping[MailDomain, Rate] = Field(default_factory=dict)

    def pacing(self) -> Pacing | None:
        """How fast mail may go; None: as fast as it can."""
        if not (self.rate or self.daily or self.per_domain):
            return None
        named = {domain: pace for domain, pace in self.per_domain.items() if domain != ALL_OTHERS}
        return Pacing(rate=self.rate, daily=self.daily, domains=named, others=self.per_domain.get(ALL_OTHERS))


class MaildirChannel(MailChannel):
    """Mail is laid down as files. For trying out, and for a mail system that picks them up."""

    kind: Literal["maildir"]
    path: FilePath
    dkim: Name | None = None


class SmtpChannel(MailChannel):
    """Mail goes to a relay."""

    kind: Literal["smtp"]
    host: Host
    port: int = Field(default=587, ge=1, le=65535)
    tls: Literal["starttls", "tls", "none"] = "starttls"
    username: Line = ""
    password: Secret | None = Field(default=None, validate_default=True)
    connections: int = Field(default=4, ge=1, le=64)
    timeout: Duration = Field(default="60 s", validate_default=True)
    ehlo_name: Host | None = None
    ca_file: FilePath | None = None
    dkim: Name | None = None

    @field_validator("password")
    @classmethod
    def _complete_and_covered(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (value is None) == bool(info.data.get("username")):
            raise ValueError("user and password belong together; write both username and password, or neither")
        if value is not None and info.data.get("tls") == "none" and not is_loopback(info.data.get("host", "")):
            raise ValueError('would cross the network in clear; write tls = "starttls" or "tls"')
        return value


class MailgunChannel(MailChannel):
    """Mail goes to a provider who writes the messages, signs them, and tells later what became of them."""

    kind: Literal["mailgun"]
    domain: Host
    api_key: Secret
    region: Literal["us", "eu"] = "us"
    url: Url | None = None
    connections: int = Field(default=1, ge=1, le=16)
    timeout: Duration = Field(default="60 s", validate_default=True)
    webhook_key: Secret | None = None

    @field_validator("url")
    @classmethod
    def _covered(cls, value: str | None) -> str | None:
        if value and not value.startswith("https:") and not is_loopback(urlsplit(value).hostname or ""):
            raise ValueError("the API key would cross the network in clear; write https://…")
        return value


class ReceiptsTable(Table):
    """Where bounces and complaints come in."""

    name: Name
    domains: tuple[Host, ...] = ()


class MaildirReceipts(ReceiptsTable):
    """A folder that a mail system on this machine puts them into."""

    kind: Literal["maildir"]
    path: FilePath


class ImapReceipts(ReceiptsTable):
    """A mailbox on a server."""

    kind: Literal["imap"]
    host: Host
    port: int = Field(default=993, ge=1, le=65535)
    tls: Literal["tls", "starttls", "none"] = "tls"
    username: Line
    password: Secret
    folder: Title = "INBOX"
    ca_file: FilePath | None = None

    @field_validator("password")
    @classmethod
    def _covered(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if info.data.get("tls") == "none" and not is_loopback(info.data.get("host", "")):
            raise ValueError('would cross the network in clear; write tls = "tls" or "starttls"')
        return value


class PartnerTable(Table):
    """A portal with a contract."""

    name: Name
    title: Title
    contact: Address | None = None


class EndpointTable(Table):
    """An address of a partner that takes pushes."""

    name: Name
    partner: Annotated[str, AfterValidator(known("partners"))]
    kind: Literal["webhook"]
    url: Url
    secret: WebhookSecrets
    select: SelectTable = SelectTable()
    newsletters: tuple[Annotated[str, AfterValidator(known("newsletters"))], ...] = ()

    @field_validator("url")
    @classmethod
    def _covered(cls, value: str, info: ValidationInfo) -> str:
        if not value.startswith("https:") and not is_allowed(value, info):
            raise ValueError("pushes go over https; write https://…, or name the address in the URL in [net] allow")
        return value

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The keys that sign, two while one is being changed; none where secrets weren't looked up."""
        return tuple(webhook_key(secret) for secret in self.secret if secret != NOT_LOOKED_UP)


class NetTable(Table):
    """The way out to the network."""

    allow: tuple[AllowEntry, ...] = ()
    user_agent: Line = ""


class LogTable(Table):
    """What is written about the work."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"
