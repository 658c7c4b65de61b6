"""Is the known speech in the recording, all of it, and at its place?

A recording is right when every spoken part of every second of both legs, the first and the
last included, correlates at 0.9 or more with the decoded MP3 within 40 ms of its true place.

The true place follows from the start of the recording (sample 0 of the file). Nobody outside
the server knows that instant better than to some ten ms: it is the tap at the answer. So the
judge finds it by one correlation over the whole file, demands that it lies within
`START_TOLERANCE_S` of the answer that the caller saw, and holds every second of both legs
against this one start. Two legs that are shifted against each other, a cut, a repetition or
a missing end can't hide in it.
"""

import argparse
import json
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import alaw, speech, traffic

MP3_DELAY_SAMPLES = 1105
"Encoder and decoder together; a file with a LAME tag is cut by the decoder itself."
GOOD_CORRELATION = 0.9
TOLERANCE_SAMPLES = 320
"40 ms."
START_TOLERANCE_S = 0.25
LENGTH_TOLERANCE_S = 0.5
"Of the file against answer to hang-up; MP3 frames and padding are 0.2 s of it."
KB_PER_MINUTE = 200.0

Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One recording, and what must be in it; instants are CLOCK_MONOTONIC seconds."""

    call: int
    path: str
    seconds: int
    answered_at: float
    hung_up_at: float
    speech_at: tuple[float, float]
    "When the caller's and the callee's known speech was sent."


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the judge says about one recording."""

    call: int
    ok: bool
    why: str
    "Empty where it is ok."
    worst_correlation: float = 0.0
    worst_shift_ms: float = 0.0
    start_error_ms: float = 0.0
    "Start of the file by its audio, less the answer that the caller saw."
    length_s: float = 0.0
    kb_per_minute: float = 0.0


def decode(path: Path) -> Samples:
    """Return the file's samples at 8 kHz without the codec's delay."""
    run = subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-threads", "1", "-i", str(path)),
            *("-f", "s16le", "-ac", "1", "-ar", str(speech.RATE), "-"),
        ],
        capture_output=True,
        check=False,
    )
    if run.returncode:
        raise ValueError(run.stderr.decode(errors="replace").strip()[-200:])
    pcm = np.frombuffer(run.stdout, np.int16).astype(np.float64)
    return pcm if _tagged(path) else pcm[MP3_DELAY_SAMPLES:]


def _tagged(path: Path) -> bool:
    """Tell whether the file's first frame is a LAME tag (the decoder then cuts the delay)."""
    with path.open("rb") as file:
        start = file.read(4096)
    return b"LAME" in start and (b"Xing" in start or b"Info" in start)


def spoken(leg: int, seconds: int) -> Samples:
    """What a leg says, as samples."""
    return alaw.decode(traffic.payloads(leg, seconds)).reshape(-1).astype(np.float64)


def find_start(audio: Samples, both: Samples) -> int:
    """Place of `both` in `audio`, samples, by the peak of their cross-correlation."""
    size = 1 << (len(audio) + len(both)).bit_length()
    product = np.fft.rfft(audio, size) * np.conj(np.fft.rfft(both, size))
    lag = int(np.argmax(np.fft.irfft(product, size)))
    return lag if lag < len(audio) else lag - size


def best_match(audio: Samples, reference: Samples, place: int) -> tuple[float, int]:
    """Highest correlation coefficient within the tolerance around `place`, and its shift."""
    reach = TOLERANCE_SAMPLES
    begin, end = place - reach, place + len(reference) + reach
    window = np.zeros(end - begin)
    inside = audio[max(begin, 0) : max(end, 0)]
    window[max(-begin, 0) :][: len(inside)] = inside
    centred = reference - reference.mean()
    products = np.correlate(window, centred, "valid")
    sums = np.concatenate([[0.0], np.cumsum(window)])
    squares = np.concatenate([[0.0], np.cumsum(window**2)])
    count = len(reference)
    mean = (sums[count:] - sums[:-count]) / count
    energy = squares[count:] - squares[:-count] - count * mean**2
    scale = np.sqrt(np.maximum(energy, 1.0) * float(centred @ centred))
    correlation = products / scale
    best = int(np.argmax(correlation))
    return float(correlation[best]), best - reach


def examine(case: Case) -> Finding:
    """Judge one recording."""
    path = Path(case.path)
    try:
        audio = decode(path)
    except (OSError, ValueError) as error:
        return Finding(call=case.call, ok=False, why=f"can't be decoded: {error}")
    return examine_audio(case, audio, path.stat().st_size)


def examine_audio(case: Case, audio: Samples, octets: int) -> Finding:
    """Judge decoded audio, and the size of the file that it came from."""
    if len(audio) < speech.RATE:
        return Finding(call=case.call, ok=False, why="holds less than a second of audio")
    legs = [spoken(2 * case.call + side, case.seconds) for side in (0, 1)]
    phase = round((case.speech_at[1] - case.speech_at[0]) * speech.RATE)
    both = np.zeros(len(legs[0]) + abs(phase))
    first = (max(-phase, 0), max(phase, 0))
    for offset, leg in zip(first, legs, strict=True):
        both[offset:][: len(leg)] += leg
    base = find_start(audio, both)
    places = base + first[0], base + first[1]
    worst, shift, bad = _hear_seconds(case.seconds, audio, legs, places)
    start = case.speech_at[0] - places[0] / speech.RATE
    start_error = start - case.answered_at
    length = len(audio) / speech.RATE
    if abs(start_error) > START_TOLERANCE_S:
        bad.append(f"the file starts {start_error:.3f} s from the answer")
    if abs(length - (case.hung_up_at - start)) > LENGTH_TOLERANCE_S:
        bad.append(f"{length:.2f} s long, the call was {case.hung_up_at - start:.2f} s")
    size = octets / 1000 * 60 / length
    if size > KB_PER_MINUTE:
        bad.append(f"{size:.0f} KB a minute")
    return Finding(
        call=case.call,
        ok=not bad,
        why="; ".join(bad[:4]) + (f"; {len(bad) - 4} more" if len(bad) > 4 else ""),
        worst_correlation=round(worst, 4),
        worst_shift_ms=round(1000 * shift / speech.RATE, 2),
        start_error_ms=round(1000 * start_error, 1),
        length_s=round(length, 3),
        kb_per_minute=round(size, 1),
    )


def _hear_seconds(
    seconds: int, audio: Samples, legs: list[Samples], places: tuple[int, int]
) -> tuple[float, int, list[str]]:
    """Look for each second of each leg; return worst correlation, worst shift, what is bad."""
    bad: list[str] = []
    worst, shift = 1.0, 0
    for side, leg in enumerate(legs):
        for second in range(seconds):
            begin = second * speech.RATE + speech.SPEAKING_FROM[side]
            reference = leg[begin : begin + speech.SPEAKING_SAMPLES]
            correlation, moved = best_match(audio, reference, places[side] + begin)
            worst = min(worst, correlation)
            shift = moved if abs(moved) > abs(shift) else shift
            if correlation < GOOD_CORRELATION:
                name = "callee" if side else "caller"
                bad.append(f"{name} second {second + 1}: {correlation:.2f}")
    return worst, shift, bad


def examine_all(cases: list[Case]) -> list[Finding]:
    """Judge all recordings, on every core."""
    if not cases:
        return []
    with ProcessPoolExecutor() as pool:
        return list(pool.map(examine, cases, chunksize=4))


def main() -> int:
    """Judge cases that an earlier run left behind (`bench.media --keep`)."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", type=Path, help="cases.json of a kept run")
    options = parser.parse_args()
    raw = json.loads(options.cases.read_text(encoding="utf-8"))
    cases = [Case(**{**case, "speech_at": tuple(case["speech_at"])}) for case in raw]
    findings = examine_all(cases)
    for finding in findings:
        print(json.dumps(asdict(finding)))
    return 0 if all(finding.ok for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
