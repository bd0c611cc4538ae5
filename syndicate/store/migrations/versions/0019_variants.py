"""Renderings of an edition by number, which of them each delivery is, and for whom an edition was made."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """So far each edition had one rendering, for those who get every edition."""
    op.add_column("editions", sa.Column("rhythm", sa.String(length=8), nullable=False, server_default="each"))
    op.add_column("edition_variants", sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("edition_variants", sa.Column("key", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("deliveries", sa.Column("variant", sa.SmallInteger(), nullable=False, server_default="0"))
    op.execute(sa.text("INSERT INTO counters (name, value) VALUES ('candidates', 0)"))
