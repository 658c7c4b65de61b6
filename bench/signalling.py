"""Calls a second through the running server, without media: `python -m bench.signalling`.

Each call is INVITE, 401, ACK, INVITE with credentials, 100, 180, 200, ACK, a short hold, BYE,
200, with digest on the caller's side and the server's call records on. Calls begin at fixed
instants, whatever became of the earlier ones; the time of a set-up runs from the first INVITE to
the 200 and so holds both telephones' own work, which `client_cpu` and `client_lag_ms` bound.
"""

import argparse
import json
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bench import procfs, report
from bench.exchange import Exchange, open_exchange
from bench.server import Server, ServerError, Settings
from bench.sip_call import Call

EXTENSIONS = 16
"Different pairs of extensions that call each other."
SETTLE_S = 1.0
"After the last BYE: the server's journal writes its rows."
END_TIMEOUT_S = 40.0
MEDIA = ("127.0.0.2", 9), ("127.0.0.3", 9)
"Nobody sends or listens there."


class Driver:
    """Dials at fixed instants and hangs up after the hold."""

    def __init__(self, exchange: Exchange, *, rate: float, calls: int, hold_s: float) -> None:
        self.calls: list[Call] = []
        self.lag_s: list[float] = []
        self._exchange = exchange
        self._rate = rate
        self._planned = calls
        self._hold_s = hold_s
        self._talking = 0

    def run(self) -> None:
        paced = self._exchange.loop.paced(self._rate, time.monotonic(), self._planned)
        for number, late in paced:
            self.lag_s.append(late)
            self.calls.append(self._exchange.dial(number))
            self._hang_up_due()
        self._exchange.loop.run(self._all_over, END_TIMEOUT_S)

    def _hang_up_due(self) -> None:
        """Hang up in the order of dialling: the hold is the same for all."""
        now = time.monotonic()
        while self._talking < len(self.calls):
            call = self.calls[self._talking]
            if not call.ended_at:
                if not call.answered_at:
                    if now - call.begun_at < END_TIMEOUT_S:
                        return
                elif now - call.answered_at < self._hold_s:
                    return
                else:
                    self._exchange.callers.hang_up(call)
            self._talking += 1

    def _all_over(self) -> bool:
        self._hang_up_due()
        return all(call.ended_at for call in self.calls)


def measure(driver: Driver, exchange: Exchange, server: Server) -> report.Figures:
    """Run the driver; return what the server used."""
    own = time.process_time()
    before, before_by = procfs.cpu_s(server.pid), procfs.cpu_by_process(server.pid)
    begin = time.monotonic()
    driver.run()
    phones_cpu = time.process_time() - own
    took = max([call.ended_at for call in driver.calls] + [begin]) - begin
    exchange.loop.run(lambda: False, SETTLE_S)
    used = procfs.cpu_s(server.pid) - before
    used_by = procfs.by_module(
        {
            name: value - before_by.get(name, 0.0)
            for name, value in procfs.cpu_by_process(server.pid).items()
        }
    )
    calls = len(driver.calls)
    return {
        "took_s": round(took, 3),
        "cpu_ms_per_call": round(1000 * used / calls, 3),
        "cpu_ms_per_call_by_process": {
            name: round(1000 * value / calls, 3) for name, value in used_by.items()
        },
        "pss_kb": procfs.pss_kb(server.pid),
        "client_cpu": round(phones_cpu / max(took, 0.001), 3),
        "client_lag_ms": round(1000 * float(np.percentile(driver.lag_s, 99)), 2),
    }


def outcome(calls: list[Call]) -> report.Figures:
    """What became of the calls."""
    good = [call for call in calls if call.answered_at and call.ended_at and not call.failure]
    setup = [1000 * (call.answered_at - call.begun_at) for call in good] or [float("nan")]
    return {
        "calls": len(calls),
        "setup_ms_p50": round(float(np.percentile(setup, 50)), 2),
        "setup_ms_p99": round(float(np.percentile(setup, 99)), 2),
        "setup_ms_max": round(max(setup), 2),
        "failed": len(calls) - len(good),
        "failures": sorted({call.failure for call in calls if call.failure})[:5],
    }


def drive(options: argparse.Namespace, folder: Path, stack: ExitStack) -> report.Figures:
    """The whole run."""
    calls = int(options.rate * options.seconds)
    most = int(options.rate * (options.hold + 2)) + 50
    server = stack.enter_context(Server(folder, Settings(calls=min(most, 2400))))
    exchange = open_exchange(server, EXTENSIONS, MEDIA, record=False)
    stack.callback(exchange.close)
    driver = Driver(exchange, rate=options.rate, calls=calls, hold_s=options.hold)
    used = measure(driver, exchange, server)
    became = outcome(driver.calls)
    rows = json.loads(server.run("calls", "--json", "--limit", "100000"))
    talking_s = max(used["took_s"] - options.hold, 0.001)
    figures = {
        "bench": "signalling",
        "rate": options.rate,
        "seconds": options.seconds,
        "hold_s": options.hold,
        "calls_per_s": round((calls - became["failed"]) / talking_s, 1),
        **became,
        **used,
        "cdr_rows": len(rows),
        "sip_retransmissions": exchange.callers.retransmissions + exchange.callees.retransmissions,
        "problems": (exchange.callers.problems + exchange.callees.problems)[:5],
    }
    figures["stop_s"] = round(server.stop(), 3)
    figures["server_exit_code"] = server.exit_code
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=float, default=100.0, help="calls a second")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--hold", type=float, default=0.5, help="s from answer to BYE")
    parser.add_argument("--json", action="store_true", help="one JSON line (else a table)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with ExitStack() as stack:
        folder = stack.enter_context(report.scratch())
        try:
            figures = drive(options, folder, stack)
        except ServerError as error:
            print(f"bench.signalling: {error}", file=sys.stderr)
            return 1
    return report.show(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
