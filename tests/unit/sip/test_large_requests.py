"""What is too large for a datagram goes by TCP, where the peer has it."""

import pytest

from sip.address import Flow, HostPort
from sip.endpoint import Endpoint
from sip.events import InviteAnswered, InviteFailed, InviteOffered
from sip.io.tcp import TcpLimits
from sip.large_requests import FORGET_S, MAX_REMEMBERED, LargeRequests
from sip.message import URI, Address, Request, parse
from tests.support.shell_phone import ShellPhone, shell_phone
from tests.support.sip_pair import authorize_all

SERVER = HostPort("192.0.2.100", 5060)
PEER = HostPort("192.0.2.1", 5060)
UDP = Flow("UDP", SERVER, PEER)
TCP = Flow("TCP", SERVER, PEER)
LARGE = b"v=0\r\n" + b"a=x\r\n" * 400


def endpoint() -> Endpoint:
    ours = Endpoint(contact=SERVER, authorize=authorize_all)
    ours.send_large_requests(lambda address: Flow("TCP", SERVER, address))
    return ours


def invite(
    ours: Endpoint,
    now: float = 0.0,
    *,
    target: str = "sip:a@192.0.2.1",
    body: bytes = LARGE,
    routes: tuple[str, ...] = (),
) -> int:
    return ours.calls.invite(
        target=URI.parse(target),
        flow=UDP,
        from_=Address.parse("<sip:a@x>"),
        to=Address.parse("<sip:b@x>"),
        body=body,
        routes=routes,
        now=now,
    )


def sent(ours: Endpoint) -> tuple[Request, Flow]:
    ((data, flow),) = ours.send_queue()
    message = parse(data)
    assert isinstance(message, Request)
    return message, flow


def test_by_tcp_with_its_own_via_and_the_contact_of_the_call() -> None:
    ours = endpoint()
    invite(ours)
    request, flow = sent(ours)
    assert flow == TCP
    assert request.headers["Via"].startswith("SIP/2.0/TCP 192.0.2.100:5060;branch=")
    assert request.headers["Contact"] == "<sip:192.0.2.100:5060>", "the dialog stays where it is"


@pytest.mark.parametrize(
    ("target", "routes", "transport"),
    [
        ("sip:a@192.0.2.1:5060", (), "TCP"),
        ("sip:a@pbx.example.com", (), "TCP"),
        ("sip:a@10.0.0.9", ("<sip:192.0.2.1;lr>",), "TCP"),
        ("sip:a@10.0.0.9", (), "UDP"),
        ("sip:a@192.0.2.1:40000", (), "UDP"),
        ("sip:a@192.0.2.1;transport=udp", (), "UDP"),
        ("sip:a@192.0.2.1", ("<sip:10.0.0.1;lr>",), "UDP"),
        ("sip:a@192.0.2.1", ("<broken",), "UDP"),
    ],
)
def test_only_to_those_who_are_where_they_say(
    target: str, routes: tuple[str, ...], transport: str
) -> None:
    ours = endpoint()
    invite(ours, target=target, routes=routes)
    assert sent(ours)[1].transport == transport


def test_what_is_small_and_what_has_no_way_stays() -> None:
    ours = endpoint()
    invite(ours, body=b"v=0\r\n")
    assert sent(ours)[1] == UDP
    without = Endpoint(contact=SERVER, authorize=authorize_all)
    invite(without)
    assert sent(without)[1] == UDP


def test_who_can_not_be_connected_gets_datagrams_and_is_left_alone_for_a_while() -> None:
    ours = endpoint()
    usage = invite(ours)
    by_tcp, _ = sent(ours)
    ours.connection_lost(TCP, 1.0)
    request, flow = sent(ours)
    assert flow == UDP
    assert request.headers["Via"] == by_tcp.headers["Via"].replace("TCP", "UDP")
    assert not ours.events()
    ours.handle_timeout(1.6)
    assert sent(ours)[1] == UDP, "Timer A runs now"
    ours.transport_failed(UDP, 2.0)
    (failed,) = ours.events()
    assert isinstance(failed, InviteFailed)
    assert (failed.usage, failed.code) == (usage, 503)
    invite(ours, now=3.0)
    assert sent(ours)[1] == UDP
    invite(ours, now=2.0 + FORGET_S)
    assert sent(ours)[1] == TCP


def test_where_tcp_brings_nothing_datagrams_go_out_after_a_second() -> None:
    ours = endpoint()
    invite(ours)
    by_tcp, _ = sent(ours)
    ours.handle_timeout(0.9)
    assert not ours.send_queue()
    ours.handle_timeout(1.0)
    request, flow = sent(ours)
    assert flow == UDP
    assert request.head.via.branch == by_tcp.head.via.branch
    ours.connection_lost(TCP, 4.0)
    assert not ours.events()
    invite(ours, now=5.0)
    assert sent(ours)[1] == UDP


def test_a_cancel_takes_the_way_of_its_invite() -> None:
    ours = endpoint()
    usage = invite(ours)
    request, _ = sent(ours)
    trying = (
        f"SIP/2.0 100 Trying\r\nVia: {request.headers['Via']}\r\n"
        f"From: {request.headers['From']}\r\nTo: <sip:b@x>\r\n"
        f"Call-ID: {request.call_id}\r\nCSeq: 1 INVITE\r\n\r\n"
    )
    ours.receive(trying.encode(), TCP, 0.1)
    ours.calls.cancel(usage, 0.2)
    cancel, flow = sent(ours)
    assert (cancel.method, flow) == ("CANCEL", TCP)
    assert cancel.headers["Via"] == request.headers["Via"]


def test_what_is_remembered_is_bounded() -> None:
    large = LargeRequests()
    for port in range(2 * MAX_REMEMBERED):
        large.failed(HostPort("192.0.2.1", port), 0.0)
    assert len(large._without) == MAX_REMEMBERED


def call(alice: ShellPhone, bob: ShellPhone) -> None:
    alice.endpoint.calls.invite(
        target=URI.parse(f"sip:b@{bob.local}"),
        flow=alice.flow(bob.local),
        from_=Address.parse("<sip:a@x>"),
        to=Address.parse("<sip:b@x>"),
        body=LARGE,
        now=alice.now,
    )
    alice.shell.kick()


async def test_over_real_sockets() -> None:
    limits = TcpLimits(connect_s=1.0)
    async with (
        shell_phone() as bob,
        shell_phone(transports=("UDP",)) as old,
        shell_phone(limits=limits) as alice,
    ):
        alice.endpoint.send_large_requests(lambda to: alice.flow(to, "TCP"))
        for phone, transport in ((bob, "TCP"), (old, "UDP")):
            call(alice, phone)
            offered = await phone.told()
            assert isinstance(offered, InviteOffered)
            assert offered.flow.transport == transport
            assert offered.request.body == LARGE
            answered = await alice.told()
            assert isinstance(answered, InviteAnswered)
            assert alice.endpoint.calls.dialog(answered.usage).flow.transport == "UDP"
