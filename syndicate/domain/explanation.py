"""Explanations: why somebody did, or didn't, get something, as the rules that decided, in their order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Answer(StrEnum):
    """What it comes to."""

    YES = "yes"  # handed over to them, and it didn't come back
    NO = "no"
    NOT_YET = "not_yet"  # nothing stands in its way so far
    UNKNOWN = "unknown"  # it may or may not have arrived


_WEIGHTIEST_FIRST = (Answer.YES, Answer.UNKNOWN, Answer.NOT_YET, Answer.NO)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One rule and what it said. `rule` is for programs and stays as it is; `said` is for people."""

    rule: str  # "edition.left_out", "delivery.accepted" …
    said: str
    facts: Mapping[str, object]  # what the sentence is about: names, numbers, moments


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The whole answer."""

    answer: Answer
    findings: tuple[Finding, ...]


def sum_up(answers: Iterable[Answer]) -> Answer:
    """The answer where there were several ways to get it: one is enough. `no` where there was none."""
    return min(answers, key=_WEIGHTIEST_FIRST.index, default=Answer.NO)
