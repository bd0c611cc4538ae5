"""Everything that can go wrong in a way a person must be told.

SyndicateError
├── ConfigError        the configuration cannot be used; names file, key, value and cure
├── AddressProblem     an e-mail address we won't write to; says why
├── NotFound           the thing named on the command line or in a URL doesn't exist
├── Refused            asked for something the rules forbid; nothing happened
└── StoreTrouble       the database can't be used right now; nothing happened

The failure of the other side (a source, a relay, a partner) is never an exception: it is a value
(`FetchFailed`, `JailFailure`, `Outcome`).
"""

from dataclasses import dataclass


class SyndicateError(Exception):
    """The base of the tree. Its text is meant for the person at the terminal."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong with the configuration. As text it is the line that a person reads."""

    message: str  # what is wrong, and the cure
    file: str = ""
    place: str = ""  # the key, or the line; "" where none is meant
    value: str = ""  # as it stands there, if there is one that may be shown

    def __str__(self) -> str:
        written = f"{self.place} = {self.value}" if self.value else self.place
        return ": ".join(part for part in (self.file, written, self.message) if part)


class ConfigError(SyndicateError):
    """The configuration can't be used. Its text has one line for each problem; a mere text is a problem's message."""

    def __init__(self, *problems: str | Problem) -> None:
        self.problems = tuple(Problem(message=one) if isinstance(one, str) else one for one in problems)
        super().__init__("\n".join(map(str, self.problems)))


class AddressProblem(SyndicateError):
    """An e-mail address that we can't or won't write to."""

    def __init__(self, address: str, why: str) -> None:
        self.address, self.why = address, why
        super().__init__(f"{address!r} is not an address we can write to: {why}")


class NotFound(SyndicateError):
    """The named thing doesn't exist; says what exists instead where that helps."""

    def __init__(self, what: str, name: str, *, known: tuple[str, ...] = ()) -> None:
        self.what, self.name, self.known = what, name, known
        hint = f" Known: {', '.join(known)}." if known else ""
        super().__init__(f"There is no {what} called {name!r}.{hint}")


class Refused(SyndicateError):
    """A request that the rules forbid. Nothing was changed."""


class StoreTrouble(SyndicateError):
    """The database can't be used. Nothing was changed."""
