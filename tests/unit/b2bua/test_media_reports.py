"""The real media worker reports by RTCP and believes nobody but the peer."""

import socket
import time

import pytest

from b2bua.media.from_worker import LegReleased
from b2bua.media.messages import Counters
from b2bua.media.to_worker import Bridge, ReleaseLeg, SetRemote
from rtp.rtcp import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    parse,
    serialize,
)
from tests.support import ports
from tests.unit.b2bua.media_rig import ALAW, HOST, Phone, Worker

FIRST_REPORT_S = (1.0, 3.1 + 1.5)
"The timer's bounds, a second for the turn that meets it, and half of one for a busy machine."

GARBAGE = (b"", b"\x80\xc9\x00\x00", b"\x80\xc8\xff\xff" + bytes(24), bytes(1500), b"\xff" * 4000)


class ReportingPhone(Phone):
    """A phone with its RTCP socket one port above."""

    def __init__(self, ssrc: int) -> None:
        super().__init__(ssrc)
        self.socket.close()
        port = ports.take(2)
        self.socket, self.rtcp = (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)
        )
        for number, each in enumerate((self.socket, self.rtcp)):
            each.bind((HOST, port + number))
            each.settimeout(10.0)

    def close(self) -> None:
        super().close()
        self.rtcp.close()

    def reported(self) -> tuple[RtcpPacket, ...]:
        """The next compound that comes."""
        return parse(self.rtcp.recv(2048))

    def answer(self, port: int, report: SenderReport, *, confessed_s: float = 0.0) -> None:
        """Report back on the stream of `report`."""
        block = ReportBlock(
            ssrc=report.ssrc,
            fraction_lost=128,
            cumulative_lost=1,
            highest_sequence=0,
            jitter=24,
            last_sr=report.middle_ntp,
            delay_since_last_sr=int(confessed_s * 65_536),
        )
        compound = serialize((ReceiverReport(ssrc=self.ssrc, blocks=(block,)),))
        self.rtcp.sendto(compound, (HOST, port + 1))

    def refers(self, port: int) -> None:
        """Send a sender report of the phone's own."""
        report = SenderReport(
            ssrc=self.ssrc, ntp=0xABCD_1234 << 16, timestamp=0, packets=1, octets=1
        )
        self.rtcp.sendto(serialize((report,)), (HOST, port + 1))


def call(worker: Worker, *, named: int = 0) -> tuple[ReportingPhone, int, ReportingPhone, int]:
    """Two phones, bridged; `named`: where the second wants its RTCP."""
    alice, bob = ReportingPhone(11), ReportingPhone(22)
    worker.phones += [alice, bob]
    port_a, port_b = worker.leg(1), worker.leg(2)
    worker.send(
        SetRemote(1, HOST, alice.port),
        SetRemote(2, HOST, bob.port, rtcp_port=named),
        Bridge(1, 2, ALAW, ALAW),
    )
    worker.barrier()
    return alice, port_a, bob, port_b


def released(worker: Worker, leg_id: int) -> LegReleased:
    worker.send(ReleaseLeg(leg_id))
    return worker.expect(LegReleased, lambda message: message.leg_id == leg_id)


def counted(worker: Worker, **drops: int) -> None:
    """Wait until the totals say so."""
    wanted = {f"dropped_{name}": number for name, number in drops.items()}
    worker.expect(Counters, lambda message: wanted.items() <= message.values.items())


def test_both_parties_get_reports_on_what_they_send_and_hear(worker: Worker) -> None:
    alice, port_a, bob, _ = call(worker)
    began = time.monotonic()
    for _ in range(10):
        alice.say(port_a)
        bob.hear()
    alice.sequence += 5
    alice.say(port_a)
    bob.hear()
    alice.refers(port_a)
    report, description = bob.reported()
    assert FIRST_REPORT_S[0] <= time.monotonic() - began <= FIRST_REPORT_S[1]
    assert isinstance(report, SenderReport)
    assert (report.ssrc, report.packets, report.octets, report.blocks) == (11, 11, 1760, ())
    assert report.ntp / 2**32 - 2_208_988_800 == pytest.approx(time.time(), abs=5.0)
    assert isinstance(description, SourceDescription)
    (chunk,) = description.chunks
    assert chunk.cname is not None
    assert len(chunk.cname) == 16
    report, other = alice.reported()
    assert isinstance(report, ReceiverReport)
    (block,) = report.blocks
    assert (block.ssrc, block.cumulative_lost, block.fraction_lost) == (11, 5, 256 * 5 // 16)
    assert block.last_sr == 0xABCD_1234
    assert block.delay_since_last_sr > 0
    assert isinstance(other, SourceDescription)
    assert other.chunks[0].cname != chunk.cname, "the legs have a name in common"


@pytest.mark.parametrize("confessed_s", [0.0, 0.25])
def test_the_round_trip_is_measured_without_what_the_peer_confesses(
    worker: Worker, confessed_s: float
) -> None:
    alice, port_a, bob, port_b = call(worker)
    alice.say(port_a)
    report = bob.reported()[0]
    heard = time.monotonic()
    assert isinstance(report, SenderReport)
    assert bob.hears_nothing() is False
    time.sleep(0.3)  # the peer thinks
    thought_s = time.monotonic() - heard
    bob.answer(port_b, report, confessed_s=confessed_s)
    worker.barrier()
    figures = released(worker, 2)
    assert figures.round_trip_ms is not None
    assert 1e3 * (thought_s - confessed_s) <= figures.round_trip_ms + 1
    assert figures.round_trip_ms < 1e3 * (thought_s - confessed_s) + 500
    assert (figures.peer_packets_lost, figures.peer_jitter_ms) == (1, 3.0)


def test_jitter_is_that_of_what_came(worker: Worker) -> None:
    alice, port_a, bob, _ = call(worker)
    due = time.monotonic()
    for number in range(75):
        due += 0.020
        time.sleep(max(0.0, due + 0.010 * (number % 2) - time.monotonic()))
        alice.say(port_a)
        bob.hear()
    figures = released(worker, 1)
    assert figures.jitter_ms is not None
    assert figures.jitter_ms < 100
    assert released(worker, 2).jitter_ms is None


def test_strangers_and_garbage_are_counted_and_nobody_answers_them(worker: Worker) -> None:
    alice, port_a, bob, port_b = call(worker)
    mallory = worker.phone(11, "127.0.0.3")
    alice.say(port_a)
    bob.hear()
    report = bob.reported()[0]
    assert isinstance(report, SenderReport)
    lie = ReportBlock(
        ssrc=report.ssrc,
        fraction_lost=255,
        cumulative_lost=9999,
        highest_sequence=0,
        jitter=9999,
        last_sr=report.middle_ntp,
        delay_since_last_sr=0,
    )
    forged = serialize((ReceiverReport(ssrc=22, blocks=(lie,)), Goodbye(sources=(22,))))
    for _ in range(20):
        mallory.socket.sendto(forged, (HOST, port_b + 1))
    for data in GARBAGE:
        bob.rtcp.sendto(data, (HOST, port_b + 1))
    counted(worker, rtcp_source=20, rtcp=len(GARBAGE))
    assert mallory.hears_nothing()
    for _ in range(3):
        alice.say(port_a)
        bob.hear()
        bob.say(port_b)
        alice.hear()
    figures = released(worker, 2)
    assert (figures.peer_packets_lost, figures.round_trip_ms) == (None, None)
    assert mallory.hears_nothing()


def test_a_flood_of_reports_is_not_read_to_its_end(worker: Worker) -> None:
    alice, port_a, bob, port_b = call(worker)
    alice.say(port_a)
    bob.hear()
    report = serialize((ReceiverReport(ssrc=22),))
    for _ in range(200):
        bob.rtcp.sendto(report, (HOST, port_b + 1))
    # The turns are a second apart: all came in one or two of them.
    worker.expect(Counters, lambda message: message.values["dropped_rtcp"] >= 200 - 3 * 8)


def test_a_released_leg_says_goodbye_and_one_that_never_spoke_does_not(worker: Worker) -> None:
    alice, port_a, bob, _ = call(worker)
    alice.say(port_a)
    bob.hear()
    released(worker, 2)
    report, _, leaving = bob.reported()
    assert isinstance(report, SenderReport)
    assert leaving == Goodbye(sources=(11,))
    released(worker, 1)
    alice.rtcp.setblocking(False)
    with pytest.raises(BlockingIOError):
        alice.rtcp.recv(2048)


def test_reports_go_where_the_description_wants_them(worker: Worker) -> None:
    elsewhere = ReportingPhone(33)
    worker.phones.append(elsewhere)
    alice, port_a, bob, _ = call(worker, named=elsewhere.port)
    alice.say(port_a)
    bob.hear()
    released(worker, 2)
    assert parse(elsewhere.socket.recv(2048))[2] == Goodbye(sources=(11,))
