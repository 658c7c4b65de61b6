from typing import cast

import pytest

from b2bua.calls.sessions.bridge import Bridge, Side
from b2bua.calls.sessions.negotiation import would_hold
from b2bua.media.leg import LegKeeper, MediaLeg
from b2bua.media.to_worker import Bridge as Join
from b2bua.media.to_worker import SetRemote, Unbridge
from sip.address import HostPort
from sip.errors import RemoteProtocolError
from sip.sdp import SessionDescription
from tests.unit.b2bua.calls.fake_plane import RecordingPlane

OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.5\r\ns=-\r\nc=IN IP4 127.0.0.5\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 8 0 96\r\na=rtpmap:96 telephone-event/8000\r\n"
    b"m=video 4002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n"
)
ANSWER = (
    b"v=0\r\no=- 7 7 IN IP4 127.0.0.6\r\ns=-\r\nc=IN IP4 127.0.0.6\r\nt=0 0\r\n"
    b"m=audio 5000 RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\n"
)
HOLD = OFFER.replace(b"m=video", b"a=sendonly\r\nm=video")


def make_bridge() -> tuple[Bridge, RecordingPlane]:
    plane = RecordingPlane()
    legs = [
        MediaLeg(cast("LegKeeper", plane), number, 0, 1, HostPort("127.0.0.1", 20000 + 2 * number))
        for number in (1, 2)
    ]
    return Bridge(legs[0], legs[1]), plane


def audio(body: bytes) -> tuple[str | None, int]:
    session = SessionDescription.parse(body)
    return session.connection, session.media[0].port


def test_offer_and_answer_carry_our_address_and_join_the_legs() -> None:
    bridge, plane = make_bridge()
    assert audio(bridge.forward_offer(Side.A, OFFER)) == ("127.0.0.1", 20004)
    answer = bridge.forward_answer(Side.B, ANSWER)
    assert audio(answer) == ("127.0.0.1", 20002)
    assert [media.port for media in SessionDescription.parse(answer).media] == [20002, 0]
    remotes = [(m.leg_id, m.host, m.port) for m in plane.of(SetRemote) if isinstance(m, SetRemote)]
    assert sorted(remotes) == [(1, "127.0.0.5", 4000), (2, "127.0.0.6", 5000)]
    (join,) = plane.of(Join)
    assert isinstance(join, Join)
    assert join.a_to_b.payload_types[8] == 8
    assert 0 not in join.a_to_b.payload_types, "our answer to A does not name it"
    assert join.a_to_b.transcode == join.b_to_a.transcode == {}


def test_sides_without_a_common_law_are_converted_by_table() -> None:
    bridge, plane = make_bridge()
    bridge.forward_offer(Side.A, OFFER.replace(b"8 0 96", b"0 96"))
    bridge.forward_answer(Side.B, ANSWER)
    (join,) = plane.of(Join)
    assert isinstance(join, Join)
    assert (join.a_to_b.payload_types[0], join.a_to_b.transcode) == (8, {0: "PCMU>PCMA"})
    assert (join.b_to_a.payload_types[8], join.b_to_a.transcode) == (0, {8: "PCMA>PCMU"})


def test_what_each_side_may_send_is_known_for_the_recorder() -> None:
    bridge, _ = make_bridge()
    bridge.forward_offer(Side.A, OFFER)
    bridge.forward_answer(Side.B, ANSWER)
    formats = {f.payload_type: f.encoding for f in bridge.sides[Side.B].formats}
    assert formats == {8: "PCMA", 96: "TELEPHONE-EVENT", 0: "PCMU"}
    assert bridge.sides[Side.B].formats[0].encoding == "PCMA", "what it prefers stands first"


def test_a_hold_is_passed_on_and_noticed() -> None:
    bridge, _ = make_bridge()
    bridge.forward_offer(Side.A, OFFER)
    bridge.forward_answer(Side.B, ANSWER)
    assert not bridge.held
    offer = bridge.forward_offer(Side.A, HOLD)
    assert b"a=sendonly" in offer
    bridge.forward_answer(Side.B, ANSWER + b"a=recvonly\r\n")
    assert bridge.held


def test_the_version_of_our_description_grows_only_with_a_change() -> None:
    bridge, _ = make_bridge()
    first = SessionDescription.parse(bridge.forward_offer(Side.A, OFFER)).origin
    bridge.forward_answer(Side.B, ANSWER)
    again = SessionDescription.parse(bridge.forward_offer(Side.A, OFFER)).origin
    changed = SessionDescription.parse(bridge.forward_offer(Side.A, HOLD)).origin
    assert again == first
    assert (changed.session_id, changed.version) == (first.session_id, first.version + 1)


def test_the_called_side_may_offer_later() -> None:
    bridge, plane = make_bridge()
    bridge.forward_offer(Side.A, OFFER)
    bridge.forward_answer(Side.B, ANSWER)
    moved = ANSWER.replace(b"audio 5000", b"audio 5100")
    bridge.forward_offer(Side.B, moved)
    bridge.forward_answer(Side.A, OFFER.replace(b"8 0 96", b"8 96"))
    last = plane.of(SetRemote)[-2:]
    assert {m.port for m in last if isinstance(m, SetRemote)} == {5100, 4000}


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", OFFER.replace(b"RTP/AVP 8 0 96", b"RTP/SAVP 8")]
)
def test_an_offer_that_can_not_be_used_is_488(body: bytes) -> None:
    bridge, _ = make_bridge()
    with pytest.raises(RemoteProtocolError) as caught:
        bridge.forward_offer(Side.A, body)
    assert caught.value.status == 488


def test_a_closed_bridge_stays_closed_whatever_is_negotiated_and_opens_with_the_newest_routes() -> (
    None
):
    bridge, plane = make_bridge()
    bridge.forward_offer(Side.A, OFFER)
    bridge.forward_answer(Side.B, ANSWER)
    plane.sent.clear()
    bridge.close()
    assert plane.sent == [Unbridge(1, 2)]
    bridge.forward_offer(Side.A, OFFER.replace(b"8 0 96", b"0 96"))
    bridge.forward_answer(Side.B, ANSWER)
    assert plane.of(Join) == []
    bridge.open()
    (join,) = plane.of(Join)
    assert isinstance(join, Join)
    assert join.a_to_b.transcode == {0: "PCMU>PCMA"}


def test_a_bridge_that_was_closed_before_the_first_answer_is_joined_when_it_opens() -> None:
    bridge, plane = make_bridge()
    bridge.forward_offer(Side.A, OFFER)
    bridge.forward_answer(Side.B, ANSWER, join=False)
    bridge.close()
    bridge.join()
    assert plane.of(Join) == []
    bridge.open()
    assert len(plane.of(Join)) == 1


# --- what is refused leaves all as it was


def state(bridge: Bridge) -> list[object]:
    return [(side.stream, side.heard, side.formats, side.law, side.holds) for side in bridge.sides]


def test_a_refused_reinvite_leaves_everything_as_it_was() -> None:
    bridge, plane = make_bridge()
    bridge.forward_offer(Side.A, OFFER)
    bridge.forward_answer(Side.B, ANSWER)
    before, told = state(bridge), len(plane.sent)
    bridge.forward_offer(Side.A, HOLD.replace(b"audio 4000", b"audio 4100"))  # B refuses it
    assert state(bridge) == before
    assert len(plane.sent) == told
    assert not bridge.held
    again = SessionDescription.parse(bridge.forward_answer(Side.B, ANSWER))
    assert again.media[0].port == 20002


@pytest.mark.parametrize("side", Side)
def test_an_answer_that_can_not_be_used_leaves_everything_as_it_was(side: Side) -> None:
    bridge, plane = make_bridge()
    bridge.forward_offer(Side.A, OFFER)
    bridge.forward_answer(Side.B, ANSWER)
    before, told = state(bridge), len(plane.sent)
    bridge.forward_offer(side, OFFER)
    for answer in (b"", b"nonsense", ANSWER.replace(b"RTP/AVP 8 96", b"RTP/AVP 18")):
        with pytest.raises(RemoteProtocolError):
            bridge.forward_answer(side.other, answer)
    assert state(bridge) == before
    assert len(plane.sent) == told


# --- with one side alone, and then through


def test_our_own_answer_and_then_the_other_side() -> None:
    """As a greeted call goes: we answer A, ask, then offer B what A has agreed to."""
    bridge, plane = make_bridge()
    alone = SessionDescription.parse(bridge.answer_alone(Side.A, OFFER))
    assert alone.media[0].formats == ("8", "96")
    assert [media.port for media in alone.media] == [20002, 0]
    assert plane.of(Join) == [], "nobody to join with"
    assert (bridge.sides[Side.A].law, bridge.sides[Side.A].event_types) == (8, (96,))
    assert bridge.sides[Side.B].law is None
    offered = SessionDescription.parse(bridge.offer_to(Side.B))
    assert (offered.media[0].port, len(offered.media)) == (20004, 1)
    assert set(offered.media[0].formats) == {"8", "0", "96"}
    bridge.take_answer(Side.B, ANSWER)
    (join,) = plane.of(Join)
    assert isinstance(join, Join)
    assert join.a_to_b.payload_types == {8: 8, 96: 96}


def test_a_refresh_of_our_own_answer_is_the_same_text() -> None:
    bridge, plane = make_bridge()
    first = bridge.answer_alone(Side.A, OFFER)
    told = len(plane.sent)
    assert bridge.answer_alone(Side.A, OFFER) == first
    assert len(plane.sent) == told, "the worker knows it already"
    held = SessionDescription.parse(bridge.answer_alone(Side.A, HOLD))
    version = SessionDescription.parse(first).origin.version
    assert held.origin.version == version + 1
    assert bridge.held


def test_without_an_offer_ours_goes_both_ways() -> None:
    bridge, plane = make_bridge()
    to_b = SessionDescription.parse(bridge.offer_to(Side.B))
    assert (to_b.media[0].port, set(to_b.media[0].formats)) == (20004, {"0", "8", "101"})
    answer = ANSWER.replace(b"96", b"101")
    bridge.take_answer(Side.B, answer)
    to_a = SessionDescription.parse(bridge.offer_to(Side.A))
    assert (to_a.media[0].port, to_a.media[0].formats[0]) == (20002, "8"), "what B likes best"
    assert plane.of(Join) == []
    bridge.take_answer(Side.A, OFFER.replace(b"8 0 96", b"8 101").replace(b":96 ", b":101 "))
    (join,) = plane.of(Join)
    assert isinstance(join, Join)
    assert join.a_to_b.payload_types == {8: 8, 101: 101}


def test_a_side_that_asks_for_an_offer_gets_what_stands() -> None:
    bridge, _ = make_bridge()
    bridge.forward_offer(Side.A, OFFER)
    told = bridge.forward_answer(Side.B, ANSWER)
    assert bridge.offer_to(Side.A) == told
    bridge.take_answer(Side.A, HOLD)
    assert bridge.held
    bridge.offer_to(Side.A)
    bridge.take_answer(Side.A, OFFER)
    assert not bridge.held


def test_a_narrow_offer_has_what_we_can_speak() -> None:
    bridge, _ = make_bridge()
    wide = OFFER.replace(b"8 0 96", b"9 18 8 0 96")
    narrow = SessionDescription.parse(bridge.forward_offer(Side.A, wide, narrow=True))
    assert narrow.media[0].formats == ("8", "0", "96")
    other, _ = make_bridge()
    passed = SessionDescription.parse(other.forward_offer(Side.A, wide))
    assert passed.media[0].formats[:2] == ("9", "18")
    alone, _ = make_bridge()
    without = SessionDescription.parse(
        alone.forward_offer(Side.A, OFFER.replace(b"8 0 96", b"9"), narrow=True)
    )
    assert "9" in without.media[0].formats, "nothing else is there"


@pytest.mark.parametrize(
    ("body", "holds"),
    [
        (OFFER, False),
        (HOLD, True),
        (OFFER.replace(b"m=video", b"a=inactive\r\nm=video"), True),
        (OFFER.replace(b"m=video", b"a=recvonly\r\nm=video"), False),
        (OFFER.replace(b"c=IN IP4 127.0.0.5", b"c=IN IP4 0.0.0.0"), True),
        (b"", False),
        (b"nonsense", False),
    ],
)
def test_what_would_be_a_hold(body: bytes, *, holds: bool) -> None:
    assert would_hold(body) is holds


def test_before_an_answer_nothing_is_known_of_a_side() -> None:
    bridge, plane = make_bridge()
    side = bridge.sides[Side.A]
    assert (side.formats, side.event_types, side.sends_events) == ((), (), None)
    assert (side.law, side.holds) == (None, False)
    bridge.join()
    assert plane.sent == []


def test_the_worker_is_told_where_rtcp_goes_and_at_which_rate_audio_runs() -> None:
    bridge, plane = make_bridge()
    wide = OFFER.replace(b"8 0 96", b"97 8 96").replace(
        b"a=rtpmap:96", b"a=rtcp:4711\r\na=rtpmap:97 speex/16000\r\na=rtpmap:96"
    )
    bridge.forward_offer(Side.A, wide)
    answer = ANSWER.replace(b"8 96", b"97 96") + b"a=rtpmap:97 speex/16000\r\n"
    bridge.forward_answer(Side.B, answer)
    told = {m.leg_id: m for m in plane.of(SetRemote) if isinstance(m, SetRemote)}
    assert (told[1].rtcp_port, told[1].clock_rate) == (4711, 16_000)
    assert (told[2].rtcp_port, told[2].clock_rate) == (0, 16_000)
