"""An entry as bytes stays what it is: a newer version of its article lies beside it until no manifest names the old."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """The table only keeps what can be made again, so it begins anew."""
    op.drop_table("fragments")
    op.create_table(
        "fragments",
        sa.Column("article_id", sa.String(length=64), nullable=False),
        sa.Column("flavour", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("squeezed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_fragments_article_id")),
        sa.PrimaryKeyConstraint("article_id", "flavour", "seq", name=op.f("pk_fragments")),
    )
