"""`mime-plain` and `mime-dkim`: what it costs to write one reader's copy of a digest, and to sign it."""

import email
import email.headerregistry
import email.policy
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from random import Random
from time import perf_counter

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.figure import RUNS, BenchError, Row, Run, medians
from bench.newsroom import word
from syndicate.channels.mail.dkim import SigningKey
from syndicate.channels.mail.message import Addressee, Variant, compile_variant
from syndicate.ports import Letterhead

_OCTETS = 60_000  # of the digest's HTML
_MARK = "qwertyuiopasdfgh"
_DOMAIN = "contohpos.example"
_DATE = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
_NAMES = (  # half of them hard
    *("Dewi Lestari", "Bagus Pratama", "Sari Wulandari", "Agus", "Nurul Hidayati"),
    *("Zoë", "李雷", "Siti <redaksi>", "A & B", "Bagus, S.Kom."),
)
_SAMPLES = 100  # messages whose meaning is compared
_HEADERS = ("From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Id")
_OURS, _PEER = {"plain": 4000, "dkim": 300}, {"plain": 60, "dkim": 20}  # messages a run


def measure_plain() -> Row:
    """Splicing against building the same message with the standard library."""
    return _measure("plain", keys=[], peer=_with_library, peer_name="EmailMessage")


def measure_dkim() -> Row:
    """With both signatures, against the standard library with one, made by dkimpy."""
    rsa = generate_private_key(65537, 2048)
    keys = [
        SigningKey(domain=_DOMAIN, selector="s1-rsa", private=rsa),
        SigningKey(domain=_DOMAIN, selector="s1-ed", private=Ed25519PrivateKey.generate()),
    ]
    pem = _pem(rsa)
    return _measure("dkim", keys=keys, peer=lambda number: _signed(number, pem), peer_name="EmailMessage + dkimpy RSA")


def _measure(name: str, *, keys: Sequence[SigningKey], peer: Callable[[int], bytes], peer_name: str) -> Row:
    variant = _variant(keys)
    _check(variant)
    if keys:
        _check_signatures(variant, keys)
    runs = []
    for _ in range(RUNS):
        ours = _rate(lambda number: _ours(variant, number), _OURS[name])
        runs.append(Run(ours=ours, peer=_rate(peer, _PEER[name])))
    middle, other = medians(runs)
    return Row(
        name=f"mime-{name}",
        value=round(middle / (other or 1), 1),
        unit=f"× {peer_name}",
        ours=middle,
        peer=other,
        peer_name=peer_name,
        runs=runs,
        note=f"messages a second on one core, {len(_ours(variant, 1)):,} bytes each; {_SAMPLES} were parsed equal",
    )


def _rate(make: Callable[[int], bytes], count: int) -> float:
    begun = perf_counter()
    for number in range(count):
        make(number)
    return round(count / (perf_counter() - begun), 1)


def _check(variant: Variant) -> None:
    """Both say the same to a mail program, in every header and in both parts."""
    for number in range(_SAMPLES):
        if _meaning(_ours(variant, number)) != _meaning(_with_library(number)):
            raise BenchError(f"message {number} doesn't mean the same as the standard library's")


def _check_signatures(variant: Variant, keys: Sequence[SigningKey]) -> None:
    records = {f"{key.place}.".encode(): key.record().encode() for key in keys}
    message = _ours(variant, 1)
    for place in range(len(keys)):
        if not dkim.DKIM(message).verify(idx=place, dnsfunc=lambda name, timeout=5: records[name]):
            raise BenchError(f"signature {place + 1} doesn't verify")


def _meaning(content: bytes) -> object:
    message = email.message_from_bytes(content, policy=email.policy.default)
    parts = [part.get_content().replace("\r\n", "\n").strip() for part in message.walk() if not part.is_multipart()]
    return {name: str(message[name]).strip() for name in _HEADERS}, parts  # the library folds after a colon


def _ours(variant: Variant, number: int) -> bytes:
    address, name, link = _reader(number)
    person = Addressee(
        address=address, name=name, message_id=f"e1.{number:x}@{_DOMAIN}", unsubscribe_url=link, unsubscribe_mailto=None
    )
    return variant.message(person, {"name": name, "link": link})


def _with_library(number: int) -> bytes:
    address, name, link = _reader(number)
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = f"Contoh Pos <ringkasan@{_DOMAIN}>"
    message["To"] = email.headerregistry.Address(name, addr_spec=address)
    message["Subject"] = _SUBJECT
    message["Date"] = format_datetime(_DATE)
    message["Message-ID"] = f"<e1.{number:x}@{_DOMAIN}>"
    message["List-Unsubscribe"] = f"<{link}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["List-Id"] = f'"Ringkasan" <ringkasan.{_DOMAIN}>'
    message.set_content(_TEXT.format(name=name, link=link), cte="quoted-printable")
    message.add_alternative(_HTML.format(name=_escaped(name), link=link), subtype="html", cte="quoted-printable")
    return message.as_bytes()


def _signed(number: int, pem: bytes) -> bytes:
    content = _with_library(number)
    return bytes(dkim.sign(content, b"s1-rsa", _DOMAIN.encode(), pem, canonicalize=(b"relaxed", b"simple"))) + content


def _variant(keys: Sequence[SigningKey]) -> Variant:
    letterhead = Letterhead(
        from_name="Contoh Pos",
        from_address=f"ringkasan@{_DOMAIN}",
        date=_DATE,
        list_id=f"ringkasan.{_DOMAIN}",
        list_title="Ringkasan",
    )
    holes = {"name": f"{_MARK}-name-", "link": f"{_MARK}-link-"}
    return compile_variant(
        letterhead=letterhead,
        subject=_SUBJECT,
        html=_HTML.format(**holes),
        text=_TEXT.format(**holes),
        mark=_MARK,
        signing_keys=keys,
    )


def _reader(number: int) -> tuple[str, str, str]:
    name = _NAMES[number % len(_NAMES)]
    return f"pembaca{number}@pembaca.example", name, f"https://{_DOMAIN}/u/{number:044x}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def _stories(octets: int) -> str:
    chance, text = Random(20), ""
    while len(text) < octets:
        text += f'<tr><td style="padding:12px 0"><p>{" ".join(word(chance) for _ in range(40))}</p></td></tr>\n'
    return text


_SUBJECT = "Ringkasan: Jembatan Lintang Kembar resmi dibuka"
_TEXT = "Halo {name},\nRingkasan hari ini.\nBerhenti: {link}\n"
_HTML = (
    "<html><body><p>Halo {name},</p><table>\n"
    + _stories(_OCTETS)
    + '</table><p><a href="{link}">Berhenti</a></p></body></html>\n'
)
