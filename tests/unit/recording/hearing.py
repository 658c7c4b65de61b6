"""What two parties say into a recorder, and what a listener hears of it."""

import numpy as np
from numpy.typing import NDArray

from rtp.ring import Kind
from tests.support import audio
from tests.unit.recording.rig import PCMU, Phone, Rig, tone

A, B = 440.0, 1000.0
"Hz that the two parties sound."
SOUNDS, SILENT = -14.0, -55.0
"dBFS: at least, at most."


def call(rig: Rig) -> tuple[Phone, Phone]:
    """Two phones that talk from now on, both tapped."""
    phones = (Phone(1, tone(A)), Phone(2, tone(B), law=PCMU, ptime_ms=30))
    for phone in phones:
        phone.next_ns = rig.now_ns + 5_000_000
    rig.phones.extend(phones)
    rig.tap(1, 0)
    rig.tap(2, 1)
    return phones


def finish(rig: Rig) -> NDArray[np.int16]:
    """Stop, and return what a listener hears."""
    rig.mark(Kind.STOPPED)
    rig.settle()
    assert len(rig.closed) == 1
    path = rig.closed[0].relative_path
    assert path is not None
    return audio.decode(rig.folder / path)


def level(pcm: NDArray[np.int16], hz: float, start: float, end: float) -> float:
    return audio.tone_level(pcm, hz, start, end)
