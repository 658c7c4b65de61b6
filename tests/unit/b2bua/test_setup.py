import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from b2bua.cli import app
from b2bua.datadir import DataFolder
from b2bua.errors import DataFolderError, UsageError
from b2bua.passwords import ALPHABET, PASSWORD_LENGTH, new_password
from b2bua.setup import initialise

runner = CliRunner()


def rows(*arguments: str) -> list[dict[str, object]]:
    result = runner.invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    decoded: list[dict[str, object]] = json.loads(result.output)
    return decoded


def test_init_makes_a_folder_that_check_config_accepts(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    result = runner.invoke(app, ["init", "--data", data, "--sample-extensions"])
    assert result.exit_code == 0, result.output
    assert result.output.count("password: ") == 3
    assert "pages: http://127.0.0.1:8080" in result.output
    assert "SIP address for telephones: " in result.output
    assert "0.0.0.0" not in result.output  # noqa: S104 - nobody can register there
    assert runner.invoke(app, ["check-config", "--data", data]).exit_code == 0
    samples = rows("ext", "list", "--data", data)
    assert [row["number"] for row in samples] == ["101", "102"]
    assert {row["mode"] for row in samples} == {"automatic"}
    assert all(row["opt_in_by"] for row in samples)


def test_init_leaves_a_folder_in_use_alone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    initialise(folder, None, sample=False, actor="test")
    before = folder.config_file.read_bytes()
    with pytest.raises(DataFolderError, match="nothing was changed"):
        initialise(folder, None, sample=True, actor="test")
    assert folder.config_file.read_bytes() == before


def test_extensions_are_added_changed_and_removed_without_a_server(tmp_path: Path) -> None:
    data = str(tmp_path)
    runner.invoke(app, ["init", "--data", data], catch_exceptions=False)
    added = runner.invoke(
        app, ["ext", "add", "201", "--name", "Cy", "--data", data], catch_exceptions=False
    )
    assert "password: " in added.output
    assert rows("ext", "list", "--data", data)[0]["mode"] == "off"
    runner.invoke(
        app,
        ["ext", "set", "201", "--opt-in", "--mode", "manual", "--data", data],
        catch_exceptions=False,
    )
    changed = rows("ext", "list", "--data", data)[0]
    assert (changed["mode"], changed["name"]) == ("manual", "Cy")
    runner.invoke(app, ["ext", "rm", "201", "--data", data], catch_exceptions=False)
    assert rows("ext", "list", "--data", data) == []


def test_a_recording_mode_needs_the_opt_in(tmp_path: Path) -> None:
    data = str(tmp_path)
    runner.invoke(app, ["init", "--data", data], catch_exceptions=False)
    result = runner.invoke(app, ["ext", "add", "201", "--mode", "automatic", "--data", data])
    assert result.exception is not None
    assert "opt" in str(result.exception)
    assert rows("ext", "list", "--data", data) == []


@pytest.mark.parametrize("number", ["112", "1", "12a", "-12", "\uff11\uff10\uff11", "1" * 16])
def test_some_numbers_are_no_extension(tmp_path: Path, number: str) -> None:
    data = str(tmp_path)
    runner.invoke(app, ["init", "--data", data], catch_exceptions=False)
    result = runner.invoke(app, ["ext", "add", "--data", data, "--", number])
    assert isinstance(result.exception, UsageError)


def test_a_given_password_comes_from_standard_input_and_is_not_shown(tmp_path: Path) -> None:
    data = str(tmp_path)
    runner.invoke(app, ["init", "--data", data], catch_exceptions=False)
    result = runner.invoke(
        app, ["ext", "add", "201", "--password-stdin", "--data", data], input="correct horse\n"
    )
    assert result.exit_code == 0
    assert "horse" not in result.output


def test_a_short_password_is_refused(tmp_path: Path) -> None:
    data = str(tmp_path)
    runner.invoke(app, ["init", "--data", data], catch_exceptions=False)
    result = runner.invoke(
        app, ["ext", "add", "201", "--password-stdin", "--data", data], input="short\n"
    )
    assert isinstance(result.exception, UsageError)


def test_passwords_are_long_and_differ() -> None:
    passwords = {new_password() for _ in range(50)}
    assert len(passwords) == 50
    assert all(len(p) == PASSWORD_LENGTH and set(p) <= set(ALPHABET) for p in passwords)


def test_lists_of_an_empty_house_say_so(tmp_path: Path) -> None:
    data = str(tmp_path)
    runner.invoke(app, ["init", "--data", data], catch_exceptions=False)
    for command in (["calls"], ["rec", "list"], ["ext", "list"]):
        assert runner.invoke(app, [*command, "--data", data]).output.strip() == "none"


def test_a_folder_without_database_is_named(tmp_path: Path) -> None:
    result = runner.invoke(app, ["calls", "--data", str(tmp_path)])
    assert isinstance(result.exception, DataFolderError)
    assert "mitschnitt init" in str(result.exception)
