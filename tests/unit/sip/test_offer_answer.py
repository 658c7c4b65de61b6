from dataclasses import replace

import pytest

from sip.address import HostPort
from sip.audio_stream import NoCommonCodec, audio_stream
from sip.offer_answer import (
    first_offer,
    negotiated,
    relay_answer,
    relay_offer,
    revised,
    standing_offer,
)
from sip.sdp import Origin, SdpError, SessionDescription
from tests.support.descriptions import NOWHERE, audio, sdp

TO_A, TO_B = HostPort("198.51.100.7", 30_000), HostPort("198.51.100.7", 30_002)


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


# --- relay_offer


def test_repeated_payload_types_are_left_out() -> None:
    assert formats(to_b(audio("0 0 8 x 8"))) == "0 8 101"


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


# --- negotiated


def test_negotiated_stream_has_only_what_both_name() -> None:
    found = negotiated(audio("8 101"), audio("8 0 18 101", "a=sendonly"))
    assert [each.payload_type for each in found.payloads] == [8, 101]
    assert found.held


def test_negotiated_with_nothing_in_common_is_488() -> None:
    with pytest.raises(NoCommonCodec):
        negotiated(audio("8 101"), audio("0 101"))
