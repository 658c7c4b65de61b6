"""In which ways an extension's telephones press keys."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; for all it is as the configuration says."""
    column = sa.Column("dtmf", sa.Text(), server_default="", nullable=False)
    op.add_column("extensions", column)
