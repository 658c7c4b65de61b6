"""What the question of consent costs, and how soon a key is obeyed: `python -m bench.consent`.

Drives a media worker alone, over its channel. CPU: callers that hear the prompt and may press a
key, against bridged calls under the same incoming packets, round about; medians. A caller in the
menu is one leg, a bridged call two. Latency: among as many callers who hear the prompt, one
presses keys again and again; its parent answers each with a tap, and the ring tells when the tap
stood. A run that the generator has spoilt is marked invalid.
"""

import argparse
import signal
import socket
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from b2bua.media.from_worker import DigitReceived
from b2bua.media.to_worker import (
    Bridge,
    CloseTap,
    CollectDigits,
    LoadSound,
    OpenTap,
    Play,
    PlayPart,
    Route,
    SetRemote,
)
from bench import mmsg, report
from bench.generator import Destination, Generator, Outcome
from bench.media_worker import HOST, MediaWorker
from bench.traffic import FRAME_NS, PAYLOAD, SILENCE, Plan
from ivr.digits import EVENT, KEYS
from ivr.prompts import PromptId, load
from recording.permit import Basis, encode, grant
from rtp.header import RtpHeader
from rtp.ring import Kind

EVENT_TYPE = 101
PCMA: Final = 8
ALAW = Route(payload_types={PCMA: PCMA, EVENT_TYPE: EVENT_TYPE}, transcode={})
LEAD_S = 1
LEAD_NS = 100_000_000
PRESS_PACKETS = 5
PRESS_EVERY_S = 0.2
PROBE = 0
"The leg of the caller that presses keys."
GOAL_MS = 40.0
KEYS_BY_ROUND = 3
"How much longer keys are pressed than a round of the CPU lasts."

Result = TypeVar("Result")


@dataclass(slots=True)
class Latencies:
    """From the first packet of each key, ms."""

    told: list[float] = field(default_factory=list)
    "To the parent's reading of `DigitReceived`."
    mark: list[float] = field(default_factory=list)
    "To the instant of the mark TAP_OPENED."
    seen: list[float] = field(default_factory=list)
    "To a reader's seeing that mark in the ring."
    packet: list[float] = field(default_factory=list)
    "To the arrival of the first packet in the ring: a caller sends one every 20 ms."


class Caller:
    """A telephone that sends every 20 ms, and presses a key when told."""

    def __init__(self, to: Destination) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.setblocking(False)
        self._to = to.host, to.port
        self._number = 0
        self._next = time.monotonic()
        self._press: list[int] = []
        "Durations of the event packets that are still to be sent, in packets."
        self._event_ts = 0

    def turn(self) -> float:
        """Send what is due; return how long nothing is, s."""
        if time.monotonic() >= self._next:
            self._send()
            self._next += FRAME_NS / 1e9
        return max(0.0, self._next - time.monotonic())

    def press(self) -> float:
        """Wait for the next packet's time, send a key's first packet; return when."""
        while time.monotonic() < self._next:
            time.sleep(max(0.0, self._next - time.monotonic()))
        self._press = [1, 2, 3, *[PRESS_PACKETS] * 3]
        self._event_ts = self._number * PAYLOAD
        began = time.monotonic()
        self.turn()
        return began

    def _send(self) -> None:
        if self._press:
            size = self._press.pop(0)
            ended = size == PRESS_PACKETS
            payload = EVENT.pack(KEYS.index("1"), 0x80 * ended | 10, PAYLOAD * size)
            self._rtp(payload, EVENT_TYPE, self._event_ts)
        else:
            self._rtp(bytes([SILENCE]) * PAYLOAD, PCMA, self._number * PAYLOAD)
        self._number += 1

    def _rtp(self, payload: bytes, payload_type: int, timestamp: int) -> None:
        header = RtpHeader(
            payload_type=payload_type,
            sequence=self._number & 0xFFFF,
            timestamp=timestamp & 0xFFFFFFFF,
            ssrc=1,
        )
        self.socket.sendto(header.serialize() + payload, self._to)


def prompt() -> LoadSound:
    sound = load(PromptId.CONSENT, "de").sound
    return LoadSound("consent", sound.pcma, sound.pcmu)


def ask(worker: MediaWorker, legs: list[int]) -> None:
    """Play the question to these legs, and listen; half of them begin half a packet later."""
    parts = (PlayPart(sound="consent", loop=True),)
    for half in (legs[::2], legs[1::2]):
        for leg in half:
            worker.send(CollectDigits(leg, (EVENT_TYPE,)), Play(leg, leg, parts, PCMA))
        worker.listen(time.monotonic() + 0.01)


def bridge(worker: MediaWorker, legs: list[int]) -> None:
    for first, second in zip(legs[::2], legs[1::2], strict=True):
        worker.send(Bridge(first, second, ALAW, ALAW))


class Load:
    """A worker with as many legs as the generator has, all of which send."""

    def __init__(self, stack: ExitStack, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.generator = Generator(plan, folder / "log.npz")
        stack.callback(self.generator.close)
        self.worker = stack.enter_context(MediaWorker(plan.calls))
        self.legs = list(range(1, plan.legs + 1))
        self.worker.send(prompt())
        to = self.worker.legs(self.legs)
        for place, leg in enumerate(self.legs):
            self.worker.send(SetRemote(leg, *self.generator.address(place % 2)))
        self.generator.prepare(to)

    def begin(self) -> float:
        """Let all legs send; return when the last one has begun."""
        begin_ns = time.monotonic_ns() + LEAD_NS
        self.generator.start(begin_ns)
        return begin_ns / 1e9 + self.plan.lead_seconds


def cpu_round(plan: Plan, folder: Path, *, menu: bool) -> tuple[float, Outcome]:
    """Return the worker's CPU seconds per second of one round."""
    with ExitStack() as stack:
        under_load = Load(stack, plan, folder)
        (ask if menu else bridge)(under_load.worker, under_load.legs)
        begin = under_load.begin()
        under_load.worker.listen(begin)
        before = under_load.worker.cpu_s()
        under_load.worker.listen(begin + plan.seconds)
        used = under_load.worker.cpu_s() - before
        return used / plan.seconds, under_load.generator.finish()


def latency_round(plan: Plan, folder: Path) -> tuple[Latencies, Outcome]:
    """Press keys while all others hear the prompt."""
    found = Latencies()
    with ExitStack() as stack:
        under_load = Load(stack, plan, folder)
        worker = under_load.worker
        (to,) = worker.legs([PROBE])
        caller = Caller(to)
        stack.callback(caller.socket.close)
        worker.send(SetRemote(PROBE, *caller.socket.getsockname()))
        ask(worker, [PROBE, *under_load.legs])
        begin = under_load.begin()
        end = begin + plan.seconds - 2 * PRESS_EVERY_S
        at = begin + PRESS_EVERY_S
        while at < end:
            while time.monotonic() < at:
                worker.listen(time.monotonic() + caller.turn())
            _press_once(worker, caller, found)
            at += PRESS_EVERY_S
        return found, under_load.generator.finish()


def _press_once(worker: MediaWorker, caller: Caller, found: Latencies) -> None:
    """One key, answered by a tap at once, which is closed again."""
    permit = encode(grant(call_id="c", party_id="p", basis=Basis.CONSENT, evidence_id="e", epoch=1))
    pressed = caller.press()
    worker.expect(DigitReceived, caller.turn)
    told = time.monotonic()
    worker.send(OpenTap(PROBE, "p", 1, 0, permit, b""))
    found.told.append(1000 * (told - pressed))
    kinds: set[int] = set()
    while not {Kind.TAP_OPENED, Kind.PACKET} <= kinds:
        time.sleep(min(0.0002, caller.turn()))
        for entry in worker.ring.new_entries():
            kind = int(entry["kind"])
            at_ms = 1000 * (int(entry["arrival_ns"]) / 1e9 - pressed)
            if kind == Kind.TAP_OPENED:
                found.mark.append(at_ms)
                found.seen.append(1000 * (time.monotonic() - pressed))
            elif kind == Kind.PACKET and kind not in kinds:
                found.packet.append(at_ms)
            kinds.add(kind)
    worker.send(CloseTap(PROBE))
    # Until the mark of its end is read, too, or it would be taken for the next one's.
    while Kind.TAP_CLOSED not in kinds:
        time.sleep(min(0.0002, caller.turn()))
        kinds |= {int(entry["kind"]) for entry in worker.ring.new_entries()}
    worker.ring.release(worker.ring.position)


def percentiles(name: str, values: list[float]) -> report.Figures:
    p50, p99, highest = np.percentile(values, (50, 99, 100))
    return {
        f"{name}_ms_p50": round(float(p50), 3),
        f"{name}_ms_p99": round(float(p99), 3),
        f"{name}_ms_max": round(float(highest), 3),
    }


def unspoilt(one_round: Callable[[], tuple[Result, Outcome]], tries: int) -> tuple[Result, Outcome]:
    """Run a round, again where the generator has spoilt it."""
    for _ in range(tries - 1):
        result, outcome = one_round()
        if outcome.invalid is None:
            return result, outcome
    return one_round()


def measure(options: argparse.Namespace, folder: Path) -> report.Figures:
    plan = Plan(calls=options.menus // 2, seconds=options.seconds, lead_seconds=LEAD_S)
    menus: list[float] = []
    bridged: list[float] = []
    outcomes: list[Outcome] = []
    for _ in range(options.rounds):
        for menu, values in ((True, menus), (False, bridged)):
            cpu, outcome = unspoilt(partial(cpu_round, plan, folder, menu=menu), options.tries)
            calls = plan.legs if menu else plan.calls
            values.append(round(1000 * cpu / calls, 4))
            outcomes.append(outcome)
    longer = replace(plan, seconds=KEYS_BY_ROUND * plan.seconds)
    found, outcome = unspoilt(partial(latency_round, longer, folder), options.tries)
    outcomes.append(outcome)
    menu_ms, bridged_ms = statistics.median(menus), statistics.median(bridged)
    invalid = [outcome.invalid for outcome in outcomes if outcome.invalid is not None]
    return {
        "bench": "consent",
        "menu_calls": plan.legs,
        "bridged_calls": plan.calls,
        "seconds": plan.seconds,
        "cpu_ms_per_call_s": menu_ms,
        "bridged_cpu_ms_per_call_s": bridged_ms,
        "menu_by_bridged": round(menu_ms / bridged_ms, 3),
        "cpu_ms_per_call_s_rounds": menus,
        "bridged_cpu_ms_per_call_s_rounds": bridged,
        "lost": sum(o.verdict.sent - o.verdict.received for o in outcomes[1::2]),
        "digits": len(found.told),
        **percentiles("digit_told", found.told),
        **percentiles("tap_mark", found.mark),
        **percentiles("tap_seen", found.seen),
        **percentiles("first_tapped_packet", found.packet),
        "goal_ms": GOAL_MS,
        "within_goal": max(found.seen) < GOAL_MS,
        "generator_lag_ms": max(o.verdict.lag_ms_p99 for o in outcomes),
        "generator_dropped": sum(o.dropped for o in outcomes),
        "valid": not invalid,
        "invalid_because": invalid[0] if invalid else None,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--menus", type=int, default=200, help="callers who hear the prompt")
    parser.add_argument("--seconds", type=int, default=4, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tries", type=int, default=3, help="of a round that gets spoilt")
    parser.add_argument("--smoke", action="store_true", help="one round of 10 callers and 2 s")
    parser.add_argument("--json", action="store_true", help="one JSON line (else a table)")
    options = parser.parse_args()
    if options.smoke:
        options.menus, options.seconds, options.rounds, options.tries = 10, 2, 1, 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    mmsg.precise_timers()
    with report.scratch() as folder:
        figures = measure(options, folder)
    return report.show(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
