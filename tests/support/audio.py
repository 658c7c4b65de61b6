"""Make audio that can be recognised, and judge audio by ear rather than by counters.

Every array of samples here is `NDArray[int16]` of shape (n_samples,), 8 kHz unless said;
levels are dBFS, where a sine of full scale has 0; places are seconds since sample 0.
"""

import subprocess
import wave
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from b2bua.demo import hearing
from recording import mp3

Pcm = NDArray[np.int16]

RATE = 8000
"Hz."

FULL_SCALE = 32768.0

SILENT = -120.0
"dBFS that stands for nothing at all."

MP3_DELAY = 1105
"""Samples that LAME (576) and every decoder (529) put before the first sample of a file
without an Info tag; `decode` takes them off again."""

WINDOW_S = 0.064
"Length of one measurement: with a Hann window two tones 50 Hz apart are told apart."

HOP_S = 0.016

NETWORK_HZ = 425.0
"Ringing and busy tone in Germany."

BEEP_HZ = 1000.0

Interval = tuple[float, float]


def tone(hz: float, seconds: float, *, level: float = -12.0, rate: int = RATE) -> Pcm:
    """Return a sine of the level in dBFS."""
    places = np.arange(round(seconds * rate)) / rate
    return _to_pcm(_amplitude(level) * np.sin(2 * np.pi * hz * places))


def silence(seconds: float, *, rate: int = RATE) -> Pcm:
    return np.zeros(round(seconds * rate), dtype=np.int16)


def speech(seconds: float, *, seed: int, level: float = -20.0, rate: int = RATE) -> Pcm:
    """Return something with the build of speech: syllables of a voice with moving formants.

    No two places of it, and no two seeds, are alike, so a correlation finds its one place.
    """
    random = np.random.default_rng(seed)
    length = round(seconds * rate)
    places = np.arange(length) / rate
    syllables = np.arange(0.0, seconds + 0.4, 0.2)
    pitch = np.interp(places, syllables, random.uniform(90.0, 220.0, syllables.size))
    loudness = np.interp(places, syllables, random.uniform(0.0, 1.0, syllables.size))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    wave_sum = np.zeros(length)
    for harmonic in range(1, 13):
        weight = np.interp(places, syllables, random.uniform(0.0, 1.0, syllables.size)) / harmonic
        wave_sum += weight * np.sin(harmonic * phase + random.uniform(0.0, 6.3))
    wave_sum *= loudness
    rms = float(np.sqrt(np.mean(wave_sum**2))) or 1.0
    return _to_pcm(wave_sum / rms * _amplitude(level) / np.sqrt(2))


def noise(seconds: float, *, seed: int, level: float = -20.0, rate: int = RATE) -> Pcm:
    """Return even noise below 2 kHz: of every place is known which one it is, none is silent."""
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft(random.standard_normal(round(seconds * rate)))
    spectrum[round(2000 * seconds) :] = 0
    samples = np.fft.irfft(spectrum, round(seconds * rate))
    return _to_pcm(samples / float(samples.std()) * _amplitude(level) / np.sqrt(2))


def write_wav(path: Path, pcm: Pcm, *, rate: int = RATE) -> Path:
    """Write a mono WAV of 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.astype("<i2").tobytes())
    return path


def read_wav(path: Path) -> Pcm:
    """Return the samples of a mono WAV of 16 bits at 8 kHz."""
    with wave.open(str(path)) as file:
        assert file.getparams()[:3] == (1, 2, RATE), f"{path}: {file.getparams()}"
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.int16)


def decode(path: Path, *, rate: int = RATE) -> Pcm:
    """Return any audio file as mono samples (ffmpeg), an MP3 without its codec delay."""
    return _ffmpeg(path, rate, channels=1)[_delay(path, rate) :]


def decode_stereo(path: Path, *, rate: int = RATE) -> tuple[Pcm, Pcm]:
    """Return (left, right)."""
    pcm = _ffmpeg(path, rate, channels=2).reshape(-1, 2)[_delay(path, rate) :]
    return pcm[:, 0], pcm[:, 1]


def _delay(path: Path, rate: int) -> int:
    """Return the samples of delay in what is decoded: an MP3's are as many at any rate of its."""
    if path.suffix not in {".mp3", ".part"}:
        return 0
    return MP3_DELAY * rate // (mp3.scan(path.read_bytes()).sample_rate or RATE)


def _ffmpeg(path: Path, rate: int, *, channels: int) -> Pcm:
    # The name of an open recording (.mp3.part) tells ffmpeg nothing.
    kind = ["-f", "mp3"] if path.suffix == ".part" else []
    words = ["ffmpeg", "-nostdin", "-v", "error", *kind, "-i", str(path)]
    words += ["-ar", str(rate), "-ac", str(channels), "-f", "s16le", "-"]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, timeout=60)
    return np.frombuffer(done.stdout, dtype="<i2").astype(np.int16)


def seconds(pcm: Pcm, *, rate: int = RATE) -> float:
    return float(pcm.size / rate)


def rms_level(pcm: Pcm, start: float = 0.0, end: float | None = None, *, rate: int = RATE) -> float:
    """Return the level of everything between two places; a full-scale sine has 0 dBFS."""
    part = _part(pcm, start, end, rate).astype(np.float64)
    if not part.size:
        return SILENT
    return _decibel(float(np.sqrt(2 * np.mean(part**2))) / FULL_SCALE)


def tone_level(
    pcm: Pcm, hz: float, start: float = 0.0, end: float | None = None, *, rate: int = RATE
) -> float:
    """Return the level of one frequency between two places (Goertzel, Hann window)."""
    part = _part(pcm, start, end, rate).astype(np.float64)
    if not part.size:
        return SILENT
    window = np.hanning(part.size)
    turns = np.exp(-2j * np.pi * hz * np.arange(part.size) / rate)
    weight = float(window.sum()) or 1.0
    return _decibel(2 * float(np.abs((part * window * turns).sum())) / weight / FULL_SCALE)


def tone_levels(pcm: Pcm, hz: float, *, rate: int = RATE) -> NDArray[np.float64]:
    """Return the level of one frequency in each window of WINDOW_S, one every HOP_S."""
    frames = _frames(pcm, rate)
    window = np.hanning(frames.shape[1])
    kernel = window * np.exp(-2j * np.pi * hz * np.arange(frames.shape[1]) / rate)
    amplitude = 2 * np.abs(frames @ kernel) / window.sum() / FULL_SCALE
    return np.asarray(20 * np.log10(np.maximum(amplitude, 1e-6)), dtype=np.float64)


def tone_intervals(
    pcm: Pcm, hz: float, *, above: float = -40.0, shortest: float = 0.1, rate: int = RATE
) -> list[Interval]:
    """Return where the frequency is to be heard, as (start, end); blinks are left out.

    Places are the centres of the first and last window, so an end is right to some 30 ms.
    Pauses shorter than `shortest` are bridged.
    """
    heard = tone_levels(pcm, hz, rate=rate) > above
    edges = np.flatnonzero(np.diff(np.concatenate(([False], heard, [False])).astype(np.int8)))
    middle = WINDOW_S / 2
    found = [
        (float(first) * HOP_S + middle, float(after - 1) * HOP_S + middle)
        for first, after in zip(edges[::2], edges[1::2], strict=True)
    ]
    joined: list[Interval] = []
    for start, end in found:
        if joined and start - joined[-1][1] < shortest:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return [(start, end) for start, end in joined if end - start >= shortest]


def dominant(pcm: Pcm, *, above: float = -50.0, rate: int = RATE) -> NDArray[np.float64]:
    """Return the loudest frequency (Hz) of each window; 0 where nothing is above the level."""
    frames = _frames(pcm, rate)
    window = np.hanning(frames.shape[1])
    padded = 4 * frames.shape[1]
    spectrum = 2 * np.abs(np.fft.rfft(frames * window, n=padded)) / window.sum() / FULL_SCALE
    spectrum[:, : int(60 * padded / rate)] = 0
    peak = spectrum.argmax(axis=1)
    loud = spectrum.max(axis=1) > 10 ** (above / 20)
    return np.asarray(np.where(loud, peak * rate / padded, 0.0), dtype=np.float64)


def assert_tone(
    pcm: Pcm,
    hz: float,
    start: float,
    end: float,
    *,
    level: float = -12.0,
    within: float = 3.0,
    rate: int = RATE,
) -> None:
    """Assert that the tone is there, uninterrupted and as loud as it was played."""
    assert end <= seconds(pcm, rate=rate), (
        f"{hz} Hz is wanted until {end:.2f} s, the audio ends at {seconds(pcm, rate=rate):.2f} s"
    )
    levels = tone_levels(_part(pcm, start, end, rate), hz, rate=rate)
    assert levels.size, f"{start:.2f}..{end:.2f} s is shorter than a window"
    assert abs(float(np.median(levels)) - level) <= within, (
        f"{hz} Hz in {start:.2f}..{end:.2f} s: {np.median(levels):.1f} dBFS, wanted {level} "
        f"± {within}; heard in {tone_intervals(pcm, hz, rate=rate)}"
    )
    worst = int(levels.argmin())
    assert float(levels[worst]) >= level - within - 3.0, (
        f"{hz} Hz is interrupted at {start + worst * HOP_S:.2f} s ({levels[worst]:.1f} dBFS); "
        f"heard in {tone_intervals(pcm, hz, rate=rate)}"
    )


def assert_no_tone(
    pcm: Pcm,
    hz: float,
    start: float = 0.0,
    end: float | None = None,
    *,
    below: float = -50.0,
    rate: int = RATE,
) -> None:
    """Assert that the tone is nowhere between two places."""
    levels = tone_levels(_part(pcm, start, end, rate), hz, rate=rate)
    if levels.size:
        loudest = int(levels.argmax())
        assert float(levels[loudest]) < below, (
            f"{hz} Hz at {start + loudest * HOP_S:.2f} s with {levels[loudest]:.1f} dBFS; "
            f"heard in {tone_intervals(pcm, hz, above=below, rate=rate)}"
        )


def correlate(reference: Pcm, pcm: Pcm, at: float, *, rate: int = RATE) -> tuple[float, float]:
    """Return how alike (-1..1) `pcm` is to the reference near a place, and where it is most.

    The answer is the best of all offsets within 40 ms, as (correlation, offset in s).
    """
    wanted = reference.astype(np.float64)
    wanted -= wanted.mean()
    reach = round(0.04 * rate)
    first = round(at * rate) - reach
    padded = np.zeros(wanted.size + 2 * reach)
    low, high = max(first, 0), min(first + padded.size, pcm.size)
    if high > low:
        padded[low - first : high - first] = pcm[low:high]
    products = np.correlate(padded, wanted, mode="valid")
    squares = np.convolve(padded**2, np.ones(wanted.size), mode="valid")
    norm = np.sqrt(np.maximum(squares, 1e-9) * float((wanted**2).sum()) + 1e-9)
    likeness = products / norm
    best = int(likeness.argmax())
    return float(likeness[best]), (best - reach) / rate


def find_sound(pcm: Pcm, sound: Path | Pcm) -> float | None:
    """Return where a sound (such as the WAV file of a prompt) begins, or None: it is not there.

    Samples that a phone left out or put in on the way don't hide it.
    """
    return hearing.find_sound(pcm, read_wav(sound) if isinstance(sound, Path) else sound)


def find_ringing(pcm: Pcm, *, bursts: int = 1) -> Interval | None:
    """Return the first run of at least so many bursts of ringing tone, whole ones."""
    return _find_cadence(pcm, NETWORK_HZ, 1.0, 4.0, bursts)


def find_busy(pcm: Pcm, *, bursts: int = 3) -> Interval | None:
    """Return the first run of at least so many bursts of busy tone."""
    return _find_cadence(pcm, NETWORK_HZ, 0.48, 0.48, bursts)


def find_beeps(pcm: Pcm) -> list[tuple[float, int]]:
    """Return where the recorder beeped and how often: (place, 1) for on, (place, 2) for off."""
    heard = tone_intervals(pcm, BEEP_HZ, shortest=0.04)
    found: list[tuple[float, int]] = []
    after_two = 0.0
    for place, (start, end) in enumerate(heard):
        if start < after_two:
            continue
        following = heard[place + 1] if place + 1 < len(heard) else (start + 60.0, start + 60.0)
        if _lasts(end - start, 0.15) and _lasts(following[0] - end, 0.12):
            if _lasts(following[1] - following[0], 0.15):
                found.append((start, 2))
                after_two = following[1]
        elif _lasts(end - start, 0.2):
            found.append((start, 1))
    return found


def _find_cadence(pcm: Pcm, hz: float, on: float, off: float, bursts: int) -> Interval | None:
    for run in _runs(tone_intervals(pcm, hz), on, off):
        if len(run) >= bursts:
            return run[0][0], run[-1][1]
    return None


def _runs(heard: list[Interval], on: float, off: float) -> Iterator[list[Interval]]:
    """Return the bursts of the right length, grouped while their pauses are right as well."""
    run: list[Interval] = []
    for start, end in heard:
        if not _lasts(end - start, on) or (run and not _lasts(start - run[-1][1], off)):
            yield run
            run = []
        if _lasts(end - start, on):
            run.append((start, end))
    yield run


def _lasts(seconds: float, wanted: float) -> bool:
    """Tell whether a tone or pause is as long as wanted, as far as windows can tell."""
    return abs(seconds - wanted) <= min(WINDOW_S, wanted / 3)


def gaps(intervals: list[Interval]) -> list[float]:
    """Return the lengths of the pauses between intervals."""
    return [after[0] - before[1] for before, after in pairwise(intervals)]


def _amplitude(level: float) -> float:
    return float(FULL_SCALE * 10 ** (level / 20))


def _decibel(amplitude: float) -> float:
    return max(SILENT, float(20 * np.log10(max(amplitude, 1e-12))))


def _to_pcm(samples: NDArray[np.float64]) -> Pcm:
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)


def _part(pcm: Pcm, start: float, end: float | None, rate: int) -> Pcm:
    return pcm[max(0, round(start * rate)) : None if end is None else round(end * rate)]


def _frames(pcm: Pcm, rate: int) -> NDArray[np.float64]:
    """Return overlapping windows, shape (n_windows, WINDOW_S * rate)."""
    length, hop = round(WINDOW_S * rate), round(HOP_S * rate)
    if pcm.size < length:
        return np.zeros((0, length))
    view = np.lib.stride_tricks.sliding_window_view(pcm, length)[::hop]
    return view.astype(np.float64)
