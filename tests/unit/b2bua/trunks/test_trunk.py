"""Trunks: known by their address, and what strangers behind them call themselves."""

import pytest

from b2bua.calls.party import Party
from b2bua.config import parse
from b2bua.trunks.arrival import MAX_NAME, caller_of
from b2bua.trunks.trunk import Trunk, Trunks
from sip.address import Flow, HostPort, Transport
from sip.message import URI, Address, Request, Response
from sip.message import parse as parse_message
from sip.registering import Registering
from tests.support.sip_raw import request
from tests.unit.b2bua.calls.call_rig import extension

TOML = """
[[trunk]]
name = "any"
address = "203.0.113.1"
[[trunk]]
name = "one-port"
address = "203.0.113.1:5080"
[[trunk]]
name = "connected"
address = "203.0.113.2:5080"
transport = "tcp"
[[trunk]]
name = "six"
address = "2001:db8::1"
"""

TRUNKS = Trunks(parse(TOML, "test").trunk)
OURS = HostPort("192.0.2.100", 5060)


def named(name: str) -> Trunk:
    trunk = TRUNKS.named(name)
    assert trunk is not None
    return trunk


@pytest.mark.parametrize(
    ("transport", "host", "port", "name"),
    [
        ("UDP", "203.0.113.1", 5060, "any"),
        ("UDP", "203.0.113.1", 40000, "any"),
        ("UDP", "203.0.113.1", 5080, "one-port"),
        ("TCP", "203.0.113.1", 5080, None),
        ("UDP", "203.0.113.2", 5080, "connected"),
        ("UDP", "203.0.113.2", 5081, None),
        ("TCP", "203.0.113.2", 40123, "connected"),
        ("TLS", "203.0.113.2", 40123, None),
        ("UDP", "2001:db8::1", 5060, "six"),
        ("UDP", "2001:db8::2", 5060, None),
        ("UDP", "203.0.113.11", 5060, None),
        ("UDP", "192.0.2.1", 5060, None),
    ],
)
def test_who_a_request_is_from(
    transport: Transport, host: str, port: int, name: str | None
) -> None:
    found = TRUNKS.find(Flow(transport, OURS, HostPort(host, port)))
    assert (found.name if found is not None else None) == name


CERTIFIED = """
[sip]
transports = ["udp", "tls"]
[tls]
certificate = "/c.pem"
key = "/k.pem"
client_ca = "/ca.pem"
[[trunk]]
name = "certified"
address = "203.0.113.1"
transport = "tls"
domain = "sip.example.com"
client_certificate = "sip.example.com"
[[trunk]]
name = "choosy"
address = "203.0.113.9"
transport = "auto"
"""


def test_a_trunk_that_has_to_show_a_certificate() -> None:
    trunks = Trunks(parse(CERTIFIED, "test").trunk)
    shown = Flow("TLS", OURS, HostPort("203.0.113.1", 40000))
    hidden = Flow("TLS", OURS, HostPort("203.0.113.1", 40001))
    trunks.certified = lambda flow: frozenset({"sip.example.com"} if flow == shown else ())
    trunk = trunks.find(shown)
    assert trunk is not None
    assert trunk.name == "certified"
    assert trunks.find(hidden) is None
    assert trunks.find(Flow("UDP", OURS, HostPort("203.0.113.1", 5060))) is None
    (place,) = trunk.servers
    assert (place.server_name, place.address.port) == ("sip.example.com", 5061)


@pytest.mark.parametrize("transport", ["UDP", "TCP", "TLS"])
def test_a_trunk_over_whatever_it_likes(transport: Transport) -> None:
    trunks = Trunks(parse(CERTIFIED, "test").trunk)
    found = trunks.find(Flow(transport, OURS, HostPort("203.0.113.9", 5060)))
    assert found is not None
    assert found.name == "choosy"
    assert [each.transport for each in found.servers] == ["UDP"]
    assert [each.transport for each in found.addresses] == [None]


def test_names() -> None:
    assert named("six").name == "six"
    assert TRUNKS.named("absent") is None
    listed = TRUNKS.listed(("six", "absent", "any", "six"))
    assert [trunk.name for trunk in listed] == ["six", "any"]
    assert Trunks(()).find(Flow("UDP", OURS, OURS)) is None


@pytest.mark.parametrize(
    ("name", "flow", "target"),
    [
        ("any", Flow("UDP", OURS, HostPort("203.0.113.1", 5060)), "sip:030@203.0.113.1"),
        ("one-port", Flow("UDP", OURS, HostPort("203.0.113.1", 5080)), "sip:030@203.0.113.1:5080"),
        ("connected", Flow("TCP", OURS, HostPort("203.0.113.2", 5080)), "sip:030@203.0.113.2:5080"),
        ("six", Flow("UDP", OURS, HostPort("2001:db8::1", 5060)), "sip:030@[2001:db8::1]"),
    ],
)
def test_where_its_calls_go(name: str, flow: Flow, target: str) -> None:
    trunk = named(name)
    (place,) = trunk.servers
    assert (place.transport, place.address) == (flow.transport, flow.remote)
    assert str(trunk.uri("030")) == target


def test_the_way_to_a_party() -> None:
    assert Party(number="030", trunk=named("any")).channel == "SIP/any"
    assert Party.own(extension("101")).channel == "SIP/101"


# --- what callers say of themselves


def caller(from_: str) -> tuple[str, str]:
    message = request("INVITE").replace(
        b"From: <sip:100@127.0.0.1>;tag=phone", f"From: {from_};tag=phone".encode()
    )
    parsed = parse_message(message)
    assert isinstance(parsed, Request)
    return caller_of(parsed, named("any"))


@pytest.mark.parametrize(
    ("from_", "number", "name"),
    [
        ("<sip:493098765@h>", "493098765", ""),
        ('"Frau Müller" <sip:+493098765@h>', "+493098765", "Frau Müller"),
        ("Anna <sip:*12%23@h>", "*12#", "Anna"),
        ('"Anonymous" <sip:anonymous@anonymous.invalid>', "anonymous", "Anonymous"),
        ("<sip:h>", "anonymous", ""),
        ("<sip:alice@h>", "anonymous", ""),
        ("<sip:030-1234@h>", "anonymous", ""),
        ("<sip:030%201234@h>", "anonymous", ""),
        ("<sip:%0d%0a0301234@h>", "anonymous", ""),
        ("<sip:..%2f..%2fetc@h>", "anonymous", ""),
        (f"<sip:{'1' * (MAX_NAME + 1)}@h>", "anonymous", ""),
        (f'"{"x" * 500}" <sip:1@h>', "1", "x" * MAX_NAME),
        (r'"a \"quoted\" name" <sip:1@h>', "1", 'a "quoted" name'),
        (r'"back\\slash" <sip:1@h>', "1", "back\\slash"),
        ('"bell\x07 and \x1b[31mred" <sip:1@h>', "1", "bell and [31mred"),
        ('"tab\tbed" <sip:1@h>', "1", "tabbed"),
        ('"right\u202eleft" <sip:1@h>', "1", "rightleft"),
        ("\"<script>alert('x')</script>\" <sip:1@h>", "1", "<script>alert('x')</script>"),
    ],
)
def test_number_and_name_of_a_stranger(from_: str, number: str, name: str) -> None:
    assert caller(from_) == (number, name)


@pytest.mark.parametrize("name", ['a "b"', "back\\", '"', '\\"', "<x>", "a;b,c", "Müller"])
def test_whatever_a_name_is_it_goes_on_as_one(name: str) -> None:
    """We show the name to the extension; quotes in it must not end it."""
    shown = str(Address(name=name, uri=URI(scheme="sip", user="1", host="192.0.2.1")))
    assert caller(shown.replace("192.0.2.1", "h"))[1] == name


# --- several accounts with one provider


def test_of_several_at_one_address_the_number_or_the_contact_decides() -> None:
    accounts = "".join(
        f'[[trunk]]\nname = "{name}"\naddress = "192.0.2.9"\ndomain = "p.example"\n'
        f'dids = {{ "{did}" = "101" }}\n[trunk.account]\nusername = "{name}"\npassword = "p"\n'
        for name, did in (("a", "4930100"), ("b", "4930200"))
    )
    trunks = Trunks(parse(accounts, "test").trunk)
    flow = Flow("UDP", OURS, HostPort("192.0.2.9", 5060))
    a, b = trunks
    users = {"4930100": a, "4930200": b, "+4930200": b, a.contact_user: a, b.contact_user: b}
    assert {user: trunks.find(flow, user) for user in users} == users
    stranger = Flow("UDP", OURS, HostPort("198.51.100.1", 5060))
    assert trunks.find(stranger, b.contact_user) is b
    assert trunks.find(stranger, "4930200") is None


# --- proxies and service routes


def routed(toml: str, service: str = "") -> list[tuple[str, ...]]:
    """The routes of a call to each of a trunk's servers."""
    (trunk,) = Trunks(parse(f'[[trunk]]\nname = "t"\naddress = "192.0.2.9"\n{toml}', "t").trunk)
    trunk.registering = Registering(contact_user="u", expires_s=60, now=0.0, dice=lambda: 0.5)
    response = Response(200, "OK")
    if service:
        response.headers.add("Service-Route", service)
    trunk.registering.begin(0.0)
    trunk.registering.completed(response, 200, 0.0, last=True)
    return [trunk.routes(place) for place in trunk.servers]


def test_without_a_proxy_there_is_the_service_route_alone() -> None:
    assert routed("") == [()]
    assert routed("", "<sip:a;lr>, <sip:b;lr>") == [("<sip:a;lr>", "<sip:b;lr>")]


def test_each_proxy_is_the_first_route_of_what_goes_there() -> None:
    two = 'outbound_proxy = ["192.0.2.1:5062", "192.0.2.2"]\n'
    assert routed(two) == [("<sip:192.0.2.1:5062;lr>",), ("<sip:192.0.2.2;lr>",)]
    assert routed(two, "<sip:far;lr>")[1] == ("<sip:192.0.2.2;lr>", "<sip:far;lr>")
    connected = 'transport = "tcp"\noutbound_proxy = "2001:db8::1"\n'
    assert routed(connected) == [("<sip:[2001:db8::1];transport=tcp;lr>",)]


def test_a_proxy_that_the_registrar_names_too_stands_there_once() -> None:
    one = 'outbound_proxy = "192.0.2.1"\n'
    assert routed(one, "<sip:192.0.2.1:5070;lr>") == [("<sip:192.0.2.1:5070;lr>",)]
    assert routed(one, "broken") == [("<sip:192.0.2.1;lr>", "broken")]
