from dataclasses import replace

import pytest

from sip.address import HostPort
from sip.offer_answer import (
    AudioStream,
    Direction,
    NoCommonCodec,
    Origin,
    Payload,
    SdpError,
    audio_stream,
    first_offer,
    negotiated,
    relay_answer,
    relay_offer,
    revised,
    routes,
    standing_offer,
)
from sip.payload import MAX_PAYLOADS, find_match, free_number, read_payloads
from sip.sdp import SessionDescription

TO_A, TO_B = HostPort("198.51.100.7", 30_000), HostPort("198.51.100.7", 30_002)
NOWHERE = "0.0.0.0"  # noqa: S104 - not bound to: the old spelling of hold
NAMES = {
    "0": "PCMU/8000",
    "8": "PCMA/8000",
    "9": "G722/8000",
    "18": "G729/8000",
    "13": "CN/8000",
    "96": "opus/48000/2",
    "97": "telephone-event/48000",
    "101": "telephone-event/8000",
}


def sdp(*lines: str, c: str = "192.0.2.1") -> SessionDescription:
    head = ["v=0", "o=- 5 1 IN IP4 192.0.2.1", "s=-", *([f"c=IN IP4 {c}"] if c else []), "t=0 0"]
    return SessionDescription.parse("\r\n".join([*head, *lines, ""]).encode())


def audio(formats: str, *lines: str, c: str = "192.0.2.1") -> SessionDescription:
    """Describe audio by payload types, each with the name that this file gives it."""
    named = [f"a=rtpmap:{each} {NAMES[each]}" for each in formats.split() if each in NAMES]
    return sdp(f"m=audio 4000 RTP/AVP {formats}", *named, *lines, c=c)


def to_b(
    offer: SessionDescription, standing: SessionDescription | None = None
) -> SessionDescription:
    return relay_offer(offer, local=TO_B, origin=Origin(2000, 0), standing=standing)


def to_a(
    offer: SessionDescription,
    answer: SessionDescription,
    standing: SessionDescription | None = None,
) -> SessionDescription:
    return relay_answer(offer, answer, local=TO_A, origin=Origin(1000, 0), standing=standing)


def formats(session: SessionDescription) -> str:
    [line] = [each for each in session.media if each.port]
    return " ".join(line.formats)


def stream(text: str) -> AudioStream:
    return audio_stream(audio(text))


# --- audio_stream


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


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("a=rtpmap:96 new/8000", [("NEW", 8000, 1)]),
        ("a=rtpmap:96\tnew/8000/2 ", [("NEW", 8000, 2)]),
        ("a=rtpmap:0 new/16000", [("NEW", 16000, 1)]),
        ("a=rtpmap:96 new/0", []),
        ("a=rtpmap:96 new/8000/0", []),
        ("a=rtpmap:96 new", []),
        ("a=rtpmap:96 /8000", []),
        ("a=rtpmap:x new/8000", []),
        ("a=rtpmap:96 new/8\u0660", []),
        ("a=rtpmap:200 new/8000", []),
    ],
)
def test_rtpmap(line: str, read: list[tuple[str, int, int]]) -> None:
    media = sdp(f"m=audio 4000 RTP/AVP {line[9:].split(maxsplit=1)[0]}", line).media[0]
    assert [each.codec for each in read_payloads(media)] == read


def test_repeated_and_too_many_payload_types_are_left_out() -> None:
    assert formats(to_b(audio("0 0 8 x 8"))) == "0 8 101"
    many = [f"a=rtpmap:{n} codec{n}/8000" for n in range(128)]
    media = sdp(f"m=audio 4000 RTP/AVP {' '.join(map(str, range(128)))}", *many).media[0]
    assert len(read_payloads(media)) == MAX_PAYLOADS


# --- relay_offer


@pytest.mark.parametrize(
    ("offered", "relayed"),
    [
        ("8 101", "8 0 101"),
        ("0 101", "0 8 101"),
        ("0 8 101", "0 8 101"),
        ("9 8 18 101", "9 8 18 0 101"),
        ("18 101", "18 101"),
        ("8", "8 0 101"),
        ("8 13", "8 0 13 101"),
        ("96", "96 101"),
        ("96 8", "96 8 0 101 97"),
        ("96 8 97", "96 8 0 97"),
    ],
)
def test_offer_has_both_laws_and_digits(offered: str, relayed: str) -> None:
    assert formats(to_b(audio(offered))) == relayed


def test_digits_are_offered_per_clock_rate() -> None:
    told = to_b(audio("96 8"))
    events = [each for each in audio_stream(told).payloads if not each.is_codec]
    assert [(each.payload_type, each.clock_rate) for each in events] == [(101, 48000), (97, 8000)]


def test_number_that_is_taken_is_not_given_again() -> None:
    offer = sdp("m=audio 4000 RTP/AVP 8 101 0", "a=rtpmap:101 new/8000", "a=rtpmap:0 odd/8000")
    told = audio_stream(to_b(offer)).payloads
    assert [(each.payload_type, each.encoding) for each in told] == [
        (8, "PCMA"),
        (101, "new"),
        (0, "odd"),
        (96, "PCMU"),
        (97, "telephone-event"),
    ]


def test_free_numbers_keep_off_what_looks_like_rtcp() -> None:
    used = [Payload(payload_type=n, encoding="x", clock_rate=1) for n in range(96, 128)]
    used += [Payload(payload_type=n, encoding="x", clock_rate=1) for n in range(35, 72)]
    assert free_number(100, used) == 77


def test_unknown_codec_and_its_parameters_are_kept() -> None:
    told = to_b(sdp("m=audio 4000 RTP/AVP 99", "a=rtpmap:99 Codec2/8000", "a=fmtp:99 mode=3; x"))
    assert "a=rtpmap:99 Codec2/8000\r\na=fmtp:99 mode=3; x\r\n" in str(told)


def test_only_known_attributes_are_passed_on() -> None:
    offer = audio(
        "0 101", "a=ssrc:1 cname:alice@home", "a=crypto:1 x", "a=candidate:1 1 UDP 1 h 1 typ host"
    )
    text = str(to_b(offer))
    assert {line[2:].split(":")[0] for line in text.split("\r\n") if line.startswith("a=")} == {
        "rtpmap",
        "sendrecv",
    }
    assert "192.0.2.1" not in text


def test_packet_times_are_kept() -> None:
    told = to_b(audio("0 101", "a=ptime:30", "a=maxptime:60"))
    assert told.media[0].values("ptime") == ("30",)
    assert told.media[0].values("maxptime") == ("60",)


def test_hold_of_old_phones_is_spelled_anew() -> None:
    told = to_b(audio("0 101", c=NOWHERE))
    assert told.connection == "198.51.100.7"
    assert audio_stream(told).direction == "sendonly"


# --- relay_answer


@pytest.mark.parametrize(
    ("offered", "chosen", "answered"),
    [
        ("8 0 101", "0 101", "0 101"),
        ("8 0 101", "0 8 101", "0 8 101"),
        ("8 0", "0 101", "0"),
        ("8 101", "8", "8 101"),  # keys are for us to deliver
        ("8", "8", "8"),
        ("9 8 97", "9 8", "9 8"),
        ("8 13", "8 13", "8 13"),
        ("96 8", "96", "96"),
        # The other law, only where nothing else is shared ...
        ("8 101", "0 101", "8 101"),
        ("0 101", "8 101", "0 101"),
        ("96 8 101", "96 0 101", "96 101"),
        # ... or where it is what B likes best, and so will send.
        ("96 8 101", "0 96 101", "96 8 101"),
        # B answers what nobody offered.
        ("8 101", "8 18 101", "8 101"),
    ],
)
def test_only_what_was_offered_is_answered(offered: str, chosen: str, answered: str) -> None:
    assert formats(to_a(audio(offered), audio(chosen))) == answered


@pytest.mark.parametrize(
    ("offered", "chosen"), [("18 101", "0 101"), ("8 101", "18 101"), ("96", "9 8")]
)
def test_nothing_in_common_is_488(offered: str, chosen: str) -> None:
    with pytest.raises(NoCommonCodec):
        to_a(audio(offered), audio(chosen))


def test_audio_refused_by_b_is_488() -> None:
    with pytest.raises(SdpError):
        to_a(audio("8 101"), sdp("m=audio 0 RTP/AVP 8"))


def test_answer_keeps_number_and_order_of_lines() -> None:
    offer = sdp(
        "m=video 4002 RTP/AVP 96 97",
        "a=rtpmap:96 H264/90000",
        "m=audio 0 RTP/AVP 8",
        "m=audio 4004 RTP/SAVP 8",
        "a=crypto:1 x",
        "m=audio 4006 RTP/AVP 8 0",
        "m=audio 4008 RTP/AVP 0",
        "m=image 4010 udptl t38",
    )
    told = to_a(offer, audio("8"))
    assert [(each.kind, each.port, each.profile, each.formats) for each in told.media] == [
        ("video", 0, "RTP/AVP", ("96",)),
        ("audio", 0, "RTP/AVP", ("8",)),
        ("audio", 0, "RTP/SAVP", ("8",)),
        ("audio", 30000, "RTP/AVP", ("8",)),
        ("audio", 0, "RTP/AVP", ("0",)),
        ("image", 0, "udptl", ("t38",)),
    ]
    assert str(told).count("c=") == 1
    assert "crypto" not in str(told)


def test_answer_repeats_times_and_profile_of_the_offer() -> None:
    offer = replace(audio("8"), times=("1 2",))
    offer = replace(offer, media=(offer.media[0]._replace(profile="RTP/AVPF"),))
    told = to_a(offer, audio("8"))
    assert told.times == ("1 2",)
    assert told.media[0].profile == "RTP/AVPF"
    assert to_b(offer).media[0].profile == "RTP/AVP"


@pytest.mark.parametrize(
    ("offered", "chosen", "answered"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendrecv", "sendonly", "sendonly"),
        ("sendrecv", "recvonly", "recvonly"),
        ("sendrecv", "inactive", "inactive"),
        ("sendonly", "recvonly", "recvonly"),
        ("sendonly", "sendrecv", "recvonly"),
        ("sendonly", "sendonly", "inactive"),
        ("recvonly", "sendrecv", "sendonly"),
        ("recvonly", "sendonly", "sendonly"),
        ("inactive", "sendrecv", "inactive"),
    ],
)
def test_direction_of_the_answer(offered: str, chosen: str, answered: str) -> None:
    told = to_a(audio("0", f"a={offered}"), audio("0", f"a={chosen}"))
    assert audio_stream(told).direction == answered


def test_answer_carries_bs_parameters_under_as_number() -> None:
    offer = sdp("m=audio 4000 RTP/AVP 96", "a=rtpmap:96 iLBC/8000", "a=fmtp:96 mode=30")
    answer = sdp("m=audio 4000 RTP/AVP 120", "a=rtpmap:120 ilbc/8000", "a=ptime:30")
    told = to_a(offer, answer)
    assert "a=rtpmap:96 iLBC/8000\r\na=ptime:30\r\n" in str(told)


# --- o= and what stands


def test_version_grows_only_with_a_change() -> None:
    first = to_b(audio("8 101"))
    assert first.origin == Origin(2000, 0)
    assert to_b(audio("8 101"), first) == first
    held = to_b(audio("8 101", "a=sendonly"), first)
    assert held.origin == Origin(2000, 1)
    back = to_b(audio("8 101"), held)
    assert back.origin == Origin(2000, 2)
    assert replace(back, origin=first.origin) == first


def test_answer_after_an_answer_keeps_the_session() -> None:
    early = to_a(audio("8 101"), audio("8 101", "a=sendonly"))
    final = to_a(audio("8 101"), audio("8 101"), early)
    assert final.origin == Origin(1000, 1)
    assert to_a(audio("8 101"), audio("8 101"), final) is final


def test_offer_on_a_leg_that_offered_first_keeps_its_lines_and_numbers() -> None:
    a_offer = sdp(
        "m=video 4002 RTP/AVP 96",
        "m=audio 4000 RTP/AVPF 8 100 101",
        "a=rtpmap:100 opus/48000/2",
        "a=rtpmap:101 telephone-event/8000",
    )
    b_answer = sdp(
        "m=audio 4000 RTP/AVP 96 8 97",
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:97 telephone-event/8000",
    )
    told_a = to_a(a_offer, b_answer)
    assert told_a.media[1].formats == ("100", "8", "101")
    from_b = sdp(
        "m=audio 4000 RTP/AVP 96 97 101",
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:97 telephone-event/8000",
        "a=rtpmap:101 G726-32/8000",
        "a=sendonly",
    )
    again = relay_offer(from_b, local=TO_A, origin=Origin(1, 1), standing=told_a)
    assert [(each.kind, each.port, each.profile) for each in again.media] == [
        ("video", 0, "RTP/AVP"),
        ("audio", 30000, "RTP/AVPF"),
    ]
    named = {each.payload_type: each.encoding for each in audio_stream(again).payloads}
    assert named == {100: "opus", 101: "telephone-event", 98: "G726-32"}
    assert again.origin == Origin(1000, 1)


def test_reinvite_without_a_body_is_offered_what_stands() -> None:
    told = to_a(audio("8 101", "a=sendonly", "a=ptime:20"), audio("8 101"))
    assert audio_stream(told).direction == "recvonly"
    offer = standing_offer(told)
    assert audio_stream(offer).direction == "sendrecv"
    assert offer.origin == Origin(1000, 1)
    assert formats(offer) == formats(told)
    assert standing_offer(offer) == offer
    assert standing_offer(told, direction="recvonly") == told


def test_first_offer_for_a_call_that_began_without_one() -> None:
    told = first_offer(local=TO_B, origin=Origin(7, 0))
    assert formats(told) == "8 0 101"
    assert str(told).startswith(
        "v=0\r\no=- 7 0 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\n"
    )


def test_revised_without_a_predecessor_is_what_it_was() -> None:
    assert revised(None, audio("8")) == audio("8")


# --- negotiated and routes


def test_negotiated_stream_has_only_what_both_name() -> None:
    found = negotiated(audio("8 101"), audio("8 0 18 101", "a=sendonly"))
    assert [each.payload_type for each in found.payloads] == [8, 101]
    assert found.held


def test_negotiated_with_nothing_in_common_is_488() -> None:
    with pytest.raises(NoCommonCodec):
        negotiated(audio("8 101"), audio("0 101"))


def test_numbers_may_differ_per_direction() -> None:
    ours = sdp("m=audio 1 RTP/AVP 96 97", "a=rtpmap:96 x/8000", "a=rtpmap:97 y/8000")
    theirs = sdp("m=audio 1 RTP/AVP 97 98", "a=rtpmap:97 x/8000", "a=rtpmap:98 y/8000")
    peer = negotiated(ours, theirs)
    assert {n: each.encoding for n, each in peer.incoming().items()} == {96: "x", 97: "y", 98: "y"}
    far = audio_stream(ours)
    there, back = routes(peer, far)
    assert there.payload_types == {96: 96, 97: 97, 98: 97}
    assert back.payload_types == {96: 97, 97: 98}


def test_laws_are_not_converted_where_one_is_shared() -> None:
    there, back = routes(stream("8 0 101"), stream("8 0 101"))
    assert there.payload_types == back.payload_types == {8: 8, 0: 0, 101: 101}
    assert there.transcode == back.transcode == {}


def test_laws_are_converted_where_none_is_shared() -> None:
    there, back = routes(stream("8 101"), stream("0 97 101"))
    assert (there.payload_types, there.transcode) == ({8: 0, 101: 101}, {8: "PCMA>PCMU"})
    assert (back.payload_types, back.transcode) == ({0: 8, 101: 101}, {0: "PCMU>PCMA"})


def test_law_that_only_one_side_agreed_to_is_not_lost() -> None:
    there, back = routes(stream("8 101"), stream("0 8 101"))
    assert (there.payload_types, there.transcode) == ({8: 8, 101: 101}, {})
    assert (back.payload_types, back.transcode) == ({0: 8, 8: 8, 101: 101}, {0: "PCMU>PCMA"})


def test_law_at_another_clock_rate_is_another_codec() -> None:
    wide = audio_stream(sdp("m=audio 1 RTP/AVP 96", "a=rtpmap:96 PCMA/16000"))
    with pytest.raises(NoCommonCodec):
        routes(wide, stream("0"))


def test_digits_are_mapped_by_clock_rate() -> None:
    ours = sdp(
        "m=audio 1 RTP/AVP 8 96 99 100",
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:99 telephone-event/48000",
        "a=rtpmap:100 telephone-event/8000",
    )
    there, _ = routes(audio_stream(ours), stream("8 96 101 97"))
    assert there.payload_types == {8: 8, 96: 96, 99: 97, 100: 101}


def test_digits_alone_are_no_conversation() -> None:
    with pytest.raises(NoCommonCodec):
        routes(stream("18 101"), stream("8 101"))


@pytest.mark.parametrize(
    ("encoding", "first", "second", "same"),
    [
        ("AMR", "octet-align=1", "octet-align=1; mode-set=7", True),
        ("AMR", "octet-align=1", None, False),
        ("AMR", "octet-align=0", None, True),
        ("iLBC", "mode=20", "mode=30", False),
        ("iLBC", None, "mode=30", True),
        ("opus", "stereo=1", None, True),
        ("G729", "annexb=no", "annexb=yes", True),
    ],
)
def test_parameters_that_decide(
    encoding: str, first: str | None, second: str | None, *, same: bool
) -> None:
    one = Payload(payload_type=96, encoding=encoding, clock_rate=8000, fmtp=first)
    other = Payload(payload_type=97, encoding=encoding.upper(), clock_rate=8000, fmtp=second)
    assert one.matches(other) == other.matches(one) == same


def test_match_prefers_the_number_and_then_the_parameters() -> None:
    wanted = Payload(payload_type=96, encoding="x", clock_rate=8000, fmtp="a=1")
    others = [wanted._replace(payload_type=n, fmtp=f) for n, f in ((97, "b"), (98, "a=1"))]
    assert find_match(wanted, others) == others[1]
    others.append(wanted._replace(fmtp="c"))
    assert find_match(wanted, others) == others[2]
    assert find_match(wanted, []) is None


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
