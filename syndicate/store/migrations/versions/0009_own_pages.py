"""What the sitemap lists, month by month: stories of which we have the only page, and editions."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
# Those whose newest version names no page of the newsroom's.
_FILLS = {
    "sqlite": """
        UPDATE articles SET own_page = 1 WHERE coalesce((
            SELECT json_extract(v.content, '$.url') FROM article_versions v
            WHERE v.article_id = articles.id AND v.version = articles.version), '') = ''""",
    "postgresql": """
        UPDATE articles SET own_page = true WHERE coalesce((
            SELECT v.content::json ->> 'url' FROM article_versions v
            WHERE v.article_id = articles.id AND v.version = articles.version), '') = ''""",
}


def upgrade() -> None:
    """A mark on the stories for which the newsroom has no page of its own, and the indexes that find a month."""
    op.add_column("articles", sa.Column("own_page", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(sa.text(_FILLS[op.get_bind().dialect.name]))
    op.create_index(op.f("ix_articles_own_page_sort_at"), "articles", ["own_page", "sort_at"], unique=False)
    op.create_index(op.f("ix_editions_created_at"), "editions", ["created_at"], unique=False)
