"""Speak the sentences of `b2bua/demo/dialogue.py` with espeak-ng into `b2bua/demo/speech/`.

8 kHz, mono, 8 bits, 300 to 3,400 Hz, peak -3 dBFS, each party with a voice of its own. The
same espeak-ng (1.51 for the committed files) makes the same files again; `--check` compares.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from b2bua.demo.dialogue import ALL, SPEECH, Line, Speaker, write_speech  # noqa: E402 - a clone
from ivr import conditioning  # noqa: E402 - the same

VOICES = {
    Speaker.CALLER: ("-v", "de+f3", "-s", "165", "-p", "60"),
    Speaker.CLERK: ("-v", "de+m3", "-s", "165", "-p", "40"),
}


def make(line: Line, path: Path) -> None:
    """Write the file that says the line."""
    command = ("espeak-ng", *VOICES[line.speaker], "--stdout", line.text)
    wav = subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603 - ours
    audio, rate = conditioning.read(wav)
    band = conditioning.telephone_band(conditioning.resample(audio, rate))
    spoken = conditioning.normalise(conditioning.trim(conditioning.normalise(band)))
    write_speech(path, np.rint(spoken * 32767).astype(np.int16))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        for line in ALL:
            path = Path(folder) / line.path.name if check else SPEECH / line.path.name
            make(line, path)
            if check and path.read_bytes() != line.path.read_bytes():
                sys.stdout.write(f"{line.path.name} differs\n")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
