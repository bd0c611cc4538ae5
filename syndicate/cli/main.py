"""The command `syndicate`: all its words, and what becomes of an error.

Exit codes: 0 done; 1 something is wrong out there or in the data; 2 the command line or the configuration is wrong.
Modules that are slow to import are imported inside the commands, so that `--help` and `once` start at once.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from syndicate import __version__
from syndicate.cli import (
    adding,
    articles,
    check,
    desk,
    directing,
    domains,
    editions,
    explain,
    feeds,
    init,
    jobs,
    keys,
    lifting,
    lists,
    newsletters,
    once,
    partners,
    receipts,
    show,
    sources,
    steering,
    subscribers,
    trying,
    users,
)
from syndicate.cli import up as running
from syndicate.errors import ConfigError, SyndicateError

_Command = Callable[..., Any]

COMMANDS: Mapping[str, _Command] = {
    "up": running.up,
    "once": once.once,
    "init": init.init,
    "check": check.check,
    "migrate": check.migrate,
    "gather": sources.gather,
}
GROUPS: Mapping[str, tuple[str, Mapping[str, _Command]]] = {
    "sources": (
        "Where articles come from.",
        {"add": adding.add, "list": sources.list_all, "test": sources.try_one, "confirm": sources.confirm},
    ),
    "articles": (
        "Stories and their versions.",
        {
            "list": articles.list_all,
            "show": articles.show_one,
            "correct": desk.correct,
            "withdraw": desk.withdraw,
            "restore": desk.restore,
        },
    ),
    "feeds": ("Outgoing feeds.", {"list": feeds.list_all, "show": feeds.show_one}),
    "newsletters": (
        "Products that are mailed on a rhythm.",
        {
            "list": newsletters.list_all,
            "preview": newsletters.preview,
            "pause": newsletters.pause,
            "resume": newsletters.resume,
        },
    ),
    "editions": (
        "Issues of newsletters; one is called NEWSLETTER/SLOT.",
        {
            "list": editions.list_all,
            "show": editions.show_one,
            "books": editions.books,
            "doubts": steering.doubts,
            "hold": directing.hold,
            "release": directing.release,
            "reorder": directing.reorder,
            "intro": directing.intro,
            "drop": directing.drop,
            "pause": steering.pause,
            "resume": steering.resume,
            "cancel": steering.cancel,
            "retry": steering.retry,
            "send-test": trying.send_test,
        },
    ),
    "subscribers": (
        "People who read by mail.",
        {
            "add": subscribers.add,
            "list": subscribers.list_all,
            "show": subscribers.show_one,
            "erase": subscribers.erase,
            "lift": lifting.lift,
            "import": lists.bring_in,
            "export": lists.take_out,
        },
    ),
    "receipts": (
        "What came back: bounces, complaints, mail to leave.",
        {"list": receipts.list_all, "retry": receipts.retry},
    ),
    "partners": (
        "Portals: their keys, and the pushes to their endpoints.",
        {
            "list": partners.list_all,
            "key": partners.key,
            "pushes": partners.pushes,
            "replay": partners.replay,
            "enable": partners.enable,
        },
    ),
    "explain": (
        "Why somebody did, or didn't, get something.",
        {"subscriber": explain.to_subscriber, "partner": explain.to_partner, "feed": explain.in_feed},
    ),
    "users": (
        "Who of the house may sign in, and what was done.",
        {
            "add": users.add,
            "list": users.list_all,
            "password": users.password,
            "role": users.role,
            "remove": users.remove,
            "log": users.log,
        },
    ),
    "keys": ("What proves that a mail is ours.", {"dkim": keys.dkim}),
    "domains": (
        "Mail domains that refuse what we are.",
        {"list": domains.list_all, "resume": domains.resume},
    ),
    "jobs": ("Work that waits or was given up.", {"list": jobs.list_all, "retry": jobs.retry}),
}


def main() -> None:
    """The entry point."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Does what the words say and returns the exit code.

    An error is a sentence on stderr; one of the configuration is JSON on stdout where JSON was asked for.
    """
    try:
        build()(args=config_first(arguments), prog_name="syndicate")
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 0
    except ConfigError as error:
        if "--json" in arguments:
            show.as_json({"ok": False, "problems": error.problems})
        else:
            print(error, file=sys.stderr)
        return 2
    except SyndicateError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def build() -> typer.Typer:
    """The whole tree of commands."""
    tree = _branch(help="A newsroom publishes once; every reader, subscriber and partner gets it once.")
    tree.callback()(_start)
    for name, command in COMMANDS.items():
        tree.command(name)(command)
    for name, (about, commands) in GROUPS.items():
        group = _branch(help=about)
        for word, command in commands.items():
            group.command(word)(command)
        tree.add_typer(group, name=name)
    return tree


def config_first(arguments: Sequence[str]) -> list[str]:
    """`--config PATH` may stand anywhere on the line."""
    words, moved = list(arguments), list[str]()
    end = words.index("--") if "--" in words else len(words)
    place = next((i for i, word in enumerate(words[:end]) if word.partition("=")[0] == "--config"), None)
    if place is not None:
        count = 1 if "=" in words[place] else 2
        moved, words[place : place + count] = words[place : place + count], []
    return moved + words


def _branch(*, help: str) -> typer.Typer:
    return typer.Typer(
        help=help,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _start(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The config file; else config/syndicate.toml, syndicate.toml.")
    ] = None,
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Say the version and stop.")] = False,
) -> None:
    if version:
        print(f"Syndicate {__version__}")
        raise typer.Exit
    context.obj = config
