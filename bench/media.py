"""Calls with media, recorded or not, through the running server: `python -m bench.media`.

Starts a server on a new data folder, registers telephones, sets up the calls, drives G.711
both ways for the given time, hangs up, waits for the recordings and judges every one of them.
Prints one JSON line with --json. A run that the generator has spoilt is marked invalid and
ends with exit code 1; one whose figures are bad ends with 0: the figures are there to be read.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench import judge, procfs, report
from bench.exchange import Exchange, open_exchange, set_up
from bench.generator import Destination, Generator, Outcome
from bench.server import Server, ServerError, Settings
from bench.sip_call import Call
from bench.traffic import Plan

PSS_EVERY_S = 1.0
CALLS_BEGINNING_PER_S = 200
FINISH_TIMEOUT_S = 20.0
LEAD_NS = 300_000_000
"From the order to begin to the first packet."

Pair = tuple[Call, Call]


@dataclass(slots=True)
class Usage:
    """What the server used while the media ran."""

    cpu_s: float = 0.0
    by_process: dict[str, float] = field(default_factory=dict)
    peak_pss: dict[str, int] = field(default_factory=dict)
    "KB by process, when their sum was highest."

    def see_memory(self, pss: dict[str, int]) -> None:
        if sum(pss.values()) > sum(self.peak_pss.values()):
            self.peak_pss = pss


def destinations(pairs: Sequence[Pair]) -> list[Destination]:
    """The server's media address for each leg."""
    found = []
    for pair in pairs:
        for call in pair:
            assert call.media is not None
            found.append(Destination(host=call.media[0], port=call.media[1]))
    return found


def run_media(exchange: Exchange, server: Server, generator: Generator, begin_ns: int) -> Usage:
    """Let the generator run; measure the server while all legs send."""
    usage = Usage()
    begin = begin_ns / 1e9 + generator.plan.lead_seconds
    end = begin + generator.plan.seconds
    while time.monotonic() < begin:
        exchange.loop.turn(begin)
    before, before_by = procfs.cpu_s(server.pid), procfs.cpu_by_process(server.pid)
    while (now := time.monotonic()) < end:
        if end - now > PSS_EVERY_S / 2:
            usage.see_memory(procfs.pss_by_process(server.pid))
        pause = min(end, time.monotonic() + PSS_EVERY_S)
        while time.monotonic() < pause:
            exchange.loop.turn(pause)
    usage.cpu_s = procfs.cpu_s(server.pid) - before
    after_by = procfs.cpu_by_process(server.pid)
    usage.by_process = {name: used - before_by.get(name, 0.0) for name, used in after_by.items()}
    return usage


def hang_up(exchange: Exchange, pairs: Sequence[Pair], rate: float) -> int:
    """End the calls from the callers' side; return how many did not end in order."""
    for number, _ in exchange.loop.paced(rate, time.monotonic(), len(pairs)):
        if not pairs[number][0].ended_at:
            exchange.callers.hang_up(pairs[number][0])
    exchange.loop.run(lambda: all(a.ended_at and b.ended_at for a, b in pairs), FINISH_TIMEOUT_S)
    return sum(1 for pair in pairs for call in pair if not call.ended_at or call.failure)


def await_recordings(exchange: Exchange, folder: Path, count: int) -> list[Path]:
    """Wait until so many recordings have their final name; return those that have it."""
    found: list[Path] = []
    end = time.monotonic() + FINISH_TIMEOUT_S
    while len(found) < count and time.monotonic() < end:
        exchange.loop.turn(time.monotonic() + 0.05)
        found = list(folder.rglob("*.mp3"))
    return found


def assign(pairs: Sequence[Pair], files: Sequence[Path]) -> dict[int, Path]:
    """Which file is whose: its name has `_caller_callee_` in it, and no pair calls twice."""
    names = {f"_{a.account.user}_{a.peer}_": number for number, (a, _) in enumerate(pairs)}
    found = {}
    for path in files:
        for name, number in names.items():
            if name in path.name:
                found[number] = path
    return found


def cases_of(
    plan: Plan, pairs: Sequence[Pair], files: dict[int, Path], begin_ns: int
) -> list[judge.Case]:
    """What the judge has to know of each recording."""
    cases = []
    for number, path in sorted(files.items()):
        caller = pairs[number][0]
        speech = [plan.speech_ns(2 * number + side, begin_ns) / 1e9 for side in (0, 1)]
        cases.append(
            judge.Case(
                call=number,
                path=str(path),
                seconds=plan.seconds,
                answered_at=caller.answered_at,
                hung_up_at=caller.hung_up_at,
                speech_at=(speech[0], speech[1]),
            )
        )
    return cases


def finish_times(pairs: Sequence[Pair], files: dict[int, Path]) -> list[float]:
    """From each BYE to the rename that gave the recording its final name, s.

    A rename sets the file's change time (on the file systems that count here), so nobody has to
    look for it while the server works.
    """
    wall = time.time() - time.monotonic()
    return [
        path.stat().st_ctime - (pairs[number][0].hung_up_at + wall)
        for number, path in files.items()
    ]


def judge_recordings(
    options: argparse.Namespace, cases: list[judge.Case], finish: list[float]
) -> report.Figures:
    """Examine the recordings, tell of the bad ones on stderr, return their figures."""
    findings = judge.examine_all(cases)
    bad = [finding for finding in findings if not finding.ok]
    for finding in bad[:5]:
        print(f"recording of call {finding.call}: {finding.why}", file=sys.stderr)
    if options.keep:
        kept = Path(options.keep) / "cases.json"
        kept.write_text(json.dumps([asdict(case) for case in cases]), encoding="utf-8")
    return {
        "recordings_ok": len(findings) - len(bad),
        "finish_s": round(max(finish, default=float("nan")), 3),
        "correlation_min": min((f.worst_correlation for f in findings), default=0.0),
        "shift_ms_max": max((abs(f.worst_shift_ms) for f in findings), default=0.0),
        "start_error_ms_max": max((abs(f.start_error_ms) for f in findings), default=0.0),
        "kb_per_minute_max": max((f.kb_per_minute for f in findings), default=0.0),
    }


def figures_of(
    options: argparse.Namespace, generator: Generator, outcome: Outcome, usage: Usage
) -> report.Figures:
    """The line's first part: what the issue names, in its order."""
    calls, seconds = options.calls, options.seconds
    pss_kb = sum(usage.peak_pss.values())
    by_process = procfs.by_module(usage.by_process)
    return {
        "bench": "media",
        "calls": calls,
        "seconds": seconds,
        "record": options.record,
        "cpu_ms_per_call_s": round(1000 * usage.cpu_s / calls / seconds, 4),
        "cpu_ms_per_call_s_by_process": {
            name: round(1000 * used / calls / seconds, 4) for name, used in by_process.items()
        },
        "pss_kb_per_call": round(pss_kb / calls, 1),
        "pss_kb": pss_kb,
        "pss_kb_by_process": procfs.by_module(usage.peak_pss),
        **report.traffic_figures(generator.plan, outcome),
    }


def settings_of(options: argparse.Namespace) -> Settings:
    return Settings(
        calls=options.calls,
        quality=options.quality,
        sample_rate=options.sample_rate,
        workers=options.workers,
        recorders=options.recorders,
    )


def drive(options: argparse.Namespace, folder: Path, stack: ExitStack) -> report.Figures:
    """The whole run."""
    lead = 1 + options.calls // CALLS_BEGINNING_PER_S
    plan = Plan(calls=options.calls, seconds=options.seconds, lead_seconds=lead)
    generator = Generator(plan, folder / "generator.npz")
    stack.callback(generator.close)
    server = stack.enter_context(Server(folder, settings_of(options)))
    media = generator.address(0), generator.address(1)
    exchange = open_exchange(server, options.calls, media, record=options.record)
    stack.callback(exchange.close)
    pairs = set_up(exchange, options.calls, options.setup_rate)
    to = destinations(pairs)
    generator.prepare(to)
    begin_ns = time.monotonic_ns() + LEAD_NS
    generator.start(begin_ns)
    usage = run_media(exchange, server, generator, begin_ns)
    server_drops = procfs.udp_drops({destination.port for destination in to})
    unfinished = hang_up(exchange, pairs, options.hangup_rate)
    expected = options.calls if options.record else 0
    files = assign(pairs, await_recordings(exchange, server.recordings, expected))
    outcome = generator.finish()
    figures = figures_of(options, generator, outcome, usage)
    figures["recordings"] = len(list(server.recordings.rglob("*.mp3*")))
    figures["lame_quality"] = server.lame_quality() if options.record else None
    figures["server_socket_drops"] = server_drops
    figures["calls_not_ended_in_order"] = unfinished
    figures["sip_retransmissions"] = (
        exchange.callers.retransmissions + exchange.callees.retransmissions
    )
    if options.record:
        cases = cases_of(plan, pairs, files, begin_ns)
        figures |= judge_recordings(options, cases, finish_times(pairs, files))
    figures["stop_s"] = round(server.stop(), 3)
    figures["server_exit_code"] = server.exit_code
    return figures


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=20, help="of media")
    parser.add_argument("--record", action="store_true", help="record every call")
    parser.add_argument("--quality", type=int, help="LAME's, 0 to 9; default: the server's")
    parser.add_argument("--sample-rate", type=int, help="Hz of the files; default: the server's")
    parser.add_argument("--workers", type=int, default=1, help="media workers")
    parser.add_argument("--recorders", type=int, default=1)
    parser.add_argument("--setup-rate", type=float, default=40.0, help="calls a second")
    parser.add_argument("--hangup-rate", type=float, default=50.0, help="calls a second")
    parser.add_argument("--smoke", action="store_true", help="5 recorded calls of 5 s")
    parser.add_argument("--keep", type=Path, help="work in this new folder and leave it there")
    parser.add_argument("--json", action="store_true", help="one JSON line (else a table)")
    options = parser.parse_args()
    if options.smoke:
        options.calls, options.seconds, options.record = 5, 5, True
    return options


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with ExitStack() as stack:
        if options.keep:
            options.keep.mkdir(parents=True)
            folder = options.keep
        else:
            folder = stack.enter_context(report.scratch())
        try:
            figures = drive(options, folder, stack)
        except ServerError as error:
            print(f"bench.media: {error}", file=sys.stderr)
            return 1
    return report.show(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
