"""Reads the systemd unit that is shipped, as far as tests have to know what it says."""

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy" / "mitschnitt.service"


@dataclass(frozen=True, slots=True)
class UnitFile:
    """Options of all sections, in their order; one may stand there several times."""

    options: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, path: Path = UNIT) -> "UnitFile":
        lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
        pairs = (line.partition("=") for line in lines if line and line[0] not in "#;[")
        return cls(tuple((name, value) for name, _, value in pairs))

    def all(self, name: str) -> list[str]:
        return [value for option, value in self.options if option == name]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    def command(self, *, configuration: Path, state: Path) -> list[str]:
        """Return ExecStart's words with systemd's %E and %S filled in."""
        text = self.one("ExecStart").replace("%E", str(configuration)).replace("%S", str(state))
        assert "%" not in text
        return shlex.split(text)

    def environment(self) -> dict[str, str]:
        pairs = (word.partition("=") for value in self.all("Environment") for word in value.split())
        return {name: value for name, _, value in pairs}

    def sandbox(self) -> list[str]:
        """Return the words before a command that run it under the unit's system call rules.

        Needs `systemd-analyze`, which knows what the groups hold.
        """
        allowed: set[str] = set()
        for value in self.all("SystemCallFilter"):
            names = _expanded(value.removeprefix("~").split())
            allowed = allowed - names if value.startswith("~") else allowed | names
        rules = {
            "calls": sorted(allowed),
            "families": self.one("RestrictAddressFamilies").split(),
            "deny_write_execute": self.one("MemoryDenyWriteExecute") == "yes",
        }
        return [sys.executable, "-m", "tests.support.sandbox_child", json.dumps(rules)]


def _expanded(words: list[str]) -> set[str]:
    names = {word for word in words if not word.startswith("@")}
    groups = [word for word in words if word.startswith("@")]
    if groups:
        listing = subprocess.run(
            ["systemd-analyze", "syscall-filter", *groups],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        inner = {line.strip() for line in listing.splitlines() if line.startswith("    ")}
        names |= _expanded([line for line in inner if not line.startswith("#")])
    return names
