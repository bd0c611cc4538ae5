"""The inside of the jail: what runs in the child. `jail` is the outside.

A file of its own, and without asyncio, so that the child starts fast and stays small.
Frames both ways: the lengths of the two parts (unsigned 32 bit, big-endian), a JSON header, raw payload.
"""

import importlib
import json
import os
import resource
import signal
import struct
from contextlib import suppress
from types import ModuleType
from typing import Any, BinaryIO, Final

LENGTHS: Final = struct.Struct(">II")
READY: Final = 0  # the id of the first frame, before any request
NOBODY: Final = 65534  # uid and gid
OPEN_FILES: Final = 32
ORPHAN_SECONDS: Final = 1.0  # after its wall time a call ends even if nobody is left to kill us
DETAIL_CHARACTERS: Final = 500


def frame(header: dict[str, Any], payload: bytes = b"") -> bytes:
    head = json.dumps(header).encode()
    return LENGTHS.pack(len(head), len(payload)) + head + payload


def serve(module: str, wall_seconds: float, memory_bytes: int) -> None:
    """Import, give up everything, then answer requests until the pipe closes."""
    requests, replies = _own_pipes()
    try:
        functions = importlib.import_module(module)
    except Exception as why:  # whatever a module may raise: the outside has to know why there is no jail
        _send(replies, frame({"id": READY, "failure": "crashed", "detail": _words(why)}))
        return
    _give_up(memory_bytes)
    _send(replies, frame({"id": READY}))
    while request := _receive(requests):
        signal.setitimer(signal.ITIMER_REAL, wall_seconds + ORPHAN_SECONDS)  # SIGALRM's default ends us
        _send(replies, _answer(functions, *request))
        signal.setitimer(signal.ITIMER_REAL, 0)


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Move the pipes away from 0 and 1, so that a library that prints can't spoil a frame."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return requests, replies


def _give_up(memory_bytes: int) -> None:
    """Root, then memory, files and processes. Order matters: root is exempt from the limit of processes."""
    if os.geteuid() == 0:
        with suppress(OSError):  # a container may have taken the right to change users; the limits still hold
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, most in limits.items():
        resource.setrlimit(limit, (most, most))


def _receive(requests: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    lengths = requests.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    head, payload = LENGTHS.unpack(lengths)
    return json.loads(requests.read(head)), requests.read(payload)


def _send(replies: BinaryIO, reply: bytes) -> None:
    replies.write(reply)
    replies.flush()


def _answer(functions: ModuleType, header: dict[str, Any], payload: bytes) -> bytes:
    """Every reply carries its request's id, so that none is ever taken for another's."""
    call = header["id"]
    try:
        value, out = getattr(functions, header["name"])(payload, header["options"])
        return frame({"id": call, "value": value}, out)
    except MemoryError:
        return frame({"id": call, "failure": "memory", "detail": "out of the memory allowed"})
    except Exception as why:  # a parser may raise anything; out there it is a value
        return frame({"id": call, "failure": "raised", "detail": _words(why)})


def _words(why: Exception) -> str:
    return f"{type(why).__name__}: {why}"[:DETAIL_CHARACTERS]
