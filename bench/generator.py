"""The load generator: a process of its own that sends and receives RTP, evenly paced.

`python -m bench.generator` with two bound sockets (callers', callees') as file descriptors and
the plan as JSON on stdin. It answers `ready` when everything is computed, takes the instant to
begin (CLOCK_MONOTONIC, ns) from the next line, runs, and writes its log as a .npz file.
Each step has an absolute deadline; what comes back is read in between with the kernel's receive
timestamps, so being late with reading adds nothing to the delay that is measured.
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from bench import mmsg, traffic

AFTERGLOW_NS = 300_000_000
"How long the generator goes on reading after the last packet."
NICE = -10
"Where we may: a generator that waits for the server's time slice measures the scheduler."


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a leg sends: the server's address for it."""

    host: str
    port: int


class Log:
    """What came back, in arrays made beforehand."""

    def __init__(self, capacity: int) -> None:
        self.count = 0
        self._capacity = capacity
        self.heads = np.zeros((capacity, traffic.HEAD), np.uint8)
        self.times = np.zeros((capacity, 2), np.int64)
        self.ports = np.zeros(capacity, np.uint16)
        self.lengths = np.zeros(capacity, np.uint32)

    def drain(self, fd: int, vector: mmsg.ReceiveVector) -> int:
        """Take over one batch."""
        got = vector.receive(fd)
        begin, end = self.count, min(self.count + got, self._capacity)
        kept = end - begin
        if kept > 0:
            self.heads[begin:end] = vector.heads[:kept]
            self.times[begin:end] = vector.times[:kept]
            self.ports[begin:end] = vector.ports[:kept]
            self.lengths[begin:end] = vector.lengths[:kept]
            self.count = end
        return got

    def received(self) -> dict[str, NDArray[np.generic]]:
        cut = slice(0, self.count)
        return {
            "heads": self.heads[cut],
            "length": self.lengths[cut].astype(np.int64),
            "at_ns": self.times[cut, 0] * 1_000_000_000 + self.times[cut, 1],
            "port": self.ports[cut].astype(np.int64),
        }


def send_vectors(
    plan: traffic.Plan, packets: NDArray[np.uint8], to: Sequence[Destination]
) -> list[mmsg.SendVector]:
    """One vector per slot, standing at the first frame."""
    vectors = []
    for slot in range(plan.slots):
        members = plan.members(slot)
        sources = np.array([packets[leg].ctypes.data for leg in members], np.uint64)
        names = [mmsg.sockaddr(to[leg].host, to[leg].port) for leg in members]
        vectors.append(mmsg.SendVector(sources, traffic.PACKET, traffic.PACKET, names))
    return vectors


def active_counts(plan: traffic.Plan) -> list[int]:
    """How many of a slot's legs send already, by step."""
    counts = np.zeros((plan.frames, plan.slots), np.int64)
    for slot in range(plan.slots):
        begins = [plan.first_frame(leg) for leg in plan.members(slot)]
        counts[:, slot] = np.searchsorted(begins, np.arange(plan.frames), side="right")
    return [int(count) for count in counts.reshape(-1)]


def run(
    plan: traffic.Plan,
    vectors: Sequence[mmsg.SendVector],
    fds: tuple[int, int],
    begin_ns: int,
    log: Log,
) -> dict[str, NDArray[np.int64]]:
    """Send every step at its instant; return the steps' log."""
    steps = plan.frames * plan.slots
    step_ns = plan.step_ns
    notes = np.zeros((4, steps), np.int64)
    before, after, lag, count = notes
    active = active_counts(plan)
    batch = mmsg.ReceiveVector(max(64, 4 * max(v.count for v in vectors)), traffic.HEAD)
    monotonic_ns, time_ns, sleep = time.monotonic_ns, time.time_ns, time.sleep
    slots = plan.slots
    for step in range(steps):
        deadline = begin_ns + step * step_ns
        while (left := deadline - monotonic_ns()) > 0:
            sleep(left / 1e9)
        lag[step] = -left
        vector = vectors[step % slots]
        fd = fds[step % 2]
        if vector.count:
            before[step] = time_ns()
            count[step] = vector.send(fd, active[step])
            after[step] = time_ns()
        # The other socket's turn: a callers' step is followed by reading the callees'.
        log.drain(fds[1 - step % 2], batch)
    end = monotonic_ns() + AFTERGLOW_NS
    while monotonic_ns() < end:
        if not log.drain(fds[0], batch) + log.drain(fds[1], batch):
            sleep(0.002)
    return {"before_ns": before, "after_ns": after, "lag_ns": lag, "count": count}


def main() -> None:
    """Entry point of the generator's process."""
    mmsg.die_with_parent()
    order = json.loads(sys.stdin.readline())
    plan = traffic.Plan(**order["plan"])
    to = [Destination(host=host, port=port) for host, port in order["to"]]
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    mmsg.precise_timers()
    mmsg.short_slices(os.getpriority(os.PRIO_PROCESS, 0))
    packets = np.stack(
        [traffic.packets(leg, plan.seconds, plan.lead_seconds) for leg in range(plan.legs)]
    )
    vectors = send_vectors(plan, packets, to)
    log = Log(plan.legs * plan.frames + 4096)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    begin_ns = int(sys.stdin.readline())
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu_before = usage.ru_utime + usage.ru_stime
    notes = run(plan, vectors, tuple(order["fds"]), begin_ns, log)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu = np.array(usage.ru_utime + usage.ru_stime - cpu_before)
    arrays: dict[str, NDArray[np.generic]] = {**notes, **log.received(), "cpu_s": cpu}
    with Path(order["log"]).open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The generator's account of a run."""

    verdict: traffic.Verdict
    cpu_s: float
    "The generator's own user and system time."
    dropped: int
    "Packets that came back and that the generator was too slow to read."
    parts: tuple[traffic.Verdict, ...] = ()
    "The same by stretches of frames, where they were asked for."

    @property
    def invalid(self) -> str | None:
        """Why the run says nothing about the server, if so."""
        if self.verdict.lag_ms_p99 > 1.0:
            return f"the generator was late: p99 {self.verdict.lag_ms_p99} ms"
        if self.verdict.sent_pct < 99.9:
            return f"only {self.verdict.sent_pct:.3f} % of the packets were sent"
        if self.dropped:
            return f"the generator lost {self.dropped} packets itself"
        return None


class Generator:
    """The generator as its caller sees it."""

    def __init__(self, plan: traffic.Plan, log: Path) -> None:
        if plan.legs > traffic.MAX_LEGS:
            raise ValueError(f"at most {traffic.MAX_LEGS // 2} calls")
        self.plan = plan
        self._log = log
        self.sockets = (mmsg.udp_socket("127.0.0.2"), mmsg.udp_socket("127.0.0.3"))
        self._child: subprocess.Popen[str] | None = None
        self._ports: list[int] = []

    def address(self, side: int) -> tuple[str, int]:
        """Where the callers' (0) or callees' (1) legs send from and receive."""
        host, port = self.sockets[side].getsockname()
        return host, port

    def prepare(self, to: Sequence[Destination]) -> None:
        """Start the process and wait until it has computed its packets."""
        fds = [bound.fileno() for bound in self.sockets]
        self._ports = [destination.port for destination in to]
        self._child = subprocess.Popen(
            [sys.executable, "-m", "bench.generator"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=fds,
            cwd=Path(__file__).resolve().parent.parent,
        )
        self._say(
            json.dumps(
                {
                    "plan": asdict(self.plan),
                    "to": [(destination.host, destination.port) for destination in to],
                    "fds": fds,
                    "log": str(self._log),
                }
            )
        )
        if self._reader().readline().strip() != "ready":
            raise RuntimeError("the generator didn't start")

    def start(self, begin_ns: int) -> None:
        """Let it begin at this instant (CLOCK_MONOTONIC)."""
        self._say(str(begin_ns))

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def finish(self, stretches: Sequence[range] = ()) -> Outcome:
        """Wait for its end and judge what came back, as a whole and by stretches of frames."""
        assert self._child is not None
        if self._child.wait() != 0:
            raise RuntimeError("the generator failed")
        drops = sum(mmsg.dropped(bound) for bound in self.sockets)
        with np.load(self._log) as log:
            sent = traffic.Sent(
                **{name: log[name] for name in ("before_ns", "after_ns", "lag_ns", "count")}
            )
            received = traffic.Received(
                **{name: log[name] for name in ("heads", "length", "at_ns", "port")}
            )
            cpu_s = float(log["cpu_s"])
        ports = np.array(self._ports)
        verdict = traffic.judge(self.plan, sent, received, ports)
        parts = tuple(traffic.judge(self.plan, sent, received, ports, each) for each in stretches)
        return Outcome(verdict=verdict, cpu_s=cpu_s, dropped=drops, parts=parts)

    def close(self) -> None:
        for bound in self.sockets:
            bound.close()
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe is not None:
                    pipe.close()

    def _say(self, line: str) -> None:
        assert self._child is not None
        assert self._child.stdin is not None
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()

    def _reader(self) -> IO[str]:
        assert self._child is not None
        assert self._child.stdout is not None
        return self._child.stdout


if __name__ == "__main__":
    main()
