"""However the network cuts a stream, the same messages come out of it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sip.errors import RemoteProtocolError
from sip.framing import PING, Framer
from sip.message import MAX_HEADER, parse
from tests.support.sip_raw import request

QUICK = settings(max_examples=300, deadline=None)

bodies = st.text(alphabet="v=0\r\nl: 5é", max_size=40)
messages = st.builds(
    lambda method, cseq, body: request(method, cseq=cseq, body=body).replace(
        b"Content-Length: %d" % len(body), b"l :\r\n %d" % len(body.encode())
    ),
    st.sampled_from(["INVITE", "ACK", "BYE", "OPTIONS"]),
    st.integers(0, 9),
    bodies,
)
pieces = st.sampled_from(
    [
        b"\r\n", b"\r", b"\n", PING, b"\0", b" ", b"Content-Length: 5\r\n",
        b"l: 0\r\n\r\n", b"x\r\n", b"Content-Length: -1\r\n\r\n",
        b"X: " + b"y" * (MAX_HEADER + 70), b"INVITE sip:a SIP/2.0\r\n",
        b"X: y\r\n" * 60, b" folded\r\n",
    ]
)  # fmt: skip
streams = st.lists(messages | pieces, max_size=8).map(b"".join)


def run(stream: bytes, cuts: list[int]) -> tuple[list[bytes], object, bool]:
    framer, found, start = Framer(), list[bytes](), 0
    for cut in [*sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]:
        found += framer.feed(stream[start:cut])
        start = cut
    error = framer.error
    verdict = None
    if error is not None:
        request_seen = error.request.headers if error.request is not None else None
        verdict = (error.status, error.reason, str(request_seen))
    return found, verdict, framer.pending


@QUICK
@given(st.lists(messages, max_size=6), st.lists(st.integers(0, 1 << 16), max_size=30))
def test_any_split_of_messages_gives_the_messages(sent: list[bytes], cuts: list[int]) -> None:
    assert run(b"".join(sent), cuts) == (sent, None, False)


@QUICK
@given(streams, st.lists(st.integers(0, 1 << 16), max_size=30))
def test_any_split_of_any_stream_gives_the_same(stream: bytes, cuts: list[int]) -> None:
    assert run(stream, cuts) == run(stream, [])


@QUICK
@given(streams)
def test_octet_by_octet_gives_the_same(stream: bytes) -> None:
    assert run(stream[:2000], list(range(2000))) == run(stream[:2000], [])


@QUICK
@given(streams)
def test_framer_and_parser_agree_about_the_body(stream: bytes) -> None:
    found, _, _ = run(stream, [])
    for data in found:
        if data != PING:
            told = body_of(data)
            assert told is None or data.endswith(told)


def body_of(data: bytes) -> bytes | None:
    """Return the body as the parser sees it; none where it refuses the message for its header."""
    try:
        message = parse(data)
    except RemoteProtocolError as error:
        if "Content-Length" in error.reason:
            raise
        return None
    length = message.headers["Content-Length"]
    return message.body if int(length) == len(message.body) else b"cut: " + data
