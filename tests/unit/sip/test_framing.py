"""Where messages end in a stream, and what breaks one."""

import pytest

from sip.framing import PING, Framer
from sip.message import MAX_HEADER, MAX_HEADERS, MAX_MESSAGE, Request, parse
from tests.support.sip_raw import request

INVITE = request("INVITE", body="v=0\r\n")
BYE = request("BYE", cseq=2)

HEAD = (
    "OPTIONS sip:200@127.0.0.1 SIP/2.0\r\n"
    "Via: SIP/2.0/TCP 127.0.0.2:5070;branch=z9hG4bK1\r\n"
    "From: <sip:100@127.0.0.1>;tag=phone\r\n"
    "To: <sip:200@127.0.0.1>\r\n"
    "Call-ID: call-1\r\n"
    "CSeq: 1 OPTIONS\r\n"
)


def with_lines(*lines: str, end: str = "\r\n\r\n") -> bytes:
    return (HEAD + "\r\n".join(lines) + end).encode()


def refusal(framer: Framer) -> tuple[int, str, bool]:
    error = framer.error
    assert error is not None
    return error.status, error.reason, error.request is not None


def test_a_message_comes_out_as_it_went_in() -> None:
    framer = Framer()
    assert framer.feed(INVITE) == [INVITE]
    assert not framer.pending


def test_two_messages_in_one_piece() -> None:
    framer = Framer()
    assert framer.feed(INVITE + BYE) == [INVITE, BYE]


def test_a_message_octet_by_octet() -> None:
    framer = Framer()
    out = []
    for octet in INVITE:
        out += framer.feed(bytes((octet,)))
        assert framer.pending is (not out)
    assert out == [INVITE]


@pytest.mark.parametrize(
    "line",
    [
        "Content-Length: 3",
        "content-length:3",
        "CONTENT-LENGTH : 003",
        "l: 3",
        "L\t:\t3 ",
        "Content-Length:\r\n 3",
        "l:\r\n\t \r\n 3",
    ],
)
def test_each_way_to_write_content_length(line: str) -> None:
    data = with_lines(line) + b"abc"
    framer = Framer()
    assert framer.feed(data + BYE) == [data, BYE]
    assert parse(data).body == b"abc"


def test_lines_may_end_in_lf_alone() -> None:
    data = with_lines("Content-Length: 0").replace(b"\r\n", b"\n")
    assert Framer().feed(data + BYE) == [data, BYE]


def test_a_word_in_the_start_line_or_the_body_is_no_content_length() -> None:
    data = with_lines("Subject: a\r\n Content-Length: 9", "Content-Length: 20")
    data += b"Content-Length: 77\r\n"
    assert Framer().feed(data) == [data]


def test_a_ping_between_messages_comes_out_and_single_blanks_do_not() -> None:
    framer = Framer()
    assert framer.feed(b"\r\n" + INVITE + PING + b"\r\n" + BYE) == [INVITE, PING, BYE]
    assert framer.feed(b"\r\n") == []
    assert not framer.pending
    assert framer.feed(b"\r\n\r\n\r\n") == [PING, PING]
    assert framer.feed(b"\0\0\n\r" + BYE) == [BYE]


def test_blank_lines_inside_a_body_are_no_ping() -> None:
    data = with_lines("Content-Length: 8") + b"\r\n\r\n\r\n\r\n"
    assert Framer().feed(data) == [data]


@pytest.mark.parametrize(
    ("lines", "status", "reason"),
    [
        (["Subject: x"], 400, "Missing Content-Length"),
        (["Content-Length: -999"], 400, "Bad Content-Length"),
        (["Content-Length: +5"], 400, "Bad Content-Length"),
        (["Content-Length: 1_0"], 400, "Bad Content-Length"),
        (["Content-Length: \u0663"], 400, "Bad Content-Length"),
        (["Content-Length: 5 5"], 400, "Bad Content-Length"),
        (["Content-Length: 5\r\n 5"], 400, "Bad Content-Length"),
        (["Content-Length:"], 400, "Bad Content-Length"),
        (["Content-Length: 0000005"], 400, "Bad Content-Length"),
        (["Content-Length: 5", "Content-Length: 6"], 400, "Several Content-Length"),
        (["Content-Length: 5", "l: 5"], 400, "Several Content-Length"),
        (["Content-Length: 65535"], 513, "Message Too Large"),
        (["Content-Length: 999999"], 513, "Message Too Large"),
        (["X: " + "x" * (MAX_HEADER + 100)], 400, "Header Too Long"),
        (["X: " + "x" * MAX_HEADER, " " * 100], 400, "Header Too Long"),
        (["X: y"] * (MAX_HEADERS - 4), 400, "Too Many Headers"),
    ],
)
def test_what_breaks_a_stream_can_be_answered(lines: list[str], status: int, reason: str) -> None:
    framer = Framer()
    assert framer.feed(BYE + with_lines(*lines) + BYE) == [BYE]
    assert refusal(framer) == (status, reason, True)
    assert not framer.pending
    assert framer.feed(BYE) == [], "nothing after the break can be trusted"
    assert framer.error is not None
    assert isinstance(framer.error.request, Request)
    assert framer.error.request.head.call_id == "call-1"


def test_many_long_headers_are_too_much() -> None:
    framer = Framer()
    lines = ["X: " + "x" * 8_000] * 10
    assert framer.feed(with_lines(*lines)) == []
    assert refusal(framer) == (513, "Message Too Large", True)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h\r\n\r\n", id="response"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="http"),
        pytest.param(b"x" * (MAX_HEADER + 100), id="no line end"),
        pytest.param(b"\x16\x03\x01\x02\x00" + b"\x80" * MAX_MESSAGE, id="tls"),
    ],
)
def test_what_can_not_be_answered(data: bytes) -> None:
    framer = Framer()
    assert framer.feed(data) == []
    assert framer.error is not None
    assert framer.error.request is None


def test_a_message_of_the_largest_size() -> None:
    length = MAX_MESSAGE - len(with_lines("Content-Length: 12345"))
    data = with_lines(f"Content-Length: {length}") + b"x" * length
    assert len(data) == MAX_MESSAGE
    assert Framer().feed(data) == [data]


def test_giving_up_a_message_whose_body_does_not_come() -> None:
    framer = Framer()
    framer.feed(with_lines("Content-Length: 9999") + b"v=0\r\n")
    assert framer.pending
    error = framer.give_up()
    assert (error.status, error.reason) == (400, "Incomplete Message")
    assert error.request is not None
    assert framer.give_up() is error
    assert framer.feed(BYE) == []


def test_giving_up_a_stream_that_said_nothing() -> None:
    assert Framer().give_up().request is None
