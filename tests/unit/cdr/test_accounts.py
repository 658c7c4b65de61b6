import json
from dataclasses import replace

import pytest

from cdr.account_records import (
    SessionClosed,
    SessionOpened,
    SessionTouched,
    UserAdded,
    UserChanged,
    UserRemoved,
)
from cdr.errors import AlreadyExistsError, CdrError, InvalidChangeError, NotFoundError
from cdr.journal import Journal
from cdr.proofs import Proofs
from cdr.records import Change
from tests.unit.cdr.samples import AT, SECOND

IDLE = 3600 * SECOND
SECRETS = ("$argon2id$one", "$argon2id$two", "f" * 64, "csrf-value")


def user(name: str = "ada") -> UserAdded:
    return UserAdded(
        actor="cli:root",
        at=AT,
        name=name,
        password_hash="$argon2id$one",
        role="listener",
        extensions=("101", "102"),
    )


def session(name: str = "ada", id_hash: str = "f" * 64, at: int = AT) -> SessionOpened:
    return SessionOpened(
        actor=f"web:{name}",
        at=at,
        id_hash=id_hash,
        user=name,
        csrf_token="csrf-value",
        idle_expires_at=at + IDLE,
        expires_at=at + 12 * IDLE,
        source="192.0.2.1",
    )


def changed(name: str = "ada") -> UserChanged:
    return UserChanged(actor="cli:root", at=AT + 1, name=name)


async def test_a_user_is_added_and_changed_with_audit_rows(
    journal: Journal, reader: Proofs
) -> None:
    await journal.execute(user())
    await journal.execute(replace(changed(), role="admin", extensions=()))
    row = await reader.user("ada")
    assert row is not None
    assert (row.role, row.extensions, row.password_hash) == ("admin", "", "$argon2id$one")
    assert (row.created_at, row.created_by, row.changed_at) == (AT, "cli:root", AT + 1)
    assert await reader.users() == (row,)
    newest = (await reader.audit(limit=1))[0]
    assert (newest.action, newest.object) == ("user.change", "ada")
    assert json.loads(newest.detail) == {
        "role": "admin",
        "role_was": "listener",
        "extensions": "",
        "extensions_was": "101,102",
    }


async def test_a_session_is_opened_touched_and_closed(journal: Journal, reader: Proofs) -> None:
    await journal.execute(user())
    await journal.execute(session())
    journal.put(SessionTouched(id_hash="f" * 64, idle_expires_at=AT + 2 * IDLE))
    assert await journal.drain(5)
    found = await reader.session("f" * 64)
    assert found is not None
    row, owner = found
    assert (row.user, owner.name, row.csrf_token) == ("ada", "ada", "csrf-value")
    assert row.idle_expires_at == AT + 2 * IDLE
    await journal.execute(SessionClosed(actor="web:ada", at=AT + 5, id_hash="f" * 64))
    assert await reader.session("f" * 64) is None
    journal.put(SessionTouched(id_hash="f" * 64, idle_expires_at=AT + 3 * IDLE))
    assert await journal.drain(5)
    assert journal.counters()["unmatched"] == 0
    actions = [(entry.actor, entry.action, entry.object) for entry in await reader.audit()]
    assert actions[:2] == [
        ("web:ada", "session.close", "ada"),
        ("web:ada", "session.open", "ada"),
    ]


async def test_a_session_is_valid_until_either_limit(journal: Journal, reader: Proofs) -> None:
    await journal.execute(user())
    await journal.execute(session())
    found = await reader.session("f" * 64)
    assert found is not None
    row = found[0]
    assert row.valid_at(AT + IDLE - 1)
    assert not row.valid_at(AT + IDLE)
    assert not replace(row, idle_expires_at=AT + 99 * IDLE).valid_at(AT + 12 * IDLE)


async def test_expired_sessions_are_cleared_away_at_the_next_login(
    journal: Journal, reader: Proofs
) -> None:
    await journal.execute(user())
    await journal.execute(session(id_hash="1" * 64))
    await journal.execute(session(id_hash="2" * 64, at=AT + IDLE - 1))
    await journal.execute(session(id_hash="3" * 64, at=AT + IDLE))
    left = [name for name in "123" if await reader.session(name * 64)]
    assert left == ["2", "3"]


@pytest.mark.parametrize(
    "change",
    [
        replace(changed(), password_hash="$argon2id$two"),
        replace(changed(), disabled=True),
        UserRemoved(actor="cli:root", at=AT + 1, name="ada"),
    ],
    ids=["new password", "disabled", "removed"],
)
async def test_what_ends_the_sessions_of_a_user(
    journal: Journal, reader: Proofs, change: Change
) -> None:
    await journal.execute(user())
    await journal.execute(user("grace"))
    await journal.execute(session())
    await journal.execute(session("grace", "e" * 64))
    await journal.execute(change)
    assert await reader.session("f" * 64) is None
    assert await reader.session("e" * 64) is not None


async def test_a_disabled_user_gets_no_session_until_enabled(journal: Journal) -> None:
    await journal.execute(user())
    await journal.execute(replace(changed(), disabled=True))
    with pytest.raises(NotFoundError, match="disabled"):
        await journal.execute(session())
    await journal.execute(replace(changed(), disabled=False))
    await journal.execute(session())


REFUSED: list[tuple[Change, type[CdrError]]] = [
    (user(), AlreadyExistsError),
    (replace(user("eve"), role="owner"), InvalidChangeError),  # type: ignore[arg-type] # on purpose
    (changed("nobody"), NotFoundError),
    (UserRemoved(actor="cli:root", at=AT, name="nobody"), NotFoundError),
    (session("nobody", "1" * 64), NotFoundError),
    (SessionClosed(actor="web:ada", at=AT, id_hash="1" * 64), NotFoundError),
]


@pytest.mark.parametrize(("change", "error"), REFUSED)
async def test_refused_changes_leave_no_trace(
    journal: Journal, reader: Proofs, change: Change, error: type[CdrError]
) -> None:
    await journal.execute(user())
    with pytest.raises(error):
        await journal.execute(change)
    assert len(await reader.users()) == 1
    assert (await reader.verify_audit()).checked == 1


async def test_secrets_reach_neither_the_audit_log_nor_a_representation(
    journal: Journal, reader: Proofs
) -> None:
    new_password = replace(changed(), password_hash="$argon2id$two")
    await journal.execute(user())
    await journal.execute(session())
    found = await reader.session("f" * 64)
    await journal.execute(new_password)
    shown = repr((user(), session(), new_password, found))
    shown += "".join(entry.detail for entry in await reader.audit())
    assert not [secret for secret in SECRETS if secret in shown]
    assert '"password_hash":"changed"' in shown
