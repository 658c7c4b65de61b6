"""Requests inside a call, between two endpoints: re-INVITE, late offers and all others."""

import pytest

from sip.errors import LocalProtocolError
from sip.events import (
    AckMissing,
    AckReceived,
    InDialogReceived,
    InviteAnswered,
    InviteOffered,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from sip.usage_state import UsageState
from tests.support.sip_pair import ANSWER, OFFER, Wire, call, drop, established

NEW_OFFER = b"v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\n"


def test_a_reinvite_and_its_answer(wire: Wire) -> None:
    a, b = established(wire)
    request_id = wire.a.endpoint.calls.reinvite(a, NEW_OFFER, wire.now)
    with pytest.raises(LocalProtocolError):
        wire.a.endpoint.calls.reinvite(a, NEW_OFFER, wire.now)
    wire.run()
    offer = wire.b.take(ReinviteReceived)
    assert (offer.usage, offer.request.body) == (b, NEW_OFFER)
    wire.b.endpoint.respond(
        offer.transaction, 200, wire.now, body=ANSWER, content_type="application/sdp"
    )
    wire.run()
    done = wire.a.take(RequestCompleted)
    assert (done.usage, done.request_id, done.code) == (a, request_id, 200)
    assert wire.b.take(AckReceived).usage == b
    assert wire.labels[-4:] == ["a INVITE", "b 100 INVITE", "b 200 INVITE", "a ACK"]
    answer = wire.last("b 200 INVITE")
    assert answer.headers["Contact"] == "<sip:192.0.2.2:5060>"
    wire.b.endpoint.calls.reinvite(b, NEW_OFFER, wire.now)
    wire.run()
    offer = wire.a.take(ReinviteReceived)
    wire.a.endpoint.respond(offer.transaction, 488, wire.now)
    wire.run()
    assert wire.b.take(RequestCompleted).code == 488
    assert wire.a.endpoint.calls.state(a) is UsageState.ESTABLISHED
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.finish()


def test_reinvites_that_cross_get_491(wire: Wire) -> None:
    a, b = established(wire)
    wire.a.endpoint.calls.reinvite(a, NEW_OFFER, wire.now)
    wire.b.endpoint.calls.reinvite(b, NEW_OFFER, wire.now)
    wire.run()
    assert wire.a.take(RequestCompleted).code == 491
    assert wire.b.take(RequestCompleted).code == 491
    assert wire.a.told == wire.b.told == []


def test_a_reinvite_while_the_peers_waits_completes_with_491_at_once(wire: Wire) -> None:
    a, b = established(wire)
    wire.a.endpoint.calls.reinvite(a, NEW_OFFER, wire.now)
    wire.run()
    wire.b.take(ReinviteReceived)
    request_id = wire.b.endpoint.calls.reinvite(b, NEW_OFFER, wire.now)
    wire.run()
    done = wire.b.take(RequestCompleted)
    assert (done.request_id, done.code, done.response) == (request_id, 491, None)
    assert wire.labels.count("b INVITE") == 0


def test_the_2xx_of_a_reinvite_is_sent_until_its_ack_comes(wire: Wire) -> None:
    a, b = established(wire)
    wire.rule = drop("a ACK", times=2)
    wire.a.endpoint.calls.reinvite(a, NEW_OFFER, wire.now)
    wire.run()
    wire.b.endpoint.respond(wire.b.take(ReinviteReceived).transaction, 200, wire.now, body=ANSWER)
    wire.run(5)
    wire.a.take(RequestCompleted)
    assert wire.a.told == []
    assert wire.b.take(AckReceived).usage == b
    assert wire.labels.count("a ACK") == 4
    wire.b.endpoint.calls.bye(b, wire.now)
    wire.finish()


def test_the_missing_ack_of_a_reinvite_is_told(wire: Wire) -> None:
    a, b = established(wire)
    wire.rule = drop("a ACK")
    wire.a.endpoint.calls.reinvite(a, NEW_OFFER, wire.now)
    wire.run()
    wire.b.endpoint.respond(wire.b.take(ReinviteReceived).transaction, 200, wire.now, body=ANSWER)
    wire.run(33)
    assert wire.b.take(AckMissing).usage == b
    assert wire.b.endpoint.calls.state(b) is UsageState.ESTABLISHED


def test_a_bye_before_the_ack_of_a_reinvite_is_sent_once(wire: Wire) -> None:
    a, b = established(wire)
    wire.rule = drop("a ACK", "b BYE")
    wire.a.endpoint.calls.reinvite(a, NEW_OFFER, wire.now)
    wire.run()
    wire.b.endpoint.respond(wire.b.take(ReinviteReceived).transaction, 200, wire.now, body=ANSWER)
    wire.run(1)
    wire.b.endpoint.calls.bye(b, wire.now)
    wire.run(31.5)
    assert wire.b.take(AckMissing).usage == b
    assert wire.b.endpoint.counters["failed"] == 0
    wire.rule = drop()
    wire.a.endpoint.calls.abandon(a, wire.now)
    wire.finish()


def test_a_late_offer_is_answered_in_the_ack(wire: Wire) -> None:
    a = call(wire, body=b"")
    wire.run()
    offer = wire.b.take(InviteOffered)
    assert offer.request.body == b""
    wire.b.endpoint.calls.answer(offer.usage, OFFER, wire.now)
    wire.run(0.7)
    assert wire.a.take(InviteAnswered).response.body == OFFER
    assert wire.a.told == [], "the 2xx that came again tells nothing new"
    assert "a ACK" not in wire.labels
    wire.a.endpoint.calls.ack(a, ANSWER, wire.now)
    with pytest.raises(LocalProtocolError):
        wire.a.endpoint.calls.ack(a, ANSWER, wire.now)
    wire.run()
    assert wire.b.take(AckReceived).request.body == ANSWER
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.finish()


def test_a_reinvite_without_offer(wire: Wire) -> None:
    a, _ = established(wire)
    wire.a.endpoint.calls.reinvite(a, b"", wire.now)
    wire.run()
    wire.b.endpoint.respond(wire.b.take(ReinviteReceived).transaction, 200, wire.now, body=OFFER)
    wire.run()
    assert wire.a.take(RequestCompleted).code == 200
    wire.a.endpoint.calls.ack(a, ANSWER, wire.now)
    wire.run()
    assert wire.b.take(AckReceived).request.body == ANSWER


def test_other_requests_inside_the_call(wire: Wire) -> None:
    a, b = established(wire)
    request_id = wire.a.endpoint.calls.request(
        a, "INFO", wire.now, body=b"Signal=1", content_type="application/dtmf-relay"
    )
    wire.run()
    info = wire.b.take(InDialogReceived)
    assert info.usage == b
    assert info.request.headers["Content-Type"] == "application/dtmf-relay"
    assert info.request.body == b"Signal=1"
    wire.b.endpoint.respond(info.transaction, 200, wire.now)
    wire.run()
    done = wire.a.take(RequestCompleted)
    assert (done.request_id, done.code) == (request_id, 200)
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.finish()


def test_an_update_refreshes_both_targets(wire: Wire) -> None:
    a, b = established(wire)
    wire.a.endpoint.calls.request(
        a, "UPDATE", wire.now, headers=(("Contact", "<sip:elsewhere@192.0.2.1:5099>"),)
    )
    wire.run()
    update = wire.b.take(InDialogReceived)
    wire.b.endpoint.respond(
        update.transaction, 200, wire.now, headers=(("Contact", "<sip:there@192.0.2.2:5098>"),)
    )
    wire.run()
    assert str(wire.b.endpoint.calls.dialog(b).remote_target) == "sip:elsewhere@192.0.2.1:5099"
    assert str(wire.a.endpoint.calls.dialog(a).remote_target) == "sip:there@192.0.2.2:5098"


@pytest.mark.parametrize("method", ["ACK", "BYE", "CANCEL", "INVITE"])
def test_requests_with_a_method_of_their_own(wire: Wire, method: str) -> None:
    a, _ = established(wire)
    with pytest.raises(LocalProtocolError):
        wire.a.endpoint.calls.request(a, method, wire.now)


def test_a_request_in_a_call_that_was_never_answered_is_a_mistake(wire: Wire) -> None:
    a = call(wire)
    with pytest.raises(LocalProtocolError, match="no dialog"):
        wire.a.endpoint.calls.request(a, "INFO", wire.now)


def test_a_silent_peer_ends_a_call_only_by_a_reinvite(wire: Wire) -> None:
    a, _ = established(wire)
    wire.rule = drop("a OPTIONS", "a INVITE", "a BYE")
    wire.a.endpoint.calls.request(a, "OPTIONS", wire.now)
    wire.run(33)
    assert wire.a.take(RequestCompleted).code == 408
    assert wire.a.endpoint.calls.state(a) is UsageState.ESTABLISHED
    wire.a.endpoint.calls.reinvite(a, NEW_OFFER, wire.now)
    wire.run(33)
    assert wire.a.take(RequestCompleted).code == 408
    assert wire.a.take(UsageEnded).cause == "timeout"
    assert "a BYE" in wire.labels
    wire.run(33)
    assert wire.a.told == []
    assert wire.a.endpoint.calls.state(a) is UsageState.ENDED


def test_a_peer_that_lost_the_call_ends_it(wire: Wire) -> None:
    a, b = established(wire)
    found = wire.b.endpoint._core.usages.get(b)
    assert found is not None
    wire.b.endpoint._core.usages.remove(found)
    wire.a.endpoint.calls.request(a, "OPTIONS", wire.now)
    wire.run()
    assert wire.a.take(RequestCompleted).code == 481
    assert wire.a.take(UsageEnded).cause == "gone"
    assert "a BYE" not in wire.labels
    wire.finish()


def test_a_reinvite_that_is_never_finished_is_cancelled(wire: Wire) -> None:
    a, _ = established(wire)
    wire.a.endpoint.calls.reinvite(a, NEW_OFFER, wire.now)
    wire.run()
    offer = wire.b.take(ReinviteReceived)
    wire.run(33)
    assert wire.labels[-4:] == ["a CANCEL", "b 200 CANCEL", "b 487 INVITE", "a ACK"]
    assert wire.a.take(RequestCompleted).code == 487
    wire.b.endpoint.respond(offer.transaction, 200, wire.now, body=ANSWER)
    assert wire.b.endpoint.counters["late_calls"] == 1
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.finish()


def test_a_reinvite_whose_cancel_is_ignored_is_given_up(wire: Wire) -> None:
    a, _ = established(wire)
    wire.a.endpoint.calls.reinvite(a, NEW_OFFER, wire.now)
    wire.run()
    wire.rule = drop("a CANCEL")
    wire.run(70)
    assert wire.a.take(RequestCompleted).code == 408
    assert wire.a.take(UsageEnded).cause == "timeout"
    wire.finish()


def test_hanging_up_during_the_peers_reinvite_refuses_it(wire: Wire) -> None:
    a, _ = established(wire)
    wire.a.endpoint.calls.reinvite(a, NEW_OFFER, wire.now)
    wire.run()
    wire.b.take(ReinviteReceived)
    wire.a.endpoint.calls.request(a, "INFO", wire.now)
    wire.run()
    wire.b.take(InDialogReceived)
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.run()
    codes = sorted(event.code for event in wire.a.told if isinstance(event, RequestCompleted))
    assert codes == [200, 487, 487]
    wire.finish()
