"""Ways out of the house: mail to subscribers, pushes to partners. Each kind is one file and one line here.

`MAILERS[config.kind](config)` opens a mailer, `PUSHERS[endpoint.kind](client)` a pusher; neither touches the network
before its first use.
"""

from collections.abc import Callable, Mapping

from syndicate.channels.mail.maildir import MaildirConfig, MaildirMailer
from syndicate.channels.mail.smtp import SmtpConfig, SmtpMailer
from syndicate.channels.push.webhook import Webhook
from syndicate.net.client import Client
from syndicate.ports import Mailer, Pusher

__all__ = ["MAILERS", "PUSHERS", "MailConfig", "MaildirConfig", "SmtpConfig"]

MailConfig = MaildirConfig | SmtpConfig

MAILERS: Mapping[str, Callable[..., Mailer]] = {
    "maildir": MaildirMailer,
    "smtp": SmtpMailer,
}
PUSHERS: Mapping[str, Callable[[Client], Pusher]] = {
    "webhook": Webhook,
}
