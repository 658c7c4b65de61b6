"""The drawn state machines are those of the tables."""

import subprocess
import sys
from pathlib import Path

from sip import registering
from sip.subscription_state import PaceState
from sip.transaction import MACHINES
from sip.usage_state import CLIENT_USAGE, SERVER_USAGE

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "draw_state_machines.py"
PAGE = ROOT / "docs" / "state-machines.md"


def test_the_page_is_what_the_tables_say() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--check"], check=False, timeout=60)
    assert done.returncode == 0, "run scripts/draw_state_machines.py"


def test_nothing_is_left_out() -> None:
    text = PAGE.read_text("utf-8")
    for machine in MACHINES:
        for row in machine.table.values():
            assert all(rule.state.name in text for rule in row.values())
        assert all(given.name in text for given in machine.inputs)
    assert all(f"{state.name} -->" in text for state in registering.State)
    assert all(f"{state.name} -->" in text for state in PaceState)
    for table in (SERVER_USAGE, CLIENT_USAGE):
        assert all(f"{state.name} -->" in text for state in table)
