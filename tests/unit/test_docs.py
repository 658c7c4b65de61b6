"""What the pages point at is there."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from b2bua.config import parse

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]

FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
EXAMPLE = re.compile(r"^```(?:toml)?\n(\[(?!Unit|Service).*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
QUOTED = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w./-]+\.(?:py|md|toml|sh|service|json)")
FOLDER = re.compile(r"(?:\w+/)+\w+/?")
SETTING = re.compile(r"\[+([\w.]+)\]+ (\w+)\b.*")
BENCH = re.compile(r"bench(?:\.\w+)+")
CLASS = re.compile(r"([A-Z]+[a-z]\w+)(?:\.\w+)?")


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


def settings() -> set[tuple[str, str]]:
    """Return (section, key) of all settings, from the file that has them all."""
    found, section = set(), ""
    for line in (ROOT / "deploy" / "mitschnitt.toml").read_text("utf-8").splitlines():
        if header := re.match(r"(?:# )?\[+([\w.]+)\]+$", line):
            section = header[1]
        elif key := re.match(r"(?:# )?(\w+) = ", line):
            found.add((section, key[1]))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_are_named_as_they_are(page: Path) -> None:
    for quoted in QUOTED.findall(FENCED.sub("", page.read_text("utf-8"))):
        if named := SETTING.fullmatch(quoted):
            assert (named[1], named[2]) in settings(), quoted


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_of_settings_are_taken(page: Path) -> None:
    for example in EXAMPLE.findall(page.read_text("utf-8")):
        named = {name for name in ("first", "second") if f'"{name}"' in example}
        trunks = (f'[[trunk]]\nname = "{name}"\naddress = "192.0.2.1"\n' for name in named)
        parse(example + "".join(trunks), str(page))


def test_the_architecture_names_files_that_exist() -> None:
    names = {Path(path).name for path in files()}
    for quoted in QUOTED.findall((DOCS / "architecture.md").read_text("utf-8")):
        if FILE.fullmatch(quoted) or (FOLDER.fullmatch(quoted) and "." not in quoted):
            name = quoted.rstrip("/")
            assert name in files() or ("/" not in name and name in names), quoted
        elif BENCH.fullmatch(quoted):
            assert quoted.replace(".", "/") + ".py" in files(), quoted


def test_the_architecture_names_classes_that_exist() -> None:
    sources = [ROOT / path for path in files() if re.match(r"(?!tests/)\w+/.*\.py$", path)]
    code = "\n".join(source.read_text("utf-8") for source in sources)
    there = set(re.findall(r"^class (\w+)", code, re.MULTILINE))
    quoted = QUOTED.findall((DOCS / "architecture.md").read_text("utf-8"))
    named = {match[1] for each in quoted if (match := CLASS.fullmatch(each))}
    assert named
    assert named - there == set()


def test_decisions_are_numbered_once_and_listed_in_their_order() -> None:
    records = sorted(path.name for path in (DOCS / "decisions").glob("[0-9]*.md"))
    numbers = [name[:4] for name in records]
    assert numbers == [f"{number:04}" for number in range(1, len(records) + 1)]
    listed = LINK.findall((DOCS / "decisions" / "README.md").read_text("utf-8"))
    assert [target for target, _ in listed] == records
    for name in records:
        assert (DOCS / "decisions" / name).read_text("utf-8").startswith(f"# {name[:4]} ")
