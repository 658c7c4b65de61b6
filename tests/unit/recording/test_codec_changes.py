"""A party that changes its codec in the middle of a recording; judged by the decoded file."""

from pathlib import Path

import pytest

from recording.spec import StreamFormat, encode_formats
from rtp.ring import Kind
from tests.support import audio
from tests.unit.recording.hearing import SILENT, SOUNDS, A, B, finish, level
from tests.unit.recording.rig import PCMA, PCMU, Phone, Rig, tone

pytestmark = pytest.mark.peer("ffmpeg")

OWN_NUMBER = StreamFormat(payload_type=96, encoding="PCMU", clock_rate=8000)
G729 = StreamFormat(payload_type=18, encoding="G729", clock_rate=8000)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """Two phones, both tapped."""
    rig = Rig(tmp_path)
    rig.phones += [Phone(1, tone(A)), Phone(2, tone(B), law=PCMU)]
    rig.tap(1, 0)
    rig.tap(2, 1)
    return rig


def change(rig: Rig, law: StreamFormat) -> None:
    """Let the first phone speak something else from now on, and the recorder know."""
    rig.producer.mark(Kind.FORMAT_CHANGED, 1, rig.now_ns, encode_formats((law, PCMA, PCMU)))
    rig.phones[0].law = law


def test_a_codec_with_another_number_leaves_no_trace_in_the_sound(rig: Rig) -> None:
    rig.run(2.0)
    change(rig, OWN_NUMBER)
    rig.run(2.0)
    change(rig, PCMA)
    rig.run(2.0)
    pcm = finish(rig)
    assert rig.closed[0].failure is None
    assert rig.closed[0].undecoded == ()
    assert abs(audio.seconds(pcm) - 6.0) <= 0.040
    for hz in (A, B):
        assert audio.tone_levels(pcm, hz)[3:-4].min() > SOUNDS, "without a dip"


def test_what_was_sent_before_the_change_and_comes_behind_it_is_decoded(rig: Rig) -> None:
    change(rig, OWN_NUMBER)
    rig.run(2.0)
    rig.producer.mark(Kind.FORMAT_CHANGED, 1, rig.now_ns, encode_formats((PCMA, PCMU)))
    rig.run(1.0)
    pcm = finish(rig)
    assert level(pcm, A, 0.1, 2.9) > SOUNDS
    assert rig.closed[0].failure is None


def test_an_unknown_codec_is_silence_until_the_change_back_and_is_named(rig: Rig) -> None:
    rig.run(2.0)
    change(rig, G729)
    rig.run(2.0)
    change(rig, PCMA)
    rig.run(2.0)
    pcm = finish(rig)
    assert abs(audio.seconds(pcm) - 6.0) <= 0.040
    assert level(pcm, A, 0.1, 1.95) > SOUNDS
    assert level(pcm, A, 2.1, 3.95) < SILENT
    assert level(pcm, A, 4.05, 5.9) > SOUNDS
    assert audio.tone_levels(pcm, B)[3:-4].min() > SOUNDS, "the other one is heard all the time"
    assert rig.closed[0].undecoded == ("G729",)
    assert rig.closed[0].failure == "a party's codec can't be decoded (G729)"


def test_a_recorder_that_was_killed_knows_the_codecs_again(rig: Rig) -> None:
    rig.run(1.0)
    change(rig, G729)
    rig.run(2.0)
    change(rig, OWN_NUMBER)
    rig.run(8.0)
    rig.kill()
    rig.start()
    rig.run(2.0)
    pcm = finish(rig)
    assert level(pcm, A, 3.1, 12.9) > SOUNDS
    assert rig.closed[0].undecoded == ("G729",)
    assert "G729" in (rig.closed[0].failure or "")
