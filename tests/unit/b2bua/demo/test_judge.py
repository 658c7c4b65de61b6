"""The demo's judge is judged: on recordings whose truth is known."""

from collections.abc import Sequence
from pathlib import Path

import lameenc
import numpy as np
import pytest

from b2bua.demo import dialogue, judge
from b2bua.demo.dialogue import FIRST_PART, SECOND_PART, UNRECORDED, Line
from b2bua.demo.hearing import RATE, Pcm
from b2bua.demo.report import Check, RecordedFile
from tests.support import audio

PAUSE = audio.silence(0.4)
NEVER = (judge.MARKER, *map(judge.sound_of, (*UNRECORDED, *SECOND_PART)))


def conversation(*parts: Line | Pcm) -> Pcm:
    said = [part.pcm if isinstance(part, Line) else part for part in parts]
    return np.concatenate([each for part in said for each in (PAUSE, part)])


@pytest.fixture
def recorded(tmp_path: Path) -> "Recorder":
    return Recorder(tmp_path)


class Recorder:
    """Encodes as the server does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, pcm: Pcm) -> Path:
        encoder = lameenc.Encoder()
        encoder.silence()
        encoder.set_channels(1)
        encoder.set_in_sample_rate(RATE)
        encoder.set_bit_rate(24)
        path = self._folder / "call.mp3"
        path.write_bytes(encoder.encode(pcm.tobytes()) + encoder.flush())
        return path


def failed(checks: Sequence[Check]) -> list[str]:
    return [check.name for check in checks if not check.held]


def test_a_decoded_file_lies_where_it_was_encoded(recorded: Recorder) -> None:
    pcm = conversation(*FIRST_PART)
    decoded = judge.decode(recorded(pcm))
    likeness, offset = audio.correlate(pcm[8000:16000], decoded, 1.0)
    assert likeness > 0.95
    assert abs(offset) <= 0.001


def test_another_kind_of_file_is_no_recording(tmp_path: Path) -> None:
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(1)
    encoder.set_in_sample_rate(16000)
    encoder.set_bit_rate(24)
    path = tmp_path / "wide.mp3"
    path.write_bytes(encoder.encode(audio.tone(440, 1.0).tobytes()) + encoder.flush())
    with pytest.raises(ValueError, match="16000 Hz"):
        judge.decode(path)


def test_what_was_said_in_order_and_nothing_else_passes(recorded: Recorder) -> None:
    pcm = judge.decode(recorded(conversation(*FIRST_PART)))
    checks = judge.segment_checks(1, pcm, said=FIRST_PART, never=NEVER)
    assert failed(checks) == []
    assert len(checks) == len(FIRST_PART) + 1 + len(NEVER)


def test_a_missing_line_is_missed() -> None:
    pcm = conversation(*FIRST_PART[:-1])
    checks = judge.segment_checks(1, pcm, said=FIRST_PART, never=())
    assert failed(checks) == [
        f"file 1 has clerk: {dialogue.ANNOUNCED.text}",
        "file 1 has them in the order in which they were said",
    ]


def test_another_order_is_noticed() -> None:
    pcm = conversation(*reversed(FIRST_PART))
    checks = judge.segment_checks(2, pcm, said=FIRST_PART, never=())
    assert failed(checks) == ["file 2 has them in the order in which they were said"]


@pytest.mark.parametrize("secret", [*UNRECORDED, dialogue.marker()], ids=["card", "noted", "tone"])
def test_what_must_not_be_recorded_is_found_even_under_another_voice(secret: Line | Pcm) -> None:
    pcm = conversation(*FIRST_PART, secret)
    checks = judge.segment_checks(1, pcm, said=FIRST_PART, never=NEVER)
    assert len(failed(checks)) == 1
    assert failed(checks)[0].startswith("file 1 has no ")


@pytest.mark.parametrize("end", ["first", "last"])
def test_a_second_of_what_must_not_be_recorded_is_found(end: str) -> None:
    card = dialogue.CARD.pcm
    second = card[:RATE] if end == "first" else card[-RATE:]
    checks = judge.segment_checks(1, conversation(*FIRST_PART, second), said=(), never=NEVER)
    assert failed(checks) == [f"file 1 has no caller: {dialogue.CARD.text}"]


def test_the_row_has_to_say_so() -> None:
    row = {"src": "1", "dst": "2", "disposition": "ANSWERED", "outcome": "refused"}
    (outcome,) = (check for check in judge.row_checks(row, src="1", dst="2") if not check.held)
    assert outcome.detail == "it says refused"


def test_a_file_that_is_too_large_is_noticed() -> None:
    good, bad = (RecordedFile(Path("f"), octets, 60.0) for octets in (180_000, 210_000))
    assert judge.size_check([good]).held
    assert not judge.size_check([bad]).held
    assert not judge.size_check([]).held


def test_what_a_party_did_not_hear_is_named() -> None:
    heard = conversation(dialogue.GREETING)
    sounds = [judge.sound_of(line) for line in (dialogue.GREETING, dialogue.ANNOUNCED)]
    checks = judge.heard_checks("the caller", heard, sounds)
    assert failed(checks) == [f"the caller heard clerk: {dialogue.ANNOUNCED.text}"]
