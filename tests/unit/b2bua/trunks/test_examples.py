"""The example configurations: each can be read, reaches somebody and lets emergencies out."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from b2bua.calls.party import Party
from b2bua.cli import app
from b2bua.config import load
from b2bua.directory import Directory
from b2bua.routing import DialPlan, ToExtension, ToTrunk
from b2bua.trunks.identity import identity
from b2bua.trunks.trunk import Trunks
from tests.unit.b2bua.calls.call_rig import extension

ROOT = Path(__file__).parents[4]
FOLDER = ROOT / "deploy" / "trunks"
EXAMPLES = sorted(FOLDER.glob("*.toml"))


def test_there_are_three_providers_and_a_fritzbox() -> None:
    assert [path.stem for path in EXAMPLES] == [
        "1und1",
        "fritzbox",
        "sipgate-trunking",
        "telekom-companyflex",
    ]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_check_config_takes_it_and_shows_no_password(path: Path) -> None:
    done = CliRunner().invoke(app, ["check-config", "--config", str(path), "--json"])
    assert done.exit_code == 0, done.output
    (trunk,) = load(path).trunk
    assert trunk.account is not None
    assert trunk.account.password.get_secret_value() not in done.output


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_says_that_nobody_has_run_it(path: Path) -> None:
    assert "NOT RUN" in "".join(path.read_text("utf-8").splitlines(keepends=True)[:2])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_calls_go_out_and_come_in(path: Path) -> None:
    config, directory = load(path), Directory()
    for number in ("101", "102"):
        directory._by_number[number] = extension(number)
    trunks = Trunks(config.trunk)
    plan = DialPlan(config, directory, trunks)
    (trunk,) = trunks
    for dialled, number in (("00305550199", "0305550199"), ("112", "112")):
        outside = plan.from_extension(dialled, extension("101"))
        assert isinstance(outside, ToTrunk)
        assert outside.number == number
    called = trunk.numbers.called("0305550199")
    assert called.endswith("305550199")
    who = identity(trunk, Party.own(extension("101")), withheld=False, host="192.0.2.1")
    assert trunk.settings.account is not None
    shown = [who.from_.uri.user, *(value for _, value in who.headers)]
    assert any("305550100" in str(each) or "mitschnitt1" in str(each) for each in shown)
    inside = plan.from_trunk(next(iter(trunk.settings.dids), "x"), trunk)
    assert isinstance(inside, ToExtension)
    assert inside.extension.number == "101"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_page_about_trunks_names_it(path: Path) -> None:
    assert path.name in (ROOT / "docs" / "trunks.md").read_text("utf-8")
