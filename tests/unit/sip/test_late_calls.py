"""What the application asks for too late, or in a state that never allows it."""

import pytest

from sip.errors import LocalProtocolError
from sip.events import (
    AckReceived,
    InviteAnswered,
    InviteCancelled,
    InviteFailed,
    InviteOffered,
    RequestCompleted,
    UsageEnded,
)
from tests.support.sip_pair import ANSWER, OFFER, Wire, call, established, offered


def test_calls_for_an_ended_usage_do_nothing(wire: Wire) -> None:
    a, b = offered(wire)
    endpoint = wire.b.endpoint
    wire.a.endpoint.calls.cancel(a, wire.now)
    wire.run()
    endpoint.calls.provisional(b, 180, wire.now)
    endpoint.calls.answer(b, ANSWER, wire.now)
    endpoint.calls.reject(b, 486, wire.now)
    endpoint.calls.cancel(b, wire.now)
    endpoint.calls.ack(b, b"", wire.now)
    endpoint.calls.abandon(b, wire.now)
    assert endpoint.send_queue() == []
    assert endpoint.counters["late_calls"] == 5
    ids = [
        endpoint.calls.bye(b, wire.now),
        endpoint.calls.request(b, "INFO", wire.now),
        endpoint.calls.reinvite(b, OFFER, wire.now),
    ]
    wire.run()
    wire.b.take(InviteCancelled)
    done = [wire.b.take(RequestCompleted) for _ in ids]
    assert [event.request_id for event in done] == ids
    assert {event.code for event in done} == {481}


def test_calls_while_the_bye_is_under_way_complete_with_481(wire: Wire) -> None:
    a, _ = established(wire)
    first = wire.a.endpoint.calls.bye(a, wire.now)
    assert wire.a.endpoint.calls.bye(a, wire.now) == first
    info = wire.a.endpoint.calls.request(a, "INFO", wire.now)
    reinvite = wire.a.endpoint.calls.reinvite(a, OFFER, wire.now)
    wire.run()
    done = {e.request_id: e.code for e in wire.a.told if isinstance(e, RequestCompleted)}
    assert done == {info: 481, reinvite: 481, first: 200}


def test_calls_that_no_order_of_messages_allows_raise(wire: Wire) -> None:
    a, b = offered(wire)
    with pytest.raises(LocalProtocolError):
        wire.b.endpoint.calls.provisional(b, 100, wire.now)
    with pytest.raises(LocalProtocolError):
        wire.b.endpoint.calls.reject(b, 200, wire.now)
    with pytest.raises(LocalProtocolError):
        wire.b.endpoint.calls.bye(b, wire.now)
    with pytest.raises(LocalProtocolError):
        wire.b.endpoint.calls.cancel(b, wire.now)
    with pytest.raises(LocalProtocolError):
        wire.b.endpoint.calls.reinvite(b, OFFER, wire.now)
    with pytest.raises(LocalProtocolError):
        wire.b.endpoint.calls.provisional(b, 180, wire.now, headers=(("Bad Name", "x"),))
    with pytest.raises(LocalProtocolError):
        wire.a.endpoint.calls.answer(a, ANSWER, wire.now)
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    with pytest.raises(LocalProtocolError):
        wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    with pytest.raises(LocalProtocolError):
        wire.b.endpoint.calls.cancel(b, wire.now)


def test_abandon_in_every_state(wire: Wire) -> None:
    a, b = offered(wire)
    wire.b.endpoint.calls.abandon(b, wire.now)
    wire.run()
    assert wire.a.take(InviteFailed).code == 500

    a, b = offered(wire)
    wire.a.endpoint.calls.abandon(a, wire.now)
    wire.a.endpoint.calls.abandon(a, wire.now)
    wire.run()
    wire.b.take(InviteCancelled)

    a, b = offered(wire)
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.b.endpoint.calls.abandon(b, wire.now)
    wire.run()
    wire.a.take(InviteAnswered)
    assert wire.a.take(UsageEnded).cause == "bye"

    a, b = established(wire)
    wire.a.endpoint.calls.abandon(a, wire.now)
    wire.run()
    assert wire.b.take(UsageEnded).cause == "bye"
    assert wire.a.told == wire.b.told == [], "an abandoned usage tells nothing"

    a = call(wire, body=b"")
    wire.run()
    wire.b.endpoint.calls.answer(wire.b.take(InviteOffered).usage, OFFER, wire.now)
    wire.run()
    wire.a.take(InviteAnswered)
    wire.a.endpoint.calls.abandon(a, wire.now)
    wire.run()
    wire.b.take(AckReceived)
    assert wire.b.take(UsageEnded).cause == "bye"
    wire.finish()
