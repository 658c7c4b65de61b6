"""What SRTP is wanted of an extension's telephones."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; for all it is as the configuration says."""
    column = sa.Column("srtp", sa.Text(), server_default="", nullable=False)
    op.add_column("extensions", column)
