"""What a reader asks for: which topics, how often, at which hour, and not before when."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Everybody goes on as before: all topics, each edition, at once."""
    op.add_column("subscribers", sa.Column("hour", sa.Integer(), nullable=True))
    op.add_column("subscribers", sa.Column("paused_until", sa.BigInteger(), nullable=True))
    op.add_column("subscriptions", sa.Column("topics", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("subscriptions", sa.Column("rhythm", sa.String(length=8), nullable=False, server_default="each"))
