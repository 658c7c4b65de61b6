import importlib.util
import tomllib

import pytest
from typer.testing import CliRunner

from b2bua.cli import app
from b2bua.demo import run
from b2bua.demo.private_server import settings
from b2bua.errors import DemoError


def test_without_the_extra_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if "Vo" in name else name)
    result = CliRunner().invoke(app, ["demo"])
    assert isinstance(result.exception, DemoError)
    assert str(result.exception) == run.INSTALL
    assert "mitschnitt[phones]" in run.INSTALL
    assert "\n" not in run.INSTALL


def test_the_private_server_stays_on_loopback() -> None:
    values = tomllib.loads(settings(trunk="127.0.0.2:4000", did="4930", extension="101"))
    assert values["trunk"] == [
        {"name": "outside", "address": "127.0.0.2:4000", "dids": {"4930": "101"}}
    ]
    assert values["sip"]["listen"] == values["web"]["listen"] == "127.0.0.1:0"
    low, high = map(int, values["media"]["ports"].split("-"))
    assert low % 2 == 0
    assert high - low == 199
