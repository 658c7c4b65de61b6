"""The page about telephones names tests that exist, and settings that are read."""

import re
from pathlib import Path

import pytest

from b2bua.config import parse
from ivr.key_pad import Way

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "phones.md").read_text("utf-8")

TESTS = re.findall(r"`(tests/\S+\.py)::(\w+)`", PAGE)


@pytest.mark.parametrize(("file", "test"), TESTS)
def test_each_named_test_exists(file: str, test: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    assert re.search(rf"^(?:async )?def {test}\b", text, re.MULTILINE)


def test_there_is_one_for_each_row() -> None:
    rows = PAGE.partition("## What was run\n")[2].count("\n| ") - 1
    assert rows <= len(TESTS)
    assert rows >= 12


def test_the_settings_on_the_page_are_settings() -> None:
    (ways,) = re.findall(r"`mitschnitt ext set 31 --dtmf (\S+)`", PAGE)
    (codes,) = set(re.findall(r"`(?:\[dtmf\] )?(in_band_codes = true)`", PAGE))
    assert parse(f"[dtmf]\n{codes}\n", "phones.md").dtmf.in_band_codes
    assert set(ways.split(",")) == set(Way)
