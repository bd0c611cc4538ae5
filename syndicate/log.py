"""What is written about the work: one record, one line; secrets masked, addresses hashed, whatever strings come in.

Event names are dotted and in the past tense (`delivery.settled`), the rest are fields. Everybody logs with
`structlog.get_logger()`; only the edges call `set_up`, once.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from syndicate.domain.audience import address_digest

LIBRARIES = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "apscheduler", "alembic", "asyncio")
MASK = "[masked]"
_SECRET_KEY = re.compile(r"pass(word|wd|phrase)|secret|token|authorization|cookie|api_?key|private_?key", re.IGNORECASE)
# Control characters, line separators and marks that turn the direction of writing (T44).
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_QUERY = re.compile(r"(?<=[?&])(?:(?:api_?)?key|(?:access_?)?token|password|secret)=[^&#\s]+", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_CREDENTIAL = re.compile(
    r"\bnp_[a-z2-7]{8}_[\w-]{43}"  # a partner's key
    r"|\bns_[\w-]{43}"  # a session
    r"|\bwhsec_[A-Za-z0-9+/=]+"  # a webhook secret (Standard Webhooks)
    r"|(?<=/[a-z]/)[\w-]{44}\b"  # the token in a link of ours
    r"|(?i:(?<=bearer )|(?<=basic ))[\w.~+/=-]{8,}"  # RFC 9110 §11.6.2
)
_ADDRESS = re.compile(r"[\w.!#$&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")


def set_up(*, level: str, format: Literal["console", "json"], stream: TextIO, pepper: bytes) -> None:
    """From now on everything is logged to `stream`, what libraries say only from WARNING up.

    `pepper` hides addresses: the same one is always written the same way, see `hidden_address`.
    """
    chain: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _exception,
        Cleaner(pepper),
        as_json if format == "json" else as_line,
    ]
    structlog.configure(
        processors=chain,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    _route_libraries()


def hidden_address(pepper: bytes, address: str) -> str:
    """How an address is written in the log, so that an operator who knows it can search for it."""
    return f"addr:{address_digest(pepper, address)[:12]}"


class Cleaner:
    """Makes every field safe to write: no secret, no address, no character that could fake a line or a colour."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """A structlog processor."""
        return {self._text(key): self._field(key, value) for key, value in event.items()}

    def _field(self, key: str, value: object) -> Any:
        if _SECRET_KEY.search(key) and value is not None and not isinstance(value, bool | int | float):
            return MASK
        return self._value(value)

    def _value(self, value: object) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self._text(str(key)): self._field(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(item) for item in value]
        return self._text(value if isinstance(value, str) else str(value))

    def _text(self, text: str) -> str:
        for pattern in (_USERINFO, _QUERY, _CREDENTIAL):
            text = pattern.sub(MASK, text)
        text = _ADDRESS.sub(lambda hit: hidden_address(self._pepper, hit[0]), text)
        return _UNSAFE.sub(lambda hit: hit[0].encode("unicode_escape").decode(), text)


def as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """One JSON object."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def as_line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """For eyes: time, level, event, then the fields."""
    at, level, name = event.pop("at"), event.pop("level"), event.pop("event")
    fields = " ".join(f"{key}={_plain(value)}" for key, value in event.items())
    return f"{at[11:19]} {level:<7} {name} {fields}".rstrip()


def _plain(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[^\s\"=]+", value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The traceback as one field; it becomes one line when control characters are escaped."""
    info = event.pop("exc_info", None)
    info = sys.exc_info() if info is True else info
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["exception"] = "".join(traceback.format_exception(error))
    return event


class _ToStructlog(logging.Handler):
    """Hands what a library logs to our chain."""

    def emit(self, record: logging.LogRecord) -> None:
        level = min(record.levelno // 10 * 10, logging.CRITICAL)
        structlog.get_logger().log(
            level, "library.reported", library=record.name, message=record.getMessage(), exc_info=record.exc_info
        )


def _route_libraries() -> None:
    root = logging.getLogger()
    root.handlers = [_ToStructlog()]
    root.setLevel(logging.WARNING)
    for name in LIBRARIES:
        library = logging.getLogger(name)
        library.handlers, library.propagate = [], True
        library.setLevel(logging.WARNING)
