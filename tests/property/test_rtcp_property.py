import contextlib

from hypothesis import given
from hypothesis import strategies as st

from rtp.rtcp import (
    Description,
    Goodbye,
    MalformedRtcpError,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    parse,
    serialize,
)

words = st.integers(0, 0xFFFF_FFFF)
blocks = st.lists(
    st.builds(
        ReportBlock,
        ssrc=words,
        fraction_lost=st.integers(0, 255),
        cumulative_lost=st.integers(-0x80_0000, 0x7F_FFFF),
        highest_sequence=words,
        jitter=words,
        last_sr=words,
        delay_since_last_sr=words,
    ),
    max_size=31,
).map(tuple)
reports = st.builds(
    SenderReport,
    ssrc=words,
    ntp=st.integers(0, 0xFFFF_FFFF_FFFF_FFFF),
    timestamp=words,
    packets=words,
    octets=words,
    blocks=blocks,
) | st.builds(ReceiverReport, ssrc=words, blocks=blocks)
chunks = st.builds(Description, ssrc=words, cname=st.none() | st.binary(max_size=255))
others = st.builds(SourceDescription, chunks=st.lists(chunks, max_size=31).map(tuple)) | st.builds(
    Goodbye, sources=st.lists(words, max_size=31).map(tuple)
)
compounds = st.tuples(reports, st.lists(reports | others, max_size=4)).map(
    lambda parts: (parts[0], *parts[1])
)


@given(compounds)
def test_parse_undoes_serialize(compound: tuple[RtcpPacket, ...]) -> None:
    assert parse(serialize(compound)) == compound


@given(st.binary(max_size=2100))
def test_any_octets_are_a_compound_or_malformed(data: bytes) -> None:
    with contextlib.suppress(MalformedRtcpError):
        parse(data)


@given(compounds, st.data())
def test_a_compound_with_wrong_octets_raises_nothing_else(
    compound: tuple[RtcpPacket, ...], data: st.DataObject
) -> None:
    octets = bytearray(serialize(compound))
    for place in data.draw(st.lists(st.integers(0, len(octets) - 1), min_size=1, max_size=6)):
        octets[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(octets)))
    for wrong in (octets, octets[:cut]):
        with contextlib.suppress(MalformedRtcpError):
            parse(wrong)
