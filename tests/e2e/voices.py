"""Voices of a call that are told apart by their pitch, and what may be said of where they are."""

from pathlib import Path

from ivr.prompts import SHIPPED
from tests.support import audio
from tests.support.audio import Pcm

LEAK_DBFS = -30.0
"""Below the trace of a single packet of a voice (-22 dBFS in a window); above the click of a
tone that breaks off."""


def voice(hz: float) -> Pcm:
    return audio.tone(hz, 20.0)


def shipped(prompt: str) -> Path:
    return SHIPPED / "de" / f"{prompt}.wav"


def first(pcm: Pcm, hz: float) -> float:
    """Return where a tone is first to be heard."""
    heard = audio.tone_intervals(pcm, hz)
    assert heard, f"{hz} Hz is nowhere"
    return heard[0][0]


def assert_unheard(pcm: Pcm, hz: float, start: float = 0.0, end: float | None = None) -> None:
    """Assert that not a packet of a voice is there."""
    audio.assert_no_tone(pcm, hz, start, end, below=LEAK_DBFS)


def assert_speaks(pcm: Pcm, hz: float, start: float, end: float) -> None:
    """Assert that a voice is there all the time; a busy machine's telephone may lose a syllable."""
    heard = audio.tone_intervals(pcm, hz)
    overlap = sum(max(0.0, min(after, end) - max(begin, start)) for begin, after in heard)
    assert overlap >= 0.85 * (end - start), (
        f"{hz} Hz is wanted in {start:.2f}..{end:.2f} s, heard in {heard}"
    )


def assert_talk(pcm: Pcm, *voices: float, since: float = 0.1) -> None:
    """Assert that each of these voices is there from `since` to the end of a file."""
    for hz in voices:
        assert_speaks(pcm, hz, since, audio.seconds(pcm) - 0.3)
