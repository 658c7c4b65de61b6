import pytest

from sip.address import Flow, HostPort
from sip.errors import LocalProtocolError


@pytest.mark.parametrize(
    ("text", "host", "port", "written"),
    [
        ("127.0.0.1", "127.0.0.1", 5060, "127.0.0.1:5060"),
        ("127.0.0.1:0", "127.0.0.1", 0, "127.0.0.1:0"),
        ("::1", "::1", 5060, "[::1]:5060"),
        ("[::1]", "::1", 5060, "[::1]:5060"),
        ("[2001:DB8::1]:65535", "2001:db8::1", 65535, "[2001:db8::1]:65535"),
    ],
)
def test_parse_and_str(text: str, host: str, port: int, written: str) -> None:
    address = HostPort.parse(text)
    assert address == HostPort(host, port)
    assert str(address) == written
    assert HostPort.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:\u0661", "[::1",
     "[::1]5060", "[::1]:", "fe80::1%eth0", "127.0.0.1:123456"],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(LocalProtocolError):
        HostPort.parse(text)


def test_the_default_port_is_the_callers() -> None:
    assert HostPort.parse("127.0.0.1", 5061).port == 5061


def test_only_udp_is_unreliable() -> None:
    here, there = HostPort("127.0.0.1", 1), HostPort("127.0.0.1", 2)
    assert not Flow("UDP", here, there).reliable
    assert Flow("TCP", here, there).reliable
    assert Flow("TLS", here, there).reliable
