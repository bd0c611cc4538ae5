"""The keys of an installation: files that only their owner can read, beside the data and never in it.

`master-N.key` sign links (the highest number signs, the others go on being valid), `pepper.key` hides the addresses of
erased people. Both are 32 random bytes in hex. Losing one can't be repaired, so nothing here replaces a key.
"""

import base64
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from syndicate.domain.token import Keyring
from syndicate.errors import ConfigError

PEPPER = "pepper.key"
SAMPLE_SECRET = "sample-endpoint.secret"  # noqa: S105  # a file name
_MASTER = re.compile(r"master-([1-9]\d{0,2})\.key")
_HEX = re.compile(r"[0-9a-f]{64}")
_BYTES = 32
_LARGEST = 255  # a token has one byte for the key's number


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What signs links and hides erased addresses."""

    ring: Keyring = field(repr=False)
    pepper: bytes = field(repr=False)


def load_keyring(keys_dir: Path) -> Keys:
    """Reads the keys. Raises ConfigError when one is missing, malformed, or can be read by anybody but its owner."""
    if not keys_dir.is_dir():
        raise ConfigError(f"{keys_dir}: there are no keys; `syndicate up` and `syndicate init` make them")
    files = {int(hit[1]): path for path in sorted(keys_dir.iterdir()) if (hit := _MASTER.fullmatch(path.name))}
    problems = list(_problems(keys_dir, [*files.values(), keys_dir / PEPPER]))
    if not files:
        problems.append(f"{keys_dir}: there is no master-1.key; put it back from your copy of the keys")
    problems += [f"{path}: number above {_LARGEST}; give it a lower one" for n, path in files.items() if n > _LARGEST]
    if problems:
        raise ConfigError(*problems)
    ring = Keyring(keys={number: _key(path) for number, path in files.items()})
    return Keys(ring=ring, pepper=_key(keys_dir / PEPPER))


def create_keys(keys_dir: Path) -> bool:
    """Makes the first keys, if the folder holds none. True when it did. One process at a time.

    They are written into a folder `.new` and moved from there, so that after a crash at any point either nothing is in
    place yet, or the rest is moved by the next call: a lost pepper is never taken for a first start.
    """
    keys_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    staged = keys_dir / ".new"
    begun = any(keys_dir.glob("*.key"))
    if begun and not staged.is_dir():
        return False
    if not begun:
        staged.mkdir(mode=0o700, exist_ok=True)
        for name in ("master-1.key", PEPPER):
            write_private(staged / name, secrets.token_hex(_BYTES))
    for path in sorted(staged.iterdir()):
        path.replace(keys_dir / path.name)
    sync(keys_dir)
    staged.rmdir()
    return True


def create_sample_secret(keys_dir: Path) -> None:
    """Makes the secret that the sample's endpoint refers to, if there is none (Standard Webhooks: whsec_, base64)."""
    path = keys_dir / SAMPLE_SECRET
    if path.exists():
        return
    draft = keys_dir / f"{SAMPLE_SECRET}.new"
    write_private(draft, "whsec_" + base64.b64encode(secrets.token_bytes(_BYTES)).decode())
    draft.replace(path)
    sync(keys_dir)


def _problems(keys_dir: Path, files: list[Path]) -> Iterator[str]:
    for path in (keys_dir, *files):
        if not path.exists():
            yield f"{path} is missing; put it back from your copy of the keys"
        elif path.stat().st_mode & 0o077:
            mode = "700" if path.is_dir() else "600"
            yield f"{path}: others can open it; run: chmod {mode} {path}"
        elif path.is_file() and not _HEX.fullmatch(_text(path)):
            yield f"{path}: not a key of {_BYTES} bytes in hex; put it back from your copy of the keys"


def _text(path: Path) -> str:
    return path.read_bytes().decode("ascii", "replace").strip()


def _key(path: Path) -> bytes:
    return bytes.fromhex(_text(path))


def write_private(path: Path, text: str) -> None:
    """On disk, readable by the owner alone from the first moment; what a crash left there is overwritten."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def sync(folder: Path) -> None:
    """Makes new names in the folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
