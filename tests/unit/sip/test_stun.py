"""STUN on the port of SIP."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.address import Flow, HostPort
from sip.endpoint import Endpoint
from sip.stun import answer, is_stun
from tests.support.sip_pair import authorize_all

COOKIE = b"\x21\x12\xa4\x42"
# RFC 5769 section 2: the transaction id, and the address that it hides.
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
REQUEST = b"\x00\x01\x00\x00" + COOKIE + TRANSACTION
SERVER = HostPort("192.0.2.100", 5060)
PHONE = HostPort("192.0.2.1", 32853)


def attribute(kind: int, value: bytes) -> bytes:
    padded = value + bytes(-len(value) % 4)
    return struct.pack(">HH", kind, len(value)) + padded


def with_attributes(*attributes: bytes) -> bytes:
    body = b"".join(attributes)
    return b"\x00\x01" + struct.pack(">H", len(body)) + COOKIE + TRANSACTION + body


def test_the_address_as_in_the_example_of_the_rfc() -> None:
    response = answer(REQUEST, PHONE)
    assert response is not None
    assert response[:2] == b"\x01\x01"
    assert response[4:20] == COOKIE + TRANSACTION
    assert response[20:].hex() == "002000080001a147e112a643"


def test_ipv6_as_in_the_example_of_the_rfc() -> None:
    source = HostPort("2001:db8:1234:5678:11:2233:4455:6677", 32853)
    response = answer(REQUEST, source)
    assert response is not None
    assert response[20:].hex() == "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"


def test_who_sends_a_fingerprint_gets_one() -> None:
    request = with_attributes(attribute(0x8022, b"phone"), attribute(0x8028, bytes(4)))
    response = answer(request, PHONE)
    assert response is not None
    assert struct.unpack(">H", response[2:4])[0] == len(response) - 20
    check = struct.unpack(">I", response[-4:])[0]
    assert check == zlib.crc32(response[:-8]) ^ 0x5354554E


@pytest.mark.parametrize(
    "data",
    [
        b"\x01\x01" + REQUEST[2:],
        b"\x00\x11" + REQUEST[2:],
        REQUEST + b"\x00",
        b"\x00\x01\x00\x04" + REQUEST[4:],
        with_attributes(attribute(0x0006, b"user")),
        with_attributes(b"\x80\x22\x00\xff"),
        with_attributes(b"\x80\x22"),
    ],
)
def test_what_is_not_answered(data: bytes) -> None:
    assert answer(data, PHONE) is None


@given(st.binary(max_size=80))
def test_whatever_comes_breaks_nothing(tail: bytes) -> None:
    data = b"\x00\x01" + tail[:2] + COOKIE + tail[2:]
    if is_stun(data):
        answer(data, PHONE)


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\x00\x01", b"INVITE sip:a SIP/2.0\r\n\r\n"])
def test_what_is_no_stun(data: bytes) -> None:
    assert not is_stun(data)


def test_only_who_is_registered_gets_an_answer() -> None:
    endpoint = Endpoint(contact=SERVER, authorize=authorize_all)
    endpoint.answer_life_signs(lambda flow: flow.remote == PHONE)
    known = Flow("UDP", SERVER, PHONE)
    endpoint.receive(REQUEST, known, 0.0)
    endpoint.receive(REQUEST, Flow("UDP", SERVER, HostPort("192.0.2.2", 5060)), 0.0)
    endpoint.receive(b"\x00\x01\x00\x00" + COOKIE + bytes(11), known, 0.0)
    ((data, flow),) = endpoint.send_queue()
    assert flow == known
    assert data.startswith(b"\x01\x01")
    assert endpoint.counters["keepalives"] == 2
    assert endpoint.counters["malformed"] == 1
