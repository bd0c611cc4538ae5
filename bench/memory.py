"""`idle-memory`: what a newspaper that waits for its next story costs in memory."""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.figure import RUNS, BenchError, Row, Run, alone
from bench.newsroom import copy_sample
from bench.processes import free_port, has_ended, pss_bytes, running, syndicate, tree, wait_until

_DELIVER_SECONDS = 90.0  # from the start to the last mail
_REST_SECONDS = 30  # then nothing happens but glances; the children that read stories end after 20 s
_MEGABYTE = 1_000_000
_DOCUMENTS = 24  # of the shipped configuration: 8 feeds in 3 formats
_MAILS = 3  # the sample's readers


def measure() -> Row:
    """`syndicate up` on the shipped configuration, started anew for each run."""
    runs, busiest = [], []
    for _ in range(RUNS):
        idle, busy = _one_start()
        runs.append(Run(ours=idle))
        busiest.append(busy)
    return alone(
        "idle-memory",
        unit="MB",
        runs=runs,
        note=f"PSS of the process tree, {_REST_SECONDS} s after 24 documents and 3 mails were delivered; "
        f"the most at any moment before, with the children that read stories: {max(busiest):.1f} MB",
    )


def _one_start() -> tuple[float, float]:
    """MB at rest, and the most MB seen from the start on."""
    with tempfile.TemporaryDirectory(prefix="syndicate-bench-") as name:
        folder = Path(name)
        config = copy_sample(folder, port=free_port())
        with running(syndicate("--config", str(config), "up"), folder=folder) as process:
            seen: list[float] = []
            delivered = _watched(lambda: _delivered(folder / "var"), process, seen)
            wait_until(delivered, process, seconds=_DELIVER_SECONDS, what="feeds and mails", look=0.2)
            for _ in range(_REST_SECONDS):
                if has_ended(process, within=1.0):
                    raise BenchError("`syndicate up` ended by itself")
                seen.append(_megabytes(process))
            return seen[-1], max(seen)


def _watched(condition: Callable[[], bool], process: subprocess.Popen[str], seen: list[float]) -> Callable[[], bool]:
    """The condition, with the memory noted at each look."""

    def look() -> bool:
        seen.append(_megabytes(process))
        return condition()

    return look


def _delivered(var: Path) -> bool:
    return len(list(var.glob("feeds/*.doc"))) >= _DOCUMENTS and len(list(var.glob("outbox/new/*"))) >= _MAILS


def _megabytes(process: subprocess.Popen[str]) -> float:
    return round(pss_bytes(tree(process.pid)) / _MEGABYTE, 1)
