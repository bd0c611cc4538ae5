"""What one figure is, and where the figures of this machine are kept."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

RUNS = 5  # of each side, alternating; the median counts
RESULTS = Path(__file__).parent / "results.json"


class BenchError(Exception):
    """A figure can't be measured here, or what was measured isn't what was meant."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run: what we reached and, where there is one, what the peer reached right after."""

    ours: float
    peer: float | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """A measured figure. `value` is in `unit`; `ours` and `peer` are medians over `runs`, as `note` says of what."""

    name: str
    value: float
    unit: str
    ours: float
    peer: float | None
    peer_name: str | None
    runs: Sequence[Run]
    note: str


@dataclass(frozen=True, kw_only=True)
class Figure:
    """How a figure is measured, what it must be, and which programs it is measured with (program → Debian package)."""

    name: str
    target: str  # "≤ 180" or "≥ 0.2", in the row's unit
    measure: Callable[[], Row]
    programs: Mapping[str, str]

    def is_met(self, row: Row) -> bool:
        """Whether the row reaches the target."""
        sign, _, bound = self.target.partition(" ")
        return row.value <= float(bound) if sign == "≤" else row.value >= float(bound)


def alone(name: str, *, unit: str, runs: Sequence[Run], note: str) -> Row:
    """A figure without a peer: its value is what we reached."""
    value, _ = medians(runs)
    return Row(name=name, value=value, unit=unit, ours=value, peer=None, peer_name=None, runs=runs, note=note)


def against_peer(name: str, *, unit: str, peer_name: str, runs: Sequence[Run], note: str) -> Row:
    """A figure that says how many times the peer's result ours is."""
    ours, peer = medians(runs)
    assert peer is not None
    value = round(ours / peer, 3)
    return Row(name=name, value=value, unit=unit, ours=ours, peer=peer, peer_name=peer_name, runs=runs, note=note)


def medians(runs: Iterable[Run]) -> tuple[float, float | None]:
    """Of ours and of the peer."""
    kept = list(runs)
    peers = [run.peer for run in kept if run.peer is not None]
    return median(run.ours for run in kept), median(peers) if peers else None


def keep(row: Row, order: Sequence[str]) -> None:
    """Puts the row in the place of the one with its name in results.json; rows stand in the given order."""
    kept = {old["name"]: old for old in json.loads(RESULTS.read_text("utf-8"))} if RESULTS.exists() else {}
    kept[row.name] = asdict(row)
    rows = [kept[name] for name in order if name in kept]
    RESULTS.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", "utf-8")


def table(measured: Sequence[tuple[Figure, Row]]) -> str:
    """The rows for people, as Markdown."""
    lines = ["| figure | value | target | | ours | peer | runs |", "|---|---|---|---|---|---|---|"]
    for figure, row in measured:
        peer = "" if row.peer is None else f"{_number(row.peer)} ({row.peer_name})"
        verdict = "met" if figure.is_met(row) else "**missed**"
        cells = [f"`{row.name}`", f"{_number(row.value)} {row.unit}", figure.target, verdict, _number(row.ours), peer]
        lines.append(f"| {' | '.join(cells)} | {len(row.runs)} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
