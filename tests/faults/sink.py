"""A relay or a provider as a process of its own, that errs by chance and writes down what it saw.

    python -m tests.faults.sink smtp|mailgun LOG SEED

It prints its port when it is ready. Its log outlives every worker, and it alone says who got what.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.faults.audit import Line
from tests.servers.http import Heard, Wire, serve
from tests.servers.mailgun import NOT_TAKEN, Mailgun
from tests.servers.smtp import FAULTS_NOT_TAKEN, Behaviour, SmtpSink, Taken

# Percent of messages, 14 in all; a late answer costs a connection seconds, so it is the rarest.
SMTP_FAULTS = {"451": 3.0, "452": 3.0, "421": 3.0, "reset": 1.8, "garbage": 1.5, "cut": 0.6, "lost": 0.6, "late": 0.5}
# Percent of calls, 14 in all.
MAILGUN_FAULTS = {"429": 4.0, "503": 4.0, "late": 1.0, "reset": 2.0, "garbage": 1.0, "cut": 1.0, "page": 1.0}
_NO_DOUBT = frozenset({"", "451", "452", "421", *NOT_TAKEN, "page"}) - {"hang up"}
_SMTP_PAUSE, _MAILGUN_PAUSE = 0.006, 0.15  # seconds at most before an answer: a kill shall find something on the wire
_LATE = 3.0  # seconds; the worker waits for one


class Log:
    """Lines of JSON, flushed one by one."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="ascii", buffering=1)

    def add(self, line: Line) -> None:
        """Written before the other side hears of it."""
        self._file.write(json.dumps(vars(line)) + "\n")


class Chance:
    """Draws what goes wrong."""

    def __init__(self, seed: int, faults: Mapping[str, float]) -> None:
        self._random = random.Random(seed)
        self._names, self._weights = list(faults), list(faults.values())

    def fault(self) -> str:
        """ "" for nothing."""
        rest = 100.0 - sum(self._weights)
        return self._random.choices([*self._names, ""], [*self._weights, rest])[0]

    def seconds(self, most: float) -> float:
        """Any number of them up to `most`."""
        return self._random.uniform(0.0, most)


class LoggedSmtp(SmtpSink):
    """Says to every second connection that it may pipeline."""

    def __init__(self, log: Log, chance: Chance) -> None:
        pause = lambda: chance.seconds(_SMTP_PAUSE)  # noqa: E731
        super().__init__(Behaviour(fault=chance.fault, pause=pause))
        self._lines = log

    def begun(self, recipients: tuple[str, ...]) -> None:
        for one in recipients:
            self._lines.add(Line(to=one, began=time.time(), what="began"))

    def judged(self, taken: Taken, fault: str) -> None:
        what = "lost" if fault in FAULTS_NOT_TAKEN else "took"
        for one in taken.recipients:
            line = Line(to=one, began=taken.began, what=what, fault=fault, doubtful=fault not in _NO_DOUBT)
            self._lines.add(line)


class LoggedMailgun(Mailgun):
    """A call is logged when it is whole, recipient by recipient, and then answered."""

    lines: Log
    chance: Chance
    began = 0.0

    async def take(self, heard: Heard, wire: Wire) -> None:
        self.began = time.time()  # nothing is awaited before _answer
        await super().take(heard, wire)

    async def _answer(self, fault: str, status: int, said: Mapping[str, str], wire: Wire) -> None:
        self.note(self.calls[-1].recipients, "took" if status == 200 and fault not in NOT_TAKEN else "lost", fault)
        self.sent.clear()
        await asyncio.sleep(self.chance.seconds(_MAILGUN_PAUSE))
        if fault == "late":
            await asyncio.sleep(_LATE)
            fault = ""
        await super()._answer(fault, status, said, wire)

    def note(self, recipients: Sequence[str], what: str, fault: str) -> None:
        for one in recipients:
            line = Line(to=one, began=self.began, what=what, fault=fault, doubtful=fault not in _NO_DOUBT)
            self.lines.add(line)


async def main(kind: str, log: Log, seed: int) -> None:
    """Serves until it is ended."""
    if kind == "smtp":
        async with LoggedSmtp(log, Chance(seed, SMTP_FAULTS)) as sink:
            print(sink.port, flush=True)
            await asyncio.Event().wait()
    async with serve() as site:
        provider = LoggedMailgun(site=site)
        provider.lines, provider.chance = log, Chance(seed, MAILGUN_FAULTS)
        provider.fault = provider.chance.fault
        site.on("*", provider.take)
        print(site.port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Log(Path(sys.argv[2])), int(sys.argv[3])))
