"""What LAME costs and what it does to speech, by quality setting: `python -m bench.encode`.

One thread, the mixed known speech of one call, 24 kbit/s mono at 8 kHz as the server writes it.
The figures of sound are those that need no listening model: the correlation of each spoken
second with its original, and the log-spectral distance over frames that carry speech.
"""

import argparse
import sys
import time
from pathlib import Path

import lameenc
import numpy as np
from numpy.typing import NDArray

from bench import judge, procfs, report, speech

BIT_RATE_KBIT = 24
FRAME = 256
"Samples of one frame of the spectral distance."
AT_ONCE = 2 * 576
"Samples that LAME is given, as the recorder does: it keeps memory for as much."
MANY = 50
"Encoders made at once to see what one takes."

Pcm = NDArray[np.int16]


def encoder(quality: int) -> lameenc.Encoder:
    made = lameenc.Encoder()
    made.silence()
    made.set_bit_rate(BIT_RATE_KBIT)
    made.set_in_sample_rate(speech.RATE)
    made.set_out_sample_rate(speech.RATE)
    made.set_channels(1)
    made.set_quality(quality)
    return made


def encode(quality: int, pcm: Pcm) -> tuple[bytes, float]:
    """Encode piece by piece, as a recorder does; return the MP3 and CPU seconds."""
    made = encoder(quality)
    begin = time.process_time()
    parts = [made.encode(piece) for piece in pieces(pcm)]
    parts.append(made.flush())
    return b"".join(bytes(part) for part in parts), time.process_time() - begin


def pieces(pcm: Pcm) -> list[bytes]:
    """Return the samples in pieces of `AT_ONCE`."""
    return [pcm[begin : begin + AT_ONCE].tobytes() for begin in range(0, len(pcm), AT_ONCE)]


def creation(quality: int, pcm: Pcm) -> tuple[float, float]:
    """CPU ms to make an encoder, and KB that it holds after its first second."""
    first = pieces(pcm[: speech.RATE])
    before, begin = procfs.pss_kb(_self()), time.process_time()
    made = [encoder(quality) for _ in range(MANY)]
    for each in made:
        each.encode(b"")
    spent = time.process_time() - begin
    for each in made:
        for piece in first:
            each.encode(piece)
    return 1000 * spent / MANY, (procfs.pss_kb(_self()) - before) / MANY


def _self() -> int:
    return int(Path("/proc/self").resolve().name)


def spectral_distance(one: judge.Samples, other: judge.Samples) -> float:
    """Log-spectral distance in dB, over frames that carry speech."""
    length = min(len(one), len(other)) // FRAME * FRAME
    window = np.hanning(FRAME)
    spectra = [
        np.abs(np.fft.rfft(signal[:length].reshape(-1, FRAME) * window)) for signal in (one, other)
    ]
    loud = spectra[0].sum(axis=1) > 0.05 * spectra[0].sum(axis=1).max()
    floor = 1e-3 * spectra[0][loud].max()
    levels = [20 * np.log10(np.maximum(spectrum[loud], floor)) for spectrum in spectra]
    return float(np.sqrt(((levels[0] - levels[1]) ** 2).mean(axis=1)).mean())


def correlations(original: judge.Samples, decoded: judge.Samples, seconds: int) -> float:
    """Worst correlation of a spoken second of either leg."""
    worst = 1.0
    for side in (0, 1):
        for second in range(seconds):
            begin = second * speech.RATE + speech.SPEAKING_FROM[side]
            reference = original[begin : begin + speech.SPEAKING_SAMPLES]
            worst = min(worst, judge.best_match(decoded, reference, begin)[0])
    return worst


def measure(quality: int, seconds: int, folder: Path) -> report.Figures:
    said = judge.spoken(0, seconds) + judge.spoken(1, seconds)
    pcm = np.clip(said, -32768, 32767).astype(np.int16)
    create_ms, memory_kb = creation(quality, pcm)
    mp3, cpu_s = encode(quality, pcm)
    path = folder / f"{quality}.mp3"
    path.write_bytes(mp3)
    decoded = judge.decode(path)
    return {
        "quality": quality,
        "cpu_ms_per_audio_s": round(1000 * cpu_s / seconds, 4),
        "create_ms": round(create_ms, 3),
        "memory_kb": round(memory_kb, 1),
        "correlation_min": round(correlations(said, decoded, seconds), 4),
        "log_spectral_distance_db": round(spectral_distance(said, decoded), 3),
        "kb_per_minute": round(len(mp3) / 1000 * 60 / seconds, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--qualities", default="2,3,5,7,9")
    parser.add_argument("--seconds", type=int, default=30, help="of audio")
    parser.add_argument("--json", action="store_true", help="one JSON line (else a table)")
    options = parser.parse_args()
    with report.scratch() as folder:
        rows = [measure(int(q), options.seconds, folder) for q in options.qualities.split(",")]
    if not options.json:
        report.table(rows)
    return report.show({"bench": "encode", "qualities": rows}, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
