"""Mail domains that nothing is sent to for a while, because they refuse what we are."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """None is held."""
    op.create_table(
        "domain_holds",
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("domain", sa.String(length=253), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "domain", name=op.f("pk_domain_holds")),
    )
