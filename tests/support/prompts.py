"""Short prompts for tests: one tone each, so that a call stays short and an ear judges exactly."""

from pathlib import Path

from ivr.installing import install
from ivr.prompts import QUESTIONS, PromptId
from tests.support import audio

QUESTION_S = 1.0
SENTENCE_S = 0.5
COUNTS_FROM_MS = 300
"Of a question: keys count from here."

HZ = {
    PromptId.CONSENT: 700.0,
    PromptId.CONSENT_ASK: 800.0,
    PromptId.CONSENT_REFUSED: 900.0,
    PromptId.CONSENT_TIMED_OUT: 1150.0,
    PromptId.NOT_AVAILABLE: 1300.0,
    PromptId.NOT_ALLOWED: 1450.0,
    PromptId.RECORDING_ON: 1600.0,
    PromptId.RECORDING_OFF: 1750.0,
    PromptId.RECORDING_ASKED: 1900.0,
    PromptId.NO_CALL: 2050.0,
}
"Apart from the tones of the network (425 Hz), from the beeps (1000 Hz) and from each other."


def short_prompts(data: Path, language: str = "de") -> None:
    """Install the tones below a data folder, before its server starts."""
    for prompt_id, hz in HZ.items():
        question = prompt_id in QUESTIONS
        seconds = QUESTION_S if question else SENTENCE_S
        wav = audio.write_wav(data.parent / "prompt.wav", audio.tone(hz, seconds))
        install(
            data / "prompts",
            prompt_id,
            language,
            wav.read_bytes(),
            counts_from_ms=COUNTS_FROM_MS if question else 0,
        )
