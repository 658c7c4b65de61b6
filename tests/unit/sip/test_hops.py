"""Max-Forwards and loops."""

import pytest

from sip.events import Authorized, InviteOffered
from sip.message import URI, Address, Request, parse
from tests.support.sip_raw import FLOW, Bench, request

CONTACT = "Contact: <sip:100@127.0.0.2:5070>"


def sent_on(bench: Bench, came_in: Request) -> Request:
    """Our INVITE on behalf of one."""
    bench.endpoint.calls.invite(
        target=URI.parse("sip:900@127.0.0.2:5070"),
        flow=FLOW,
        from_=Address.parse("<sip:100@127.0.0.1>"),
        to=Address.parse("<sip:900@127.0.0.2>"),
        body=b"v=0\r\n",
        caused_by=came_in,
        now=bench.now,
    )
    out = bench.collect()[-1]
    assert isinstance(out, Request)
    return out


def back(out: Request, user: str, *, call_id: str = "call-1") -> bytes:
    """The INVITE as a proxy would send it back to us, for another or the same user."""
    via = f"Via: {out.headers['Via']}"
    uri = f"sip:{user}@127.0.0.1"
    return request(
        "INVITE", uri=uri, branch="z9hG4bKproxy", headers=(via, CONTACT), call_id=call_id
    )


def test_what_comes_back_for_the_same_number_is_a_loop() -> None:
    bench = Bench()
    bench.receive(request("INVITE", uri="sip:200@127.0.0.1"))
    came_in = bench.take(InviteOffered).request
    out = sent_on(bench, came_in)
    sent = bench.receive(back(out, "200", call_id="call-2"))
    assert bench.codes(sent) == [100, 482]
    assert bench.told == []


def test_what_comes_back_for_another_number_is_a_call() -> None:
    bench = Bench()
    bench.receive(request("INVITE", uri="sip:200@127.0.0.1"))
    out = sent_on(bench, bench.take(InviteOffered).request)
    assert bench.codes(bench.receive(back(out, "201", call_id="call-2"))) == [100]
    bench.take(InviteOffered)


def test_nobody_else_can_say_that_it_is_a_loop() -> None:
    bench, other = Bench(), Bench(token=lambda: "another-secret")
    other.receive(request("INVITE", uri="sip:200@127.0.0.1"))
    out = sent_on(other, other.take(InviteOffered).request)
    assert bench.codes(bench.receive(back(out, "200"))) == [100]


@pytest.mark.parametrize("via", ["nonsense", "SIP/2.0/UDP x;branch=z9hG4bK.zz", ", ,", ""])
def test_a_via_of_somebody_else_is_not_ours_to_judge(via: str) -> None:
    bench = Bench(authorize=lambda *_: Authorized())
    data = request("INVITE", headers=(f"Via: {via}", CONTACT))
    assert bench.codes(bench.receive(data)) == [100]


@pytest.mark.parametrize(("hops", "left"), [("70", "69"), ("1", "0"), ("255", "70"), ("", "69")])
def test_each_of_us_is_a_hop(hops: str, left: str) -> None:
    bench = Bench()
    text = request("INVITE").decode().replace("Max-Forwards: 70\r\n", "")
    header = f"Max-Forwards: {hops}\r\n" if hops else ""
    came_in = parse(text.replace("Call-ID", f"{header}Call-ID").encode())
    assert isinstance(came_in, Request)
    assert sent_on(bench, came_in).headers["Max-Forwards"] == left
