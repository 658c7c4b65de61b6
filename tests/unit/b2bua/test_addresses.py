"""Which of our addresses is told to whom."""

import pytest

from b2bua import addresses
from b2bua.addresses import Addresses, Listening
from b2bua.config import parse
from b2bua.errors import ConfigError
from sip.address import Flow, HostPort, Transport

ROUTES = {
    "192.0.2.1": "10.0.0.5",
    "2001:db8::1": "2001:db8::5",
    "10.0.0.9": "10.0.0.5",
    "203.0.113.9": "198.51.100.5",
}
"From which address the kernel would send."

BOTH = 'listen = ["0.0.0.0:5060", "[::]:5060"]'
LAN_AND_WAN = 'listen = ["10.0.0.5:5060", "198.51.100.5:5070"]'


ask_the_kernel = addresses._route_source


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_kernel_knows_a_way_to_ourselves(host: str) -> None:
    assert ask_the_kernel(host) == host


@pytest.fixture(autouse=True)
def kernel(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked = []

    def route_source(peer: str) -> str:
        asked.append(peer)
        return ROUTES[peer]

    monkeypatch.setattr(addresses, "_route_source", route_source)
    return asked


def of(settings: str, transports: tuple[Transport, ...] = ("UDP", "TCP")) -> Addresses:
    config = parse(f"[sip]\n{settings}\n", "f")
    ours = Addresses(config.sip)
    listening: Listening = tuple((each, bind) for bind in config.sip.listen for each in transports)
    ours.listening = listening
    return ours


def told(ours: Addresses, peer: str) -> str:
    flow = ours.flow_to("UDP", HostPort(peer, 5060))
    assert flow is not None
    return str(ours.advertised(flow))


def test_an_address_that_is_listened_on_is_told_as_it_is(kernel: list[str]) -> None:
    ours = of('listen = "10.0.0.5:5080"')
    assert told(ours, "203.0.113.9") == "10.0.0.5:5080"
    assert str(ours.contact) == "10.0.0.5:5080"
    assert not kernel


def test_on_all_interfaces_everybody_is_told_where_he_reaches_us(kernel: list[str]) -> None:
    ours = of(BOTH)
    assert told(ours, "10.0.0.9") == "10.0.0.5:5060"
    assert told(ours, "203.0.113.9") == "198.51.100.5:5060"
    assert told(ours, "2001:db8::1") == "[2001:db8::5]:5060"
    assert str(ours.contact) == "10.0.0.5:5060"
    told(ours, "10.0.0.9")
    assert kernel.count("10.0.0.9") == 1
    ours.forget_routes()
    told(ours, "10.0.0.9")
    assert kernel.count("10.0.0.9") == 2


def test_of_two_addresses_the_one_on_the_way() -> None:
    ours = of(LAN_AND_WAN)
    assert told(ours, "10.0.0.9") == "10.0.0.5:5060"
    assert told(ours, "203.0.113.9") == "198.51.100.5:5070"


def test_a_family_that_we_do_not_listen_on_can_not_be_reached() -> None:
    ours = of('listen = "10.0.0.5"')
    assert ours.flow_to("UDP", HostPort("2001:db8::1", 5060)) is None
    assert ours.flow_to("TLS", HostPort("10.0.0.9", 5061)) is None


def test_behind_a_nat_the_outside_is_told_the_address_outside() -> None:
    ours = of(f'{BOTH}\nexternal_addresses = ["203.0.113.77"]')
    assert told(ours, "203.0.113.9") == "203.0.113.77:5060"
    assert told(ours, "10.0.0.9") == "10.0.0.5:5060"
    assert told(ours, "2001:db8::1") == "[2001:db8::5]:5060", "no IPv6 NAT was spoken of"
    assert ours.host_for("203.0.113.9") == "203.0.113.77"


def test_who_is_local_can_be_said() -> None:
    ours = of(
        'listen = "10.0.0.5"\nexternal_addresses = ["203.0.113.77"]\n'
        'local_networks = ["203.0.113.0/24"]'
    )
    assert told(ours, "203.0.113.9") == "10.0.0.5:5060"
    assert told(ours, "10.0.0.9") == "203.0.113.77:5060"


def test_advertise_goes_before_what_we_listen_on() -> None:
    ours = of(f'{BOTH}\nadvertise = "192.0.2.99"')
    assert told(ours, "10.0.0.9") == "192.0.2.99:5060"
    assert told(ours, "2001:db8::1") == "[2001:db8::5]:5060"


@pytest.mark.parametrize(
    ("settings", "bind"),
    [
        ('listen = "10.0.0.5"', "10.0.0.5"),
        ('listen = "0.0.0.0"', "0.0.0.0"),  # noqa: S104 - said, not bound
        (LAN_AND_WAN, "0.0.0.0"),  # noqa: S104 - said, not bound
        ('listen = ["[::1]:5060", "[2001:db8::5]:5060"]', "::"),
        (BOTH, "*"),
    ],
)
def test_where_media_is_bound(settings: str, bind: str) -> None:
    assert of(settings).media_bind == bind


def test_flows_of_the_last_run() -> None:
    ours = of(LAN_AND_WAN)
    remote = HostPort("203.0.113.9", 5060)
    same = Flow("UDP", HostPort("198.51.100.5", 5070), remote)
    assert ours.restored(same) == same
    moved = Flow("UDP", HostPort("198.51.100.4", 5060), remote)
    assert ours.restored(moved) == same
    assert ours.restored(Flow("TLS", HostPort("10.0.0.5", 5061), remote)) is None


def test_a_certificate_that_nobody_sees_is_worth_a_word() -> None:
    text = '[tls]\ncertificate = "/c.pem"\n[[trunk]]\nname = "t"\naddress = "192.0.2.1"\n'
    (warning,) = parse(text, "f").warnings()
    assert "tls is not among the transports" in warning
    used = f'[sip]\ntransports = ["udp", "tls"]\n{text}'.replace("c.pem", 'c.pem"\nkey = "/k.pem')
    assert not parse(used, "f").warnings()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("listen = []", "sip.listen"),
        ('listen = ["10.0.0.5", "10.0.0.5:5060"]', "one stands there twice"),
        ('external_addresses = ["192.0.2.1", "192.0.2.2"]', "at most one IPv4"),
        ('external_addresses = ["pbx.example.com"]', "does not appear to be"),
        ('local_networks = ["10.0.0.1/8"]', "host bits"),
        ('nameservers = ["ns.example.com"]', "not a numeric address"),
        ('transports = ["tls"]', "tls needs certificate in"),
        (
            'listen = "0.0.0.0:5061"\ntransports = ["tls"]\n[tls]\ncertificate = "/c"\nkey = "/k"',
            "has the port of",
        ),
        ('transports = ["tls"]\n[tls]\ncertificate = "c.pem"\nkey = "/k"', "absolute path"),
        ('[[trunk]]\nname = "t"\naddress = "192.0.2.1"\ntransport = "tls"', "not among the"),
        (
            '[[trunk]]\nname = "t"\naddress = "192.0.2.1"\nclient_certificate = "a.example.com"',
            "client_certificate: needs tls",
        ),
    ],
)
def test_what_is_refused(settings: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse(f"[sip]\n{settings}\n", "f")
