"""When stories vanish at once: whether to believe it, and how an operator says that it was meant."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

_FEW_REMOVALS = 5  # a person deletes so many at once; more are a broken disk, if they are also …
_SMALL_SHARE = 0.2  # … more than this share (gather.md §1.9)
_NAMED = 3  # of them, so that a person can look for himself
_NOWHERE: Mapping[str, str] = MappingProxyType({})


def looks_broken(gone: Iterable[str], known: Iterable[str]) -> bool:
    """True when a broken disk is more likely than a person's deed: all at once, or many and a large share."""
    lost, had = len(set(gone)), len(set(known))
    return lost > 0 and (lost == had or (lost > _FEW_REMOVALS and lost > had * _SMALL_SHARE))


def removal_code(gone: Iterable[str]) -> str:
    """Names exactly these removals, so that what confirms them confirms nothing else."""
    return hashlib.blake2b("\n".join(sorted(gone)).encode(), digest_size=4).hexdigest()


def confirmation(source: str, code: str) -> str:
    """The command that says it was meant. An alarm quotes it; the command refuses a code that no alarm quotes."""
    return f"`syndicate sources confirm {source} {code}`"


def covers(confirmed: str, lost: Collection[str]) -> bool:
    """Whether the operator's word is about these: by their code, or for they are among those it was about."""
    code, *keys = confirmed.split("\n")
    return code == removal_code(lost) or (bool(keys) and set(lost) <= set(keys))


def kept_word(confirmed: str, lost: Collection[str]) -> str:
    """The operator's word as it is remembered until the last of these is gone or back; "" once none is left.

    Stories go one after the other, and the code of those that are left is another one: so their keys are kept too.
    """
    if not confirmed or not lost or not covers(confirmed, lost):
        return ""
    return confirmed if "\n" in confirmed else "\n".join([confirmed, *sorted(lost)])


def some(names: Collection[str]) -> str:
    """The first of them, and how many there are besides."""
    shown, more = sorted(names)[:_NAMED], len(names) - _NAMED
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def mass_loss(
    lost: Collection[str], known: int, *, source: str, confirmed: str, where: Mapping[str, str] = _NOWHERE
) -> str:
    """The alarm when so many of a site's stories are missing that a broken site is likelier than its editors.

    "" when the loss may be believed; `confirmed` is the operator's word (`kept_word`), `where` has the addresses of
    stories whose keys aren't addresses.
    """
    is_small = len(lost) <= _FEW_REMOVALS and len(lost) <= max(_SMALL_SHARE * known, 1)
    code = removal_code(lost)
    if is_small or covers(confirmed, lost):
        return ""
    addresses = [address for key in lost if "://" in (address := where.get(key, key))]
    which = f" ({some(addresses)})" if addresses else ""
    return (
        f"{len(lost)} of {known} stories are missing at once; none was withdrawn{which}. If that was meant, run "
        f"{confirmation(source, code)}"
    )
