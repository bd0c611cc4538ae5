"""`once-idle`: what cron pays for asking when there is nothing to do."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from bench.figure import RUNS, BenchError, Row, Run, alone
from bench.newsroom import make_newsroom
from bench.processes import ROOT, syndicate

_HANG_SECONDS = 60


def measure() -> Row:
    """The first call takes the stories over and isn't counted; the source is looked at again a day later."""
    with tempfile.TemporaryDirectory(prefix="syndicate-bench-") as name:
        command = syndicate("--config", str(make_newsroom(Path(name))), "once", "--json")
        if _jobs(command) == 0:
            raise BenchError("the first `syndicate once` found no story to take over")
        runs = [Run(ours=_idle_seconds(command)) for _ in range(RUNS + 2)]
    note = "wall seconds of `syndicate once --json` as a new process that reports 0 jobs"
    return alone("once-idle", unit="s", runs=runs, note=note)


def _idle_seconds(command: Sequence[str]) -> float:
    begun = perf_counter()
    jobs = _jobs(command)
    seconds = round(perf_counter() - begun, 3)
    if jobs:
        raise BenchError("a slot fell due just now, so this was no idle call; measure again")
    return seconds


def _jobs(command: Sequence[str]) -> int:
    """How many jobs were done."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_HANG_SECONDS, check=False)
    if done.returncode != 0:
        raise BenchError(f"`syndicate once` ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    jobs: int = json.loads(done.stdout)["jobs"]
    return jobs
