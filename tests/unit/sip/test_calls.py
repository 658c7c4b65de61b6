"""Calls between two endpoints: what the application is told, what goes over the wire."""

import pytest

from sip.errors import LocalProtocolError
from sip.events import (
    AckMissing,
    AckReceived,
    InviteAnswered,
    InviteFailed,
    InviteOffered,
    InviteProgressed,
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
    offered,
)


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
    wire.finish()


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
    wire.finish()


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
    wire.finish()


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
    wire.finish()


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
    wire.finish()


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
    wire.finish()


def test_a_bye_of_the_callee_is_sent_when_the_ack_never_comes(wire: Wire) -> None:
    wire.rule = drop("a ACK")
    _, b = offered(wire)
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.b.endpoint.calls.bye(b, wire.now)
    wire.run(33)
    assert wire.labels.count("b BYE") == 1
    wire.b.take(AckMissing)
    assert wire.b.take(RequestCompleted).code == 200
    wire.finish()


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
    wire.finish()


def test_both_hang_up_at_once(wire: Wire) -> None:
    a, b = established(wire)
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.b.endpoint.calls.bye(b, wire.now)
    wire.run()
    assert wire.a.take(RequestCompleted).code == 200
    assert wire.b.take(RequestCompleted).code == 200
    assert wire.a.told == wire.b.told == []
    wire.finish()


def test_a_bye_without_answer_ends_all_the_same(wire: Wire) -> None:
    a, _ = established(wire)
    wire.rule = drop("a BYE")
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.run(33)
    assert wire.labels.count("a BYE") == 11, "Timer E: doubled up to T2"
    done = wire.a.take(RequestCompleted)
    assert (done.code, done.response) == (408, None)
    assert wire.a.endpoint.calls.state(a) is UsageState.ENDED


# --- time, bounds and networks


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
    wire.finish()


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
    wire.finish()


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
    wire.finish()


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
