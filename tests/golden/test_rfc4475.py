"""The torture messages of RFC 4475 with the verdict that each deserves.

The messages are not ours to ship; they lie beside the project. Verdicts are those of the wire:
what an endpoint that authorises everyone answers first. `offered` means that the application
gets the request, `none` that nothing is sent.
"""

from pathlib import Path

import pytest

from sip.address import Flow, HostPort
from sip.errors import RemoteProtocolError
from sip.events import Authorized, InviteOffered, Refused, RequestOffered
from sip.message import Request, Response, parse
from tests.support.sip_raw import Bench, request

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "rfc4475"

PARSE = {
    "badaspec": 400,
    "badbranch": 200,
    "baddate": 200,
    "baddn": 400,
    "badinv01": 400,
    "badvers": 505,
    "bcast": 200,
    "bext01": 200,
    "bigcode": 400,
    "clerr": 400,
    "cparam01": 200,
    "cparam02": 200,
    "dblreq": 200,
    "esc01": 200,
    "esc02": 200,
    "escnull": 200,
    "escruri": 400,
    "insuf": 400,
    "intmeth": 200,
    "inv2543": 200,
    "invut": 200,
    "longreq": 200,
    "ltgtruri": 400,
    "lwsdisp": 200,
    "lwsruri": 400,
    "lwsstart": 400,
    "mcl01": 400,
    "mismatch01": 400,
    "mismatch02": 501,
    "mpart01": 200,
    "multi01": 400,
    "ncl": 400,
    "noreason": 200,
    "novelsc": 416,
    "quotbal": 400,
    "regaut01": 200,
    "regbadct": 200,
    "regescrt": 200,
    "scalar02": 400,
    "scalarlg": 400,
    "sdp01": 200,
    "semiuri": 200,
    "test": 400,
    "transports": 200,
    "trws": 400,
    "unkscm": 416,
    "unksm2": 400,
    "unreason": 200,
    "wsinv": 200,
    "zeromf": 200,
}
"""Status of the parser, 200 for well formed."""

WIRE = PARSE | {
    # Responses that belong to nothing, and what is no SIP, get no answer.
    **dict.fromkeys(("bcast", "bigcode", "noreason", "scalarlg", "unreason", "test"), 0),
    "bext01": 420,
    "invut": 415,
    "regbadct": 400,
    "sdp01": 406,
    "inv2543": 400,  # no Contact: nothing to send a BYE to
    "wsinv": 481,  # a To-tag of nobody
}
"""First final answer, 200 where the request is offered to the application, 0 for none."""

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the torture messages of RFC 4475 are not beside the project"
)


def read(name: str) -> bytes:
    return (FOLDER / f"{name}.dat").read_bytes()


def test_every_message_has_a_verdict() -> None:
    assert {path.stem for path in FOLDER.glob("*.dat")} == set(PARSE)


@pytest.mark.parametrize("name", PARSE)
def test_parse(name: str) -> None:
    try:
        parse(read(name))
        status = 200
    except RemoteProtocolError as error:
        status = error.status
    assert status == PARSE[name]


@pytest.mark.parametrize("name", WIRE)
def test_on_the_wire(name: str) -> None:
    bench = Bench()
    flow = Flow("UDP", HostPort("127.0.0.1", 5060), HostPort("127.0.0.2", 5060))
    bench.endpoint.receive(read(name), flow, bench.now)
    finals = [data for data, to in bench.endpoint.send_queue() if int(data[8:11]) >= 200]
    told = bench.endpoint.events()
    if WIRE[name] == 200:
        assert finals == []
        assert [type(event) for event in told] in ([InviteOffered], [RequestOffered])
    else:
        assert told == []
        assert [int(data[8:11]) for data in finals] == [WIRE[name]] * bool(WIRE[name])
    assert bench.count("failed") == 0
    bench.receive(request("OPTIONS"))
    bench.take(RequestOffered)


@pytest.mark.parametrize("name", WIRE)
def test_an_answer_never_grows_much(name: str) -> None:
    bench = Bench(authorize=lambda *_: Refused(403, "Forbidden"))
    data = read(name)
    flow = Flow("UDP", HostPort("127.0.0.1", 5060), HostPort("127.0.0.2", 5060))
    bench.endpoint.receive(data, flow, bench.now)
    sent = bench.endpoint.send_queue()
    assert len(sent) <= 1
    for answer, _ in sent:
        assert len(answer) <= 1.2 * len(data)
    assert bench.endpoint.transactions == 0


def test_nothing_leaks() -> None:
    bench = Bench(authorize=lambda *_: Authorized())
    for name in PARSE:
        bench.endpoint.receive(
            read(name), Flow("UDP", HostPort("127.0.0.1", 1), HostPort("127.0.0.2", 2)), bench.now
        )
    for event in bench.endpoint.events():
        if isinstance(event, InviteOffered):
            bench.endpoint.calls.abandon(event.usage, bench.now)
    bench.endpoint.send_queue()
    bench.endpoint.handle_timeout(1e6)
    bench.endpoint.handle_timeout(2e6)
    assert bench.endpoint.transactions == bench.endpoint.usages == 0


def test_what_the_odd_ones_say() -> None:
    method = parse(read("intmeth"))
    assert isinstance(method, Request)
    assert method.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert method.head.from_tag == "_token~1'+`*%!-."
    assert method.headers["extensionHeader-!.%*+_`'~"] == "\ufeff大停電"
    escaped = parse(read("esc02"))
    assert isinstance(escaped, Request)
    assert escaped.method == "RE%47IST%45R"
    assert len(escaped.headers.getlist("Contact")) == 2, "C%6Fntact is not Contact"
    double = parse(read("dblreq"))
    assert double.body == b""
    white = parse(read("wsinv"))
    assert isinstance(white, Request)
    assert (white.head.to_tag, white.head.from_tag) == ("1918181833n", "98asjd8")
    assert white.headers["Max-Forwards"] == "0068"
    assert white.from_address.name == 'J Rosenberg \\"'
    reason = parse(read("unreason"))
    assert isinstance(reason, Response)
    assert reason.phrase.startswith("= 2**3 * 5**2 ")
