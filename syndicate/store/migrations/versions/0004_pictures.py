"""Lead pictures of newsrooms: what each address gave when it was last asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """The pictures that we fetch."""
    op.create_table(
        "pictures",
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("url_digest", sa.String(length=32), nullable=False),
        sa.Column("held", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("last_modified", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "url_digest", name=op.f("pk_pictures")),
    )
