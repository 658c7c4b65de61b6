"""What odd, hostile and half-broken peers send to us, and what they get for it."""

import logging

import pytest

from sip.address import Flow, HostPort, Transport
from sip.errors import LocalProtocolError
from sip.events import (
    AckReceived,
    Authorized,
    InDialogReceived,
    InviteCancelled,
    InviteOffered,
    Refused,
    ReinviteReceived,
    RequestCompleted,
    RequestOffered,
    UsageEnded,
)
from sip.message import Request, Response
from sip.usage_state import UsageState
from tests.support.sip_raw import (
    FLOW,
    PHONE,
    SERVER,
    STRANGER,
    Bench,
    answer_to,
    request,
)

SDP = "v=0\r\n"
FROM_STRANGER = Flow("UDP", SERVER, STRANGER)


def offered(bench: Bench) -> tuple[int, str]:
    """Return the usage of an offered call, and our tag."""
    bench.receive(request("INVITE", body=SDP))
    usage = bench.take(InviteOffered).usage
    return usage, bench.endpoint.calls.dialog(usage).local_tag


def established(bench: Bench) -> tuple[int, str]:
    usage, tag = offered(bench)
    bench.endpoint.calls.answer(usage, b"v=0\r\n", bench.now)
    bench.receive(request("ACK", to_tag=tag, branch="z9hG4bKack"))
    bench.take(AckReceived)
    return usage, tag


# --- authorisation


def test_a_refused_request_gets_one_stateless_reply() -> None:
    challenge = (("WWW-Authenticate", 'Digest realm="x"'), ("WWW-Authenticate", "Digest second"))
    bench = Bench(authorize=lambda *_: Refused(401, "Unauthorized", challenge))
    first = bench.response(request("INVITE", body=SDP))
    assert (first.code, first.phrase) == (401, "Unauthorized")
    assert first.headers.getlist("WWW-Authenticate") == [value for _, value in challenge]
    assert bench.endpoint.transactions == 0
    assert bench.endpoint.next_timeout() is None
    second = bench.response(request("INVITE", body=SDP))
    assert second.head.to_tag == first.head.to_tag != ""
    assert bench.count("refused") == 2
    assert bench.receive(request("ACK", to_tag=first.head.to_tag)) == []
    assert bench.count("stray_acks") == 1
    assert bench.told == []


def test_a_refusal_is_hardly_longer_than_the_request() -> None:
    bench = Bench(authorize=lambda *_: Refused(403, "Forbidden"))
    data = request("REGISTER")
    bench.receive(data)
    assert len(bench.out[0][0]) <= 1.2 * len(data)


def test_authorize_sees_the_request_and_its_source() -> None:
    seen = []

    def authorize(asked: Request, flow: Flow, now: float) -> Authorized:
        seen.append((asked.method, flow, now))
        return Authorized("the phone")

    bench = Bench(authorize=authorize)
    bench.now = 5.0
    bench.receive(request("OPTIONS"))
    assert seen == [("OPTIONS", FLOW, 5.0)]
    offer = bench.take(RequestOffered)
    assert (offer.identity, offer.flow) == ("the phone", FLOW)


def test_a_retry_with_the_branch_of_the_challenged_invite_is_a_new_request() -> None:
    verdicts = [Refused(401, "Unauthorized"), Authorized()]
    bench = Bench(authorize=lambda *_: verdicts.pop(0))
    assert bench.response(request("INVITE", cseq=1, body=SDP)).code == 401
    bench.receive(request("ACK", cseq=1, to_tag="made-up"))
    assert bench.response(request("INVITE", cseq=2, body=SDP)).code == 100
    bench.take(InviteOffered)


def test_an_exception_in_authorize_stays_inside(caplog: pytest.LogCaptureFixture) -> None:
    def authorize(*_: object) -> Authorized:
        raise RuntimeError("broken")

    bench = Bench(authorize=authorize)
    with caplog.at_level(logging.CRITICAL):
        assert bench.receive(request("OPTIONS")) == []
    assert bench.count("failed") == 1


def test_an_exception_in_a_timer_stays_inside(bench: Bench) -> None:
    def callback(_now: float) -> None:
        raise RuntimeError("broken")

    bench.endpoint._core.heap.start(1.0, callback)
    bench.wait(2.0)
    assert bench.count("failed") == 1


# --- what is no request for the application


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\0", b"\r\n"])
def test_keepalives_are_counted_and_not_answered(bench: Bench, data: bytes) -> None:
    assert bench.receive(data) == []
    assert bench.count("keepalives") == 1
    assert bench.count("malformed") == 0


def test_a_keepalive_on_a_stream_gets_its_pong(bench: Bench) -> None:
    flow = Flow("TCP", SERVER, PHONE)
    bench.endpoint.receive(b"\r\n\r\n", flow, 0.0)
    assert bench.endpoint.send_queue() == [(b"\r\n", flow)]


def test_garbage_is_dropped_and_counted(bench: Bench) -> None:
    assert bench.receive(b"\x80\x00\x01\x02 garbage") == []
    assert bench.receive(b"x" * 70_000) == []
    assert bench.count("malformed") == 2


def test_a_bad_request_gets_its_400(bench: Bench) -> None:
    reply = bench.response(request("OPTIONS").replace(b"Forwards: 70", b"Forwards: many"))
    assert (reply.code, reply.phrase) == (400, "Bad Max-Forwards")
    assert bench.endpoint.transactions == 0


def test_what_can_be_read_of_a_bad_request_comes_back(bench: Bench) -> None:
    bench.endpoint.receive(
        b"INVITE sip:someone@example.com SIP/2.0\r\nVia: SIP/2.0/UDP x;;\r\nCSeq: one\r\n\r\n",
        FLOW,
        0.0,
    )
    ((data, flow),) = bench.endpoint.send_queue()
    assert flow == FLOW
    assert data.decode().split("\r\n") == [
        "SIP/2.0 400 Missing From",
        "Via: SIP/2.0/UDP x;;",
        "CSeq: one",
        "Content-Length: 0",
        "",
        "",
    ]


def test_a_bad_ack_and_a_bad_response_get_nothing(bench: Bench) -> None:
    assert bench.receive(request("ACK").replace(b"CSeq: 1 ", b"CSeq: one ")) == []
    assert bench.receive(b"SIP/2.0 2000 OK\r\nVia: SIP/2.0/UDP x\r\n\r\n") == []
    assert bench.count("malformed") == 2


def test_a_request_without_via_can_not_be_answered(bench: Bench) -> None:
    assert bench.receive(b"OPTIONS sip:x SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n") == []


def test_responses_to_nothing_are_dropped(bench: Bench) -> None:
    bench.receive(request("OPTIONS"))
    asked = bench.take(RequestOffered).request
    assert bench.receive(answer_to(asked, 200)) == []
    assert bench.count("stray_responses") == 1


def test_the_source_is_noted_in_the_via_and_gets_the_reply(bench: Bench) -> None:
    source = Flow("UDP", SERVER, HostPort("203.0.113.9", 40000))
    via = "SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKnat;rport"
    bench.endpoint.receive(request("INVITE", via=via, body=SDP), source, 0.0)
    ((data, flow),) = bench.endpoint.send_queue()
    assert flow == source
    expected = b"Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKnat;rport=40000;received=203.0.113.9"
    assert expected in data


def test_all_vias_come_back_in_order() -> None:
    bench = Bench(authorize=lambda *_: Refused(403, "Forbidden"))
    via = "SIP/2.0/UDP 127.0.0.2:5070;branch=z9hG4bK1, SIP/2.0/TCP b;branch=z9hG4bK2"
    reply = bench.response(request("INVITE", via=via, headers=("Via: SIP/2.0/UDP c",)))
    assert reply.headers.getlist("Via") == [via, "SIP/2.0/UDP c"]


def test_unsupported_extensions_get_420(bench: Bench) -> None:
    required = ("Require: 100rel, timer", "Require: timer", "Contact: <sip:a@127.0.0.2>")
    replies = bench.codes(bench.receive(request("INVITE", headers=required)))
    assert replies == [100, 420]
    assert b"Unsupported: 100rel, timer, timer\r\n" in bench.out[-1][0]
    able = Bench(supported=["timer", "100rel"])
    able.receive(request("INVITE", headers=required))
    able.take(InviteOffered)


def test_unsupported_extensions_inside_a_dialog_get_420(bench: Bench) -> None:
    _, tag = established(bench)
    data = request("INFO", cseq=2, to_tag=tag, headers=("Require: magic",))
    assert bench.response(data).code == 420


def test_a_body_that_is_no_sdp_gets_415(bench: Bench) -> None:
    data = request("INVITE", body=SDP).replace(b"application/sdp", b"text/plain")
    assert bench.codes(bench.receive(data)) == [100, 415]
    assert b"Accept: application/sdp\r\n" in bench.out[-1][0]
    data = request("INVITE", cseq=2, body=SDP, headers=("Content-Encoding: gzip",))
    assert bench.codes(bench.receive(data)) == [100, 415]


def test_a_caller_that_accepts_no_sdp_gets_406(bench: Bench) -> None:
    headers = ("Accept: text/plain, text/html;q=0.5", "Contact: <sip:a@127.0.0.2>")
    assert bench.codes(bench.receive(request("INVITE", headers=headers))) == [100, 406]
    headers = ("Accept: text/plain, */*;q=0.5", "Contact: <sip:a@127.0.0.2>")
    bench.receive(request("INVITE", cseq=2, headers=headers))
    bench.take(InviteOffered)


@pytest.mark.parametrize(
    "contact", [(), ("Contact: <sip:a@x>, <sip:b@x>",), ("Contact: <<>",), ("Contact: *",)]
)
def test_an_invite_without_a_usable_contact_gets_400(
    bench: Bench, contact: tuple[str, ...]
) -> None:
    assert bench.codes(bench.receive(request("INVITE", headers=contact))) == [100, 400]
    assert bench.endpoint.usages == 0


def test_a_request_by_two_paths_is_merged(bench: Bench) -> None:
    offered(bench)
    reply = bench.response(request("INVITE", branch="z9hG4bKother", body=SDP))
    assert reply.code == 482
    assert bench.told == []


def test_a_retransmitted_invite_gets_the_last_response_again(bench: Bench) -> None:
    usage, _ = offered(bench)
    again = request("INVITE", body=SDP)
    assert bench.response(again).code == 100
    bench.endpoint.calls.provisional(usage, 180, bench.now)
    bench.collect()
    assert bench.response(again).code == 180
    assert bench.count("retransmissions_received") == 2
    assert bench.told == []


def test_a_retransmitted_invite_after_200_makes_no_second_call(bench: Bench) -> None:
    usage, _ = offered(bench)
    bench.endpoint.calls.answer(usage, b"v=0\r\n", bench.now)
    bench.collect()
    assert bench.receive(request("INVITE", body=SDP)) == []
    assert bench.told == []
    assert bench.endpoint.usages == 1


def test_the_branch_of_another_host_finds_nothing(bench: Bench) -> None:
    usage, _ = offered(bench)
    reply = bench.response(request("CANCEL"), FROM_STRANGER)
    assert reply.code == 481
    assert bench.endpoint.calls.state(usage) is UsageState.OFFERED


def test_a_client_of_rfc_2543_is_matched_without_a_branch(bench: Bench) -> None:
    via = "SIP/2.0/UDP 127.0.0.2:5070"
    bench.receive(request("INVITE", via=via, from_tag="", body=SDP))
    usage = bench.take(InviteOffered).usage
    assert bench.response(request("INVITE", via=via, from_tag="", body=SDP)).code == 100
    bench.endpoint.calls.reject(usage, 486, bench.now)
    bench.collect()
    bench.receive(request("ACK", via=via, from_tag="", to_tag="any"))
    assert bench.wait(4) == [], "the ACK stopped Timer G"


def test_cancel(bench: Bench) -> None:
    usage, tag = offered(bench)
    sent = bench.receive(request("CANCEL", headers=("Reason: SIP;cause=200",)))
    assert [(m.code, m.head.method) for m in sent if isinstance(m, Response)] == [
        (200, "CANCEL"),
        (487, "INVITE"),
    ]
    assert {message.head.to_tag for message in sent} == {tag}
    event = bench.take(InviteCancelled)
    assert (event.usage, event.reason) == (usage, "SIP;cause=200")
    assert bench.response(request("CANCEL")).code == 200, "a retransmission"
    assert bench.codes(bench.wait(0.6)) == [487], "Timer G"
    bench.receive(request("ACK", to_tag=tag))
    assert bench.wait(40) == []
    assert bench.endpoint.transactions == 0


def test_cancel_after_the_answer_changes_nothing(bench: Bench) -> None:
    usage, _ = offered(bench)
    bench.endpoint.calls.answer(usage, b"v=0\r\n", bench.now)
    bench.collect()
    assert bench.response(request("CANCEL")).code == 200
    assert bench.endpoint.calls.state(usage) is UsageState.ANSWERED


def test_cancel_after_a_refusal_changes_nothing(bench: Bench) -> None:
    usage, _ = offered(bench)
    bench.endpoint.calls.reject(usage, 486, bench.now)
    bench.collect()
    assert bench.response(request("CANCEL")).code == 200


def test_cancel_of_nothing_gets_481(bench: Bench) -> None:
    assert bench.response(request("CANCEL")).code == 481
    assert bench.count("stray_requests") == 1


def test_a_refusal_without_ack_is_repeated_and_then_forgotten(bench: Bench) -> None:
    usage, _ = offered(bench)
    bench.endpoint.calls.reject(usage, 486, bench.now)
    sent = bench.wait(33)
    assert bench.codes(sent) == [486] * 11
    assert bench.endpoint.transactions == bench.endpoint.usages == 0
    assert bench.count("acks_missing") == 1


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


def test_an_offered_request_is_answered_once(bench: Bench) -> None:
    bench.receive(request("REGISTER", to_tag="", cseq=3))
    event = bench.take(RequestOffered)
    with pytest.raises(LocalProtocolError):
        bench.endpoint.respond(event.transaction, 180, bench.now)
    bench.endpoint.respond(
        event.transaction, 423, bench.now, reason="Too Brief", headers=(("Min-Expires", "60"),)
    )
    (reply,) = bench.collect()
    assert isinstance(reply, Response)
    assert (reply.code, reply.phrase, reply.headers["Min-Expires"]) == (423, "Too Brief", "60")
    assert reply.head.to_tag
    bench.endpoint.respond(event.transaction, 200, bench.now)
    assert bench.collect() == []
    again = bench.response(request("REGISTER", cseq=3))
    assert again.code == 423
    bench.wait(33)
    bench.endpoint.respond(event.transaction, 200, bench.now)
    assert bench.collect() == []
    assert bench.count("late_calls") == 2


def test_a_register_with_a_to_tag_is_no_dialog(bench: Bench) -> None:
    bench.receive(request("REGISTER", to_tag="odd"))
    bench.take(RequestOffered)


def test_an_unknown_method_is_the_applications_to_refuse(bench: Bench) -> None:
    bench.receive(request("RE%47IST%45R"))
    event = bench.take(RequestOffered)
    assert event.request.method == "RE%47IST%45R"
    bench.endpoint.respond(event.transaction, 501, bench.now)
    assert bench.codes(bench.collect()) == [501]


def test_a_request_that_is_never_answered_is_forgotten(bench: Bench) -> None:
    bench.receive(request("OPTIONS"))
    assert bench.receive(request("OPTIONS")) == []
    assert bench.wait(33) == []
    assert bench.endpoint.transactions == 0


def test_the_first_invite_is_not_answered_by_its_transaction(bench: Bench) -> None:
    usage, _ = offered(bench)
    found = bench.endpoint._core.usages.get(usage)
    assert found is not None
    assert found.invite is not None
    with pytest.raises(LocalProtocolError):
        bench.endpoint.respond(found.invite.id, 200, bench.now)


def test_no_value_of_the_application_can_start_a_header(bench: Bench) -> None:
    usage, _ = offered(bench)
    bench.endpoint.calls.reject(
        usage, 486, bench.now, reason="Busy\r\nX: 1", headers=(("Warning", "a\r\nY: 2\n\nZ"),)
    )
    (reply,) = bench.collect()
    assert reply.headers.get("X") is None
    assert reply.headers.get("Y") is None
    assert reply.headers["Warning"] == "a Y: 2 Z"


def test_overload_is_shed_before_authorisation() -> None:
    asked = []

    def authorize(*_: object) -> Authorized:
        asked.append(1)
        return Authorized()

    bench = Bench(authorize=authorize, max_transactions=2)
    bench.receive(request("OPTIONS", cseq=1))
    bench.receive(request("OPTIONS", cseq=2))
    reply = bench.response(request("OPTIONS", cseq=3))
    assert (reply.code, reply.headers["Retry-After"]) == (503, "10")
    assert len(asked) == 2
    assert bench.endpoint.transactions == 2


def test_even_dialogs_have_a_bound() -> None:
    bench = Bench(max_transactions=1)
    _, tag = established(bench)
    bench.receive(request("INFO", cseq=2, to_tag=tag))
    assert bench.response(request("INFO", cseq=3, to_tag=tag)).code == 503


def test_the_transport_fails_under_a_refusal(bench: Bench) -> None:
    usage, _ = offered(bench)
    bench.endpoint.calls.reject(usage, 486, bench.now)
    bench.endpoint.transport_failed(FLOW, bench.now)
    assert bench.endpoint.transactions == 0
    assert bench.count("transport_errors") == 1


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


def test_contact_can_be_set_when_the_port_is_known(bench: Bench) -> None:
    bench.endpoint.contact = HostPort("127.0.0.1", 15060)
    assert bench.endpoint.contact.port == 15060
    usage, _ = offered(bench)
    bench.endpoint.calls.answer(usage, b"v=0\r\n", bench.now)
    (answer,) = bench.collect()
    assert answer.headers["Contact"] == "<sip:127.0.0.1:15060>"


def test_product_names_are_in_requests_and_answers() -> None:
    bench = Bench(user_agent="Mitschnitt/1")
    usage, _ = established(bench)
    assert b"Server: Mitschnitt/1\r\n" in bench.out[-1][0]
    bench.endpoint.calls.reinvite(usage, b"v=0\r\n", bench.now)
    (reinvite,) = bench.collect()
    assert reinvite.headers["User-Agent"] == "Mitschnitt/1"


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


# --- what is never longer than 1.2 times the request

CHALLENGE = ("WWW-Authenticate", f'Digest realm="mitschnitt", nonce="{"x" * 36}"')


def challenged(data: bytes, transport: Transport = "UDP") -> bytes:
    """What a stranger gets for a request; nothing, if so."""
    refused = Refused(401, "Unauthorized", (CHALLENGE, CHALLENGE))
    bench = Bench(authorize=lambda *_: refused)
    flow = Flow(transport, SERVER, PHONE)
    bench.endpoint.receive(data, flow, bench.now)
    replies = [reply for reply, _ in bench.endpoint.send_queue()]
    assert len(replies) <= 1
    assert bench.count("too_short") == (not replies)
    return replies[0] if replies else b""


@pytest.mark.parametrize(
    ("filler", "challenges", "status"),
    [
        (400, 2, "401 Unauthorized"),
        (110, 1, "401 Unauthorized"),
        (70, 1, "401 Unauthorized"),
        (0, 0, "403 Too Short To Challenge"),
    ],
)
def test_a_reply_loses_what_it_can_do_without(filler: int, challenges: int, status: str) -> None:
    header = (f"Subject: {'x' * (filler - 11)}",) if filler else ()
    data = request("REGISTER", headers=header)
    reply = challenged(data).decode()
    assert reply.startswith(f"SIP/2.0 {status}\r\n")
    assert reply.count("WWW-Authenticate") == challenges
    assert len(reply) <= 1.2 * len(data)


def test_where_nothing_fits_there_is_no_reply_and_a_stream_has_no_such_limit() -> None:
    data = b"OPTIONS sip:x SIP/2.0\r\nv: SIP/2.0/UDP x;rport\r\nf: a:b\r\n\r\n"
    assert challenged(data) == b""
    assert challenged(request("REGISTER", headers=()), "TCP").count(b"WWW-Authenticate") == 2


def test_an_options_that_is_as_short_as_can_be_is_let_go(bench: Bench) -> None:
    data = (
        b"OPTIONS sip:x SIP/2.0\r\nv:SIP/2.0/UDP x;rport;branch=z9hG4bKx\r\nf:sip:x\r\nt:sip:x\r\n"
        b"i:x\r\nCSeq:1 OPTIONS\r\n\r\n"
    )
    bench.receive(data)
    offered = bench.take(RequestOffered)
    bench.endpoint.respond(offered.transaction, 200, bench.now, headers=(("Allow", "x" * 80),))
    assert bench.collect() == []
    assert bench.count("too_short") == 1
    bench.wait(40)
    assert bench.endpoint.transactions == 0


def test_a_register_that_nobody_could_store_is_not_challenged(bench: Bench) -> None:
    bad = request("REGISTER", headers=("Contact: <sip:a@x>, ;",))
    assert bench.response(bad).code == 400
    for number, contact in enumerate(("*", "<sip:a@x>;q=0.1")):
        branch, header = f"z9hG4bK{number}", f"Contact: {contact}"
        bench.receive(request("REGISTER", headers=(header,), call_id=branch, branch=branch))
        bench.take(RequestOffered)
