"""Reads the config file: judges every value, and tells all that is wrong at once, each with its cure."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from syndicate.errors import ConfigError
from syndicate.formats.catalogues import load_phrases
from syndicate.net.guard import Allowed
from syndicate.settings.around import Surroundings, path_at
from syndicate.settings.assets import assets
from syndicate.settings.file import ConfigFile, find_config, read_config
from syndicate.settings.keys import create_keys, create_sample_secret
from syndicate.settings.problems import LISTS, doubles, named, problem_of
from syndicate.settings.whole import Settings


def load(path: Path | None, *, cwd: Path, environ: Mapping[str, str], secrets: bool = True) -> Settings:
    """The settings in `path`, else in ./config/syndicate.toml, else in ./syndicate.toml.

    Without `secrets` those of channels and endpoints aren't looked up: for work that hands nothing out, which must not
    fail for want of one. Raises ConfigError with every problem of the file.
    """
    file = read_config(find_config(path, cwd=cwd), cwd=cwd)
    problems = list(doubles(file))
    try:
        settings = Settings.model_validate(file.data, context=_surroundings(file, environ, secrets=secrets))
    except ValidationError as error:
        problems += [problem_of(file, details) for details in error.errors(include_url=False)]
    try:
        load_phrases((_folder(file, "locale"), assets("locale")))
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(*problems)
    return settings


def prepare_keys(path: Path | None, *, cwd: Path) -> None:
    """What `init` and `up` do before `load`: make the keys if there are none yet, and the sample's secret.

    A file with faults is left to `load`. Never replaces a key.
    """
    file = read_config(find_config(path, cwd=cwd), cwd=cwd)
    keys, var = _folder(file, "keys"), _folder(file, "var")
    if keys.is_relative_to(var):
        return
    create_keys(keys)
    if file.data.get("sample") is True:
        create_sample_secret(keys)


def _surroundings(file: ConfigFile, environ: Mapping[str, str], *, secrets: bool) -> Surroundings:
    names = {section: tuple(name for _, name in named(file, section)) for section in LISTS}
    channels = file.data.get("channels")
    names["channels"] = tuple(channels) if isinstance(channels, Mapping) else ()
    look = file.data.get("look")
    return Surroundings(
        root=file.root,
        environ=environ,
        secrets=secrets,
        names=names,
        allowed=_allowed(file),
        var=_folder(file, "var"),
        templates=_folder(file, "templates"),
        look=look if isinstance(look, Mapping) else {},
        sample=file.data.get("sample") is True,
    )


def _allowed(file: ConfigFile) -> Allowed:
    """The entries that can be read; the others are reported at their own place."""
    net = file.data.get("net")
    entries = net.get("allow") if isinstance(net, Mapping) else ()
    pairs: set[Any] = set()
    for entry in entries if isinstance(entries, tuple) else ():
        with suppress(ConfigError):
            pairs |= Allowed.parse([str(entry)]).pairs
    return Allowed(frozenset(pairs))


def _folder(file: ConfigFile, key: str) -> Path:
    """A value that is no path is reported at its own place; the default stands in for it."""
    value = file.data.get(key)
    return path_at(file.root, value if isinstance(value, str) and "\0" not in value else key)
