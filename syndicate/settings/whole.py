"""The whole config file, and what it means in the words of the domain.

`Settings` is frozen, without unknown keys, made once by `load`. Its methods hand out domain objects, so that nobody
behind it knows how the file is written.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from syndicate import __version__
from syndicate.channels import (
    ImapConfig,
    MailboxConfig,
    MailConfig,
    MaildirConfig,
    MaildirInConfig,
    MailgunConfig,
    SmtpConfig,
)
from syndicate.channels.mail.mailgun import REGIONS
from syndicate.domain import feed, newsletter, partner
from syndicate.domain.pace import Pacing
from syndicate.domain.source import SourceConfig
from syndicate.formats.catalogues import load_phrases
from syndicate.settings.around import nearest
from syndicate.settings.assets import assets
from syndicate.settings.kinds import EngineName, FilePath, KeysPath, Name
from syndicate.settings.newsletters import BannerTable, DarkTable, LookTable, NewsletterTable, SponsorTable
from syndicate.settings.secret import NOT_LOOKED_UP, StoreUrl
from syndicate.settings.tables import (
    EndpointTable,
    ExcludeTable,
    FeedSource,
    FeedTable,
    FolderSource,
    ImapReceipts,
    LogTable,
    MaildirChannel,
    MaildirReceipts,
    MailgunChannel,
    NetTable,
    PageSource,
    PartnerTable,
    SelectTable,
    SiteTable,
    SmtpChannel,
    Table,
    WebTable,
    WordPressSource,
)

AnySource = Annotated[FolderSource | FeedSource | WordPressSource | PageSource, Field(discriminator="kind")]
AnyChannel = Annotated[MaildirChannel | SmtpChannel | MailgunChannel, Field(discriminator="kind")]
AnyReceipts = Annotated[MaildirReceipts | ImapReceipts, Field(discriminator="kind")]


class Settings(Table):
    """The configuration, read once. All paths in it are absolute, secrets are hidden from `repr`."""

    store: StoreUrl = Field(default="sqlite:///var/syndicate.db", validate_default=True)
    engine: EngineName = "embedded"
    var: FilePath = Field(default="var", validate_default=True)
    keys: KeysPath = Field(default="keys", validate_default=True)
    templates: FilePath = Field(default="templates", validate_default=True)
    locale: FilePath = Field(default="locale", validate_default=True)
    sample: bool = False
    site_table: SiteTable = Field(alias="site")
    web: WebTable
    net: NetTable = NetTable()
    log: LogTable = LogTable()
    look: LookTable = LookTable()
    channels: Mapping[Name, AnyChannel] = Field(default_factory=dict)
    source_tables: tuple[AnySource, ...] = Field(default=(), alias="sources")
    feed_tables: tuple[FeedTable, ...] = Field(default=(), alias="feeds")
    newsletter_tables: tuple[NewsletterTable, ...] = Field(default=(), alias="newsletters")
    partner_tables: tuple[PartnerTable, ...] = Field(default=(), alias="partners")
    endpoint_tables: tuple[EndpointTable, ...] = Field(default=(), alias="endpoints")
    receipt_tables: tuple[AnyReceipts, ...] = Field(default=(), alias="receipts")

    @field_validator("feed_tables")
    @classmethod
    def _one_heir_each(cls, value: tuple[FeedTable, ...], info: ValidationInfo) -> tuple[FeedTable, ...]:
        web = info.data.get("web")
        former = Counter([name for table in value for name in table.moved] + list(web.gone_feeds if web else ()))
        for name in (name for name, times in former.items() if times > 1):
            raise ValueError(
                f'"{name}" can\'t have become two things; leave it in moved of one feed, or in gone_feeds of [web]'
            )
        return value

    @field_validator("receipt_tables")
    @classmethod
    def _of_a_sender(cls, value: tuple[AnyReceipts, ...], info: ValidationInfo) -> tuple[AnyReceipts, ...]:
        newsletters = info.data.get("newsletter_tables")
        senders = {table.sender.address.rpartition("@")[2] for table in newsletters or ()}
        for table in value if newsletters is not None else ():
            for domain in table.domains:
                if domain not in senders:
                    raise ValueError(
                        f'"{domain}" in domains of "{table.name}": no newsletter is from there; '
                        f"{nearest(domain, tuple(sorted(senders)))}"
                    )
        return value

    @property
    def store_url(self) -> str:
        """For the store, which adds the driver; may hold a password."""
        return self.store.get_secret_value()

    @property
    def user_agent(self) -> str:
        """How we introduce ourselves to other hosts: who it is and where to complain."""
        return self.net.user_agent or f"Syndicate/{__version__} (+{self.site_table.url})"

    def site(self) -> feed.Site:
        """The newspaper."""
        table = self.site_table
        return feed.Site(
            title=table.title,
            url=table.url,
            public_url=self.web.public_url,
            phrases=load_phrases((self.locale, assets("locale"))),
            language=table.language,
            timezone=table.timezone,
            description=table.description,
            contact=table.contact or "",
            tag_host=table.tag_host or urlsplit(table.url).hostname or "",
        )

    def sources(self) -> tuple[SourceConfig, ...]:
        """Where articles come from."""
        return tuple(table.config(self.site_table) for table in self.source_tables)

    def feeds(self) -> tuple[feed.Feed, ...]:
        """The outgoing feeds."""
        return tuple(
            feed.Feed(
                name=table.name,
                title=table.title,
                selection=table.select.selection(),
                first_name=next(iter(table.moved), ""),
                description=table.description,
                limit=table.limit,
                language=table.language or self.site_table.language,
                formats=table.formats,
                partners=table.partners,
            )
            for table in self.feed_tables
        )

    def moved_feeds(self) -> Mapping[str, str]:
        """Former names of feeds, and how each is called now."""
        return {former: table.name for table in self.feed_tables for former in table.moved}

    def newsletters(self) -> tuple[newsletter.Newsletter, ...]:
        """The products that are mailed."""
        return tuple(map(self._newsletter, self.newsletter_tables))

    def partners(self) -> tuple[partner.Partner, ...]:
        """The portals."""
        return tuple(
            partner.Partner(name=table.name, title=table.title, contact=table.contact or "")
            for table in self.partner_tables
        )

    def endpoints(self) -> tuple[partner.Endpoint, ...]:
        """Where pushes go, with the keys that sign them."""
        return tuple(
            partner.Endpoint(
                name=table.name,
                partner=table.partner,
                kind=table.kind,
                url=table.url,
                secrets=table.secrets,
                selection=table.select.selection(),
                newsletters=table.newsletters,
            )
            for table in self.endpoint_tables
        )

    def mail_channels(self) -> tuple[MailConfig, ...]:
        """The ways out for mail; where secrets weren't looked up, only those that need none."""
        return tuple(self._channel(name, table) for name, table in self.channels.items() if _is_open(table))

    def pacings(self) -> Mapping[str, Pacing]:
        """By channel, how fast mail may go; without those that may go as fast as they can."""
        said = {name: table.pacing() for name, table in self.channels.items()}
        return {name: pacing for name, pacing in said.items() if pacing is not None}

    def mailboxes(self) -> tuple[MailboxConfig, ...]:
        """Where receipts come in; where secrets weren't looked up, only those that need none."""
        return tuple(
            MaildirInConfig(name=table.name, path=table.path)
            if isinstance(table, MaildirReceipts)
            else ImapConfig(
                name=table.name,
                host=table.host,
                port=table.port,
                tls=table.tls,
                username=table.username,
                password=table.password.get_secret_value(),
                folder=table.folder,
                ca_file=str(table.ca_file) if table.ca_file else None,
            )
            for table in self.receipt_tables
            if isinstance(table, MaildirReceipts) or table.password != NOT_LOOKED_UP
        )

    def domains_left_by_mail(self) -> frozenset[str]:
        """Sender domains whose unsubscribe addresses are read: their mails name one beside the link."""
        return frozenset(domain for table in self.receipt_tables for domain in table.domains)

    def selectors(self) -> Mapping[str, str]:
        """By newsletter, with which keys its mails are signed; those that aren't signed are left out."""
        told = {table.name: self.channels[table.channel] for table in self.newsletter_tables}
        ours = {name: table.dkim for name, table in told.items() if not isinstance(table, MailgunChannel)}
        return {name: selector for name, selector in ours.items() if selector}

    def hook_keys(self) -> Mapping[str, bytes]:
        """By channel, what its webhooks are signed with; without those that take none."""
        keys = {name: table.webhook_key for name, table in self.channels.items() if isinstance(table, MailgunChannel)}
        return {name: key.get_secret_value().encode() for name, key in keys.items() if key and key != NOT_LOOKED_UP}

    def _newsletter(self, table: NewsletterTable) -> newsletter.Newsletter:
        return newsletter.Newsletter(
            name=table.name,
            title=table.title,
            selection=table.select.selection(),
            schedule=table.schedule,
            timezone=table.timezone or self.site_table.timezone,
            sender_name=table.sender.name,
            sender_address=table.sender.address,
            channel=table.channel,
            template=table.template,
            subject=table.subject,
            language=table.language or self.site_table.language,
            description=table.description,
            min=table.min,
            max=table.max,
            skip_empty=table.skip_empty,
            reply_to=table.reply_to or "",
            look=(table.look or self.look).look(),
            sponsor=table.sponsor.sponsor() if table.sponsor else None,
            topics=table.topics,
            roundup=table.roundup,
            breaking=table.breaking,
            breaking_max=table.breaking_max,
        )

    def _channel(self, name: str, table: AnyChannel) -> MailConfig:
        if isinstance(table, MaildirChannel):
            return MaildirConfig(name=name, path=table.path)
        if isinstance(table, MailgunChannel):
            return MailgunConfig(
                name=name,
                domain=table.domain,
                api_key=table.api_key.get_secret_value(),
                user_agent=self.user_agent,
                url=table.url or REGIONS[table.region],
                connections=table.connections,
                timeout_seconds=table.timeout.total_seconds(),
            )
        return SmtpConfig(
            name=name,
            host=table.host,
            port=table.port,
            username=table.username or None,
            password=table.password.get_secret_value() if table.password else None,
            tls=table.tls,
            connections=table.connections,
            timeout_seconds=table.timeout.total_seconds(),
            ehlo_name=table.ehlo_name or urlsplit(self.web.public_url).hostname or "localhost",
            ca_file=str(table.ca_file) if table.ca_file else None,
        )


def _is_open(table: AnyChannel) -> bool:
    if isinstance(table, MailgunChannel):
        return table.api_key != NOT_LOOKED_UP
    return isinstance(table, MaildirChannel) or table.password != NOT_LOOKED_UP


# For hints on a misspelt key, and for the proof that every key is documented.
TABLES: Mapping[str, type[Table]] = {
    "": Settings,
    "site": SiteTable,
    "web": WebTable,
    "sources.folder": FolderSource,
    "sources.feed": FeedSource,
    "sources.wordpress": WordPressSource,
    "sources.page": PageSource,
    "feeds": FeedTable,
    "newsletters": NewsletterTable,
    "channels.maildir": MaildirChannel,
    "channels.smtp": SmtpChannel,
    "channels.mailgun": MailgunChannel,
    "partners": PartnerTable,
    "endpoints": EndpointTable,
    "receipts.maildir": MaildirReceipts,
    "receipts.imap": ImapReceipts,
    "net": NetTable,
    "log": LogTable,
    "select": SelectTable,
    "exclude": ExcludeTable,
    "look": LookTable,
    "dark": DarkTable,
    "logo": BannerTable,
    "sponsor": SponsorTable,
    "picture": BannerTable,
}


def keys_of(table: type[Table]) -> tuple[str, ...]:
    """The keys as they are written in the file."""
    return tuple(field.alias or name for name, field in table.model_fields.items())
