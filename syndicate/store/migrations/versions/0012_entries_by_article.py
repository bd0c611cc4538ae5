"""What feeds hold lies by article: the entries of one change stand side by side, not one on each page of the index."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """The key the other way round; it is the way from an article to its feeds too."""
    op.execute("CREATE TABLE feed_entries_before AS SELECT article_id, feed, sort_at FROM feed_entries")
    op.drop_table("feed_entries")
    op.create_table(
        "feed_entries",
        sa.Column("article_id", sa.String(length=64), nullable=False),
        sa.Column("feed", sa.String(length=40), nullable=False),
        sa.Column("sort_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_feed_entries_article_id")),
        sa.PrimaryKeyConstraint("article_id", "feed", name=op.f("pk_feed_entries")),
    )
    op.execute(
        "INSERT INTO feed_entries (article_id, feed, sort_at) SELECT article_id, feed, sort_at FROM feed_entries_before"
    )
    op.drop_table("feed_entries_before")
    op.create_index(op.f("ix_feed_entries_feed_sort_at"), "feed_entries", ["feed", "sort_at"], unique=False)
