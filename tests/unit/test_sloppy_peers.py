"""The table of what peers do names tests that are there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "sloppy-peers.md"

NOTHING_TO_TEST = {13, 19, 21}
"What no server can see, or has to."


def rows() -> dict[int, list[tuple[str, str]]]:
    found = {}
    for line in PAGE.read_text("utf-8").splitlines():
        number = re.match(r"\| ([0-9]+) \|", line)
        if number is not None:
            found[int(number[1])] = re.findall(r"`(tests/[a-z0-9_/]+\.py)::(test_\w+)`", line)
    return found


def test_each_row_has_its_tests_and_they_exist() -> None:
    table = rows()
    assert set(table) == set(range(1, 22))
    assert {number for number, tests in table.items() if not tests} == NOTHING_TO_TEST
    for file, name in {test for tests in table.values() for test in tests}:
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        functions = ast.FunctionDef | ast.AsyncFunctionDef
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, functions)}, name
