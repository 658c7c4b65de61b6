"""Calls between two endpoints: what the application is told, what goes over the wire."""

import pytest

from sip.errors import LocalProtocolError
from sip.events import (
    AckMissing,
    AckReceived,
    InDialogReceived,
    InviteAnswered,
    InviteCancelled,
    InviteFailed,
    InviteOffered,
    InviteProgressed,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from sip.message import Request
from sip.usage_state import UsageState
from tests.support.sip_pair import (
    ANSWER,
    DELAY,
    OFFER,
    Wire,
    call,
    chaos,
    drop,
    established,
    make_wire,
)

NEW_OFFER = b"v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\n"


@pytest.fixture
def wire() -> Wire:
    return make_wire()


def offered(wire: Wire) -> tuple[int, int]:
    a = call(wire)
    wire.run()
    return a, wire.b.take(InviteOffered).usage


def finish(wire: Wire) -> None:
    """All calls have ended: nothing is left once every timer has run out."""
    wire.run(400)
    assert wire.leaks() == []


def test_a_call_from_invite_to_bye(wire: Wire) -> None:
    a = call(wire, headers=(("Subject", "a test"),))
    wire.run()
    offer = wire.b.take(InviteOffered)
    assert offer.request.body == OFFER
    assert offer.request.headers["Subject"] == "a test"
    assert offer.identity == "somebody"
    b = offer.usage
    wire.b.endpoint.calls.provisional(b, 180, wire.now)
    wire.run()
    assert wire.a.take(InviteProgressed).response.code == 180
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.run()
    assert wire.a.take(InviteAnswered).response.body == ANSWER
    assert wire.b.take(AckReceived).usage == b
    request_id = wire.a.endpoint.calls.bye(a, wire.now)
    wire.run()
    ended = wire.b.take(UsageEnded)
    assert (ended.usage, ended.cause) == (b, "bye")
    assert ended.request is not None
    done = wire.a.take(RequestCompleted)
    assert (done.usage, done.request_id, done.code) == (a, request_id, 200)
    assert wire.labels == [
        "a INVITE",
        "b 100 INVITE",
        "b 180 INVITE",
        "b 200 INVITE",
        "a ACK",
        "a BYE",
        "b 200 BYE",
    ]
    finish(wire)


def test_states_of_both_ends(wire: Wire) -> None:
    a, b = offered(wire)
    assert wire.a.endpoint.calls.state(a) is UsageState.CALLING
    assert wire.b.endpoint.calls.state(b) is UsageState.OFFERED
    wire.b.endpoint.calls.provisional(b, 183, wire.now, body=ANSWER)
    wire.run()
    assert wire.a.endpoint.calls.state(a) is UsageState.RINGING
    assert wire.a.endpoint.calls.dialog(a).remote_tag == wire.b.endpoint.calls.dialog(b).local_tag
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    assert wire.b.endpoint.calls.state(b) is UsageState.ANSWERED
    wire.run()
    assert wire.a.endpoint.calls.state(a) is UsageState.ESTABLISHED
    assert wire.b.endpoint.calls.state(b) is UsageState.ESTABLISHED
    wire.b.endpoint.calls.bye(b, wire.now)
    assert wire.b.endpoint.calls.state(b) is UsageState.ENDING
    wire.run()
    assert wire.a.endpoint.calls.state(a) is UsageState.ENDED
    assert wire.b.endpoint.calls.state(b) is UsageState.ENDED
    with pytest.raises(LocalProtocolError):
        wire.a.endpoint.calls.dialog(a)


def test_a_refused_call(wire: Wire) -> None:
    a, b = offered(wire)
    wire.b.endpoint.calls.reject(
        b, 486, wire.now, reason="Not Now", headers=(("Retry-After", "60"),)
    )
    wire.run()
    failed = wire.a.take(InviteFailed)
    assert (failed.usage, failed.code, failed.reason) == (a, 486, "Not Now")
    assert failed.response is not None
    assert failed.response.headers["Retry-After"] == "60"
    ack = wire.last("a ACK")
    invite = wire.last("a INVITE")
    assert ack.headers["Via"] == invite.headers["Via"], "the ACK of a refusal is of this hop"
    assert ack.headers["To"] == failed.response.headers["To"]
    finish(wire)


def test_nobody_answers(wire: Wire) -> None:
    wire.rule = lambda entry: [] if entry.sender == "a" else [DELAY]
    a = call(wire)
    wire.run(31.9)
    assert wire.a.told == []
    times = [round(entry.when - 1000, 3) for entry in wire.sent]
    assert times == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5], "Timer A doubles"
    wire.run(0.2)
    failed = wire.a.take(InviteFailed)
    assert (failed.usage, failed.code, failed.response) == (a, 408, None)
    assert wire.a.endpoint.counters["retransmissions_sent"] == 6
    finish(wire)


def test_a_2xx_is_sent_until_its_ack_comes(wire: Wire) -> None:
    wire.rule = drop("a ACK", times=4)
    a, b = offered(wire)
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.run(20)
    assert wire.labels.count("b 200 INVITE") == 5
    assert wire.labels.count("a ACK") == 5
    wire.a.take(InviteAnswered)
    wire.b.take(AckReceived)
    assert wire.a.told == []
    assert wire.b.told == []
    wire.a.endpoint.calls.bye(a, wire.now)
    finish(wire)


def test_the_2xx_retransmissions_are_capped_at_t2_and_end(wire: Wire) -> None:
    wire.rule = drop("a ACK", "a BYE")
    _, b = offered(wire)
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    start = wire.now
    wire.run(31)
    sent = [round(entry.when - start, 3) for entry in wire.sent if entry.label == "b 200 INVITE"]
    assert sent == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5]
    assert wire.b.told == []
    wire.run(1.1)
    assert wire.b.take(AckMissing).usage == b
    assert wire.b.endpoint.counters["acks_missing"] == 1
    request_id = wire.b.endpoint.calls.bye(b, wire.now)
    wire.run()
    assert wire.b.take(RequestCompleted).request_id == request_id
    assert wire.labels[-2:] == ["b BYE", "a 200 BYE"]
    finish(wire)


def test_a_bye_of_the_callee_waits_for_the_ack(wire: Wire) -> None:
    wire.rule = drop("a ACK", times=1)
    _, b = offered(wire)
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    request_id = wire.b.endpoint.calls.bye(b, wire.now, headers=(("Reason", "Q.850;cause=16"),))
    assert wire.b.endpoint.calls.bye(b, wire.now) == request_id
    wire.run(0.2)
    assert "b BYE" not in wire.labels
    wire.run(1)
    assert wire.labels[-2:] == ["b BYE", "a 200 BYE"]
    assert wire.last("b BYE").headers["Reason"] == "Q.850;cause=16"
    wire.b.take(AckReceived)
    assert wire.b.take(RequestCompleted).code == 200
    finish(wire)


def test_a_bye_of_the_callee_is_sent_when_the_ack_never_comes(wire: Wire) -> None:
    wire.rule = drop("a ACK")
    _, b = offered(wire)
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.b.endpoint.calls.bye(b, wire.now)
    wire.run(33)
    assert wire.labels.count("b BYE") == 1
    wire.b.take(AckMissing)
    assert wire.b.take(RequestCompleted).code == 200
    finish(wire)


def test_a_peers_bye_before_the_ack_completes_the_waiting_one(wire: Wire) -> None:
    wire.rule = drop("a ACK")
    a, b = offered(wire)
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    request_id = wire.b.endpoint.calls.bye(b, wire.now)
    wire.run(0.1)
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.run()
    done = wire.b.take(RequestCompleted)
    assert (done.request_id, done.code) == (request_id, 481)
    assert wire.b.take(UsageEnded).cause == "bye"
    finish(wire)


def test_both_hang_up_at_once(wire: Wire) -> None:
    a, b = established(wire)
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.b.endpoint.calls.bye(b, wire.now)
    wire.run()
    assert wire.a.take(RequestCompleted).code == 200
    assert wire.b.take(RequestCompleted).code == 200
    assert wire.a.told == wire.b.told == []
    finish(wire)


def test_a_bye_without_answer_ends_all_the_same(wire: Wire) -> None:
    a, _ = established(wire)
    wire.rule = drop("a BYE")
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.run(33)
    assert wire.labels.count("a BYE") == 11, "Timer E: doubled up to T2"
    done = wire.a.take(RequestCompleted)
    assert (done.code, done.response) == (408, None)
    assert wire.a.endpoint.calls.state(a) is UsageState.ENDED


# --- cancelling


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
    finish(wire)


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
    finish(wire)


def test_cancel_of_a_call_that_reaches_nobody(wire: Wire) -> None:
    wire.rule = lambda _entry: []
    a = call(wire)
    wire.run()
    wire.a.endpoint.calls.cancel(a, wire.now)
    wire.run(33)
    assert wire.a.take(InviteFailed).code == 487
    assert "a CANCEL" not in wire.labels
    finish(wire)


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
    finish(wire)


def test_the_crossing_answer_again_gets_its_ack_again_but_one_bye(wire: Wire) -> None:
    a, b = offered(wire)
    wire.rule = drop("a ACK", "a BYE", times=2)
    wire.a.endpoint.calls.cancel(a, wire.now)
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.run(3)
    assert wire.labels.count("a ACK") == 2
    assert len({entry.data for entry in wire.sent if entry.label == "a BYE"}) == 1
    finish(wire)


def test_cancel_of_a_call_just_answered_hangs_up(wire: Wire) -> None:
    a, _ = established(wire)
    wire.a.endpoint.calls.cancel(a, wire.now)
    wire.run()
    assert wire.b.take(UsageEnded).cause == "bye"
    finish(wire)


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


# --- inside the call


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
    finish(wire)


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
    finish(wire)


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
    finish(wire)


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
    finish(wire)


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
    finish(wire)


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
    finish(wire)


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
    finish(wire)


def test_a_reinvite_whose_cancel_is_ignored_is_given_up(wire: Wire) -> None:
    a, _ = established(wire)
    wire.a.endpoint.calls.reinvite(a, NEW_OFFER, wire.now)
    wire.run()
    wire.rule = drop("a CANCEL")
    wire.run(70)
    assert wire.a.take(RequestCompleted).code == 408
    assert wire.a.take(UsageEnded).cause == "timeout"
    finish(wire)


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
    finish(wire)


# --- calls of the application that come too late, or never make sense


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
    finish(wire)


def test_ringing_is_repeated_once_a_minute_until_the_answer(wire: Wire) -> None:
    _, b = offered(wire)
    wire.b.endpoint.calls.provisional(b, 180, wire.now)
    wire.run(10)
    wire.b.endpoint.calls.provisional(b, 183, wire.now, body=ANSWER)
    wire.run(125)
    assert wire.labels.count("b 180 INVITE") == 1
    assert wire.labels.count("b 183 INVITE") == 3
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.run(100)
    assert wire.labels.count("b 183 INVITE") == 3
    wire.b.endpoint.calls.bye(b, wire.now)
    finish(wire)


def test_usages_are_bounded_on_both_sides() -> None:
    wire = make_wire(max_usages=1)
    first = call(wire)
    wire.run()
    wire.b.take(InviteOffered)
    second = call(wire)
    wire.run()
    failed = wire.a.take(InviteFailed)
    assert (failed.usage, failed.code) == (second, 503)
    assert failed.response is not None
    assert failed.response.headers["Retry-After"] == "10"
    wire.a.endpoint.calls._max_usages = 1
    third = call(wire)
    wire.run()
    assert wire.a.take(InviteFailed).usage == third
    assert wire.a.endpoint.calls.state(first) is UsageState.CALLING


def test_a_full_table_still_lets_calls_end() -> None:
    wire = make_wire(max_transactions=1)
    a, _ = established(wire)
    call(wire)
    wire.run()
    assert wire.a.take(InviteFailed).code == 503
    assert wire.b.endpoint.counters["overloaded"] == 1
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.run()
    assert wire.b.take(UsageEnded).cause == "bye"


def test_over_tcp_nothing_is_retransmitted_but_the_2xx() -> None:
    wire = make_wire()
    wire.transport = "TCP"
    wire.rule = drop("a ACK", times=1)
    a, b = offered(wire)
    invite = wire.last("a INVITE")
    assert invite.headers["Via"].startswith("SIP/2.0/TCP ")
    assert invite.headers["Contact"] == "<sip:192.0.2.1:5060;transport=tcp>"
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.run(2)
    assert wire.labels.count("b 200 INVITE") == 2
    wire.b.take(AckReceived)
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.run(1)
    assert wire.labels.count("a BYE") == 1
    finish(wire)


@pytest.mark.parametrize("seed", range(25))
def test_a_bad_network_changes_nothing_but_the_time(seed: int) -> None:
    wire = make_wire()
    wire.rule = chaos(seed)
    a = call(wire)
    wire.run(10)
    offers = [event for event in wire.b.told if isinstance(event, InviteOffered)]
    assert len(offers) == 1, "a retransmitted INVITE is no second call"
    b = offers[0].usage
    wire.b.endpoint.calls.provisional(b, 180, wire.now)
    wire.run(1)
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.run(20)
    assert sum(isinstance(event, InviteAnswered) for event in wire.a.told) == 1
    assert sum(isinstance(event, AckReceived) for event in wire.b.told) == 1
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.run(20)
    assert sum(isinstance(event, UsageEnded) for event in wire.b.told) == 1
    assert sum(isinstance(event, RequestCompleted) for event in wire.a.told) == 1
    finish(wire)


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
    finish(wire)


def test_every_request_has_its_fields(wire: Wire) -> None:
    a, _ = established(wire)
    wire.a.endpoint.calls.request(a, "OPTIONS", wire.now)
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.run()
    for entry in wire.sent:
        message = entry.message
        if isinstance(message, Request):
            assert message.headers["Max-Forwards"] == "70"
            assert message.headers["Via"].endswith(";rport")
            assert message.headers["Content-Length"] == str(len(message.body))
