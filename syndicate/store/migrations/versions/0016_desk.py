"""What a person of the newsroom says: about a story, about a newsletter, about the edition to come."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Three tables; nobody has said anything yet."""
    op.create_table(
        "desk_words",
        sa.Column("article_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("standing", sa.String(length=12), nullable=False),
        sa.Column("based_on", sa.Text(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_desk_words_article_id")),
        sa.PrimaryKeyConstraint("article_id", name=op.f("pk_desk_words")),
    )
    op.create_table(
        "pauses",
        sa.Column("newsletter", sa.String(length=40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("newsletter", name=op.f("pk_pauses")),
    )
    op.create_table(
        "directions",
        sa.Column("newsletter", sa.String(length=40), nullable=False),
        sa.Column("slot", sa.String(length=40), nullable=False),
        sa.Column("first_ids", sa.Text(), nullable=False),
        sa.Column("dropped_ids", sa.Text(), nullable=False),
        sa.Column("intro", sa.Text(), nullable=False),
        sa.Column("hold", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("newsletter", "slot", name=op.f("pk_directions")),
    )
