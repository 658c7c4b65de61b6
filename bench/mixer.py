"""The recorder's core without processes, sockets or clock: `python -m bench.mixer`.

Packets of N calls go through a ring into `recording.worker` in virtual time, tick by tick, and
the CPU of each part is told apart: the tick (reading, decoding, placing, mixing), LAME, and
the writers' threads. Unlike the other benches this one calls the code it measures. The MP3s are
judged like those of a running server.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import judge, report, traffic
from recording import permit
from recording.folder import Folder
from recording.spec import RecordingSpec, StreamFormat, TapSpec, encode_tap
from recording.worker import RecordingWorker
from recording.writer_pool import WriterPool
from rtp.ring import Kind, RingLayout, RingWriter, initialise

TICK_NS = 20_000_000
"A frame."
FRAMES_PER_TICK = 2
"As `b2bua/media/recorder.py` has it."
STATE_OCTETS = 16 << 20
START_NS = 1_000_000_000_000
AFTER_TICKS = 100
SEED = 862
"Sequence number, timestamp and SSRC in an RTP header."
PCMA = (StreamFormat(payload_type=traffic.PAYLOAD_TYPE, encoding="PCMA", clock_rate=8000),)


@dataclass(slots=True)
class Clock:
    """Virtual time, ns."""

    now_ns: int = START_NS

    def __call__(self) -> int:
        return self.now_ns


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds of a run."""

    tick: float
    encoding: float
    writing: float
    longest_tick: float


def open_taps(writer: RingWriter, call: int) -> None:
    """Announce a recording with both its parties."""
    spec = RecordingSpec(
        recording_id=call + 1,
        relative_path=f"{call:04}.mp3",
        started_at=1.7e9,
        started_mono=START_NS / 1e9,
    )
    for side in (0, 1):
        leg = 2 * call + side
        allowed = permit.grant(
            call_id=str(call),
            party_id=str(leg),
            basis=permit.Basis.OPT_IN,
            evidence_id="bench",
            epoch=0,
        )
        tap = TapSpec(
            recording=spec, leg_id=leg, side=side, formats=PCMA, permit=permit.encode(allowed)
        )
        writer.mark(Kind.TAP_OPENED, leg, START_NS, encode_tap(tap))


class Feed:
    """What the media worker does: packets of one frame into the ring, in order of arrival.

    Some are lost by a seeded chance.
    """

    def __init__(self, plan: traffic.Plan, writer: RingWriter, loss_pct: float) -> None:
        self._plan = plan
        chance = np.random.default_rng(SEED).random((plan.frames, plan.legs))
        self._lost = chance < loss_pct / 100
        self._writer = writer
        phase = [plan.slot_of(leg) * plan.step_ns for leg in range(plan.legs)]
        self._legs = sorted((phase[leg], leg) for leg in range(plan.legs))
        self._octets = [traffic.packets(leg, plan.seconds).tobytes() for leg in range(plan.legs)]

    def frame(self, frame: int, now_ns: int) -> None:
        place = frame * traffic.PACKET
        for phase, leg in self._legs:
            if self._lost[frame, leg]:
                continue
            octets = self._octets[leg][place : place + traffic.PACKET]
            self._writer.packet(octets, traffic.PACKET, leg, now_ns + phase)

    def stop(self, now_ns: int) -> None:
        for call in range(self._plan.calls):
            data = (call + 1).to_bytes(4, "little")
            self._writer.mark(Kind.STOPPED, 2 * call, now_ns, data)


def play(plan: traffic.Plan, worker: RecordingWorker, feed: Feed, clock: Clock) -> Spent:
    """Bring all packets, tick by tick; return what the ticks and LAME took."""
    ticks: list[float] = []
    fed = 0.0
    process = time.process_time()
    for frame in range(plan.frames + AFTER_TICKS):
        begin = time.thread_time()
        if frame < plan.frames:
            feed.frame(frame, clock.now_ns)
        elif frame == plan.frames:
            feed.stop(clock.now_ns)
        clock.now_ns += TICK_NS
        middle = time.thread_time()
        fed += middle - begin
        if frame % FRAMES_PER_TICK == 0:
            worker.tick(clock.now_ns)
            ticks.append(time.thread_time() - middle)
        if frame >= plan.frames:
            if worker.idle:
                break
            time.sleep(TICK_NS / 1e9)  # the writers' threads live in real time
    whole = time.process_time() - process - fed
    encoding = worker.counters()["encoder_s"]
    return Spent(sum(ticks), encoding, max(0.0, whole - sum(ticks)), max(ticks))


def measure(plan: traffic.Plan, quality: int, loss_pct: float, folder: Path) -> report.Figures:
    """One run on a new ring."""
    layout = RingLayout.for_calls(plan.calls)
    memory = memoryview(bytearray(layout.size))
    initialise(memory, layout)
    clock, pool, ended = Clock(), WriterPool(), list[object]()
    worker = RecordingWorker(
        [memory],
        memoryview(bytearray(STATE_OCTETS)),
        folder=Folder(folder),
        writers=pool,
        quality=quality,
        on_event=ended.append,
        encoder_threads=0,
        clock_ns=clock,
    )
    writer = RingWriter(memory)
    worker.start()
    for call in range(plan.calls):
        open_taps(writer, call)
    spent = play(plan, worker, Feed(plan, writer, loss_pct), clock)
    worker.close()
    pool.close(10.0)
    work = plan.calls * plan.seconds / 1000
    return {
        "bench": "mixer",
        "calls": plan.calls,
        "seconds": plan.seconds,
        "lame_quality": quality,
        "loss_pct": loss_pct,
        "tick_without_lame_ms_per_call_s": round((spent.tick - spent.encoding) / work, 4),
        "lame_ms_per_call_s": round(spent.encoding / work, 4),
        "writers_ms_per_call_s": round(spent.writing / work, 4),
        "longest_tick_ms": round(1000 * spent.longest_tick, 2),
        "ring_lost": writer.lost_packets,
        "recordings": len(list(folder.glob("*.mp3"))),
        "recordings_ok": sum(finding.ok for finding in findings(plan, folder)),
    }


def findings(plan: traffic.Plan, folder: Path) -> list[judge.Finding]:
    cases = []
    for call in range(plan.calls):
        first = [(START_NS + plan.slot_of(2 * call + side) * plan.step_ns) / 1e9 for side in (0, 1)]
        cases.append(
            judge.Case(
                call=call,
                path=str(folder / f"{call:04}.mp3"),
                seconds=plan.seconds,
                answered_at=START_NS / 1e9,
                hung_up_at=START_NS / 1e9 + plan.seconds,
                speech_at=(first[0], first[1]),
            )
        )
    found = judge.examine_all(cases)
    for bad in [finding for finding in found if not finding.ok][:5]:
        print(f"recording of call {bad.call}: {bad.why}", file=sys.stderr)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--quality", type=int, default=7)
    parser.add_argument("--loss", type=float, default=0.0, help="of the packets, %%")
    parser.add_argument("--json", action="store_true", help="one JSON line (else a table)")
    options = parser.parse_args()
    with report.scratch() as folder:
        plan = traffic.Plan(calls=options.calls, seconds=options.seconds)
        figures = measure(plan, options.quality, options.loss, folder)
    return report.show(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
