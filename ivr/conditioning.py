"""From any recording of a voice to what a telephone carries. With numpy, for the command line.

Float samples between -1 and 1, shape (n,), unless said otherwise.
"""

import math
import wave
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.prompts import PromptError
from ivr.sound import SAMPLE_RATE
from ivr.wav import WavError, read_wav

Audio = NDArray[np.float64]

LOWEST_HZ: Final = 300
HIGHEST_HZ: Final = 3400
"The telephone band; what lies outside only takes level from what lies inside."

PEAK_DBFS: Final = -3.0

_ZERO_CROSSINGS: Final = 24
"Of the resampling sinc on each side."

_CHUNK: Final = 4096
"Output samples that are interpolated at a time; bounds the memory."


def read(octets: bytes) -> tuple[Audio, int]:
    """Return the samples of a PCM WAV file, mixed to mono, and its rate in Hz."""
    try:
        wav = read_wav(octets)
    except WavError as error:
        raise PromptError(f"not a plain PCM WAV file: {error}") from None
    rate, channels, width, data = wav.rate, wav.channels, wav.width, wav.data
    if not 4000 <= rate <= 192_000 or not 1 <= channels <= 8 or width not in (1, 2, 3, 4):
        raise PromptError(f"{rate} Hz, {channels} channels, {8 * width} bits: not supported")
    frames = np.frombuffer(data[: len(data) // (width * channels) * width * channels], np.uint8)
    octet_rows = frames.reshape(-1, width).astype(np.int64)
    values = (octet_rows << (8 * np.arange(width))).sum(axis=1)
    # One octet is unsigned in a WAV file, more are signed.
    half = 1 << 8 * width - 1
    values = values - half if width == 1 else (values + half) % (2 * half) - half
    mono: Audio = values.reshape(-1, channels).mean(axis=1) / half
    return mono, rate


def resample(audio: Audio, rate: int, target: int = SAMPLE_RATE) -> Audio:
    """Return `audio` at `target` Hz: a polyphase filter of a windowed sinc.

    Each output sample lies at one of `target / gcd` phases between input samples; the
    weights of each phase are computed once.
    """
    if rate == target:
        return audio
    divisor = math.gcd(rate, target)
    phases, step = target // divisor, rate // divisor
    # Below half of the lower rate; distances are in input samples.
    cutoff = 0.95 * min(1.0, target / rate)
    half = math.ceil(_ZERO_CROSSINGS / cutoff)
    taps = np.arange(-half, half + 1)
    distance = taps[None, :] - np.arange(phases)[:, None] / phases
    # The distance reaches a little beyond the window's half width, where it is zero.
    shape = np.sqrt(np.clip(1 - (distance / (half + 1)) ** 2, 0, None))
    weights = np.sinc(cutoff * distance) * np.i0(8.0 * shape)
    weights /= weights.sum(axis=1, keepdims=True)
    length = len(audio) * target // rate
    padded = np.pad(audio, half)
    out = np.empty(length)
    for first in range(0, length, _CHUNK):
        position = np.arange(first, min(first + _CHUNK, length)) * step
        windows = padded[(position // phases)[:, None] + np.arange(2 * half + 1)]
        out[first : first + _CHUNK] = np.einsum("ij,ij->i", windows, weights[position % phases])
    return out


def telephone_band(audio: Audio) -> Audio:
    """Return 8 kHz `audio` without what lies below 300 and above 3,400 Hz; same length."""
    half = 200
    n = np.arange(-half, half + 1)
    low, high = 2 * LOWEST_HZ / SAMPLE_RATE, 2 * HIGHEST_HZ / SAMPLE_RATE
    kernel = (high * np.sinc(high * n) - low * np.sinc(low * n)) * np.kaiser(2 * half + 1, 6.0)
    return np.convolve(audio, kernel)[half : half + len(audio)]


def trim(audio: Audio, *, below_dbfs: float = -50.0) -> Audio:
    """Return 8 kHz `audio` without the silence at its ends, but for 20 ms."""
    loud = np.flatnonzero(np.abs(audio) > 10 ** (below_dbfs / 20))
    if not len(loud):
        return audio[:0]
    margin = SAMPLE_RATE // 50
    return audio[max(0, loud[0] - margin) : loud[-1] + 1 + margin]


def normalise(audio: Audio, peak_dbfs: float = PEAK_DBFS) -> Audio:
    """Return `audio` with this peak."""
    peak = np.abs(audio).max(initial=0.0)
    louder: Audio = audio * (10 ** (peak_dbfs / 20) / peak) if peak else audio
    return louder


def level_dbfs(audio: Audio) -> float:
    """Return the RMS level, a full-scale square wave being 0 dBFS."""
    return 10 * math.log10(float(np.mean(audio**2)) + 1e-12)


def to_wav(audio: Audio) -> bytes:
    """Return 8 kHz `audio` as a WAV file: mono, 16 bits."""
    pcm = np.clip(np.rint(audio * 32767), -32768, 32767).astype("<i2")
    file = BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE)
        wav.writeframes(pcm.tobytes())
    return file.getvalue()
