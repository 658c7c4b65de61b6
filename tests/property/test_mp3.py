"""Whatever a disk gives back, a walk over it ends, and says the truth."""

from hypothesis import example, given
from hypothesis import strategies as st

from recording import mp3
from recording.encoder import Encoder
from tests.support import audio

_ENCODER = Encoder()
STREAM = _ENCODER.encode(audio.speech(3.0, seed=8)) + _ENCODER.flush()
FRAME = 216


@given(st.integers(0, len(STREAM)))
def test_any_cut_is_shortened_to_whole_frames(cut: int) -> None:
    found = mp3.scan(STREAM[:cut])
    assert found.end == cut // FRAME * FRAME
    assert found.frames == cut // FRAME
    assert found.damaged_octets == 0
    assert mp3.whole_frames(STREAM[:cut]) == found.end


@given(st.binary(max_size=2000))
def test_any_octets_are_walked_over(data: bytes) -> None:
    found = mp3.scan(data)
    assert 0 <= found.end <= len(data)
    assert found.duration_s >= 0
    assert mp3.scan(data[: found.end]).end == found.end
    position = 0
    for offset, header in mp3.iter_frames(data):
        assert offset >= position
        position = offset + header.octets
    assert position <= len(data)


@given(st.integers(0, len(STREAM)), st.binary(min_size=1, max_size=1000))
@example(3, b"\0")
def test_damage_costs_little_more_than_itself(place: int, damage: bytes) -> None:
    data = STREAM[:place] + damage + STREAM[place + len(damage) :]
    found = mp3.scan(data)
    touched = len(damage) // FRAME + 2
    # A false header at the edge may swallow some neighbours, never the rest of the file.
    assert found.frames >= len(STREAM) // FRAME - touched - 6
    assert found.damaged_octets <= len(damage) + 8 * FRAME


@given(st.integers(0, 2**32 - 1))
def test_a_header_is_none_or_makes_sense(word: int) -> None:
    header = mp3.parse_header(word.to_bytes(4, "big"))
    if header is not None:
        assert header.word == word
        assert header.octets > header.main_data_offset >= 13
        assert header.samples in {576, 1152}
        assert header.channels in {1, 2}
