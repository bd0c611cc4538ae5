"""Secrets in the config file: only ever referred to, never written there, never shown."""

import base64
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationInfo

from syndicate.settings.around import path_at, surroundings
from syndicate.settings.kinds import outside_var

NOT_LOOKED_UP = SecretStr("")  # no secret is empty
_WEBHOOK_KEY = (24, 64)  # bytes, Standard Webhooks 1.0, "Signature scheme"


def webhook_key(secret: SecretStr) -> bytes:
    """The bytes that sign: `whsec_` and base64, as Standard Webhooks writes them. ValueError if not."""
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    low, high = _WEBHOOK_KEY
    if not text.startswith("whsec_") or not low <= len(key) <= high:
        raise ValueError(f"what it refers to must be whsec_ and {low} to {high} random bytes in base64; make a new one")
    return key


def _secret(value: object, info: ValidationInfo) -> SecretStr:
    """A secret never stands in the config file itself."""
    if not isinstance(value, str) or not value.startswith(("env:", "file:")):
        raise ValueError('a secret may not stand in this file; write "env:NAME" or "file:PATH"')
    return _referred(value, info) if surroundings(info).secrets else NOT_LOOKED_UP


def _referred(value: str, info: ValidationInfo) -> SecretStr:
    """What `env:NAME` or `file:PATH` refers to."""
    place, _, where = value.partition(":")
    text = _from_environ(where, info) if place == "env" else _from_file(where, info)
    if not text:
        raise ValueError(f"{value} is empty; put the secret there")
    return SecretStr(text)


def _from_environ(name: str, info: ValidationInfo) -> str:
    try:
        return surroundings(info).environ[name].strip()
    except KeyError:
        raise ValueError(f"the environment has no {name}; set it before the start, or write another env:NAME") from None


def _from_file(where: str, info: ValidationInfo) -> str:
    path = outside_var(path_at(surroundings(info).root, where), info)
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise ValueError(f"{path} can't be read ({error.strerror}); put the secret there, mode 0600") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text; put one line of text there") from None


def _webhook_secret(value: SecretStr) -> SecretStr:
    if value != NOT_LOOKED_UP:
        webhook_key(value)
    return value


def _list_of_one(value: object) -> object:
    return value if isinstance(value, tuple) else (value,)


def _one_or_two(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if len(value) not in (1, 2):
        raise ValueError('must be one secret, or two while it is being changed; write ["file:NEW", "file:OLD"]')
    return value


def _store(value: object, info: ValidationInfo) -> SecretStr:
    """The database's URL, which all work needs; the store adds the driver.

    A password in it may only come from the environment or a file.
    """
    referred = isinstance(value, str) and value.startswith(("env:", "file:"))
    text = _referred(str(value), info).get_secret_value() if referred else value
    if isinstance(text, str) and text.startswith("sqlite:///"):
        return SecretStr(f"sqlite:///{path_at(surroundings(info).root, text.removeprefix('sqlite:///'))}")
    if not isinstance(text, str) or not text.startswith(("postgresql://", "postgresql+psycopg://")):
        raise ValueError('not a database; write "sqlite:///var/syndicate.db" or "postgresql://HOST/NAME"')
    if not referred and urlsplit(text).password is not None:
        raise ValueError('a password may not stand in this file; write "env:NAME" or "file:PATH" and put the URL there')
    return SecretStr(text)


Secret = Annotated[SecretStr, BeforeValidator(_secret)]
WebhookSecrets = Annotated[
    tuple[Annotated[Secret, AfterValidator(_webhook_secret)], ...],
    BeforeValidator(_list_of_one),
    AfterValidator(_one_or_two),
]
StoreUrl = Annotated[SecretStr, BeforeValidator(_store)]
