"""Compose what held parties hear: `ivr/music/hold.wav`, eight slow bars that loop without a seam.

Everything is made here, tone by tone: an electric piano in broken chords, a bass that small
loudspeakers can still show, and a melody that stays out of the way. It has to please through a
telephone (300 to 3,400 Hz, G.711), so nothing depends on what such a line loses, and nothing is
loud: one waits to it. `--check` compares with what is there.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ivr import conditioning  # noqa: E402 - the clone need not be installed
from ivr.hold_music import SHIPPED  # noqa: E402
from ivr.installing import MUSIC_PEAK_DBFS  # noqa: E402
from ivr.sound import SAMPLE_RATE  # noqa: E402

BEATS_PER_MINUTE = 80
BEATS_PER_BAR = 4

ALIKE = 2
"How far a sample may be from the committed one where another numpy made it."

CHORDS = (
    ("C4", "E4", "G4", "B4"),
    ("A3", "E4", "G4", "C5"),
    ("F4", "A4", "C5", "E5"),
    ("G4", "B4", "D5", "F5"),
    ("E4", "G4", "B4", "D5"),
    ("A3", "E4", "G4", "C5"),
    ("D4", "F4", "A4", "C5"),
    ("G4", "B4", "D5", "F5"),
)
"One a bar; each is broken upwards and back down in eighths."

BASS = ("C3", "A2", "F3", "G3", "E3", "A2", "D3", "G3")

MELODY = (
    (("G5", 0.0, 2.0), ("E5", 2.0, 2.0)),
    (("C5", 0.0, 3.0), ("D5", 3.0, 1.0)),
    (("E5", 0.0, 2.0), ("A5", 2.0, 2.0)),
    (("G5", 0.0, 4.0),),
    (("B5", 0.0, 1.5), ("A5", 1.5, 0.5), ("G5", 2.0, 2.0)),
    (("E5", 0.0, 3.0), ("G5", 3.0, 1.0)),
    (("F5", 0.0, 2.0), ("E5", 2.0, 1.0), ("D5", 3.0, 1.0)),
    (("D5", 0.0, 3.5),),
)
"For each bar: note, beat on which it begins, beats that it lasts."

_NOTES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def frequency_hz(note: str) -> float:
    """Return the pitch of `A4` and its like, in equal temperament on 440 Hz."""
    semitones = _NOTES[note[0]] + 12 * int(note[1]) - (9 + 12 * 4)
    return float(440.0 * 2 ** (semitones / 12))


def tone(note: str, length_s: float, *, partials: tuple[float, ...], decay_s: float) -> np.ndarray:
    """Return one struck note; each partial dies away faster than the one below it."""
    n = np.arange(int(length_s * SAMPLE_RATE)) / SAMPLE_RATE
    out = np.zeros(len(n))
    for number, level in enumerate(partials, 1):
        pitch = frequency_hz(note) * number
        if pitch < conditioning.HIGHEST_HZ:
            out += level * np.exp(-n * number**0.5 / decay_s) * np.sin(2 * np.pi * pitch * n)
    rise, fall = int(0.008 * SAMPLE_RATE), int(0.06 * SAMPLE_RATE)
    out[:rise] *= np.sin(np.linspace(0, np.pi / 2, rise))
    out[-fall:] *= np.cos(np.linspace(0, np.pi / 2, fall))
    return out


def compose() -> conditioning.Audio:
    """Return the piece; what sounds on past its end sounds on at its begin."""
    beat_s = 60 / BEATS_PER_MINUTE
    samples = round(len(CHORDS) * BEATS_PER_BAR * beat_s * SAMPLE_RATE)
    piece = np.zeros(samples)

    def put(sound: np.ndarray, bar: int, beat: float, level: float) -> None:
        start = round((bar * BEATS_PER_BAR + beat) * beat_s * SAMPLE_RATE)
        np.add.at(piece, (start + np.arange(len(sound))) % samples, level * sound)

    for bar, chord in enumerate(CHORDS):
        for eighth, which in enumerate((0, 1, 2, 3, 2, 1, 2, 1)):
            struck = tone(chord[which], 1.6, partials=(1.0, 0.35, 0.12, 0.06), decay_s=0.55)
            put(struck, bar, eighth / 2, 0.30 if eighth % 4 else 0.38)
        # A small loudspeaker loses the fundamental; its partials let one hear it all the same.
        for beat in (0.0, 2.5):
            put(tone(BASS[bar], 1.5, partials=(0.6, 0.8, 0.5, 0.2), decay_s=0.6), bar, beat, 0.35)
        for note, beat, beats in MELODY[bar]:
            sung = tone(note, beats * beat_s + 0.4, partials=(1.0, 0.18, 0.05), decay_s=1.3)
            put(sung, bar, beat, 0.42)
    # The filter goes round the seam like everything else.
    around = conditioning.telephone_band(np.concatenate([piece[-400:], piece, piece[:400]]))
    return conditioning.normalise(around[400:-400], MUSIC_PEAK_DBFS)


def main() -> int:
    """Write the file, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    made = compose()
    if not parser.parse_args().check:
        SHIPPED.parent.mkdir(exist_ok=True)
        SHIPPED.write_bytes(conditioning.to_wav(made))
        return 0
    there, _ = conditioning.read(SHIPPED.read_bytes())
    same = len(there) == len(made) and np.abs(there - made).max() * 32768 < ALIKE
    sys.stdout.write("" if same else f"{SHIPPED.name} differs\n")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
