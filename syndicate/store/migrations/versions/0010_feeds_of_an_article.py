"""Which feeds hold an article, without looking through all that they hold."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """The other way into feed_entries."""
    op.create_index(op.f("ix_feed_entries_article_id"), "feed_entries", ["article_id"], unique=False)
