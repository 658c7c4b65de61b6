"""Our INVITEs against what odd peers answer."""

import pytest

from sip.endpoint import Endpoint
from sip.errors import LocalProtocolError
from sip.events import (
    InDialogReceived,
    InviteAnswered,
    InviteFailed,
    InviteProgressed,
    RequestCompleted,
    UsageEnded,
)
from sip.message import URI, Address, Request, parse
from sip.uac import MAX_LATE
from sip.usage_state import UsageState
from tests.support.sip_pair import authorize_all
from tests.support.sip_raw import FLOW, SERVER, Bench, answer_to, request


def invite(bench: Bench, body: bytes = b"v=0\r\n") -> tuple[int, Request]:
    usage = bench.endpoint.calls.invite(
        target=URI.parse("sip:200@127.0.0.2:5070"),
        flow=FLOW,
        from_=Address.parse("<sip:100@127.0.0.1>"),
        to=Address.parse("<sip:200@127.0.0.1>"),
        body=body,
        caused_by=parse(request("INVITE")),  # type: ignore[arg-type]  # a request, with 70 hops left
        now=bench.now,
    )
    (sent,) = bench.collect()
    assert isinstance(sent, Request)
    return usage, sent


def test_the_invite_has_its_fields(bench: Bench) -> None:
    _, sent = invite(bench)
    assert sent.headers["Max-Forwards"] == "69"
    assert sent.headers["Contact"] == "<sip:127.0.0.1:5060>"
    assert sent.headers["To"] == "<sip:200@127.0.0.1>"
    assert sent.headers["Allow"] == "INVITE, ACK, CANCEL, BYE, OPTIONS"
    assert sent.headers["Content-Type"] == "application/sdp"


def test_answers_of_further_forks_are_acknowledged_and_ended(bench: Bench) -> None:
    usage, sent = invite(bench)
    bench.receive(answer_to(sent, 180, to_tag="one"))
    bench.receive(answer_to(sent, 180, to_tag="two"))
    assert [bench.take(InviteProgressed).usage for _ in range(2)] == [usage, usage]
    (ack,) = bench.receive(answer_to(sent, 200, to_tag="one"))
    assert ack.head.to_tag == "one"
    bench.take(InviteAnswered)
    assert bench.endpoint.calls.dialog(usage).remote_tag == "one"
    fork = bench.receive(answer_to(sent, 200, to_tag="two"))
    assert bench.methods(fork) == ["ACK", "BYE"]
    assert {message.head.to_tag for message in fork} == {"two"}
    again = bench.receive(answer_to(sent, 200, to_tag="two"))
    assert bench.methods(again) == ["ACK"]
    again = bench.receive(answer_to(sent, 200, to_tag="one"))
    assert bench.methods(again) == ["ACK"]
    assert bench.told == []
    assert bench.endpoint.calls.state(usage) is UsageState.ESTABLISHED


def test_forks_without_end_are_bounded(bench: Bench) -> None:
    usage, sent = invite(bench)
    for number in range(100):
        bench.receive(answer_to(sent, 180, to_tag=f"early{number}"))
    for number in range(100):
        bench.receive(answer_to(sent, 200, to_tag=f"fork{number}"))
    found = bench.endpoint._core.usages.get(usage)
    assert found is not None
    assert len(found.acks) <= 16
    assert len(found.keys) <= 17


def test_a_request_in_an_early_dialog_is_told(bench: Bench) -> None:
    usage, sent = invite(bench)
    bench.receive(answer_to(sent, 183, to_tag="one"))
    bench.receive(answer_to(sent, 183, to_tag="two"))
    tag, call_id = sent.head.from_tag, sent.head.call_id
    bench.told.clear()
    data = request("UPDATE", cseq=5, from_tag="one", to_tag=tag, call_id=call_id)
    bench.receive(data)
    assert bench.take(InDialogReceived).usage == usage
    reply = bench.response(
        request("BYE", cseq=6, from_tag="two", to_tag=tag, call_id=call_id, branch="z9hG4bKb")
    )
    assert reply.code == 481, "a callee has no BYE in an early dialog"
    bench.endpoint.calls.request(usage, "INFO", bench.now)
    bench.collect()
    bench.receive(answer_to(sent, 200, to_tag="two"))
    assert bench.endpoint.calls.dialog(usage).local_cseq == 2, "counted on from the early dialog"


def test_a_peer_that_answers_cancel_but_never_the_invite(bench: Bench) -> None:
    usage, sent = invite(bench)
    bench.receive(answer_to(sent, 180))
    bench.take(InviteProgressed)
    bench.endpoint.calls.cancel(usage, bench.now)
    (cancel,) = bench.collect()
    assert isinstance(cancel, Request)
    assert cancel.head.via.branch == sent.head.via.branch
    assert cancel.headers["CSeq"] == "1 CANCEL"
    assert cancel.uri == sent.uri
    bench.receive(answer_to(cancel, 200))
    bench.receive(answer_to(sent, 180))
    assert bench.told == []
    bench.wait(31)
    assert bench.told == []
    bench.wait(2)
    failed = bench.take(InviteFailed)
    assert (failed.usage, failed.code) == (usage, 487)
    # Minutes later somebody picks the phone up after all.
    bench.wait(120)
    late = bench.receive(answer_to(sent, 200))
    assert bench.methods(late) == ["ACK", "BYE"]
    assert bench.methods(bench.receive(answer_to(sent, 200))) == ["ACK"]
    assert bench.receive(answer_to(sent, 180)) == []
    assert bench.told == []
    bench.wait(400)
    assert bench.receive(answer_to(sent, 200)) == []
    assert bench.endpoint.transactions == bench.endpoint.usages == 0
    assert bench.endpoint.next_timeout() is None


def test_late_answers_of_many_forks_are_bounded(bench: Bench) -> None:
    _, sent = invite(bench)
    bench.wait(33)
    assert bench.take(InviteFailed).code == 408
    sent_byes = [
        bench.methods(bench.receive(answer_to(sent, 200, to_tag=f"t{number}"))).count("BYE")
        for number in range(40)
    ]
    assert sum(sent_byes) == 16


def test_given_up_invites_are_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_LATE > 100
    monkeypatch.setattr("sip.uac.MAX_LATE", 2)
    invites = [invite(bench)[1] for _ in range(3)]
    bench.wait(33)
    assert bench.receive(answer_to(invites[0], 200)) == []
    assert bench.methods(bench.receive(answer_to(invites[2], 200))) == ["ACK", "BYE"]


def test_a_refusal_after_cancel_is_487_whatever_its_code(bench: Bench) -> None:
    usage, sent = invite(bench)
    bench.receive(answer_to(sent, 100, to_tag="", headers=()))
    bench.endpoint.calls.cancel(usage, bench.now)
    bench.collect()
    (ack,) = bench.receive(answer_to(sent, 486))
    assert isinstance(ack, Request)
    assert ack.method == "ACK"
    failed = bench.take(InviteFailed)
    assert failed.code == 487
    assert failed.response is not None
    assert failed.response.code == 486
    assert bench.methods(bench.receive(answer_to(sent, 486))) == ["ACK"]


def test_nothing_can_be_sent(bench: Bench) -> None:
    usage, _ = invite(bench)
    bench.endpoint.transport_failed(FLOW, bench.now)
    failed = bench.take(InviteFailed)
    assert (failed.usage, failed.code, failed.reason) == (usage, 503, "Unreachable")


def test_another_flow_fails(bench: Bench) -> None:
    usage, _ = invite(bench)
    other = type(FLOW)("TCP", FLOW.local, FLOW.remote)
    bench.endpoint.transport_failed(other, bench.now)
    assert bench.endpoint.calls.state(usage) is UsageState.CALLING


@pytest.mark.parametrize("headers", [(), ("Contact: <broken",), ("Contact: <sip:a@x>, <sip:b@x>",)])
def test_an_answer_without_a_usable_contact(bench: Bench, headers: tuple[str, ...]) -> None:
    usage, sent = invite(bench)
    (ack,) = bench.receive(answer_to(sent, 200, headers=headers))
    assert isinstance(ack, Request)
    assert str(ack.uri) == "sip:200@127.0.0.2:5070", "the target of the INVITE stays"
    bench.take(InviteAnswered)
    assert str(bench.endpoint.calls.dialog(usage).remote_target) == "sip:200@127.0.0.2:5070"


def test_an_answer_without_a_tag(bench: Bench) -> None:
    usage, sent = invite(bench)
    (ack,) = bench.receive(answer_to(sent, 200, to_tag=""))
    assert ack.headers["To"] == sent.headers["To"]
    bench.take(InviteAnswered)
    data = request("BYE", from_tag="", to_tag=sent.head.from_tag, call_id=sent.head.call_id, cseq=2)
    assert bench.response(data).code == 200
    assert bench.take(UsageEnded).usage == usage


def test_the_route_set_of_the_answer_is_reversed(bench: Bench) -> None:
    usage, sent = invite(bench)
    routes = (
        "Record-Route: <sip:p3;lr>, <sip:p2;lr>",
        "Record-Route: <sip:p1;lr>",
        "Contact: <sip:200@10.0.0.9>",
    )
    (ack,) = bench.receive(answer_to(sent, 200, headers=routes))
    assert ack.headers.getlist("Route") == ["<sip:p1;lr>", "<sip:p2;lr>", "<sip:p3;lr>"]
    bench.endpoint.calls.bye(usage, bench.now)
    (bye,) = bench.collect()
    assert bye.headers.getlist("Route") == ["<sip:p1;lr>", "<sip:p2;lr>", "<sip:p3;lr>"]


def test_a_reinvite_answered_after_the_end_is_still_acknowledged(bench: Bench) -> None:
    usage, sent = invite(bench)
    bench.receive(answer_to(sent, 200))
    bench.take(InviteAnswered)
    request_id = bench.endpoint.calls.reinvite(usage, b"v=0\r\n", bench.now)
    (reinvite,) = bench.collect()
    assert isinstance(reinvite, Request)
    bench.endpoint.calls.bye(usage, bench.now)
    (bye,) = bench.collect()
    assert isinstance(bye, Request)
    bench.receive(answer_to(bye, 200))
    sent_now = bench.receive(answer_to(reinvite, 200))
    assert bench.methods(sent_now) == ["ACK"]
    results = [event for event in bench.told if isinstance(event, RequestCompleted)]
    assert request_id in [event.request_id for event in results]


def test_a_provisional_response_to_a_bye_is_awaited(bench: Bench) -> None:
    usage, sent = invite(bench)
    bench.receive(answer_to(sent, 200))
    bench.take(InviteAnswered)
    bench.endpoint.calls.bye(usage, bench.now)
    (bye,) = bench.collect()
    assert isinstance(bye, Request)
    bench.receive(answer_to(bye, 100))
    assert bench.told == []
    assert len(bench.wait(12)) == 3, "Timer E runs at T2 now"
    bench.receive(answer_to(bye, 200))
    assert bench.take(RequestCompleted).code == 200


def test_tokens_are_random_by_default() -> None:
    endpoint = Endpoint(contact=SERVER, authorize=authorize_all)
    assert endpoint._core.token() != endpoint._core.token()


def test_a_call_that_goes_out_is_not_answered_by_us(bench: Bench) -> None:
    usage, sent = invite(bench)
    bench.receive(answer_to(sent, 180))
    with pytest.raises(LocalProtocolError):
        bench.endpoint.calls.answer(usage, b"", bench.now)


def test_a_481_after_the_end_ends_nothing_twice(bench: Bench) -> None:
    usage, sent = invite(bench)
    bench.receive(answer_to(sent, 200))
    bench.take(InviteAnswered)
    bench.endpoint.calls.request(usage, "INFO", bench.now)
    (info,) = bench.collect()
    assert isinstance(info, Request)
    bench.receive(
        request("BYE", from_tag="callee", to_tag=sent.head.from_tag, call_id=sent.head.call_id)
    )
    bench.take(UsageEnded)
    bench.receive(answer_to(info, 481))
    assert bench.take(RequestCompleted).code == 481
    assert bench.told == []


def test_a_481_in_an_early_dialog_leaves_the_decision_to_the_invite(bench: Bench) -> None:
    usage, sent = invite(bench)
    bench.receive(answer_to(sent, 180))
    bench.take(InviteProgressed)
    bench.endpoint.calls.request(usage, "INFO", bench.now)
    (info,) = bench.collect()
    assert isinstance(info, Request)
    bench.receive(answer_to(info, 481))
    assert bench.take(RequestCompleted).code == 481
    assert bench.told == []
    assert bench.endpoint.calls.state(usage) is UsageState.RINGING
