"""Ways out of the house, mail to subscribers and pushes to partners, and the mailboxes where answers come in. Each kind
is one file and one line here.

`MAILERS[config.kind](config)` opens a mailer, `PUSHERS[endpoint.kind](client)` a pusher and
`MAILBOXES[config.kind](config)` a mailbox; none touches the network before its first use. `EVENTS[kind](body)` reads
what a mail channel of that kind was told by webhook.
"""

from collections.abc import Callable, Mapping

from syndicate.channels.mail import mailgun_events
from syndicate.channels.mail.imap import ImapConfig, ImapMailbox
from syndicate.channels.mail.maildir import MaildirConfig, MaildirMailer
from syndicate.channels.mail.maildir_in import MaildirIn, MaildirInConfig
from syndicate.channels.mail.mailgun import MailgunConfig, MailgunMailer
from syndicate.channels.mail.smtp import SmtpConfig, SmtpMailer
from syndicate.channels.push.webhook import Webhook
from syndicate.domain.receipt import Report
from syndicate.net.client import Client
from syndicate.ports import Mailbox, Mailer, Pusher

__all__ = [
    "EVENTS",
    "MAILBOXES",
    "MAILERS",
    "PUSHERS",
    "ImapConfig",
    "MailConfig",
    "MailboxConfig",
    "MaildirConfig",
    "MaildirInConfig",
    "MailgunConfig",
    "SmtpConfig",
]

MailConfig = MaildirConfig | SmtpConfig | MailgunConfig
MailboxConfig = MaildirInConfig | ImapConfig

MAILERS: Mapping[str, Callable[..., Mailer]] = {
    "maildir": MaildirMailer,
    "smtp": SmtpMailer,
    "mailgun": MailgunMailer,
}
PUSHERS: Mapping[str, Callable[[Client], Pusher]] = {
    "webhook": Webhook,
}
EVENTS: Mapping[str, Callable[[bytes], Report]] = {
    "mailgun": mailgun_events.read_event,
}
MAILBOXES: Mapping[str, Callable[..., Mailbox]] = {
    "maildir": MaildirIn,
    "imap": ImapMailbox,
}
