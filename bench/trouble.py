"""What others notice of trouble: `python -m bench.trouble churn|strangers|registers`.

Calls with media run undisturbed for a while and disturbed for as long: by 20 other calls a second
that begin and end (`churn`), by 20,000 packets a second from a stranger at the open port of a
call that has no media yet (`strangers`), or by 2,000 REGISTERs a second without credentials
(`registers`). Both halves are of one run, so what counts is the difference between them: lost
packets, delay, and the server's memory before, during and after.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import procfs, report
from bench.exchange import Exchange, open_exchange, set_up
from bench.flood import Flood, Flooder
from bench.generator import Generator
from bench.media import CALLS_BEGINNING_PER_S, LEAD_NS, destinations, hang_up
from bench.server import Server, ServerError, Settings
from bench.sip_call import Call
from bench.traffic import FRAMES_PER_SECOND, Plan

CHURN_PER_S = 20.0
CHURN_HOLD_S = 1.0
STRANGERS_PER_S = 20_000
REGISTERS_PER_S = 2_000
SPARE_CALLS = 60
"Room for the calls that come and go."
SETTLE_S = 5.0
"After the trouble, before memory is looked at again."

Trouble = Callable[[float], report.Figures]
"Makes trouble until an instant (CLOCK_MONOTONIC) and tells of it."


@dataclass(slots=True)
class Memory:
    """The server's PSS over a run, KB."""

    before: int = 0
    at_its_end: int = 0
    "When the trouble had lasted its whole time."
    after: int = 0


def turn_until(exchange: Exchange, at: float) -> None:
    """Let the phones work until an instant."""
    while time.monotonic() < at:
        exchange.loop.turn(at)


def churn(exchange: Exchange, first: int, until: float) -> report.Figures:
    """Begin and end calls at a steady rate; each pair of extensions is one of its own."""
    begin = time.monotonic()
    planned = max(1, int((until - begin - CHURN_HOLD_S) * CHURN_PER_S))
    calls: list[Call] = []
    for number, _ in exchange.loop.paced(CHURN_PER_S, begin, planned):
        calls.append(exchange.dial(first + number % SPARE_CALLS))
        _end_due(exchange, calls)
    while time.monotonic() < until:
        exchange.loop.turn(min(until, time.monotonic() + 0.05))
        _end_due(exchange, calls)
    for call in calls:
        if call.answered_at and not call.hung_up_at:
            exchange.callers.hang_up(call)
    exchange.loop.run(lambda: all(call.ended_at or call.failure for call in calls), 5.0)
    failed = [call.failure for call in calls if call.failure or not call.answered_at]
    return {"other_calls": len(calls), "other_calls_failed": len(failed)}


def _end_due(exchange: Exchange, calls: list[Call]) -> None:
    now = time.monotonic()
    for call in calls[-2 * SPARE_CALLS :]:
        if call.answered_at and not call.hung_up_at and now - call.answered_at >= CHURN_HOLD_S:
            exchange.callers.hang_up(call)


def flood(exchange: Exchange, order: Flood, until: float) -> report.Figures:
    """Have a process of its own flood a port; the phones go on meanwhile."""
    flooder = Flooder(order)
    try:
        turn_until(exchange, until)
        came = flooder.finish()
    finally:
        flooder.close()
    figures = {
        "flood_per_s": order.rate,
        "flood_sent": came.sent,
        "flood_answers": came.answers,
        "flood_lag_ms_max": came.lag_ms_max,
    }
    if came.answers:
        sent_each, answered_each = (
            came.sent_octets / came.sent,
            came.answered_octets / came.answers,
        )
        figures["answer_by_request_octets"] = round(answered_each / sent_each, 3)
    return figures


def trouble_of(kind: str, exchange: Exchange, server: Server, pairs: int, seconds: int) -> Trouble:
    """Return the trouble that was ordered; what needs a call of its own sets it up now."""
    if kind == "churn":
        return lambda until: churn(exchange, pairs, until)
    if kind == "registers":
        host, port = server.address
        order = Flood(kind="registers", host=host, port=port, rate=REGISTERS_PER_S, seconds=seconds)
        return lambda until: flood(exchange, order, until)
    silent = exchange.dial(pairs)
    if not exchange.loop.run(lambda: bool(silent.answered_at or silent.failure), 10.0):
        raise ServerError("the call without media was not answered")
    if silent.media is None:
        raise ServerError(f"the call without media failed: {silent.failure}")
    host, port = silent.media
    order = Flood(kind="packets", host=host, port=port, rate=STRANGERS_PER_S, seconds=seconds)
    return lambda until: flood(exchange, order, until)


def halves(plan: Plan) -> tuple[range, range]:
    """Frames without and with trouble; a second around its begin belongs to neither."""
    middle = plan.lead_frames + FRAMES_PER_SECOND * plan.seconds // 2
    edge = FRAMES_PER_SECOND // 2
    return range(plan.lead_frames, middle - edge), range(middle + edge, plan.frames - edge)


def figures_of(
    options: argparse.Namespace, generator: Generator, memory: Memory, told: report.Figures
) -> report.Figures:
    plan = generator.plan
    outcome = generator.finish(halves(plan))
    calm, disturbed = outcome.parts
    return {
        "bench": "trouble",
        "trouble": options.trouble,
        "calls": options.calls,
        "seconds": options.seconds,
        "record": options.record,
        "lost_calm": calm.sent - calm.received,
        "lost_disturbed": disturbed.sent - disturbed.received,
        "calm_delay_ms_p99": calm.delay_ms_p99,
        "disturbed_delay_ms_p99": disturbed.delay_ms_p99,
        "more_delay_ms_p99": round(disturbed.delay_ms_p99 - calm.delay_ms_p99, 4),
        "more_lag_ms_p99": round(disturbed.lag_ms_p99 - calm.lag_ms_p99, 4),
        **told,
        "pss_kb_before": memory.before,
        "pss_kb_at_its_end": memory.at_its_end,
        "pss_kb_after": memory.after,
        **report.traffic_figures(plan, outcome),
    }


def drive(options: argparse.Namespace, folder: Path, stack: ExitStack) -> report.Figures:
    """The whole run."""
    calls, half = options.calls, options.seconds
    lead = 1 + calls // CALLS_BEGINNING_PER_S
    plan = Plan(calls=calls, seconds=2 * half, lead_seconds=lead)
    generator = Generator(plan, folder / "generator.npz")
    stack.callback(generator.close)
    spare = SPARE_CALLS if options.trouble == "churn" else 1
    server = stack.enter_context(Server(folder, Settings(calls=calls + spare)))
    media = generator.address(0), generator.address(1)
    exchange = open_exchange(server, calls + spare, media, record=options.record)
    stack.callback(exchange.close)
    pairs = set_up(exchange, calls, options.setup_rate)
    make_trouble = trouble_of(options.trouble, exchange, server, calls, half)
    generator.prepare(destinations(pairs))
    begin_ns = time.monotonic_ns() + LEAD_NS
    generator.start(begin_ns)
    middle = begin_ns / 1e9 + lead + half
    memory = Memory()
    turn_until(exchange, middle - 1.0)
    memory.before = procfs.pss_kb(server.pid)
    turn_until(exchange, middle)
    told = make_trouble(middle + half)
    memory.at_its_end = procfs.pss_kb(server.pid)
    turn_until(exchange, time.monotonic() + min(SETTLE_S, half))
    memory.after = procfs.pss_kb(server.pid)
    figures = figures_of(options, generator, memory, told)
    figures["calls_not_ended_in_order"] = hang_up(exchange, pairs, options.hangup_rate)
    figures["stop_s"] = round(server.stop(), 3)
    figures["server_exit_code"] = server.exit_code
    return figures


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("trouble", choices=("churn", "strangers", "registers"))
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=20, help="undisturbed, and disturbed")
    parser.add_argument("--record", action="store_true", help="record every call")
    parser.add_argument("--setup-rate", type=float, default=40.0, help="calls a second")
    parser.add_argument("--hangup-rate", type=float, default=50.0, help="calls a second")
    parser.add_argument("--smoke", action="store_true", help="3 calls, 2 s each way")
    parser.add_argument("--json", action="store_true", help="one JSON line (else a table)")
    options = parser.parse_args()
    if options.smoke:
        options.calls, options.seconds = 3, 2
    return options


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with ExitStack() as stack:
        folder = stack.enter_context(report.scratch())
        try:
            figures = drive(options, folder, stack)
        except ServerError as error:
            print(f"bench.trouble: {error}", file=sys.stderr)
            return 1
    return report.show(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
