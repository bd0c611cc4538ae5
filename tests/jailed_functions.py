"""Functions for the jail's tests: each misbehaves in one way. Imported in the child, so: nothing heavy here."""

import os
import resource
import signal
import sys
from typing import Any


def echo(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    return options, payload


def spin(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    while True:
        pass


def swell(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    return len(bytearray(options["bytes"])), b""


def die(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return None, b""


def complain(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    raise ValueError("not a feed")


def chatter(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    print("noise on stdout", flush=True)
    os.write(1, b"more noise")
    return sys.stdin.read(), b""


def describe(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    about = {
        "pid": os.getpid(),
        "uid": os.getuid(),
        "environment": dict(os.environ),
        "memory": resource.getrlimit(resource.RLIMIT_AS)[0],
    }
    return about, b""


def write_a_file(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    with open(options["path"], "wb") as file:
        file.write(b"x" * 100)
    return None, b""


def fork(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    if os.fork() == 0:
        os._exit(0)
    return None, b""


def not_json(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    return object(), b""


def answer_twice(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    """Send a forged second reply ahead of the real one, as a forked child would."""
    from syndicate.jailed import frame

    for number in range(3, 256):
        try:
            os.write(number, frame({"id": options["forged_id"], "value": "forged"}))
        except OSError:
            continue
        break
    return "real", b""
