"""Every bench in turn: `python -m bench.all` writes bench/results/*.json and table.md.

A run that the load generator has spoilt is repeated; if it stays invalid it is written down
as what it is. One whose peer is not installed is skipped, and its last figures stay.
`--only NAME` runs those whose name begins so.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from bench import report

RESULTS = Path(__file__).resolve().parent / "results"
TRIES = 3

SIZES = (50, 100, 200, 400, 800)
"Calls of the media runs."


def media_runs() -> dict[str, tuple[str, ...]]:
    """Each number of calls: relayed only, recorded as set by default, and with LAME 3."""
    runs: dict[str, tuple[str, ...]] = {}
    for calls in SIZES:
        words = ("bench.media", "--calls", str(calls))
        runs[f"relay-{calls}"] = words
        runs[f"record-{calls}"] = (*words, "--record")
        runs[f"record-{calls}-q3"] = (*words, "--record", "--quality", "3")
    return runs


RUNS: dict[str, tuple[str, ...]] = {
    "floor-200": ("bench.floor", "--calls", "200"),
    **media_runs(),
    "record-200-24khz": ("bench.media", "--calls", "200", "--record", "--sample-rate", "24000"),
    "signalling-100": ("bench.signalling", "--rate", "100", "--seconds", "20"),
    "signalling-300": ("bench.signalling", "--rate", "300", "--seconds", "20"),
    "signalling-600": ("bench.signalling", "--rate", "600", "--seconds", "20"),
    "sip-core": ("bench.sip_core",),
    "consent-200": ("bench.consent",),
    "trouble-churn-400": ("bench.trouble", "churn", "--calls", "400"),
    "trouble-strangers-200": ("bench.trouble", "strangers"),
    "trouble-registers-200": ("bench.trouble", "registers", "--seconds", "60"),
    "encode": ("bench.encode",),
    "transcode": ("bench.transcode",),
    "peer-rtpengine": ("bench.peers.rtpengine",),
    "quality": ("bench.quality",),
}

OF_ITS_OWN = ("encode", "peer-rtpengine", "quality", "sip-core", "transcode", "trouble-")
"Begins of the names of runs whose figures are of another kind than the table's."

COLUMNS = {
    "cpu_ms_per_call_s": "CPU ms/call/s",
    "cpu_ms_per_call": "CPU ms/call",
    "menu_by_bridged": "menu / bridged",
    "lost": "lost",
    "delay_ms_p50": "delay p50 ms",
    "delay_ms_p99": "p99 ms",
    "pss_kb_per_call": "KB/call",
    "recordings_ok": "recordings ok",
    "finish_s": "finished s",
    "tap_seen_ms_p99": "key to tap p99 ms",
    "calls_per_s": "calls/s",
    "setup_ms_p99": "set-up p99 ms",
    "failed": "failed",
    "generator_lag_ms": "generator lag ms",
    "valid": "valid",
}


def run(words: tuple[str, ...]) -> report.Figures | None:
    """Run one bench, again where it was invalid; None where it gave no figures."""
    figures: report.Figures | None = None
    for _ in range(TRIES):
        done = subprocess.run(
            [sys.executable, "-m", *words, "--json"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=RESULTS.parent.parent,
            check=False,
        )
        if done.stdout:
            figures = json.loads(done.stdout)
        if done.returncode == 0:
            break
    return figures


def table(results: dict[str, report.Figures]) -> str:
    """The headline figures of all results as Markdown."""
    used = {
        key: title
        for key, title in COLUMNS.items()
        if any(key in figures for figures in results.values())
    }
    lines = ["| run | " + " | ".join(used.values()) + " |", "|" + "---|" * (len(used) + 1)]
    for name, figures in results.items():
        cells = [str(figures.get(key, "")) for key in used]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="runs whose name begins so")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    failed = False
    for name, words in RUNS.items():
        if not name.startswith(options.only):
            continue
        figures = run(words)
        if figures is None:
            print(f"{name}: no figures", file=sys.stderr)
            failed = True
            continue
        if "skipped" in figures:
            print(f"{name}: skipped, {figures['skipped']}", file=sys.stderr)
            continue
        path = options.out / f"{name}.json"
        path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    results = {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name in RUNS
        if (path := options.out / f"{name}.json").exists()
    }
    text = table(
        {name: figures for name, figures in results.items() if not name.startswith(OF_ITS_OWN)}
    )
    (options.out / "table.md").write_text(text, encoding="utf-8")
    print(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
