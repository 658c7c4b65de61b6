"""The tables, in SQLAlchemy Core; the one place that names their columns.

Wall times are integer microseconds since 1970-01-01 UTC. Integers sort and subtract alike in
SQLite and PostgreSQL, cost nothing to bind, carry no zone and no format that could differ
between two writers; a reader renders them as :rfc:`3339` where a human looks.

Two indexes have a condition, in PostgreSQL too: the migrations name it. To name it here would load
that dialect, 3 MB, into every process.

There are no foreign keys. Records are written as they happen, each from its own event; a row
that can't be written must not take the evidence, parties and files of its call along. The
rows of a call share `call_id`, which is the opaque public `calls.id`.

Tables that calls write to have no CHECK either: a word that we did not foresee is better in
the table than lost. The tables that people change have them.

The migrations hold frozen copies; a test compares them with this.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# In SQLite only INTEGER PRIMARY KEY is the row's own number (no second index).
_RowNumber = BigInteger().with_variant(Integer(), "sqlite")


def _word(name: str) -> Column[str]:
    """Return a text column that is empty, not NULL, where nothing is known (as in Asterisk)."""
    return Column(name, Text, nullable=False, server_default="")


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=false())


calls = Table(
    "calls",
    metadata,
    # Gapless, in order of the calls' begin; given by the one writer.
    Column("ledger", _RowNumber, primary_key=True, autoincrement=False),
    # Random and opaque: what URLs and the API show.
    Column("id", Text, nullable=False, unique=True),
    Column("uniqueid", Text, nullable=False, unique=True),
    Column("linkedid", Text, nullable=False, index=True),
    Column("calldate", BigInteger, nullable=False, index=True),
    _word("clid"),
    _word("src"),
    _word("dst"),
    _word("did"),
    _word("channel"),
    _word("dstchannel"),
    _word("direction"),
    # Our own answer, for the menu; `answered_at` is that of the wanted party.
    Column("ivr_answered_at", BigInteger),
    Column("answered_at", BigInteger),
    Column("ended_at", BigInteger),
    # Whole seconds as in Asterisk, from the monotonic clock: never negative.
    _count("duration"),
    _count("billsec"),
    _word("disposition"),
    # Q.850, and who ended it.
    Column("hangup_cause", Integer),
    _word("hangup_side"),
    # Empty until the call is closed, then exactly one word.
    _word("outcome"),
    # Key and parameters (JSON object) of the sentence why, rendered in the reader's language.
    _word("outcome_reason"),
    Column("outcome_params", Text, nullable=False, server_default="{}"),
    # The first segment's relative path, as in FreePBX; the others are in `segments`.
    _word("recordingfile"),
    Column("state", Text, nullable=False, server_default="open"),
    # The server died during the call; the row was closed at the next start.
    _flag("recovered"),
)
Index(
    "ix_calls_open",
    calls.c.state,
    sqlite_where=text("state = 'open'"),
)

parties = Table(
    "parties",
    metadata,
    Column("party_id", Text, primary_key=True),
    Column("call_id", Text, nullable=False, index=True),
    # a, b, c, ... in order of joining.
    _word("leg"),
    # 0 caller (left in stereo), 1 callee (right).
    Column("side", Integer, nullable=False),
    # An own extension, or NULL and only `number` for an outside party. No index: an extension's
    # calls are looked up newest first, call by call. With one, SQLite went through all calls of
    # the extension for each call (8 s among 200,000), and a call cost a seventh more to write.
    Column("extension", Text),
    _word("number"),
    _word("name"),
    _word("channel"),
    _word("sip_call_id"),
    _word("remote"),
    _word("user_agent"),
    Column("joined_at", BigInteger, nullable=False),
    Column("answered_at", BigInteger),
    Column("left_at", BigInteger),
    _word("codec"),
    Column("packets_received", BigInteger),
    Column("packets_sent", BigInteger),
    Column("packets_lost", BigInteger),
    Column("packets_dropped", BigInteger),
    Column("jitter_ms", Float),
    Column("round_trip_ms", Float),
    Column("mos", Float),
)

segments = Table(
    "segments",
    metadata,
    # Random and opaque: the recording's public id.
    Column("id", Text, primary_key=True),
    Column("call_id", Text, nullable=False, index=True),
    # 1, 2, ... within the call.
    Column("number", Integer, nullable=False),
    # Below the recordings' folder; NULL where no playable file came about.
    Column("relative_path", Text, index=True),
    # What started it: automatic, or an actor.
    _word("started_by"),
    Column("started_at", BigInteger, nullable=False, index=True),
    Column("ended_at", BigInteger),
    Column("duration_s", Float, nullable=False, server_default="0"),
    _count("octets"),
    _word("sha256"),
    Column("channels", Integer, nullable=False, server_default="1"),
    Column("sample_rate", Integer, nullable=False, server_default="8000"),
    # open, finished, failed, vanished
    Column("state", Text, nullable=False, server_default="open"),
    # In words, where audio is missing.
    Column("failure", Text),
    Column("missing_s", Float, nullable=False, server_default="0"),
    _flag("recovered"),
)
Index(
    "ix_segments_open",
    segments.c.state,
    sqlite_where=text("state = 'open'"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", Text, primary_key=True),
    Column("call_id", Text, nullable=False, index=True),
    Column("party_id", Text, nullable=False),
    # opt_in, consent, attested, legal_duty
    Column("kind", Text, nullable=False),
    # granted, refused, timed_out, cancelled, withdrawn, informed
    Column("decision", Text, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("extension", Text),
    # The stored opt-in that this call relied on.
    Column("opt_in_at", BigInteger),
    Column("opt_in_by", Text),
    Column("prompt_id", Text),
    Column("prompt_language", Text),
    Column("prompt_sha256", Text),
    Column("prompt_played_ms", Integer),
    Column("prompt_completed", Boolean),
    Column("digit", Text),
    # rfc4733, info, in_band
    Column("transport", Text),
    Column("rtp_timestamp", BigInteger),
    Column("rtp_ssrc", BigInteger),
    Column("sip_call_id", Text),
    Column("note", Text),
)

audit = Table(
    "audit",
    metadata,
    # Gapless from 1.
    Column("seq", _RowNumber, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    # JSON, as it was hashed.
    Column("detail", Text, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
)
Index("ix_audit_object", audit.c.object)

extensions = Table(
    "extensions",
    metadata,
    Column("number", Text, primary_key=True),
    _word("name"),
    Column("mode", Text, nullable=False, server_default="off"),
    # Comma-separated: incoming, outgoing, internal.
    Column("directions", Text, nullable=False, server_default="incoming,outgoing,internal"),
    Column("user_may_stop", Boolean, nullable=False, server_default=false()),
    Column("manual_consent", Text, nullable=False, server_default="ask"),
    Column("opt_in_at", BigInteger),
    Column("opt_in_by", Text),
    # Where its calls go in its place; empty: nowhere. Numbers as the extension would dial them.
    _word("forward_always"),
    _word("forward_busy"),
    _word("forward_no_answer"),
    _word("forward_offline"),
    # Seconds that it rings before `forward_no_answer`.
    Column("forward_after_s", Integer, nullable=False, server_default="20"),
    # off, optional or required; empty: as the configuration says for everybody.
    _word("srtp"),
    # Comma-separated: rfc4733, info, in_band; empty: as the configuration says.
    _word("dtmf"),
    Column("realm", Text, nullable=False),
    # HA1 of RFC 7616 for both algorithms, hexadecimal.
    Column("ha1_md5", Text, nullable=False),
    Column("ha1_sha256", Text, nullable=False),
    # What is offered in a challenge, in this order.
    Column("algorithms", Text, nullable=False, server_default="MD5,SHA-256"),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    CheckConstraint("mode IN ('off', 'manual', 'automatic', 'never')", name="mode"),
    CheckConstraint("manual_consent IN ('ask', 'attested')", name="manual_consent"),
    CheckConstraint("(opt_in_at IS NULL) = (opt_in_by IS NULL)", name="opt_in_whole"),
    # The extension's own side of the consent: without it nothing can be recorded.
    CheckConstraint("mode IN ('off', 'never') OR opt_in_at IS NOT NULL", name="opt_in_first"),
)

bindings = Table(
    "bindings",
    metadata,
    Column("aor", Text, primary_key=True),
    Column("contact", Text, primary_key=True),
    Column("transport", Text, nullable=False),
    Column("local_host", Text, nullable=False),
    Column("local_port", Integer, nullable=False),
    Column("remote_host", Text, nullable=False),
    Column("remote_port", Integer, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("cseq", BigInteger, nullable=False),
    Column("instance", Text),
    Column("reg_id", Integer),
    Column("path", Text),
    _word("user_agent"),
    Column("q", Float),
)

prompts = Table(
    "prompts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("sha256", Text, nullable=False),
    _word("sentence"),
    Column("duration_ms", Integer, nullable=False),
    Column("installed_at", BigInteger, nullable=False),
    Column("installed_by", Text, nullable=False),
    UniqueConstraint("name", "language", "version"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("name", Text, primary_key=True),
    # SHA-256 of the token: it is random and long, so that a slow hash adds nothing.
    Column("hash", Text, nullable=False, unique=True),
    # Comma-separated.
    Column("scopes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("revoked_at", BigInteger),
)

users = Table(
    "users",
    metadata,
    Column("name", Text, primary_key=True),
    # Argon2id, with its parameters and salt.
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    # Comma-separated: whose calls a listener sees.
    _word("extensions"),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    CheckConstraint("role IN ('admin', 'listener', 'auditor')", name="role"),
)

sessions = Table(
    "sessions",
    metadata,
    # SHA-256 of the cookie's value.
    Column("id_hash", Text, primary_key=True),
    Column("user", Text, nullable=False, index=True),
    Column("csrf_token", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("idle_expires_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
