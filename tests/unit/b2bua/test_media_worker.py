"""The real media worker as a child process: socket pair, shared memory, packets on loopback."""

import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest

from b2bua.media.channel import ChildChannel
from b2bua.media.from_worker import FirstPacket, LegReleased, MediaTimeout, PortsOffered
from b2bua.media.messages import LogLine
from b2bua.media.to_worker import (
    Bridge,
    CloseTap,
    LendLeg,
    OfferPorts,
    ReleaseLeg,
    Route,
    SetRemote,
    StopRecording,
    ToMediaWorker,
    Unbridge,
)
from b2bua.media.worker import worker as media_worker
from b2bua.media.worker.pairs import Pairs
from codec.laws import PCMA_TO_PCMU
from rtp.header import RtpHeader
from rtp.io.leg import Leg
from rtp.io.loop import EventLoop
from rtp.io.socket import PortRange
from rtp.ring import Kind
from tests.unit.b2bua.media_rig import ALAW, HOST, PATIENCE_S, ROOT, Worker, running, tap


def test_two_phones_hear_each_other_and_the_first_packet_is_told(worker: Worker) -> None:
    alice, port_a, bob, port_b = worker.call()
    began = time.monotonic()
    alice.say(port_a)
    assert bob.hear() == (
        RtpHeader(payload_type=8, sequence=65530, timestamp=160 * 65530, ssrc=11),
        b"a" * 160,
    )
    first = worker.expect(FirstPacket)
    assert first.leg_id == 1
    assert began <= first.at <= time.monotonic()
    for number in range(20):
        bob.say(port_b, bytes([number]) * 160)
        assert alice.hear()[1] == bytes([number]) * 160
    assert worker.expect(FirstPacket).leg_id == 2


def test_an_unbridged_leg_is_not_heard_and_a_released_one_says_what_it_did(
    worker: Worker,
) -> None:
    alice, port_a, bob, _ = worker.call()
    for _ in range(3):
        alice.say(port_a)
        bob.hear()
    worker.send(Unbridge(1, 2))
    worker.barrier()
    alice.say(port_a)
    alice.say(port_a, payload_type=3)
    alice.sequence += 5
    alice.say(port_a)
    worker.counters()
    assert bob.hears_nothing()
    worker.send(ReleaseLeg(1), ReleaseLeg(2))
    # Whether there are two packets to compare depends on when the leg is looked at.
    assert msgspec.structs.replace(worker.expect(LegReleased), jitter_ms=None) == LegReleased(
        leg_id=1, packets_received=6, packets_sent=0, packets_dropped=0, packets_lost=5
    )
    assert worker.expect(LegReleased) == LegReleased(
        leg_id=2, packets_received=0, packets_sent=3, packets_dropped=0, packets_lost=0
    )


def test_laws_and_types_are_converted_on_the_way(worker: Worker) -> None:
    there = Route(payload_types={8: 0, 101: 96}, transcode={8: "PCMA>PCMU"})
    back = Route(payload_types={0: 8, 96: 101}, transcode={0: "PCMU>PCMA"})
    alice, port_a, bob, _ = worker.call(there, back)
    every = bytes(range(160))
    for _ in range(3):
        alice.say(port_a, every)
        header, payload = bob.hear()
        assert (header.payload_type, payload) == (0, every.translate(PCMA_TO_PCMU))
    alice.say(port_a, b"\x01\x0a\x00\xa0", payload_type=101)
    header, payload = bob.hear()
    assert (header.payload_type, payload) == (96, b"\x01\x0a\x00\xa0")


def test_strangers_reach_neither_the_other_party_nor_the_ring(worker: Worker) -> None:
    alice, port_a, bob, _ = worker.call()
    mallory = worker.phone(11, "127.0.0.3")
    worker.send(tap(1))
    worker.barrier()
    for _ in range(5):
        mallory.say(port_a)
        alice.say(port_a)
        bob.hear()
    assert bob.hears_nothing()
    assert mallory.hears_nothing()
    assert {e.sequence for e in worker.ring() if e.kind == Kind.PACKET} == {
        number & 0xFFFF for number in range(65530, 65535)
    }


def test_messages_about_unknown_things_are_logged_and_harm_nothing(worker: Worker) -> None:
    port = worker.leg(1)
    unknown = Route(payload_types={8: 8}, transcode={8: "PCMA>OPUS"})
    for message, text in (
        (CloseTap(77), "no leg 77"),
        (Bridge(1, 78, ALAW, ALAW), "no leg 78"),
        (Bridge(1, 1, unknown, ALAW), "PCMA>OPUS"),
        (StopRecording(9, 1), "no recorder 9"),
        (SetRemote(1, "phone.example", 4000), "phone.example"),
        (SetRemote(1, "0.0.0.0", 4000), "unicast"),  # noqa: S104 - to be refused
    ):
        worker.send(message)
        assert text in worker.expect(LogLine).text
    worker.send(LendLeg(1, port))
    assert "exists" in worker.expect(LogLine).text
    worker.send(LendLeg(2, port))
    assert "not offered" in worker.expect(LogLine).text
    worker.send(ReleaseLeg(1))
    assert worker.expect(LegReleased).packets_received == 0


def test_an_address_that_is_not_ours_is_refused_in_words(worker: Worker) -> None:
    worker.send(OfferPorts("192.0.2.1", 2))
    offer = worker.expect(PortsOffered)
    assert offer.ports == ()
    assert "192.0.2.1" in offer.reason


def test_counters_tell_what_happened(worker: Worker) -> None:
    alice, port_a, bob, _ = worker.call()
    for _ in range(5):
        alice.say(port_a)
        bob.hear()
    alice.socket.sendto(b"no RTP", (HOST, port_a))
    alice.socket.sendto(b"report", (HOST, port_a + 1))
    alice.sequence += 2
    alice.say(port_a)
    bob.hear()
    worker.send(ReleaseLeg(2))
    worker.expect(LegReleased)
    values = worker.counters()
    assert values["packets_received"] == values["packets_sent"] == 6
    assert values["packets_lost"] == 2
    assert values["octets_received"] == 6 * 172
    assert values["dropped_malformed"] == values["dropped_rtcp"] == 1
    assert values["ring_packets_lost"] == 0
    assert values["cpu_seconds"] > 0


def a_free_port() -> int:
    """The first port of a pair that was free a moment ago."""
    with running() as probe:
        return probe.leg(1)


def test_a_full_range_and_a_silent_leg_are_told() -> None:
    port = a_free_port()
    with running(ports=f"{port}-{port + 1}", media_timeout_s=0.3) as worker:
        assert worker.leg(1) == port
        worker.send(OfferPorts(HOST, 1))
        assert "all in use" in worker.expect(PortsOffered).reason
        worker.send(SetRemote(1, HOST, worker.phone(1).port))
        timeout = worker.expect(MediaTimeout)
        assert timeout.leg_id == 1
        assert 0.3 <= timeout.silent_s < 5
        worker.counters()
        assert not [m for m in worker.inbox if isinstance(m, MediaTimeout)]


def test_a_freed_port_is_not_lent_again_at_once() -> None:
    port = a_free_port()
    with running(ports=f"{port}-{port + 3}") as worker:
        first = worker.leg(1)
        worker.send(ReleaseLeg(1))
        worker.expect(LegReleased)
        second = worker.leg(2)
        assert second != first
        worker.send(OfferPorts(HOST, 1))
        assert "cooling off" in worker.expect(PortsOffered).reason


def test_a_late_packet_of_a_call_is_not_heard_in_the_next_one_with_its_ports() -> None:
    """Neither if it comes while the ports rest, nor while they wait for a leg, nor after that."""
    port = a_free_port()
    with running(ports=f"{port}-{port + 3}") as worker:
        alice, port_a, bob, port_b = worker.call()
        alice.say(port_a)
        bob.hear()
        worker.send(ReleaseLeg(1), ReleaseLeg(2))
        worker.barrier()
        before = worker.counters()
        alice.say(port_a)
        offer = PortsOffered(HOST, ())
        while len(offer.ports) < 2:
            worker.counters()
            worker.send(OfferPorts(HOST, 2 - len(offer.ports)))
            offer = PortsOffered(HOST, offer.ports + worker.expect(PortsOffered).ports)
        assert set(offer.ports) == {port_a, port_b}
        alice.say(port_a)
        worker.send(LendLeg(3, port_a), LendLeg(4, port_b))
        worker.barrier()
        alice.say(port_a)
        carol = worker.phone(33, "127.0.0.3")
        worker.send(
            SetRemote(3, "127.0.0.3", carol.port),
            SetRemote(4, HOST, bob.port),
            Bridge(3, 4, ALAW, ALAW),
        )
        worker.barrier()
        alice.say(port_a)
        carol.say(port_a)
        assert bob.hear()[0].ssrc == 33
        assert bob.hears_nothing()
        after = worker.counters()
        assert after["packets_received"] - before["packets_received"] == 1
        # The first one, and the one that came before the leg had a peer; the kernel refused the
        # others, because the pair was deaf by then or knew its new peer.
        assert after["dropped_wrong_source"] - before["dropped_wrong_source"] == 2


def test_interrupt_and_termination_are_the_parents_business(worker: Worker) -> None:
    alice, port_a, bob, _ = worker.call()
    worker.process.send_signal(signal.SIGINT)
    worker.process.send_signal(signal.SIGTERM)
    alice.say(port_a)
    bob.hear()
    assert worker.process.poll() is None


def test_a_broken_channel_ends_the_worker(worker: Worker) -> None:
    worker.leg(1)
    worker.channel.sendall(b"\xff" * 8)
    assert worker.process.wait(PATIENCE_S) == 0


@dataclass(frozen=True, slots=True)
class Inside:
    """A worker in this process, for what no message can bring about."""

    loop: EventLoop
    inner: media_worker.Worker
    pairs: Pairs
    worker: Worker

    def lend(self, count: int) -> None:
        """Have so many legs lent, as soon as the worker reads; their numbers begin at 1."""
        ports, _ = self.pairs.offer(HOST, count, 1)
        self.worker.send(*(LendLeg(leg, port) for leg, port in enumerate(ports, 1)))

    def release(self, count: int) -> None:
        """Have them released now."""
        self.worker.send(*(ReleaseLeg(leg) for leg in range(1, count + 1)))
        self.inner.receive(1)


@pytest.fixture
def inside() -> Iterator[Inside]:
    ours, theirs = socket.socketpair()
    loop = EventLoop()
    channel: ChildChannel[ToMediaWorker] = ChildChannel(theirs, ToMediaWorker)
    pairs = Pairs(PortRange(20_000, 60_000), loop, most=100)
    inner = media_worker.Worker(
        loop=loop, channel=channel, rings=[], pairs=pairs, media_timeout_s=9
    )
    loop.on_error = inner.failed
    inner.start()
    worker = Worker(subprocess.Popen([sys.executable, "-c", ""]), ours, [])
    worker.process.wait()
    yield Inside(loop, inner, pairs, worker)
    pairs.close()
    loop.close()
    ours.close()
    theirs.close()


def test_an_exception_in_one_leg_leaves_the_others(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, swept = inside.worker, list[int]()

    def sweep(leg: Leg, _now: int, _timeout: int) -> None:
        swept.append(leg.leg_id)
        if len(swept) == 4:
            inside.loop.stop()
        if leg.leg_id == 1:
            raise RuntimeError("a bug")

    monkeypatch.setattr(Leg, "sweep", sweep)
    inside.lend(2)
    inside.loop.run()
    assert swept == [1, 2, 1, 2]
    line = worker.expect(LogLine)
    assert "RuntimeError: a bug at sweep:" in line.text
    assert "leg 1, which is mute now" in line.text
    inside.inner.failed(-1, RuntimeError("no place"))
    assert (
        "at an unknown place in housekeeping"
        in worker.expect(LogLine, lambda m: "no place" in m.text).text
    )
    inside.release(2)


@pytest.mark.parametrize("step_ms", [10, 50, 70])
def test_each_leg_is_looked_after_once_a_second_and_few_at_a_time(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, step_ms: int
) -> None:
    swept: list[int] = []
    monkeypatch.setattr(Leg, "sweep", lambda leg, _now, _timeout: swept.append(leg.leg_id))
    inside.lend(20)
    inside.inner.receive(1)
    inside.inner.housekeeping(1)
    swept.clear()
    at_once = []
    for ms in range(step_ms, 8000, step_ms):
        before = len(swept)
        inside.inner.housekeeping(ms * 1_000_000)
        at_once.append(len(swept) - before)
    counts = Counter(swept)
    assert set(counts) == set(range(1, 21))
    assert set(counts.values()) <= {6, 7, 8}
    assert max(at_once) <= 6, "at 70 ms, where a round ends in a turn"
    inside.release(20)


def test_the_worker_carries_nothing_heavy() -> None:
    """Each of them is half a megabyte or more; with `secrets`, OpenSSL comes along."""
    heavy = "{'numpy', 'asyncio', '_hashlib', '_ssl', 'argparse', 'logging'}"
    code = f"import b2bua.media.worker.__main__, sys; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert shown.stdout.decode().strip() == "[]"
