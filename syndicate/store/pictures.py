"""Lead pictures of newsrooms by their address: which bytes we hold of each, and when we asked last."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.store.db import upsert
from syndicate.store.sets import among
from syndicate.store.tables import pictures


@dataclass(frozen=True, kw_only=True)
class KeptPicture:
    """What an address gave. `held` are the fields of a Picture that tell of our bytes; {}: it never came."""

    url: str
    held: Mapping[str, Any] = field(default_factory=dict)
    etag: str = ""
    last_modified: str = ""
    checked_at: datetime
    failures: int = 0  # in a row
    problem: str = ""


async def kept(connection: AsyncConnection, source: str, urls: Iterable[str]) -> dict[str, KeptPicture]:
    """What we know of these addresses."""
    asked = {_digest(url): url for url in urls}
    mine = select(pictures).where(pictures.c.source == source, among(connection, pictures.c.url_digest, asked))
    found = {}
    for row in await connection.execute(mine):
        data = row._asdict()
        data.pop("source")
        url = asked[data.pop("url_digest")]
        found[url] = KeptPicture(url=url, **data)
    return found


async def keep(connection: AsyncConnection, source: str, picture: KeptPicture) -> None:
    """Notes what an address gave."""
    values = {**vars(picture), "held": dict(picture.held)}
    del values["url"]
    await upsert(connection, pictures, {"source": source, "url_digest": _digest(picture.url)}, values)


def _digest(url: str) -> str:
    return hashlib.blake2b(url.encode(), digest_size=16).hexdigest()
