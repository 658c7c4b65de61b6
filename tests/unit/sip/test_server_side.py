"""What odd, hostile and half-broken peers send to us, and what they get for it."""

import logging

import pytest

from sip.address import Flow, HostPort
from sip.errors import LocalProtocolError
from sip.events import Authorized, InviteCancelled, InviteOffered, Refused, RequestOffered
from sip.message import Request, Response
from sip.usage_state import UsageState
from tests.support.sip_raw import (
    FLOW,
    FROM_STRANGER,
    PHONE,
    SDP,
    SERVER,
    Bench,
    answer_to,
    established,
    offered,
    request,
)

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
