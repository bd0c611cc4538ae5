"""When stories vanish from a folder: whether to believe it, and how an operator says that it was meant."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

CONFIRMATION = ".syndicate-confirm-removals"
_FEW_REMOVALS = 5  # a person deletes so many at once; more are a broken disk, if they are also …
_SMALL_SHARE = 0.2  # … more than this share (gather.md §1.9)


def looks_broken(gone: Iterable[str], known: Iterable[str]) -> bool:
    """True when a broken disk is more likely than a person's deed: all at once, or many and a large share."""
    lost, had = len(set(gone)), len(set(known))
    return lost > 0 and (lost == had or (lost > _FEW_REMOVALS and lost > had * _SMALL_SHARE))


def removal_code(gone: Iterable[str]) -> str:
    """Names exactly these removals, so that a confirmation left lying about confirms nothing else."""
    return hashlib.blake2b("\n".join(sorted(gone)).encode(), digest_size=4).hexdigest()


def is_confirmed(root: Path, gone: Iterable[str]) -> bool:
    """True when the operator wrote the code of exactly these removals into the folder. Reads a file."""
    file = root / CONFIRMATION
    try:
        return (
            not file.is_symlink() and removal_code(gone) in file.read_bytes()[:4096].decode("utf-8", "replace").split()
        )
    except OSError:
        return False
