import pytest

from sip.audio_stream import AudioStream, NoCommonCodec, audio_stream
from sip.offer_answer import negotiated
from sip.route_plan import routes
from tests.support.descriptions import audio, sdp


def stream(text: str) -> AudioStream:
    return audio_stream(audio(text))


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
