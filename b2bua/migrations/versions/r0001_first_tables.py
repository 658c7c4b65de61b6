"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create all tables."""
    _create_audit()
    _create_bindings()
    _create_calls()
    _create_evidence()
    _create_extensions()
    _create_meta()
    _create_parties()
    _create_prompts()
    _create_segments()
    _create_tokens()


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
    )
    op.create_index("ix_audit_object", "audit", ["object"])


def _create_bindings() -> None:
    op.create_table(
        "bindings",
        sa.Column("aor", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("local_host", sa.Text(), nullable=False),
        sa.Column("local_port", sa.Integer(), nullable=False),
        sa.Column("remote_host", sa.Text(), nullable=False),
        sa.Column("remote_port", sa.Integer(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("cseq", sa.BigInteger(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=True),
        sa.Column("reg_id", sa.Integer(), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), server_default="", nullable=False),
        sa.Column("q", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("aor", "contact", name="pk_bindings"),
    )


def _create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column(
            "ledger",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("uniqueid", sa.Text(), nullable=False),
        sa.Column("linkedid", sa.Text(), nullable=False),
        sa.Column("calldate", sa.BigInteger(), nullable=False),
        sa.Column("clid", sa.Text(), server_default="", nullable=False),
        sa.Column("src", sa.Text(), server_default="", nullable=False),
        sa.Column("dst", sa.Text(), server_default="", nullable=False),
        sa.Column("did", sa.Text(), server_default="", nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("dstchannel", sa.Text(), server_default="", nullable=False),
        sa.Column("direction", sa.Text(), server_default="", nullable=False),
        sa.Column("ivr_answered_at", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("duration", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("billsec", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("disposition", sa.Text(), server_default="", nullable=False),
        sa.Column("hangup_cause", sa.Integer(), nullable=True),
        sa.Column("hangup_side", sa.Text(), server_default="", nullable=False),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.Column("outcome_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("outcome_params", sa.Text(), server_default="{}", nullable=False),
        sa.Column("recordingfile", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("recovered", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", name="pk_calls"),
        sa.UniqueConstraint("id", name="uq_calls_id"),
        sa.UniqueConstraint("uniqueid", name="uq_calls_uniqueid"),
    )
    op.create_index("ix_calls_calldate", "calls", ["calldate"])
    op.create_index("ix_calls_linkedid", "calls", ["linkedid"])
    op.create_index(
        "ix_calls_open",
        "calls",
        ["state"],
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def _create_evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("party_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("extension", sa.Text(), nullable=True),
        sa.Column("opt_in_at", sa.BigInteger(), nullable=True),
        sa.Column("opt_in_by", sa.Text(), nullable=True),
        sa.Column("prompt_id", sa.Text(), nullable=True),
        sa.Column("prompt_language", sa.Text(), nullable=True),
        sa.Column("prompt_sha256", sa.Text(), nullable=True),
        sa.Column("prompt_played_ms", sa.Integer(), nullable=True),
        sa.Column("prompt_completed", sa.Boolean(), nullable=True),
        sa.Column("digit", sa.Text(), nullable=True),
        sa.Column("transport", sa.Text(), nullable=True),
        sa.Column("rtp_timestamp", sa.BigInteger(), nullable=True),
        sa.Column("rtp_ssrc", sa.BigInteger(), nullable=True),
        sa.Column("sip_call_id", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_evidence"),
    )
    op.create_index("ix_evidence_call_id", "evidence", ["call_id"])


def _create_extensions() -> None:
    op.create_table(
        "extensions",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("mode", sa.Text(), server_default="off", nullable=False),
        sa.Column(
            "directions", sa.Text(), server_default="incoming,outgoing,internal", nullable=False
        ),
        sa.Column("user_may_stop", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("manual_consent", sa.Text(), server_default="ask", nullable=False),
        sa.Column("opt_in_at", sa.BigInteger(), nullable=True),
        sa.Column("opt_in_by", sa.Text(), nullable=True),
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("ha1_md5", sa.Text(), nullable=False),
        sa.Column("ha1_sha256", sa.Text(), nullable=False),
        sa.Column("algorithms", sa.Text(), server_default="MD5,SHA-256", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "manual_consent IN ('ask', 'attested')", name="ck_extensions_manual_consent"
        ),
        sa.CheckConstraint(
            "mode IN ('off', 'manual', 'automatic', 'never')", name="ck_extensions_mode"
        ),
        sa.CheckConstraint(
            "mode IN ('off', 'never') OR opt_in_at IS NOT NULL", name="ck_extensions_opt_in_first"
        ),
        sa.CheckConstraint(
            "(opt_in_at IS NULL) = (opt_in_by IS NULL)", name="ck_extensions_opt_in_whole"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_extensions"),
    )


def _create_meta() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )


def _create_parties() -> None:
    op.create_table(
        "parties",
        sa.Column("party_id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("leg", sa.Text(), server_default="", nullable=False),
        sa.Column("side", sa.Integer(), nullable=False),
        sa.Column("extension", sa.Text(), nullable=True),
        sa.Column("number", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("sip_call_id", sa.Text(), server_default="", nullable=False),
        sa.Column("remote", sa.Text(), server_default="", nullable=False),
        sa.Column("user_agent", sa.Text(), server_default="", nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("left_at", sa.BigInteger(), nullable=True),
        sa.Column("codec", sa.Text(), server_default="", nullable=False),
        sa.Column("packets_received", sa.BigInteger(), nullable=True),
        sa.Column("packets_sent", sa.BigInteger(), nullable=True),
        sa.Column("packets_lost", sa.BigInteger(), nullable=True),
        sa.Column("packets_dropped", sa.BigInteger(), nullable=True),
        sa.Column("jitter_ms", sa.Float(), nullable=True),
        sa.Column("round_trip_ms", sa.Float(), nullable=True),
        sa.Column("mos", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("party_id", name="pk_parties"),
    )
    op.create_index("ix_parties_call_id", "parties", ["call_id"])
    op.create_index("ix_parties_extension", "parties", ["extension"])


def _create_prompts() -> None:
    op.create_table(
        "prompts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), server_default="", nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("installed_at", sa.BigInteger(), nullable=False),
        sa.Column("installed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_prompts"),
        sa.UniqueConstraint("name", "language", "version", name="uq_prompts_name_language_version"),
    )


def _create_segments() -> None:
    op.create_table(
        "segments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("relative_path", sa.Text(), nullable=True),
        sa.Column("started_by", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("duration_s", sa.Float(), server_default="0", nullable=False),
        sa.Column("octets", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sha256", sa.Text(), server_default="", nullable=False),
        sa.Column("channels", sa.Integer(), server_default="1", nullable=False),
        sa.Column("sample_rate", sa.Integer(), server_default="8000", nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("missing_s", sa.Float(), server_default="0", nullable=False),
        sa.Column("recovered", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_segments"),
    )
    op.create_index("ix_segments_call_id", "segments", ["call_id"])
    op.create_index(
        "ix_segments_open",
        "segments",
        ["state"],
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_segments_relative_path", "segments", ["relative_path"])


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_tokens"),
        sa.UniqueConstraint("hash", name="uq_tokens_hash"),
    )
