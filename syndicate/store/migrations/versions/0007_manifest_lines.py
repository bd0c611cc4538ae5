"""What a feed shows, in the database: its documents are joined from it, files are only a second keeping."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """A manifest: entries, tombstones, newest archive. A feed without a shape is built anew, which fills them."""
    op.add_column("feeds", sa.Column("lines", sa.Text(), nullable=False, server_default=""))
    op.add_column("feeds", sa.Column("gone", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("feeds", sa.Column("archive", sa.String(length=7), nullable=False, server_default=""))
    op.execute("UPDATE feeds SET shape = ''")
