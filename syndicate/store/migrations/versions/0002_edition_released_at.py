"""When a held edition was let go: the patience with what it had kept back counts from there."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """The moment of an edition's last release."""
    op.add_column("editions", sa.Column("released_at", sa.BigInteger(), nullable=True))
