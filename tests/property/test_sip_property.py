"""Mutated messages and random calls: nothing raises, nothing leaks, no header is smuggled."""

import random
import re
from collections.abc import Callable
from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sip.address import HostPort
from sip.build import OutgoingRequest, clean
from sip.dialog_info import OFF, DialogInfo
from sip.errors import LocalProtocolError, RemoteProtocolError
from sip.events import (
    InDialogReceived,
    InviteOffered,
    Refused,
    ReinviteReceived,
    RequestOffered,
)
from sip.message import (
    URI,
    Address,
    Request,
    Response,
    any_lines,
    parse,
    tag_of,
    usual_lines,
)
from sip.name_addr import tag_of_any, write_address, write_uri
from sip.session_timer import SessionPolicy
from sip.via import parse_any_via, parse_top_via, stamp
from tests.support.sip_pair import ANSWER, OFFER, Node, Wire, chaos
from tests.support.sip_pair import call as place_call
from tests.support.sip_raw import FLOW, Bench, answer_to, request

QUICK = settings(max_examples=300, deadline=None)
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

PIECES = [
    b"\r\n", b"\n", b"\r", b"\r\n ", b"\0", b"\x0b", b"\x85", b"\xff\xfe", b":", b" : ", b";", b",",
    b'"', b"<", b">", b"=", b"%", b"%00", b";tag=", b";branch=", b";rport", b";self=1", b"[::1",
    b"z9hG4bK", b"SIP/2.0", b"SIP/3.0", b"sip:", b"tel:", b"-1", b"4294967296", b"9" * 30,
    "\u0663".encode(), "\u2028".encode(), b"Content-Length: 5\r\n", b"l: 0\r\n", b"v: x\r\n",
    b"Require: x\r\n", b"Record-Route: <sip:x>\r\n", b"Contact: *\r\n", b"CSeq: 1 ACK\r\n",
    b"INVITE", b"ACK", b"BYE", b"CANCEL", b"OPTIONS",
]  # fmt: skip


FULL: dict[str, object] = {
    "supported": ("100rel", "timer"),
    "session": SessionPolicy(),
    "allow": ("INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "INFO", "REFER"),
}
"An endpoint with all that it can do."

NAMES = ("Subject", "Reason", "X-Y")


def mutate(data: bytes, dice: random.Random) -> bytes:
    """Change a message in one to four places, by octet, by piece or by line."""
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data) + 1)
        length = dice.choice((0, 1, 1, 3, 12, 40))
        kind = dice.randrange(5)
        if kind == 0:
            data = data[:at] + dice.randbytes(length) + data[at + length :]
        elif kind == 1:
            data = data[:at] + dice.choice(PIECES) + data[at + length :]
        elif kind == 2:
            data = data[:at] + data[at + length :]
        else:
            lines = data.split(b"\r\n")
            first, second = dice.randrange(len(lines)), dice.randrange(len(lines))
            if kind == 3:
                lines[first], lines[second] = lines[second], lines[first]
            else:
                lines.insert(first, lines[second])
            data = b"\r\n".join(lines)
    return data


CONTACT = "Contact: <sip:100@127.0.0.2:5070>"
KNOWS = (CONTACT, "Supported: 100rel, timer", "Session-Expires: 120", "Allow: INVITE, UPDATE")
RELIABLY = "Require: 100rel"


LAMP = ("Event: dialog", "Accept: application/dialog-info+xml", "Expires: 90", CONTACT)


def lamp_corpus(bench: Bench) -> list[bytes]:
    """Return messages that mean something to an endpoint whose lamp is watched."""
    bench.receive(request("SUBSCRIBE", call_id="lamp-1", branch="z9hG4bK20", headers=LAMP))
    watch(bench, bench.take(RequestOffered))
    sent = bench.collect()
    (notify,) = [message for message in sent if isinstance(message, Request)]
    tag = notify.head.from_tag
    over = ("Expires: 0", *LAMP[:2], CONTACT)
    return [
        request("SUBSCRIBE", call_id="lamp-2", branch="z9hG4bK21", headers=LAMP),
        request("SUBSCRIBE", call_id="lamp-3", branch="z9hG4bK22", headers=over),
        request(
            "SUBSCRIBE", call_id="lamp-1", cseq=2, branch="z9hG4bK23", to_tag=tag, headers=LAMP
        ),
        request(
            "SUBSCRIBE", call_id="lamp-1", cseq=3, branch="z9hG4bK24", to_tag=tag, headers=over
        ),
        answer_to(notify, 200, to_tag=""),
        answer_to(notify, 481, to_tag=""),
        answer_to(notify, 503, to_tag=""),
    ]


def watch(bench: Bench, event: RequestOffered) -> None:
    """Let whoever asks watch a lamp."""
    bench.endpoint.accept_subscription(
        event.transaction, owner="100", resource="lamp", shown=OFF, now=bench.now
    )


def corpus(bench: Bench) -> list[bytes]:
    """Return messages that mean something to an endpoint with a call in each direction."""
    bench.receive(request("INVITE", body="v=0\r\n"))
    offered = bench.take(InviteOffered).usage
    tag = bench.endpoint.calls.dialog(offered).local_tag
    bench.endpoint.calls.answer(offered, b"v=0\r\n", bench.now)
    bench.endpoint.calls.invite(
        target=URI.parse("sip:200@127.0.0.2:5070"),
        flow=FLOW,
        from_=Address.parse("<sip:100@127.0.0.1>"),
        to=Address.parse("<sip:200@127.0.0.1>"),
        body=b"v=0\r\n",
        now=bench.now,
    )
    sent = bench.collect()[-1]
    assert isinstance(sent, Request)
    back = sent.head.from_tag, sent.head.call_id
    return [
        request("ACK", to_tag=tag),
        request("BYE", cseq=2, to_tag=tag, branch="z9hG4bK2"),
        request("INVITE", cseq=3, to_tag=tag, branch="z9hG4bK3", body="v=0\r\n"),
        request("INFO", cseq=4, to_tag=tag, branch="z9hG4bK4"),
        request("UPDATE", cseq=5, to_tag=tag, branch="z9hG4bK5"),
        request("UPDATE", cseq=6, to_tag=tag, branch="z9hG4bK8", body="v=0\r\n"),
        request("PRACK", cseq=7, to_tag=tag, branch="z9hG4bK9", headers=("RAck: 1 1 INVITE",)),
        request("CANCEL"),
        request("CANCEL", cseq=3, branch="z9hG4bK3"),
        request("INVITE", call_id="call-2", branch="z9hG4bK6", body="v=0\r\n"),
        request("INVITE", call_id="call-5", branch="z9hG4bK10", headers=KNOWS, body="v=0\r\n"),
        request("INVITE", call_id="call-6", branch="z9hG4bK11", headers=(*KNOWS, RELIABLY)),
        request("REGISTER", call_id="call-3", branch="z9hG4bK7"),
        request("OPTIONS", call_id="call-4", via="SIP/2.0/UDP old.example.com"),
        answer_to(sent, 100, to_tag=""),
        answer_to(sent, 180),
        answer_to(sent, 183, headers=(KNOWS[0], RELIABLY, "RSeq: 7"), body="v=0\r\n"),
        answer_to(sent, 183, to_tag="fork", headers=(KNOWS[0], RELIABLY, "RSeq: 1")),
        answer_to(sent, 422, headers=("Min-SE: 4000",)),
        answer_to(sent, 200, body="v=0\r\n"),
        answer_to(sent, 200, headers=(KNOWS[0], "Session-Expires: 90;refresher=uac")),
        answer_to(sent, 200, to_tag="fork", headers=("Record-Route: <sip:p;lr>",)),
        answer_to(sent, 486),
        request("BYE", cseq=9, from_tag="callee", to_tag=back[0], call_id=back[1]),
    ]


def use(bench: Bench, dice: random.Random) -> None:
    """Do what an application does with what it is told."""
    for event in bench.told:
        if isinstance(event, RequestOffered) and event.request.method == "SUBSCRIBE":
            watch(bench, event)
        elif isinstance(event, RequestOffered | InDialogReceived | ReinviteReceived):
            if dice.random() < 0.8:
                bench.endpoint.respond(event.transaction, dice.choice((200, 404)), bench.now)
        elif isinstance(event, InviteOffered):
            bench.endpoint.calls.provisional(event.usage, 180, bench.now)
            if dice.random() < 0.5:
                bench.endpoint.calls.provisional(event.usage, 183, bench.now, b"v=0\r\n")
            if dice.random() < 0.5:
                bench.endpoint.calls.answer(event.usage, b"v=0\r\n", bench.now)
    bench.told.clear()


@QUICK
@given(seed=st.integers(0, 2**32))
def test_mutated_messages_raise_nothing_and_leave_nothing(seed: int) -> None:
    dice = random.Random(seed)
    bench = Bench(**FULL)
    messages = [*corpus(bench), *lamp_corpus(bench)]
    for _ in range(25):
        data = dice.choice(messages)
        if dice.random() < 0.8:
            data = mutate(data, dice)
        bench.endpoint.receive(data, FLOW, bench.now)
        bench.told += bench.endpoint.events()
        use(bench, dice)
        if dice.random() < 0.2:
            bench.now += dice.choice((0.1, 1.0, 10.0))
            bench.endpoint.handle_timeout(bench.now)
        if dice.random() < 0.2:
            shown = DialogInfo(dice.choice(("confirmed", "early", "terminated")))
            bench.endpoint.notifier.show("lamp", shown, bench.now)
    assert bench.count("failed") == 0
    core = bench.endpoint._core
    for usage in list(core.usages._by_id):
        bench.endpoint.calls.abandon(usage, bench.now)
    while (due := bench.endpoint.next_timeout()) is not None:
        bench.endpoint.handle_timeout(due)
        for usage in list(core.usages._by_id):
            bench.endpoint.calls.abandon(usage, due)
    layer = core.transactions
    left = (len(layer), len(core.usages), len(core.usages._by_dialog), len(core.usages._by_ack))
    assert left == (0, 0, 0, 0)
    assert len(bench.endpoint.notifier) == 0
    assert bench.endpoint.notifier.owners() == ()
    assert not layer._merge
    assert not layer._by_id
    assert len(core.heap) == 0
    assert bench.count("failed") == 0


@QUICK
@given(seed=st.integers(0, 2**32))
def test_a_stranger_gets_one_short_reply_at_most(seed: int) -> None:
    """Whoever forges the source of what he sends over UDP gains nothing by it."""
    dice = random.Random(seed)
    challenge = ("WWW-Authenticate", 'Digest realm="mitschnitt", nonce="0123456789abcdef", x=y')
    refused = Refused(401, "Unauthorized", (challenge, challenge))
    bench = Bench(authorize=lambda *_: refused, **FULL)
    methods = ("INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE", "BYE", "CANCEL", "ACK", "UPDATE", "X")
    data = request(dice.choice(methods), to_tag=dice.choice(("", "x")), headers=(CONTACT,))
    for _ in range(dice.randrange(4)):
        data = mutate(data, dice)
    if dice.random() < 0.3:
        data = re.sub(rb"(Max-Forwards|Contact|User-Agent): [^\r]*\r\n", b"", data)
    for _ in range(2):
        bench.endpoint.receive(data, FLOW, bench.now)
        replies = bench.endpoint.send_queue()
        assert len(replies) <= 1
        assert all(len(reply) <= 1.2 * len(data) for reply, _ in replies)
    assert bench.endpoint.transactions in {0, 1}, "a CANCEL of nothing, at most"
    bench.endpoint.handle_timeout(bench.now + 1000)
    assert bench.endpoint.send_queue() == [], "nothing is repeated"
    assert bench.count("failed") == 0


@QUICK
@given(data=st.binary(max_size=2000))
def test_octets_of_any_kind_are_parsed_or_refused(data: bytes) -> None:
    with suppress(RemoteProtocolError):
        parse(data)
    with suppress(RemoteProtocolError):
        parse(b"OPTIONS sip:a@x SIP/2.0\r\n" + data + b"\r\n\r\n")


@QUICK
@given(seed=st.integers(0, 2**32))
def test_what_is_parsed_holds_what_it_promises(seed: int) -> None:
    dice = random.Random(seed)
    try:
        message = parse(mutate(dice.choice((request("INVITE"), request("BYE", to_tag="x"))), dice))
    except RemoteProtocolError:
        return
    head = message.head
    assert head.call_id.isascii()
    assert 0 <= head.cseq < 2**31
    for name in message.headers.keys():  # noqa: SIM118 - no mapping
        for value in message.headers.getlist(name):
            assert "\n" not in value
            assert "\r" not in value
    assert message.from_address.uri is not None
    assert message.to_address.uri is not None
    assert len(message.body) == int(message.headers.get("Content-Length") or len(message.body))
    if isinstance(message, Response):
        assert 100 <= message.code <= 699


@QUICK
@given(
    values=st.lists(st.tuples(st.sampled_from(NAMES), st.text()), max_size=4),
    uri=st.text(max_size=20),
    body=st.binary(max_size=20),
)
def test_no_value_smuggles_a_header(values: list[tuple[str, str]], uri: str, body: bytes) -> None:
    built = OutgoingRequest(
        method="INFO",
        uri="sip:a@x",
        via="SIP/2.0/UDP x;branch=z9hG4bK1",
        branch="z9hG4bK1",
        from_=f"<sip:a@x>;tag=a;u={len(uri)}",
        to="<sip:b@x>",
        call_id="c",
        cseq=1,
        headers=tuple(values),
        body=body,
    )
    message = parse(bytes(built))
    allowed = {"Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Content-Length"}
    allowed |= {"Content-Type"} if body else set()
    assert set(message.headers.keys()) - allowed == {name for name, _ in values}
    assert sum(len(message.headers.getlist(name)) for name in NAMES) == len(values)
    assert message.body == body
    assert "\n" not in clean(uri)
    assert "\r" not in clean(uri)


TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=12)


@QUICK
@given(branch=TOKENS, port=st.none() | st.integers(1, 65535), rport=st.booleans())
def test_a_stamped_via_is_the_same_via(branch: str, port: int | None, rport: object) -> None:
    host = "h.example.com" if port is None else f"h.example.com:{port}"
    line = f"SIP/2.0/UDP {host};branch={branch}{';rport' if rport else ''}, SIP/2.0/TCP next"
    via = parse_top_via(line)
    stamped = stamp(line, via, HostPort("192.0.2.7", 4711))
    again = parse_top_via(stamped)
    assert (again.branch, again.sent_by, again.rport) == (via.branch, via.sent_by, via.rport)
    assert stamped.endswith(";received=192.0.2.7, SIP/2.0/TCP next")


def serve(wire: Wire, known: list[tuple[int, int]], dice: random.Random) -> None:
    """Answer what both ends are told, and learn of new calls."""
    for index, node in enumerate((wire.a, wire.b)):
        for event in node.told:
            if isinstance(event, InviteOffered):
                known.append((index, event.usage))
            elif isinstance(event, ReinviteReceived | InDialogReceived):
                code = dice.choice((200, 200, 488))
                node.endpoint.respond(event.transaction, code, wire.now, body=ANSWER)
        node.told.clear()


@SLOW
@given(seed=st.integers(0, 2**32))
def test_random_calls_of_random_applications_end_without_a_trace(seed: int) -> None:
    dice = random.Random(seed)
    a_options = dice.choice(({}, FULL))
    wire = Wire(Node("a", "192.0.2.1", **a_options), Node("b", "192.0.2.2", **FULL))
    wire.rule = chaos(seed, loss=0.15)
    known: list[tuple[int, int]] = []
    for _ in range(30):
        if dice.random() < 0.2 and len(known) < 6:
            known.append((0, place_call(wire, body=dice.choice((OFFER, b"")))))
        wire.run(dice.choice((0.0, 0.05, 0.7, 5.0)))
        serve(wire, known, dice)
        if known:
            index, usage = dice.choice(known)
            act((wire.a, wire.b)[index].endpoint.calls, usage, wire.now, dice)
    for _ in range(8):
        for index, usage in known:
            (wire.a, wire.b)[index].endpoint.calls.abandon(usage, wire.now)
        wire.run(80)
        serve(wire, known, dice)
    assert wire.leaks() == []


def act(calls: object, usage: int, now: float, dice: random.Random) -> None:
    """Do with a call what may or may not fit."""
    name, arguments = dice.choice(
        (
            ("provisional", (180, now)),
            ("answer", (ANSWER, now)),
            ("reject", (486, now)),
            ("cancel", (now,)),
            ("ack", (ANSWER, now)),
            ("bye", (now,)),
            ("reinvite", (OFFER, now)),
            ("reinvite", (b"", now)),
            ("request", ("INFO", now)),
            ("request", ("UPDATE", now)),
            ("provisional", (183, now, ANSWER)),
            ("provisional", (183, now, ANSWER)),
            ("abandon", (now,)),
        )
    )
    options = {"body": OFFER} if dice.random() < 0.5 and "UPDATE" in arguments else {}
    with suppress(LocalProtocolError):
        getattr(calls, name)(usage, *arguments, **options)


LINE_ENDS = st.sampled_from(
    ["\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n ", "\n\t", "\r\n\r\n", "\n\n", "\n\r\n", "\r\r\n"]
)


@QUICK
@given(st.lists(st.one_of(LINE_ENDS, st.sampled_from(["a: b", "é", "\x0b", "\u2028", "v=0"]))))
def test_a_header_is_cut_the_same_the_short_way_and_the_long_one(pieces: list[str]) -> None:
    data = "".join(pieces).encode().lstrip(b"\r\n")
    short = usual_lines(data)
    assert short is None or short == any_lines(data)


def test_the_usual_header_is_cut_the_short_way() -> None:
    assert usual_lines("a: ä\r\nb: c\r\n\r\nx".encode()) == (["a: ä", "b: c"], 15, None)


VIA_PIECES = st.sampled_from(
    "SIP/2.0/UDP_h SIP/2.0/TCP sip/2.0/udp h 192.0.2.1 [::1] :5060 : _ ;rport ;rport= ;rport=1 "
    ';branch=z9hG4bK ;branch= z9hG4bK x %41 " ;received=192.0.2.2 ;received=::1 ;alias ;BRANCH=y '
    ",_ , ; = ö \u0663".replace("_", "\t").split(" ")
)


@QUICK
@given(st.sampled_from(["", "SIP/2.0/UDP h;rport;branch=b"]), st.lists(VIA_PIECES, max_size=8))
def test_a_via_reads_the_same_the_short_way_and_the_long_one(begin: str, more: list[str]) -> None:
    line = (begin + "".join(more)).replace("\t", " ")
    assert _read_by(parse_top_via, line) == _read_by(parse_any_via, line)


PARTY_PIECES = st.sampled_from(
    ["<sip:a@x>", "<sip:a>", "<tel:1>", "<x:y>", "<sip:a;tag=u>", '"n"', '"n;tag=q"', "n", "<", "ö",
     ">", '"', ";tag=t", ";tag=", ";TAG=T", ";tag=s;tag=t", ";x=y", ";x", ";", "t", "\\"]
)  # fmt: skip


@QUICK
@given(st.lists(PARTY_PIECES, max_size=6))
def test_a_tag_is_found_the_short_way_and_the_long_one(pieces: list[str]) -> None:
    for value in ("".join(pieces), " ".join(pieces)):
        assert _read_by(tag_of, value) == _read_by(tag_of_any, value)


def _read_by(read: Callable[[str], object], text: str) -> object:
    try:
        return read(text)
    except (ValueError, RemoteProtocolError) as error:
        return str(error)


URIS = [
    "sip:a@h",
    "sip:h:5061",
    "sips:a%20b@h",
    "sip:a:p@h",
    "sip:+49-1@h;user=phone",
    "tel:+491",
    "sip:[::1]",
]


@given(st.sampled_from(URIS), st.sampled_from(["", "n", 'a "b']))
def test_an_address_is_written_as_its_library_writes_it(text: str, name: str) -> None:
    uri = URI.parse(text)
    address = Address(uri=uri, name=name)
    assert (write_uri(uri), write_address(address)) == (str(uri), str(address))
