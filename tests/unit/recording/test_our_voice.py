"""What we say to the parties while we record, where it is wanted in the file."""

from pathlib import Path

import pytest

from recording.spec import OUR_VOICE, OURS
from tests.support import audio
from tests.unit.recording.hearing import SOUNDS, A, B, finish, level
from tests.unit.recording.rig import PCMA, PCMU, START_NS, Phone, Rig, tone

pytestmark = pytest.mark.peer("ffmpeg")

BEEP = 1500.0


def say(leg: int, *, law_is_pcma: bool = True) -> Phone:
    """A beep of 0.2 s in each second, to one leg; between them nothing is sent."""
    voice = Phone(leg | OUR_VOICE, tone(BEEP), law=PCMA if law_is_pcma else PCMU)
    voice.arrive = lambda number, at_ns: at_ns if number % 50 < 10 else None
    voice.next_ns = START_NS + 20_000_000
    return voice


@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_beep_is_in_the_file_as_long_as_it_was(tmp_path: Path, rate: int) -> None:
    rig = Rig(tmp_path)
    rig.phones += [Phone(1, tone(A)), Phone(2, tone(B)), say(1)]
    spec = rig.spec(rate=rate, level=True)
    rig.tap(1, 0, spec=spec)
    rig.tap(2, 1, spec=spec)
    rig.tap(1 | OUR_VOICE, OURS, spec=spec, formats=(PCMA, PCMU))
    rig.run(4.0)
    finish(rig)
    pcm = audio.decode(rig.folder / "2026/1.mp3")
    beeps = audio.tone_intervals(pcm, BEEP, above=-30.0)
    assert [round(start) for start, _ in beeps] == [0, 1, 2, 3]
    assert all(abs(end - start - 0.2) <= 0.045 for start, end in beeps), "nothing is concealed"
    assert rig.closed[0].failure is None
    assert rig.closed[0].undecoded == ()


def test_in_stereo_it_is_on_both_sides(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.phones += [Phone(1, tone(A)), say(2, law_is_pcma=False)]
    spec = rig.spec(channels=2)
    rig.tap(1, 0, spec=spec)
    rig.tap(2 | OUR_VOICE, OURS, spec=spec, formats=(PCMA, PCMU))
    rig.run(3.0)
    finish(rig)
    left, right = audio.decode_stereo(rig.folder / "2026/1.mp3")
    for side in (left, right):
        assert audio.tone_level(side, BEEP, 1.04, 1.16) > SOUNDS
    assert level(left, A, 0.2, 2.8) > SOUNDS
    assert level(right, A, 0.2, 2.8) < -40


def test_after_the_end_of_its_tap_it_is_not(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.phones += [Phone(1, tone(A)), say(1)]
    rig.tap(1, 0)
    rig.tap(1 | OUR_VOICE, OURS, formats=(PCMA,))
    rig.run(1.9)
    rig.close_tap(1 | OUR_VOICE)
    rig.run(2.0)
    pcm = finish(rig)
    assert [round(start) for start, _ in audio.tone_intervals(pcm, BEEP, above=-30.0)] == [0, 1]
