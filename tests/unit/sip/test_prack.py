"""Reliable provisional responses at both ends (RFC 3262)."""

import pytest

from sip.errors import LocalProtocolError
from sip.events import (
    AckReceived,
    InDialogReceived,
    InviteAnswered,
    InviteCancelled,
    InviteOffered,
    InviteProgressed,
    RequestCompleted,
)
from sip.message import URI, Address, Request, Response
from sip.usage_state import UsageState
from tests.support.sip_pair import ANSWER, OFFER, Node, Wire, drop, offered
from tests.support.sip_raw import FLOW, Bench, answer_to, request

RELIABLE = {"supported": ("100rel",), "allow": ("INVITE", "ACK", "CANCEL", "BYE", "UPDATE")}


def make_wire(*, a_knows: bool = True) -> Wire:
    options = RELIABLE if a_knows else {}
    return Wire(Node("a", "192.0.2.1", **options), Node("b", "192.0.2.2", **RELIABLE))


def test_a_session_description_is_sent_reliably_to_who_knows_it() -> None:
    wire = make_wire()
    a, b = offered(wire)
    wire.b.endpoint.calls.provisional(b, 180, wire.now)
    wire.b.endpoint.calls.provisional(b, 183, wire.now, ANSWER)
    wire.run()
    ringing, progress = wire.a.take(InviteProgressed), wire.a.take(InviteProgressed)
    assert "RSeq" not in ringing.response.headers.keys()  # noqa: SIM118 - no mapping
    assert progress.response.headers["Require"] == "100rel"
    prack = wire.last("a PRACK")
    cseq = progress.response.head.cseq
    assert prack.headers["RAck"] == f"{progress.response.headers['RSeq']} {cseq} INVITE"
    assert prack.head.cseq == cseq + 1
    assert prack.head.to_tag == wire.b.endpoint.calls.dialog(b).local_tag
    assert wire.labels[-1] == "b 200 PRACK"
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.run()
    answered = wire.a.take(InviteAnswered)
    assert answered.response.body == b"", "the answer was given in the 183"
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.finish(40)


def test_who_does_not_know_it_gets_a_plain_one() -> None:
    wire = make_wire(a_knows=False)
    _, b = offered(wire)
    wire.b.endpoint.calls.provisional(b, 183, wire.now, ANSWER)
    wire.run(5)
    assert wire.a.take(InviteProgressed).response.body == ANSWER
    assert "a PRACK" not in wire.labels
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.run()
    assert wire.a.take(InviteAnswered).response.body == ANSWER


def test_who_requires_it_gets_all_reliably_one_after_the_other() -> None:
    wire = make_wire()
    wire.rule = drop("a PRACK", times=1)
    _, b = offered(wire, Require="100rel")
    for code in (180, 181, 182):
        wire.b.endpoint.calls.provisional(b, code, wire.now)
    wire.run(10)
    rseqs = [wire.a.take(InviteProgressed).response.headers["RSeq"] for _ in range(3)]
    assert [int(rseq) - int(rseqs[0]) for rseq in rseqs] == [0, 1, 2]
    said = [label for label in wire.labels if label.startswith("b 18")]
    assert said == ["b 180 INVITE", "b 180 INVITE", "b 181 INVITE", "b 182 INVITE"]
    assert not wire.a.told


def test_without_an_offer_no_reliable_response_goes_before_the_2xx() -> None:
    wire = make_wire()
    _, b = offered(wire, b"", Require="100rel")
    wire.b.endpoint.calls.provisional(b, 180, wire.now)
    wire.b.endpoint.calls.answer(b, OFFER, wire.now)
    wire.run()
    assert wire.a.take(InviteAnswered).response.body == OFFER
    assert "b 180 INVITE" not in wire.labels


def late(code: int = 183) -> tuple[Bench, int, Response]:
    """The phone makes no offer, and we make ours early."""
    bench = Bench(**RELIABLE)
    told = ("Contact: <sip:100@127.0.0.2:5070>", "Supported: 100rel")
    bench.receive(request("INVITE", headers=told))
    usage = bench.take(InviteOffered).usage
    assert bench.endpoint.calls.takes_reliable(usage)
    bench.endpoint.calls.provisional(usage, code, bench.now, OFFER)
    progress = bench.collect()[-1]
    assert isinstance(progress, Response)
    assert progress.body == OFFER
    return bench, usage, progress


def prack_of(progress: Response, body: str = "") -> bytes:
    header = f"RAck: {progress.headers['RSeq']} 1 INVITE"
    tag = progress.head.to_tag
    return request("PRACK", cseq=2, to_tag=tag, branch="z9hG4bKprack", headers=(header,), body=body)


def test_an_early_offer_of_ours_is_answered_in_the_prack() -> None:
    bench, usage, progress = late()
    bench.endpoint.calls.answer(usage, b"", bench.now)
    update = request("UPDATE", cseq=2, to_tag=progress.head.to_tag, branch="z9hG4bKu", body="v=0")
    assert bench.response(update).code == 491, "ours is open"
    sent = bench.receive(prack_of(progress, "v=0\r\n").replace(b"CSeq: 2 ", b"CSeq: 3 "))
    assert bench.codes(sent) == [200], "the 2xx to the INVITE, which has waited"
    received = bench.take(InDialogReceived)
    assert received.request.body == b"v=0\r\n"
    bench.endpoint.respond(received.transaction, 200, bench.now)
    assert [message.head.method for message in bench.collect()] == ["PRACK"]
    assert not bench.endpoint.calls.takes_reliable(usage)


def test_a_prack_without_the_answer_ends_the_call() -> None:
    bench, usage, progress = late()
    assert bench.codes(bench.receive(prack_of(progress))) == [400, 488]
    assert bench.take(InviteCancelled) == InviteCancelled(usage, "prack")


def test_an_offer_of_ours_goes_in_no_response_that_may_be_lost() -> None:
    bench = Bench(**RELIABLE)
    bench.receive(request("INVITE"))
    usage = bench.take(InviteOffered).usage
    assert not bench.endpoint.calls.takes_reliable(usage)
    bench.endpoint.calls.provisional(usage, 183, bench.now, OFFER)
    assert bench.collect()[-1].body == b""
    assert not bench.endpoint.calls.takes_reliable(999)


def test_it_is_repeated_with_ever_longer_pauses_and_given_up() -> None:
    wire = make_wire()
    wire.rule = drop("a PRACK")
    a, b = offered(wire)
    start = wire.now
    wire.b.endpoint.calls.provisional(b, 183, wire.now, ANSWER)
    wire.run(70)
    at = [round(each.when - start, 1) for each in wire.sent if each.label == "b 183 INVITE"]
    assert at == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert wire.b.take(InviteCancelled) == InviteCancelled(b, "prack")
    assert wire.b.endpoint.counters["pracks_missing"] == 1
    assert wire.b.endpoint.calls.state(b) is UsageState.ENDED
    assert "b 504 INVITE" in wire.labels
    assert wire.a.endpoint.calls.state(a) is UsageState.ENDED
    wire.finish(40)


def test_the_answer_waits_for_the_prack() -> None:
    wire = make_wire()
    wire.rule = drop("a PRACK", times=2)
    _, b = offered(wire)
    wire.b.endpoint.calls.provisional(b, 183, wire.now, ANSWER)
    wire.run()
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.b.endpoint.calls.provisional(b, 182, wire.now)
    wire.run(0.3)
    assert "b 200 INVITE" not in wire.labels
    wire.run(5)
    order = [label for label in wire.labels if label in {"b 200 PRACK", "b 200 INVITE"}]
    assert order == ["b 200 PRACK", "b 200 INVITE"]
    assert "b 182 INVITE" not in wire.labels, "nothing is said after the answer"
    wire.a.take(InviteProgressed)
    wire.a.take(InviteAnswered)
    wire.b.take(AckReceived)
    assert wire.b.endpoint.calls.state(b) is UsageState.ESTABLISHED


@pytest.mark.parametrize("how", ["bye", "cancel", "abandon"])
def test_a_call_that_ends_while_the_answer_waits(how: str) -> None:
    wire = make_wire()
    wire.rule = drop("a PRACK")
    a, b = offered(wire)
    wire.b.endpoint.calls.provisional(b, 183, wire.now, ANSWER)
    wire.run()
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    if how == "bye":
        wire.b.endpoint.calls.bye(b, wire.now)
        wire.run()
        assert wire.b.take(RequestCompleted).code == 481
        assert "b 480 INVITE" in wire.labels
    elif how == "abandon":
        wire.b.endpoint.calls.abandon(b, wire.now)
        wire.run()
        assert "b 500 INVITE" in wire.labels
    else:
        wire.a.endpoint.calls.cancel(a, wire.now)
        wire.run()
        assert wire.b.take(InviteCancelled).usage == b
    wire.run(100)
    assert "b 200 INVITE" not in wire.labels
    assert wire.leaks() == []


def test_the_minute_of_a_reliable_one_brings_no_second_description() -> None:
    wire = make_wire()
    _, b = offered(wire)
    wire.b.endpoint.calls.provisional(b, 183, wire.now, ANSWER)
    wire.run(130)
    bodies = [wire.a.take(InviteProgressed).response.body for _ in range(3)]
    assert bodies == [ANSWER, b"", b""]


def told_prack(bench: Bench) -> tuple[Response, str]:
    """The phone calls and requires 100rel; we ring."""
    told = ("Contact: <sip:100@127.0.0.2:5070>", "Require: 100rel")
    bench.receive(request("INVITE", headers=told, body="v=0\r\n"))
    usage = bench.take(InviteOffered).usage
    bench.endpoint.calls.provisional(usage, 180, bench.now)
    ringing = bench.collect()[-1]
    assert isinstance(ringing, Response)
    return ringing, ringing.head.to_tag


@pytest.mark.parametrize(
    ("rack", "code"),
    [
        ("{rseq} 1 INVITE", 200),
        ("9 1 INVITE", 481),
        ("{rseq} 2 INVITE", 481),
        ("x", 481),
        ("", 481),
    ],
)
def test_a_prack_has_to_match(rack: str, code: int) -> None:
    bench = Bench(**RELIABLE)
    ringing, tag = told_prack(bench)
    header = f"RAck: {rack.format(rseq=ringing.headers['RSeq'])}"
    data = request("PRACK", cseq=2, to_tag=tag, branch="z9hG4bKprack", headers=(header,))
    assert bench.response(data).code == code
    again = request("PRACK", cseq=3, to_tag=tag, branch="z9hG4bKprack2", headers=(header,))
    assert bench.response(again).code == 481, "acknowledged once, or never"


def test_an_offer_in_a_prack_is_refused_and_the_prack_counts() -> None:
    bench = Bench(**RELIABLE)
    ringing, tag = told_prack(bench)
    header = f"RAck: {ringing.headers['RSeq']} 1 INVITE"
    data = request(
        "PRACK", cseq=2, to_tag=tag, branch="z9hG4bKprack", headers=(header,), body="v=0\r\n"
    )
    assert bench.response(data).code == 488
    assert bench.wait(50) == []


def test_a_prack_of_a_call_without_reliable_responses_is_481() -> None:
    bench = Bench(**RELIABLE)
    bench.receive(request("INVITE", body="v=0\r\n"))
    usage = bench.take(InviteOffered).usage
    bench.endpoint.calls.provisional(usage, 180, bench.now)
    ringing = bench.collect()[-1]
    data = request("PRACK", cseq=2, to_tag=ringing.head.to_tag, branch="z9hG4bKprack")
    assert bench.response(data).code == 481
    with pytest.raises(LocalProtocolError):
        bench.endpoint.calls.provisional(usage, 200, bench.now)


def called(bench: Bench) -> Request:
    """We call the phone."""
    bench.endpoint.calls.invite(
        target=URI.parse("sip:200@127.0.0.2:5070"),
        flow=FLOW,
        from_=Address.parse("<sip:100@127.0.0.1>"),
        to=Address.parse("<sip:200@127.0.0.2>"),
        body=OFFER,
        now=bench.now,
    )
    invite = bench.collect()[0]
    assert isinstance(invite, Request)
    assert invite.headers["Supported"] == "100rel"
    return invite


def reliably(invite: Request, rseq: str, *, tag: str = "fork1", code: int = 183) -> bytes:
    headers = ("Contact: <sip:200@127.0.0.2:5070>", "Require: 100rel", f"RSeq: {rseq}")
    return answer_to(invite, code, to_tag=tag, headers=headers, body="v=0\r\n")


def test_an_early_offer_of_the_peer_is_answered_in_our_prack() -> None:
    wire = make_wire()
    a, b = offered(wire, b"")
    with pytest.raises(LocalProtocolError):
        wire.a.endpoint.calls.prack(a, ANSWER, wire.now)
    wire.b.endpoint.calls.provisional(b, 183, wire.now, OFFER)
    wire.run()
    assert wire.a.take(InviteProgressed).response.body == OFFER
    assert "a PRACK" not in wire.labels
    wire.a.endpoint.calls.prack(a, ANSWER, wire.now)
    with pytest.raises(LocalProtocolError):
        wire.a.endpoint.calls.prack(a, ANSWER, wire.now)
    wire.run()
    received = wire.b.take(InDialogReceived)
    assert received.request.body == ANSWER
    wire.b.endpoint.respond(received.transaction, 200, wire.now)
    wire.b.endpoint.calls.answer(b, b"", wire.now)
    wire.run()
    assert wire.a.take(InviteAnswered).response.body == b""
    wire.b.take(AckReceived)
    wire.a.endpoint.calls.prack(a, ANSWER, wire.now)  # too late, and no mistake
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.finish(40)


def test_only_what_comes_in_order_is_acknowledged() -> None:
    bench = Bench(**RELIABLE)
    invite = called(bench)
    for rseq, wanted in (
        ("5", ["PRACK"]),
        ("5", []),
        ("7", []),
        ("6", ["PRACK"]),
        ("7", ["PRACK"]),
    ):
        assert bench.methods(bench.receive(reliably(invite, rseq))) == wanted, rseq
    assert len(bench.told) == 3, "what is dropped is told to nobody"


def test_each_fork_has_its_own_numbers() -> None:
    bench = Bench(**RELIABLE)
    invite = called(bench)
    first = bench.receive(reliably(invite, "100"))[0]
    other = bench.receive(reliably(invite, "7", tag="fork2"))[0]
    next_first = bench.receive(reliably(invite, "101"))[0]
    assert [each.head.to_tag for each in (first, other, next_first)] == ["fork1", "fork2", "fork1"]
    assert [each.head.cseq for each in (first, other, next_first)] == [2, 2, 3]
    sent = bench.receive(answer_to(invite, 200, to_tag="fork1"))
    assert [(m.method, m.head.cseq) for m in sent if isinstance(m, Request)] == [("ACK", 1)]
    late = bench.receive(answer_to(invite, 200, to_tag="fork2"))
    assert [(m.method, m.head.cseq) for m in late if isinstance(m, Request)] == [
        ("ACK", 1),
        ("BYE", 3),
    ]


@pytest.mark.parametrize("rseq", ["0", "x", "", "2147483648", "99999999999"])
def test_a_number_that_can_not_be_read_makes_it_a_plain_one(rseq: str) -> None:
    bench = Bench(**RELIABLE)
    invite = called(bench)
    assert bench.receive(reliably(invite, rseq)) == []
    bench.take(InviteProgressed)


def test_an_unknown_request_in_the_early_dialog_is_told() -> None:
    bench = Bench(**RELIABLE)
    ringing, tag = told_prack(bench)
    bench.receive(request("INFO", cseq=2, to_tag=tag, branch="z9hG4bKinfo"))
    assert bench.take(InDialogReceived).request.method == "INFO"
    assert ringing.headers["Allow"]
