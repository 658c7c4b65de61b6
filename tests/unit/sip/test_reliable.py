"""What a reliable transport changes: nothing is sent twice, and transactions end at once."""

import pytest

from sip.address import Flow
from sip.errors import StreamError
from sip.events import (
    AckMissing,
    AckReceived,
    InDialogReceived,
    InviteAnswered,
    InviteFailed,
    InviteOffered,
    InviteProgressed,
    ReinviteReceived,
    RequestCompleted,
    RequestOffered,
    UsageEnded,
)
from sip.message import parse
from tests.support.sip_pair import ANSWER, OFFER, Node, Wire, call, drop, established, offered
from tests.support.sip_raw import PHONE, SERVER, Bench, answer_to, request

TCP = Flow("TCP", SERVER, PHONE)


@pytest.fixture
def wire() -> Wire:
    return Wire(Node("a", "192.0.2.1"), Node("b", "192.0.2.2"), transport="TCP")


def test_an_invite_that_nobody_answers_is_sent_once_and_given_up_in_time(wire: Wire) -> None:
    wire.rule = drop("a INVITE")
    call(wire)
    wire.run(31.9)
    assert wire.labels == ["a INVITE"]
    assert wire.a.told == []
    wire.run(0.2)
    assert wire.a.take(InviteFailed).code == 408


def test_a_request_that_nobody_answers_is_sent_once_and_given_up_in_time(wire: Wire) -> None:
    a, _ = established(wire)
    wire.sent.clear()
    wire.rule = drop("a BYE")
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.run(31.9)
    assert wire.labels == ["a BYE"]
    wire.run(0.2)
    assert wire.a.take(RequestCompleted).code == 408


def test_a_refusal_is_sent_once_and_its_transaction_ends_with_the_ack(wire: Wire) -> None:
    _, b = offered(wire)
    wire.b.endpoint.calls.reject(b, 486, wire.now)
    wire.run(1.0)
    assert wire.labels == ["a INVITE", "b 100 INVITE", "b 486 INVITE", "a ACK"]
    assert wire.a.take(InviteFailed).code == 486
    assert wire.leaks() == [], "timers D and I are 0"


def test_a_refusal_without_an_ack_is_not_repeated(wire: Wire) -> None:
    wire.rule = drop("a ACK")
    _, b = offered(wire)
    wire.b.endpoint.calls.reject(b, 486, wire.now)
    wire.run(40.0)
    assert wire.labels.count("b 486 INVITE") == 1
    assert wire.b.endpoint.counters["acks_missing"] == 1, "timer H"
    assert wire.a.endpoint.transactions == wire.b.endpoint.transactions == 0


def test_a_request_that_is_answered_leaves_nothing(wire: Wire) -> None:
    a, b = established(wire)
    wire.sent.clear()
    wire.a.endpoint.calls.request(a, "OPTIONS", wire.now)
    wire.run()
    before = wire.b.endpoint.transactions
    wire.b.endpoint.respond(wire.b.take(InDialogReceived).transaction, 200, wire.now)
    wire.run()
    assert wire.labels == ["a OPTIONS", "b 200 OPTIONS"]
    assert wire.b.endpoint.transactions == before - 1, "timer J is 0"
    assert wire.a.take(RequestCompleted).code == 200
    wire.b.endpoint.calls.bye(b, wire.now)
    wire.finish(40.0)


def test_a_2xx_is_repeated_over_tcp_too(wire: Wire) -> None:
    # RFC 3261 section 13.3.1.4: there may be UDP behind the next hop.
    wire.rule = drop("a ACK")
    _, b = offered(wire)
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.run(40.0)
    assert wire.labels.count("b 200 INVITE") > 5
    wire.b.take(AckMissing)


def test_via_and_contact_name_the_transport(wire: Wire) -> None:
    a, _ = established(wire)
    invite, answer = wire.last("a INVITE"), wire.last("b 200 INVITE")
    assert invite.headers["Via"].startswith("SIP/2.0/TCP 192.0.2.1:5060;")
    assert invite.headers["Contact"] == "<sip:192.0.2.1:5060;transport=tcp>"
    assert answer.headers["Contact"] == "<sip:192.0.2.2:5060;transport=tcp>"
    wire.a.endpoint.calls.reinvite(a, OFFER, wire.now)
    wire.run()
    wire.b.take(ReinviteReceived)
    assert wire.last("a INVITE").headers["Contact"] == "<sip:192.0.2.1:5060;transport=tcp>"


# --- the end of a connection


def test_a_lost_connection_ends_what_waits_for_an_answer(wire: Wire) -> None:
    early, late = call(wire), call(wire)
    wire.run()
    usages = [wire.b.take(InviteOffered).usage, wire.b.take(InviteOffered).usage]
    wire.b.endpoint.calls.provisional(usages[1], 180, wire.now)
    wire.run()
    wire.a.take(InviteProgressed)
    wire.a.endpoint.connection_lost(wire.a_flow(), wire.now)
    wire.run()
    failures = {each.usage: each.code for each in wire.a.told if isinstance(each, InviteFailed)}
    assert failures == {early: 408, late: 408}, "both had got their 100"
    assert wire.a.endpoint.usages == 0


def test_a_lost_connection_before_any_answer_is_unreachable(wire: Wire) -> None:
    wire.rule = drop("a INVITE")
    call(wire)
    wire.pump()
    wire.a.endpoint.connection_lost(wire.a_flow(), wire.now)
    wire.run()
    assert wire.a.take(InviteFailed).code == 503
    assert wire.leaks() == []


def test_a_lost_connection_leaves_the_calls_that_stand(wire: Wire) -> None:
    a, b = established(wire)
    for node in (wire.a, wire.b):
        peer = wire.b if node is wire.a else wire.a
        node.endpoint.connection_lost(wire.flow(node, peer), wire.now)
    wire.run()
    assert wire.a.told == wire.b.told == []
    wire.b.endpoint.calls.bye(b, wire.now)
    wire.run()
    assert wire.a.take(UsageEnded).usage == a


def test_other_connections_are_not_touched(wire: Wire) -> None:
    usage = call(wire)
    wire.run()
    wire.a.endpoint.connection_lost(TCP, wire.now)
    wire.b.endpoint.calls.answer(wire.b.take(InviteOffered).usage, ANSWER, wire.now)
    wire.run()
    assert wire.a.take(InviteAnswered).usage == usage
    wire.b.take(AckReceived)


def test_the_flows_that_are_needed() -> None:
    bench = Bench()
    assert bench.endpoint.flows() == set()
    bench.receive(request("INVITE", body="v=0\r\n"), TCP)
    usage = bench.take(InviteOffered).usage
    assert bench.endpoint.flows() == {TCP}
    bench.endpoint.calls.reject(usage, 486, bench.now)
    bench.wait(40.0)
    assert bench.endpoint.flows() == set()
    bench.receive(request("OPTIONS", cseq=2, branch="z9hG4bK2"), TCP)
    transaction = bench.take(RequestOffered).transaction
    assert bench.endpoint.flows() == {TCP}
    bench.endpoint.respond(transaction, 200, bench.now)
    bench.wait(0.0)
    assert bench.endpoint.flows() == set()


def established_over(bench: Bench, flow: Flow) -> tuple[int, str]:
    bench.receive(request("INVITE", body="v=0\r\n"), flow)
    usage = bench.take(InviteOffered).usage
    bench.endpoint.calls.answer(usage, b"v=0\r\n", bench.now)
    tag = bench.endpoint.calls.dialog(usage).local_tag
    bench.receive(request("ACK", to_tag=tag, branch="z9hG4bKack"), flow)
    bench.take(AckReceived)
    return usage, tag


def test_a_long_request_that_comes_over_tcp_does_not_move_a_call_from_udp() -> None:
    bench = Bench()
    udp = Flow("UDP", SERVER, PHONE)
    usage, tag = established_over(bench, udp)
    bench.receive(request("INVITE", cseq=2, to_tag=tag, branch="z9hG4bK2", body="v=0\r\n"), TCP)
    bench.endpoint.respond(bench.take(ReinviteReceived).transaction, 200, bench.now)
    bench.receive(request("INFO", cseq=3, to_tag=tag, branch="z9hG4bK3"), TCP)
    assert bench.endpoint.calls.dialog(usage).flow == udp


def test_a_stream_that_broke_is_answered_where_it_can_be() -> None:
    bench = Bench()
    parsed = parse(request("OPTIONS"))
    bench.endpoint.refuse(StreamError(400, "Bad Content-Length"), TCP)
    assert bench.collect() == []
    bench.endpoint.refuse(StreamError(400, "Bad Content-Length", request=parsed), TCP)  # type: ignore[arg-type]  # a request
    assert bench.codes(bench.collect()) == [400]
    assert bench.count("malformed") == 2


def test_a_refusal_that_breaks_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    bench = Bench()
    monkeypatch.setattr(bench.endpoint._receiver, "refuse", broken)
    bench.endpoint.refuse(StreamError(400, "x"), TCP)
    assert bench.count("failed") == 1


def test_a_late_answer_after_a_lost_connection_is_ended() -> None:
    wire = Wire(Node("a", "192.0.2.1"), Node("b", "192.0.2.2"), transport="TCP")
    call(wire)
    wire.run()
    invite = wire.last("a INVITE")
    wire.a.endpoint.connection_lost(wire.a_flow(), wire.now)
    wire.pump()
    assert wire.a.take(InviteFailed).code == 408
    late = answer_to(invite, 200)  # type: ignore[arg-type]  # a request
    wire.a.endpoint.receive(late, wire.a_flow(), wire.now)
    wire.pump()
    assert wire.labels[-2:] == ["a ACK", "a BYE"]
