"""Speak the sentences of `ivr/prompts.py` with espeak-ng into `ivr/prompts/LANGUAGE/`.

8 kHz, mono, 300 to 3,400 Hz, peak -3 dBFS. The pieces of a sentence are spoken one by one,
so that the end of the first one, from which a key counts, is known to the sample. The same
espeak-ng (1.51 for the committed files) makes the same files again; `--check` compares.
"""

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ivr import conditioning  # noqa: E402 - the clone need not be installed
from ivr.prompts import QUESTIONS, SENTENCES, SHIPPED, PromptId, describe  # noqa: E402
from ivr.sound import SAMPLE_RATE, SAMPLES_PER_MS  # noqa: E402

VOICES = {"de": ("-v", "de", "-s", "150"), "en": ("-v", "en-gb", "-s", "150")}
PAUSE_MS = 300
"Between the pieces."


def speak(language: str, text: str) -> conditioning.Audio:
    """Return one piece at 8 kHz, in the telephone band, without silence around it."""
    command = ("espeak-ng", *VOICES[language], "--stdout", text)
    wav = subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603 - ours
    audio, rate = conditioning.read(wav)
    band = conditioning.telephone_band(conditioning.resample(audio, rate))
    return conditioning.trim(conditioning.normalise(band))


def make(language: str, prompt_id: PromptId) -> dict[str, bytes]:
    """Return the prompt's files by name."""
    pieces = SENTENCES[language, prompt_id]
    pause = np.zeros(PAUSE_MS * SAMPLES_PER_MS)
    spoken = [speak(language, text) for text in pieces]
    audio = np.concatenate([part for piece in spoken for part in (piece, pause)][:-1])
    wav = conditioning.to_wav(conditioning.normalise(audio))
    counts_from = len(spoken[0]) if prompt_id in QUESTIONS else 0
    about = describe(
        file=f"{prompt_id}.wav",
        sentence=" ".join(pieces),
        sha256=hashlib.sha256(wav).hexdigest(),
        counts_from_ms=-(-counts_from * 1000 // SAMPLE_RATE),
    )
    return {f"{prompt_id}.wav": wav, f"{prompt_id}.json": about}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    differing = []
    for language, prompt_id in SENTENCES:
        folder = SHIPPED / language
        folder.mkdir(parents=True, exist_ok=True)
        for name, octets in make(language, prompt_id).items():
            path = folder / name
            if check and (not path.exists() or path.read_bytes() != octets):
                differing.append(f"{language}/{name}")
            elif not check:
                path.write_bytes(octets)
    sys.stdout.write("".join(f"{name} differs\n" for name in differing))
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
