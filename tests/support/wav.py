"""WAV files for tests, made on the spot."""

import wave
from io import BytesIO

import numpy as np
from numpy.typing import NDArray


def tone_wav(
    *hz: int, rate: int = 8000, seconds: float = 1.0, peak: float = 0.5, channels: int = 1
) -> bytes:
    """Return a 16-bit PCM WAV file with these tones; beyond a peak of 1 it is clipped."""
    t = np.arange(int(seconds * rate)) / rate
    waves = [np.sin(2 * np.pi * f * t) for f in hz]
    audio: NDArray[np.float64] = peak * np.sum(waves, axis=0) / len(hz)
    pcm = np.clip(np.rint(audio * 32767), -32768, 32767).astype("<i2")
    file = BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(pcm.repeat(channels).tobytes())
    return file.getvalue()
