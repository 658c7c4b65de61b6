"""Samples in, MP3 frames out: the only module that knows LAME.

Constant bit rate, because a file without an index then seeks by size and a crash leaves
nothing to repair. 24 kbit/s are 180 KB a minute at every sample rate and for one or two
channels: below the 200 KB that are promised, where 32 kbit/s (240 KB) are not. Left to
itself LAME halves the sample rate of 16 kHz stereo at 24 kbit/s without a word; so the
output rate is always set. The Xing/Info tag is off in `lameenc`: it could only be written
at the end.

At 24 kHz LAME's newer loop is taken, the one of its variable rates, with the one rate as
lowest and highest: frames stay of one size, and sound better. At 8 kHz it gains nothing
(docs/decisions/0014). `quality` is nothing to it (5 and below take half as much time again, for
nothing), but for the lowest: that is for a recorder that has no time, and means the older loop.

`encode` and `flush` release the interpreter lock; one encoder must be used by one thread
at a time. An encoder takes 85 KB and 0.7 ms to create, 0.45 ms CPU per second of audio at
8 kHz and quality 7, 1.6 ms at 24 kHz.
"""

import contextlib
import ctypes

import lameenc
import numpy as np
from numpy.typing import NDArray

from mixer.upsample import Upsampler
from recording.splice import FRAME_SAMPLES, self_contained

ENCODER_DELAY_SAMPLES = 1_105
"""The decoded file begins with this many samples of delay: sample n of the input is sample
n + 1,105 of what a decoder gives (LAME's 576 + a decoder's 529), whatever the sample rate."""

AT_ONCE_SAMPLES = 2 * FRAME_SAMPLES
"""LAME keeps a buffer for as much as it was ever given at once, eight octets a sample: a second
would be 64 KB for each encoder."""

FINE_RATE = 24_000
"Hz. Of all rates that 24 kbit/s can have, the one that sounds best."

LOWEST_QUALITY = 9
"""LAME's own, and its quickest. It costs 45 % less than quality 3 and 7 % less than quality 7;
there is nothing cheaper."""

_NEWER_LOOP = 4
"`vbr_mtrh` in LAME's own words."

_ITS_QUALITY = 7

_LITTLE_ENDIAN = np.dtype("<i2")

__all__ = ["ENCODER_DELAY_SAMPLES", "FINE_RATE", "FRAME_SAMPLES", "Encoder"]


class Encoder:
    """One MP3 stream; hands out whole frames only.

    LAME gives its octets as the bit reservoir fills, which is in the middle of frames. The
    rest is held back here, so that whatever was handed out can be written, cut and
    continued at any time.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 8_000,
        input_rate: int | None = None,
        channels: int = 1,
        quality: int = 7,
        bit_rate_kbps: int = 24,
        skip_frames: int = 0,
    ) -> None:
        """`sample_rate`: Hz, of the file; `input_rate`: of what is encoded, if that is less."""
        self.channels = channels
        self.frame_octets, rest = divmod(72_000 * bit_rate_kbps, sample_rate)
        if rest:
            raise ValueError(f"{sample_rate} Hz at {bit_rate_kbps} kbit/s: frames of two sizes")
        self.frames = 0
        "Frames handed out (skipped ones don't count)."
        self._skip_octets = skip_frames * self.frame_octets
        self._held = bytearray()
        self._fed = False
        self._upsampler: Upsampler | None = None
        if input_rate not in {None, sample_rate}:
            self._upsampler = Upsampler(input_rate, sample_rate, channels)
        _return_free_end()
        self._lame = lameenc.Encoder()
        self._lame.silence()
        self._lame.set_in_sample_rate(sample_rate)
        self._lame.set_out_sample_rate(sample_rate)
        self._lame.set_channels(channels)
        self._lame.set_bit_rate(bit_rate_kbps)
        self._lame.set_quality(quality)
        if sample_rate == FINE_RATE and quality < LOWEST_QUALITY:
            self._lame.set_quality(_ITS_QUALITY)
            self._lame.set_vbr(_NEWER_LOOP)
            self._lame.set_vbr_quality(0)
            self._lame.set_vbr_min_bitrate_kbps(bit_rate_kbps)
            self._lame.set_vbr_max_bitrate_kbps(bit_rate_kbps)
            # Else silence would have smaller frames.
            self._lame.set_vbr_hard_min(True)

    def encode(self, pcm: NDArray[np.int16]) -> bytes:
        """Encode samples, shape (n,) mono or (n, channels); return the whole frames so far."""
        if pcm.dtype != np.int16 or (pcm.shape[1] if pcm.ndim == 2 else 1) != self.channels:
            raise ValueError(f"int16 of {self.channels} channels wanted, not {pcm.dtype}")
        if not len(pcm):
            return b""
        self._fed = True
        self._feed(pcm if self._upsampler is None else self._upsampler.take(pcm))
        return self._whole_frames(last=False)

    def flush(self) -> bytes:
        """Return the last frames, padded with silence; the encoder is used up."""
        if not self._fed:
            return b""
        if self._upsampler is not None:
            self._feed(self._upsampler.rest())
        self._held += self._lame.flush()
        return self._whole_frames(last=True)

    def _feed(self, pcm: NDArray[np.int16]) -> None:
        octets = pcm.astype(_LITTLE_ENDIAN, copy=False).tobytes()
        step = AT_ONCE_SAMPLES * self.channels * _LITTLE_ENDIAN.itemsize
        for begin in range(0, len(octets), step):
            self._held += self._lame.encode(octets[begin : begin + step])

    def _whole_frames(self, *, last: bool) -> bytes:
        joint = b""
        if self._skip_octets:
            joint = self._join(last=last)
            if not joint:
                return b""
        size = len(self._held) // self.frame_octets * self.frame_octets
        frames = bytes(self._held[:size])
        del self._held[:size]
        self.frames += size // self.frame_octets
        return joint + frames

    def _join(self, *, last: bool) -> bytes:
        """Drop the skipped frames and return the first kept one, written anew.

        That needs its successor too; until both are there, nothing is returned. At the end
        of a stream the frames held here may all be skipped ones: then nothing is left.
        """
        kept_end = self._skip_octets + self.frame_octets
        next_end = kept_end + self.frame_octets
        if len(self._held) < (kept_end if last else next_end):
            return b""
        held = bytes(self._held[:next_end])
        following = held[kept_end:] if len(held) == next_end else None
        joint = self_contained(
            held[: self._skip_octets], held[self._skip_octets : kept_end], following
        )
        del self._held[:kept_end]
        self._skip_octets = 0
        self.frames += 1
        return joint


def _return_free_end() -> None:
    """Give the free end of glibc's heap back to the system, which takes 0.1 ms.

    Where it has room for LAME's tables they come from there, whatever the threshold of a recorder
    (`b2bua/media/recorder.py`), and take memory for their unused half as well. Without glibc
    nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
