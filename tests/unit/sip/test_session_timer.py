"""Session timers (RFC 4028): what is said, who refreshes, and what happens without it."""

import pytest

from sip.events import (
    InDialogReceived,
    InviteAnswered,
    InviteFailed,
    InviteOffered,
    RefreshDue,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from sip.message import Request
from sip.session_timer import SessionExpires, SessionPolicy, SessionState
from sip.usage_state import UsageState
from tests.support.sip_pair import ANSWER, OFFER, Node, Wire, call, drop, established, offered
from tests.support.sip_raw import Bench, request

ALLOW = ("INVITE", "ACK", "CANCEL", "BYE", "UPDATE")
PLAIN = ("INVITE", "ACK", "CANCEL", "BYE")


def node(
    name: str, *, expires_s: int = 1800, min_se_s: int = 90, allow: tuple[str, ...] = ALLOW
) -> Node:
    policy = SessionPolicy(expires_s=expires_s, min_se_s=min_se_s)
    host = "192.0.2.1" if name == "a" else "192.0.2.2"
    return Node(name, host, session=policy, supported=("timer",), allow=allow)


def session(wire: Wire, name: str, usage: int) -> SessionState | None:
    endpoint = (wire.a if name == "a" else wire.b).endpoint
    found = endpoint._core.usages.get(usage)
    assert found is not None
    return found.session


def agreed(wire: Wire) -> tuple[int, int]:
    a, b = established(wire)
    return a, b


def test_the_caller_refreshes_with_update_at_half_time() -> None:
    wire = Wire(node("a"), node("b"))
    a, b = agreed(wire)
    assert wire.last("a INVITE").headers["Session-Expires"] == "1800"
    answer = wire.last("b 200 INVITE")
    assert answer.headers["Session-Expires"] == "1800;refresher=uac"
    assert answer.headers["Require"] == "timer"
    wire.run(899)
    assert "a UPDATE" not in wire.labels
    wire.run(2)
    assert wire.last("a UPDATE").headers["Session-Expires"] == "1800;refresher=uac"
    assert wire.last("b 200 UPDATE").headers["Session-Expires"] == "1800;refresher=uac"
    wire.run(5000)
    assert wire.labels.count("a UPDATE") == 6
    assert wire.labels.count("b UPDATE") == 0
    assert not wire.a.told
    assert not wire.b.told
    assert (
        wire.a.endpoint.calls.state(a) is wire.b.endpoint.calls.state(b) is UsageState.ESTABLISHED
    )
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.finish(40)


def test_a_peer_without_update_gets_reinvites_of_the_application() -> None:
    wire = Wire(node("a"), node("b", allow=PLAIN))
    a, _ = agreed(wire)
    wire.run(901)
    assert wire.a.take(RefreshDue) == RefreshDue(a)
    request_id = wire.a.endpoint.calls.reinvite(a, OFFER, wire.now)
    wire.run()
    received = wire.b.take(ReinviteReceived)
    assert received.request.headers["Session-Expires"] == "1800;refresher=uac"
    wire.b.endpoint.respond(received.transaction, 200, wire.now, body=ANSWER)
    wire.run()
    assert wire.a.take(RequestCompleted).request_id == request_id
    wire.b.told.clear()
    wire.run(1700)
    assert wire.a.take(RefreshDue) == RefreshDue(a), "the next half time"


def test_a_refresh_that_never_comes_ends_the_call() -> None:
    wire = Wire(node("a"), node("b", allow=PLAIN))
    a, b = agreed(wire)
    wire.run(1800 - 31)
    wire.a.take(RefreshDue)
    ended = [event for event in wire.b.told if isinstance(event, UsageEnded)]
    assert [event.cause for event in ended] == ["timeout"]
    assert wire.b.endpoint.counters["sessions_expired"] == 1
    bye = next(each.message for each in wire.sent if each.label.endswith(" BYE"))
    assert bye.headers["Reason"] == 'SIP;cause=408;text="Session timer expired"'
    wire.run(40)
    assert wire.a.endpoint.calls.state(a) is wire.b.endpoint.calls.state(b) is UsageState.ENDED
    assert wire.leaks() == []


def test_a_refresh_that_nobody_answers_ends_the_call() -> None:
    wire = Wire(node("a"), node("b"))
    agreed(wire)
    wire.rule = drop("a UPDATE")
    wire.run(940)
    assert wire.a.take(UsageEnded).cause == "timeout"


def test_a_refresh_that_the_peer_can_not_take_now_is_tried_again() -> None:
    wire = Wire(node("a"), node("b", allow=PLAIN))
    a, _ = agreed(wire)
    found = wire.a.endpoint._core.usages.get(a)
    assert found is not None
    found.peer_takes_update = True
    wire.run(901)
    event = wire.b.take(InDialogReceived)
    wire.b.endpoint.respond(event.transaction, 405, wire.now)
    wire.run(11)
    assert wire.a.take(RefreshDue) == RefreshDue(a), "UPDATE no more"


def test_a_peer_without_the_extension_is_left_alone() -> None:
    wire = Wire(node("a"), Node("b", "192.0.2.2"))
    a, _ = agreed(wire)
    assert session(wire, "a", a) is None
    wire.run(5000)
    assert not wire.a.told
    wire.a.endpoint.calls.reinvite(a, OFFER, wire.now)
    wire.run()
    assert wire.last("a INVITE").headers.get("Session-Expires") is None


def test_a_caller_without_the_extension_is_left_alone() -> None:
    wire = Wire(Node("a", "192.0.2.1"), node("b"))
    _, b = agreed(wire)
    assert session(wire, "b", b) is None
    assert wire.last("b 200 INVITE").headers.get("Session-Expires") is None


def test_the_called_side_refreshes_where_it_is_asked_to() -> None:
    wire = Wire(Node("a", "192.0.2.1", supported=("timer",), allow=ALLOW), node("b"))
    call(wire, headers=(("Session-Expires", "600 ; refresher=UAS"),))
    wire.run()
    b = wire.b.take(InviteOffered).usage
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.run()
    assert wire.last("b 200 INVITE").headers["Session-Expires"] == "600;refresher=uas"
    assert wire.last("b 200 INVITE").headers.get("Require") is None
    wire.run(301)
    assert wire.last("b UPDATE").headers["Session-Expires"] == "600;refresher=uac"


def test_a_short_session_is_refused_and_asked_for_again_in_length() -> None:
    wire = Wire(node("a", expires_s=90), node("b", min_se_s=300))
    a = call(wire)
    wire.run()
    assert wire.last("b 422 INVITE").headers["Min-SE"] == "300"
    invite = wire.last("a INVITE")
    assert (invite.headers["Session-Expires"], invite.headers["Min-SE"]) == ("300", "300")
    assert invite.head.cseq == 2
    assert len({each.message.head.call_id for each in wire.sent}) == 1
    b = wire.b.take(InviteOffered).usage
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.run()
    wire.a.take(InviteAnswered)
    state = session(wire, "a", a)
    assert state is not None
    assert (state.interval_s, state.ours) == (300, True)
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.finish(40)


def test_a_422_that_never_ends_fails_the_call() -> None:
    wire = Wire(node("a"), Node("b", "192.0.2.2", supported=("timer",)))
    call(wire)
    for least in ("100", "200", "300", "400"):
        wire.run()
        b = wire.b.take(InviteOffered).usage
        wire.b.endpoint.calls.reject(b, 422, wire.now, headers=(("Min-SE", least),))
    wire.run()
    assert wire.a.take(InviteFailed).code == 422
    assert wire.labels.count("a INVITE") == 4


def test_a_422_to_a_refresh_makes_the_session_longer() -> None:
    wire = Wire(node("a", expires_s=90), Node("b", "192.0.2.2", supported=("timer",), allow=PLAIN))
    a, b = offered(wire)
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now, (("Session-Expires", "90;refresher=uac"),))
    wire.run()
    wire.a.take(InviteAnswered)
    wire.b.told.clear()
    request_id = wire.a.endpoint.calls.reinvite(a, OFFER, wire.now)
    wire.run()
    first = wire.b.take(ReinviteReceived)
    wire.b.endpoint.respond(first.transaction, 422, wire.now, headers=(("Min-SE", "120"),))
    wire.run()
    second = wire.b.take(ReinviteReceived)
    assert second.request.headers["Session-Expires"] == "120;refresher=uac"
    assert second.request.body == OFFER
    wire.b.endpoint.respond(second.transaction, 200, wire.now, body=ANSWER)
    wire.run()
    done = wire.a.take(RequestCompleted)
    assert (done.request_id, done.code) == (request_id, 200)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("Supported: timer",), "1800;refresher=uac"),
        (("Supported: timer", "Session-Expires: 100"), "100;refresher=uac"),
        (("Supported: timer", "x: 4000;refresher=uas"), "1800;refresher=uas"),
        (("Supported: timer", "x: 4000", "Min-SE: 3600"), "3600;refresher=uac"),
        (("Session-Expires: 50",), "90;refresher=uas"),
        (("Supported: timer", "Session-Expires: nonsense"), "1800;refresher=uac"),
        (("Supported: timer", "Session-Expires: 0"), "1800;refresher=uac"),
    ],
)
def test_what_a_server_agrees_to(asked: tuple[str, ...], said: str) -> None:
    bench = Bench(session=SessionPolicy(), supported=("timer",))
    headers = ("Contact: <sip:100@127.0.0.2:5070>", *asked)
    bench.receive(request("INVITE", headers=headers, body="v=0\r\n"))
    bench.endpoint.calls.answer(bench.take(InviteOffered).usage, ANSWER, bench.now)
    assert bench.collect()[-1].headers["Session-Expires"] == said


def test_what_is_written_is_what_is_read() -> None:
    bench = Bench()
    header = "Session-Expires: 1800;a=b; refresher = uas ;c"
    bench.receive(request("OPTIONS", headers=(header,)))
    asked = bench.told[0].request  # type: ignore[union-attr]  # the only event
    assert isinstance(asked, Request)
    assert SessionExpires.of(asked) == SessionExpires(1800, "uas")
    assert str(SessionExpires(90)) == "90"


def test_a_refresh_that_is_answered_after_the_end_starts_nothing() -> None:
    wire = Wire(node("a"), node("b"))
    a, _ = agreed(wire)
    wire.run(899)
    wire.rule = lambda sent: [5.0] if sent.label == "b 200 UPDATE" else [0.01]
    wire.run(2)
    assert "a UPDATE" in wire.labels
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.finish(60)


def test_a_refresh_while_our_bye_is_under_way_is_left_out() -> None:
    wire = Wire(node("a"), node("b"))
    a, _ = agreed(wire)
    wire.run(899.5)
    wire.rule = drop("a BYE")
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.run(2)
    assert "a UPDATE" not in wire.labels
