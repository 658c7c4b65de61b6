"""The floor of a relay: a bare epoll loop, connected sockets, `recv_into` and `send`.

The same load as `bench.media`, without SIP, header check or rewrite. What a relay in Python
costs above this is its own; what is below belongs to the kernel and the interpreter.
"""

import argparse
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import procfs, report
from bench.generator import Destination, Generator, Outcome
from bench.traffic import Plan

HOST = "127.0.0.1"
TICK_S = 0.2


def leg_sockets(calls: int, peers: list[tuple[str, int]]) -> list[socket.socket]:
    """One connected socket per leg, on ports from the system."""
    legs = []
    for leg in range(2 * calls):
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        bound.bind((HOST, 0))
        bound.connect(peers[leg % 2])
        bound.setblocking(False)
        legs.append(bound)
    return legs


def relay(legs: list[socket.socket]) -> None:
    """Forward at once until the parent is gone."""
    epoll = select.epoll()
    routes = {}
    for leg, bound in enumerate(legs):
        routes[bound.fileno()] = (bound.recv_into, legs[leg ^ 1].send)
        epoll.register(bound.fileno(), select.EPOLLIN)
    room = bytearray(2048)
    view = memoryview(room)
    parent = os.getppid()
    while os.getppid() == parent:
        for fd, _ in epoll.poll(TICK_S):
            receive, send = routes[fd]
            try:
                send(view[: receive(room)])
            except OSError:
                continue


def child(argv: list[str]) -> None:
    order = json.loads(argv[0])
    legs = leg_sockets(order["calls"], [(host, port) for host, port in order["peers"]])
    sys.stdout.write(json.dumps([bound.getsockname()[1] for bound in legs]) + "\n")
    sys.stdout.flush()
    relay(legs)


def measure(plan: Plan) -> tuple[Outcome, float]:
    """Run the load through the bare loop; return the outcome and the loop's CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        generator = Generator(plan, Path(folder) / "log.npz")
        peers = [generator.address(0), generator.address(1)]
        order = json.dumps({"calls": plan.calls, "peers": peers})
        loop = subprocess.Popen(
            [sys.executable, "-m", "bench.floor", "--child", order],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parent.parent,
        )
        try:
            assert loop.stdout is not None
            ports = json.loads(loop.stdout.readline())
            generator.prepare([Destination(host=HOST, port=port) for port in ports])
            before = procfs.cpu_s(loop.pid)
            generator.start(time.monotonic_ns() + 50_000_000)
            outcome = generator.finish()
            return outcome, procfs.cpu_s(loop.pid) - before
        finally:
            generator.close()
            loop.kill()
            loop.communicate()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="one JSON line (else a table)")
    options = parser.parse_args()
    plan = Plan(calls=options.calls, seconds=options.seconds)
    outcome, cpu_s = measure(plan)
    figures = {
        "bench": "floor",
        "calls": plan.calls,
        "seconds": plan.seconds,
        "cpu_ms_per_call_s": round(1000 * cpu_s / plan.calls / plan.seconds, 4),
        "cpu_us_per_packet": round(1e6 * cpu_s / max(outcome.verdict.received, 1), 3),
        **report.traffic_figures(plan, outcome),
    }
    return report.show(figures, as_json=options.json)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
    else:
        sys.exit(main())
