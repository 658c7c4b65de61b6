"""The same relay load through rtpengine and through us: `python -m bench.peers.rtpengine`.

rtpengine (Debian's package `rtpengine-daemon`) relays in user space (`--table=-1`): so do we, and
its kernel module is another kind of thing. The two take turns in one run, so that whatever else
the machine does meets both, and the medians of the rounds are compared. `ratio` is our CPU
divided by theirs: below 1 we are cheaper. A round whose generator was late counts for nobody.

Where rtpengine is not installed the line says `skipped` and why.
"""

import argparse
import json
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import procfs, report
from bench.generator import Destination, Generator
from bench.media import CALLS_BEGINNING_PER_S, LEAD_NS
from bench.peers.ng import Ng, NgError
from bench.traffic import Plan

PROGRAM = "rtpengine"
HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[2]
PORTS_PER_CALL = 4
FIRST_PORT = 40_000

NO_RECORDING = (
    "rtpengine's recording daemon gets its packets through /proc/rtpengine, which only the kernel "
    "module provides"
)

KEPT = (
    *("cpu_ms_per_call_s", "delay_ms_p50", "delay_ms_p99", "lost", "generator_lag_ms"),
    *("valid", "invalid_because"),
)
"Of each round."


def version() -> str:
    """Return rtpengine's version."""
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"[0-9][0-9.]+[^ \n]*", said.stdout + said.stderr)
    return match[0] if match else "?"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind((HOST, 0))
        port: int = bound.getsockname()[1]
        return port


def open_descriptors() -> None:
    """Let children have as many descriptors as the system allows: a call takes four."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def start(stack: ExitStack, calls: int, folder: Path) -> tuple[int, Ng]:
    """Start rtpengine and wait until it answers; return its process id and its client."""
    control = free_port()
    log = stack.enter_context((folder / "rtpengine.log").open("w", encoding="utf-8"))
    child = subprocess.Popen(
        [
            PROGRAM,
            "--config-file=none",
            "--foreground",
            "--log-stderr",
            "--log-level=3",
            "--table=-1",
            f"--interface={HOST}",
            f"--listen-ng={HOST}:{control}",
            f"--port-min={FIRST_PORT}",
            f"--port-max={FIRST_PORT + 2 * PORTS_PER_CALL * calls + 100}",
        ],
        stdout=log,
        stderr=log,
    )
    stack.callback(_end, child)
    client = Ng(control)
    stack.callback(client.close)
    for _ in range(50):
        if child.poll() is not None:
            break
        try:
            client.ask({"command": "ping"})
        except NgError:
            time.sleep(0.1)
        else:
            return child.pid, client
    raise RuntimeError((folder / "rtpengine.log").read_text(encoding="utf-8"))


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def their_round(calls: int, seconds: int) -> report.Figures:
    """Run the load through rtpengine."""
    with ExitStack() as stack:
        folder = stack.enter_context(report.scratch())
        lead = 1 + calls // CALLS_BEGINNING_PER_S
        plan = Plan(calls=calls, seconds=seconds, lead_seconds=lead)
        generator = Generator(plan, folder / "generator.npz")
        stack.callback(generator.close)
        pid, client = start(stack, calls, folder)
        sides = generator.address(0), generator.address(1)
        ports = [port for call in range(calls) for port in client.connect(f"bench-{call}", *sides)]
        generator.prepare([Destination(host=HOST, port=port) for port in ports])
        begin_ns = time.monotonic_ns() + LEAD_NS
        generator.start(begin_ns)
        begin = begin_ns / 1e9 + lead
        _sleep_until(begin)
        before = procfs.cpu_s(pid)
        _sleep_until(begin + seconds)
        used = procfs.cpu_s(pid) - before
        outcome = generator.finish()
        return {
            "cpu_ms_per_call_s": round(1000 * used / calls / seconds, 4),
            **report.traffic_figures(plan, outcome),
        }


def _sleep_until(instant: float) -> None:
    time.sleep(max(0.0, instant - time.monotonic()))


def our_round(calls: int, seconds: int) -> report.Figures:
    """Run the load through our server: all of its processes count."""
    words = ("--calls", str(calls), "--seconds", str(seconds), "--json")
    done = subprocess.run(
        [sys.executable, "-m", "bench.media", *words],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if not done.stdout:
        raise RuntimeError("bench.media gave no figures")
    figures: report.Figures = json.loads(done.stdout)
    return figures


def summary(rounds: Sequence[report.Figures]) -> report.Figures:
    """Return the medians of the valid rounds, and all rounds as they were."""
    valid = [each for each in rounds if each["valid"]]
    counted = valid or list(rounds)
    names = ("cpu_ms_per_call_s", "delay_ms_p50", "delay_ms_p99")
    medians = {name: round(statistics.median(r[name] for r in counted), 4) for name in names}
    kept = [{name: each[name] for name in KEPT} for each in rounds]
    return {**medians, "valid_rounds": len(valid), "rounds": kept}


def compare(
    calls: int,
    seconds: int,
    ours: Sequence[report.Figures],
    theirs: Sequence[report.Figures],
) -> report.Figures:
    """Return both sides and their ratio; valid where most rounds of both are, without loss."""
    us, them = summary(ours), summary(theirs)
    enough = min(us["valid_rounds"], them["valid_rounds"]) > len(ours) // 2
    lossless = not any(each["lost"] for each in (*ours, *theirs) if each["valid"])
    why = None if enough else "the generator was late in most rounds of a side"
    if enough and not lossless:
        why = "packets were lost: the two did not do the same work"
    mine, other = us["cpu_ms_per_call_s"], them["cpu_ms_per_call_s"]
    if not other:
        why = "the rounds were too short for the kernel's clock ticks"
    return {
        "bench": "peer-rtpengine",
        "calls": calls,
        "seconds": seconds,
        "ours": us,
        "theirs": them,
        "ratio": round(mine / other, 3) if other else None,
        "ratio_recording": None,
        "no_recording_because": NO_RECORDING,
        "valid": why is None,
        "invalid_because": why,
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=20, help="of media in each round")
    parser.add_argument("--rounds", type=int, default=5, help="of each side")
    parser.add_argument("--json", action="store_true", help="one JSON line (else a table)")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if shutil.which(PROGRAM) is None:
        skipped = {"bench": "peer-rtpengine", "skipped": f"{PROGRAM} is not installed"}
        return report.show(skipped, as_json=options.json)
    open_descriptors()
    ours, theirs = [], []
    for _ in range(options.rounds):
        theirs.append(their_round(options.calls, options.seconds))
        ours.append(our_round(options.calls, options.seconds))
    figures = compare(options.calls, options.seconds, ours, theirs)
    figures["rtpengine"] = version()
    return report.show(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
