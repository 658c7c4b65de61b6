"""The page that says what was tried names tests that are there, and whom they run with."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "trials.md"

OURS = {"script", "sockets", "clock"}
"Other ends that are no program."

UNDERSTOOD = {"ffmpeg", "libopus", "chromedriver"}
"The ear, and what comes along with something else: rows need not name them."

TEST = re.compile(r"`((?:unit|property|golden|e2e|interop)/[\w/]+\.py)(?:::(test_\w+))?`")

Test = tuple[str, str]
"File, and name; empty: all of them."


def rows() -> list[tuple[str, set[str], list[Test]]]:
    """Return (what, with whom, tests) of each row."""
    found = []
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("|") and (tests := TEST.findall(line)):
            what, peers, _ = line.strip("| ").split(" | ")
            found.append((what, set(peers.split(", ")), tests))
    return found


def peers_of(file: str) -> dict[str, set[str]]:
    """Return by test which peers it says it needs."""
    body = ast.parse((TESTS / file).read_text("utf-8")).body
    for_all = marked(node.value for node in body if isinstance(node, ast.Assign))
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    return {
        node.name: for_all | marked(node.decorator_list)
        for node in body
        if isinstance(node, functions) and node.name.startswith("test_")
    }


def marked(expressions: Iterable[ast.expr]) -> set[str]:
    return {
        ast.literal_eval(name)
        for expression in expressions
        for node in ast.walk(expression)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.peer"
        for name in node.args
    }


@pytest.mark.parametrize(
    ("what", "peers", "tests"), rows(), ids=lambda part: part if isinstance(part, str) else ""
)
def test_tests_are_there_and_run_with_whom_the_row_names(
    what: str, peers: set[str], tests: list[Test]
) -> None:
    ran = set[str]()
    for file, name in tests:
        there = peers_of(file)
        assert there
        for each in [name] if name else there:
            ran |= there[each]
    assert peers - OURS - UNDERSTOOD == ran - UNDERSTOOD, what
    assert peers & UNDERSTOOD <= ran, what


def test_no_end_to_end_test_and_no_peer_is_left_out() -> None:
    text = PAGE.read_text("utf-8")
    for path in (*TESTS.glob("e2e/test_*.py"), *TESTS.glob("interop/test_*.py")):
        file = str(path.relative_to(TESTS))
        assert f"`{file}" in text, file
        for name, peers in peers_of(file).items():
            assert {peer for peer in peers if peer not in text} == set(), name
