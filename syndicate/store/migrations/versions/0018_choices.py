"""A person's own choices: what the ledger notes of them, and requests to be written to at another address."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Requests so far were all to subscribe, and nobody has moved yet."""
    op.add_column("consents", sa.Column("note", sa.Text(), nullable=False, server_default=""))
    op.add_column("subscribers", sa.Column("moved_at", sa.BigInteger(), nullable=True))
    op.add_column("sign_ups", sa.Column("kind", sa.String(length=8), nullable=False, server_default="join"))
    op.add_column("sign_ups", sa.Column("subscriber_id", sa.BigInteger(), nullable=True))
    nothing = sa.text("delivery_id IS NULL")
    op.create_index(
        op.f("ix_receipts_subscriber_id"),
        "receipts",
        ["subscriber_id"],
        unique=False,
        sqlite_where=nothing,
        postgresql_where=nothing,
    )
