"""Users and tokens from the command line, without a server; and the first user of all."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from typer.testing import CliRunner, Result

from b2bua.cli import app
from b2bua.control.administration import ChangeRefusedError
from b2bua.errors import UsageError
from cdr.proofs import Proofs
from cdr.rows import AuditRow, TokenRow, UserRow
from rtp import srtp
from web.secret import digest

runner = CliRunner()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    run(tmp_path, "init")
    return tmp_path


def run(data: Path, *words: str, stdin: str = "") -> str:
    result = attempt(data, *words, stdin=stdin)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def attempt(data: Path, *words: str, stdin: str = "") -> Result:
    return runner.invoke(app, [*words, "--data", str(data)], input=stdin)


def rows(data: Path, *words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run(data, *words, "--json"))
    return found


async def user(data: Path, name: str) -> UserRow | None:
    async with Proofs(data / "mitschnitt.db") as database:
        return await database.user(name)


def is_password_of(data: Path, name: str, password: str) -> bool:
    found = asyncio.run(user(data, name))
    assert found is not None
    return PasswordHasher().verify(found.password_hash, password)


def test_the_first_user_is_made_with_the_folder(tmp_path: Path) -> None:
    said = run(tmp_path, "init")
    match = re.search(r"user admin .*password: (\S+)", said)
    assert match is not None
    assert is_password_of(tmp_path, "admin", match[1])
    (admin,) = rows(tmp_path, "user", "list")
    assert (admin["name"], admin["role"]) == ("admin", "admin")
    assert match[1] not in run(tmp_path, "user", "list", "--json")


def test_users_are_added_changed_and_removed(data: Path) -> None:
    said = run(data, "user", "add", "eve", "--extensions", "101, 102")
    assert is_password_of(data, "eve", said.split("password: ")[1].strip())
    assert rows(data, "user", "list")[1] | {"created_at": "", "created_by": ""} == {
        "name": "eve",
        "role": "listener",
        "extensions": "101,102",
        "created_at": "",
        "created_by": "",
        "disabled_at": None,
    }
    run(data, "user", "set", "eve", "--role", "admin", "--extensions", "")
    changed = rows(data, "user", "list")[1]
    assert (changed["role"], changed["extensions"]) == ("admin", "")
    said = run(data, "user", "set", "eve", "--password-stdin", stdin="correct horse\n")
    assert "horse" not in said
    assert is_password_of(data, "eve", "correct horse")
    said = run(data, "user", "set", "eve", "--new-password")
    assert is_password_of(data, "eve", said.split("password: ")[1].strip())
    run(data, "user", "rm", "eve")
    assert [each["name"] for each in rows(data, "user", "list")] == ["admin"]


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (("add", "eve", "--password-stdin"), "short\n"),
        (("add", "eve", "--password-stdin"), "x" * 201 + "\n"),
        (("add", "e v e"), ""),
        (("add", "eve", "--extensions", "1;2"), ""),
        (("set", "admin"), ""),
        (("set", "admin", "--new-password", "--password-stdin"), "correct horse\n"),
    ],
)
def test_some_users_are_not_made(data: Path, words: tuple[str, ...], stdin: str) -> None:
    assert isinstance(attempt(data, "user", *words, stdin=stdin).exception, UsageError)
    assert len(rows(data, "user", "list")) == 1


def test_nobody_is_there_twice(data: Path) -> None:
    assert isinstance(attempt(data, "user", "add", "admin").exception, ChangeRefusedError)
    assert isinstance(attempt(data, "user", "rm", "eve").exception, ChangeRefusedError)


async def token(data: Path, secret: str) -> TokenRow | None:
    async with Proofs(data / "mitschnitt.db") as database:
        return await database.token(digest(secret))


def test_a_token_is_shown_once_and_kept_as_a_hash(data: Path) -> None:
    said = run(data, "token", "add", "reports", "--scopes", "audio,calls")
    secret = said.split("token: ")[1].strip()
    assert len(secret) >= 40
    assert secret.encode() not in (data / "mitschnitt.db").read_bytes()
    found = asyncio.run(token(data, secret))
    assert found is not None
    assert (found.name, found.scopes, found.revoked_at) == ("reports", "calls,audio", None)
    (listed,) = rows(data, "token", "list")
    assert "hash" not in listed
    run(data, "token", "revoke", "reports")
    found = asyncio.run(token(data, secret))
    assert found is not None
    assert found.revoked_at is not None
    assert rows(data, "token", "list")[0]["revoked_at"]


@pytest.mark.parametrize("scopes", ["", "calls,everything"])
def test_a_token_is_for_something_that_there_is(data: Path, scopes: str) -> None:
    result = attempt(data, "token", "add", "reports", "--scopes", scopes)
    assert isinstance(result.exception, UsageError)
    assert "metrics" in str(result.exception)


async def audited(data: Path) -> tuple[AuditRow, ...]:
    async with Proofs(data / "mitschnitt.db") as database:
        assert (await database.verify_audit()).intact
        return await database.audit()


def test_every_change_of_an_account_is_audited(data: Path) -> None:
    run(data, "user", "add", "eve")
    run(data, "token", "add", "reports")
    entries = asyncio.run(audited(data))
    assert [(each.action, each.object) for each in entries] == [
        ("token.add", "reports"),
        ("user.add", "eve"),
        ("user.add", "admin"),
    ]
    assert all(each.actor.startswith("cli:") for each in entries)


# --- extensions: the finer settings


def test_the_finer_settings_of_an_extension(data: Path) -> None:
    finer = ("manual_consent", "directions", "user_may_stop")
    run(data, "ext", "add", "201")
    row = rows(data, "ext", "list")[0]
    assert tuple(row[name] for name in finer) == ("ask", "incoming,outgoing,internal", False)
    run(data, "ext", "set", "201", "--manual-consent", "attested", "--user-may-stop")
    run(data, "ext", "set", "201", "--directions", "internal,incoming")
    row = rows(data, "ext", "list")[0]
    assert tuple(row[name] for name in finer) == ("attested", "incoming,internal", True)
    run(data, "ext", "set", "201", "--no-user-may-stop")
    assert rows(data, "ext", "list")[0]["user_may_stop"] is False
    run(data, "ext", "add", "202", "--manual-consent", "attested", "--directions", "outgoing")
    row = rows(data, "ext", "list")[1]
    assert tuple(row[name] for name in finer) == ("attested", "outgoing", False)


@pytest.mark.parametrize("directions", ["", "sideways", "incoming,sideways"])
def test_a_direction_is_one_of_three(data: Path, directions: str) -> None:
    run(data, "ext", "add", "201")
    result = attempt(data, "ext", "set", "201", "--directions", directions)
    assert isinstance(result.exception, UsageError)


def test_what_srtp_is_wanted_of_an_extension(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(data, "ext", "add", "201")
    run(data, "ext", "add", "202", "--srtp", "required")
    assert [row["srtp"] for row in rows(data, "ext", "list")] == ["default", "required"]
    run(data, "ext", "set", "201", "--srtp", "optional")
    run(data, "ext", "set", "202", "--name", "Ada")
    assert [row["srtp"] for row in rows(data, "ext", "list")] == ["optional", "required"]
    entry = asyncio.run(audited(data))[1]
    assert (entry.action, entry.object) == ("extension.change", "201")
    run(data, "ext", "set", "202", "--srtp", "default")
    assert attempt(data, "ext", "set", "201", "--srtp", "sometimes").exit_code == 2
    monkeypatch.setattr(srtp, "MODULE", "a_module_that_is_not_there")
    for words in (("set", "202"), ("add", "203")):
        result = attempt(data, "ext", *words, "--srtp", "optional")
        assert isinstance(result.exception, UsageError)
        assert "extra `srtp`" in str(result.exception)
    run(data, "ext", "set", "201", "--srtp", "off")
    assert [row["srtp"] for row in rows(data, "ext", "list")] == ["off", "default"]


def test_how_an_extension_presses_keys(data: Path) -> None:
    run(data, "ext", "add", "201")
    run(data, "ext", "add", "202", "--dtmf", "info,rfc4733")
    assert [row["dtmf"] for row in rows(data, "ext", "list")] == ["default", "rfc4733,info"]
    run(data, "ext", "set", "201", "--dtmf", "in_band")
    run(data, "ext", "set", "202", "--name", "Ada")
    assert [row["dtmf"] for row in rows(data, "ext", "list")] == ["in_band", "rfc4733,info"]
    entry = asyncio.run(audited(data))[1]
    assert (entry.action, entry.object) == ("extension.change", "201")
    run(data, "ext", "set", "202", "--dtmf", "default")
    assert rows(data, "ext", "list")[1]["dtmf"] == "default"
    for wrong in ("", "tones", "info,tones"):
        result = attempt(data, "ext", "set", "201", "--dtmf", wrong)
        assert isinstance(result.exception, UsageError)


def test_where_the_calls_of_an_extension_go(data: Path) -> None:
    run(data, "ext", "add", "201")
    assert rows(data, "ext", "list")[0]["forward"] == ""
    run(data, "ext", "forward", "201", "--no-answer", "202", "--after", "30", "--busy", "0170123")
    said = rows(data, "ext", "show", "201")[0]["forward"]
    assert said == "busy 0170123, no answer in 30 s 202"
    run(data, "ext", "forward", "201", "--busy", "off", "--always", "202", "--offline", "203")
    said = rows(data, "ext", "show", "201")[0]["forward"]
    assert said == "always 202, no answer in 30 s 202, offline 203"
    assert "always 202" in run(data, "ext", "show", "201")
    entry = asyncio.run(audited(data))[0]
    assert (entry.action, entry.object) == ("extension.change", "201")


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        ("--always", "112"),
        ("--always", "201"),
        ("--busy", "*1"),
        ("--offline", "0170;evil"),
        ("--no-answer", ""),
        ("--after", "4"),
        ("--after", "301"),
    ],
)
def test_where_calls_can_not_go(data: Path, wrong: tuple[str, ...]) -> None:
    run(data, "ext", "add", "201")
    assert isinstance(attempt(data, "ext", "forward", "201", *wrong).exception, UsageError)
    assert rows(data, "ext", "show", "201")[0]["forward"] == ""


# --- storage


def test_the_storage_in_figures_and_in_words(data: Path) -> None:
    report = json.loads(
        run(data, "storage", "--minutes-per-day", "2000", "--days", "365", "--json")
    )
    assert report["folder"] == str(data / "recordings")
    assert report["total_octets"] >= report["free_octets"] > 0
    assert report["used_octets"] == report["total_octets"] - report["free_octets"]
    assert (report["recordings"], report["growth_days"], report["full_on"]) == (0, 0, None)
    assert report["plan"]["octets_per_day"] == 400_000_000
    assert report["plan"]["octets"] == 146_000_000_000
    said = run(data, "storage", "--minutes-per-day", "2000", "--days", "365")
    assert "2000 minutes a day: 400 MB a day, 146 GB in 365 days" in said
    assert "no traffic yet" in said
    assert "not in sight" in said


def test_a_folder_that_is_away_is_named(data: Path) -> None:
    (data / "mitschnitt.toml").write_text('[storage]\nfolder = "/nowhere"\n')
    result = attempt(data, "storage")
    assert "/nowhere" in str(result.exception)
