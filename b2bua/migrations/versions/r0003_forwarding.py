"""Where an extension's calls go in its place."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; nothing is forwarded."""
    for name in ("always", "busy", "no_answer", "offline"):
        column = sa.Column(f"forward_{name}", sa.Text(), server_default="", nullable=False)
        op.add_column("extensions", column)
    op.add_column(
        "extensions",
        sa.Column("forward_after_s", sa.Integer(), server_default="20", nullable=False),
    )
