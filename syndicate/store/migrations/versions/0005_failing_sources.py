"""How badly and since when a source fails, and an index for the rhythm of its newest stories."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """What decides when a source is looked at again."""
    op.add_column("sources", sa.Column("strikes", sa.Float(), nullable=False, server_default="0"))
    op.add_column("sources", sa.Column("failing_since", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_articles_source_sort_at"), "articles", ["source", "sort_at"], unique=False)
