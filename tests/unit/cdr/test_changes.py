import json
from dataclasses import replace

import pytest

from cdr.errors import AlreadyExistsError, CdrError, InvalidChangeError, NotFoundError
from cdr.extension_records import Credentials, ExtensionChanged, ExtensionRemoved, OptIn
from cdr.journal import Journal
from cdr.proofs import Proofs
from cdr.records import Change, PromptInstalled, TokenAdded, TokenRevoked
from tests.unit.cdr.samples import AT, added, audited

LATER = AT + 1


def changed(number: str = "101") -> ExtensionChanged:
    return ExtensionChanged(actor="web:ada", at=LATER, number=number)


async def test_an_extension_is_added_with_its_audit_row(journal: Journal, reader: Proofs) -> None:
    row = await journal.execute(added("101", "automatic", opt_in=True))
    assert (row.number, row.mode, row.opt_in_at, row.opt_in_by) == (
        "101",
        "automatic",
        AT,
        "cli:root",
    )
    assert (row.directions, row.algorithms) == ("incoming,outgoing,internal", "MD5,SHA-256")
    assert (row.created_at, row.changed_at, row.disabled_at) == (AT, AT, None)
    assert await reader.extensions() == (row,)
    (entry,) = await reader.audit()
    assert (entry.actor, entry.action, entry.object) == ("cli:root", "extension.add", "101")
    assert json.loads(entry.detail)["mode"] == "automatic"


async def test_secrets_reach_neither_the_audit_log_nor_a_representation(
    journal: Journal, reader: Proofs
) -> None:
    change = added()
    row = await journal.execute(change)
    new = Credentials(realm="mitschnitt", ha1_md5="c" * 32, ha1_sha256="d" * 64)
    renewed = await journal.execute(replace(changed(), credentials=new))
    assert (renewed.ha1_md5, renewed.ha1_sha256) == ("c" * 32, "d" * 64)
    shown = repr(change) + repr(row) + "".join(entry.detail for entry in await reader.audit())
    for secret in "abcd":
        assert secret * 32 not in shown
    assert '"ha1_md5":"changed"' in shown


async def test_only_what_is_named_changes(journal: Journal, reader: Proofs) -> None:
    before = await journal.execute(added("101", "automatic", opt_in=True))
    after = await journal.execute(replace(changed(), name="Grace", directions=("incoming",)))
    assert after == replace(before, name="Grace", directions="incoming", changed_at=LATER)
    newest = (await reader.audit(limit=1))[0]
    assert json.loads(newest.detail) == {
        "name": "Grace",
        "name_was": "Ada",
        "directions": "incoming",
        "directions_was": "incoming,outgoing,internal",
    }


async def test_an_extension_is_disabled_and_enabled(journal: Journal) -> None:
    await journal.execute(added())
    assert (await journal.execute(replace(changed(), disabled=True))).disabled_at == LATER
    again = replace(changed(), disabled=True, at=LATER + 5, algorithms=("SHA-256",))
    row = await journal.execute(again)
    assert (row.disabled_at, row.algorithms) == (LATER, "SHA-256")
    assert (await journal.execute(replace(changed(), disabled=False))).disabled_at is None


@pytest.mark.parametrize("mode", ["manual", "automatic"])
async def test_nothing_is_recorded_without_an_opt_in(
    journal: Journal, reader: Proofs, mode: str
) -> None:
    with pytest.raises(InvalidChangeError, match="opt_in_first"):
        await journal.execute(added("101", mode))
    await journal.execute(added("101"))
    with pytest.raises(InvalidChangeError, match="opt_in_first"):
        await journal.execute(replace(changed(), mode=mode))
    opt_in = OptIn(at=LATER, by="web:ada")
    row = await journal.execute(replace(changed(), mode=mode, opt_in=opt_in))
    assert (row.mode, row.opt_in_at, row.opt_in_by) == (mode, LATER, "web:ada")
    with pytest.raises(InvalidChangeError, match="opt_in_first"):
        await journal.execute(replace(changed(), opt_in=None))
    row = await journal.execute(replace(changed(), opt_in=None, mode="off"))
    assert (row.mode, row.opt_in_at, row.opt_in_by) == ("off", None, None)
    assert [entry.action for entry in await reader.audit()] == [
        *["extension.change"] * 2,
        "extension.add",
    ], "what was refused is not in the log"
    assert (await reader.verify_audit()).intact


async def test_an_extension_is_removed(journal: Journal, reader: Proofs) -> None:
    await journal.execute(added())
    removed = await journal.execute(ExtensionRemoved(actor="cli:root", at=LATER, number="101"))
    assert removed is None
    assert await reader.extensions() == ()
    assert (await journal.execute(added())).number == "101", "the number is free again"


async def test_prompts_and_tokens(journal: Journal, reader: Proofs) -> None:
    prompt = PromptInstalled(
        actor="cli:root",
        at=AT,
        id="consent/de/1",
        name="consent",
        language="de",
        version=1,
        sha256="ab" * 32,
        duration_ms=7900,
        sentence="Dieses Gespräch wird aufgezeichnet.",
    )
    await journal.execute(prompt)
    await journal.execute(token())
    await journal.execute(TokenRevoked(actor="cli:root", at=LATER, name="reports"))
    assert [row.sentence for row in await reader.prompts()] == [prompt.sentence]
    (row,) = await reader.tokens()
    assert (row.scopes, row.created_at, row.revoked_at) == ("calls,audio", AT, LATER)
    with pytest.raises(AlreadyExistsError):
        await journal.execute(prompt)


def token(name: str = "reports", digest: str = "e" * 64) -> TokenAdded:
    scopes = ("calls", "audio")
    return TokenAdded(actor="cli:root", at=AT, name=name, hash=digest, scopes=scopes)


REFUSED: list[tuple[Change, type[CdrError]]] = [
    (added("101"), AlreadyExistsError),
    (added("102", "loud"), InvalidChangeError),
    (changed("999"), NotFoundError),
    (ExtensionRemoved(actor="cli:root", at=AT, number="999"), NotFoundError),
    (token(), AlreadyExistsError),
    (token("other"), InvalidChangeError),
    (TokenRevoked(actor="cli:root", at=AT, name="none"), NotFoundError),
]


@pytest.mark.parametrize(("change", "error"), REFUSED)
async def test_refused_changes_leave_no_trace(
    journal: Journal, reader: Proofs, change: Change, error: type[CdrError]
) -> None:
    await journal.execute(added("101"))
    await journal.execute(token())
    with pytest.raises(error):
        await journal.execute(change)
    assert len(await reader.extensions()) == 1
    assert len(await reader.tokens()) == 1
    assert (await reader.verify_audit()).checked == 2


async def test_a_change_that_is_none_is_refused_and_the_journal_lives(journal: Journal) -> None:
    with pytest.raises(CdrError, match="could not be carried out"):
        await journal.execute("no change")  # type: ignore[call-overload] # on purpose
    assert await journal.execute(audited("x")) is None
