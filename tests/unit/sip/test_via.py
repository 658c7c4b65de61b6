import pytest

from sip.address import HostPort
from sip.via import first_value, parse_top_via, stamp

SOURCE = HostPort("192.0.2.9", 40000)


def test_the_parts_of_a_via() -> None:
    via = parse_top_via('SIP/2.0/UDP 10.0.0.1:5062;rport;branch=z9hG4bK%41;x="a;b"')
    assert (via.transport, via.sent_by, via.branch, via.rport) == (
        "UDP",
        "10.0.0.1:5062",
        "z9hG4bK%41",
        True,
    )


@pytest.mark.parametrize(
    ("line", "sent_by", "branch"),
    [
        ("SIP  /  2.0 / udp  192.0.2.2 : 5060 ; branch = 390skdjuw", "192.0.2.2:5060", "390skdjuw"),
        ("SIP/2.0/TCP host", "host", ""),
        ("SIP/2.0/UDP host;branch=z9hG4bK", "host", ""),
        ("SIP/2.0/UDP [2001:db8::9]:5060;received=::1;branch=b", "[2001:db8::9]:5060", "b"),
        ("SIP/2.0/UDP h;received=[::1];BRANCH=b", "h", "b"),
        ("SIP/7.0/UDP under_score.example.com;branch=b", "under_score.example.com", "b"),
        ("SIP/2.0/UDP h;branch=b, SIP/2.0/TCP g;branch=c", "h", "b"),
    ],
)
def test_odd_but_legal(line: str, sent_by: str, branch: str) -> None:
    via = parse_top_via(line)
    assert (via.sent_by, via.branch) == (sent_by, branch)


@pytest.mark.parametrize(
    "line",
    ["", "SIP/2.0/UDP", "UDP host", "SIP/2.0/UDP host;;", "SIP/2.0/UDP host;=x",
     "SIP/2.0/UDP host branch=x", "SIP/2.0/UDP host:port", "SIP/2.0/UDP ho st;branch=x",
     'SIP/2.0/UDP host;a="unclosed', "SIP/2.0/UDP h\u00f6st"],
)  # fmt: skip
def test_what_is_no_via(line: str) -> None:
    with pytest.raises(ValueError, match="not valid"):
        parse_top_via(line)


@pytest.mark.parametrize(
    ("line", "first", "rest"),
    [
        ("a", "a", ""),
        ("a , b, c", "a", "b, c"),
        ('"x, y" <sip:a>, b', '"x, y" <sip:a>', "b"),
        ('"x\\", y", b', '"x\\", y"', "b"),
        ('"x, y', '"x, y', ""),
    ],
)
def test_first_value(line: str, first: str, rest: str) -> None:
    assert first_value(line) == (first, rest)


@pytest.mark.parametrize(
    ("line", "stamped"),
    [
        ("SIP/2.0/UDP 192.0.2.9;branch=b", "SIP/2.0/UDP 192.0.2.9;branch=b"),
        ("SIP/2.0/UDP 192.0.2.9:5060;branch=b", "SIP/2.0/UDP 192.0.2.9:5060;branch=b"),
        ("SIP/2.0/UDP x;branch=b", "SIP/2.0/UDP x;branch=b;received=192.0.2.9"),
        (
            "SIP/2.0/UDP x;rport;branch=b, SIP/2.0/UDP y;rport",
            "SIP/2.0/UDP x;rport=40000;branch=b;received=192.0.2.9, SIP/2.0/UDP y;rport",
        ),
        (
            "SIP/2.0/UDP x;received=6.6.6.6;rport=1;branch=b",
            "SIP/2.0/UDP x;rport=40000;branch=b;received=192.0.2.9",
        ),
    ],
)
def test_the_stamp_on_the_way_back(line: str, stamped: str) -> None:
    assert stamp(line, parse_top_via(line), SOURCE) == stamped


def test_a_zone_is_nobody_elses_business() -> None:
    via = parse_top_via("SIP/2.0/UDP [fe80::1]:5060;branch=z9hG4bK1;rport")
    stamped = stamp(via.text, via, HostPort("fe80::1%eth0", 5062))
    assert stamped.endswith(";rport=5062;received=fe80::1")
