"""UPDATE and glare at both ends (RFC 3311, RFC 3261 section 14)."""

import pytest

from sip.events import (
    AckReceived,
    InDialogReceived,
    InviteAnswered,
    InviteProgressed,
    ReinviteReceived,
    RequestCompleted,
)
from sip.message import Request
from tests.support.sip_pair import ANSWER, OFFER, Node, Wire, drop, established, offered

KNOWS = {
    "supported": ("100rel",),
    "allow": ("INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "PRACK"),
}
SDP = "application/sdp"


@pytest.fixture
def wire() -> Wire:
    return Wire(Node("a", "192.0.2.1", **KNOWS), Node("b", "192.0.2.2", **KNOWS))


def update(wire: Wire, usage: int, body: bytes = OFFER, node: str = "a") -> int:
    endpoint = (wire.a if node == "a" else wire.b).endpoint
    kind = SDP if body else None
    return endpoint.calls.request(usage, "UPDATE", wire.now, body=body, content_type=kind)


def test_an_offer_and_its_answer(wire: Wire) -> None:
    a, b = established(wire)
    assert wire.a.endpoint.calls.takes_update(a)
    assert wire.b.endpoint.calls.takes_update(b)
    request_id = update(wire, a)
    wire.run()
    received = wire.b.take(InDialogReceived)
    assert (received.request.method, received.request.body) == ("UPDATE", OFFER)
    assert received.request.headers["Contact"], "it refreshes the target"
    wire.b.endpoint.respond(received.transaction, 200, wire.now, body=ANSWER, content_type=SDP)
    wire.run()
    done = wire.a.take(RequestCompleted)
    assert (done.request_id, done.code) == (request_id, 200)
    assert done.response is not None
    assert done.response.body == ANSWER
    assert done.response.headers["Contact"]


def test_one_without_an_offer_is_answered_by_itself(wire: Wire) -> None:
    a, _ = established(wire)
    update(wire, a, b"")
    wire.run()
    assert wire.a.take(RequestCompleted).code == 200
    assert not wire.b.told


def test_who_does_not_say_so_takes_none() -> None:
    wire = Wire(Node("a", "192.0.2.1"), Node("b", "192.0.2.2"))
    a, _ = established(wire)
    assert not wire.a.endpoint.calls.takes_update(a)
    assert not wire.a.endpoint.calls.takes_update(999)


def test_two_at_once_are_glare(wire: Wire) -> None:
    a, b = established(wire)
    update(wire, a)
    update(wire, b, node="b")
    wire.run()
    for node, wait in ((wire.a, 2.29), (wire.b, 0.2)):
        done = node.take(RequestCompleted)
        assert done.code == 491
        assert done.retry_after_s == wait, "who made the Call-ID waits longer"


def test_an_offer_while_the_peer_has_one_is_glare_at_once(wire: Wire) -> None:
    a, b = established(wire)
    update(wire, a)
    wire.run()
    received = wire.b.take(InDialogReceived)
    update(wire, b, node="b")
    assert wire.b.endpoint.calls.reinvite(b, OFFER, wire.now)
    wire.run()
    assert [wire.b.take(RequestCompleted).code for _ in range(2)] == [491, 491]
    wire.b.endpoint.respond(received.transaction, 200, wire.now, body=ANSWER, content_type=SDP)
    wire.run()
    assert wire.a.take(RequestCompleted).code == 200


def test_a_reinvite_crosses_an_update(wire: Wire) -> None:
    a, b = established(wire)
    update(wire, a)
    wire.b.endpoint.calls.reinvite(b, OFFER, wire.now)
    wire.run()
    assert wire.a.take(RequestCompleted).code == 491
    assert wire.b.take(RequestCompleted).code == 491


def test_two_reinvites_at_once_are_glare_and_the_second_try_goes(wire: Wire) -> None:
    a, b = established(wire)
    wire.a.endpoint.calls.reinvite(a, OFFER, wire.now)
    wire.b.endpoint.calls.reinvite(b, OFFER, wire.now)
    wire.run()
    first, second = wire.a.take(RequestCompleted), wire.b.take(RequestCompleted)
    assert (first.code, second.code) == (491, 491)
    assert first.retry_after_s is not None
    assert second.retry_after_s is not None
    assert second.retry_after_s < 2.0 < first.retry_after_s
    wire.run(second.retry_after_s)
    wire.b.endpoint.calls.reinvite(b, OFFER, wire.now)
    wire.run()
    received = wire.a.take(ReinviteReceived)
    wire.a.endpoint.respond(received.transaction, 200, wire.now, body=ANSWER, content_type=SDP)
    wire.run()
    assert wire.b.take(RequestCompleted).code == 200


def test_a_second_offer_before_the_answer_is_500(wire: Wire) -> None:
    """The peer breaks the rule by hand: our own client would not."""
    a, _ = established(wire)
    update(wire, a)
    wire.run()
    wire.b.take(InDialogReceived)
    usage = wire.a.endpoint._core.usages.get(a)
    assert usage is not None
    usage.updating = None
    update(wire, a)
    wire.run()
    done = wire.a.take(RequestCompleted)
    assert (done.code, done.retry_after_s) == (500, 1.0)


def test_before_the_answer(wire: Wire) -> None:
    a, b = offered(wire)
    wire.b.endpoint.calls.provisional(b, 180, wire.now)
    wire.run()
    wire.a.take(InviteProgressed)
    update(wire, a)
    wire.run()
    assert wire.a.take(RequestCompleted).code == 491, "our offer has no answer yet"
    wire.b.endpoint.calls.provisional(b, 183, wire.now, ANSWER)
    wire.run()
    wire.a.take(InviteProgressed)
    update(wire, a)
    update_back = update(wire, b, node="b")
    assert update_back
    wire.run()
    assert {wire.a.take(RequestCompleted).code, wire.b.take(RequestCompleted).code} == {491}
    update(wire, a)
    wire.run()
    received = wire.b.take(InDialogReceived)
    wire.b.endpoint.respond(received.transaction, 200, wire.now, body=ANSWER, content_type=SDP)
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.run()
    assert wire.a.take(RequestCompleted).code == 200
    wire.a.take(InviteAnswered)
    wire.b.take(AckReceived)


def test_an_early_offer_of_the_peer_is_500_until_ours_is_answered(wire: Wire) -> None:
    _, b = offered(wire)
    wire.b.endpoint.calls.provisional(b, 180, wire.now)
    wire.run()
    update(wire, b, node="b")
    wire.run()
    assert wire.b.take(RequestCompleted).code == 491, "the INVITE's offer waits for our answer"


def test_a_late_offer_in_our_2xx_is_an_open_offer(wire: Wire) -> None:
    a, b = offered(wire, b"")
    wire.b.endpoint.calls.answer(b, OFFER, wire.now)
    wire.run()
    wire.a.take(InviteAnswered)
    update(wire, b, node="b")
    wire.run()
    assert wire.b.take(RequestCompleted).code == 491
    update(wire, a)
    wire.run()
    assert wire.a.take(RequestCompleted).code == 491
    wire.a.endpoint.calls.ack(a, ANSWER, wire.now)
    wire.run()
    wire.b.take(AckReceived)
    update(wire, a)
    wire.run()
    assert wire.b.take(InDialogReceived).request.body == OFFER


def test_an_unanswered_update_ends_the_call(wire: Wire) -> None:
    a, _ = established(wire)
    wire.rule = drop("a UPDATE")
    update(wire, a)
    wire.run(40)
    assert wire.a.take(RequestCompleted).code == 408
    last = wire.last("a BYE")
    assert isinstance(last, Request)
