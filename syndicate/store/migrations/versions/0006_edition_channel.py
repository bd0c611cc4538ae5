"""By which channel an edition was to go out: another one can't tell what became of its mails."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """The channel of an edition; "" for those from before."""
    op.add_column("editions", sa.Column("channel", sa.String(length=40), nullable=False, server_default=""))
