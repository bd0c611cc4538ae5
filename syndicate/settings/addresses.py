"""Addresses in the config file: URLs, what we listen on, what we may reach."""

import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Annotated, NamedTuple
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, ValidationInfo

from syndicate.errors import ConfigError
from syndicate.net.guard import Allowed, literal
from syndicate.settings.around import surroundings

_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s/@:\[\]]+):(\d{1,5})")
_DEFAULT_PORTS: Mapping[str, int] = {"http": 80, "https": 443}


class HostPort(NamedTuple):
    """An address to listen on or to reach; an IPv6 host has no brackets here."""

    host: str
    port: int


def is_loopback(host: str) -> bool:
    """True for a host that only this machine can reach."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_allowed(url: str, info: ValidationInfo) -> bool:
    """True when `[net] allow` opens the address in the URL. A name is never allowed: it could mean any address."""
    parts = web_address(url)
    address = literal(parts.hostname or "")
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    return address is not None and surroundings(info).allowed.opens(address, port)


def web_address(value: str, *, example: str = "https://contohpos.example/rss") -> SplitResult:
    """The parts of an absolute http or https URL without user, password and fragment. Raises ValueError."""
    try:
        parts = urlsplit(value)
        whole = parts.scheme in _DEFAULT_PORTS and parts.hostname and parts.port != 0 and not re.search(r"\s", value)
    except ValueError:  # a port or an IPv6 address that isn't one
        whole = False
    if not whole:
        raise ValueError(f'not a web address; write for example "{example}"')
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError(f'has a user, password or #; write it without, for example "{example}"')
    return parts


def host_port(value: str) -> HostPort:
    """`127.0.0.1:8080` or `[::1]:8080`. Raises ValueError."""
    hit = _HOST_PORT.fullmatch(value)
    if hit is None or not 0 < int(hit[2]) < 65536:
        raise ValueError('not host:port; write for example "127.0.0.1:8080" or "[::1]:8080"')
    return HostPort(hit[1].strip("[]"), int(hit[2]))


def _url(value: str) -> str:
    web_address(value)
    return value


def _front_page(value: str) -> str:
    web_address(value, example="https://contohpos.example")
    return value


def _origin(value: str) -> str:
    """Scheme, host and port only: our paths are ours."""
    parts = web_address(value, example="https://feeds.contohpos.example")
    if parts.path not in ("", "/") or parts.query:
        raise ValueError(f'has a path; write only "{parts.scheme}://{parts.netloc}"')
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError(f'readers\' links must be safe; write "https://{parts.netloc}"')
    return f"{parts.scheme}://{parts.netloc}"


def _listen(value: str, info: ValidationInfo) -> str:
    if surroundings(info).sample and not is_loopback(host_port(value).host):
        raise ValueError(
            "the sample (sample = true) is for this machine only; "
            'write listen = "127.0.0.1:8080", or sample = false for a real newsroom'
        )
    host_port(value)
    return value


def _allowed(value: str) -> str:
    try:
        Allowed.parse([value])
    except ConfigError as error:
        raise ValueError(str(error).partition(": ")[2]) from None
    return value


def _proxy(value: str) -> str:
    try:
        ip_network(value)
    except ValueError:
        raise ValueError('not an address or network; write for example "127.0.0.1" or "10.0.0.0/24"') from None
    return value


def _host(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.:-]{1,253}", value):
        raise ValueError('not a host; write its name or address without port, for example "smtp.example.com"')
    return value


Url = Annotated[str, AfterValidator(_url)]
FrontPage = Annotated[str, AfterValidator(_front_page)]
Origin = Annotated[str, AfterValidator(_origin)]
Listen = Annotated[str, AfterValidator(_listen)]
AllowEntry = Annotated[str, AfterValidator(_allowed)]
ProxyEntry = Annotated[str, AfterValidator(_proxy)]
Host = Annotated[str, AfterValidator(_host)]
