"""What the demo tells: steps as they happen, checks, and all of it as one document."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Write = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    at_s: float
    "Since the begin of the demo."
    text: str


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, and whether the server kept it."""

    name: str
    held: bool
    detail: str = ""

    def __str__(self) -> str:
        mark = "ok    " if self.held else "FAILED"
        return f"{mark}  {self.name}" + (f"  ({self.detail})" if self.detail else "")


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A recording as it lies in the folder."""

    path: Path
    octets: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class Login:
    """Who may look at the page while the server is kept."""

    user: str
    password: str


@dataclass(slots=True)
class Report:
    """Everything about one run."""

    write: Write
    "Takes a line that is to be seen at once."
    steps: list[Step] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    row: dict[str, Any] = field(default_factory=dict)
    files: list[RecordedFile] = field(default_factory=list)
    web: str = ""
    "The page's address."
    login: Login | None = None
    error: str = ""
    "Why it was not played to its end."
    _began: float = field(default_factory=time.monotonic)

    @property
    def ok(self) -> bool:
        """Tell whether everything was checked and held."""
        return not self.error and bool(self.checks) and all(check.held for check in self.checks)

    @property
    def took_s(self) -> float:
        """Seconds since the begin."""
        return time.monotonic() - self._began

    def step(self, text: str) -> None:
        """Note and show what happens now."""
        step = Step(round(self.took_s, 2), text)
        self.steps.append(step)
        self.write(f"{step.at_s:5.1f} s  {text}")

    def document(self) -> str:
        """Return the JSON document."""
        values: dict[str, Any] = {
            "ok": self.ok,
            "took_s": round(self.took_s, 2),
            "error": self.error,
            "steps": [{"at_s": step.at_s, "text": step.text} for step in self.steps],
            "checks": [
                {"name": check.name, "held": check.held, "detail": check.detail}
                for check in self.checks
            ],
            "row": self.row,
            "files": [
                {"path": str(file.path), "octets": file.octets, "duration_s": file.duration_s}
                for file in self.files
            ],
            "web": self.web,
        }
        if self.login is not None:
            values["login"] = {"user": self.login.user, "password": self.login.password}
        return json.dumps(values, indent=2, ensure_ascii=False, default=str)

    def summary(self) -> list[str]:
        """Return the lines that end the demo."""
        lines = ["", *(str(check) for check in self.checks)]
        if self.row:
            lines += ["", *(f"{name:15} {_cell(value)}" for name, value in self.row.items())]
        lines += [
            f"{'file':15} {file.path} ({file.octets} octets, {file.duration_s:.1f} s)"
            for file in self.files
        ]
        lines += [f"{'page':15} {self.web}"] if self.web else []
        return [*lines, "", self._verdict(), *self._invitation()]

    def _verdict(self) -> str:
        if self.error:
            return f"The demo broke off: {self.error}"
        failed = sum(not check.held for check in self.checks)
        return f"{failed} of {len(self.checks)} checks failed." if failed else "Every check held."

    def _invitation(self) -> list[str]:
        if self.login is None:
            return ["(With --keep the server, its page and the files stay until Ctrl-C.)"]
        return [
            f"Look at the page: {self.web}",
            f"user {self.login.user}, password {self.login.password}",
            "Ctrl-C ends the server and removes its folder.",
        ]


def _cell(value: object) -> str:
    return "" if value is None else str(value)
