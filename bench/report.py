"""The bench's one line of JSON, and the machine it was measured on."""

import importlib.metadata
import json
import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench.generator import NICE, Outcome
from bench.traffic import Plan

Figures = dict[str, Any]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def machine() -> Figures:
    """What a figure is worth nothing without."""
    return {
        "machine": f"{os.cpu_count()} x {_processor()}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "lameenc": _version("lameenc"),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def traffic_figures(plan: Plan, outcome: Outcome) -> Figures:
    """The generator's part of the line."""
    verdict = outcome.verdict
    return {
        "loss_pct": round(verdict.loss_pct, 5),
        "lost": verdict.sent - verdict.received,
        "duplicates": verdict.duplicates,
        "strangers": verdict.strangers,
        "delay_ms_p50": verdict.delay_ms_p50,
        "delay_ms_p99": verdict.delay_ms_p99,
        "delay_ms_max": verdict.delay_ms_max,
        "generator_lag_ms": verdict.lag_ms_p99,
        "generator_lag_ms_max": verdict.lag_ms_max,
        "generator_cpu": round(outcome.cpu_s / plan.seconds, 4),
        "generator_nice": NICE,
        "generator_sockets": 2,
        "generator_step_ms": plan.step_ns / 1e6,
        "sent_pct": round(verdict.sent_pct, 4),
        "valid": outcome.invalid is None,
        "invalid_because": outcome.invalid,
    }


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for a run's files, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield Path(folder)


def table(rows: Sequence[Figures]) -> None:
    """Print rows of the same keys as a Markdown table."""
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |")


def show(figures: Figures, *, as_json: bool) -> int:
    """Print the figures; return the exit code: an invalid run is a failed one."""
    whole = {**figures, **machine()}
    if as_json:
        print(json.dumps(whole))
    else:
        width = max(len(name) for name in whole)
        for name, value in whole.items():
            print(f"{name:<{width}}  {value}")
    return 0 if whole.get("valid", True) else 1
