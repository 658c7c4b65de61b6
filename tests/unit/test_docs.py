"""What the pages point at is there."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]

FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
QUOTED = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w./-]+\.(?:py|md|toml|sh|service|json)")
FOLDER = re.compile(r"(?:\w+/)+\w+/?")
BENCH = re.compile(r"bench(?:\.\w+)+")


@cache
def files() -> frozenset[str]:
    """Return all files of the repository, and its folders, from the root on."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    found = [Path(line) for line in listed.stdout.splitlines()]
    return frozenset(str(path) for file in found for path in (file, *file.parents))


def anchors(page: Path) -> set[str]:
    """Return what can stand behind the # of a link to a page, as GitHub makes it."""
    text = FENCED.sub("", page.read_text("utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(FENCED.sub("", page.read_text("utf-8"))):
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), f"{target}#{anchor}"


def test_the_architecture_names_files_that_exist() -> None:
    names = {Path(path).name for path in files()}
    for quoted in QUOTED.findall((DOCS / "architecture.md").read_text("utf-8")):
        if FILE.fullmatch(quoted) or (FOLDER.fullmatch(quoted) and "." not in quoted):
            name = quoted.rstrip("/")
            assert name in files() or ("/" not in name and name in names), quoted
        elif BENCH.fullmatch(quoted):
            assert quoted.replace(".", "/") + ".py" in files(), quoted
