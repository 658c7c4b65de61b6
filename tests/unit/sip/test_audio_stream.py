import pytest

from sip.address import HostPort
from sip.audio_stream import AudioStream, Direction, NoCommonCodec, audio_stream
from sip.payload import Payload
from sip.sdp import SdpError, SessionDescription
from tests.support.descriptions import NOWHERE, audio, sdp


def test_stream_of_a_plain_offer() -> None:
    session = sdp(
        "m=audio 4000 RTP/AVP 8 96 101",
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:30",
        "a=recvonly",
    )
    assert audio_stream(session) == AudioStream(
        remote=HostPort("192.0.2.1", 4000),
        payloads=(
            Payload(payload_type=8, encoding="PCMA", clock_rate=8000),
            Payload(payload_type=96, encoding="opus", clock_rate=48000, channels=2),
            Payload(payload_type=101, encoding="telephone-event", clock_rate=8000, fmtp="0-15"),
        ),
        ptime_ms=30,
        direction="recvonly",
    )


@pytest.mark.parametrize(
    ("lines", "host"),
    [
        (["m=audio 4000 RTP/AVP 0", "c=IN IP4 192.0.2.9"], "192.0.2.9"),
        (["m=audio 4000 RTP/AVP 0", "c=IN IP6 2001:DB8:0::1"], "2001:db8::1"),
        (["m=audio 4000 RTP/AVP 0"], "192.0.2.1"),
    ],
)
def test_address_of_the_line_wins_over_that_of_the_session(lines: list[str], host: str) -> None:
    assert audio_stream(sdp(*lines)).remote == HostPort(host, 4000)


@pytest.mark.parametrize(
    ("session", "direction", "held"),
    [
        (audio("0"), "sendrecv", False),
        (audio("0", "a=sendrecv"), "sendrecv", False),
        (audio("0", "a=sendonly"), "sendonly", True),
        (audio("0", "a=recvonly"), "recvonly", False),
        (audio("0", "a=inactive "), "inactive", True),
        (audio("0", c=NOWHERE), "sendonly", True),
        (audio("0", c="::"), "sendonly", True),
        (audio("0", "a=recvonly", c=NOWHERE), "inactive", True),
        (sdp("a=inactive", "m=audio 4000 RTP/AVP 0"), "inactive", True),
        (sdp("a=inactive", "m=audio 4000 RTP/AVP 0", "a=sendrecv"), "sendrecv", False),
    ],
)
def test_hold_in_every_spelling(
    session: SessionDescription, direction: Direction, *, held: bool
) -> None:
    found = audio_stream(session)
    assert (found.direction, found.held) == (direction, held)


@pytest.mark.parametrize(
    ("session", "error"),
    [
        (sdp(), SdpError),
        (sdp("m=video 4000 RTP/AVP 96"), SdpError),
        (sdp("m=audio 0 RTP/AVP 0"), SdpError),
        (sdp("m=audio 4000 RTP/AVP 0", c=""), SdpError),
        (sdp("m=audio 4000 RTP/AVP 0", c="phone.example"), SdpError),
        (sdp("m=audio 4000 RTP/AVP 0", c="224.2.1.1/127"), SdpError),
        (sdp("m=audio 4000 RTP/AVP 0", c="224.2.1.1"), SdpError),
        (sdp("m=audio 4000 RTP/AVP 0", c="fe80::1%eth0"), SdpError),
        (sdp("m=audio 4000 RTP/SAVP 0"), NoCommonCodec),
        (sdp("m=audio 4000 RTP/SAVPF 0"), NoCommonCodec),
        (sdp("m=audio 4000 RTP/AVP 96 97"), NoCommonCodec),
        (audio("13 101"), NoCommonCodec),
        (sdp("m=audio 4000 RTP/AVP 96", "a=rtpmap:96 red/8000"), NoCommonCodec),
    ],
)
def test_session_without_audio_for_us_is_488(
    session: SessionDescription, error: type[SdpError]
) -> None:
    with pytest.raises(error) as raised:
        audio_stream(session)
    assert raised.value.status == 488
    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a=ptime:20", 20),
        ("a=ptime:20.0", 20),
        ("a=ptime: 20", 20),
        ("a=ptime:0", None),
        ("a=ptime:-20", None),
        ("a=ptime:99999", None),
        ("a=ptime", None),
        ("a=maxptime:40", None),
    ],
)
def test_packet_time(line: str, expected: int | None) -> None:
    assert audio_stream(audio("0", line)).ptime_ms == expected


# --- where RTCP goes


@pytest.mark.parametrize(
    ("value", "port"),
    [
        ("4711", 4711),
        ("4711 IN IP4 192.0.2.1", 4711),
        (" 4711  IN  IP4  192.0.2.1 ", 4711),
        ("4711 IN IP4 192.0.2.99", 0),
        ("0", 0),
        ("65536", 0),
        ("4711 and more", 0),
        ("x", 0),
    ],
)
def test_a_port_for_rtcp_counts_where_the_rtp_is(value: str, port: int) -> None:
    assert audio_stream(sdp("m=audio 4000 RTP/AVP 8", f"a=rtcp:{value}")).rtcp_port == port


def test_without_a_port_for_rtcp_it_is_the_one_above() -> None:
    assert audio_stream(sdp("m=audio 4000 RTP/AVP 8", "a=rtcp-mux")).rtcp_port == 0
