"""A line of a manifest is kept once for all feeds, which name it by a mark: a change that many show writes little."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """The lines move out of the feeds. What the feeds show stays; their ETags change with their next change."""
    feed_lines = op.create_table(
        "feed_lines",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_feed_lines")),
    )
    feeds = sa.table("feeds", sa.column("name", sa.String()), sa.column("lines", sa.Text()))
    connection = op.get_bind()
    moved: dict[int, str] = {}
    for name, lines in connection.execute(sa.select(feeds.c.name, feeds.c.lines).where(feeds.c.lines != "")).all():
        by_seq = {int(line.split(" ")[2]): line for line in lines.split("\n")}
        moved |= by_seq
        marks = " ".join(f"{seq}" if line.endswith(" 0000000000 p") else f"{seq}~" for seq, line in by_seq.items())
        connection.execute(sa.update(feeds).where(feeds.c.name == name).values(lines=marks))
    op.bulk_insert(feed_lines, [{"seq": seq, "line": line} for seq, line in moved.items()])
