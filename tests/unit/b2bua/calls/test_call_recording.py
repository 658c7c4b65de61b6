from pathlib import Path
from unittest.mock import Mock

from b2bua.calls.party import Party
from b2bua.calls.recording.call_recording import CallRecording
from b2bua.settings.recording import RecordingConfig
from recording.policy import Direction, Start
from tests.unit.b2bua.calls.call_rig import extension

CALLER = Party.own(extension("101"))
CALLEE = Party.own(extension("102", opted_in=False))


def test_a_decision_is_made_for_those_who_talk_now_however_often_it_is_asked_for() -> None:
    recording = CallRecording(
        plane=Mock(), record=Mock(), evidence=Mock(), folder=Path(), settings=RecordingConfig()
    )
    parties = CALLER, CALLEE

    carried = recording.carry_on(Direction.INTERNAL, parties)
    assert carried.start is Start.NOW
    assert recording.carry_on(Direction.INTERNAL, parties) == carried
    # The one who has not agreed stays silence in a recording that goes on; it does not end it.
    assert len(recording._permits.of_all()) == 1
    assert recording.decide(Direction.INTERNAL, parties).start is Start.NOT
