"""Processes a figure starts: found, watched, and ended by their id whatever happens."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.figure import BenchError

ROOT = Path(__file__).resolve().parents[1]
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"  # where Debian keeps servers
SAID = "said.txt"  # what a process writes, beside its data
_LOOK = 0.05  # seconds between two looks
_ENDING = 20.0  # seconds a process may take to end before it is killed


def program(name: str) -> str | None:
    """Where a program lies, or None."""
    return shutil.which(name, path=_PATH)


def require(needed: Iterable[Mapping[str, str]]) -> None:
    """Raises BenchError with the apt line when one of these programs (name → Debian package) is not here."""
    packages = {name: package for one in needed for name, package in one.items()}
    missing = [name for name in packages if program(name) is None]
    if missing:
        wanted = " ".join(sorted({packages[name] for name in missing}))
        raise BenchError(f"not on this machine: {', '.join(missing)}; install with: sudo apt-get install -y {wanted}")


def syndicate(*words: str) -> list[str]:
    """The command line of this checkout's `syndicate`."""
    return [sys.executable, "-c", "from syndicate.cli.main import main; main()", *words]


def free_port() -> int:
    """A loopback port that nobody listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], *, folder: Path, interactive: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A process for the length of a block; what it says lies in `folder`. `interactive`: we talk over pipes."""
    talk = subprocess.PIPE if interactive else subprocess.DEVNULL
    with (folder / SAID).open("w") as said:
        listen = subprocess.PIPE if interactive else said
        process = subprocess.Popen(command, cwd=ROOT, text=True, stdin=talk, stdout=listen, stderr=said)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.communicate(timeout=_ENDING)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def wait_until(
    condition: Callable[[], bool], process: subprocess.Popen[str], *, seconds: float, what: str, look: float = _LOOK
) -> None:
    """Looks until the condition holds. Raises BenchError after `seconds`, or when the process has ended."""
    for _ in range(max(1, int(seconds / look))):
        if condition():
            return
        if has_ended(process, within=look):
            raise BenchError(f"{process.args!r} ended with {process.returncode} while we waited: {what}")
    raise BenchError(f"waited {seconds:.0f} s in vain: {what}")


def has_ended(process: subprocess.Popen[str], *, within: float) -> bool:
    """Waits for a process that should go on; True: it did not."""
    try:
        process.wait(timeout=within)
    except subprocess.TimeoutExpired:
        return False
    return True


def tree(pid: int) -> list[int]:
    """A process and all that came from it."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, _text(children).split())
    return found


def pss_bytes(pids: Iterable[int]) -> int:
    """Memory of these processes, shared pages divided by their users (proc(5), smaps_rollup, Pss)."""
    lines = (line for pid in pids for line in _text(Path(f"/proc/{pid}/smaps_rollup")).splitlines())
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _text(path: Path) -> str:
    """A file of /proc; "" when its process has just gone."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
