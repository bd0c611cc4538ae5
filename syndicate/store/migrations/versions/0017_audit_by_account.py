"""What an account did, found without reading all that strangers tried: each sign-in asks where it came from before."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """An index."""
    op.create_index(op.f("ix_audit_who_at"), "audit", ["who", "at"], unique=False)
