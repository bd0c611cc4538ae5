"""Mails of tests/corpus/receipts, with the tokens of a delivery and of a subscription put in."""

from pathlib import Path

from syndicate.domain.token import Purpose, Token, delivery_name, mailed_token, make_token, name_number, verp_token
from tests.factories import RING

READER_S = "pembaca1@pembaca.example"  # the address in the corpus
CORPUS = Path(__file__).parent / "corpus" / "receipts"


def filled(
    name: str,
    *,
    delivery: int = 1,
    edition: int = 1,
    subscriber: int = 1,
    newsletter: str = "pagi",
    address: str = READER_S,
) -> bytes:
    """A mail as it comes in; its holes are {bounce}, {name}, {link} and {mailed}, in capitals too."""
    number = name_number(newsletter)
    link = make_token(RING, Token(purpose=Purpose.UNSUBSCRIBE, subscriber=subscriber, newsletter=number, generation=0))
    values = {"bounce": verp_token(RING, delivery), "link": link, "mailed": mailed_token(link)}
    values["name"] = delivery_name(RING, edition, subscriber)
    text = (CORPUS / f"{name}.eml").read_text("utf-8")
    for hole, value in values.items():
        text = text.replace(f"{{{hole}}}", value).replace(f"{{{hole.upper()}}}", value.upper())
    text = text.replace(READER_S, address)
    return text.replace("\n", "\r\n").encode()
