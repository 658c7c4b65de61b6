"""Users who see the proofs, and nothing else."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the new role into the table's condition, for which SQLite needs a new table."""
    users = sa.Table(
        "users",
        sa.MetaData(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("extensions", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_users"),
    )
    roles = "role IN ('admin', 'listener', 'auditor')"
    with op.batch_alter_table("users", recreate="always", copy_from=users) as batch:
        batch.create_check_constraint(op.f("ck_users_role"), sa.text(roles))
