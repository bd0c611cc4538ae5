"""`syndicate keys …`: what proves to others that a mail is ours."""

from typing import Annotated

import typer

from syndicate.cli import show
from syndicate.cli.opening import settings_of

_STRING = 255  # characters of one string of a TXT record, RFC 1035 §3.3.14

_Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help="What stands behind the @ of your newsletters' sender.")]
_Selector = Annotated[str, typer.Option(metavar="NAME", help="Of this pair of keys; a new pair needs a new one.")]


def dkim(context: typer.Context, domain: _Domain, *, selector: _Selector = "s1", json: show.Json = False) -> None:
    """Make the keys that sign mails (DKIM), if there are none yet, and print what to put into the DNS.

    Mails are signed once `dkim = "NAME"` stands in `[channels.NAME]`: publish the records first.
    """
    from syndicate.settings.dkim import make_signing_keys

    settings = settings_of(context, prepare=True, secrets=False)
    keys = make_signing_keys(settings.keys, domain, selector)
    if json:
        show.as_json([{"name": key.place, "type": "TXT", "value": key.record()} for key in keys])
        return
    print("; Put both into the DNS:")
    for key in keys:
        print(f"{key.place}. IN TXT {_quoted(key.record())}")
    print(f'; Then write dkim = "{selector}" under the [channels.…] that sends from @{domain}.')


def _quoted(record: str) -> str:
    """As zone files want it: strings of at most 255 characters."""
    strings = [record[start : start + _STRING] for start in range(0, len(record), _STRING)]
    return "(" + " ".join(f'"{one}"' for one in strings) + ")" if len(strings) > 1 else f'"{record}"'
