"""The kinds of values in a config file: each becomes what the program works with, or it is said what to write."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, PlainValidator, ValidationInfo

from syndicate.domain import slot
from syndicate.domain.audience import normal_address
from syndicate.domain.pace import Pace
from syndicate.domain.selection import path_slug, slug
from syndicate.errors import AddressProblem, ConfigError
from syndicate.formats.template import template_names
from syndicate.settings.addresses import web_address
from syndicate.settings.around import nearest, path_at, surroundings
from syndicate.settings.assets import assets
from syndicate.sources.read.rules import make_rule

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_DURATION = re.compile(r"(\d{1,6}) ?(s|min|h|d)")
_RATE = re.compile(r"(\d{1,6}) ?/ ?(s|min|h|d)")
_MAIL_DOMAIN = re.compile(r"default|[a-z0-9-]+(\.[a-z0-9-]+)+")
_UNITS: Mapping[str, timedelta] = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_HOLE = re.compile(r"\{([^{}]*)\}")
_HOLES = ("title", "date", "lead")


class Sender(NamedTuple):
    """Who a newsletter is from."""

    name: str
    address: str


def outside_var(path: Path, info: ValidationInfo) -> Path:
    """A key beside the data it protects would be in every copy of the data."""
    if path.is_relative_to(surroundings(info).var):
        raise ValueError('lies inside the data folder (var), so every backup would hold it; write for example "keys"')
    return path


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("not a name; write up to 40 of a–z, 0–9 and -, not starting with -")
    return value


def _line(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("has a line break or control character; write one line of text")
    return value


def _title(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty; write what readers shall see")
    return _line(value)


def _round_up(value: object) -> slot.Schedule:
    rhythm = _schedule(value)
    if not isinstance(rhythm, slot.WallTimes) or not rhythm.weekly:
        raise ValueError('not a day of the week; write for example "sun 07:00"')
    return rhythm


def _duration(value: object) -> timedelta:
    hit = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if hit is None or not int(hit[1]):
        raise ValueError('not a duration; write for example "30 s", "5 min", "2 h" or "1 d"')
    return int(hit[1]) * _UNITS[hit[2]]


def _rate(value: object) -> Pace:
    hit = _RATE.fullmatch(value) if isinstance(value, str) else None
    if hit is None or not int(hit[1]):
        raise ValueError('not a rate; write for example "20 / s", "300 / min" or "5000 / h"')
    return Pace(number=int(hit[1]), per=_UNITS[hit[2]], words=f"{hit[1]} / {hit[2]}")


def _mail_domain(value: str) -> str:
    if not _MAIL_DOMAIN.fullmatch(value):
        raise ValueError(f'"{value}" is no mail domain; write for example "gmail.com", or default for all others')
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, LookupError):  # zoneinfo: not found, a folder, or a name that leaves its folder
        raise ValueError('not a time zone; write for example "Asia/Jakarta", "Asia/Makassar" or "UTC"') from None
    return value


def _language(value: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", value):  # the part of BCP 47 that newspapers use
        raise ValueError('not a language tag; write for example "id", "jv" or "en-GB"')
    return value


def _path(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError('not a path; write for example "var"')
    return path_at(surroundings(info).root, value)


def _schedule(value: object) -> slot.Schedule:
    if not isinstance(value, str):
        raise ValueError('not a rhythm; write for example "06:00" or "every 10 min"')
    try:
        return slot.parse_schedule(value)
    except ValueError as error:
        hint = "" if "write" in str(error) else '; write for example "every 10 min" or "mon-fri 06:00"'
        raise ValueError(f"{error}{hint}") from None


def _address(value: str) -> str:
    try:
        return normal_address(value)
    except AddressProblem as problem:
        raise ValueError(f'not an address: {problem.why}; write for example "redaksi@contohpos.example"') from None


def _sender(value: object) -> Sender:
    hit = re.fullmatch(r"\s*([^<>]*[^<>\s])\s*<([^<>]+)>\s*", value) if isinstance(value, str) else None
    if hit is None:
        raise ValueError('not a sender; write "Contoh Pos <ringkasan@contohpos.example>"')
    return Sender(_line(hit[1].strip('" ')), _address(hit[2]))


def _subject(value: str) -> str:
    unknown = [hole for hole in _HOLE.findall(value) if hole not in _HOLES]
    if unknown:
        raise ValueError(f"{{{unknown[0]}}} is nothing we can fill in; write {{title}}, {{date}} or {{lead}}")
    if set("{}").intersection(_HOLE.sub("", value)):
        raise ValueError("has a { or } without its other half; write {title}, {date} or {lead}")
    return _title(value)


def _template(value: str, info: ValidationInfo) -> str:
    own, shipped = surroundings(info).templates / "digest", assets("templates/digest")
    names = template_names((own, shipped))
    if value not in names:
        raise ValueError(
            f"there is no such template; {nearest(value, names)}; for one of your own copy the folder "
            f"{shipped / 'sections'} to {own}/{_name(value)}"
        )
    return value


def _colour(value: str) -> str:
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", value):
        raise ValueError('not a colour; write # and six digits, for example "#9c1f1f"')
    return value.lower()


def _text(value: str) -> str:
    if _CONTROL.search(value.replace("\r\n", "").replace("\n", "")):
        raise ValueError("has a control character; write plain text, in lines if you like")
    return value


def _picture_url(value: str) -> str:
    parts = web_address(value, example="https://contohpos.example/logo.png")
    if parts.scheme != "https":
        raise ValueError("mail programs load pictures over https only; write https://…")
    if parts.path.lower().endswith((".svg", ".svgz", ".webp", ".avif")):
        raise ValueError("Outlook and Gmail don't draw this kind of picture; write the address of a PNG or JPEG")
    return value


def _slugs(value: object) -> frozenset[str]:
    return frozenset(map(slug, _words(value)))


def _path_slugs(value: object) -> frozenset[str]:
    return frozenset(map(path_slug, _words(value)))


def _topics(value: object) -> tuple[str, ...]:
    """In the order in which readers are offered them, each once."""
    return tuple(dict.fromkeys(map(path_slug, _words(value))))


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, tuple) or not all(isinstance(text, str) for text in value):
        raise ValueError('must be a list of words; write for example ["kota", "daerah"]')
    for text in value:
        if not slug(text):
            raise ValueError(f'"{text}" names nothing; write for example "kota"')
    return value


def _page_rules(value: object) -> Mapping[str, tuple[str, ...]]:
    """An operator's own selectors for a newsroom's pages; the key at fault is named with its flaw."""
    table = (
        {key: list(one) if isinstance(one, tuple) else one for key, one in value.items()}
        if isinstance(value, dict)
        else value
    )
    if not isinstance(table, dict):
        raise ValueError('must be a table; write for example { body = [".entry-content"] }')
    try:
        rule = make_rule("rules", table)
    except ConfigError as error:
        raise ValueError("; ".join(f"{one.place.strip('.')} {one.message}" for one in error.problems)) from None
    return {key: getattr(rule, key) for key in table}


def _engine(value: str) -> str:
    if value != "embedded":
        raise ValueError('the only engine in this version is the one in process; write "embedded"')
    return value


Name = Annotated[str, AfterValidator(_name)]
Line = Annotated[str, AfterValidator(_line)]
Title = Annotated[str, AfterValidator(_title)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Rate = Annotated[Pace, BeforeValidator(_rate)]
MailDomain = Annotated[str, AfterValidator(_mail_domain)]
Zone = Annotated[str, AfterValidator(_zone)]
Language = Annotated[str, AfterValidator(_language)]
FilePath = Annotated[Path, BeforeValidator(_path)]
KeysPath = Annotated[FilePath, AfterValidator(outside_var)]
Rhythm = Annotated[slot.Schedule, PlainValidator(_schedule)]
RoundUp = Annotated[slot.Schedule, PlainValidator(_round_up)]
Address = Annotated[str, AfterValidator(_address)]
From = Annotated[Sender, PlainValidator(_sender)]
Subject = Annotated[str, AfterValidator(_subject)]
Template = Annotated[str, AfterValidator(_template)]
Colour = Annotated[str, AfterValidator(_colour)]
Text = Annotated[str, AfterValidator(_text)]
PictureUrl = Annotated[str, AfterValidator(_picture_url)]
Slugs = Annotated[frozenset[str], PlainValidator(_slugs)]
PathSlugs = Annotated[frozenset[str], PlainValidator(_path_slugs)]
Topics = Annotated[tuple[str, ...], PlainValidator(_topics)]
PageRules = Annotated[Mapping[str, tuple[str, ...]], PlainValidator(_page_rules)]
EngineName = Annotated[str, AfterValidator(_engine)]
