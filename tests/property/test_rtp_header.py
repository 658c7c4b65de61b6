import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.header import MalformedRtpError, RtpHeader, sequence_distance, timestamp_distance

headers = st.builds(
    RtpHeader,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    marker=st.booleans(),
    csrc=st.lists(st.integers(0, 0xFFFFFFFF), max_size=15).map(tuple),
)


@given(headers, st.binary(max_size=400))
def test_parse_undoes_serialize(header: RtpHeader, payload: bytes) -> None:
    parsed = RtpHeader.parse(header.serialize() + payload)
    assert parsed.serialize() == header.serialize()
    assert parsed.payload_offset == 12 + 4 * len(header.csrc)
    assert parsed.csrc == header.csrc


@given(st.binary(max_size=2100))
def test_any_octets_are_a_packet_or_malformed(data: bytes) -> None:
    try:
        header = RtpHeader.parse(data)
    except MalformedRtpError:
        return
    assert 12 <= header.payload_offset <= len(data) - header.padding


@given(headers, st.binary(max_size=40))
def test_a_packet_cut_short_never_claims_more_than_it_has(
    header: RtpHeader, payload: bytes
) -> None:
    data = bytearray(header.serialize() + payload)
    data[0] |= 0x30  # extension and padding that are not there
    for length in range(len(data)):
        try:
            parsed = RtpHeader.parse(data[:length])
        except MalformedRtpError:
            continue
        assert parsed.payload_offset + parsed.padding <= length


@pytest.mark.parametrize("version", [0, 1, 3])
def test_other_versions_are_malformed(version: int) -> None:
    with pytest.raises(MalformedRtpError, match="version"):
        RtpHeader.parse(bytes([version << 6]) + bytes(20))


@given(st.integers(0, 0xFFFF), st.integers(-32768, 32767))
def test_sequence_distance_survives_the_wrap(start: int, step: int) -> None:
    assert sequence_distance(start, (start + step) & 0xFFFF) == step


@given(st.integers(0, 0xFFFFFFFF), st.integers(-(1 << 31), (1 << 31) - 1))
def test_timestamp_distance_survives_the_wrap(start_ts: int, step_ts: int) -> None:
    assert timestamp_distance(start_ts, (start_ts + step_ts) & 0xFFFFFFFF) == step_ts
