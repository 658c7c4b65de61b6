"""What a real media worker writes into the rings of the recorders, and what it never does."""

import logging
import struct
import time

import pytest

from b2bua.media.from_worker import LegReleased
from b2bua.media.messages import LogLine
from b2bua.media.to_worker import ChangeFormats, CloseTap, OpenTap, ReleaseLeg, StopRecording
from rtp.ring import Kind
from tests.unit.b2bua.media_rig import Worker, permit, tap


def test_only_what_follows_an_opened_tap_enters_the_ring(worker: Worker) -> None:
    alice, port_a, bob, port_b = worker.call()
    alice.say(port_a)
    bob.hear()
    worker.send(tap(1, spec=b"first"))
    worker.barrier()
    began = time.monotonic()
    for number in range(3):
        alice.say(port_a, bytes([number]) * 160)
        bob.hear()
        bob.say(port_b)
        alice.hear()
    worker.send(CloseTap(1), StopRecording(0, 4711))
    worker.barrier()
    alice.say(port_a)
    bob.hear()
    entries = worker.ring()
    assert [(e.kind, e.leg) for e in entries] == [
        (Kind.TAP_OPENED, 1),
        (Kind.PACKET, 1),
        (Kind.PACKET, 1),
        (Kind.PACKET, 1),
        (Kind.TAP_CLOSED, 1),
        (Kind.STOPPED, 0),
    ]
    assert entries[0].data == b"first"
    assert struct.unpack("<I", entries[-1].data) == (4711,)
    packets = entries[1:4]
    assert [(e.sequence, e.ssrc) for e in packets] == [(65531, 11), (65532, 11), (65533, 11)]
    assert [e.data[12:] for e in packets] == [bytes([n]) * 160 for n in range(3)]
    assert all(began <= e.arrival_s <= time.monotonic() for e in packets)


def test_each_recorder_has_its_own_ring_and_a_new_tap_closes_the_old_one(worker: Worker) -> None:
    alice, port_a, bob, _ = worker.call()
    worker.send(tap(1, recorder=0), tap(1, recorder=1))
    worker.barrier()
    alice.say(port_a)
    bob.hear()
    worker.send(ReleaseLeg(1))
    worker.expect(LegReleased)
    assert [e.kind for e in worker.ring(0)] == [Kind.TAP_OPENED, Kind.TAP_CLOSED]
    assert [e.kind for e in worker.ring(1)] == [Kind.TAP_OPENED, Kind.PACKET, Kind.TAP_CLOSED]


@pytest.mark.parametrize(
    "wrong",
    [
        OpenTap(1, "party-2", 1, 0, permit(), b""),
        OpenTap(1, "party-1", 2, 0, permit(), b""),
        OpenTap(1, "party-1", 1, 0, b"", b""),
        OpenTap(1, "party-1", 1, 0, b"\x81\xa1x\x01", b""),
        OpenTap(1, "party-1", 1, 0, permit(), bytes(3000)),
    ],
    ids=["other party", "withdrawn", "none", "garbage", "endless"],
)
def test_without_its_permit_nothing_of_a_leg_enters_the_ring(
    worker: Worker, wrong: OpenTap
) -> None:
    alice, port_a, bob, _ = worker.call()
    worker.send(wrong)
    line = worker.expect(LogLine)
    assert line.level == logging.ERROR
    assert "no tap on leg 1" in line.text
    for _ in range(3):
        alice.say(port_a)
        bob.hear()
    assert worker.ring() == []


def test_what_a_tapped_party_may_send_now_is_marked_at_its_place(worker: Worker) -> None:
    alice, port_a, bob, _ = worker.call()
    worker.send(ChangeFormats(1, b"before the tap"))
    worker.send(OpenTap(1, "party-1", 1, 0, permit(), b""))
    worker.barrier()
    alice.say(port_a)
    bob.hear()
    worker.send(ChangeFormats(1, b"formats"), CloseTap(1), ChangeFormats(1, b"behind it"))
    worker.barrier()
    assert [(e.kind, e.leg) for e in worker.ring()] == [
        (Kind.TAP_OPENED, 1),
        (Kind.PACKET, 1),
        (Kind.FORMAT_CHANGED, 1),
        (Kind.TAP_CLOSED, 1),
    ]


def test_a_recording_can_be_stopped_for_legs_of_a_worker_that_died(worker: Worker) -> None:
    worker.send(StopRecording(1, 9))
    worker.barrier()
    assert [(e.kind, e.data) for e in worker.ring(1)] == [(Kind.STOPPED, b"\x09\x00\x00\x00")]
