"""Keys and wishes in INFO requests, as phones write them."""

import pytest

from sip.info import allows_info, key_of, record_wish
from sip.message import Request, parse
from tests.support.sip_raw import request

RELAY = "application/dtmf-relay"
PLAIN = "application/dtmf"


def info(content_type: str, body: str | bytes, *headers: str) -> Request:
    octets = body.encode() if isinstance(body, str) else body
    lines = (*headers, f"Content-Type: {content_type}") if content_type else headers
    data = request("INFO", to_tag="ours", headers=lines)
    head = data.replace(b"Content-Length: 0", b"Content-Length: %d" % len(octets))
    message = parse(head + octets)
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ("Signal=1\r\nDuration=160\r\n", "1"),
        ("Signal=1\nDuration=160", "1"),
        ("Signal= *\r\nDuration= 160\r\n", "*"),
        ("Signal = #\r\n", "#"),
        (" signal\t=\t0 \r\n", "0"),
        ("SIGNAL=d", "D"),
        ("Duration=250\r\nSignal=5\r\n\r\n", "5"),
        ("Signal=10\r\nDuration=250\r\n", "*"),
        ("Signal=11\r\nDuration=250\r\n", "#"),
        ("Signal=12", "A"),
        ("Signal=15", "D"),
        ("Signal=16", None),
        ("Signal=", None),
        ("Signal=12345", None),
        ("Signal=1 2", None),
        ("Signal=!", None),
        ("Signal:1", None),
        ("Duration=160", None),
        ("", None),
        ("1", None),
        ("Signal=\u0661", None),
        ("x" * 300 + "\r\nSignal=1\r\n", None),
    ],
)
def test_a_key_in_dtmf_relay(body: str, key: str | None) -> None:
    assert key_of(info(RELAY, body)) == key


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ("5", "5"),
        (" * \r\n", "*"),
        ("#", "#"),
        ("a", "A"),
        ("10", "*"),
        ("11", "#"),
        ("", None),
        ("55", None),
        ("Signal=5", None),
    ],
)
def test_a_key_that_is_the_whole_body(body: str, key: str | None) -> None:
    assert key_of(info(PLAIN, body)) == key


@pytest.mark.parametrize(
    ("content_type", "key"),
    [
        ("Application/DTMF-Relay ; charset=utf-8", "1"),
        ("application/media_control+xml", None),
        ("application/dtmf", None),
        ("text/plain", None),
        ("", None),
    ],
)
def test_the_type_decides_how_it_is_read(content_type: str, key: str | None) -> None:
    assert key_of(info(content_type, "Signal=1\r\n")) == key


@pytest.mark.parametrize("octets", [b"Signal=\xb9", b"\xb2"])
def test_octets_that_are_no_ascii_are_no_key(octets: bytes) -> None:
    assert key_of(info(RELAY, octets)) is None
    assert key_of(info(PLAIN, octets)) is None


@pytest.mark.parametrize(
    ("headers", "wish"),
    [
        (("Record: on",), "on"),
        (("Record: off",), "off"),
        (("record:  ON ",), "on"),
        (("RECORD: Off",), "off"),
        (("Record: pause",), None),
        (("Record:",), None),
        (("Record: on, off",), None),
        ((), None),
    ],
)
def test_a_wish_to_record(headers: tuple[str, ...], wish: str | None) -> None:
    assert record_wish(info("", "", *headers)) == wish


@pytest.mark.parametrize(
    ("allow", "allowed"),
    [
        (["INVITE, ACK, info"], True),
        (["INVITE,ACK", "INFO"], True),
        (["INVITE, INFORM"], False),
        ([], False),
    ],
)
def test_whether_a_phone_takes_info(allow: list[str], allowed: bool) -> None:  # noqa: FBT001
    assert allows_info(allow) is allowed
