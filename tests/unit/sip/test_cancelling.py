"""Cancelling a call: what goes over the wire, and what crosses it."""

import pytest

from sip.events import (
    AckReceived,
    InviteCancelled,
    InviteFailed,
    InviteOffered,
    InviteProgressed,
    UsageEnded,
)
from tests.support.sip_pair import ANSWER, Wire, call, chaos, drop, established, make_wire, offered


def test_cancel_after_ringing(wire: Wire) -> None:
    a, b = offered(wire)
    wire.b.endpoint.calls.provisional(b, 180, wire.now)
    wire.run()
    wire.a.take(InviteProgressed)
    wire.a.endpoint.calls.cancel(a, wire.now)
    wire.a.endpoint.calls.cancel(a, wire.now)
    wire.run()
    assert wire.b.take(InviteCancelled).usage == b
    failed = wire.a.take(InviteFailed)
    assert (failed.code, failed.reason) == (487, "Request Terminated")
    assert wire.labels[-4:] == ["a CANCEL", "b 200 CANCEL", "b 487 INVITE", "a ACK"]
    assert wire.labels.count("a CANCEL") == 1
    wire.finish()


def test_cancel_waits_for_the_first_provisional_response(wire: Wire) -> None:
    wire.rule = drop("b 100 INVITE", times=1)
    a = call(wire)
    wire.run()
    wire.a.endpoint.calls.cancel(a, wire.now)
    wire.run(0.2)
    assert "a CANCEL" not in wire.labels
    wire.run(1)
    assert wire.labels[3:] == [
        "b 100 INVITE",
        "a CANCEL",
        "b 200 CANCEL",
        "b 487 INVITE",
        "a ACK",
    ]
    assert wire.a.take(InviteFailed).code == 487
    wire.finish()


def test_cancel_of_a_call_that_reaches_nobody(wire: Wire) -> None:
    wire.rule = lambda _entry: []
    a = call(wire)
    wire.run()
    wire.a.endpoint.calls.cancel(a, wire.now)
    wire.run(33)
    assert wire.a.take(InviteFailed).code == 487
    assert "a CANCEL" not in wire.labels
    wire.finish()


def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_ended(wire: Wire) -> None:
    a, b = offered(wire)
    wire.a.endpoint.calls.cancel(a, wire.now)
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.run()
    assert wire.a.take(InviteFailed).code == 487
    assert wire.a.told == []
    assert wire.b.take(AckReceived).usage == b
    assert wire.b.take(UsageEnded).cause == "bye"
    assert wire.labels.count("a ACK") == wire.labels.count("a BYE") == 1
    wire.finish()


def test_the_crossing_answer_again_gets_its_ack_again_but_one_bye(wire: Wire) -> None:
    a, b = offered(wire)
    wire.rule = drop("a ACK", "a BYE", times=2)
    wire.a.endpoint.calls.cancel(a, wire.now)
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.run(3)
    assert wire.labels.count("a ACK") == 2
    assert len({entry.data for entry in wire.sent if entry.label == "a BYE"}) == 1
    wire.finish()


def test_cancel_of_a_call_just_answered_hangs_up(wire: Wire) -> None:
    a, _ = established(wire)
    wire.a.endpoint.calls.cancel(a, wire.now)
    wire.run()
    assert wire.b.take(UsageEnded).cause == "bye"
    wire.finish()


def test_the_reason_of_a_cancel_is_told(wire: Wire) -> None:
    a, _ = offered(wire)
    wire.a.endpoint.calls.cancel(a, wire.now)
    queue = wire.a.endpoint.send_queue()
    (cancel, flow) = queue[0]
    assert flow.remote == wire.b.address
    data = cancel.replace(b"Content", b"Reason: SIP;cause=200\r\nContent", 1)
    wire.b.endpoint.receive(data, wire.flow(wire.b, wire.a), wire.now)
    wire.run()
    assert wire.b.take(InviteCancelled).reason == "SIP;cause=200"


@pytest.mark.parametrize("seed", range(25))
def test_cancelling_on_a_bad_network_leaves_nothing(seed: int) -> None:
    wire = make_wire()
    wire.rule = chaos(seed, loss=0.4)
    a = call(wire)
    wire.run(0.5 + seed / 10)
    for event in [event for event in wire.b.told if isinstance(event, InviteOffered)]:
        wire.b.endpoint.calls.provisional(event.usage, 180, wire.now)
        if seed % 3 == 0:
            wire.b.endpoint.calls.answer(event.usage, ANSWER, wire.now)
    wire.a.endpoint.calls.cancel(a, wire.now)
    wire.run(200)
    for event in [event for event in wire.b.told if isinstance(event, InviteOffered)]:
        wire.b.endpoint.calls.abandon(event.usage, wire.now)
    wire.finish()
