"""What happens, told in sentences: the log as the person at the terminal reads it.

Events that have a sentence of their own are told, those that would only be noise are passed over, everything else is
shown as the log writes it. Comes last in the log's chain, so secrets are masked and addresses hidden already.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from structlog.typing import EventDict, WrappedLogger

from syndicate import log
from syndicate.cli.show import count

_NOISE = frozenset({"schedule.leading", "slot.fired"})


@dataclass(kw_only=True)
class Narrator:
    """A structlog processor that ends the chain: it tells, and nothing else is written."""

    tell: Callable[[str], None]
    zone: str
    public_url: str
    events: list[Mapping[str, Any]] = field(default_factory=list)
    trouble: bool = False  # something went wrong out there, or in the data
    _editions: dict[int, str] = field(default_factory=dict)  # number → NEWSLETTER/SLOT

    def begin(self) -> None:
        """From now on the log is told. Call it after `log.set_up`."""
        *chain, _writer = structlog.get_config()["processors"]
        structlog.configure(processors=[*chain, self])

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        """Always ends the event."""
        self.events.append(dict(event))
        doubtful = event.get("look") == "failed" or any(event.get(what, 0) for what in ("problems", "uncertain"))
        self.trouble = self.trouble or doubtful or event["level"] in ("warning", "error", "critical")
        sentence = self._sentence(event)
        if sentence is None and event["event"] not in _NOISE:
            self.tell(log.as_line(logger, method, event))
        elif sentence and event["event"].startswith("process."):
            self.tell(sentence)
        elif sentence:
            clock = datetime.fromisoformat(event["at"]).astimezone(ZoneInfo(self.zone))
            self.tell(f"{clock:%H:%M:%S}  {sentence}")
        raise structlog.DropEvent

    def _sentence(self, event: EventDict) -> str | None:
        match event["event"]:
            case "process.started":
                return _started(event)
            case "process.stopping":
                return "Stopping: what has begun is being finished. Once more stops at once."
            case "process.killed":
                return "Stopped at once. What was on the wire is settled at the next start."
            case "process.stopped":
                return f"Stopped. {count(event['uncertain'], 'delivery')} uncertain."
            case "store.migrated":
                return f"The database was brought to {event['migration']}."
            case "source.gathered":
                return _gathered(event)
            case "feeds.published":
                return f"Published: {count(event['feeds'], 'feed')}."
            case "feed.large":
                return f"{event['why']}."
            case "endpoint.pushed":
                pushed = _counts(event, "push", ("accepted", "deferred", "refused", "uncertain"))
                return f"{event['endpoint']}: {pushed}."
            case "edition.large":
                return _large(event)
            case "sign_up.asked":
                return _asked(event)
            case "sign_up.answered":
                return f"A sign-up was {event['answer']} by its reader."
            case "edition.frozen":
                return self._frozen(event)
            case "edition.done":
                return self._done(event)
        return None

    def _frozen(self, event: EventDict) -> str:
        name = f"{event['newsletter']}/{event['slot']}"
        self._editions[event["edition"]] = name
        held = "; it is on hold: `syndicate editions release`" if event["state"] == "held" else ""
        return f"{name}: composed for {count(event['candidates'], 'reader')}{held}."

    def _done(self, event: EventDict) -> str:
        name = self._editions.get(event["edition"], "")
        ended = _counts(event, "mail", ("accepted", "refused", "uncertain", "excluded"))
        read = f" Read it: {self.public_url}/editions/{name}" if name else ""
        return f"{name or 'edition'}: {ended or 'nobody to mail to'}.{read}"


def _started(event: EventDict) -> str:
    held = ", ".join(count(event[f"{noun}s"], noun) for noun in ("source", "feed", "newsletter", "endpoint"))
    urls = [(name.removesuffix("_url"), value) for name, value in event.items() if name.endswith("_url")]
    lines = [f"Syndicate {event['version']} publishes {event['site']}: {held}."]
    lines += [f"  {name.replace('_', ' ').capitalize():<18}{url}" for name, url in urls]
    return "\n".join([*lines, "  Ctrl-C stops it; what has begun is finished first."])


def _gathered(event: EventDict) -> str:
    parts = [_counts(event, "story", ("published", "updated", "withdrawn", "restored")), event["problem"].rstrip(".")]
    if event["problems"]:
        parts.append(f"{count(event['problems'], 'story')} with a flaw (`syndicate sources list --problems`)")
    return f"{event['source']}: {'; '.join(filter(None, parts))}."


def _asked(event: EventDict) -> str:
    """Why no mail goes out is said here, and nowhere to whoever asked."""
    newsletters, verdict = " and ".join(event["newsletters"]), event["verdict"]
    if verdict == "asked":
        return f"Somebody signed up for {newsletters}: a mail asks whether they mean it."
    why = f"{verdict}: {event['limit']}" if event["limit"] else verdict
    return f"Somebody signed up for {newsletters}, and no mail is sent ({why})."


def _large(event: EventDict) -> str:
    """With `why` it is on hold: that says its size, and what to do."""
    size = f"its HTML is {event['bytes']:,} bytes; over {event['most']:,} mail programs cut it off"
    brief = event["headline_only"]
    shown = f"{size}; {count(brief, 'story')} at its end by headline only" if brief else size
    return f"{event['newsletter']}/{event['slot']} is large: {event['why'] or shown}."


def _counts(event: EventDict, noun: str, names: tuple[str, ...]) -> str:
    return ", ".join(f"{count(event[name], noun)} {name}" for name in names if event.get(name))
