"""Which stories are alike: sketches to find them by, and links between them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Sketches of articles, and links between articles."""
    op.create_table(
        "article_sketches",
        sa.Column("hash", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("article_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_article_sketches_article_id")),
        sa.PrimaryKeyConstraint("hash", "article_id", name=op.f("pk_article_sketches")),
    )
    op.create_index(op.f("ix_article_sketches_article_id"), "article_sketches", ["article_id"], unique=False)
    op.create_index(op.f("ix_article_sketches_at"), "article_sketches", ["at"], unique=False)
    op.create_table(
        "article_links",
        sa.Column("article_id", sa.String(length=64), nullable=False),
        sa.Column("other_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_article_links_article_id")),
        sa.ForeignKeyConstraint(["other_id"], ["articles.id"], name=op.f("fk_article_links_other_id")),
        sa.PrimaryKeyConstraint("article_id", "other_id", name=op.f("pk_article_links")),
    )
    op.create_index(op.f("ix_article_links_other_id"), "article_links", ["other_id"], unique=False)
