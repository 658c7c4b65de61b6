import pytest

from sip.sdp import (
    MAX_LINES,
    Attribute,
    MediaDescription,
    Origin,
    SdpError,
    SessionDescription,
    parse,
)

MINIMAL = "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
AUDIO = "m=audio 4000 RTP/AVP 0\r\n"


def body(*lines: str) -> bytes:
    return "\r\n".join([*lines, ""]).encode()


def test_all_that_is_kept() -> None:
    data = (
        "v=0\r\n"
        "o=alice 2890844526 2890844527 IN IP4 host.example.com\r\n"
        "s=A call\r\n"
        "c=IN IP6 2001:db8::1\r\n"
        "t=0 0\r\n"
        "t=1 2\r\n"
        "a=sendonly\r\n"
        "m=audio 49170/2 RTP/AVP 0 97\r\n"
        "c=IN IP4 192.0.2.5\r\n"
        "a=rtpmap:97 x:y/8000\r\n"
        "a=recvonly\r\n"
        "m=image 0 udptl t38\r\n"
    )
    session = parse(data.encode())
    assert session == SessionDescription(
        origin=Origin(2890844526, 2890844527, username="alice", host="host.example.com"),
        name="A call",
        connection="2001:db8::1",
        times=("0 0", "1 2"),
        attributes=(Attribute(name="sendonly"),),
        media=(
            MediaDescription(
                kind="audio",
                port=49170,
                port_count=2,
                profile="RTP/AVP",
                formats=("0", "97"),
                connection="192.0.2.5",
                attributes=(
                    Attribute(name="rtpmap", value="97 x:y/8000"),
                    Attribute(name="recvonly"),
                ),
            ),
            MediaDescription(kind="image", port=0, profile="udptl", formats=("t38",)),
        ),
    )
    assert bytes(session) == data.encode()
    assert SessionDescription.parse(bytes(session)) == session


def test_descriptive_lines_are_read_over() -> None:
    lines = "i=x\r\nu=http://x\r\ne=x\r\np=1\r\nb=AS:64\r\nk=clear:x\r\nz=0 0\r\n"
    session = parse((MINIMAL + lines + AUDIO + "i=y\r\nb=TIAS:64000\r\n").encode())
    assert bytes(session) == (MINIMAL + AUDIO).encode()


@pytest.mark.parametrize(
    "data",
    [
        (MINIMAL + AUDIO).replace("\r\n", "\n"),
        MINIMAL + AUDIO + "\r\n\r\n",
        (MINIMAL + AUDIO).removesuffix("\r\n"),
        (MINIMAL + AUDIO).replace("s=-\r\n", ""),
        (MINIMAL + AUDIO).replace("t=0 0\r\n", ""),
        (MINIMAL + AUDIO).replace("s=-", "s= "),
        (MINIMAL + AUDIO).replace("c=IN IP4", "c=IN IP6"),
        (MINIMAL + AUDIO).replace("0\r\n", "0 \r\n"),
        MINIMAL + "a=\r\na=:x\r\n" + AUDIO,
    ],
)
def test_what_phones_get_away_with(data: str) -> None:
    assert bytes(parse(data.encode())) == (MINIMAL + AUDIO).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"v=1\r\n",
        b" v=0\r\n",
        b"o=- 1 1 IN IP4 192.0.2.1\r\nv=0\r\n",
        body("v=0"),
        body("v=0", "o=- 1 1 IN IP4"),
        body("v=0", "o=- 1 1 IN IP4 192.0.2.1 x"),
        body("v=0", "o=- 1 1 IN IP4 192.0.2.1", "o=- 1 1 IN IP4 192.0.2.1"),
        body("v=0", "o=- -1 1 IN IP4 192.0.2.1"),
        body("v=0", "o=- 1_0 1 IN IP4 192.0.2.1"),
        body("v=0", "o=- \u0661 1 IN IP4 192.0.2.1"),
        body("v=0", f"o=- {'9' * 5000} 1 IN IP4 192.0.2.1"),
        body("v=0", f"o=- 1 {2**64} IN IP4 192.0.2.1"),
        MINIMAL.encode() + b"no equals sign\r\n",
        MINIMAL.encode() + b"=x\r\n",
        MINIMAL.encode() + b"\r\n" + AUDIO.encode(),
        MINIMAL.encode() + b"1=x\r\n",
        MINIMAL.encode() + b"a=x\x00y\r\n",
        MINIMAL.encode() + b"a=x\ry\r\n",
        MINIMAL.encode() + b"a=x\x0by\r\n",
        MINIMAL.encode() + b"m=audio 4000 RTP/AVP\r\n",
        MINIMAL.encode() + b"m=audio 65536 RTP/AVP 0\r\n",
        MINIMAL.encode() + b"m=audio x RTP/AVP 0\r\n",
        MINIMAL.encode() + b"m=audio 4000/ RTP/AVP 0\r\n",
        MINIMAL.encode() + AUDIO.encode() + b"c=IN IP4\r\n",
        MINIMAL.encode() + AUDIO.encode() + b"c=ATM NSAP 1.2\r\n",
        MINIMAL.encode() + AUDIO.encode() * 33,
        MINIMAL.encode() + b"a=x\r\n" * MAX_LINES,
    ],
)
def test_what_cannot_be_used_is_488(data: bytes) -> None:
    with pytest.raises(SdpError) as raised:
        parse(data)
    assert raised.value.status == 488


def test_thirty_two_media_are_read() -> None:
    assert len(parse((MINIMAL + AUDIO * 32).encode()).media) == 32


def test_odd_octets_come_out_as_they_went_in() -> None:
    data = MINIMAL.encode().replace(b"s=-", b"s=\xff\xc3\xbc") + AUDIO.encode()
    assert bytes(parse(data)) == data


def test_origin_without_a_host_takes_that_of_the_connection() -> None:
    session = SessionDescription(origin=Origin(1, 2), connection="2001:db8::1")
    assert "o=- 1 2 IN IP6 2001:db8::1\r\n" in str(session)
    assert "o=- 1 2 IN IP4 0.0.0.0\r\n" in str(SessionDescription(origin=Origin(1, 2)))


def test_values_of_an_attribute() -> None:
    media = parse((MINIMAL + AUDIO + "a=fmtp:1 x\r\na=fmtp\r\na=fmtp:2 y\r\n").encode()).media[0]
    assert media.values("fmtp") == ("1 x", "2 y")
