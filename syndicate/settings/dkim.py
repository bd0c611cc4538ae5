"""The keys that mails are signed with: `keys/dkim/DOMAIN/SELECTOR-rsa.pem` and `SELECTOR-ed.pem`.

A key is made once and never replaced: with the old public half in the DNS, receivers would refuse our mails. To change
keys, make a new pair, publish it, and name it in the configuration.
"""

import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from syndicate.channels.mail.dkim import SigningKey
from syndicate.errors import ConfigError
from syndicate.settings.keys import sync, write_private

_RSA_BITS = 2048  # RFC 8301 §3.2; longer ones don't fit into one string of the DNS at some hosts
_KINDS = ("rsa", "ed")
_DOMAIN = re.compile(r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_SELECTOR = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def make_signing_keys(keys_dir: Path, domain: str, selector: str) -> tuple[SigningKey, ...]:
    """Both keys of a selector, made if they aren't there. Raises ConfigError for a name that can't be one."""
    if not _DOMAIN.fullmatch(domain):
        raise ConfigError(f"{domain!r} is no domain of mail; write what stands behind the @ of your sender, in ASCII")
    if not _SELECTOR.fullmatch(selector):
        raise ConfigError(f"{selector!r} is no selector; write small letters, digits and hyphens, such as s2026")
    folder = _folder(keys_dir, domain)
    for kind in _KINDS:
        path = folder / f"{selector}-{kind}.pem"
        if path.exists():
            continue
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        private = generate_private_key(65537, _RSA_BITS) if kind == "rsa" else Ed25519PrivateKey.generate()
        text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        draft = folder / f"{path.name}.new"
        write_private(draft, text)
        draft.replace(path)
        sync(folder)
    return load_signing_keys(keys_dir, domain, selector)


def load_signing_keys(keys_dir: Path, domain: str, selector: str) -> tuple[SigningKey, ...]:
    """Both keys of a selector. Raises ConfigError when one is missing, damaged, or can be read by others."""
    return tuple(
        SigningKey(
            domain=domain,
            selector=f"{selector}-{kind}",
            private=_read(_folder(keys_dir, domain) / f"{selector}-{kind}.pem", domain=domain, selector=selector),
        )
        for kind in _KINDS
    )


def _folder(keys_dir: Path, domain: str) -> Path:
    return keys_dir / "dkim" / domain


def _read(path: Path, *, domain: str, selector: str) -> RSAPrivateKey | Ed25519PrivateKey:
    if not path.is_file():
        raise ConfigError(
            f"{path} is missing, so mails from @{domain} can't be signed; put it back from your copy of the keys, or"
            f" make it with: syndicate keys dkim {domain} --selector {selector}"
        )
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path}: others can open it; run: chmod 600 {path}")
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):  # TypeError: it wants a passphrase
        raise ConfigError(
            f"{path} is no private key that we can read; put it back from your copy of the keys"
        ) from None
    if not isinstance(key, RSAPrivateKey if path.stem.endswith("-rsa") else Ed25519PrivateKey):
        raise ConfigError(f"{path} holds a key of another kind; put it back from your copy of the keys")
    return key
