"""Replies to strangers are never longer than 1.2 times the request."""

import pytest

from sip.address import Flow, Transport
from sip.events import Refused, RequestOffered
from tests.support.sip_raw import PHONE, SERVER, Bench, request

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
