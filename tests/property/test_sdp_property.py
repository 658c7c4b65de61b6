"""Parse and write are inverses, no octets raise anything but `SdpError`, answers fit offers."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from sip.address import HostPort
from sip.audio_stream import NoCommonCodec, audio_stream
from sip.offer_answer import (
    first_offer,
    negotiated,
    relay_answer,
    relay_offer,
    standing_offer,
)
from sip.payload import read_payloads
from sip.route_plan import routes
from sip.sdp import (
    Attribute,
    MediaDescription,
    Origin,
    SdpError,
    SessionDescription,
    parse,
)

LOCAL = HostPort("198.51.100.7", 30_000)

words = st.from_regex(r"[!-9;-~]{1,12}", fullmatch=True)
texts = st.from_regex(r"[ -~\t\u00e4\u20ac]{0,30}", fullmatch=True).map(str.rstrip)
numbers = st.integers(min_value=0, max_value=2**64 - 1)
addresses = st.sampled_from(["192.0.2.1", "2001:db8::1", "::", "host.example"])
attributes = st.builds(Attribute, name=words, value=st.none() | texts)
origins = st.builds(Origin, numbers, numbers, username=words, host=addresses)
media = st.builds(
    MediaDescription,
    kind=words,
    port=st.integers(min_value=0, max_value=65535),
    port_count=st.integers(min_value=1, max_value=9),
    profile=words,
    formats=st.lists(words, min_size=1, max_size=5).map(tuple),
    connection=st.none() | addresses,
    attributes=st.lists(attributes, max_size=5).map(tuple),
)
sessions = st.builds(
    SessionDescription,
    origin=origins,
    name=texts.filter(str.strip),
    connection=st.none() | addresses,
    times=st.lists(texts, min_size=1, max_size=3).map(tuple),
    attributes=st.lists(attributes, max_size=5).map(tuple),
    media=st.lists(media, max_size=5).map(tuple),
)


@given(sessions)
def test_what_is_written_is_what_is_read(session: SessionDescription) -> None:
    assert parse(bytes(session)) == session


@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    head = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\n"
    audio = b"m=audio 4000 RTP/AVP 0\r\na="
    for data in (octets, head + octets, head + audio + octets):
        with contextlib.suppress(SdpError):
            session = parse(data)
            assert parse(bytes(session)) == session
            relay_offer(session, local=LOCAL, origin=Origin(1, 0))


codecs = st.sampled_from(
    [
        *("PCMU/8000", "PCMA/8000", "pcma/8000", "G722/8000", "G729/8000", "opus/48000/2"),
        *("new/16000", "AMR/8000", "CN/8000", "L16/44100/2"),
        *("telephone-event/8000", "telephone-event/48000"),
    ]
)
directions = st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"])
payload_types = st.integers(min_value=0, max_value=127)


@st.composite
def offers(draw: st.DrawFn) -> SessionDescription:
    """Audio with any codecs under any numbers, among other m-lines."""
    named = draw(st.dictionaries(payload_types, codecs, min_size=1, max_size=12))
    lines = [Attribute(name="rtpmap", value=f"{n} {codec}") for n, codec in named.items()]
    for number in named:
        fmtp = draw(st.sampled_from(["", "octet-align=1", "0-15", "a=b;c"]))
        lines += [Attribute(name="fmtp", value=f"{number} {fmtp}")] if fmtp else []
    audio = MediaDescription(
        kind="audio",
        port=4000,
        profile="RTP/AVP",
        formats=tuple(map(str, named)),
        attributes=(*lines, Attribute(name=draw(directions))),
    )
    others = [
        MediaDescription(kind="video", port=4002, profile="RTP/AVP", formats=("96", "97")),
        MediaDescription(kind="audio", port=0, profile="RTP/AVP", formats=("0",)),
        MediaDescription(kind="image", port=4004, profile="udptl", formats=("t38",)),
    ]
    before = draw(st.lists(st.sampled_from(others), max_size=3))
    return SessionDescription(
        origin=Origin(1, 1), connection="192.0.2.1", media=(*before, audio, *before[:1])
    )


def sends(session: SessionDescription) -> bool:
    return audio_stream(session).direction in {"sendrecv", "sendonly"}


@given(offers(), offers())
def test_answer_fits_its_offer_and_routes_lead_to_what_was_agreed(
    offer: SessionDescription, answer: SessionDescription
) -> None:
    try:
        told_b = relay_offer(offer, local=LOCAL, origin=Origin(2, 0))
        told_a = relay_answer(offer, answer, local=LOCAL, origin=Origin(3, 0))
        a, b = negotiated(told_a, offer), negotiated(told_b, answer)
        there, back = routes(a, b)
    except NoCommonCodec:
        return
    assert len(told_a.media) == len(offer.media)
    for ours, theirs in zip(told_a.media, offer.media, strict=True):
        assert (ours.kind, ours.profile) == (theirs.kind, theirs.profile)
        assert set(ours.formats) <= set(theirs.formats)
    assert len([each for each in told_a.media if each.port]) == 1
    assert not sends(told_a) or not audio_stream(offer).held
    to_send = {each.payload_type for each in b.payloads}
    assert set(there.payload_types.values()) <= to_send
    assert set(back.payload_types.values()) <= {each.payload_type for each in a.payloads}
    assert there.transcode.keys() <= there.payload_types.keys()


@given(offers(), offers())
def test_new_offer_on_a_standing_leg_keeps_lines_and_meanings(
    standing: SessionDescription, offer: SessionDescription
) -> None:
    try:
        new = relay_offer(offer, local=LOCAL, origin=Origin(9, 9), standing=standing)
        before = {each.payload_type: each.codec for each in audio_stream(standing).payloads}
    except NoCommonCodec:
        return
    assert [each.kind for each in new.media] == [each.kind for each in standing.media]
    assert new.origin.session_id == standing.origin.session_id
    [line] = [each for each in new.media if each.port]
    for payload in read_payloads(line):
        assert before.get(payload.payload_type, payload.codec) == payload.codec
    again = relay_offer(offer, local=LOCAL, origin=Origin(9, 9), standing=new)
    assert again == new, "no change, no new version"


@given(offers())
def test_offer_is_accepted_by_ourselves(offer: SessionDescription) -> None:
    with contextlib.suppress(NoCommonCodec):
        told = relay_offer(offer, local=LOCAL, origin=Origin(2, 0))
        assert parse(bytes(told)).media == told.media
        assert standing_offer(standing_offer(told)) == standing_offer(told)
        assert negotiated(told, told).payloads == audio_stream(told).payloads


def test_first_offer_is_accepted_by_ourselves() -> None:
    told = first_offer(local=LOCAL, origin=Origin(2, 0))
    assert [each.codec[0] for each in audio_stream(told).payloads] == [
        "PCMA",
        "PCMU",
        "TELEPHONE-EVENT",
    ]
