"""No index of the parties by extension: each call paid for it, and it misled those who listed."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the index."""
    op.drop_index("ix_parties_extension", "parties")
