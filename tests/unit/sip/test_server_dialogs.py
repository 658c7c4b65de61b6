"""What peers send inside a dialog: the ACK, numbers, targets, re-INVITEs and the end."""

from sip.address import Flow, HostPort
from sip.events import (
    AckReceived,
    InDialogReceived,
    InviteCancelled,
    InviteOffered,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from sip.message import Request
from sip.usage_state import UsageState
from tests.support.sip_raw import (
    FROM_STRANGER,
    PHONE,
    SDP,
    SERVER,
    Bench,
    established,
    offered,
    request,
)

# --- the ACK


def test_an_ack_with_a_made_up_tag_and_the_branch_of_the_invite_is_taken(bench: Bench) -> None:
    usage, _ = offered(bench)
    bench.endpoint.calls.answer(usage, b"v=0\r\n", bench.now)
    bench.receive(request("ACK", to_tag="random"))
    assert bench.take(AckReceived).usage == usage
    bench.receive(request("ACK", to_tag="random"))
    assert bench.told == []
    assert bench.codes(bench.wait(40)) == []


def test_an_ack_of_a_stranger_or_with_another_number_is_not_taken(bench: Bench) -> None:
    usage, tag = offered(bench)
    bench.endpoint.calls.answer(usage, b"v=0\r\n", bench.now)
    bench.receive(request("ACK", to_tag=tag, branch="z9hG4bKack"), FROM_STRANGER)
    bench.receive(request("ACK", to_tag=tag, branch="z9hG4bKack", cseq=7))
    assert bench.count("stray_acks") == 2
    assert bench.endpoint.calls.state(usage) is UsageState.ANSWERED


# --- inside a dialog


def test_requests_with_tags_of_nobody_get_481(bench: Bench) -> None:
    _, tag = established(bench)
    assert bench.response(request("BYE", cseq=2, to_tag="wrong")).code == 481
    assert bench.response(request("BYE", cseq=2, to_tag=tag, from_tag="wrong")).code == 481
    assert bench.response(request("BYE", cseq=2, to_tag=tag), FROM_STRANGER).code == 481
    assert bench.response(request("INVITE", cseq=2, to_tag="wrong")).code == 481
    assert bench.count("stray_requests") == 4
    assert bench.told == []


def test_a_lower_cseq_gets_500_and_gaps_are_fine(bench: Bench) -> None:
    _, tag = established(bench)
    bench.receive(request("INFO", cseq=9, to_tag=tag, branch="z9hG4bKi1"))
    bench.endpoint.respond(bench.take(InDialogReceived).transaction, 200, bench.now)
    bench.collect()
    reply = bench.response(request("BYE", cseq=8, to_tag=tag, branch="z9hG4bKi2"))
    assert reply.code == 500
    assert bench.response(request("BYE", cseq=100, to_tag=tag, branch="z9hG4bKi3")).code == 200
    assert bench.take(UsageEnded).cause == "bye"


def test_a_bye_from_a_peer_that_copies_our_via_is_answered(bench: Bench) -> None:
    _, tag = established(bench)
    via = f"SIP/2.0/UDP {SERVER};branch=z9hG4bKours;rport"
    bench.receive(request("BYE", cseq=2, to_tag=tag, via=via))
    data, flow = bench.out[-1]
    assert data.startswith(b"SIP/2.0 200 OK\r\n")
    assert flow.remote == PHONE


def test_a_bye_before_the_answer_ends_the_offer(bench: Bench) -> None:
    usage, tag = offered(bench)
    sent = bench.receive(request("BYE", cseq=2, to_tag=tag, branch="z9hG4bKbye"))
    assert bench.codes(sent) == [200, 487]
    assert bench.take(InviteCancelled).reason == "bye"
    assert bench.endpoint.calls.state(usage) is UsageState.ENDED


def test_options_in_a_dialog_is_offered_to_the_application(bench: Bench) -> None:
    usage, tag = established(bench)
    bench.receive(request("OPTIONS", cseq=2, to_tag=tag))
    event = bench.take(InDialogReceived)
    assert event.usage == usage
    bench.endpoint.respond(event.transaction, 200, bench.now, headers=(("Allow", "INVITE"),))
    bench.collect()
    assert bench.out[-1][0].count(b"Allow:") == 1


def test_a_reinvite_before_the_answer_gets_500(bench: Bench) -> None:
    usage, tag = offered(bench)
    data = request("INVITE", cseq=2, to_tag=tag, branch="z9hG4bKre", body=SDP)
    reply = bench.response(data)
    assert reply.code == 500
    assert reply.headers["Retry-After"] == "1"
    assert bench.endpoint.calls.state(usage) is UsageState.OFFERED


def test_a_reinvite_before_the_ack_of_the_last_gets_500(bench: Bench) -> None:
    usage, tag = offered(bench)
    bench.endpoint.calls.answer(usage, b"v=0\r\n", bench.now)
    bench.collect()
    data = request("INVITE", cseq=2, to_tag=tag, branch="z9hG4bKre", body=SDP)
    assert bench.response(data).code == 500


def test_a_second_reinvite_before_the_first_is_answered_gets_500(bench: Bench) -> None:
    _, tag = established(bench)
    assert bench.response(request("INVITE", cseq=2, to_tag=tag, branch="z9hG4bKr1")).code == 100
    assert bench.response(request("INVITE", cseq=3, to_tag=tag, branch="z9hG4bKr2")).code == 500


def test_a_cancelled_reinvite_gets_487_and_the_call_stands(bench: Bench) -> None:
    usage, tag = established(bench)
    bench.receive(request("INVITE", cseq=2, to_tag=tag, branch="z9hG4bKr1", body=SDP))
    event = bench.take(ReinviteReceived)
    sent = bench.receive(request("CANCEL", cseq=2, to_tag=tag, branch="z9hG4bKr1"))
    assert bench.codes(sent) == [200, 487]
    bench.endpoint.respond(event.transaction, 200, bench.now, body=b"v=0\r\n")
    assert bench.collect() == []
    assert bench.count("late_calls") == 1
    assert bench.endpoint.calls.state(usage) is UsageState.ESTABLISHED
    bench.receive(request("ACK", cseq=2, to_tag=tag, branch="z9hG4bKr1"))
    bench.receive(request("INVITE", cseq=3, to_tag=tag, branch="z9hG4bKr2", body=SDP))
    bench.take(ReinviteReceived)


def test_a_reinvite_may_ring_before_it_is_answered(bench: Bench) -> None:
    _, tag = established(bench)
    bench.receive(request("INVITE", cseq=2, to_tag=tag, branch="z9hG4bKr1", body=SDP))
    transaction = bench.take(ReinviteReceived).transaction
    bench.endpoint.respond(transaction, 183, bench.now)
    assert bench.codes(bench.collect()) == [183]
    data = request("INVITE", cseq=3, to_tag=tag, branch="z9hG4bKr2", body=SDP)
    assert bench.response(data).code == 500, "the first one still waits"


def test_a_reinvite_moves_the_target_and_the_port(bench: Bench) -> None:
    usage, tag = established(bench)
    moved = Flow("UDP", SERVER, HostPort(PHONE.host, 40001))
    contact = ("Contact: <sip:100@127.0.0.2:40001>",)
    data = request("INVITE", cseq=2, to_tag=tag, branch="z9hG4bKr1", headers=contact, body=SDP)
    bench.receive(data, moved)
    assert str(bench.endpoint.calls.dialog(usage).remote_target) == "sip:100@127.0.0.2:5070"
    bench.endpoint.respond(bench.take(ReinviteReceived).transaction, 200, bench.now)
    bench.receive(request("ACK", cseq=2, to_tag=tag), moved)
    bench.take(AckReceived)
    bench.endpoint.calls.bye(usage, bench.now)
    bench.collect()
    data, flow = bench.out[-1]
    assert data.startswith(b"BYE sip:100@127.0.0.2:40001 SIP/2.0\r\n")
    assert flow == moved


def test_requests_after_our_bye_get_481_and_a_bye_200(bench: Bench) -> None:
    usage, tag = established(bench)
    bench.endpoint.calls.bye(usage, bench.now)
    bench.collect()
    assert bench.response(request("INFO", cseq=2, to_tag=tag)).code == 481
    assert bench.response(request("BYE", cseq=3, to_tag=tag)).code == 200
    assert bench.told == []


def test_the_route_set_of_the_invite_is_used(bench: Bench) -> None:
    routes = (
        "Record-Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>",
        "Record-Route: <sip:p3.example.com;lr>",
        "Contact: <sip:100@10.0.0.9>",
    )
    bench.receive(request("INVITE", headers=routes, body=SDP))
    usage = bench.take(InviteOffered).usage
    bench.endpoint.calls.provisional(usage, 180, bench.now)
    bench.endpoint.calls.answer(usage, b"v=0\r\n", bench.now)
    for message in bench.collect():
        assert message.headers.getlist("Record-Route") == [
            "<sip:p1.example.com;lr>, <sip:p2.example.com;lr>",
            "<sip:p3.example.com;lr>",
        ]
    bench.receive(request("ACK", to_tag="x"))
    bench.endpoint.calls.bye(usage, bench.now)
    bye = bench.collect()[-1]
    assert isinstance(bye, Request)
    assert str(bye.uri) == "sip:100@10.0.0.9"
    assert bye.headers.getlist("Route") == [
        "<sip:p1.example.com;lr>",
        "<sip:p2.example.com;lr>",
        "<sip:p3.example.com;lr>",
    ]


# --- requests outside of dialogs


def test_answered_requests_are_not_kept_with_the_usage(bench: Bench) -> None:
    usage, tag = established(bench)
    for number in range(2, 40):
        data = request("INFO", cseq=number, to_tag=tag, branch=f"z9hG4bK{number}")
        bench.receive(data)
        bench.wait(33)
    found = bench.endpoint._core.usages.get(usage)
    assert found is not None
    assert len(found.requests) == 1


def test_a_completed_request_of_ours_is_told_after_the_peers_bye(bench: Bench) -> None:
    usage, tag = established(bench)
    request_id = bench.endpoint.calls.request(usage, "INFO", bench.now)
    bench.receive(request("BYE", cseq=2, to_tag=tag))
    assert bench.take(UsageEnded).usage == usage
    bench.wait(33)
    done = bench.take(RequestCompleted)
    assert (done.request_id, done.code) == (request_id, 408)


def test_the_same_request_twice_inside_a_dialog(bench: Bench) -> None:
    _, tag = established(bench)
    bench.receive(request("INFO", cseq=2, to_tag=tag, branch="z9hG4bKi1"))
    bench.receive(request("INFO", cseq=2, to_tag=tag, branch="z9hG4bKi2"))
    for event in (bench.take(InDialogReceived), bench.take(InDialogReceived)):
        bench.endpoint.respond(event.transaction, 200, bench.now)
    assert bench.codes(bench.collect()) == [200, 200]
    bench.wait(33)
    layer = bench.endpoint._core.transactions
    assert (len(layer), len(layer._merge), len(layer._by_id)) == (0, 0, 0)


def test_a_bye_leaves_what_was_answered_alone(bench: Bench) -> None:
    _, tag = established(bench)
    bench.receive(request("INFO", cseq=2, to_tag=tag, branch="z9hG4bKi1"))
    bench.take(InDialogReceived)
    bench.wait(33)
    sent = bench.receive(request("BYE", cseq=3, to_tag=tag, branch="z9hG4bKb1"))
    assert bench.codes(sent) == [200], "the INFO that nobody answered is gone by itself"
